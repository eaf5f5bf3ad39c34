"""A whole map of identical agents: chunks of cells on every core, each solved and examined."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.map_axes import game_at
from equipoise.inclusion.map_cells import Family
from equipoise.inclusion.map_exam import concave, relative_gap, unique
from equipoise.inclusion.map_solver import maximise_cells
from equipoise.inclusion.map_status import Status

__all__ = ["TOLERANCE", "CellResults", "cores", "solve_cells", "solve_one"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], None]

TOLERANCE = 1e-9
"""Largest relative gap of a certified cell (R3)."""

CHUNK_BYTES = 1 << 21
"""Size of the largest array of a chunk: about what a core's cache holds."""


@final
@dataclass(frozen=True, eq=False)
class CellResults:
    """What n cells came to.

    Attributes
    ----------
    top_weight, coverage : (cells, groups) arrays
        One array for both where all agents play alike.
    relative_gap : (cells,) array
    status : (cells,) uint8 array
        Values of `Status`.
    """

    top_weight: FloatArray
    coverage: FloatArray
    relative_gap: FloatArray
    status: NDArray[np.uint8]


def solve_cells(
    game: AlignmentGame,
    family: Family,
    columns: Mapping[str, FloatArray],
    progress: Progress | None = None,
) -> CellResults:
    """Solve and examine every cell of a game of identical agents.

    Cells are batched; where the symmetric programme is not concave (herding, or no curvature),
    or a gap is too large, `solve` is asked, and its equilibrium may treat agents differently.

    Parameters
    ----------
    game : AlignmentGame
    family : Family
        Of that game.
    columns : mapping of axis name to (cells,) array

    Returns
    -------
    CellResults
    """
    n = len(next(iter(columns.values())))
    k = len(family.labels)
    top = np.zeros((n, k))
    gap, status = np.full(n, np.inf), np.full(n, Status.failed, dtype=np.uint8)
    step = max(64, CHUNK_BYTES // (8 * k * k))

    def work(low: int) -> None:
        here = slice(low, min(low + step, n))
        cells = family.cells({name: column[here] for name, column in columns.items()})
        curved = concave(cells)
        chosen = np.flatnonzero(curved)
        if not curved.all():
            cells = cells[chosen]
        x = maximise_cells(cells.scores, cells.weights, cells.matrices)
        found = relative_gap(cells, x)
        passed = np.where(unique(cells, family), Status.unique, Status.certified)
        top[low + chosen] = x.T
        gap[low + chosen] = found
        status[low + chosen] = np.where(found <= TOLERANCE, passed, Status.failed)

    with ThreadPoolExecutor(cores(), thread_name_prefix="equipoise-map") as threads:
        for done, _ in enumerate(threads.map(work, range(0, n, step))):
            if progress is not None:
                progress(min(n, (done + 1) * step), n, "cells")
    coverage, apart = top, np.flatnonzero(status == Status.failed)
    if apart.size:
        coverage = top.copy()
        for at in apart:
            point = {name: float(column[at]) for name, column in columns.items()}
            top[at], coverage[at], gap[at], status[at] = solve_one(game, point)
    return CellResults(top, coverage, gap, status)


def solve_one(
    game: AlignmentGame, point: Mapping[str, float]
) -> tuple[FloatArray, FloatArray, float, Status]:
    """Solve one cell by `solve`: top weight, coverage, relative gap, status."""
    found = solve(game_at(game, point), tol=TOLERANCE, starts=0, on_failure="return")
    exam = found.certificate
    status = Status.failed
    if found.outcome.name == "solved":
        status = Status.unique if exam.uniqueness.verdict == "proved" else Status.certified
    if status is Status.failed:
        # Nobody is called excluded at a profile that is no equilibrium.
        nothing = np.full(len(game.groups), np.nan)
        return nothing, nothing, exam.max_relative_gap, status
    profile = found.profile
    return profile.top_weight, profile.coverage, exam.max_relative_gap, status


def cores() -> int:
    """Return how many threads this process may run at once; a worker of an engine has one."""
    if os.environ.get("OMP_NUM_THREADS") == "1":
        return 1
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
