"""The most likely mixture. Witnesses: SciPy's SLSQP, EM run to the end, a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.measure.mixture_exam import examine_mixture
from equipoise.measure.mixture_fit import em_step, fit_mixture, relative_likelihoods
from tests.measure.synthetic import by_slsqp

FloatArray = NDArray[np.float64]


def problem(seed: int) -> tuple[FloatArray, FloatArray]:
    """Random units; small ones, and ones where several groups are not needed."""
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 9)), int(rng.integers(5, 200))
    logs = rng.normal(size=(n, k)) * rng.choice([0.1, 1.0, 5.0, 40.0])
    return relative_likelihoods(logs), rng.integers(1, 5, n).astype(np.float64)


@pytest.mark.parametrize("seed", range(60))
def test_the_fit_meets_the_kkt_conditions(seed: int) -> None:
    likelihoods, v = problem(seed)
    w = fit_mixture(likelihoods, v)
    exam = examine_mixture(likelihoods, v, w)
    assert exam.feasible
    assert exam.gap <= 1e-7
    assert exam.slackness <= 1e-8


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_scipy_finds_nothing_likelier(seed: int) -> None:
    likelihoods, v = problem(seed)
    w = fit_mixture(likelihoods, v)

    def loss(x: FloatArray) -> float:
        return -float(v @ np.log(np.maximum(likelihoods @ x, 1e-300)))

    x = by_slsqp(loss, np.full(w.size, 1.0 / w.size))
    assert loss(w) <= loss(x) + 1e-9
    assert loss(x) - loss(w) < 0.01 * (1.0 + abs(loss(w)))


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_em_run_to_the_end_comes_to_the_same_likelihood(seed: int) -> None:
    likelihoods, v = problem(seed)
    w = np.full(likelihoods.shape[1], 1.0 / likelihoods.shape[1])
    for _ in range(20_000):
        w = em_step(likelihoods, v, w)
    best = fit_mixture(likelihoods, v)
    away = float(v @ np.log(likelihoods @ best) - v @ np.log(likelihoods @ w))
    assert -1e-9 <= away < 1e-2


def test_a_weighted_unit_counts_as_so_many() -> None:
    likelihoods, v = problem(3)
    repeated = np.repeat(likelihoods, v.astype(int), axis=0)
    np.testing.assert_allclose(
        fit_mixture(likelihoods, v), fit_mixture(repeated, np.ones(len(repeated))), atol=1e-7
    )


def test_the_exam_rejects_a_wrong_mixture() -> None:
    likelihoods, v = problem(5)
    w = fit_mixture(likelihoods, v)
    wrong = 0.95 * w + 0.05 * np.roll(w, 1)
    lost = float(v @ np.log(likelihoods @ w) - v @ np.log(likelihoods @ wrong))
    exam = examine_mixture(likelihoods, v, wrong)
    assert exam.gap >= lost > 1e-3
    assert not examine_mixture(likelihoods, v, 1.01 * w).feasible


def test_the_zeros_are_exact_zeros() -> None:
    likelihoods = np.array([[1.0, 0.2, 0.3], [0.1, 1.0, 0.3]])
    w = fit_mixture(likelihoods, np.array([50.0, 50.0]))
    assert w[2] == 0.0
