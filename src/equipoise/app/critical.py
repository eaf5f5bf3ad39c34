"""The least ratio of attractiveness to consistency at which each group drops out, on the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.app.settings import Settings, draws_at
from equipoise.app.source import DRAWS, Source
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Attractiveness, Consistency, Diversity
from equipoise.inclusion.critical import critical_incentives

__all__ = ["critical_view"]


def critical_view(source: Source, settings: Settings, found: Equilibrium) -> dict[str, Any] | None:
    """Return the ratios with their intervals, and where the sliders are now (R6).

    Parameters
    ----------
    source, settings
    found : Equilibrium
        At these settings.

    Returns
    -------
    dict or None
        None where no such ratio is known: agents that differ, other terms, prices, a threshold.
        `law` is "ignored" where the ratios hold only for agents that ignore each other.
    """
    game = found.game
    drawn, held, met = game.term(Attractiveness), game.term(Consistency), game.term(Diversity)
    if drawn is None or held is None or held.metric is not None or settings.below > 0:
        return None
    if len(game.terms) > 2 + (met is not None) or drawn.values.ndim > 1 or held.anchor.ndim > 1:
        return None
    alpha, beta = float(np.max(drawn.weight)), float(np.max(held.weight))
    if np.ptp(drawn.weight) or np.ptp(held.weight) or not beta > 0:
        return None
    law, other = _law(game, met, beta)
    draws = draws_at(source, settings, DRAWS)
    values = draws.get("attractiveness.values")
    anchor = draws.get("consistency.anchor", held.anchor)
    pair = None if values is None else (values, anchor)
    table = critical_incentives(
        game.groups.labels, drawn.values, held.anchor, draws=pair, other_curvature=other
    )
    finite = [float(e.value) for e in table.least]
    return {
        "law": law,
        "here": alpha / beta,
        "least": [_plain(v) for v in finite],
        "low": [_plain(float(e.low)) for e in table.least],
        "high": [_plain(float(e.high)) for e in table.least],
        "draws": 0 if pair is None else len(pair[0]),
    }


def _law(game: AlignmentGame, met: Diversity | None, beta: float) -> tuple[str, float]:
    """Say for which agents the ratios hold, and what diversity adds to the curvature."""
    if met is None or game.agents.total == 1 or not np.any(met.weight):
        return "alone", 0.0
    gamma, others = float(np.max(met.weight)), game.agents.total - 1
    plain = met.kernel is None and met.network is None and not np.ptp(met.weight)
    if plain and -beta < gamma < others * beta:
        return "diversity", gamma / beta
    return "ignored", 0.0


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None
