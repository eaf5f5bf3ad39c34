"""Mixtures from exact option probabilities. Witnesses: SciPy's SLSQP, mixtures known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.law_noise import panel_law_draws
from equipoise.measure.scores import mixture_from_scores
from tests.measure.synthetic import FloatArray, by_slsqp, gss, gss_laws


def disturbed(w: list[float], rng: np.random.Generator, size: float) -> FloatArray:
    """Scores of a mixture whose every question is off by something of its own."""
    scores = gss_laws(3).mixed(w) * np.exp(rng.normal(0.0, size, (18, 3)))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def test_scores_of_a_mixture_give_it_back() -> None:
    w = [0.2, 0.5, 0.3]
    found = mixture_from_scores(gss_laws(3), gss_laws(3).mixed(w))
    np.testing.assert_allclose([e.value for e in found.estimates.values()], w, atol=1e-6)
    assert found.divergence < 1e-12
    assert found.exam.gap < 1e-8


def test_scipy_finds_no_nearer_mixture() -> None:
    laws = gss_laws(3)
    scores = disturbed([0.2, 0.5, 0.3], np.random.default_rng(1), 0.2)
    found = mixture_from_scores(laws, scores)

    def divergence(x: FloatArray) -> float:
        return float((scores * np.log(scores / laws.mixed(np.maximum(x, 0.0)))).sum() / 18)

    best = by_slsqp(divergence, np.full(3, 1 / 3))
    assert found.divergence == pytest.approx(divergence(best), abs=1e-7)
    np.testing.assert_allclose([e.value for e in found.estimates.values()], best, atol=1e-3)


def test_intervals_over_questions_hold_the_mixture_the_questions_come_from() -> None:
    """What other questions would have given is unknown; 18 are few, so 88 % of 200 is asked."""
    w, held = [0.3, 0.4, 0.3], np.zeros(3)
    for seed in range(200):
        scores = disturbed(w, np.random.default_rng([2, seed]), 0.1)
        found = mixture_from_scores(gss_laws(3), scores).estimates
        held += [e.low <= t <= e.high for e, t in zip(found.values(), w, strict=True)]
    assert (held >= 0.88 * 200).all(), held
    assert (held < 200).any()


def test_draws_of_the_panel_widen_the_intervals() -> None:
    scores = disturbed([0.3, 0.4, 0.3], np.random.default_rng(3), 0.05)
    exact = mixture_from_scores(gss_laws(3), scores).estimates
    drawn = mixture_from_scores(gss_laws(3), scores, law_draws=panel_law_draws(gss(3), 100, 0))
    for group, e in drawn.estimates.items():
        assert e.high - e.low > exact[group].high - exact[group].low


def test_a_question_that_was_not_scored_is_left_out() -> None:
    scores = gss_laws(3).mixed([0.2, 0.5, 0.3])
    scores[4] = np.nan
    assert mixture_from_scores(gss_laws(3), scores).estimates["liberal"].n == 17


def test_bad_scores_are_refused() -> None:
    laws = gss_laws(3)
    with pytest.raises(BadInput, match="shape"):
        mixture_from_scores(laws, np.full((3, 3), 1 / 3))
    with pytest.raises(BadInput, match="sum to 1"):
        mixture_from_scores(laws, np.full((18, 3), 0.5))
    with pytest.raises(BadInput, match="fewer than two"):
        mixture_from_scores(laws, np.full((18, 3), np.nan))
