r"""Anchor shifts that do what floor prices do (R12): where a search for cheaper ones begins.

:math:`\Delta c_i = \beta_i^{-1}B^{-1}(\delta - \kappa 1)` reproduces the priced equilibrium
where all targets stay mixtures. Where some would not, they are projected back and pushed further
along, until the goal holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.simplex import project
from equipoise.errors import EquipoiseError
from equipoise.game.terms import Consistency, KLConsistency
from equipoise.inclusion.floor_prices import floor_prices
from equipoise.inclusion.lever_anchors import Anchors
from equipoise.inclusion.trial import Bench, Trial

__all__ = ["anchor_starts"]

FloatArray = NDArray[np.float64]

PUSHES = 24
HALVINGS = 30


def anchor_starts(bench: Bench) -> list[FloatArray]:
    """Return settings of an `Anchors` lever that floor prices suggest; none for other levers.

    Parameters
    ----------
    bench : Bench
        The game, the lever and a goal with floors.

    Returns
    -------
    list of (d,) arrays
        The shift of R12, and where it falls short the least push along it at which the goal
        holds, if there is one. Not guaranteed: that any of them meets the goal.
    """
    lever, floors = bench.lever, bench.goal.floor_array(bench.game)
    if not isinstance(lever, Anchors) or floors.max() <= 0:
        return []
    try:
        prices = floor_prices(bench.game, floors).prices
    except EquipoiseError:
        return []
    if not prices.any():
        return []
    if lever.common:
        return [_shifts(bench, lever, prices, 1.0).mean(axis=0)]

    def push(t: float) -> FloatArray:
        return _shifts(bench, lever, prices, t).ravel()

    low, high = 0.0, 1.0
    for _ in range(PUSHES):
        if _met(bench.at(push(high))):
            break
        low, high = high, 1.5 * high
    else:
        return [push(1.0)]
    if high > 1.0:
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if _met(bench.at(push(middle))) else (middle, high)
    return [push(high)]


def _met(trial: Trial | None) -> bool:
    return trial is not None and trial.met


def _shifts(bench: Bench, lever: Anchors, prices: FloatArray, t: float) -> FloatArray:
    """Return the shift of every mover for `t` times the prices, targets kept mixtures."""
    game = bench.game
    movers = lever.movers(game)
    c = lever.targets(game)[movers]
    kept = game.term(Consistency) or game.term(KLConsistency)
    assert kept is not None
    weight = np.broadcast_to(kept.weight, (len(game.agents),))[movers, None]
    if isinstance(kept, KLConsistency):
        moved = c * np.exp(t * (prices - prices.max()) / weight)
        return np.asarray(moved / moved.sum(axis=1, keepdims=True) - c)
    inverse = np.eye(prices.size) if kept.metric is None else np.linalg.inv(kept.metric)
    level = inverse.sum(axis=0) @ prices / inverse.sum()
    step: FloatArray = (inverse @ (prices - level))[None, :] / weight
    if lever.common:
        return step
    return np.asarray(project(c + t * step, np.ones(len(c))) - c)
