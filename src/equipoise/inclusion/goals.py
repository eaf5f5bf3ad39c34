"""What a plan must reach at equilibrium: floors, service by agents, nearness to the public.

A goal is a set of requirements that all have to hold. Each has a slack: how far it is exceeded
(≥ 0: met). Floors act on coverage, service acts on weights of single agents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.inclusion.reach import most_coverage, reachable

__all__ = ["Goal", "Slack"]

FloatArray = NDArray[np.float64]

MET = 1e-9
"""A requirement counts as met when its slack is at least −MET."""

Slack = dict[str, float]
"""Requirement, in words → by how much it is exceeded, in weight."""


@final
@dataclass(frozen=True, init=False, eq=False)
class Goal:
    r"""Requirements on an equilibrium.

    Parameters
    ----------
    floors : float, mapping of group to float, or (groups,) array, optional
        Least coverage :math:`\tau_k` of each group; a number is a floor for every group.
    share : float, optional
        Floors as a fraction of each group's share of the public: :math:`\tau_k = f\,m_k`.
    served_by : int, optional
        At least this many agents serve every group, each with at least `weight` of its mixture.
    weight : float
        What counts as serving; default 0.01.
    max_distance : float, optional
        Largest L1 distance :math:`\sum_k |\bar x_k - m_k|` of coverage from the public's shares.

    Raises
    ------
    BadInput
        No requirement at all, a number out of range, floors that sum to more than 1, an unknown
        group, or requirements that contradict each other. Length and labels are checked by
        `check`, when the game is known.

    Examples
    --------
    >>> from equipoise.game.catalog import entry
    >>> toy = entry("toy")
    >>> goal = Goal(floors={"rural": 0.05})
    >>> round(goal.slack(toy.game, toy.game.profile(toy.profile))["coverage of rural"], 6)
    -0.037179
    """

    floors: float | Mapping[str, float] | FloatArray | None
    share: float | None
    served_by: int
    weight: float
    max_distance: float | None

    def __init__(
        self,
        floors: float | Mapping[str, float] | ArrayLike | None = None,
        *,
        share: float | None = None,
        served_by: int = 0,
        weight: float = 0.01,
        max_distance: float | None = None,
    ) -> None:
        if floors is not None and not isinstance(floors, Mapping):
            floors = _numbers(floors)
        if isinstance(floors, Mapping):
            for label, floor in floors.items():
                _check_floor(f'floors: the floor of "{label}"', floor)
        if share is not None and not (math.isfinite(share) and 0 <= share <= 1):
            raise BadInput(
                f"share: {share:g} of each group's share; write a number from 0 to 1, e.g. 0.5"
            )
        if served_by != int(served_by) or served_by < 0:
            raise BadInput(f"served_by: {served_by} agents; write a whole number, e.g. 1")
        if not 0 < weight <= 1:
            raise BadInput(f"weight: {weight:g} is no weight to be served with; write e.g. 0.01")
        if max_distance is not None and not (math.isfinite(max_distance) and max_distance >= 0):
            raise BadInput(f"max_distance: {max_distance:g}; write an L1 distance from 0 to 2")
        if floors is None and share is None and not served_by and max_distance is None:
            raise BadInput(
                'goal: nothing is asked for; write e.g. Goal(floors={"rural": 0.05}) or '
                "Goal(served_by=1)"
            )
        for name, value in (
            ("floors", floors),
            ("share", share),
            ("served_by", int(served_by)),
            ("weight", float(weight)),
            ("max_distance", max_distance),
        ):
            object.__setattr__(self, name, value)

    def floor_array(self, game: AlignmentGame) -> FloatArray:
        """Return the least coverage of every group, (groups,), all floors taken together."""
        labels, shares = game.groups.labels, game.groups.shares
        out = np.zeros(len(labels))
        if isinstance(self.floors, Mapping):
            for label, floor in self.floors.items():
                out[game.groups.index(label)] = floor
        elif self.floors is not None:
            given = np.atleast_1d(np.asarray(self.floors))
            if given.size not in (1, len(labels)):
                raise BadInput(
                    f"floors: {given.size} numbers for {len(labels)} groups; give one per group, "
                    "or one for all"
                )
            out = out + given
        if self.share is not None:
            out = np.maximum(out, self.share * shares)
        return out

    def check(self, game: AlignmentGame) -> None:
        """Raise `BadInput` when no mixtures of this game's agents meet the goal."""
        floors = self.floor_array(game)
        reachable(game, floors).refuse()
        n, labels = len(game.groups), game.groups.labels
        if self.served_by:
            if self.served_by > game.agents.total:
                raise BadInput(
                    f"served_by: {self.served_by} agents, but the game has {game.agents.total}"
                )
            able = most_coverage(game) * game.agents.total
            for k in np.flatnonzero(able < self.served_by - 1e-9):
                raise BadInput(
                    f'served_by: only {able[k]:.0f} agents may serve "{labels[k]}" at all (the KL '
                    "anchors of the others are 0 there); ask for fewer, or give it an anchor"
                )
            room = game.agents.total - n * self.served_by * self.weight
            if room < -1e-12:
                most = game.agents.total / (n * self.served_by)
                raise BadInput(
                    f"served_by: {self.served_by} agents with {self.weight:g} each for {n} groups "
                    f"is more than all their weight; ask for a weight of at most {most:.6g}"
                )
        if self.max_distance is not None:
            nearest = 2 * float(np.maximum(floors - game.groups.shares, 0).sum())
            if nearest > self.max_distance + 1e-12:
                raise BadInput(
                    f"max_distance: the floors alone put coverage {nearest:.6g} from the public's "
                    f"shares; allow at least that, or lower the floors"
                )

    def slack(self, game: AlignmentGame, profile: Profile) -> Slack:
        """Return by how much each requirement is exceeded, in weight."""
        labels, shares = game.groups.labels, game.groups.shares
        floors, coverage = self.floor_array(game), profile.coverage
        out = {
            f"coverage of {labels[k]}": float(coverage[k] - floors[k])
            for k in np.flatnonzero(floors > 0)
        }
        if self.served_by:
            ranked = self._ranked(game, profile)
            out |= {
                f"agents serving {label}": float(ranked[k] - self.weight)
                for k, label in enumerate(labels)
            }
        if self.max_distance is not None:
            away = float(np.abs(coverage - shares).sum())
            out["distance from the public"] = self.max_distance - away
        return out

    def _ranked(self, game: AlignmentGame, profile: Profile) -> FloatArray:
        """Return the weight of the `served_by`-th best agent on every group, (groups,)."""
        x = profile.array
        order = np.argsort(-x, axis=0, kind="stable")
        counts = game.agents.counts[order].cumsum(axis=0)
        at = (counts >= self.served_by).argmax(axis=0)
        return np.asarray(np.take_along_axis(x, order, axis=0)[at, np.arange(x.shape[1])])

    def worst(self, game: AlignmentGame, profile: Profile) -> float:
        """Return the smallest slack: the goal is met when it is at least −1e-9."""
        return min(self.slack(game, profile).values(), default=0.0)

    def met(self, game: AlignmentGame, profile: Profile) -> bool:
        """Whether every requirement holds, to 1e-9."""
        return self.worst(game, profile) >= -MET

    @property
    def only_floors(self) -> bool:
        """Whether all that is asked for is coverage."""
        return not self.served_by and self.max_distance is None

    def eased(self, game: AlignmentGame, by: float) -> Goal:
        """Return the goal with every requirement scaled towards nothing: 0 as it is, 1 nothing."""
        far = self.max_distance
        return Goal(
            self.floor_array(game) * (1 - by),
            served_by=self.served_by,
            weight=max(self.weight * (1 - by), 1e-12),
            max_distance=None if far is None else far + by * (2 - far),
        )

    def tightened(self, game: AlignmentGame, margin: ArrayLike) -> Goal:
        """Return the goal with a margin added to every floor, weight and distance, in weight."""
        floors = self.floor_array(game)
        extra = np.broadcast_to(np.asarray(margin, dtype=np.float64), floors.shape)
        far = self.max_distance
        return Goal(
            np.where(floors > 0, floors + extra, 0.0),
            served_by=self.served_by,
            weight=min(1.0, self.weight + float(extra.max())),
            max_distance=None if far is None else max(0.0, far - float(extra.sum())),
        )

    def words(self, game: AlignmentGame) -> str:
        """Return the goal as a sentence."""
        labels, floors = game.groups.labels, self.floor_array(game)
        parts = [f"{labels[k]} at least {floors[k]:.6g}" for k in np.flatnonzero(floors > 0)]
        if self.served_by:
            who = "one agent" if self.served_by == 1 else f"{self.served_by} agents"
            parts.append(f"every group served by at least {who} with {self.weight:g} or more")
        if self.max_distance is not None:
            parts.append(f"coverage within {self.max_distance:g} (L1) of the public's shares")
        return "; ".join(parts) or "nothing"

    def __repr__(self) -> str:
        parts = []
        if self.floors is not None:
            shown = dict(self.floors) if isinstance(self.floors, Mapping) else self.floors
            parts.append(f"floors={shown}")
        if self.share is not None:
            parts.append(f"share={self.share:g}")
        if self.served_by:
            parts.append(f"served_by={self.served_by}, weight={self.weight:g}")
        if self.max_distance is not None:
            parts.append(f"max_distance={self.max_distance:g}")
        return f"Goal({', '.join(parts)})"


def _numbers(floors: ArrayLike) -> FloatArray:
    try:
        out = np.array(floors, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput('floors: write a number, one per group, or {"group": number}') from None
    for floor in np.atleast_1d(out):
        _check_floor("floors: a floor", float(floor))
    return out


def _check_floor(what: str, floor: float) -> None:
    if isinstance(floor, bool) or not isinstance(floor, int | float | np.floating):
        raise BadInput(f"{what} is {floor!r}; write a number from 0 to 1, e.g. 0.05")
    if not (math.isfinite(floor) and 0 <= floor <= 1):
        raise BadInput(f"{what} is {floor:g}; write a number from 0 to 1, e.g. 0.05")
