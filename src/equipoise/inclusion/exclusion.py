"""Who is served by nobody: verdicts per group, with margins, thresholds and joint draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.estimate import simultaneous_band
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.margins import score_margins

__all__ = ["ExclusionDraws", "ExclusionReport", "Verdict", "draw_exclusion", "exclusion"]

FloatArray = NDArray[np.float64]

SURE = 0.975
"""A verdict needs this share of joint draws."""


class Verdict(Enum):
    """What can be said of one group; the value is the words shown to people."""

    included = "included"
    excluded = "excluded"
    undecided = "undecided"
    boundary = "on the boundary"


@final
@dataclass(frozen=True, eq=False)
class ExclusionDraws:
    """What happens to each group in joint bootstrap draws, every draw an equilibrium.

    Attributes
    ----------
    margins : (draws, groups) array
        Signed score margins at the threshold, score units. Infinite with the sign of service
        where a margin is undefined (see `score_margins`).
    top_weight, coverage : (draws, groups) arrays
        Weights.
    below : float
        The threshold the margins belong to.
    """

    margins: FloatArray
    top_weight: FloatArray
    coverage: FloatArray
    below: float

    @property
    def excluded_share(self) -> FloatArray:
        """Share of draws in which each group is excluded, (groups,)."""
        return np.asarray(unserved(self.top_weight, self.margins, self.below).mean(axis=0))


@final
@dataclass(frozen=True, eq=False)
class ExclusionReport(Tabled):
    """Who is left out at an equilibrium, group by group.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    shares, coverage, top_weight : (groups,) arrays
        Share of the public; mean weight over agents; largest weight over agents.
    top_agent : tuple of str
        Who serves each group most.
    below : float
        Exclusion threshold: a group is excluded when its top weight is below it (at 0: when no
        agent serves it at all).
    margins : (groups,) array
        Signed score margin: + how far its score may fall, − how much it must rise (R6). NaN:
        undefined, because other equilibria take over when the score changes (herding).
    margin_low, margin_high : (groups,) arrays
        Simultaneous 95 % band over groups from joint draws; the point margin without draws.
    verdicts : tuple of Verdict
        By the share of joint draws (97.5 % / 2.5 %); from the point margin without draws.
    excluded_share : (groups,) array
        Share of draws in which the group is excluded; without draws 0 or 1.
    jointly : (groups,) bool array
        Whether the verdict holds for all groups of the table together (band off zero).
    equilibria, excluded_in : int, (groups,) array
        How many equilibria were found, and in how many each group is excluded.
    draws : int
        Number of joint draws, 0 without.
    """

    groups: tuple[str, ...]
    shares: FloatArray
    coverage: FloatArray
    top_weight: FloatArray
    top_agent: tuple[str, ...]
    below: float
    margins: FloatArray
    margin_low: FloatArray
    margin_high: FloatArray
    verdicts: tuple[Verdict, ...]
    excluded_share: FloatArray
    jointly: NDArray[np.bool_]
    equilibria: int
    excluded_in: NDArray[np.int64]
    draws: int

    @property
    def excluded(self) -> tuple[str, ...]:
        """Labels of the groups whose verdict is "excluded"."""
        return tuple(
            g for g, v in zip(self.groups, self.verdicts, strict=True) if v is Verdict.excluded
        )

    @property
    def coverage_ratio(self) -> FloatArray:
        """Coverage over share of the public, (groups,): 1 is proportional service."""
        return np.asarray(self.coverage / self.shares)

    @property
    def l1_distance(self) -> float:
        """Sum over groups of |coverage − share|: 0 proportional, at most 2."""
        return float(np.abs(self.coverage - self.shares).sum())

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group."""
        return [
            {
                "group": group,
                "share": float(self.shares[k]),
                "coverage": float(self.coverage[k]),
                "coverage_ratio": float(self.coverage_ratio[k]),
                "top_weight": float(self.top_weight[k]),
                "top_agent": self.top_agent[k],
                "margin": float(self.margins[k]),
                "margin_low": float(self.margin_low[k]),
                "margin_high": float(self.margin_high[k]),
                "excluded_share": float(self.excluded_share[k]),
                "verdict": self.verdicts[k].value,
                "jointly": bool(self.jointly[k]),
            }
            for k, group in enumerate(self.groups)
        ]

    def __repr__(self) -> str:
        words = ", ".join(f"{g} {v.value}" for g, v in zip(self.groups, self.verdicts, strict=True))
        return f"ExclusionReport(below {self.below:g}: {words})"


def unserved(top_weight: FloatArray, margins: FloatArray, below: float) -> NDArray[np.bool_]:
    """Say which groups are excluded, by what agents do: the top weight against the threshold.

    At threshold 0 a weight that is no more than rounding counts as none where the margin says
    that no agent wants the group.
    """
    if below > 0:
        return np.asarray(top_weight < below)
    return np.asarray((top_weight == 0) | ((margins < 0) & (top_weight < 1e-9)))


def draw_exclusion(games: Iterable[AlignmentGame], below: float = 0.0) -> ExclusionDraws:
    """Solve every drawn game and measure its margins.

    Parameters
    ----------
    games : iterable of AlignmentGame
        One game per joint bootstrap draw.
    below : float
        Exclusion threshold.

    Returns
    -------
    ExclusionDraws
        One row per draw, each from a certified equilibrium.

    Raises
    ------
    NotSolved
        Some draw could not be certified: nothing is dropped silently.
    """
    margins, top, coverage = [], [], []
    for game in games:
        equilibrium = solve(game, starts=0)
        top.append(equilibrium.profile.top_weight)
        margin = score_margins(equilibrium, below)
        out = unserved(top[-1], margin, below)
        margins.append(np.where(np.isnan(margin), np.where(out, -np.inf, np.inf), margin))
        coverage.append(equilibrium.profile.coverage)
    if not margins:
        raise BadInput("draws: there is no drawn game; give at least one")
    return ExclusionDraws(np.array(margins), np.array(top), np.array(coverage), below)


def exclusion(
    equilibrium: Equilibrium,
    *,
    below: float = 0.0,
    draws: ExclusionDraws | None = None,
    level: float = 0.95,
) -> ExclusionReport:
    r"""Say of every group whether some agent serves it (R6), by what margin and how surely.

    Parameters
    ----------
    equilibrium : Equilibrium
        A certified equilibrium.
    below : float
        A group is excluded when its top weight is below this; 0 means: served by nobody.
    draws : ExclusionDraws, optional
        Joint draws from the same game's uncertainty; without them the verdict is the point's.
    level : float
        Content of the simultaneous band on the margins.

    Returns
    -------
    ExclusionReport
        Not guaranteed: that other equilibria agree, where uniqueness is not proved; read
        `excluded_in`.

    Raises
    ------
    BadInput
        `below` outside [0, 1), or draws made for another threshold or other groups.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> report = exclusion(eq.solve(game("toy")), below=0.02)
    >>> report.excluded
    ('rural',)
    """
    game = equilibrium.game
    if not 0 <= below < 1:
        raise BadInput(f"below: {below} is not a weight; write a number from 0 up to 1")
    if draws is not None and (draws.below != below or draws.margins.shape[1] != len(game.groups)):
        raise BadInput("draws: they were made for another threshold or other groups")
    profile = equilibrium.profile
    margins = score_margins(equilibrium, below)
    edge = _edge(equilibrium)
    if draws is None:
        low = high = margins
        out = unserved(profile.top_weight, margins, below)
        share = out.astype(np.float64)
        verdicts = tuple(
            _point_verdict(float(m), edge, bool(o)) for m, o in zip(margins, out, strict=True)
        )
        jointly = np.array([v is not Verdict.boundary for v in verdicts])
    else:
        low, high = simultaneous_band(draws.margins, level)
        share = draws.excluded_share
        verdicts = tuple(_drawn_verdict(float(s)) for s in share)
        jointly = (low > 0) | (high < 0)
    found = equilibrium.found
    excluded_in = np.zeros(len(game.groups), dtype=np.int64)
    for one in found:
        excluded_in += unserved(one.profile.top_weight, margins, below)
    return ExclusionReport(
        groups=game.groups.labels,
        shares=game.groups.shares,
        coverage=profile.coverage,
        top_weight=profile.top_weight,
        top_agent=profile.top_agent(),
        below=below,
        margins=margins,
        margin_low=low,
        margin_high=high,
        verdicts=verdicts,
        excluded_share=share,
        jointly=jointly,
        equilibria=len(found),
        excluded_in=excluded_in,
        draws=0 if draws is None else len(draws.margins),
    )


def _edge(equilibrium: Equilibrium) -> float:
    r"""Return the rounding error of a margin, :math:`8K\epsilon(h + \sum|s|)` (R3)."""
    game = equilibrium.game
    k = len(game.groups)
    form = game.affine
    if form is None:
        v = game.gradients(equilibrium.profile)
        size = float(np.where(np.isfinite(v), np.abs(v), 0.0).sum(axis=1).max())
    else:
        own = [
            float(np.abs(w).max() * (1.0 if m is None else np.abs(m).max()))
            for w, m in form.curvatures
        ]
        met = float(np.abs(form.gamma).max() * np.abs(form.kernel_matrix()).max())
        size = sum(own) + met + float(np.abs(form.scores).sum(axis=1).max())
    return 8 * k * float(np.finfo(np.float64).eps) * size


def _point_verdict(margin: float, edge: float, out: bool) -> Verdict:
    if abs(margin) <= edge:
        return Verdict.boundary
    return Verdict.excluded if out else Verdict.included


def _drawn_verdict(share: float) -> Verdict:
    if share >= SURE:
        return Verdict.excluded
    return Verdict.included if share <= 1 - SURE else Verdict.undecided
