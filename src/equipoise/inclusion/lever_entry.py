r"""One more agent: where should it aim so that nobody is left out?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Term,
    Variety,
)
from equipoise.inclusion.lever import Lever, unit_price

__all__ = ["Entry"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, init=False, eq=False)
class Entry(Lever):
    r"""Let one new agent enter and choose its alignment target :math:`c`.

    The newcomer has the incentives of `like`, or the average agent's. Coverage then counts it as
    one agent more. Cost: :math:`\tfrac12\|c - m\|_1`, how far its target leans from the public.

    Parameters
    ----------
    label : str
        Its name.
    like : agent, optional
        Whose appeal and weights it has; default the average of all.
    price : float
        Multiplies the cost.
    """

    name: ClassVar[str] = "entry"
    label: str
    like: str | int | None
    price: float

    def __init__(
        self, label: str = "newcomer", like: str | int | None = None, *, price: float = 1.0
    ) -> None:
        if not isinstance(label, str) or not label.strip():
            raise BadInput('entry: the new agent needs a name, e.g. label="newcomer"')
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "like", like)
        object.__setattr__(self, "price", unit_price("entry", price))

    def base(self, game: AlignmentGame) -> AlignmentGame:
        return self._entered(game, game.groups.shares)

    def box(self, game: AlignmentGame) -> tuple[FloatArray, FloatArray]:
        self._check(game)
        m = game.groups.shares
        if game.term(KLConsistency) is not None:
            return -0.999 * m, 1.0 - m
        return -m, 1.0 - m

    def balanced(self, game: AlignmentGame) -> FloatArray:
        return np.ones((1, len(game.groups)))

    def apply(self, game: AlignmentGame, setting: FloatArray) -> AlignmentGame:
        target = np.maximum(game.groups.shares + setting, 0.0)
        return self._entered(game, target / target.sum())

    def change(self, game: AlignmentGame, setting: FloatArray) -> dict[str, Any]:
        target = game.groups.shares + setting
        return {self.label: dict(zip(game.groups.labels, target.tolist(), strict=True))}

    def per_unit(self, game: AlignmentGame) -> FloatArray:
        return np.full(len(game.groups), 0.5 * self.price)

    def score_shift(self, game: AlignmentGame) -> FloatArray | None:
        kept = self.base(game).term(Consistency)
        if kept is None:
            return None
        rows, n = len(game.agents) + 1, len(game.groups)
        weight = float(np.broadcast_to(kept.weight, (rows,))[-1])
        out = np.zeros((rows, n, n))
        out[-1] = weight * (np.eye(n) if kept.metric is None else kept.metric)
        return out

    def _check(self, game: AlignmentGame) -> None:
        kept = game.term(Consistency) or game.term(KLConsistency)
        if kept is None or not np.any(kept.weight > 0):
            raise BadInput("entry: no agent is held to a target, so a new one's would not matter")
        diversity = game.term(Diversity)
        if diversity is not None and diversity.network is not None:
            raise BadInput(
                "entry: who would a new agent meet on this network? Add it to the game file with "
                "its links, and let its anchor move"
            )
        if self.label in game.agents.labels():
            raise BadInput(f'entry: there is an agent "{self.label}" already; give another label')

    def _entered(self, game: AlignmentGame, target: FloatArray) -> AlignmentGame:
        """Return the game with the newcomer as its last row."""
        self._check(game)
        rows = len(game.agents)
        source = None if self.like is None else game.agents.index(self.like)
        counts = game.agents.counts / game.agents.total

        def more(array: FloatArray, width: int) -> FloatArray:
            """Add the newcomer's row; what is common to all stays common."""
            if array.ndim < width:
                return array
            fresh = counts @ array if source is None else array[source]
            return np.concatenate([array, np.asarray(fresh)[None]])

        def anchored(anchor: FloatArray) -> FloatArray:
            return np.vstack([np.broadcast_to(anchor, (rows, target.size)), target])

        terms: list[Term] = []
        for term in game.terms:
            match term:
                case Attractiveness():
                    terms.append(Attractiveness(more(term.values, 2), more(term.weight, 1)))
                case Consistency():
                    weight = more(term.weight, 1)
                    terms.append(Consistency(anchored(term.anchor), weight, term.metric))
                case KLConsistency():
                    terms.append(KLConsistency(anchored(term.anchor), more(term.weight, 1)))
                case Diversity():
                    terms.append(Diversity(more(term.weight, 1), term.kernel))
                case Variety():
                    terms.append(Variety(more(term.weight, 1), term.matrix))
                case AudienceShare():
                    terms.append(AudienceShare(more(term.weight, 1)))
                case _:
                    terms.append(term)
        if game.agents.typed:
            typed = dict(zip(game.agents.labels(), game.agents.counts.tolist(), strict=True))
            return AlignmentGame(game.groups, typed | {self.label: 1}, terms)
        if game.agents.names is None:
            return AlignmentGame(game.groups, game.agents.total + 1, terms)
        return AlignmentGame(game.groups, [*game.agents.labels(), self.label], terms)
