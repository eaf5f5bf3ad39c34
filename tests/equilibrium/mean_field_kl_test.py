"""KL games of agents who meet everybody: Newton on the coverage against the interior point."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium.mean_field_kl import solve_kl
from equipoise.equilibrium.solvers import InteriorPoint

SHAPES = [(2, 3), (5, 4), (40, 7), (300, 5)]


def kl_game(n: int, k: int, gamma: float, seed: int, *, typed: bool = False) -> eq.AlignmentGame:
    rng = np.random.default_rng(seed)
    root = rng.random((k, 3))
    kernel = root @ root.T
    kernel /= np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    agents = {f"t{i}": int(c) for i, c in enumerate(rng.integers(1, 50, n))} if typed else n
    return eq.AlignmentGame(eq.Groups([f"g{j}" for j in range(k)]), agents, [
        eq.Attractiveness(rng.random((n, k)), rng.uniform(0.5, 2.0, n)),
        eq.KLConsistency(rng.dirichlet(np.ones(k), n), rng.uniform(0.5, 2.0, n)),
        eq.Diversity(rng.uniform(0.5, 1.0, n) * gamma, kernel=kernel if seed % 2 else None),
        eq.Subsidy(0.1 * rng.random(k)),
    ])  # fmt: skip


@pytest.mark.parametrize(("n", "k"), SHAPES)
@pytest.mark.parametrize("gamma", [0.3, 1.5, -0.2])
@pytest.mark.parametrize("typed", [False, True])
def test_it_finds_the_equilibrium_the_interior_point_finds(
    n: int, k: int, gamma: float, typed: bool
) -> None:
    for seed in (0, 1):
        game = kl_game(n, k, gamma, seed, typed=typed)
        found = solve_kl(game, None)
        assert found is not None
        exam = eq.certify(game, game.profile(found[0]))
        assert exam.max_relative_gap <= 1e-11
        witness = eq.solve(game, InteriorPoint(), starts=0)
        assert found[0] == pytest.approx(witness.profile.array, abs=1e-6)
        assert eq.solve(game, starts=0).record.solver == "mean-field Newton (R8, R10)"


def test_a_group_the_anchor_forbids_stays_at_zero() -> None:
    game = eq.AlignmentGame(eq.Groups(["a", "b", "c"]), 3, [
        eq.Attractiveness([0.2, 0.9, 0.4]), eq.KLConsistency([0.5, 0.0, 0.5]), eq.Diversity(0.5),
    ])  # fmt: skip
    found = solve_kl(game, None)
    assert found is not None
    assert found[0][:, 1].tolist() == [0.0, 0.0, 0.0]
    assert eq.certify(game, game.profile(found[0])).max_relative_gap <= 1e-11


def test_where_it_does_not_settle_another_method_is_tried() -> None:
    """Two agents and strong diversity: an agent's own weight dominates its answer."""
    game = kl_game(2, 3, 40.0, 0)
    assert eq.solve(game, starts=0, on_failure="return").outcome is eq.Outcome.solved


def test_it_keeps_to_its_games() -> None:
    groups = eq.Groups(["a", "b"])
    kl, held = eq.KLConsistency([0.5, 0.5]), eq.Consistency([0.5, 0.5])
    ring = eq.Network(3, [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)])
    for terms in (
        [kl],
        [kl, held, eq.Diversity(1.0)],
        [kl, eq.AudienceShare(0.5), eq.Diversity(1.0)],
        [kl, eq.Diversity(1.0, network=ring)],
        [eq.KLConsistency([0.5, 0.5], [1.0, 0.0, 1.0]), eq.Diversity(1.0)],
    ):
        assert solve_kl(eq.AlignmentGame(groups, 3, terms), None) is None
    assert solve_kl(eq.AlignmentGame(groups, 1, [kl, eq.Diversity(1.0)]), None) is None
