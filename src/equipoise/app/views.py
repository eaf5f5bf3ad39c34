"""What the page is shown of a game at its settings: numbers by position, labels only once."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.app.critical import critical_view
from equipoise.app.settings import Settings, draws_at, game_at_settings
from equipoise.app.source import DRAWS, KEPT, Source
from equipoise.app.uncertainty import Drawn, outcomes
from equipoise.display import shortened
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.estimate import percentile_interval
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Variety,
)
from equipoise.inclusion.critical import critical_ratio
from equipoise.inclusion.exclusion import SURE, exclusion, unserved
from equipoise.report.palette import group_colors
from equipoise.report.phrases import equilibria, label, listed
from equipoise.report.tables import percent

__all__ = ["Memory", "equilibrium_view", "finite", "opened_view", "solved"]

FloatArray = NDArray[np.float64]

BARS = 24
"""Up to so many rows every agent has a bar; beyond, the page draws how weights are distributed."""

POINTS = 1_000
"""Most agents and draws that are points of a ternary plot."""

FEW_ROWS = 200
"""Up to so many rows an equilibrium is found afresh in no time."""

CLOUD = 200
BINS = 40
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@final
class Memory:
    """The last equilibrium of each source; a guess, never an answer."""

    def __init__(self) -> None:
        self._kept: dict[str, Profile] = {}

    def get(self, key: str) -> Profile | None:
        """Return what was put last."""
        return self._kept.get(key)

    def put(self, key: str, profile: Profile) -> None:
        """Keep one; of a few sources only."""
        if len(self._kept) > KEPT:
            self._kept.clear()
        self._kept[key] = profile


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
        "shares": _rounded(groups.shares),
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


def solved(
    source: Source, settings: Settings, *, starts: int | None, near: Profile | None = None
) -> Equilibrium:
    """Return the equilibrium at these settings, certified or with the outcome that says why not.

    Parameters
    ----------
    source, settings
    starts : int or None
        As for `solve`.
    near : Profile, optional
        The equilibrium a moment ago: a first guess for games of many agents.
    """
    game = game_at_settings(source, settings)
    start = None
    if near is not None and len(near) == len(game.agents) > FEW_ROWS:
        start = game.profile(near.array)
    return solve(game, starts=starts, start=start, on_failure="return")


def equilibrium_view(
    source: Source, settings: Settings, *, full: bool, memory: Memory | None = None
) -> dict[str, Any]:
    """Return the equilibrium at these settings.

    Parameters
    ----------
    source : Source
    settings : Settings
    full : bool
        Also what takes longer than a frame: margins, other equilibria, draws of agents that
        differ. Without it the page is drawn while a slider moves.
    memory : Memory, optional
        Where the last equilibrium of each source is kept as a first guess.
    """
    near = None if full or memory is None else memory.get(source.key)
    found = solved(source, settings, starts=None if full else 0, near=near)
    if memory is not None and found.outcome is Outcome.solved:
        memory.put(source.key, found.profile)
    game, profile = found.game, found.profile
    out: dict[str, Any] = {
        "full": full,
        "solved": found.outcome is Outcome.solved,
        "outcome": found.outcome.value,
        "shares": _rounded(game.groups.shares),
        "coverage": _rounded(profile.coverage),
        "top": _rounded(profile.top_weight),
        "agents": _mixtures(game, profile.array),
        "certificate": _certificate(found),
    }
    if not out["solved"]:
        return out | {"verdicts": None, "said": [], "drawn": None}
    drawn = outcomes(game, draws_at(source, settings, DRAWS), settings.below, margins=full)
    out["drawn"] = None if drawn is None else _drawn(drawn)
    out |= _verdicts(found, drawn, settings.below, full=full)
    out["critical"] = critical_view(source, settings, found)
    out["said"] = _said(found, out)
    return out


def _mixtures(game: AlignmentGame, x: FloatArray) -> dict[str, Any]:
    """Return every agent's mixture, or how the weights are distributed over many agents."""
    rows, k = x.shape
    alike = bool(rows > 1 and np.ptp(x, axis=0).max() <= 1e-9)
    out: dict[str, Any] = {"alike": alike, "rows": None, "points": None, "spread": None}
    held = game.term(Consistency) or game.term(KLConsistency)
    anchor = None if held is None else np.broadcast_to(held.anchor, x.shape)
    if alike or rows <= BARS:
        shown = slice(0, 1) if alike else slice(0, rows)
        out["rows"] = _rounded(x[shown])
        out["anchors"] = None if anchor is None else _rounded(anchor[shown])
    else:
        out["spread"] = [_spread(x[:, j], game.agents.counts) for j in range(k)]
        out["anchors"] = None
    if k == 3 and not alike:
        step = max(1, rows // POINTS)
        out["points"] = _rounded(x[::step], 4)
        if anchor is not None and np.ptp(anchor, axis=0).max() <= 1e-12:
            out["anchors"] = _rounded(anchor[:1])
        elif anchor is not None and rows > BARS:
            out["anchors"] = _rounded(anchor[::step], 4)
    return out


def _spread(column: FloatArray, counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the distribution of one group's weight over agents: quantiles and a histogram."""
    order = np.argsort(column, kind="stable")
    part = np.cumsum(counts[order]) / counts.sum()
    at = [int(np.searchsorted(part, q - 1e-12)) for q in QUANTILES]
    heights, _ = np.histogram(column, bins=BINS, range=(0.0, 1.0), weights=counts)
    return {
        "quantiles": _rounded(column[order][np.minimum(at, column.size - 1)]),
        "bins": _rounded(heights / counts.sum()),
        "zero": float(counts[column == 0].sum() / counts.sum()),
    }


def _certificate(found: Equilibrium) -> dict[str, Any]:
    exam = found.certificate
    return {
        "gap": exam.max_gap,
        "relative": exam.max_relative_gap,
        "unique": exam.uniqueness.verdict,
        "test": exam.uniqueness.test,
        "found": len(found.found),
        "solver": found.record.solver,
        "ms": round(1000 * found.record.seconds, 2),
    }


def _drawn(drawn: Drawn) -> dict[str, Any]:
    """Return pointwise intervals of coverage, and the draws as points where K = 3."""
    low, high = percentile_interval(drawn.coverage)
    cloud = drawn.coverage[:CLOUD] if drawn.coverage.shape[1] == 3 else None
    return {
        "n": len(drawn),
        "low": _rounded(low),
        "high": _rounded(high),
        "excluded": _rounded(drawn.excluded_share),
        "cloud": None if cloud is None else _rounded(cloud, 4),
    }


def _verdicts(
    found: Equilibrium, drawn: Drawn | None, below: float, *, full: bool
) -> dict[str, Any]:
    if full:
        try:
            draws = None if drawn is None else drawn.for_report()
            report = exclusion(found, below=below, draws=draws)
        except NotSolved as error:
            return {"verdicts": None, "margins": None, "why": str(error)}
        return {
            "verdicts": [one.value for one in report.verdicts],
            "margins": [finite(m) for m in report.margins],
            "margin_low": [finite(m) for m in report.margin_low],
            "margin_high": [finite(m) for m in report.margin_high],
            "excluded_in": report.excluded_in.tolist(),
        }
    top = found.profile.top_weight
    if drawn is None:
        # Signs of margins are not known yet; a weight that is no more than rounding is none.
        out = unserved(top, np.full(top.size, -1.0), below)
        return {"verdicts": ["excluded" if o else "included" for o in out], "margins": None}
    share = drawn.excluded_share
    words = ["excluded" if s >= SURE else "included" if s <= 1 - SURE else "undecided"
             for s in share]  # fmt: skip
    return {"verdicts": words, "margins": None}


def _said(found: Equilibrium, view: dict[str, Any]) -> list[str]:
    """Return the finding in words, labels between marks."""
    if view["verdicts"] is None:
        return []
    groups = found.game.groups
    named = {
        verdict: [
            f"{label(g)} ({percent(float(m))})"
            for g, m, v in zip(groups.labels, groups.shares, view["verdicts"], strict=True)
            if v == verdict
        ]
        for verdict in ("excluded", "undecided", "on the boundary")
    }
    out = []
    gone = named["excluded"]
    if gone:
        share = float(groups.shares[np.array(view["verdicts"]) == "excluded"].sum())
        text = f"Left out: {listed(gone)}, together {percent(share)} of the public."
        if len(gone) == 1:
            text = f"Left out: {gone[0].removesuffix(')')} of the public)."
        out.append(text)
    elif not named["undecided"] and not named["on the boundary"]:
        out.append("Nobody is left out.")
    else:
        out.append("No group is left out for certain.")
    if named["undecided"]:
        out.append(f"Too few people were asked to tell: {listed(named['undecided'])}.")
    if named["on the boundary"]:
        out.append(f"Exactly on the boundary: {listed(named['on the boundary'])}.")
    if view["full"]:
        left = list(zip(groups.labels, view["excluded_in"], strict=True))
        exam = found.certificate.uniqueness
        out.append(equilibria(exam.verdict, len(found.found), left))
    return [text for text in out if text]


def _rounded(array: Any, digits: int = 6) -> Any:
    return np.round(np.asarray(array, dtype=np.float64), digits).tolist()


def finite(value: float) -> float | str:
    """Return a number as JSON has it; infinite and undefined ones as words."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
