"""The report as a PDF, printed by a browser that is on this machine: Chromium or one like it.

The browser is started for one page and ends with it; it gets a profile of its own that is thrown
away, and nothing on the page can make it fetch anything (the page says so in its own policy).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from equipoise.errors import BadInput, EquipoiseError
from equipoise.report.files import write_whole

__all__ = ["find_browser", "write_pdf"]

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "brave-browser",
)
"""What browsers that can print without a window are called."""

PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Where they lie on systems that have no search path for them."""

VARIABLE = "EQUIPOISE_BROWSER"

SECONDS = 120


def write_pdf(page: str | os.PathLike[str], pdf: str | os.PathLike[str]) -> Path:
    """Print a report to a PDF file, whole or not at all.

    Parameters
    ----------
    page : path
        A `report.html`.
    pdf : path
        The file to write.

    Returns
    -------
    Path
        The PDF. Not guaranteed: the same bytes again; browsers write the time into it.

    Raises
    ------
    BadInput
        There is no such page, no browser was found, or the file cannot be written.
    EquipoiseError
        The browser did not print.
    """
    source, target = Path(page).resolve(), Path(pdf)
    if not source.is_file():
        raise BadInput(f"{page}: there is no such page; run the study first")
    if target.suffix.lower() != ".pdf":
        raise BadInput(f"--pdf: {target.name} does not end with .pdf; write a name that does")
    browser = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "report.pdf"
        _print(browser, source, made, Path(folder) / "profile")
        write_whole(target, made.read_bytes())
    return target


def find_browser() -> str:
    """Return the command of a browser that can print.

    Looked for are the program that `EQUIPOISE_BROWSER` names, then the usual names and places,
    then the one Playwright has fetched.

    Raises
    ------
    BadInput
        None was found; the sentence says what to install.
    """
    given = os.environ.get(VARIABLE)
    if given:
        found = shutil.which(given)
        if found is None:
            raise BadInput(f"{VARIABLE}: there is no program {given}; write the path of a browser")
        return found
    for name in (*NAMES, *PLACES):
        found = shutil.which(name)
        if found is not None:
            return found
    return _of_playwright()


def _of_playwright() -> str:
    if importlib.util.find_spec("playwright") is not None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as running:
            path = running.chromium.executable_path
        if Path(path).is_file():
            return path
    raise BadInput(
        "no browser was found to print the PDF; install Chromium or Chrome, or name one in "
        f"{VARIABLE}, or print report.html from your own browser"
    )


def _print(browser: str, page: Path, pdf: Path, profile: Path) -> None:
    # Chromium refuses to run as root with its sandbox; as anybody else the sandbox stays.
    root = sys.platform != "win32" and os.geteuid() == 0
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        *(["--no-sandbox"] if root else []),
        "--no-first-run",
        "--disable-extensions",
        "--no-pdf-header-footer",
        f"--user-data-dir={profile}",
        f"--print-to-pdf={pdf}",
        page.as_uri(),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise EquipoiseError(
            f"{Path(browser).name} did not print within {SECONDS} s; print report.html from your "
            "own browser"
        ) from None
    if not pdf.is_file():
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EquipoiseError(
            f"{Path(browser).name} printed nothing ({''.join(last) or 'no message'}); print "
            "report.html from your own browser"
        )
