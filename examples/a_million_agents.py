"""A population of a million different agents, solved and certified.

    python examples/a_million_agents.py [AGENTS]

Agents meet only through what all of them do together, so there are as many unknowns as groups.
With `pip install 'equipoise[fast]'` it takes a fraction of a second. It prints:

    … agents of … kinds, 8 groups
    certified: no agent gains more than … by moving alone
    the only equilibrium: proved
    less than 1 % of what is said is for: h
    coverage: 0.327 0.249 0.176 0.111 0.074 0.044 0.014 0.004
"""

import sys

import numpy as np

import equipoise as eq

GROUPS = {"a": 0.22, "b": 0.19, "c": 0.16, "d": 0.13, "e": 0.11, "f": 0.09, "g": 0.06, "h": 0.04}


def main(n: int = 1_000_000, seed: int = 0) -> None:
    """Make a population of this size, solve it, say what holds."""
    rng = np.random.default_rng(seed)
    groups = eq.Groups(GROUPS)
    # Each agent reads the public a little differently, and is held to a target of its own.
    appeal = groups.shares + 0.03 * rng.standard_normal((n, len(groups)))
    target = rng.dirichlet(20 * groups.shares, size=n)
    game = eq.AlignmentGame(
        groups,
        n,
        [
            eq.Attractiveness(appeal, weight=rng.uniform(4.0, 10.0, n)),
            eq.Consistency(target, weight=rng.uniform(0.5, 1.5, n)),
            eq.Diversity(2.0),
        ],
    )
    equilibrium = eq.solve(game)
    certificate, profile = equilibrium.certificate, equilibrium.profile
    print(f"{n:,} agents of {n:,} kinds, {len(groups)} groups")
    print(f"certified: no agent gains more than {certificate.max_gap:.0e} by moving alone")
    print(f"the only equilibrium: {certificate.uniqueness.verdict}")
    few = [g for g, mean in zip(groups.labels, profile.coverage, strict=True) if mean < 0.01]
    print("less than 1 % of what is said is for:", ", ".join(few) or "no group")
    print("coverage:", " ".join(f"{weight:.3f}" for weight in profile.coverage))


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:]))
