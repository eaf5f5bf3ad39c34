"""The cells of a map as few rectangles: exact at any size, and no picture inside an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fill", "rectangles", "sides"]

FloatArray = NDArray[np.float64]


def sides(values: FloatArray) -> FloatArray:
    """Return the sides of cells around their values; the outer half-cells stand outside.

    Examples
    --------
    >>> sides(np.array([0.0, 1.0, 3.0]))
    array([-0.5,  0.5,  2. ,  4. ])
    """
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[values[0] - (middle[0] - values[0])], middle,
                           [values[-1] + (values[-1] - middle[-1])]])  # fmt: skip


def rectangles(chosen: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Cover the chosen cells of a grid with rectangles (first row, last row, first, last column).

    Runs of a row are joined with equal runs of the rows above; ends are exclusive.

    Examples
    --------
    >>> rectangles(np.array([[True, True, False], [True, True, True]]))
    [(0, 1, 0, 2), (1, 2, 0, 3)]
    """
    out: list[tuple[int, int, int, int]] = []
    open_: dict[tuple[int, int], int] = {}
    for row in range(len(chosen) + 1):
        runs: set[tuple[int, int]] = set()
        if row < len(chosen):
            steps = np.diff(chosen[row].astype(np.int8), prepend=0, append=0)
            begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
            runs = set(zip(begins.tolist(), ends.tolist(), strict=True))
        for run in sorted(set(open_) - runs):
            out.append((open_.pop(run), row, *run))
        for run in runs - set(open_):
            open_[run] = row
    return sorted(out)


def fill(
    axes: Axes, x: FloatArray, y: FloatArray, classes: NDArray[Any], colors: Sequence[Any]
) -> None:
    """Fill cells by class, one path a class.

    Parameters
    ----------
    axes : Axes
    x, y : (columns,), (rows,) arrays
        Values at the middles of cells.
    classes : (rows, columns) array of whole numbers
        Below 0: left empty.
    colors : sequence
        One a class.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    across, up = sides(x), sides(y)
    for kind, color in enumerate(colors):
        corners = [
            [(across[c], up[a]), (across[d], up[a]), (across[d], up[b]), (across[c], up[b]),
             (across[c], up[a])]
            for a, b, c, d in rectangles(classes == kind)
        ]  # fmt: skip
        if corners:
            codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
            path = Path(np.concatenate(corners), codes * len(corners))
            # Without smoothing: neighbours would show their paper between them.
            axes.add_patch(PathPatch(path, facecolor=color, edgecolor="none", linewidth=0,
                                     antialiased=False))  # fmt: skip
