"""What branch and bound found, made to hold: to rounding, or in another equilibrium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Outcome
from equipoise.equilibrium.solve import solve
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.inclusion.conditions import Conditions
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.supports import Least, least_setting
from equipoise.inclusion.trial import Bench

__all__ = ["elsewhere", "refined"]

FloatArray = NDArray[np.float64]

HAIR = 1e-7
"""How much higher the goal is set where the optimiser's tolerance left it short."""


def refined(
    game: AlignmentGame,
    given: Conditions,
    goal: Goal,
    unit: FloatArray,
    bench: Bench,
    setting: FloatArray,
    served: NDArray[np.bool_],
) -> FloatArray | None:
    """Mend what the optimiser's tolerance left short: the same supports, the goal a hair higher."""
    extra = 0.0
    for _ in range(8):
        trial = bench.at(setting)
        if trial is None:
            return None
        if trial.met:
            return setting
        extra += 1.5 * (-trial.worst) + 1e-12
        if extra > 1e-4:
            return None
        again = least_setting(game, given, goal.tightened(game, extra), unit, served=served)
        if again is None or again.setting is None:
            return None
        setting = again.setting
    return None


def elsewhere(
    given: Conditions, unit: FloatArray, bench: Bench, found: Least
) -> tuple[FloatArray, Profile] | None:
    """Return a setting and the equilibrium at which the goal holds, not the one found first.

    Parameters
    ----------
    given, unit
        As for `least_setting`.
    bench : Bench
        The game, the lever, the goal.
    found : Least
        With a setting and its supports; the goal fails at the first equilibrium it leads to.
    """
    game, goal = bench.game, bench.goal
    for extra in (0.0, HAIR):
        again: Least | None = found
        if extra:
            more = goal.tightened(game, extra)
            again = least_setting(game, given, more, unit, served=found.served)
        if again is None or again.setting is None:
            continue
        changed = bench.apply(again.setting)
        if changed is None:
            continue
        for one in solve(changed, on_failure="return").found:
            if one.outcome is Outcome.solved and goal.met(changed, one.profile):
                return again.setting, one.profile
    return None
