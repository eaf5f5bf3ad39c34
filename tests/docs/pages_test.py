"""Everything README, docs and examples show is run, and prints what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.settings import PAGES, ROOT, SKIPPED, ready
from tests.docs.shown import Session, Tally, run_page


def held(text: str) -> Tally:
    """Count what a page holds, line by line: an account that does not look for whole blocks.

    `shell` counts all commands of `sh` blocks, `left` none of them.
    """
    found, inside, lines, more = Tally(), "", text.splitlines(), False
    for line in (line.strip() for line in lines):
        if line.startswith("```"):
            inside = "" if inside else line.removeprefix("```").partition(" ")[0] or "text"
            found.python += inside == "python"
            more = fresh = False
            continue
        begins = inside == "console" and line.startswith("$ ")
        if inside == "sh":
            found.shell += bool(line) and not line.startswith("#") and not more
        elif begins:
            found.console, fresh = found.console + 1, True
        elif inside == "console" and not more and fresh:
            found.compared, fresh = found.compared + 1, False
        more = line.endswith("\\") and (begins or more or inside == "sh")
    return found


def check(page: Path, folder: Path) -> None:
    """Run a page; fail where it shows what is not so, or holds what was not run."""
    ran, holds = run_page(page, Session(folder, SKIPPED)), held(page.read_text(encoding="utf-8"))
    assert ran.python == holds.python
    assert (ran.console, ran.compared) == (holds.console, holds.compared)
    assert ran.shell + ran.left == holds.shell


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_is_so(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ready(page, tmp_path):
        check(ROOT / page, tmp_path)


RIGHT = "```python\nprint(1 + 1)  # 2\n```\n\n```console\n$ echo $?\n0\n```\n"


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nprint(1 + 1)  # 3\n```\n",
        "```console\n$ echo $?\n1\n```\n",
        # Blocks that the runner does not see: a fence that closes elsewhere, or too late.
        " ```python\nprint(1)\n```\n",
        "```console\n$ echo $?\n  ```\n",
        "```sh\nequipoise nothing\n  ```\n",
    ],
)
def test_a_page_that_is_wrong_or_not_run_is_seen(tmp_path: Path, wrong: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(RIGHT, encoding="utf-8")
    check(page, tmp_path)
    assert held(RIGHT) == Tally(python=1, console=1, compared=1)
    page.write_text(RIGHT + wrong, encoding="utf-8")
    with pytest.raises(AssertionError):
        check(page, tmp_path)
