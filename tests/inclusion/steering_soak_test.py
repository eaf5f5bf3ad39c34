"""Floor prices for very many agents, and on thousands of games of every style."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.inclusion.floor_prices import floor_prices
from tests.equilibrium.random_games import STYLES, random_game
from tests.inclusion.floor_prices_test import assert_complementary, floors_of

FloatArray = NDArray[np.float64]


def crowd(rng: np.random.Generator, n: int, k: int, kind: str) -> eq.AlignmentGame:
    """Draw very many different agents who meet everybody."""
    gamma = rng.uniform(0.2, 1.5, n) if kind == "unequal weights" else np.full(n, 0.8)
    kernel = None
    if kind == "general kernel":
        roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
        kernel = np.einsum("kqc,lqc->kl", roots, roots) / 6
    values, anchor = rng.normal(size=(n, k)), rng.dirichlet(np.ones(k), n)
    if kind == "identical":
        values, anchor = values[0], anchor[0]
    m = rng.dirichlet(np.full(k, 5.0))
    return eq.AlignmentGame(eq.Groups({f"g{j}": float(s) for j, s in enumerate(m)}), n, [
        eq.Attractiveness(values, 0.7),
        eq.Consistency(anchor, np.full(n, 1.2) if kind == "identical" else rng.uniform(0.5, 2, n)),
        eq.Diversity(gamma, kernel),
    ])  # fmt: skip


def largest_relative_gap(game: eq.AlignmentGame, x: FloatArray, prices: FloatArray) -> float:
    """Return max_i (max_k v_ik − ⟨v_i, x_i⟩) / (max − min of v_i), v from the terms themselves."""
    drawn, kept = game.term(eq.Attractiveness), game.term(eq.Consistency)
    apart = game.term(eq.Diversity)
    assert drawn is not None
    assert kept is not None
    assert apart is not None
    others = (x.sum(axis=0) - x) / (len(x) - 1)
    met = others if apart.kernel is None else others @ np.asarray(apart.kernel)
    weight = np.broadcast_to(apart.weight, (len(x),))[:, None]
    beta = np.broadcast_to(kept.weight, (len(x),))[:, None]
    v = drawn.weight * drawn.values + beta * (kept.anchor - x) - weight * met + prices
    gap = v.max(axis=1) - (v * x).sum(axis=1)
    return float((gap / np.maximum(np.ptp(v, axis=1), beta[:, 0])).max())


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["identical", "equal weights", "unequal weights",
                                  "general kernel"])  # fmt: skip
def test_floor_prices_of_a_hundred_thousand_agents(
    kind: str, record_figure: Callable[[str, Any], None]
) -> None:
    rng = np.random.default_rng(61)
    game = crowd(rng, 100_000, 8, kind)
    now = eq.solve(game, starts=0).profile.coverage
    floors = np.where(now < np.sort(now)[4], now + 0.03, 0.0)
    began = time.perf_counter()
    priced = floor_prices(game, floors)
    seconds = time.perf_counter() - began
    coverage = priced.after.profile.array.mean(axis=0)
    assert_complementary(priced.prices, coverage, floors)
    gap = largest_relative_gap(game, priced.after.profile.array, priced.prices)
    assert gap <= 1e-9
    record_figure(f"steering.hundred_thousand.{kind}", {
        "seconds": seconds, "steps": priced.steps, "gap": gap,
        "short": float((floors - coverage).max()),
    })  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("style", STYLES)
def test_hundreds_of_games_of_every_style(
    style: str, record_figure: Callable[[str, Any], None]
) -> None:
    said: Counter[str] = Counter()
    for seed in range(120):
        rng = np.random.default_rng([71, STYLES.index(style), seed])
        n, k = int(rng.choice([1, 2, 3, 10, 100])), int(rng.choice([1, 2, 3, 5, 8]))
        game, floors = random_game(rng, n, k, style), floors_of(rng, k)
        try:
            priced = floor_prices(game, floors)
        except eq.NotSolved:
            said["not solved, said so"] += 1
            continue
        x = priced.after.profile.array
        assert_complementary(priced.prices, game.agents.counts @ x / game.agents.total, floors)
        assert priced.after.certificate.max_relative_gap <= 1e-9
        said["solved"] += 1
    record_figure(f"steering.floor_prices.{style}", dict(said))
    allowed = 20 if style == "no curvature" else 2
    assert said["not solved, said so"] <= allowed, said
