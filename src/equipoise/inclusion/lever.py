r"""A lever: one way of changing a game, what a change costs, and the game it makes.

A lever turns a setting :math:`z \in R^d` (zero: as it is) into a changed game. Default costs are
those of the plan contract; `price` multiplies them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile

__all__ = ["Lever", "check_box", "movable", "unit_price"]

FloatArray = NDArray[np.float64]


class Lever(ABC):
    """One way of changing a game; settings are flat arrays, zero for no change."""

    name: ClassVar[str]

    @abstractmethod
    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        """Return the least and largest setting, (d,) each; raise `BadInput` where none fits."""

    @abstractmethod
    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        """Return the changed game."""

    @abstractmethod
    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        """Return the change by label, as plain numbers."""

    def base(self, game: AlignmentGame) -> AlignmentGame:
        """Return the game at the zero setting: the game itself, but for a lever that adds to it."""
        return game

    def per_unit(self, game: AlignmentGame) -> FloatArray | None:
        """Return the cost of each unit of :math:`|z_j|`, (d,); None where cost needs coverage."""
        return None

    def cost(self, game: AlignmentGame, setting: FloatArray, after: Profile) -> float:
        """Return what a setting costs at the profile it leads to."""
        unit = self.per_unit(game)
        assert unit is not None
        return float(unit @ np.abs(setting))

    def balanced(self, game: AlignmentGame) -> FloatArray:
        """Return rows r with r·z = 0 for every allowed z, (m, d)."""
        return np.zeros((0, self.box(game)[0].size))

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        """Return ds_i/dz, (rows, groups, d), where scores are linear in the setting; else None."""
        return None


def unit_price(lever: str, price: float) -> float:
    """Return the user's price of a unit, checked."""
    if not (math.isfinite(price) and price > 0):
        raise BadInput(f"{lever}: the price of a unit is {price:g}; write a positive number")
    return float(price)


def movable(name: str, game: AlignmentGame, who: Sequence[str | int] | None) -> NDArray[np.intp]:
    """Return the rows that are allowed to change."""
    if who is None:
        return np.arange(len(game.agents))
    if isinstance(who, str) or not len(who):
        raise BadInput(f'{name}: `who` is a list of agents, e.g. who=["{game.agents.label(0)}"]')
    return np.array([game.agents.index(agent) for agent in who])


def check_box(name: str, low: FloatArray, high: FloatArray, now: float) -> None:
    """Raise `BadInput` unless the limits of a lever hold the present value and leave room."""
    if (low > 0).any() or (high < 0).any():
        raise BadInput(
            f"{name}: the limits leave out the present value {now:.6g}; widen them to include it"
        )
    if not (high > low).any():
        raise BadInput(f"{name}: the limits leave no room at all; widen them")
