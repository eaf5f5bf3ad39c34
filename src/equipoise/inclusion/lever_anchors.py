r"""Moving alignment targets: :math:`c_i \to c_i + \Delta c_i`, for all agents or for some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Consistency, KLConsistency
from equipoise.inclusion.lever import Lever, movable, unit_price

__all__ = ["Anchors"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, init=False, eq=False)
class Anchors(Lever):
    r"""Move alignment targets: :math:`c_i \to c_i + \Delta c_i`, still distributions.

    Parameters
    ----------
    who : list of agents, optional
        Who may move; default all.
    common : bool
        One shift for all who may move, instead of one each.
    price : float
        Multiplies the cost :math:`\sum_i \tfrac12\|\Delta c_i\|_1` (of all agents of a type).
    """

    name: ClassVar[str] = "anchors"
    who: Sequence[str | int] | None
    common: bool
    price: float

    def __init__(
        self,
        who: Sequence[str | int] | None = None,
        *,
        common: bool = False,
        price: float = 1.0,
    ) -> None:
        object.__setattr__(self, "who", who)
        object.__setattr__(self, "common", common)
        object.__setattr__(self, "price", unit_price("anchors", price))

    def movers(self, game: AlignmentGame) -> NDArray[np.intp]:
        """Return the rows whose anchors may move."""
        rows = movable(self.name, game, self.who)
        kept = _consistency(game)
        weight = np.broadcast_to(kept.weight, (len(game.agents),))
        held = rows[weight[rows] > 0]
        if not held.size:
            raise BadInput(
                f'anchors: moving the target of "{game.agents.label(int(rows[0]))}" changes '
                "nothing, its consistency weight is 0; let another agent move"
            )
        return held

    def targets(self, game: AlignmentGame) -> FloatArray:
        """Return all anchors, (rows, groups)."""
        shape = (len(game.agents), len(game.groups))
        return np.broadcast_to(_consistency(game).anchor, shape)

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        c = self.targets(game)[self.movers(game)]
        low, high = -c, 1.0 - c
        if isinstance(_consistency(game), KLConsistency):
            # What an anchor forbids it keeps forbidding; nothing else may become forbidden.
            low, high = np.where(c > 0, -0.999 * c, 0.0), np.where(c > 0, high, 0.0)
        if self.common:
            return low.max(axis=0), high.min(axis=0)
        return low.ravel(), high.ravel()

    def balanced(self, game: AlignmentGame) -> FloatArray:
        n = len(game.groups)
        blocks = 1 if self.common else self.movers(game).size
        return np.asarray(np.kron(np.eye(blocks), np.ones((1, n))))

    def shifts(self, game: AlignmentGame, setting: FloatArray) -> FloatArray:
        """Return the shift of every mover, (movers, groups)."""
        movers, n = self.movers(game).size, len(game.groups)
        return np.broadcast_to(setting.reshape(-1, n), (movers, n))

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        c = self.targets(game).copy()
        movers = self.movers(game)
        moved = np.maximum(c[movers] + self.shifts(game, setting), 0.0)
        c[movers] = moved / moved.sum(axis=1, keepdims=True)
        kept = _consistency(game)
        if isinstance(kept, KLConsistency):
            return game.replace(KLConsistency(c, kept.weight))
        return game.replace(Consistency(c, kept.weight, kept.metric))

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        c, labels, out = self.targets(game), game.groups.labels, {}
        for row, shift in zip(self.movers(game), self.shifts(game, setting), strict=True):
            if np.abs(shift).max() > 0:
                pairs = zip(labels, c[row].tolist(), (c[row] + shift).tolist(), strict=True)
                out[game.agents.label(int(row))] = {g: {"from": a, "to": b} for g, a, b in pairs}
        return out

    def per_unit(self, game: AlignmentGame) -> FloatArray:
        counts = game.agents.counts[self.movers(game)].astype(np.float64)
        n = len(game.groups)
        if self.common:
            return np.full(n, 0.5 * self.price * counts.sum())
        return np.repeat(0.5 * self.price * counts, n)

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        kept = _consistency(game)
        if isinstance(kept, KLConsistency):
            return None
        n, movers = len(game.groups), self.movers(game)
        metric = np.eye(n) if kept.metric is None else kept.metric
        weight = np.broadcast_to(kept.weight, (len(game.agents),))
        out = np.zeros((len(game.agents), n, n if self.common else movers.size * n))
        for j, row in enumerate(movers):
            at = 0 if self.common else j * n
            out[row, :, at : at + n] = weight[row] * metric
        return out


def _consistency(game: AlignmentGame) -> Consistency | KLConsistency:
    kept = game.term(Consistency) or game.term(KLConsistency)
    if kept is None:
        raise BadInput(
            "anchors: the game has no consistency term, so no agent has a target to move; add "
            "one, or use another lever"
        )
    return kept
