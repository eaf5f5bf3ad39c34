"""The games that are timed: different agents, default network, inside the uniqueness limit."""

from __future__ import annotations

import numpy as np

import equipoise as eq


def different_agents(
    n: int, k: int, seed: int = 0, *, general_kernel: bool = False
) -> eq.AlignmentGame:
    """Agents with their own values, weights and diversity; one anchor."""
    rng = np.random.default_rng(seed)
    kernel = None
    if general_kernel:
        roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
        kernel = np.einsum("kqc,lqc->kl", roots, roots) / 6
    return eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        n,
        [
            eq.Attractiveness(rng.normal(size=(n, k))),
            eq.Consistency(np.full(k, 1.0 / k), weight=rng.uniform(1.0, 2.0, n)),
            eq.Diversity(rng.uniform(0.1, 1.0, n), kernel=kernel),
        ],
    )
