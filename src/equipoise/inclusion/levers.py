r"""The levers: prices, anchors, diversity, caps, audience mix, a new agent, and combinations.

Costs: prices :math:`N\sum_k \delta_k \bar x_k` per round, anchors
:math:`\sum_i \tfrac12\|\Delta c_i\|_1`, weights the mean :math:`|\Delta|` over agents, audience
:math:`\tfrac12\|w-m\|_1`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Attractiveness
from equipoise.inclusion.lever import Lever, check_box, unit_price
from equipoise.inclusion.lever_anchors import Anchors
from equipoise.inclusion.lever_entry import Entry
from equipoise.inclusion.lever_weights import AttractivenessCap, DiversityWeight
from equipoise.inclusion.priced_game import with_prices

__all__ = [
    "Anchors",
    "AttractivenessCap",
    "Audience",
    "DiversityWeight",
    "Entry",
    "Lever",
    "Prices",
    "Together",
]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, init=False, eq=False)
class Prices(Lever):
    r"""Pay every agent :math:`\delta_k \ge 0` per unit of weight on group k (R12).

    Parameters
    ----------
    most : float or (groups,) array
        Largest price of each group; default unlimited.
    price : float
        Multiplies the cost :math:`N\sum_k\delta_k\bar x_k`.
    """

    name: ClassVar[str] = "prices"
    most: FloatArray
    price: float

    def __init__(self, most: ArrayLike = math.inf, *, price: float = 1.0) -> None:
        limit = np.asarray(most, dtype=np.float64)
        if np.isnan(limit).any() or (limit < 0).any():
            raise BadInput("prices: the largest price must be a number >= 0")
        object.__setattr__(self, "most", limit)
        object.__setattr__(self, "price", unit_price("prices", price))

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        n = len(game.groups)
        if self.most.ndim and self.most.size != n:
            raise BadInput(f"prices: {self.most.size} limits for {n} groups; give one per group")
        return np.zeros(n), np.broadcast_to(self.most, (n,)).copy()

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        return with_prices(game, setting)

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        return {g: float(z) for g, z in zip(game.groups.labels, setting, strict=True) if z > 0}

    def cost(self, game: AlignmentGame, setting: FloatArray, after: Profile) -> float:
        # Of the game that `after` is a profile of: a newcomer is paid, too.
        return self.price * after.agents.total * float(setting @ after.coverage)

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        n = len(game.groups)
        return np.broadcast_to(np.eye(n), (len(game.agents), n, n))


@final
@dataclass(frozen=True, init=False, eq=False)
class Audience(Lever):
    r"""Choose whose attention counts: :math:`a \to a + E^\top (w - m)`, within limits.

    Parameters
    ----------
    agreement : (groups, groups) array
        :math:`E_{jk}`: how group j rates content made for group k.
    least, most : float
        Limits of each group's audience weight, as multiples of its share of the public.
    price : float
        Multiplies the cost :math:`\tfrac12\|w-m\|_1`.
    """

    name: ClassVar[str] = "audience"
    agreement: FloatArray
    least: float
    most: float
    price: float

    def __init__(
        self, agreement: ArrayLike, *, least: float = 0.5, most: float = 2.0, price: float = 1.0
    ) -> None:
        matrix = _square("audience.agreement", agreement)
        if not (0 <= least <= 1 <= most and math.isfinite(most)):
            raise BadInput(
                f"audience: limits from {least:g} to {most:g} times the share; write least <= 1 "
                "and most >= 1, e.g. 0.5 and 2"
            )
        for field, value in (("agreement", matrix), ("least", least), ("most", most)):
            object.__setattr__(self, field, value)
        object.__setattr__(self, "price", unit_price("audience", price))

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        n, m = len(game.groups), game.groups.shares
        if len(self.agreement) != n:
            raise BadInput(
                f"audience.agreement: it is for {len(self.agreement)} groups, the game has {n}"
            )
        term = game.term(Attractiveness)
        if term is None or not np.any(term.weight > 0):
            raise BadInput("audience: no agent is paid for attractiveness, so no mix matters")
        low, high = (self.least - 1.0) * m, (self.most - 1.0) * m
        check_box(self.name, low, high, 1.0)
        return low, high

    def balanced(self, game: AlignmentGame) -> FloatArray:
        return np.ones((1, len(game.groups)))

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        term = game.term(Attractiveness)
        assert term is not None
        return game.replace(Attractiveness(term.values + setting @ self.agreement, term.weight))

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        shares = game.groups.shares.tolist()
        return {
            g: {"from": m, "to": m + float(z)}
            for g, m, z in zip(game.groups.labels, shares, setting, strict=True)
            if z != 0
        }

    def per_unit(self, game: AlignmentGame) -> FloatArray:
        return np.full(len(game.groups), 0.5 * self.price)

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        term = game.term(Attractiveness)
        assert term is not None
        weight = np.broadcast_to(term.weight, (len(game.agents),))
        return np.asarray(weight[:, None, None] * self.agreement.T)


@final
@dataclass(frozen=True, init=False, eq=False)
class Together(Lever):
    """Several levers at once, their costs added up under one budget.

    Parameters
    ----------
    levers : sequence of Lever
        At least two, each kind once.
    budget : float
        Most the plan may cost; default unlimited.
    """

    name: ClassVar[str] = "together"
    levers: tuple[Lever, ...]
    budget: float

    def __init__(self, levers: Sequence[Lever], *, budget: float = math.inf) -> None:
        if len(levers) < 2 or len({lever.name for lever in levers}) < len(levers):
            raise BadInput("together: give at least two levers of different kinds")
        if math.isnan(budget) or budget < 0:
            raise BadInput(f"together: the budget is {budget:g}; write a number >= 0")
        object.__setattr__(self, "levers", tuple(levers))
        object.__setattr__(self, "budget", float(budget))

    def parts(self, game: AlignmentGame, setting: FloatArray) -> list[FloatArray]:
        """Return each lever's own setting."""
        sizes = [lever.box(game)[0].size for lever in self.levers]
        return np.split(setting, np.cumsum(sizes)[:-1])

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        boxes = [lever.box(game) for lever in self.levers]
        return np.concatenate([b[0] for b in boxes]), np.concatenate([b[1] for b in boxes])

    def base(self, game: AlignmentGame) -> AlignmentGame:
        for lever in self.levers:
            game = lever.base(game)
        return game

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        changed = game
        pairs = list(zip(self.levers, self.parts(game, setting), strict=True))
        # A newcomer enters last: the other settings are those of the agents there were.
        for lever, part in sorted(pairs, key=lambda pair: isinstance(pair[0], Entry)):
            changed = lever.apply(changed, part)
        return changed

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        parts = zip(self.levers, self.parts(game, setting), strict=True)
        return {lever.name: lever.change(game, part) for lever, part in parts}

    def per_unit(self, game: AlignmentGame) -> FloatArray | None:
        units = [lever.per_unit(game) for lever in self.levers]
        kept = [unit for unit in units if unit is not None]
        return np.concatenate(kept) if len(kept) == len(units) else None

    def cost(self, game: AlignmentGame, setting: FloatArray, after: Profile) -> float:
        parts = zip(self.levers, self.parts(game, setting), strict=True)
        return sum(lever.cost(game, part, after) for lever, part in parts)

    def balanced(self, game: AlignmentGame) -> FloatArray:
        blocks = [lever.balanced(game) for lever in self.levers]
        out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
        row = column = 0
        for block in blocks:
            out[row : row + len(block), column : column + block.shape[1]] = block
            row, column = row + len(block), column + block.shape[1]
        return out

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        shifts = [lever.score_shift(game) for lever in self.levers]
        kept = [shift for shift in shifts if shift is not None]
        kinds = {lever.name for lever in self.levers}
        if "entry" in kinds:
            return None
        # Caps scale what the audience mix moves: together they are no longer linear.
        if len(kept) < len(shifts) or kinds >= {"caps", "audience"}:
            return None
        return np.concatenate(kept, axis=2)


def _square(name: str, matrix: ArrayLike) -> FloatArray:
    try:
        out = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"{name}: write a square table of numbers") from None
    if out.ndim != 2 or out.shape[0] != out.shape[1] or not np.isfinite(out).all():
        raise BadInput(f"{name}: write a square table of finite numbers, one row per group")
    return out
