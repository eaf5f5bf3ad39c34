"""Where a game itself lies among the axes of a map, and where a plan for it would end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Attractiveness, Consistency, Diversity, KLConsistency, Variety
from equipoise.inclusion.map_axes import Axis

__all__ = ["here", "moved_to"]

KINDS: Mapping[str, Any] = {
    "attractiveness": (Attractiveness,),
    "consistency": (Consistency, KLConsistency),
    "diversity": (Diversity,),
    "variety": (Variety,),
}

MOVING = ("caps", "diversity")
"""Levers whose settings are axes of a map."""


def here(game: AlignmentGame, axes: Sequence[Axis]) -> tuple[float, ...] | None:
    """Return the value each axis has in the game itself.

    Parameters
    ----------
    game : AlignmentGame
    axes : sequence of Axis
        That fit the game (`check_axes`).

    Returns
    -------
    tuple of float, or None
        Weights as means over agents. None where the game is no point of the map: anchors that
        differ between agents, on an axis that gives all of them the same.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> from equipoise.inclusion.map_axes import axis
    >>> here(game("toy"), [axis("attractiveness=0:4:5"), axis("share:rural=0.1:0.3:3")])
    (1.0, 0.15)
    """
    found = [_value(game, one) for one in axes]
    kept = [value for value in found if value is not None]
    return tuple(kept) if len(kept) == len(found) else None


def _value(game: AlignmentGame, one: Axis) -> float | None:
    counts = game.agents.counts
    if one.kind == "share":
        return float(game.groups.shares[game.groups.index(one.label)])
    if one.kind == "value":
        appeal = game.term(Attractiveness)
        assert appeal is not None
        rows = np.broadcast_to(appeal.values, (counts.size, len(game.groups)))
        return float(counts @ rows[:, game.groups.index(one.label)] / counts.sum())
    if one.kind == "anchor":
        held = game.term(Consistency) or game.term(KLConsistency)
        assert held is not None
        anchor = np.atleast_2d(held.anchor)
        if np.ptp(anchor, axis=0).any():
            return None
        return float(anchor[0, game.groups.index(one.label)])
    terms = [t for t in game.terms if isinstance(t, KINDS[one.kind])]
    if not terms:
        return 0.0
    term: Any = terms[0]
    weight = np.broadcast_to(term.weight, counts.shape)
    return float(counts @ weight / counts.sum())


def moved_to(
    change: Mapping[str, Any], lever: str, now: Sequence[float], axes: Sequence[Axis]
) -> tuple[float, ...] | None:
    """Return where on a map a plan ends that moves only weights which are axes of it.

    Parameters
    ----------
    change : mapping
        `Plan.change`.
    lever : str
        `Plan.lever.name`.
    now : sequence of float
        Where the game lies, as `here` gives it.
    axes : sequence of Axis

    Returns
    -------
    tuple of float, or None
        None where the plan moves anything else.

    Examples
    --------
    >>> from equipoise.inclusion.map_axes import axis
    >>> axes = [axis("attractiveness=0:4:5"), axis("diversity=0:1:3")]
    >>> moved_to({"diversity": {"from": 0.5, "to": 0.75}}, "diversity", (1.0, 0.5), axes)
    (1.0, 0.75)
    """
    parts = dict(change) if lever == "together" else {lever: change}
    out = list(now)
    names = [one.name for one in axes]
    for name, part in parts.items():
        if not part:
            continue
        kind = {"caps": "attractiveness"}.get(name, name)
        ends = part.get(kind) if name in MOVING and kind in names else None
        # Weights that differ change otherwise than a map scales them.
        if ends is None or "to" not in ends or abs(ends["from"] - now[names.index(kind)]) > 1e-12:
            return None
        out[names.index(kind)] = float(ends["to"])
    return tuple(out) if out != list(now) else None
