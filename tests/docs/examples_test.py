"""The scripts of examples/: at most sixty lines, and each prints what its head says."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from equipoise.panels import load_panel
from tests.docs.settings import ROOT
from tests.docs.shown import Session
from tests.measure.answering import answering, as_people

EXAMPLES = ROOT / "examples"
LONGEST = 60


def promised(script: Path) -> list[str]:
    """Return what the head of a script says that it prints."""
    text = script.read_text(encoding="utf-8").split('"""')[1]
    shown = text.rpartition("prints:\n\n")[2]
    return textwrap.dedent(shown).strip("\n").splitlines()


def check(script: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script as a user would and compare what it prints."""
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(str(script), run_name="__main__")
    Session(Path()).compare(script.name, out.getvalue().splitlines(), promised(script))


Arguments = Callable[[], contextlib.AbstractContextManager[list[str]]]


@contextlib.contextmanager
def nothing() -> Iterator[list[str]]:
    yield []


@contextlib.contextmanager
def fewer_agents() -> Iterator[list[str]]:
    """A tenth of a million: the same code in a tenth of the time."""
    yield ["100000"]


@contextlib.contextmanager
def a_server() -> Iterator[list[str]]:
    people = as_people(load_panel("gss2018", groups=3), default="conservative")
    with answering(people) as server:
        yield [server.url, "m"]


GIVEN: dict[str, Arguments] = {"a_million_agents": fewer_agents, "measuring_an_endpoint": a_server}
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_prints_what_its_head_says(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with GIVEN.get(script.stem, nothing)() as arguments:
        check(script, arguments, monkeypatch)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_listed(script: Path) -> None:
    assert len(script.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert script.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_a_script_that_prints_something_else_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "wrong.py"
    script.write_text('"""x\n\nIt prints:\n\n    1\n"""\n\nprint(2)\n')
    with pytest.raises(AssertionError, match=r"wrong\.py"):
        check(script, [], monkeypatch)


def test_there_are_six() -> None:
    assert len(SCRIPTS) == 6
