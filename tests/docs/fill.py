"""Writes what a page's blocks print where the page says `?`.

    python -m tests.docs.fill docs/page.md

A console command followed by a line `?`, a comment `# ?` behind a print, and a text block `?`
below Python are filled in. Read what it wrote: the tests only know that it is what is printed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from tests.docs import shown
from tests.docs.settings import ROOT, SKIPPED, ready


class _Filling(shown.Session):
    """A session that takes a question mark for an answer and notes the answer."""

    answers: list[list[str]]

    def compare(self, where: str, printed: list[str], shown: list[str]) -> None:
        if "?" not in shown:
            return super().compare(where, printed, shown)
        if len(shown) == 1:
            self.answers.append(printed)
        else:
            assert len(shown) == len(printed), f"{where}: {printed}"
            self.answers.extend([p] for s, p in zip(shown, printed, strict=True) if s == "?")
        return None


def filled(text: str, lines: list[str]) -> str:
    """Return a page with its first question mark replaced by these lines."""

    def put(found: re.Match[str]) -> str:
        indent = found[1] or ""
        return "\n".join(indent + line for line in lines).rstrip()

    return re.sub(r"(?m)^( *)\?$|(?<=  # )\?$", put, text, count=1)


def fill(page: str) -> None:
    """Fill one page in place."""
    path = ROOT / page
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        session = _Filling(folder, SKIPPED)
        session.answers = []
        try:
            with ready(page, folder):
                shown.run_page(path, session)
        finally:
            os.chdir(ROOT)
            text = path.read_text(encoding="utf-8")
            for lines in session.answers:
                text = filled(text, lines)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        fill(each)
