"""Drawn games in one batch against the front door `solve` and the examiner, game by game."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.inclusion.margins import score_margins
from equipoise.study.symmetric import AffineBatch, KLBatch

K, N = 5, 4


def people(rng: np.random.Generator) -> tuple[eq.Groups, np.ndarray, np.ndarray]:
    shares = rng.dirichlet(np.ones(K) * 3)
    groups = eq.Groups({f"g{k}": float(s) for k, s in enumerate(shares)})
    root = rng.normal(size=(K, K))
    kernel = root @ root.T / K + np.eye(K)
    return groups, rng.normal(size=K), kernel


def test_affine_batch_against_solve_and_certify() -> None:
    rng = np.random.default_rng(11)
    scores, met, games = [], [], []
    for _ in range(20):
        groups, appeal, kernel = people(rng)
        anchor = rng.dirichlet(np.ones(K))
        games.append(eq.AlignmentGame(groups, N, [
            eq.Attractiveness(appeal, 1.3), eq.Consistency(anchor, 2.0),
            eq.Diversity(0.4, kernel=kernel),
        ]))  # fmt: skip
        scores.append(1.3 * appeal + 2.0 * anchor)
        met.append(0.4 * kernel)
    batch = AffineBatch(np.array(scores), 2.0 * np.eye(K), np.array(met))
    x = batch.profiles()
    margins, (gap, relative) = batch.margins(x, 0.05), batch.gaps(x)
    for i, game in enumerate(games):
        equilibrium = eq.solve(game)
        assert equilibrium.profile.array == pytest.approx(np.tile(x[i], (N, 1)), abs=1e-9)
        exam = eq.certify(game, game.profile(np.tile(x[i], (N, 1))))
        assert exam.max_relative_gap <= 1e-12
        assert relative[i] <= 1e-12
        assert gap[i] == pytest.approx(exam.max_gap, abs=1e-14)
        assert margins[i] == pytest.approx(score_margins(equilibrium, 0.05), abs=1e-9)


def test_the_gap_of_a_nudged_profile_is_the_examiners() -> None:
    """The exam has been seen to fail: a planted error, measured twice."""
    rng = np.random.default_rng(12)
    groups, appeal, kernel = people(rng)
    game = eq.AlignmentGame(groups, N, [
        eq.Attractiveness(appeal), eq.Consistency(np.full(K, 1 / K), 2.0),
        eq.Diversity(0.4, kernel=kernel),
    ])  # fmt: skip
    batch = AffineBatch((appeal + 2.0 / K)[None], 2.0 * np.eye(K), 0.4 * kernel)
    wrong = 0.95 * batch.profiles() + 0.05 / K
    exam = eq.certify(game, game.profile(np.tile(wrong[0], (N, 1))))
    gap, relative = batch.gaps(wrong)
    assert gap[0] == pytest.approx(exam.max_gap, rel=1e-10)
    assert relative[0] == pytest.approx(exam.max_relative_gap, rel=1e-10)
    assert relative[0] > 1e-3


def test_kl_batch_against_solve_and_its_threshold_margins() -> None:
    """Witness: `solve` and the root search of `score_margins`."""
    rng = np.random.default_rng(13)
    for _ in range(5):
        groups, appeal, _ = people(rng)
        anchor = rng.dirichlet(np.ones(K) * 2)
        game = eq.AlignmentGame(groups, 2, [
            eq.Attractiveness(appeal, 2.0), eq.KLConsistency(anchor, 0.7),
        ])  # fmt: skip
        batch = KLBatch((2.0 * appeal)[None], anchor, 0.7)
        x = batch.profiles()
        equilibrium = eq.solve(game)
        assert equilibrium.profile.array[0] == pytest.approx(x[0], abs=1e-9)
        assert batch.gaps(x)[1][0] <= 1e-12
        assert batch.margins(x, 0.02)[0] == pytest.approx(
            score_margins(equilibrium, 0.02), rel=1e-6, abs=1e-9
        )
        nudged = batch.gaps(0.9 * x + 0.1 / K)
        exam = eq.certify(game, game.profile(np.tile(0.9 * x[0] + 0.1 / K, (2, 1))))
        assert nudged[1][0] == pytest.approx(exam.max_relative_gap, rel=1e-9)
