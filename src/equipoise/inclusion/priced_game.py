"""A game with prices on top of its own, and how far prices and floors are from complementary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Subsidy

__all__ = ["MET", "Found", "residual", "with_prices"]

FloatArray = NDArray[np.float64]

MET = 1e-9
"""A floor counts as met when coverage is at most this below it."""

Found = tuple[FloatArray, Equilibrium]
"""Prices, and the equilibrium they lead to."""


def with_prices(game: AlignmentGame, prices: FloatArray) -> AlignmentGame:
    """Return the game with `prices` on top of its own, (groups,)."""
    own = game.term(Subsidy)
    return game.replace(Subsidy(prices if own is None else own.prices + prices))


def residual(prices: FloatArray, coverage: FloatArray, floors: FloatArray) -> float:
    """Return the size of the complementarity residual min(δ, x̄ − τ), where floors are set."""
    slack = coverage - floors
    residual = np.where(floors > 0, np.minimum(prices, slack), 0.0)
    return float(np.abs(residual).max())
