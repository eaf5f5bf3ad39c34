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

__all__ = ["Points", "SolvePoints", "chunks", "solve_grid", "solve_points"]

FloatArray = NDArray[np.float64]
Box = tuple[tuple[int, ...], int, int, int, int]
Points = list[list[float]]
"""A value of every axis, cell by cell."""
SolvePoints = Callable[[Points], CellResults]

LEAST_CHUNK, MOST_CHUNKS = 16, 256


def chunks(points: Points) -> list[Points]:
    """Cut cells into chunks of their order; how many depends on nothing else."""
    step = max(LEAST_CHUNK, -(-len(points) // MOST_CHUNKS))
    return [points[low : low + step] for low in range(0, len(points), step)]


def solve_points(game: AlignmentGame, names: Sequence[str], points: Points) -> CellResults:
    """Solve the cells of one chunk; the cell before is the first guess, the chunk knows no other.

    Parameters
    ----------
    game : AlignmentGame
    names : sequence of str
        Of the axes.
    points : list of lists
        A value for every name, cell by cell.
    """
    n, k = len(points), len(game.groups)
    top, coverage = np.full((n, k), np.nan), np.full((n, k), np.nan)
    gap, status = np.full(n, np.nan), np.full(n, Status.failed, dtype=np.uint8)
    last: Equilibrium | None = None
    for at, point in enumerate(points):
        here = game_at(game, dict(zip(names, point, strict=True)))
        start = None if last is None else last.profile
        if start is not None and start.groups != here.groups:
            start = here.profile(start.array)
        last = solve(here, tol=TOLERANCE, starts=0, start=start, on_failure="return")
        exam = last.certificate
        gap[at] = exam.max_relative_gap
        # Nobody is called excluded at a profile that is no equilibrium.
        if last.outcome.name == "solved":
            proved = exam.uniqueness.verdict == "proved"
            status[at] = Status.unique if proved else Status.certified
            top[at], coverage[at] = last.profile.top_weight, last.profile.coverage
    return CellResults(top, coverage, gap, status)


@final
@dataclass(eq=False)
class _Grid:
    """Cells of a map as they get solved; indices are those of the grid, x last."""

    groups: int
    axes: Sequence[Axis]
    below: float
    ask: SolvePoints
    top: FloatArray = field(init=False)
    coverage: FloatArray = field(init=False)
    gap: FloatArray = field(init=False)
    status: NDArray[np.uint8] = field(init=False)
    excluded: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        shape = tuple(len(axis) for axis in self.axes)
        wide = (*shape, self.groups)
        self.top, self.coverage = np.full(wide, np.nan), np.full(wide, np.nan)
        self.gap = np.full(shape, np.nan)
        self.status = np.full(shape, Status.inferred, dtype=np.uint8)
        self.excluded = np.zeros(wide, dtype=bool)

    def solve(self, cells: Sequence[tuple[int, ...]]) -> None:
        """Solve cells in this order."""
        if not cells:
            return
        points = [[float(a.values[i]) for a, i in zip(self.axes, at, strict=True)] for at in cells]
        found = self.ask(points)
        at = tuple(np.array(cells).T)
        self.top[at], self.coverage[at] = found.top_weight, found.coverage
        self.gap[at], self.status[at] = found.relative_gap, found.status
        self.excluded[at] = left_out(found.top_weight, self.below)

    def refine(self, boxes: list[Box]) -> None:
        """Settle boxes (corners included), all of one size before any smaller one."""
        while boxes:
            corners = [
                [(*plane, i, j) for i in (i0, i1) for j in (j0, j1)]
                for plane, i0, i1, j0, j1 in boxes
            ]
            fresh = {at for four in corners for at in four if self.status[at] == Status.inferred}
            self.solve(_back_and_forth(fresh))
            smaller: list[Box] = []
            for (plane, i0, i1, j0, j1), four in zip(boxes, corners, strict=True):
                if i1 - i0 <= 1 and j1 - j0 <= 1:
                    continue
                if self._settled(four):
                    part = (slice(i0, i1 + 1), slice(j0, j1 + 1))
                    guessed = self.status[plane][part] == Status.inferred
                    self.excluded[plane][part][guessed] = self.excluded[four[0]]
                    continue
                smaller += [(plane, a, b, c, d) for a, b in _halves(i0, i1)
                            for c, d in _halves(j0, j1)]  # fmt: skip
            boxes = smaller

    def _settled(self, corners: list[tuple[int, ...]]) -> bool:
        first = self.excluded[corners[0]]
        return all(
            self.status[at] != Status.failed and np.array_equal(self.excluded[at], first)
            for at in corners
        )


def _back_and_forth(cells: set[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Order cells so that neighbours in time are neighbours on the map."""
    return sorted(cells, key=lambda at: (at[:-1], at[-1] if at[-2] % 2 == 0 else -at[-1]))


def _halves(low: int, high: int) -> list[tuple[int, int]]:
    if high - low <= 1:
        return [(low, high)]
    middle = (low + high) // 2
    return [(low, middle), (middle, high)]


def solve_grid(
    groups: int, axes: Sequence[Axis], below: float, refine: int, ask: SolvePoints
) -> tuple[CellResults, NDArray[np.bool_]]:
    """Solve the cells of a map one by one.

    Parameters
    ----------
    groups : int
        How many.
    axes : sequence of Axis
        Slowest first: (z,) y, x.
    below : float
        Exclusion threshold on top weight.
    refine : int
        Halvings of the coarse grid; 0 solves every cell.
    ask : callable
        Solves a list of cells, in chunks: here or on an engine.

    Returns
    -------
    results : CellResults
        Flat over cells; NaN where a cell was inferred.
    excluded : (cells, groups) bool array
    """
    grid = _Grid(groups, axes, below, ask)
    shape = grid.status.shape
    if refine == 0:
        grid.solve(_back_and_forth(set(np.ndindex(shape))))
    else:
        rows, columns = (_coarse(n, refine) for n in shape[-2:])
        grid.refine([
            (plane, i0, i1, j0, j1)
            for plane in np.ndindex(shape[:-2])
            for i0, i1 in zip(rows[:-1], rows[1:], strict=True)
            for j0, j1 in zip(columns[:-1], columns[1:], strict=True)
        ])  # fmt: skip
    flat = CellResults(
        grid.top.reshape(-1, groups), grid.coverage.reshape(-1, groups), grid.gap.ravel(),
        grid.status.ravel(),
    )  # fmt: skip
    return flat, grid.excluded.reshape(-1, groups)


def _coarse(points: int, refine: int) -> list[int]:
    stride = min(2**refine, points - 1)
    return [*range(0, points - 1, stride), points - 1]
