"""Random affine games of every structure the solvers distinguish, ties and near-ties included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.game.terms import Term

SIZES = [(n, k) for n in (1, 2, 3, 10, 100) for k in (1, 2, 5, 30)]
STYLES = (
    "plain",
    "identical",
    "common",
    "general kernel",
    "weak curvature",
    "herding",
    "mixed signs",
    "network",
    "directed",
    "ties",
    "near ties",
    "no curvature",
    "types",
    "metric",
)


def random_game(rng: np.random.Generator, n: int, k: int, style: str) -> eq.AlignmentGame:
    """Draw one game of `n` agents and `k` groups."""
    groups = eq.Groups({f"g{j}": float(m) for j, m in enumerate(_shares(rng, k))})
    values: NDArray[np.float64] = rng.normal(size=(n, k))
    anchor: NDArray[np.float64] = rng.dirichlet(np.ones(k), n)
    alpha = rng.uniform(0, 2, n)
    beta = rng.uniform(0.3, 3, n)
    gamma: NDArray[np.float64] = rng.uniform(0, 1.5, n)
    kernel, network, metric = None, None, None
    agents: int | dict[str, int] = n
    match style:
        case "identical":
            values, anchor = values[0], anchor[0]
            alpha, beta, gamma = alpha[:1].repeat(n), beta[:1].repeat(n), gamma[:1].repeat(n)
        case "common":
            alpha, beta, gamma = alpha[:1].repeat(n), beta[:1].repeat(n), gamma[:1].repeat(n)
        case "general kernel":
            kernel = _kernel(rng, k)
        case "weak curvature":
            beta = beta * 10.0 ** rng.uniform(-4, 0)
        case "herding":
            gamma = -gamma * 10.0 ** rng.uniform(-2, 0.3)
        case "mixed signs":
            gamma = rng.normal(size=n)
            kernel = _kernel(rng, k) if rng.random() < 0.5 else None
        case "network" | "directed":
            network = _network(rng, n, style == "directed")
        case "ties":
            values = rng.integers(0, 2, size=(n, k)).astype(float)
            anchor = np.full((n, k), 1.0 / k)
            beta, alpha, gamma = np.ones(n), np.ones(n), np.full(n, rng.integers(0, 3) / 2)
        case "near ties":
            values = np.ones(k) + 1e-10 * rng.normal(size=(n, k))
            anchor = np.full((n, k), 1.0 / k)
        case "no curvature":
            beta = np.where(rng.random(n) < 0.5, 0.0, beta)
            gamma = rng.normal(size=n)
        case "types":
            agents = {f"t{i}": int(c) for i, c in enumerate(rng.integers(1, 50, n))}
        case "metric":
            root = rng.normal(size=(k, k))
            metric = root @ root.T / k + 0.1 * np.eye(k)
    terms: list[Term] = [
        eq.Attractiveness(values, weight=alpha),
        eq.Consistency(anchor, weight=beta, metric=metric),
        eq.Diversity(gamma, kernel=kernel, network=network),
    ]
    if rng.random() < 0.3:
        terms.append(eq.Variety(rng.uniform(0, 0.5, n)))
    if rng.random() < 0.3:
        terms.append(eq.Subsidy(rng.normal(size=k) * 0.1))
    return eq.AlignmentGame(groups, agents, terms)


def _shares(rng: np.random.Generator, k: int) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = rng.uniform(0.2, 1.0, k)
    return np.asarray(shares / shares.sum())


def _kernel(rng: np.random.Generator, k: int) -> NDArray[np.float64]:
    """Bhattacharyya-like: unit diagonal, positive semidefinite."""
    roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
    return np.asarray(np.einsum("kqc,lqc->kl", roots, roots) / 6)


def _network(rng: np.random.Generator, n: int, directed: bool) -> eq.Network:
    edges = {}
    for _ in range(2 * n):
        i, j = rng.integers(n, size=2)
        if i != j and (directed or (j, i) not in edges):
            edges[int(i), int(j)] = float(rng.uniform(0.5, 2.0))
    return eq.Network(n, [(i, j, w) for (i, j), w in edges.items()], directed=directed)
