"""Coverage as an affine function of prices (R7) against differences of re-solved games."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.equilibrium.sensitivity import coverage_line
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import stated

FloatArray = NDArray[np.float64]


def priced(game: eq.AlignmentGame, prices: FloatArray) -> eq.AlignmentGame:
    own = game.term(eq.Subsidy)
    return game.replace(eq.Subsidy(prices if own is None else own.prices + prices))


def inside(game: eq.AlignmentGame) -> tuple[FloatArray, float] | None:
    """Return the equilibrium and how far it is from a change of supports; None: too near."""
    found = eq.solve(game, starts=0)
    if found.certificate.uniqueness.verdict != "proved":
        return None
    x = found.profile.array
    v = stated(game).incentives(x)
    idle = (v * x).sum(axis=1, keepdims=True) - v
    room = np.where(x > 0, x, idle)
    return (x, float(room.min())) if room.min() > 1e-3 else None


@pytest.mark.parametrize(
    "style",
    ["plain", "identical", "common", "general kernel", "network", "directed", "types", "metric"],
)
def test_slopes_are_those_of_re_solved_games(style: str) -> None:
    """Central differences over a step that changes no support: exact up to rounding."""
    checked = 0
    for seed in range(60):
        rng = np.random.default_rng([29, seed])
        n, k = int(rng.choice([1, 2, 3, 6])), int(rng.integers(2, 5))
        if style in ("network", "directed"):
            n = max(n, 3)
        game = random_game(rng, n, k, style)
        base = inside(game)
        form = game.affine
        if base is None or form is None:
            continue
        x, room = base
        line = coverage_line(form, x > 0)
        assert line is not None
        coverage = game.agents.counts @ x / game.agents.total
        assert np.abs(line.at - coverage).max() < 1e-10
        h = 0.02 * room
        for j in range(k):
            step = h * np.eye(k)[j]
            up = eq.solve(priced(game, step), starts=0).profile.coverage
            down = eq.solve(priced(game, -step), starts=0).profile.coverage
            assert np.abs((up - down) / (2 * h) - line.slope[:, j]).max() < 1e-6, (seed, j)
        # A constant paid for every group changes nothing, and coverage still sums to 1.
        assert np.abs(line.slope.sum(axis=0)).max() < 1e-9
        assert np.abs(line.slope.sum(axis=1)).max() < 1e-9
        checked += 1
        if checked >= 6:
            break
    assert checked >= 4


def test_one_agent_by_the_formula_of_r7() -> None:
    """P = H⁻¹ − H⁻¹11ᵀH⁻¹/(1ᵀH⁻¹1), one agent: ∂x/∂δ = P."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4))
    metric = root @ root.T / 4 + np.eye(4)
    game = eq.AlignmentGame(eq.Groups({f"g{j}": 0.25 for j in range(4)}), 1, [
        eq.Attractiveness([0.05, 0.02, -0.03, 0.0]), eq.Consistency([0.25] * 4, metric=metric),
    ])  # fmt: skip
    form = game.affine
    assert form is not None
    line = coverage_line(form, np.ones((1, 4), dtype=bool))
    assert line is not None
    inverse = np.linalg.inv(metric)
    p = inverse - np.outer(inverse.sum(axis=1), inverse.sum(axis=0)) / inverse.sum()
    assert line.slope == pytest.approx(p, abs=1e-12)


def test_an_agent_without_curvature_has_no_line() -> None:
    game = eq.AlignmentGame(eq.Groups({"a": 0.5, "b": 0.5}), 1, [eq.Attractiveness([1.0, 1.0])])
    form = game.affine
    assert form is not None
    assert coverage_line(form, np.ones((1, 2), dtype=bool)) is None
