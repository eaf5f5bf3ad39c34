"""What a term of the utility is: the questions every term answers, and arithmetic on rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import Field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equipoise.game.agents import Agents
from equipoise.game.groups import Groups

__all__ = ["Term", "column", "dot", "spread", "times"]

FloatArray = NDArray[np.float64]


class Term(ABC):
    """One summand of every agent's utility.

    Every method takes `mixtures`, the (rows, groups) array of all agents' mixtures, and the
    `groups` and `agents` of the game. `own`, when given, is what each agent plays instead of
    its row, one at a time, while the others keep `mixtures`.
    """

    field: ClassVar[str]
    """The key of this term in a game file."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    """Every term is a dataclass: its parameters are its fields."""

    @abstractmethod
    def check(self, groups: Groups, agents: Agents) -> None:
        """Raise `BadInput` unless all lengths fit this game."""

    @abstractmethod
    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        """Return the term's part of each agent's utility, (rows,), utility units."""

    @abstractmethod
    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return the derivative of `value` in the agent's own mixture, (rows, groups)."""

    @abstractmethod
    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return the second derivative in the own mixture, (rows, groups, groups), ⪯ 0."""

    @abstractmethod
    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return `value` at each pure mixture, the others fixed, (rows, groups)."""


def column(weight: FloatArray) -> FloatArray:
    """Return a weight ready to multiply rows: a number, or (rows, 1)."""
    return weight[:, None] if weight.ndim else weight


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the inner product of each pair of rows."""
    return np.asarray((a * b).sum(axis=-1))


def times(rows: FloatArray, matrix: FloatArray | None) -> FloatArray:
    """Return the rows times a symmetric matrix, None for the identity."""
    return rows if matrix is None else rows @ matrix


def spread(weight: FloatArray, matrix: FloatArray | None, like: FloatArray) -> FloatArray:
    """Return a matrix (None for the identity) times each row's weight, (rows, groups, groups)."""
    square = np.eye(like.shape[1]) if matrix is None else matrix
    per_row = np.broadcast_to(weight, like.shape[:1])
    return np.asarray(per_row[:, None, None] * square)
