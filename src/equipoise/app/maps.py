"""The phase map on the page, and what is said of the cell under the crosshair."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.app.json_numbers import number, rounded
from equipoise.app.settings import Settings, draws_at, game_at_settings
from equipoise.app.source import Source
from equipoise.display import shortened
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput, EquipoiseError, Infeasible
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.map_axes import Axis, game_at
from equipoise.inclusion.map_cells import family
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.phase_map import phase_map
from equipoise.report.palette import ramp

__all__ = [
    "Superseded",
    "axes_of",
    "boundary_lines",
    "cell_game",
    "chances",
    "make_map",
    "map_view",
    "nearest",
]

FloatArray = NDArray[np.float64]
Line = tuple[int, FloatArray]

POINTS = 101
FEWEST = 7
MANY = 100_000
"""Rows × groups of agents that differ above which no map is made here."""
COARSE, COARSE_DRAWS = 41, 80
"""Points of an axis, and draws, behind the shading of a map."""
COARSEST, COARSEST_DRAWS, LONGEST = 11, 40, 5.0
"""The same where agents differ, and the seconds it may take."""

PATIENCE = 1.2
"""Seconds a first map of agents that differ may take; it has fewer cells where solving is slow."""


class Superseded(Exception):
    """The page asked for another map meanwhile."""


def axes_of(given: Any, points: int, groups: Sequence[str]) -> tuple[Axis, Axis]:
    """Return the axes that a page asked for.

    Parameters
    ----------
    given : dict
        `{"x": {"name": "attractiveness", "low": 0, "high": 50}, "y": …}`; an axis of a group is
        `{"name": "anchor", "group": 2, …}` with the group's position.
    points : int
    groups : sequence of str
        Labels.

    Raises
    ------
    BadInput
        An incentive there is none of, or a range that is none.
    """
    out = []
    for key in ("x", "y"):
        one = given.get(key) if isinstance(given, dict) else None
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise BadInput(f"{key}: write an axis with name, low and high")
        low, high = (number(f"{key}.{name}", one.get(name)) for name in ("low", "high"))
        if not high > low:
            raise BadInput(f"{key}: {low:g} to {high:g} is no range; write low below high")
        name, group = shortened(one["name"], 40), one.get("group")
        if group is not None:
            if not isinstance(group, int) or not 0 <= group < len(groups):
                raise BadInput(f"{key}.group: write its number, 0 to {len(groups) - 1}")
            name = f"{name}:{groups[group]}"
        out.append(Axis(name, np.linspace(low, high, points)))
    return out[0], out[1]


def make_map(
    source: Source,
    settings: Settings,
    asked: Any,
    *,
    fine: bool,
    cancelled: Callable[[], bool],
) -> PhaseMap:
    """Make a map: whole where agents are alike, else coarse first and refined when asked again.

    Parameters
    ----------
    source, settings
    asked : dict
        The axes.
    fine : bool
        Refine a map of agents that differ to full size.
    cancelled : function
        Asked between chunks of cells.

    Raises
    ------
    Superseded
        `cancelled` said so.
    Infeasible
        Too many agents that differ.
    """
    game = game_at_settings(source, settings)

    def progress(done: int, total: int, what: str) -> None:
        if cancelled():
            raise Superseded

    points, refine = POINTS, 0
    if family(game) is None:
        if len(game.agents) * len(game.groups) > MANY:
            raise Infeasible(
                f"A map of {len(game.agents):,} agents that differ takes too long here; make it "
                "with `equipoise map`."
            )
        points = _affordable(game)
        if fine:
            # Refining needs a grid of 2^r steps.
            points, refine = (POINTS, 2) if points > 24 else (2 * points - 1, 1)
    x, y = axes_of(asked, points, game.groups.labels)
    return phase_map(game, x, y, below=settings.below, refine=refine, progress=progress)


def _affordable(game: AlignmentGame) -> int:
    """Return how many points an axis may have so that a first map is there soon."""
    return int(min(max(math.isqrt(int(PATIENCE / _seconds(game))), FEWEST), 26))


def _seconds(game: AlignmentGame) -> float:
    """Return about how long a cell takes."""
    solve(game, starts=0, on_failure="return")  # what is compiled once is compiled now
    began = time.perf_counter()
    solve(game, starts=0, on_failure="return")
    return 2.0 * max(time.perf_counter() - began, 1e-5)


def map_view(found: PhaseMap, lines: list[Line]) -> dict[str, Any]:
    """Return a map as the page draws it: the excluded set of every cell by number, and lines."""
    names, which = found.sets()
    position = {group: k for k, group in enumerate(found.groups)}
    counts = [len(one) for one in names]
    top = max(counts)
    kind = np.uint16 if len(names) > 255 else np.uint8
    return {
        "columns": len(found.axes[0]),
        "rows": len(found.axes[1]),
        "sets": [[position[group] for group in one] for one in names],
        "which": base64.b64encode(which.astype(kind).tobytes()).decode(),
        "wide": kind is np.uint16,
        "status": base64.b64encode(found.status.astype(np.uint8).tobytes()).decode(),
        "colors": [ramp(0.97 - 0.85 * n / max(1, top)) for n in range(top + 1)],
        "lines": [{"group": k, "points": rounded(p)} for k, p in lines],
        "exact": bool(found.boundaries),
        "cells": found.cells,
        "certified": found.certified,
        "anybody": float(found.excluded.any(axis=-1).mean()),
        "ms": round(1000 * found.seconds),
    }


def boundary_lines(found: PhaseMap) -> list[Line]:
    """Return the lines on which groups drop out: exact curves, or the edges between cells.

    Where agents differ there is no law of the curve; then every edge between a cell that leaves
    a group out and one that does not is a short line of its own.
    """
    if found.boundaries:
        at = {group: k for k, group in enumerate(found.groups)}
        return [(at[one.group], one.points) for one in found.boundaries]
    if _same_everywhere(found):
        return []
    x, y = found.axes[0].values, found.axes[1].values
    mid_x, mid_y = (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2
    low_x, high_x = np.append(x[0], mid_x), np.append(mid_x, x[-1])
    low_y, high_y = np.append(y[0], mid_y), np.append(mid_y, y[-1])
    out: list[Line] = []
    for k in range(len(found.groups)):
        state = found.excluded[..., k]
        for i, j in zip(*np.nonzero(state[:, 1:] != state[:, :-1]), strict=True):
            out.append((k, np.array([[mid_x[j], low_y[i]], [mid_x[j], high_y[i]]])))
        for i, j in zip(*np.nonzero(state[1:] != state[:-1]), strict=True):
            out.append((k, np.array([[low_x[j], mid_y[i]], [high_x[j], mid_y[i]]])))
    return out


def _same_everywhere(found: PhaseMap) -> bool:
    """Whether every cell leaves out the same groups."""
    flat = found.excluded.reshape(-1, len(found.groups))
    return bool((flat == flat[0]).all())


def nearest(found: PhaseMap, lines: list[Line], x: float, y: float) -> dict[str, Any] | None:
    """Return the boundary nearest to a point, in parts of the ranges drawn, and the way along axes.

    Parameters
    ----------
    found : PhaseMap
        With two axes.
    lines : list of (group, points)
        As `boundary_lines` gives them.
    x, y : float
        The point, in the units of the axes.

    Returns
    -------
    dict or None
        `group` by position; `to`, the nearest point; `distance` as a share of the ranges drawn
        (Euclidean, both axes scaled to 1); `along_x`, `along_y`: the change of one incentive
        alone that crosses that group's boundary, None where none on the map does. None where no
        boundary is on the map.

    Examples
    --------
    >>> import equipoise as eq
    >>> game = eq.AlignmentGame(eq.Groups(["a", "b"]), 2, [
    ...     eq.Attractiveness([1.0, 0.0]), eq.Consistency([0.5, 0.5])])
    >>> found = eq.phase_map(game, "attractiveness=0:2:5", "consistency=0.5:2.5:5")
    >>> near = nearest(found, boundary_lines(found), 1.5, 2.0)
    >>> near["group"], round(near["along_x"], 9), round(near["along_y"], 9)
    (1, 0.5, -0.5)
    """
    if not lines:
        return None
    low = np.array([found.axes[0].values[0], found.axes[1].values[0]])
    span = np.array([np.ptp(found.axes[0].values), np.ptp(found.axes[1].values)])
    here = (np.array([x, y]) - low) / span
    best: tuple[float, int, FloatArray] | None = None
    for k, points in lines:
        flat = (points - low) / span
        a, b = flat[:-1], flat[1:]
        along = b - a
        length = (along**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(length > 0, ((here - a) * along).sum(axis=1) / length, 0.0)
        foot = a + np.clip(t, 0.0, 1.0)[:, None] * along
        away = np.hypot(*(foot - here).T)
        at = int(away.argmin())
        if best is None or away[at] < best[0]:
            best = (float(away[at]), k, low + foot[at] * span)
    assert best is not None
    distance, k, to = best
    same = [points for group, points in lines if group == k]
    return {
        "group": k,
        "to": to.tolist(),
        "distance": distance,
        "along_x": _crossing(same, x, y, 0),
        "along_y": _crossing(same, x, y, 1),
        "exact": bool(found.boundaries),
    }


def _crossing(lines: list[FloatArray], x: float, y: float, axis: int) -> float | None:
    """Return the signed way along one axis to the nearest crossing of any of the lines."""
    at, across = ((x, y), (y, x))[axis]
    found: list[float] = []
    for points in lines:
        move, hold = points[:, axis], points[:, 1 - axis]
        a, b = hold[:-1] - across, hold[1:] - across
        on = (a * b <= 0) & (a != b)
        t = a[on] / (a[on] - b[on])
        found += (move[:-1][on] + t * (move[1:][on] - move[:-1][on]) - at).tolist()
    return min(found, key=abs) if found else None


def cell_game(source: Source, settings: Settings, point: dict[str, float]) -> AlignmentGame:
    """Return the game of one cell."""
    try:
        return game_at(game_at_settings(source, settings), point)
    except EquipoiseError:
        raise
    except (KeyError, StopIteration, AssertionError):
        raise BadInput("cell: this game has no such incentive; choose another axis") from None


def chances(
    source: Source, settings: Settings, asked: Any, cancelled: Callable[[], bool]
) -> dict[str, Any] | None:
    """Return in what share of draws each group is excluded, over a coarse grid of the same axes.

    Parameters
    ----------
    source, settings
    asked : dict
        The axes.
    cancelled : function

    Returns
    -------
    dict or None
        Bytes (rows, columns, groups), 0 to 200 for a share of 0 to 1. None where there are no
        draws, or where agents differ and it would take too long.
    """
    game = game_at_settings(source, settings)
    points, count = COARSE, COARSE_DRAWS
    if family(game) is None:
        points, count = COARSEST, COARSEST_DRAWS
        if _seconds(game) * points**2 * count > LONGEST:
            return None
    draws = draws_at(source, settings, count)
    if not draws:
        return None

    def progress(done: int, total: int, what: str) -> None:
        if cancelled():
            raise Superseded

    x, y = axes_of(asked, points, game.groups.labels)
    drawn_on = {f"{one.name}.weight" for one in (x, y)}
    kept = {name: array for name, array in draws.items() if name not in drawn_on}
    found = phase_map(game, x, y, below=settings.below, draws=kept, progress=progress)
    assert found.drawn is not None
    bytes_ = np.round(200 * found.drawn.probability).astype(np.uint8).tobytes()
    return {
        "columns": points,
        "rows": points,
        "chance": base64.b64encode(bytes_).decode(),
        "draws": found.drawn.count,
    }
