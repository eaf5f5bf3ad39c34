"""Random answering. Witnesses: scipy.stats, and models scripted to be random or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from equipoise.errors import BadInput
from equipoise.measure.uniform_null import uniform_counts_test, uniform_scores_test
from tests.measure.synthetic import FloatArray, gss_laws

THREE = [3] * 18


def answered(shares: FloatArray, n: int, seed: int) -> Any:
    return np.random.default_rng(seed).multinomial(n, shares, size=18)


def test_one_question_against_scipy() -> None:
    counts = [[40, 30, 20]]
    assert uniform_counts_test(counts, [3]).p_value == pytest.approx(chisquare(counts[0]).pvalue)


def test_a_random_model_is_rejected_one_time_in_twenty() -> None:
    uniform = np.full(3, 1 / 3)
    for n in (6, 60):
        rng = np.random.default_rng([n, 7])
        tables = rng.multinomial(n, uniform, size=(300, 18))
        p = [uniform_counts_test(table, THREE).p_value for table in tables]
        assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09


def test_the_power_said_is_the_power_there_is() -> None:
    n = 60
    seen = uniform_counts_test(answered(np.full(3, 1 / 3), n, 0), THREE).seen
    shares = np.array([1 / 3 + seen, 1 / 3 - seen / 2, 1 / 3 - seen / 2])
    found = [uniform_counts_test(answered(shares, n, s), THREE).p_value < 0.05 for s in range(200)]
    assert 0.70 <= np.mean(found) <= 0.90


def test_a_random_and_a_steerable_model_get_opposite_verdicts() -> None:
    random = answered(np.full(3, 1 / 3), 600, 1)
    assert uniform_counts_test(random, THREE).random
    laws = gss_laws(3)
    rng = np.random.default_rng(2)
    persona = np.stack([rng.multinomial(600, p) for p in laws.shares[0]])
    assert uniform_counts_test(persona, THREE).verdict == "does not answer at random"
    assert uniform_scores_test(laws.shares[0], THREE).verdict == "does not answer at random"


def test_a_blind_test_is_undecided() -> None:
    found = uniform_counts_test(answered(np.full(3, 1 / 3), 3, 3), THREE)
    assert found.verdict.startswith("undecided")
    assert found.seen > 0.1


def test_scores_near_uniform_after_balancing() -> None:
    """The shape of a small model: 0.02 from uniform once option orders are balanced."""
    scores = np.tile([0.35, 0.33, 0.32], (18, 1))
    assert uniform_scores_test(scores, THREE).random


def test_bad_counts_are_refused() -> None:
    with pytest.raises(BadInput, match="whole numbers"):
        uniform_counts_test([[0.5, 1, 2]], [3])
    with pytest.raises(BadInput, match="whole numbers"):
        uniform_counts_test([[1, 1, 2]], [2])
    with pytest.raises(BadInput, match="no answer"):
        uniform_counts_test([[0, 0, 0]], [3])
