"""The levers of a `[[steer]]` table, with the limits it sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.lever_table import usual_levers
from equipoise.inclusion.levers import (
    Anchors,
    AttractivenessCap,
    Audience,
    DiversityWeight,
    Entry,
    Prices,
    Together,
)
from equipoise.study.steer_models import SteerTable

__all__ = ["levers_of"]


def levers_of(table: SteerTable, game: AlignmentGame, agreement: Any) -> list[Lever]:
    """Return the levers to be tried, each alone; several named ones are one lever together.

    Parameters
    ----------
    table : SteerTable
        Checked.
    game : AlignmentGame
        Of the study.
    agreement : (groups, groups) array or None
        How groups rate content for groups, where people were asked.

    Raises
    ------
    BadInput
        One sentence that begins with the key: a group or an agent the game does not have, or a
        lever that needs agreement.
    """
    if table.lever == ("all",):
        names = [lever.name for lever in usual_levers(game, agreement)]
        return [_lever(name, table, game, agreement) for name in names]
    made = [_lever(name, table, game, agreement) for name in table.lever]
    if len(made) == 1:
        return made
    return [Together(made, budget=math.inf if table.budget is None else table.budget)]


def _lever(name: str, table: SteerTable, game: AlignmentGame, agreement: Any) -> Lever:
    limit = (table.bounds or {}).get(name)
    match name:
        case "prices":
            return Prices(_largest(limit, game))
        case "anchors":
            return Anchors(_movers(table, game))
        case "diversity":
            return DiversityWeight(*(limit or ()))
        case "caps":
            return AttractivenessCap(0.0 if limit is None else limit)
        case "entry":
            return Entry(_newcomer(game))
    if agreement is None:
        raise BadInput(
            "lever: audience needs to know how groups rate content for groups, and a game file "
            "does not say; take another lever, or `equipoise steer --agreement`"
        )
    if limit is None:
        return Audience(agreement)
    return Audience(agreement, least=limit[0], most=limit[1])


def _largest(limit: Any, game: AlignmentGame) -> Any:
    """Return the largest price of every group, or one for all."""
    if not isinstance(limit, dict):
        return math.inf if limit is None else limit
    out = np.full(len(game.groups), math.inf)
    for group, price in limit.items():
        try:
            out[game.groups.index(group)] = price
        except BadInput as error:
            raise BadInput(f'bounds: "prices": {error}') from None
    return out


def _movers(table: SteerTable, game: AlignmentGame) -> list[str] | None:
    if table.who is None:
        return None
    for agent in table.who:
        try:
            game.agents.index(agent)
        except BadInput as error:
            raise BadInput(f"who: {error}") from None
    return list(table.who)


def _newcomer(game: AlignmentGame) -> str:
    """Return a name that no agent has."""
    taken = set(game.agents.labels()) if game.agents.names is not None else set()
    label = "newcomer"
    while label in taken:
        label += " 2" if label == "newcomer" else "'"
    return label
