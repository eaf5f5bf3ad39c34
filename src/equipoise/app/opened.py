"""What the page needs to know once of a game: labels, colours, sliders, people."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equipoise.app.json_numbers import rounded
from equipoise.app.source import Source
from equipoise.display import shortened
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Variety,
)
from equipoise.inclusion.critical import critical_ratio
from equipoise.report.palette import group_colors

__all__ = ["BARS", "opened_view"]

BARS = 24
"""Up to so many rows every agent has a bar; beyond, the page draws how weights are distributed."""


def opened_view(source: Source) -> dict[str, Any]:
    """Return what the page needs to know once of a game: labels, colours, sliders, people."""
    game = source.game
    groups = game.groups
    return {
        "source": source.key,
        "title": shortened(source.title, 120),
        "groups": [
            {"name": shortened(g, 40), "long": shortened(g, 200), "color": color}
            for g, color in zip(groups.labels, group_colors(len(groups)), strict=True)
        ],
        "shares": rounded(groups.shares),
        "agents": _agents(game),
        "sliders": _sliders(game),
        "prices": _prices(game),
        "below": source.below,
        "draws": len(next(iter(source.draws.values()))) if source.draws else 0,
        "appeal_follows": source.answers is not None,
        "people": _people(source),
        "goal": source.goal,
        "note": shortened(source.note, 300),
    }


def _agents(game: AlignmentGame) -> dict[str, Any]:
    rows = len(game.agents)
    named = range(rows) if rows <= BARS else range(0)
    return {
        "rows": rows,
        "total": game.agents.total,
        "names": [shortened(game.agents.label(i), 40) for i in named],
        "counts": game.agents.counts[:BARS].tolist() if game.agents.typed else None,
    }


def _sliders(game: AlignmentGame) -> list[dict[str, Any]]:
    """Return the weights that can be moved: where they are, and how far they go."""
    counts, total = game.agents.counts, game.agents.total

    def mean(term: Any) -> float:
        return float(np.broadcast_to(term.weight, counts.shape) @ counts / total)

    out = []
    drawn = game.term(Attractiveness)
    held = game.term(Consistency) or game.term(KLConsistency)
    beta = 1.0 if held is None else mean(held)
    if drawn is not None:
        top = _nice(5.0 * max(mean(drawn), beta if mean(drawn) == 0 else 0.0))
        made = _slider("attractiveness", "α", mean(drawn), 0.0, top)
        out.append({**made, "map_high": max(top, _reach(drawn, held, beta))})
    if held is not None:
        out.append(_slider("consistency", "β", beta, 0.0, _nice(5.0 * max(beta, 0.2))))
    if total > 1:
        met = game.term(Diversity)
        gamma = 0.0 if met is None else mean(met)
        top = _nice(max(5.0 * abs(gamma), 5.0 * beta))
        low = min(-_nice(beta), 2 * gamma)
        # Where agents herd a cell may have many equilibria and takes its time.
        made = _slider("diversity", "γ", gamma, low, top)
        out.append({**made, "map_low": low if gamma < 0 else 0.0})
    own = game.term(Variety)
    if own is not None:
        out.append(_slider("variety", "ρ", mean(own), 0.0, _nice(5.0 * max(mean(own), 0.2))))
    return out


def _reach(drawn: Attractiveness, held: Consistency | KLConsistency | None, beta: float) -> float:
    """Return an attractiveness at which the second group has dropped out, where R6 says so."""
    if not isinstance(held, Consistency) or drawn.values.ndim > 1 or held.anchor.ndim > 1:
        return 0.0
    least = np.sort(critical_ratio(drawn.values, held.anchor))
    known = least[np.isfinite(least)][:2]
    return _nice(1.2 * beta * float(known[-1])) if known.size and known[-1] > 0 else 0.0


def _slider(name: str, sign: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "sign": sign, "value": value, "low": low, "high": max(high, value)}


def _nice(value: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12))


def _prices(game: AlignmentGame) -> dict[str, Any]:
    paid = game.term(Subsidy)
    now = np.zeros(len(game.groups)) if paid is None else paid.prices
    form = game.affine
    spread = 1.0 if form is None else float(np.ptp(np.asarray(form.scores), axis=1).max())
    top = _nice(max(spread, float(np.abs(now).max()), 1e-3))
    return {"value": now.tolist(), "high": top, "low": min(0.0, float(now.min()))}


def _people(source: Source) -> dict[str, Any] | None:
    if source.answers is None:
        return None
    about, table = source.about, source.answers
    topics = {row["question"]: row["topic"] for row in about.get("questions", ())}
    return {
        "n": about.get("n"),
        "source": shortened(str(about.get("source", "")), 300),
        "licence": shortened(str(about.get("licence", "")), 300),
        "questions": [shortened(topics.get(q, q), 60) for q in table.questions],
    }
