"""What is marked on the figure of a map: the study itself, and the plans that end on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Marks", "draw_marks", "marks_of", "marks_words", "ring"]

FloatArray = NDArray[np.float64]

LIGHT, DARK = "#ffffff", "#000000"
"""Seen on every cell, and not swapped in a dark page: cells are not, either."""


@final
@dataclass(frozen=True)
class Marks:
    """Points of a map in the units of its axes.

    Parameters
    ----------
    here : tuple of float, or None
        Where the game itself lies.
    plans : tuple of (name, end)
        Where plans for it end that move nothing but axes of the map.
    """

    here: tuple[float, ...] | None
    plans: tuple[tuple[str, tuple[float, ...]], ...] = ()


def marks_of(row: Mapping[str, Any]) -> Marks:
    """Return the marks of a map of a study, from what its result says of it."""
    here = row.get("here")
    plans = tuple((plan["lever"], tuple(plan["to"])) for plan in row.get("plans", ()))
    return Marks(None if here is None else tuple(here), plans)


def ring(axes: Axes, marks: Marks | None, z: float | None) -> None:
    """Mark the study on a small panel, if it lies inside it; `z`: the panel's third value."""
    if marks is None or marks.here is None:
        return
    near = len(marks.here) < 3 or (z is not None and abs(marks.here[2] - z) <= 1e-9 * (1 + abs(z)))
    if near and _inside(axes, marks.here):
        _dot(axes, marks.here, "o", 6.0)


def draw_marks(axes: Axes, marks: Marks) -> list[FloatArray]:
    """Mark the study and the ways to its plans; return the points where words stand now.

    The way to a plan is drawn as far as the map goes.
    """
    if marks.here is None or not _inside(axes, marks.here):
        return []
    here = np.array(marks.here[:2])
    taken = [here]
    for _, end in marks.plans:
        way = np.array([here, end[:2]])
        axes.plot(*way.T, color=LIGHT, linewidth=3.4, zorder=4)
        axes.plot(*way.T, color=DARK, linewidth=1.6, linestyle=(0, (2, 1.2)), zorder=4)
    words: list[tuple[str, Sequence[float]]] = [("this study", marks.here)]
    for _, end in marks.plans:
        if _inside(axes, end):
            _dot(axes, end, "*", 13.0)
            words.append(("plan", end))
            taken.append(np.array(end[:2]))
    _dot(axes, marks.here, "o", 8.0)
    _name(axes, words)
    return taken


def _inside(axes: Axes, point: Sequence[float]) -> bool:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    return left <= point[0] <= right and low <= point[1] <= high


def _dot(axes: Axes, point: Sequence[float], kind: str, size: float) -> None:
    axes.plot(point[0], point[1], kind, color=LIGHT, markeredgecolor=DARK, markersize=size,
              markeredgewidth=1.3, clip_on=False, zorder=6)  # fmt: skip


def _name(axes: Axes, words: Sequence[tuple[str, Sequence[float]]]) -> None:
    """Write a word above each mark, or below at the upper edge; the next higher where two touch."""
    from matplotlib.patheffects import withStroke

    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    used: list[tuple[float, float]] = []
    for word, point in words:
        across, up = (point[0] - left) / (right - left), (point[1] - low) / (high - low)
        level = sum(abs(across - x) < 0.2 and abs(up - y) < 0.12 for x, y in used)
        used.append((across, up))
        below = up > 0.85
        side = "left" if across < 0.12 else "right" if across > 0.88 else "center"
        axes.annotate(
            word, (point[0], point[1]), xytext=(0, (9 + 13 * level) * (-1 if below else 1)),
            textcoords="offset points", ha=side, va="top" if below else "bottom", fontsize=9,
            color=DARK, zorder=7, path_effects=[withStroke(linewidth=3, foreground=LIGHT)],
        )  # fmt: skip


def marks_words(row: Mapping[str, Any], levers: Mapping[str, str]) -> str:
    """Return what is marked on the figure of a map, for its caption; empty where nothing is."""
    spans = [(axis["start"], axis["stop"]) for axis in row["axes"]]
    here = row.get("here")
    if here is None or not _within(here, spans):
        return ""
    if len(spans) > 2:
        return "Circle, where its plane is drawn: this study."
    if not row["plans"]:
        return "Circle: this study."
    names = [axis["name"].partition(":")[0] for axis in row["axes"]]
    parts = []
    for plan in row["plans"]:
        at = " and ".join(f"{n} {v:.3g}" for n, v in zip(names, plan["to"], strict=True))
        end = f"to the plan (star), {at}"
        if not _within(plan["to"], spans):
            end = f"towards the plan, which lies outside, at {at}"
        parts.append(f"{levers[plan['lever']]}, {end}")
    return f"Circle: this study. Dotted: the way with {'; with '.join(parts)}."


def _within(point: Sequence[float], spans: Sequence[tuple[float, float]]) -> bool:
    return all(low <= v <= high for v, (low, high) in zip(point, spans, strict=True))
