"""The report in a real browser: hostile texts run nothing and break no layout; the PDF.

Chromium is found as `equipoise report --pdf` finds it; where there is none, or no Playwright,
these tests are skipped and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.report.pdf import find_browser, write_pdf
from equipoise.study import run_study
from tests.study.study_files import small_study, survey

LONG = "javascript:alert(1)//" + "x" * 100_000
LABELS = (LONG, "\u202e\u05e9\u05dc\u05d5\u05dd <a href='javascript:alert(1)'>y</a>", "-1+1|cmd")
SIZES = (390, 1280, 1920)

MORE = """
[report]
title = "<svg onload=alert(1)>"
authors = ["<img src=https://example.invalid/x onerror=alert(1)>"]
[[map]]
x = "attractiveness=0:80:9"
y = "diversity=0:2:3"
"""


def browser() -> str:
    try:
        return find_browser()
    except BadInput as error:
        pytest.skip(f"no browser on this machine: {error}")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    game = 'per = "question"\nagents = ["<script>alert(1)</script>", "b"]'
    study = small_study(folder, draws=40, game=game, more=MORE)
    survey(folder, LABELS)
    run_study(study, folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of extra dev")
    path = browser()
    with sync_api.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


def faults(chromium: Any, page: Path, width: int, scheme: str) -> list[str]:
    """Return what a page did that a report must not do."""
    found: list[str] = []

    def asked(dialog: Any) -> None:
        found.append("dialog")
        dialog.dismiss()

    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.set_default_timeout(120_000)  # ms: a busy machine is no fault of the page
    tab.on("console", lambda message: found.append(f"console: {message.text}"))
    tab.on("pageerror", lambda error: found.append(f"error: {error}"))
    tab.on("dialog", asked)
    tab.on("request", lambda request: found.append(request.url))
    tab.goto(page.as_uri())
    found.remove(page.as_uri())
    wide = tab.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if wide > 0:
        found.append(f"{wide} px too wide")
    tab.close()
    return found


@pytest.mark.parametrize("width", SIZES)
def test_hostile_texts_run_nothing_and_break_no_layout(
    chromium: Any, hostile: Path, width: int
) -> None:
    for scheme in ("light", "dark"):
        assert faults(chromium, hostile / "report.html", width, scheme) == []


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ("<script>alert(1)</script>", "dialog"),
        ("<img src=x onerror=alert(1)>", "dialog"),
        ("<div style='width:3000px'>wide</div>", "too wide"),
        ("<script>console.log(1)</script>", "console"),
        ("<img src='http://127.0.0.1:9/x'>", "http://127.0.0.1:9/x"),
    ],
)
def test_each_fault_is_seen(chromium: Any, tmp_path: Path, wrong: str, seen: str) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(f"<!DOCTYPE html><body>{wrong}</body>")
    assert any(seen in fault for fault in faults(chromium, page, 390, "light"))


def test_a_label_of_a_hundred_thousand_letters_does_not_fill_the_page(hostile: Path) -> None:
    text = (hostile / "report.html").read_text(encoding="utf-8")
    assert "x" * 900 in text
    assert "x" * 1100 not in text
    # The files keep it whole.
    assert LONG in (hostile / "tables" / "exclusion.csv").read_text(encoding="utf-8")


def test_the_report_is_printed_to_a_pdf(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    browser()
    assert run(["report", str(hostile), "--pdf", str(tmp_path / "r.pdf"), "--quiet"]) == 0
    content = (tmp_path / "r.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 4
    assert "The PDF is" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [tmp_path / "r.pdf"]


def test_no_browser_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("equipoise.report.pdf.PLACES", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="install Chromium") as error:
        find_browser()
    assert "\n" not in str(error.value)
    monkeypatch.setenv("EQUIPOISE_BROWSER", "no-such-program")
    with pytest.raises(BadInput, match="EQUIPOISE_BROWSER"):
        find_browser()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
@pytest.mark.parametrize("does", ["exit 3", "exit 0", "echo sorry >&2"])
def test_a_browser_that_prints_nothing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    from equipoise.errors import EquipoiseError

    program = tmp_path / "browser"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("EQUIPOISE_BROWSER", str(program))
    page = tmp_path / "report.html"
    page.write_text("<p>x")
    with pytest.raises(EquipoiseError, match="printed nothing"):
        write_pdf(page, tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


@pytest.mark.parametrize("name", ["r.html", "r"])
def test_a_pdf_has_a_pdf_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "report.html").write_text("<p>x")
    with pytest.raises(BadInput, match=r"\.pdf"):
        write_pdf(tmp_path / "report.html", tmp_path / name)


def test_no_file_holds_a_row_of_a_respondent(tmp_path: Path) -> None:
    """Every person has a word of their own in the survey; it stands in none of our files."""
    study = small_study(tmp_path, draws=40, more=MORE)
    people = (tmp_path / "people.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{people[0]},serial", *(f"{row},person{i:04d}z" for i, row in enumerate(people[1:]))]
    (tmp_path / "people.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run_study(study, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        assert b"person0" not in content, path.name
        for row in people[1:4]:
            assert row.encode() not in content, path.name
