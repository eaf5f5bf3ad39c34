"""Figures of a simulation show the numbers of the simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.patches import Rectangle

from equipoise.report.simulate_page import in_short, simulation_page
from equipoise.report.simulate_plots import simulation, simulation_differences, simulation_welfare
from equipoise.simulate.outcome import Simulation
from equipoise.simulate.prediction import change_of_plan
from equipoise.simulate.simulation import Setup, simulate
from tests.simulate.simulation_test import gss, gss_game


@cache
def found() -> Simulation:
    import equipoise as eq

    game = gss_game()
    plan = change_of_plan(eq.steer(game, floors={"conservative": 0.1}))
    return simulate(Setup(game, gss(), plan=plan, replicates=3, posts=4), 400)


def test_the_path_and_the_prediction_are_drawn_where_they_are() -> None:
    axes = simulation(found())
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    mean = found().path.mean(axis=1)
    for k in range(3):
        assert any(len(y) == len(mean) and np.allclose(y, mean[:, k]) for y in lines)
        for one in found().phases:
            assert any(len(y) == 2 and np.allclose(y, one.theory[k]) for y in lines)
    assert [t.get_text() for t in axes.texts][:1] == ["the plan begins"]


def test_bars_of_differences_add_up_to_the_diamond() -> None:
    axes, one = simulation_differences(found()), found().phases[-1]
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    heights = np.array([bar.get_height() for bar in bars]).reshape(3, 4)
    assert np.allclose(heights.sum(axis=1), one.coverage.mean - one.theory)


def test_welfare_is_drawn_for_both_phases() -> None:
    axes = simulation_welfare(found())
    points = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    marks = [float(y[0]) for y in points if y.size == 1]
    told = [v for k in range(3) for v in (p.welfare.mean[k] for p in found().phases)]
    assert np.allclose(sorted(marks), sorted(told))


def test_labels_are_escaped_on_the_page() -> None:
    page = simulation_page(found(), {}, "a <b> study")
    assert "a &lt;b&gt; study" in page
    assert "<b>" not in page
    assert in_short(found())[0].startswith("As it is: ")
