r"""Two populations side by side: whom each leaves out, and whether they differ.

Draw `b` of one is set beside draw `b` of the other. Where both were drawn from the same people
with the same seed, that keeps what they share, and the interval of the difference is that of the
difference; where they were not, any pairing is as good as this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.estimate import Estimate, percentile_interval, simultaneous_band
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games
from equipoise.inclusion.exclusion import (
    ExclusionDraws,
    ExclusionReport,
    Verdict,
    draw_exclusion,
    exclusion,
)
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.phase_map import phase_map

__all__ = ["Comparison", "Side", "compare"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], Any]

LEVEL = 0.95
FEWEST = 40
"""Draws below this show no 95 % interval."""


@final
@dataclass(frozen=True, eq=False)
class Side:
    """One of the two.

    Parameters
    ----------
    name : str
    game : AlignmentGame
    draws : mapping of field path to array
        Joint draws as `load_draws` gives them; empty for none.
    """

    name: str
    game: AlignmentGame
    draws: Mapping[str, FloatArray]

    @property
    def count(self) -> int:
        """Number of joint draws."""
        return min((len(array) for array in self.draws.values()), default=0)

    def first(self, count: int) -> dict[str, FloatArray]:
        """Return the first draws."""
        return {key: array[:count] for key, array in self.draws.items()}


@final
@dataclass(frozen=True, eq=False)
class Comparison(Tabled):
    """What two populations have in common, and what not.

    Parameters
    ----------
    names : (str, str)
    groups : tuple of str
    reports : pair of ExclusionReport
    coverage, top_weight : mapping of group to Estimate
        Second minus first; simultaneous band over groups where there are draws.
    maps : pair of PhaseMap or None
    map_share : mapping of group, or "any", to Estimate
        Share of the map with exclusion, second minus first; empty without maps.
    draws : int
        Joint draws behind the differences, 0 for none.
    """

    names: tuple[str, str]
    groups: tuple[str, ...]
    reports: tuple[ExclusionReport, ExclusionReport]
    coverage: dict[str, Estimate]
    top_weight: dict[str, Estimate]
    maps: tuple[PhaseMap, PhaseMap] | None
    map_share: dict[str, Estimate]
    draws: int

    @property
    def only(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Groups that only the first, and only the second, excludes: both verdicts are firm."""
        a, b = ([v for v in report.verdicts] for report in self.reports)
        pairs = list(zip(self.groups, a, b, strict=True))
        out, inside = Verdict.excluded, Verdict.included
        first = tuple(g for g, x, y in pairs if (x, y) == (out, inside))
        return first, tuple(g for g, x, y in pairs if (x, y) == (inside, out))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "names": list(self.names),
            "groups": list(self.groups),
            "excluded": [list(report.excluded) for report in self.reports],
            "only": [list(groups) for groups in self.only],
            "sides": [report.to_rows() for report in self.reports],
            "difference": {
                "coverage": {g: e.to_dict() for g, e in self.coverage.items()},
                "top_weight": {g: e.to_dict() for g, e in self.top_weight.items()},
                "map_share": {g: e.to_dict() for g, e in self.map_share.items()},
            },
            "maps": None
            if self.maps is None
            else [
                {
                    "any": one.summary()["any"].to_dict(),
                    "groups": {g: e.to_dict() for g, e in one.summary()["groups"].items()},
                    "certified": one.certified,
                    "cells": one.cells,
                }
                for one in self.maps
            ],
            "draws": self.draws,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: both verdicts and coverages, and their difference."""
        one, two = self.reports
        return [
            {
                "group": group,
                "verdict_first": one.verdicts[k].value,
                "verdict_second": two.verdicts[k].value,
                "coverage_first": float(one.coverage[k]),
                "coverage_second": float(two.coverage[k]),
                "difference": self.coverage[group].value,
                "low": self.coverage[group].low,
                "high": self.coverage[group].high,
            }
            for k, group in enumerate(self.groups)
        ]

    def __repr__(self) -> str:
        first, second = self.only
        return (
            f"Comparison({self.names[0]}, {self.names[1]}: left out by the first alone "
            f"{list(first)}, by the second alone {list(second)})"
        )


def compare(
    a: Side,
    b: Side,
    *,
    below: float = 0.0,
    axes: tuple[str, str] | None = None,
    map_draws: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Set two populations side by side.

    Parameters
    ----------
    a, b : Side
        Games over the same groups; agents may differ in number and kind.
    below : float
        Exclusion threshold on top weight.
    axes : (str, str), optional
        Axes of an incentive map, as for `phase_map`.
    map_draws : int
        So many joint draws are mapped too.
    progress : callable (done, total, what), optional

    Returns
    -------
    Comparison. Not guaranteed: that two different surveys ask about the same people.

    Raises
    ------
    BadInput
        Other groups, or the same in another order.
    NotSolved
        A game or a draw was not certified.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> found = compare(Side("a", game("toy"), {}), Side("b", game("toy"), {}), below=0.02)
    >>> found.reports[0].excluded, found.only, found.coverage["rural"].value
    (('rural',), ((), ()), 0.0)
    """
    if a.game.groups.labels != b.game.groups.labels:
        raise BadInput(
            f"{b.name}: its groups are {', '.join(b.game.groups.labels)}, those of {a.name} "
            f"{', '.join(a.game.groups.labels)}; compare populations over the same groups"
        )
    count = min(a.count, b.count)
    count = count if count >= FEWEST else 0
    tell: Progress = progress or (lambda done, total, what: None)
    reports, drawn = [], []
    for side in (a, b):
        tell(0, 0, f"solving {side.name}")
        rows = _drawn(side, count, below, tell) if count else None
        reports.append(exclusion(solve(side.game), below=below, draws=rows))
        drawn.append(rows)
    maps = None
    if axes is not None:
        mapped = min(map_draws, count)
        maps = (_mapped(a, axes, below, mapped, tell), _mapped(b, axes, below, mapped, tell))
    groups = a.game.groups.labels
    first, second = reports
    return Comparison(
        (a.name, b.name), groups, (first, second),
        _difference(groups, first.coverage, second.coverage, drawn, "coverage"),
        _difference(groups, first.top_weight, second.top_weight, drawn, "top_weight"),
        maps, {} if maps is None else _map_share(*maps), count,
    )  # fmt: skip


def _drawn(side: Side, count: int, below: float, tell: Progress) -> ExclusionDraws:
    def told() -> Any:
        for number, game in enumerate(drawn_games(side.game, side.first(count)), start=1):
            tell(number, count, f"draws of {side.name}")
            yield game

    return draw_exclusion(told(), below)


def _mapped(
    side: Side, axes: tuple[str, str], below: float, draws: int, tell: Progress
) -> PhaseMap:
    return phase_map(
        side.game, *axes, below=below, draws=side.first(draws) if draws else None,
        progress=lambda done, total, what: tell(done, total, f"{what} of {side.name}"),
    )  # fmt: skip


def _difference(
    groups: tuple[str, ...],
    first: FloatArray,
    second: FloatArray,
    drawn: list[ExclusionDraws | None],
    what: str,
) -> dict[str, Estimate]:
    value = np.asarray(second) - np.asarray(first)
    one, two = drawn
    if one is None or two is None:
        return {
            g: Estimate(float(v), float(v), float(v), 0, "no draws: the point")
            for g, v in zip(groups, value, strict=True)
        }
    apart = getattr(two, what) - getattr(one, what)
    low, high = simultaneous_band(apart, LEVEL)
    how = "joint draws, 95 % band over groups"
    return {
        g: Estimate(float(v), float(min(x, v)), float(max(y, v)), len(apart), how)
        for g, v, x, y in zip(groups, value, low, high, strict=True)
    }


def _map_share(one: PhaseMap, two: PhaseMap) -> dict[str, Estimate]:
    out = {}
    for k, label in enumerate([*one.groups, "any"]):
        any_group = k == len(one.groups)
        a, b = (
            (m.excluded.any(-1) if any_group else m.excluded[..., k]).mean() for m in (one, two)
        )
        value, low, high, n, how = float(b - a), float(b - a), float(b - a), 0, "no draws"
        if one.drawn is not None and two.drawn is not None and one.drawn.count > 1:
            shares = [m.anywhere if any_group else m.share[:, k] for m in (one.drawn, two.drawn)]
            ends = percentile_interval(shares[1] - shares[0], LEVEL)
            low, high = min(float(ends[0]), value), max(float(ends[1]), value)
            n, how = len(shares[0]), "joint draws, 95 %"
        out[label] = Estimate(value, low, high, n, how)
    return out
