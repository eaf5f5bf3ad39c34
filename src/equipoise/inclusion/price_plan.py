r"""Plans by floor prices: R12's complementary prices, proved least or improved (R12c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.conditions import conditions
from equipoise.inclusion.floor_prices import Priced, floor_prices
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.levers import Prices
from equipoise.inclusion.plan import Leastness
from equipoise.inclusion.price_bound import (
    LIMIT,
    gross_substitutes,
    price_bound,
    relaxed_prices,
)
from equipoise.inclusion.priced_game import with_prices
from equipoise.inclusion.search import search
from equipoise.inclusion.trial import Bench

__all__ = ["least_prices"]

FloatArray = NDArray[np.float64]

SAME = 1e-7
"""Costs this close, relative to 1 + cost, count as equal in a proof by a bound."""


def least_prices(
    game: AlignmentGame, lever: Prices, goal: Goal, *, seed: int = 0, effort: float = 0.25
) -> tuple[FloatArray, Leastness, Priced] | None:
    """Return floor prices, whether they are least, and the equilibrium they lead to.

    None where no prices within the lever's limits were found. `effort` limits the search for
    cheaper ones.

    Raises
    ------
    NotSolved
        No prices were found.
    """
    floors = goal.floor_array(game)
    priced = floor_prices(game, floors)
    # Prices above the limits are no plan, but a place from which to look for one.
    within = _within(game, lever, priced.prices)
    cost = lever.cost(game, priced.prices, priced.after.profile) if within else np.inf
    small = len(game.agents) * len(game.groups) <= LIMIT
    if not priced.prices.any():
        why = "the goal holds as it is"
        return priced.prices, Leastness(True, 0.0, why), priced
    if gross_substitutes(game):
        if not within:
            return None
        why = (
            "R12c: no group gains from another's price, so complementary prices are the least, "
            "group by group"
        )
        return priced.prices, Leastness(True, cost, why), priced
    given = conditions(game, lever) if small else None
    bound = 0.0
    if given is not None:
        x = priced.after.profile.array
        x = x if given.rows == len(x) else x[:1]
        bound = max(bound, lever.price * price_bound(given, floors, x.ravel()))
        relaxed = relaxed_prices(given, floors, x.ravel())
        if relaxed is not None:
            bound = max(bound, lever.price * relaxed.bound)
            priced, cost = _cheaper(game, lever, floors, relaxed.prices, priced, cost)
    if not cost - bound <= SAME * (1 + cost) and len(game.agents) * len(game.groups) <= 400:
        bench = Bench(game, lever, goal)
        found = search(bench, [priced.prices], seed=seed, effort=effort)
        if found is not None:
            priced, cost = _cheaper(game, lever, floors, found.setting, priced, cost)
    if not np.isfinite(cost):
        return None
    if cost - bound <= SAME * (1 + cost):
        why = f"no plan costs less than {bound:.9g}, by a linear bound on the budget (R12c)"
        return priced.prices, Leastness(True, bound, why), priced
    why = (
        f"searched; a bound says that no plan costs less than {bound:.6g}"
        if bound > 0
        else "searched; no bound is known here"
    )
    return priced.prices, Leastness(False, max(0.0, bound), why), priced


def _cheaper(
    game: AlignmentGame,
    lever: Prices,
    floors: FloatArray,
    prices: FloatArray,
    priced: Priced,
    cost: float,
) -> tuple[Priced, float]:
    """Take prices topped up to the floors where they are cheaper than those at hand."""
    try:
        topped = floor_prices(with_prices(game, prices), floors)
    except (NotSolved, BadInput):
        return priced, cost
    total = prices + topped.prices
    fresh = lever.cost(game, total, topped.after.profile)
    if not _within(game, lever, total):
        return priced, cost
    if not np.isfinite(cost) or fresh < cost - 1e-12 * (1 + cost):
        return Priced(total, topped.after, "a cheaper plan than R12's", topped.steps), fresh
    return priced, cost


def _within(game: AlignmentGame, lever: Prices, prices: FloatArray) -> bool:
    _, most = lever.box(game)
    return bool((prices <= most * (1 + 1e-12)).all())
