"""Plans on the page: one lever at a time towards one goal, and the game of a plan opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from equipoise.app.json_numbers import number, rounded
from equipoise.app.settings import Settings, draws_at, game_at_settings
from equipoise.app.source import Source, source_key
from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games
from equipoise.inclusion.advice import UNITS, advice
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.lever_table import usual_levers
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.steer import steer
from equipoise.report.phrases import label, listed
from equipoise.report.steer_words import LEVERS

__all__ = ["levers_view", "make_plan", "opened_plan", "plan_view"]

DRAWS = 60
"""Draws a robust plan is tried on here: half to find it, half to check it."""


def read_goal(given: Any) -> Goal:
    """Return the goal a page asked for: `{"share": 0.1}` or `{"floor": 0.05}`."""
    if not isinstance(given, Mapping) or len(given) != 1:
        raise BadInput('goal: write {"share": 0.1} or {"floor": 0.05}')
    ((kind, value),) = given.items()
    if kind not in ("share", "floor"):
        raise BadInput(f'goal: there is no goal "{shortened(str(kind), 40)}"; share or floor')
    value = number(f"goal.{kind}", value)
    if not value > 0:
        raise BadInput(f"goal.{kind}: {value:g} asks for nothing; write a number above 0")
    return Goal(share=value) if kind == "share" else Goal(value)


def levers_view(source: Source, settings: Settings) -> list[dict[str, str]]:
    """Return the levers this game has, by name and in words."""
    game = game_at_settings(source, settings)
    return [{"name": one.name, "words": LEVERS[one.name]} for one in _levers(source, game)]


def _levers(source: Source, game: AlignmentGame) -> list[Lever]:
    return usual_levers(game, source.agreement)


def make_plan(source: Source, settings: Settings, lever: Any, goal: Any, *, sure: bool) -> Plan:
    """Find the plan of one lever.

    Raises
    ------
    BadInput
        A lever this game does not have, or a goal that is none.
    Infeasible, NotSolved
        The lever does not reach the goal.
    """
    game = game_at_settings(source, settings)
    wanted = read_goal(goal)
    chosen = next((one for one in _levers(source, game) if one.name == lever), None)
    if chosen is None:
        raise BadInput(f'lever: this game has no lever "{shortened(str(lever), 40)}"')
    draws: list[AlignmentGame] = []
    if sure:
        fields = draws_at(source, settings, DRAWS)
        if not fields:
            raise BadInput("sure: this game has no joint draws; leave it out")
        draws = list(drawn_games(game, fields))
    return steer(game, chosen, goal=wanted, draws=draws)


def plan_view(plan: Plan) -> dict[str, Any]:
    """Return a plan as the page shows it."""
    before, after = plan.before.profile, plan.after.profile
    gain = plan.group_gain
    names = plan.before.game.groups.labels
    losers = [label(g) for g, change in zip(names, gain, strict=True) if change < -1e-12]
    said = f"{listed(losers)} {'gets' if len(losers) == 1 else 'get'} less attention than before."
    exam = plan.after.certificate
    return {
        "lever": plan.lever.name,
        "words": LEVERS[plan.lever.name],
        "advice": shortened(advice(plan), 400),
        "cost": plan.cost,
        "unit": UNITS[plan.lever.name],
        "least": plan.leastness.proved,
        "why": shortened(plan.leastness.why, 300),
        "before": rounded(before.coverage),
        "after": rounded(after.coverage),
        "floors": rounded(plan.goal.floor_array(plan.game)),
        "losers": said if losers else "No group gets less attention than before.",
        "holds": [sum(plan.held_in), len(plan.held_in)],
        "unique": exam.uniqueness.verdict,
        "gap": exam.max_gap,
        "fresh": plan.robustness.get("fresh") if plan.robustness else None,
    }


def opened_plan(source: Source, settings: Settings, plan: Plan) -> Source:
    """Return the game of a plan as a source of its own: draws that still fit go along."""
    game = plan.game
    draws = draws_at(source, settings, len(next(iter(source.draws.values()), ())))
    kept = {name: array for name, array in draws.items() if _fits(game, name, array)}
    moved = {"anchors": "consistency.anchor", "audience": "attractiveness.values"}
    if plan.lever.name in moved:
        kept.pop(moved[plan.lever.name], None)
    same_public = settings.shares is None
    return dataclasses.replace(
        source,
        key=source_key(game, source.key),
        title=f"{source.title.partition(' + plan: ')[0]} + plan: {LEVERS[plan.lever.name]}",
        game=game,
        draws=kept,
        # Appeal that a plan or a slider moved no longer follows from the answers alone.
        answers=source.answers if same_public and plan.lever.name != "audience" else None,
        drawn_answers=source.drawn_answers if same_public else None,
        anchor_is_shares=source.anchor_is_shares and plan.lever.name != "anchors",
        below=settings.below,
    )


def _fits(game: AlignmentGame, name: str, array: Any) -> bool:
    if name == "groups":
        return bool(array.shape[1:] == game.groups.shares.shape)
    section, _, key = name.partition(".")
    term = next((t for t in game.terms if t.field == section), None)
    value = getattr(term, key, None)
    return bool(value is not None and array.shape[1:] == value.shape)
