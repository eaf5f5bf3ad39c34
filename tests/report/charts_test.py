"""`eq.plots`: each figure shows the numbers of its one result, and says what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium.dynamics import dynamics
from equipoise.errors import BadInput
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.lever_table import compare_levers
from equipoise.panels import load_panel
from equipoise.report.palette import GROUPS, group_colors


def test_bars_are_the_mixtures_in_the_colours_of_the_groups() -> None:
    found = eq.solve(catalogue("toy"))
    axes = eq.plots.profile(found)
    want = np.vstack([found.profile.array, found.game.groups.shares])
    for k, bars in enumerate(axes.containers):
        assert [bar.get_width() for bar in bars] == pytest.approx(want[:, k])
        assert {bar.get_facecolor() for bar in bars} == {_rgba(GROUPS[k])}


def _rgba(color: str) -> Any:
    from matplotlib.colors import to_rgba

    return to_rgba(color)


def test_many_agents_are_drawn_as_quantiles() -> None:
    """Medians by NumPy are the witness."""
    rng = np.random.default_rng(0)
    game = eq.AlignmentGame(eq.Groups(["a", "b", "c"]), 51, [
        eq.Attractiveness([0.5, 0.3, 0.1]), eq.Consistency(rng.dirichlet([1, 2, 3], 51)),
    ])  # fmt: skip
    found = eq.solve(game)
    axes = eq.plots.profile(found)
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    medians = [float(np.asarray(line.get_xdata()).ravel()[0]) for line in dots]
    assert medians == pytest.approx(np.median(found.profile.array, axis=0))


def test_identical_agents_share_one_bar() -> None:
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), {"x": 40_000}, [
        eq.Attractiveness([0.5, 0.3]), eq.Consistency([0.5, 0.5])])  # fmt: skip
    names = [t.get_text() for t in eq.plots.profile(eq.solve(game)).get_yticklabels()]
    assert names == ["x", "the public"]


def test_a_question_is_drawn_with_its_intervals() -> None:
    panel = load_panel("gss2018", groups=3)
    axes = eq.plots.panel(panel, "natenvir")
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    drawn = [float(np.asarray(line.get_xdata()).ravel()[0]) for line in dots]
    q = panel.answers.question_index("natenvir")
    assert drawn == pytest.approx(panel.answers.shares[:, q].T.ravel())
    ends = [np.asarray(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 5]
    assert all(low <= value <= high for value, (low, high) in zip(drawn, ends, strict=True))
    # Without a question: the one on which two groups differ most, found here by hand.
    p = panel.answers.shares
    apart = [abs(p[j, q] - p[k, q]).sum() / 2 for q in range(p.shape[1]) for j in range(3)
             for k in range(3)]  # fmt: skip
    most = panel.answers.wording[int(np.argmax(apart)) // 9]
    shown = eq.plots.panel(panel).get_title(loc="left").replace("\n", " ")
    assert shown[:60] == most[:60]


@pytest.mark.parametrize("draw", [
    lambda: eq.plots.map(eq.phase_map(catalogue("toy"), "attractiveness=0:3:4", "diversity=0:1:3")),
    lambda: eq.plots.plan(eq.steer(catalogue("toy"), floors={"rural": 0.05})),
    lambda: eq.plots.plan(compare_levers(catalogue("toy"), [eq.levers.Prices()], eq.Goal(0.05))),
    lambda: eq.plots.path(dynamics(catalogue("toy"), steps=5)),
    lambda: eq.plots.exclusion(eq.exclusion(eq.solve(catalogue("toy")), below=0.02)),
    lambda: eq.plots.critical(
        eq.critical_incentives(("a", "b", "c"), [0.5, 0.35, 0.15], [1 / 3] * 3)),
])  # fmt: skip
def test_every_figure_returns_axes_that_belong_to_no_pyplot(draw: Callable[[], Any]) -> None:
    import sys

    from matplotlib.axes import Axes

    axes = draw()
    assert isinstance(axes, Axes)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or axes.figure not in [pyplot.figure(n) for n in pyplot.get_fignums()]


def test_what_is_no_result_is_one_sentence() -> None:
    for name in ("profile", "map", "plan", "path", "panel", "exclusion", "critical"):
        with pytest.raises(BadInput, match=rf"^plots\.{name}: got int; give "):
            getattr(eq.plots, name)(7)
    with pytest.raises(AttributeError, match="no figure 'pie'"):
        _ = eq.plots.pie
    assert {"realisation", "simulation"} <= set(dir(eq.plots))


def test_colours_beyond_eight_groups_are_told_apart() -> None:
    assert group_colors(8) == list(GROUPS)
    assert len(set(group_colors(17))) == 17
