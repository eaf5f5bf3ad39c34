"""Ends of likelihood intervals. Witnesses: the binomial by root finding, SLSQP, a dual bound."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy.optimize import brentq

from equipoise.measure.mixture_ends import interval_ends
from equipoise.measure.mixture_exam import outer_bound
from equipoise.measure.mixture_fit import fit_mixture
from tests.measure.mixture_fit_test import FloatArray, problem
from tests.measure.synthetic import by_slsqp

CUT = 3.841458820694124


def test_the_binomial_interval_by_root_finding() -> None:
    likelihoods, v = np.eye(2), np.array([30.0, 10.0])

    def fall(t: float) -> float:
        return 2 * (30 * math.log(0.75 / t) + 10 * math.log(0.25 / (1 - t))) - CUT

    ends = interval_ends(
        likelihoods, v, np.array([0.75, 0.25]), np.array([[1.0, 0], [-1.0, 0]]), np.full(2, CUT)
    )
    assert ends[0, 0] == pytest.approx(brentq(fall, 0.75, 1 - 1e-9), abs=1e-7)
    assert ends[1, 0] == pytest.approx(brentq(fall, 1e-9, 0.75), abs=1e-7)


def test_at_the_boundary_by_hand() -> None:
    """Forty answers of one group alone: the lower end t solves 80 log(1/t) = 3.84."""
    likelihoods, v = np.array([[1.0, 0.0]]), np.array([40.0])
    ends = interval_ends(
        likelihoods, v, np.array([1.0, 0.0]), np.array([[1.0, 0], [-1.0, 0]]), np.full(2, CUT)
    )
    assert ends[0, 0] == pytest.approx(1.0, abs=1e-7)
    assert ends[1, 0] == pytest.approx(math.exp(-CUT / 80.0), abs=1e-7)


def all_ends(likelihoods: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    best = fit_mixture(likelihoods, v)
    k = best.size
    directions = np.concatenate([np.eye(k), -np.eye(k)])
    ends = interval_ends(likelihoods, v, best, directions, np.full(2 * k, CUT))
    return directions, ends, float(v @ np.log(likelihoods @ best)) - CUT / 2.0


@pytest.mark.parametrize("seed", range(60))
def test_no_end_can_be_further_out_by_the_dual_bound(seed: int) -> None:
    likelihoods, v = problem(seed)
    directions, ends, level = all_ends(likelihoods, v)
    for d, w in zip(directions, ends, strict=True):
        assert float(v @ np.log(likelihoods @ w)) >= level - 1e-9
        assert w.min() >= 0.0
        assert w.sum() == pytest.approx(1.0, abs=1e-9)
        assert d @ w <= outer_bound(likelihoods, v, w, level, d) + 1e-9
        assert outer_bound(likelihoods, v, w, level, d) - d @ w < 1e-4


def test_the_dual_bound_sees_an_end_that_stops_short() -> None:
    likelihoods, v = problem(2)
    directions, ends, level = all_ends(likelihoods, v)
    best = fit_mixture(likelihoods, v)
    short = 0.9 * ends[0] + 0.1 * best
    bound = outer_bound(likelihoods, v, short, level, directions[0])
    assert bound - directions[0] @ short > 1e-3
    assert bound >= directions[0] @ ends[0] - 1e-9


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_scipy_gets_no_further(seed: int) -> None:
    likelihoods, v = problem(seed)
    directions, ends, level = all_ends(likelihoods, v)
    best = fit_mixture(likelihoods, v)

    def above(x: FloatArray) -> float:
        return float(v @ np.log(np.maximum(likelihoods @ x, 1e-300))) - level

    for i in (0, 1):
        d = directions[i]
        x = by_slsqp(partial(_against, d), 0.9 * best + 0.1 / best.size, above)
        if above(x) >= -1e-7:
            assert d @ x <= d @ ends[i] + 1e-5


def _against(d: FloatArray, x: FloatArray) -> float:
    return -float(d @ x)


def test_groups_with_the_same_law_reach_the_ends_of_their_sum() -> None:
    rng = np.random.default_rng(0)
    one = rng.random((80, 3))
    likelihoods = one[:, [0, 0, 1, 2]]
    v = np.ones(80)
    best = fit_mixture(likelihoods, v)
    merged = interval_ends(
        one, v, fit_mixture(one, v), np.array([[1.0, 0, 0], [-1.0, 0, 0]]), np.full(2, CUT)
    )
    wanted = np.array([[1.0, 1, 0, 0], [-1.0, -1, 0, 0], [1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    ends = (np.abs(wanted) * interval_ends(likelihoods, v, best, wanted, np.full(4, CUT))).sum(1)
    np.testing.assert_allclose(ends[:2], merged[:, 0], atol=1e-6)
    assert ends[2] == pytest.approx(ends[0], abs=1e-6)
    assert ends[3] == pytest.approx(0.0, abs=1e-6)
