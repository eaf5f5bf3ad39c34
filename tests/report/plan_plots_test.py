"""Figures of plans: what is drawn is what the plan says; the same bytes every time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.lever_table import LeverTable, compare_levers
from equipoise.inclusion.levers import AttractivenessCap, DiversityWeight, Prices
from equipoise.inclusion.plan_path import PlanPath, plan_path
from equipoise.report.canvas import BLUE, VERMILLION, drawn
from equipoise.report.plan_plots import levers, plan


@pytest.fixture(scope="module")
def path() -> PlanPath:
    return plan_path(eq.steer(catalogue("toy"), floors={"rural": 0.05}), points=5)


@pytest.fixture(scope="module")
def beside() -> LeverTable:
    table = [Prices(), DiversityWeight(), AttractivenessCap(0.99)]
    return compare_levers(catalogue("toy"), table, eq.Goal({"rural": 0.05}))


def test_lines_of_a_path_are_the_coverage_at_each_share(path: PlanPath) -> None:
    axes = plan(path)
    lines = [line for line in axes.lines if np.size(line.get_xdata()) == 5]
    assert len(lines) == 3
    for k, line in enumerate(lines):
        assert np.asarray(line.get_xdata()) == pytest.approx([0, 25, 50, 75, 100])
        assert np.asarray(line.get_ydata()) == pytest.approx(path.coverage[:, k])
        # Prices for rural: the two others lose.
        assert line.get_color() == (BLUE if k == 2 else VERMILLION)
        assert line.get_linestyle() == ("-" if k == 2 else "--")
    (floor,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert float(np.asarray(floor.get_ydata()).ravel()[0]) == 0.05


def test_rows_of_the_levers_run_from_before_to_after(beside: LeverTable) -> None:
    axes = levers(beside)
    ends = [
        tuple(np.asarray(line.get_xdata(), dtype=float))
        for line in axes.lines
        if np.size(line.get_xdata()) == 2
    ]
    wanted = [
        (one.before.profile.coverage[k], one.after.profile.coverage[k])
        for one in beside.plans
        for k in range(3)
    ]
    assert np.array(ends) == pytest.approx(np.array(wanted))
    said = " ".join(text.get_text() for text in axes.texts)
    assert "prices: 0.00725, least" in said
    assert "caps" not in said


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_plan_gives_the_same_bytes(kind: str, path: PlanPath, beside: LeverTable) -> None:
    for draw in (lambda: plan(path), lambda: levers(beside)):
        first = drawn(draw, kind)
        assert first == drawn(draw, kind)
        if kind == "svg":
            assert ElementTree.fromstring(first).tag.endswith("svg")
        else:
            assert first.startswith(b"\x89PNG\r\n\x1a\n")


def test_odd_labels_are_drawn_as_they_are() -> None:
    """Dollar signs are no mathematics, markup is no markup."""
    labels = {"$x_1$ & <b>": 0.5, "\\frac{": 0.2, "plain": 0.3}
    game = eq.AlignmentGame(eq.Groups(labels), ["$a$", "b"], [
        eq.Attractiveness([0.5, 0.35, 0.15]),
        eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]),
    ])  # fmt: skip
    made = eq.steer(game, floors={"plain": 0.1})
    assert ElementTree.fromstring(drawn(lambda: plan(plan_path(made, points=3)), "svg")) is not None


def test_what_cannot_be_drawn_is_refused(path: PlanPath, beside: LeverTable) -> None:
    with pytest.raises(BadInput, match=r"\.png or \.svg"):
        drawn(lambda: plan(path), "pdf")
    with pytest.raises(BadInput, match="no lever reaches"):
        levers(LeverTable(beside.goal, (), beside.refused))
    with pytest.raises(BadInput, match="at least 2"):
        plan_path(beside.plans[0], points=1)
