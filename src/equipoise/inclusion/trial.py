"""One try of a lever: the changed game solved, its cost, and how far it is from the goal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput, NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.inclusion.goals import MET, Goal
from equipoise.inclusion.lever import Lever

__all__ = ["Bench", "Trial"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """A setting with what it leads to (one equilibrium, other starts not tried)."""

    setting: FloatArray
    cost: float
    slack: FloatArray
    """Slack of every requirement, weight."""
    profile: Profile

    @property
    def worst(self) -> float:
        """Return the smallest slack."""
        return float(self.slack.min())

    @property
    def met(self) -> bool:
        """Whether the goal is met, to 1e-9."""
        return self.worst >= -MET


@final
@dataclass(frozen=True, eq=False)
class Bench:
    """Where settings of one lever are tried on one game for one goal; remembers what it saw."""

    game: AlignmentGame
    lever: Lever
    goal: Goal
    seen: dict[bytes, Trial | None] = field(default_factory=dict)

    def apply(self, setting: FloatArray) -> AlignmentGame | None:
        """Return the changed game, or None where the setting makes none."""
        try:
            return self.lever.apply(self.game, setting)
        except BadInput:
            return None

    def at(self, setting: FloatArray, start: Profile | None = None) -> Trial | None:
        """Try a setting; None where its game could not be solved."""
        key = np.asarray(setting, dtype=np.float64).tobytes()
        if key not in self.seen:
            self.seen[key] = self._try(np.array(setting, dtype=np.float64), start)
        return self.seen[key]

    def _try(self, setting: FloatArray, start: Profile | None) -> Trial | None:
        changed = self.apply(setting)
        if changed is None:
            return None
        try:
            found: Equilibrium = solve(changed, starts=0, start=start, on_failure="return")
        except (BadInput, NotSolved):
            return None
        if found.outcome is not Outcome.solved:
            return None
        profile = found.profile
        slack = np.array(list(self.goal.slack(changed, profile).values()) or [0.0])
        return Trial(setting, self.lever.cost(self.game, setting, profile), slack, profile)
