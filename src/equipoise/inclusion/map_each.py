"""Maps whose cells are dear: one `solve` each, and only where the excluded set changes.

The grid is started coarse; a box whose four corners leave out the same groups is taken to do so
inside and marked as inferred, any other box is cut into four. An island that lies wholly inside
a box with equal corners is missed: `refine=0` solves every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.solve import solve
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.map_axes import Axis, game_at
from equipoise.inclusion.map_batch import TOLERANCE, CellResults
from equipoise.inclusion.map_status import Status, left_out

__all__ = ["solve_grid"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], None]


@final
@dataclass(eq=False)
class _Grid:
    """Cells of a map as they get solved; indices are those of the grid, x last."""

    game: AlignmentGame
    axes: Sequence[Axis]
    below: float
    progress: Progress | None
    top: FloatArray = field(init=False)
    coverage: FloatArray = field(init=False)
    gap: FloatArray = field(init=False)
    status: NDArray[np.uint8] = field(init=False)
    excluded: NDArray[np.bool_] = field(init=False)
    solved: int = 0
    last: Equilibrium | None = None

    def __post_init__(self) -> None:
        shape = tuple(len(axis) for axis in self.axes)
        wide = (*shape, len(self.game.groups))
        self.top, self.coverage = np.full(wide, np.nan), np.full(wide, np.nan)
        self.gap = np.full(shape, np.nan)
        self.status = np.full(shape, Status.inferred, dtype=np.uint8)
        self.excluded = np.zeros(wide, dtype=bool)

    def solve(self, at: tuple[int, ...]) -> None:
        """Solve one cell, unless that was done; the cell before it is the first guess."""
        if self.status[at] != Status.inferred:
            return
        point = {a.name: float(a.values[i]) for a, i in zip(self.axes, at, strict=True)}
        start = None if self.last is None else self.last.profile
        game = game_at(self.game, point)
        if start is not None and start.groups != game.groups:
            start = game.profile(start.array)
        found = solve(game, tol=TOLERANCE, starts=0, start=start, on_failure="return")
        self.last = found
        exam = found.certificate
        proved = exam.uniqueness.verdict == "proved"
        good = Status.unique if proved else Status.certified
        self.status[at] = good if found.outcome.name == "solved" else Status.failed
        self.gap[at] = exam.max_relative_gap
        # Nobody is called excluded at a profile that is no equilibrium.
        if self.status[at] != Status.failed:
            self.top[at], self.coverage[at] = found.profile.top_weight, found.profile.coverage
            self.excluded[at] = left_out(self.top[at], self.below)
        self.solved += 1
        if self.progress is not None:
            self.progress(self.solved, self.status.size, "cells")

    def box(self, plane: tuple[int, ...], i0: int, i1: int, j0: int, j1: int) -> None:
        """Settle the cells of one box of a plane (corners included)."""
        corners = [(*plane, i, j) for i in (i0, i1) for j in (j0, j1)]
        for at in corners:
            self.solve(at)
        if i1 - i0 <= 1 and j1 - j0 <= 1:
            return
        same = all(np.array_equal(self.excluded[at], self.excluded[corners[0]]) for at in corners)
        certified = all(self.status[at] != Status.failed for at in corners)
        if same and certified:
            part = (slice(i0, i1 + 1), slice(j0, j1 + 1))
            fresh = self.status[plane][part] == Status.inferred
            self.excluded[plane][part][fresh] = self.excluded[corners[0]]
            return
        for a, b in _halves(i0, i1):
            for c, d in _halves(j0, j1):
                self.box(plane, a, b, c, d)


def _halves(low: int, high: int) -> list[tuple[int, int]]:
    if high - low <= 1:
        return [(low, high)]
    middle = (low + high) // 2
    return [(low, middle), (middle, high)]


def solve_grid(
    game: AlignmentGame,
    axes: Sequence[Axis],
    below: float,
    refine: int,
    progress: Progress | None = None,
) -> tuple[CellResults, NDArray[np.bool_]]:
    """Solve the cells of a map one by one.

    Parameters
    ----------
    game : AlignmentGame
    axes : sequence of Axis
        Slowest first: (z,) y, x.
    below : float
        Exclusion threshold on top weight.
    refine : int
        Halvings of the coarse grid; 0 solves every cell.
    progress : callable (done, total, what), optional

    Returns
    -------
    results : CellResults
        Flat over cells; NaN where a cell was inferred.
    excluded : (cells, groups) bool array
    """
    grid = _Grid(game, axes, below, progress)
    shape = grid.status.shape
    for plane in np.ndindex(shape[:-2]):
        if refine == 0:
            for i, j in np.ndindex(shape[-2:]):
                # Back and forth: neighbours in time are neighbours on the map.
                grid.solve((*plane, i, j if i % 2 == 0 else shape[-1] - 1 - j))
            continue
        rows, columns = (_coarse(n, refine) for n in shape[-2:])
        for i0, i1 in zip(rows[:-1], rows[1:], strict=True):
            for j0, j1 in zip(columns[:-1], columns[1:], strict=True):
                grid.box(plane, i0, i1, j0, j1)
    k = len(game.groups)
    flat = CellResults(
        grid.top.reshape(-1, k), grid.coverage.reshape(-1, k), grid.gap.ravel(),
        grid.status.ravel(),
    )  # fmt: skip
    return flat, grid.excluded.reshape(-1, k)


def _coarse(points: int, refine: int) -> list[int]:
    stride = min(2**refine, points - 1)
    return [*range(0, points - 1, stride), points - 1]
