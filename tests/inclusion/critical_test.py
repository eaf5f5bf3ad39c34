"""The critical-incentive table against brute force and numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.inclusion.critical import critical_incentives, critical_ratio


def brute_force(a: np.ndarray, c: np.ndarray, k: int, h: float) -> float:
    """Scan R6's left side by bisection from far out: no shared code with the closed form."""

    def excluded(alpha: float) -> bool:
        s = alpha * a + c
        return bool(np.maximum(s - s[k], 0).sum() >= h)

    if excluded(0.0):
        return 0.0
    high = 1e9
    if not excluded(high):
        return np.inf
    low = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return high


@given(st.integers(2, 9), st.integers(0, 10_000), st.sampled_from([0.0, 0.7, -0.4]))
@settings(max_examples=120, deadline=None)
def test_the_table_equals_a_bisection_of_the_law(k: int, seed: int, other: float) -> None:
    rng = np.random.default_rng(seed)
    a, c = rng.normal(size=k).round(2), rng.dirichlet(np.ones(k))
    ours = critical_ratio(a, c, other_curvature=other)
    for j in range(k):
        assert ours[j] == pytest.approx(brute_force(a, c, j, 1 + other), rel=1e-9, abs=1e-9)


def test_the_bisection_notices_a_wrong_ratio() -> None:
    a, c = np.array([0.5, 0.35, 0.15]), np.full(3, 1 / 3)
    assert critical_ratio(a, c)[2] * 1.01 != pytest.approx(brute_force(a, c, 2, 1.0), rel=1e-6)


def test_solving_just_below_and_above_changes_the_excluded_set() -> None:
    a, c = np.array([0.5, 0.35, 0.15, 0.3]), np.array([0.4, 0.3, 0.2, 0.1])
    ratios = critical_ratio(a, c)
    groups = eq.Groups(["a", "b", "c", "d"])
    for k, ratio in enumerate(ratios):
        if not np.isfinite(ratio):
            continue
        for factor, out in ((0.999, False), (1.001, True)):
            game = eq.AlignmentGame(
                groups, 2, [eq.Attractiveness(a, weight=ratio * factor), eq.Consistency(c)]
            )
            assert (groups.labels[k] in eq.exclusion(eq.solve(game)).excluded) is out


def test_an_anchor_at_zero_is_out_from_the_start() -> None:
    assert critical_ratio([0.1, 0.2], [1.0, 0.0])[1] == 0.0


def test_draws_become_intervals_and_bands_are_wider() -> None:
    rng = np.random.default_rng(2)
    a = np.array([0.5, 0.4, 0.3])
    drawn = a + 0.03 * rng.normal(size=(800, 3))
    table = critical_incentives(
        ("x", "y", "z"), a, np.full(3, 1 / 3), draws=(drawn, np.full(3, 1 / 3))
    )
    last = table.least[2]
    assert last.low < last.value < last.high
    assert table.band_low[2] <= last.low
    assert table.band_high[2] >= last.high
    assert [row["group"] for row in table.to_rows()] == ["z", "y", "x"]


def test_without_draws_the_table_says_so() -> None:
    table = critical_incentives(("x", "y"), [0.5, 0.4], [0.5, 0.5])
    assert "no draws" in table.least[1].how
