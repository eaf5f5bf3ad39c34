"""What the page is shown of the equilibrium at its settings: groups by position, no labels."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.app.critical import critical_view
from equipoise.app.json_numbers import or_word, rounded
from equipoise.app.opened import BARS
from equipoise.app.settings import Settings, draws_at, game_at_settings
from equipoise.app.source import DRAWS, KEPT, Source
from equipoise.app.uncertainty import Drawn, outcomes
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.estimate import counted_quantiles, percentile_interval
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Consistency, KLConsistency
from equipoise.inclusion.exclusion import SURE, exclusion, unserved
from equipoise.report.phrases import equilibria, label, listed
from equipoise.report.tables import percent

__all__ = ["Memory", "equilibrium_view", "solved"]

FloatArray = NDArray[np.float64]

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
        "shares": rounded(game.groups.shares),
        "coverage": rounded(profile.coverage),
        "top": rounded(profile.top_weight),
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
        out["rows"] = rounded(x[shown])
        out["anchors"] = None if anchor is None else rounded(anchor[shown])
    else:
        out["spread"] = [_spread(x[:, j], game.agents.counts) for j in range(k)]
        out["anchors"] = None
    if k == 3 and not alike:
        step = max(1, rows // POINTS)
        out["points"] = rounded(x[::step], 4)
        if anchor is not None and np.ptp(anchor, axis=0).max() <= 1e-12:
            out["anchors"] = rounded(anchor[:1])
        elif anchor is not None and rows > BARS:
            out["anchors"] = rounded(anchor[::step], 4)
    return out


def _spread(column: FloatArray, counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the distribution of one group's weight over agents: quantiles and a histogram."""
    heights, _ = np.histogram(column, bins=BINS, range=(0.0, 1.0), weights=counts)
    return {
        "quantiles": rounded(counted_quantiles(column, counts, QUANTILES)),
        "bins": rounded(heights / counts.sum()),
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
        "low": rounded(low),
        "high": rounded(high),
        "excluded": rounded(drawn.excluded_share),
        "cloud": None if cloud is None else rounded(cloud, 4),
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
            "margins": [or_word(m) for m in report.margins],
            "margin_low": [or_word(m) for m in report.margin_low],
            "margin_high": [or_word(m) for m in report.margin_high],
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
