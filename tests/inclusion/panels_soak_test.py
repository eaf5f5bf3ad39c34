"""Robust plans on the public's own answers: GSS 2018 and ANES 2012, with their own intervals.

Witness: draws nobody fitted on (later numbers of the same resampling), each solved by a method
of its own: the water-filling of R4, written down again here (γ = 0, so agents do not meet).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import Anchors, AttractivenessCap, Prices
from equipoise.panels import load_panel

FloatArray = NDArray[np.float64]

FLOOR = 0.02


def water(scores: FloatArray, h: float) -> FloatArray:
    """Return argmax ⟨s, x⟩ − h/2 ‖x‖² on the simplex, by bisection on the level."""
    low, high = scores.min() - h, scores.max()
    for _ in range(200):
        level = 0.5 * (low + high)
        if np.maximum(scores - level, 0).sum() > h:
            low = level
        else:
            high = level
    return np.asarray(np.maximum(scores - high, 0) / h)


def coverage(
    appeal: FloatArray, alpha: float, target: FloatArray, prices: FloatArray
) -> FloatArray:
    return water(alpha * appeal + target + prices, 1.0)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "alpha"), [("gss2018", 10.0), ("anes", 3.0)], ids=["GSS 2018", "ANES 2012"]
)
@pytest.mark.parametrize(
    "lever", [Prices(), Anchors(common=True), AttractivenessCap()], ids=lambda one: one.name
)
def test_plans_hold_in_95_percent_of_draws_they_were_not_fitted_on(
    name: str, alpha: float, lever: Lever, record_figure: Callable[[str, Any], None]
) -> None:
    """Every group at least 2 %: fitted on 600 draws, counted by hand on 1,000 later ones."""
    panel = load_panel(name)
    labels = panel.groups.labels
    even = np.full(len(labels), 1.0 / len(labels))

    def game(appeal: FloatArray) -> eq.AlignmentGame:
        return eq.AlignmentGame(panel.groups, ["model-a", "model-b"], [
            eq.Attractiveness(appeal, alpha), eq.Consistency(even, 1.0),
        ])  # fmt: skip

    point = game(panel.appeal())
    assert eq.solve(point).profile.coverage.min() < FLOOR
    draws = [game(a) for a in panel.draws(600, seed=0).appeal]
    plan = eq.steer(point, lever, floors=FLOOR, draws=draws, sure=0.95)
    prices = plan.setting if isinstance(lever, Prices) else np.zeros(len(labels))
    target = even + plan.setting if isinstance(lever, Anchors) else even
    cap = alpha + float(plan.setting[0]) if isinstance(lever, AttractivenessCap) else alpha
    later = panel.draws(1000, seed=0, start=600).appeal
    held = [coverage(a, cap, target, prices).min() >= FLOOR - 1e-9 for a in later]
    record_figure(f"steering.panels.{name}.{lever.name}", {
        "fresh": float(np.mean(held)), "said": dict(plan.robustness), "cost": plan.cost,
    })  # fmt: skip
    assert np.mean(held) >= 0.95
