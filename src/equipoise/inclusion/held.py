"""In which equilibria of a changed game a goal holds, the one a plan was built on among them."""

from __future__ import annotations

import dataclasses

import numpy as np

from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.errors import NotSolved
from equipoise.game.profile import Profile
from equipoise.inclusion.goals import Goal

__all__ = ["where_it_holds"]

SOLVED = 1e-9


def where_it_holds(
    goal: Goal, after: Equilibrium, known: Profile | None
) -> tuple[Equilibrium, tuple[bool, ...]]:
    """Return an equilibrium at which the goal holds, with the others beside it, and where it does.

    Parameters
    ----------
    goal : Goal
    after : Equilibrium
        Of the changed game, solved from scratch: whichever equilibrium was found first.
    known : Profile or None
        The equilibrium at which the goal was seen to hold; taken where `after` and its others
        miss the goal, once it is certified afresh.

    Raises
    ------
    NotSolved
        The goal holds in none of them.
    """
    game = after.game
    found = after.found
    held = [goal.met(game, one.profile) for one in found]
    if not any(held) and known is not None and goal.met(game, known):
        exam = certify(game, known)
        if exam.max_relative_gap <= SOLVED:
            if exam.uniqueness.verdict == "unknown" and any(
                np.abs(one.profile.array - known.array).max() > 1e-6 for one in found
            ):
                exam = dataclasses.replace(exam, uniqueness=after.certificate.uniqueness)
            record = dataclasses.replace(after.record, reason="found while the plan was made")
            one = Equilibrium(game, exam.profile, exam, Outcome.solved, record)
            found, held = (one, *found), [True, *held]
    if not any(held):
        raise NotSolved(
            "the changed game has several equilibria, and none of those found after the change "
            "meets the goal; give the game more curvature (a larger consistency weight), or try "
            "another lever"
        )
    at = held.index(True)
    first = found[at]
    others = tuple(dataclasses.replace(one, others=()) for j, one in enumerate(found) if j != at)
    return (
        dataclasses.replace(first, others=others),
        (True, *(h for j, h in enumerate(held) if j != at)),
    )
