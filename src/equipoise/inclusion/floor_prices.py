r"""Floor prices (R12): :math:`0 \le \delta_k \perp \bar x_k(\delta) - \tau_k \ge 0`.

A price on every unit of attention a group gets, paid alike to all agents; groups that are paid
end exactly at their floor. Two ways lead there: Newton's method on the prices, and pivoting on
the game and a price player together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.errors import NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.price_newton import by_newton, in_stages
from equipoise.inclusion.price_pivot import by_pivoting, certified
from equipoise.inclusion.priced_game import MET, Found, residual, with_prices
from equipoise.inclusion.reach import reachable

__all__ = ["Priced", "floor_prices"]

FloatArray = NDArray[np.float64]
Way = Callable[[AlignmentGame, FloatArray], tuple[Found | None, int]]


@final
@dataclass(frozen=True, eq=False)
class Priced:
    """Prices that bring coverage to its floors, with the equilibrium they lead to.

    Attributes
    ----------
    prices : (groups,) array
        On top of the game's own, utility per unit of weight.
    after : Equilibrium
        Of the priced game, solved afresh and certified.
    method : str
        How the prices were found.
    steps : int
        Games solved on the way.
    """

    prices: FloatArray
    after: Equilibrium
    method: str
    steps: int


def floor_prices(game: AlignmentGame, floors: FloatArray) -> Priced:
    r"""Find prices with :math:`0 \le \delta_k \perp \bar x_k - \tau_k \ge 0` (R12).

    Parameters
    ----------
    game : AlignmentGame
        Any game; affine ones are solved to rounding, others to about 1e-9.
    floors : (groups,) array
        :math:`\tau_k \ge 0`, least coverage of each group; their sum at most 1.

    Returns
    -------
    Priced
        Where prices are not unique because the floors sum to 1, the smallest. Not guaranteed:
        that no other prices cost less (R12c says when they do not), nor, where the priced game
        has several equilibria, that the floors hold in all of them.

    Raises
    ------
    BadInput
        Floors that no prices can reach.
    NotSolved
        No complementary prices were found.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> floor_prices(game("toy"), np.array([0.0, 0.0, 0.05])).prices.round(12)
    array([0.    , 0.    , 0.0725])
    """
    reachable(game, floors).refuse()
    steps = 0
    # Where equilibria may jump, pivoting follows all of them; Newton's method follows one.
    alone = uniqueness(game).verdict == "proved"
    ways: tuple[Way, ...] = (
        (by_newton, in_stages, by_pivoting) if alone else (by_pivoting, by_newton)
    )
    for way in ways:
        found, more = way(game, floors)
        steps += more
        if found is None:
            continue
        prices, after = found
        smaller = _without_constant(game, floors, prices, after)
        if smaller is not None:
            prices, after = smaller
        if residual(prices, after.profile.coverage, floors) <= MET:
            return Priced(prices, after, _METHODS[way], steps)
    raise NotSolved(
        "no complementary floor prices were found: this game's equilibria jump as prices rise; "
        "give it more curvature (a larger consistency weight), or try another lever"
    )


_METHODS: dict[Way, str] = {
    by_newton: "Newton's method on the prices (R12)",
    in_stages: "floors raised in stages (R12)",
    by_pivoting: "pivoting on the game and its prices together (R12)",
}


def _without_constant(
    game: AlignmentGame, floors: FloatArray, prices: FloatArray, after: Equilibrium
) -> Found | None:
    """Take off what is paid alike for every group where the floors leave no room (sum 1)."""
    paid = prices > 0
    if not paid.any() or float(floors[paid].sum()) < 1.0 - 1e-12:
        return None
    spare = float(prices[paid].min())
    if not paid.all():
        v = after.game.gradients(after.profile)
        level = (v * after.profile.array).sum(axis=1)
        spare = min(spare, float((level[:, None] - v[:, ~paid]).min()))
    if spare <= 0:
        return None
    smaller = np.where(paid, prices - spare, 0.0)
    # Everybody's best groups stay the best: the profile is an equilibrium of this game, too.
    kept = certified(with_prices(game, smaller), after.profile.array)
    return None if kept is None else (smaller, dataclasses.replace(kept, record=after.record))
