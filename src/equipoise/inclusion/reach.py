"""Which coverage is possible at all: a refusal is one sentence with the nearest possible goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import KLConsistency

__all__ = ["Reach", "most_coverage", "reachable"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e-12


@final
@dataclass(frozen=True)
class Reach:
    """Whether floors can be reached by any mixtures, and why not."""

    reason: str
    """Empty when they can."""

    def refuse(self) -> None:
        """Raise `BadInput` with the reason, if there is one."""
        if self.reason:
            raise BadInput(self.reason)


def most_coverage(game: AlignmentGame) -> FloatArray:
    """Return the most coverage each group can have, (groups,): agents barred by a KL anchor."""
    kl = game.term(KLConsistency)
    rows, n = len(game.agents), len(game.groups)
    if kl is None:
        return np.ones(n)
    weight = np.broadcast_to(kl.weight, (rows,))
    open_to = (np.broadcast_to(kl.anchor, (rows, n)) > 0) | (weight == 0)[:, None]
    return np.asarray(game.agents.counts @ open_to / game.agents.total)


def reachable(game: AlignmentGame, floors: FloatArray) -> Reach:
    """Say whether any mixtures of the agents meet the floors.

    Parameters
    ----------
    game : AlignmentGame
        The game.
    floors : (groups,) array
        Least coverage of each group.
    """
    total = float(floors.sum())
    labels = game.groups.labels
    if total > 1.0 + ROUNDING:
        scale = 1.0 / total
        nearest = ", ".join(
            f"{label} {floors[k] * scale:.6g}" for k, label in enumerate(labels) if floors[k] > 0
        )
        return Reach(
            f"floors: they sum to {total:.6g}, but coverage sums to 1; the nearest goal in the "
            f"same proportions is {nearest}"
        )
    most = most_coverage(game)
    for k in np.flatnonzero(floors > most + ROUNDING):
        who = "no agent" if most[k] == 0 else f"only {most[k]:.6g} of the agents"
        return Reach(
            f'floors: "{labels[k]}" shall have {floors[k]:.6g}, but {who} may serve it at all '
            "(the KL anchors of the others are 0 there, and no incentive lifts that); give it a "
            f"positive anchor, or a floor of at most {most[k]:.6g}"
        )
    kl = game.term(KLConsistency)
    if kl is not None and np.all(kl.weight > 0) and total > 1.0 - ROUNDING and (floors == 0).any():
        empty = [labels[k] for k in np.flatnonzero((floors == 0) & (most > 0))]
        if empty:
            return Reach(
                f'floors: they sum to 1, which leaves nothing for "{empty[0]}", and under KL '
                "consistency its weight is never exactly 0; let them sum to less than 1"
            )
    return Reach("")
