"""Numbers that stand in the prose of a page are those of the program."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import pytest

import equipoise as eq
from equipoise.app import maps, uncertainty, uploads
from equipoise.inclusion.exclusion import SURE
from equipoise.panels import load_panel
from equipoise.panels.panel import Panel
from equipoise.report.steer_words import LEVERS
from equipoise.simulate.learners import LEARNERS
from tests.docs.settings import ROOT

NAMED = {"two": 2, "six": 6, "seven": 7, "eighteen": 18}


@cache
def panel() -> Panel:
    return load_panel("gss2018")


def lines() -> int:
    return len((ROOT / "examples" / "survey.csv").read_text(encoding="utf-8").splitlines()) - 1


def resting() -> int:
    script = (ROOT / "src/equipoise/app/page/app.js").read_text(encoding="utf-8")
    found = re.search(r"RESTING = (\d+)", script)
    assert found is not None
    return int(found[1])


def falls(learner: str) -> float:
    """How errors fall; 1/3 cannot be told from the float beside it."""
    return float(Fraction(LEARNERS[learner].falls).limit_denominator(100))


SAID: list[tuple[str, str, Callable[[], float]]] = [
    ("README.md", r"the answers of ([\d,]+) Americans", lambda: panel().n),
    ("README.md", r"# GSS 2018, (\w+) groups", lambda: len(panel().groups)),
    ("docs/tutorial.md", r"too much on (\w+) things", lambda: len(panel().questions)),
    ("docs/tutorial.md", r"the answers of the ([\d,]+) people", lambda: panel().n),
    ("docs/own-survey.md", r"(\d+) made-up people", lines),
    ("examples/README.md", r"(\d+) made-up people", lines),
    ("docs/certificates.md", r"`tol` \((\S+)\)",
     lambda: inspect.signature(eq.solve).parameters["tol"].default),
    # "together" is no lever of its own.
    ("docs/alternatives.md", r"\| (\w+) levers", lambda: len(LEVERS) - 1),
    ("docs/verdicts.md", r"at least ([\d.]+) % of the draws", lambda: 100 * SURE),
    ("docs/design/dashboard.md", r"rested for (\d+) ms", resting),
    ("docs/design/dashboard.md", r"as fit into (\w+) seconds", lambda: uncertainty.PATIENCE),
    ("docs/design/dashboard.md", r"(\d+) × \d+ cells at once", lambda: maps.POINTS),
    ("docs/design/dashboard.md", r"at most\s(\d+) MB in memory", lambda: uploads.LARGEST / 2**20),
    ("docs/design/simulate.md", r"(\d+/\d+) for `mirror`", lambda: falls("mirror")),
    ("docs/design/simulate.md", r"(\d+/\d+) for `best-response`", lambda: falls("best-response")),
    ("docs/design/simulate.md", r"(\d+/\d+) for `bandit`", lambda: falls("bandit")),
]  # fmt: skip


def said(text: str, pattern: str) -> float:
    """Return the number a page says, in digits or in letters."""
    found = re.search(pattern, re.sub(r"\s+", " ", text))
    assert found is not None, f"the page has nothing like {pattern}"
    word = found[1].replace(",", "")
    return float(NAMED[word] if word in NAMED else Fraction(word))


@pytest.mark.parametrize(("page", "pattern", "real"), SAID)
def test_a_number_in_prose_is_that_of_the_program(
    page: str, pattern: str, real: Callable[[], float]
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert said(text, pattern) == real()


def test_another_number_is_seen() -> None:
    page, pattern, real = SAID[0]
    text = (ROOT / page).read_text(encoding="utf-8")
    assert said(text.replace("2,247", "2,248"), pattern) != real()
    with pytest.raises(AssertionError, match="nothing like"):
        said(text.replace("Americans", "people"), pattern)
