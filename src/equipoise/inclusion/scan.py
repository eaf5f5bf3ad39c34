r"""Levers with one knob: scan it, never bisect over it (R12c).

Coverage is not monotone in diversity: raising it can serve a group and then push it out again.
Every interval of the knob in which the goal holds is found on a grid and its ends refined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.inclusion.goals import MET
from equipoise.inclusion.trial import Bench, Trial

__all__ = ["Interval", "Scan", "scan"]

FloatArray = NDArray[np.float64]

POINTS = 241

CLOSER = 4
"""Points around which a scan that found nothing looks again."""


@final
@dataclass(frozen=True, eq=False)
class Interval:
    """A stretch of the knob in which the goal holds at the equilibrium that was followed."""

    low: float
    high: float
    unique_from: float
    unique_to: float
    """The part of it in which the equilibrium is proved to be the only one; NaN: nowhere."""


@final
@dataclass(frozen=True, eq=False)
class Scan:
    """All intervals found, and what the scan saw."""

    intervals: tuple[Interval, ...]
    knob: FloatArray
    worst: FloatArray
    """Smallest slack at each point, weight; NaN where the game was not solved."""

    def nearest(self) -> float | None:
        """Return the change nearest to none that meets the goal, where unique if anywhere."""
        best: tuple[bool, float, float] | None = None
        for one in self.intervals:
            ways = [(False, one.low, one.high)]
            if not np.isnan(one.unique_from):
                ways.append((True, one.unique_from, one.unique_to))
            for unique, low, high in ways:
                at = min(max(0.0, low), high)
                key = (not unique, abs(at), at)
                if best is None or key < best:
                    best = key
        return None if best is None else best[2]


def scan(bench: Bench, *, points: int = POINTS) -> Scan:
    """Scan a lever with one knob over its whole range.

    Parameters
    ----------
    bench : Bench
        A lever whose settings have one number.
    points : int
        Points of the grid: half spread evenly, half closer to no change.

    Returns
    -------
    Scan
        Not guaranteed: intervals narrower than the grid.
    """
    low, high = (float(end[0]) for end in bench.lever.box(bench.game))
    even = np.linspace(low, high, points // 2)
    # As fine near no change as far from it: a small change is what is looked for.
    ratio = np.geomspace(1e-4, 1.0, points // 4)
    knob = np.unique(np.concatenate([even, low * ratio, high * ratio, [0.0]]))
    worst = _worst(bench, knob)
    if not (worst >= -MET).any():
        # Narrow intervals lie where the goal is missed by least.
        knob = np.unique(np.concatenate([knob, *_closer(knob, worst)]))
        worst = _worst(bench, knob)
    good = worst >= -MET
    intervals = []
    for first, last in _runs(good):
        left = knob[first] if first == 0 else _edge(bench, knob[first - 1], knob[first])
        right = knob[last] if last == knob.size - 1 else _edge(bench, knob[last + 1], knob[last])
        intervals.append(_with_uniqueness(bench, left, right))
    return Scan(tuple(intervals), knob, worst)


def _worst(bench: Bench, knob: FloatArray) -> FloatArray:
    """Return the smallest slack at each point; NaN where the game was not solved."""
    trials = [bench.at(np.array([z])) for z in knob]
    return np.array([np.nan if t is None else t.worst for t in trials])


def _closer(knob: FloatArray, worst: FloatArray) -> list[FloatArray]:
    """Return finer points between the neighbours of the points that miss the goal by least."""
    order = np.argsort(-np.where(np.isnan(worst), -np.inf, worst), kind="stable")[:CLOSER]
    last = knob.size - 1
    return [np.linspace(knob[max(0, j - 1)], knob[min(last, j + 1)], 33) for j in order]


def _runs(good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last index of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _edge(bench: Bench, bad: float, good: float) -> float:
    """Return the end of an interval, between a point that fails and one that does not."""
    inside = bench.at(np.array([good]))
    least = 0.0 if inside is not None and inside.worst >= 0 else -MET
    for _ in range(60):
        middle = 0.5 * (bad + good)
        if middle in (bad, good):
            break
        trial: Trial | None = bench.at(np.array([middle]))
        if trial is not None and trial.worst >= least:
            good = middle
        else:
            bad = middle
    return good


def _with_uniqueness(bench: Bench, left: float, right: float) -> Interval:
    """Find the part of an interval in which uniqueness is proved (one stretch is looked for)."""

    def proved(z: float) -> bool:
        changed = bench.apply(np.array([z]))
        return changed is not None and uniqueness(changed).verdict == "proved"

    points = np.linspace(left, right, 33)
    yes = np.array([proved(float(z)) for z in points])
    if not yes.any():
        return Interval(left, right, np.nan, np.nan)
    runs = _runs(yes)
    # The stretch nearest to no change.
    first, last = min(runs, key=lambda r: min(abs(points[r[0]]), abs(points[r[1]])))
    ends = []
    for at, beside in ((first, first - 1), (last, last + 1)):
        inside = float(points[at])
        if 0 <= beside < points.size:
            outside = float(points[beside])
            for _ in range(40):
                middle = 0.5 * (inside + outside)
                if proved(middle):
                    inside = middle
                else:
                    outside = middle
        ends.append(inside)
    return Interval(left, right, ends[0], ends[1])
