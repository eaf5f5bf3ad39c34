r"""Changing weights of the utility: diversity :math:`\gamma`, attractiveness :math:`\alpha`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Attractiveness, Diversity
from equipoise.inclusion.lever import Lever, check_box, unit_price

__all__ = ["AttractivenessCap", "DiversityWeight"]

FloatArray = NDArray[np.float64]


def _changed(weight: FloatArray, setting: FloatArray, rows: int) -> FloatArray:
    """Return a weight with its change added; a number stays a number where all change alike."""
    if setting.size == 1:
        return np.asarray(weight + setting[0])
    return np.broadcast_to(weight, (rows,)) + setting


@final
@dataclass(frozen=True, init=False, eq=False)
class DiversityWeight(Lever):
    r"""Change the diversity weight :math:`\gamma`, by the same amount for all or one each.

    Not monotone (R12c): more diversity can push a served group out. It is scanned, never bisected.

    Parameters
    ----------
    low, high : float
        Least and largest weight allowed; default from the present one to 20 times the incentives'
        size above it.
    common : bool
        The same change for every agent (default), or one each.
    price : float
        Multiplies the cost, the mean :math:`|\Delta\gamma_i|` over agents.
    """

    name: ClassVar[str] = "diversity"
    low: float | None
    high: float | None
    common: bool
    price: float

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        common: bool = True,
        price: float = 1.0,
    ) -> None:
        _check_range(self.name, low, high)
        for field, value in (("low", low), ("high", high), ("common", common)):
            object.__setattr__(self, field, value)
        object.__setattr__(self, "price", unit_price("diversity", price))

    def term(self, game: AlignmentGame) -> Diversity:
        """Return the diversity term; a game without one has weight 0."""
        if game.agents.total == 1:
            raise BadInput("diversity: a game of one agent has nobody to differ from; add an agent")
        return game.term(Diversity) or Diversity(0.0)

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        weight = np.atleast_1d(self.term(game).weight)
        rows = len(game.agents)
        span = 20.0 * _size(game)
        low = weight if self.low is None else np.full_like(weight, self.low)
        high = weight + span if self.high is None else np.full_like(weight, self.high)
        if self.common:
            at = np.array([(low - weight).max()]), np.array([(high - weight).min()])
        else:
            low, high = low - weight, high - weight
            at = np.broadcast_to(low, (rows,)).copy(), np.broadcast_to(high, (rows,)).copy()
        check_box(self.name, *at, float(weight.mean()))
        return at

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        term = self.term(game)
        weight = _changed(term.weight, setting, len(game.agents))
        return game.replace(Diversity(weight, term.kernel, term.network))

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        return _weights(self.name, game, self.term(game).weight, setting)

    def per_unit(self, game: AlignmentGame) -> FloatArray:
        return _mean_cost(game, self.price, common=self.common)


@final
@dataclass(frozen=True, init=False, eq=False)
class AttractivenessCap(Lever):
    r"""Lower the attractiveness weight :math:`\alpha`, to a common cap or agent by agent.

    Parameters
    ----------
    low : float
        Least weight allowed; default 0.
    common : bool
        One cap for all (default): :math:`\alpha_i \to \min(\alpha_i, \text{cap})`; or one each.
    price : float
        Multiplies the cost, the mean :math:`|\Delta\alpha_i|` over agents.
    """

    name: ClassVar[str] = "caps"
    low: float
    common: bool
    price: float

    def __init__(self, low: float = 0.0, *, common: bool = True, price: float = 1.0) -> None:
        _check_range(self.name, low, None)
        if low < 0:
            raise BadInput(f"caps: the least weight is {low:g}; write a number >= 0")
        object.__setattr__(self, "low", float(low))
        object.__setattr__(self, "common", common)
        object.__setattr__(self, "price", unit_price("caps", price))

    def term(self, game: AlignmentGame) -> Attractiveness:
        """Return the attractiveness term."""
        term = game.term(Attractiveness)
        if term is None or not np.any(term.weight > 0):
            raise BadInput("caps: no agent is paid for attractiveness, there is nothing to cap")
        return term

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        weight = np.atleast_1d(self.term(game).weight)
        top = float(weight.max())
        if self.common:
            at = np.array([min(self.low, top) - top]), np.zeros(1)
        else:
            low = np.minimum(self.low, weight) - weight
            at = np.broadcast_to(low, (len(game.agents),)).copy(), np.zeros(len(game.agents))
        check_box(self.name, *at, top)
        return at

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        term = self.term(game)
        return game.replace(Attractiveness(term.values, self._weights(game, setting)))

    def _weights(self, game: AlignmentGame, setting: FloatArray) -> FloatArray:
        weight = self.term(game).weight
        if self.common:
            return np.asarray(np.minimum(weight, float(np.max(weight)) + setting[0]))
        return np.maximum(np.broadcast_to(weight, (len(game.agents),)) + setting, 0.0)

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        weight = self.term(game).weight
        if self.common:
            top = float(np.max(weight))
            return {"attractiveness": {"from": top, "to": top + float(setting[0])}}
        return _weights("attractiveness", game, weight, setting)

    def per_unit(self, game: AlignmentGame) -> FloatArray | None:
        if self.common and np.ptp(self.term(game).weight) > 0:
            return None
        return _mean_cost(game, self.price, common=self.common)

    def cost(self, game: AlignmentGame, setting: FloatArray, after: Profile) -> float:
        moved = self.term(game).weight - self._weights(game, setting)
        counts = game.agents.counts
        rows = np.broadcast_to(moved, counts.shape)
        return self.price * float(counts @ rows / counts.sum())

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        term = self.term(game)
        if self.common:
            if np.ptp(term.weight) > 0:
                return None
            shape = (len(game.agents), len(game.groups))
            return np.broadcast_to(term.values, shape)[:, :, None]
        rows = np.arange(len(game.agents))
        out = np.zeros((rows.size, len(game.groups), rows.size))
        out[rows, :, rows] = term.values
        return out


def _check_range(name: str, low: float | None, high: float | None) -> None:
    for value in (low, high):
        if value is not None and not math.isfinite(value):
            raise BadInput(f"{name}: a limit is {value:g}; write a finite number")
    if low is not None and high is not None and low > high:
        raise BadInput(f"{name}: the least weight {low:g} is above the largest {high:g}; swap them")


def _mean_cost(game: AlignmentGame, price: float, *, common: bool) -> FloatArray:
    counts = game.agents.counts
    return np.array([price]) if common else np.asarray(price * counts / counts.sum())


def _weights(name: str, game: AlignmentGame, weight: FloatArray, z: FloatArray) -> dict[str, Any]:
    """Return a change of weights: one for all, or by agent."""
    if z.size == 1 and np.ptp(weight) == 0:
        now = float(np.ravel(weight)[0])
        return {name: {"from": now, "to": now + float(z[0])}}
    if z.size == 1:
        return {name: {"every agent by": float(z[0])}}
    now_each = np.broadcast_to(weight, z.shape)
    return {
        game.agents.label(int(i)): {"from": float(now_each[i]), "to": float(now_each[i] + z[i])}
        for i in np.flatnonzero(z)
    }


def _size(game: AlignmentGame) -> float:
    """Return the size of the incentives, utility units: the spread of payoffs over groups."""
    rows, n = len(game.agents), len(game.groups)
    even = game.profile(np.broadcast_to(np.full(n, 1.0 / n), (rows, n)).copy())
    v = game.gradients(even)
    finite = np.where(np.isfinite(v), v, 0.0)
    return max(1.0, float(np.ptp(finite, axis=1).max()))
