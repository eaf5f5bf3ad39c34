"""All levers side by side: what each would have to change, its cost, who loses, or why it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from equipoise.display import Tabled
from equipoise.errors import BadInput, EquipoiseError
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Attractiveness, Consistency, Diversity, KLConsistency
from equipoise.inclusion.advice import UNITS, advice
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import (
    Anchors,
    AttractivenessCap,
    Audience,
    DiversityWeight,
    Entry,
    Prices,
)
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.steer import steer

__all__ = ["LeverTable", "compare_levers", "usual_levers"]


@final
@dataclass(frozen=True, eq=False)
class LeverTable(Tabled):
    """Plans of several levers for one goal.

    Attributes
    ----------
    goal : str
        In words.
    plans : tuple of Plan
        Those that reach it, in the order asked.
    refused : tuple of (lever, reason)
        Those that do not, with the sentence that says why.
    """

    goal: str
    plans: tuple[Plan, ...]
    refused: tuple[tuple[str, str], ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per lever; costs of different levers have different units."""
        rows: list[dict[str, Any]] = [
            {
                "lever": plan.lever.name,
                "advice": advice(plan),
                "cost": plan.cost,
                "unit": UNITS[plan.lever.name],
                "least": plan.leastness.word,
                "bound": plan.leastness.bound,
                "holds_in": f"{sum(plan.held_in)} of {len(plan.held_in)}",
                "losers": ", ".join(plan.losers),
                "reason": "",
            }
            for plan in self.plans
        ]
        empty = {"advice": "", "cost": None, "unit": "", "least": "", "bound": None}
        rows += [
            {"lever": name, **empty, "holds_in": "", "losers": "", "reason": reason}
            for name, reason in self.refused
        ]
        return rows


def usual_levers(game: AlignmentGame, agreement: Any = None) -> list[Lever]:
    """Return the levers that a game has: prices always, others where their terms are.

    Parameters
    ----------
    game : AlignmentGame
    agreement : (groups, groups) array, optional
        With it, the audience mix is a lever, too.
    """
    levers: list[Lever] = [Prices()]
    held = game.term(Consistency) or game.term(KLConsistency)
    if held is not None and held.weight.max() > 0:
        levers.append(Anchors())
    if game.agents.total > 1:
        levers.append(DiversityWeight())
    drawn = game.term(Attractiveness)
    if drawn is not None and drawn.weight.max() > 0:
        levers.append(AttractivenessCap())
        if agreement is not None:
            levers.append(Audience(agreement))
    diversity = game.term(Diversity)
    if held is not None and (diversity is None or diversity.network is None):
        levers.append(Entry())
    return levers


def compare_levers(
    game: AlignmentGame,
    levers: Sequence[Lever],
    goal: Goal,
    *,
    draws: Sequence[AlignmentGame] = (),
    sure: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> LeverTable:
    """Steer with each lever alone towards the same goal.

    Parameters
    ----------
    game, goal, draws, sure, seed
        As for `steer`.
    levers : sequence of Lever
        At least one.
    progress : function of (done, total, what), optional
        Called before each lever.

    Raises
    ------
    BadInput
        A goal no mixtures of this game can meet.
    NotSolved
        The game as it is could not be certified.
    """
    if not levers:
        raise BadInput("levers: give at least one, e.g. [Prices()]")
    goal.check(game)
    plans, refused = [], []
    for done, lever in enumerate(levers):
        if progress is not None:
            progress(done, len(levers), f"lever: {lever.name}")
        try:
            plans.append(steer(game, lever, goal=goal, draws=draws, sure=sure, seed=seed))
        except EquipoiseError as error:
            refused.append((lever.name, str(error)))
    if progress is not None:
        progress(len(levers), len(levers), "levers")
    return LeverTable(goal.words(game), tuple(plans), tuple(refused))
