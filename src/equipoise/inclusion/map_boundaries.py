r"""The curves on which a group drops out, where the law R6 gives them.

For identical agents with curvature :math:`hI` group k is excluded iff :math:`\sum_l (s_l - s_k)_+
\ge h`; for a general :math:`G` iff its score margin is not positive. The curve is the zero of
that function: it is followed from grid edge to grid edge, and every point of it on an edge is a
root to 1e-12 of the edge. Between such points it is drawn straight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.inclusion.map_axes import Axis
from equipoise.inclusion.map_batch import cores
from equipoise.inclusion.map_cells import Cells, Family, multiple
from equipoise.inclusion.map_solver import maximise_cells

__all__ = ["Boundary", "boundaries", "margin"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
Along = Callable[[IntArray, FloatArray], FloatArray]


@final
@dataclass(frozen=True, eq=False)
class Boundary:
    """A curve on which one group drops out.

    Attributes
    ----------
    group : str
        The group that drops out there.
    points : (points, 2) array
        x and y of points on the curve, in order; the first again at the end of a closed curve.
    z : float or None
        Value of the third axis.
    """

    group: str
    points: FloatArray
    z: float | None = None


def margin(cells: Cells, k: int, below: float = 0.0) -> FloatArray:
    r"""Return how far group k is inside (> 0) or outside (<= 0) in each cell, (cells,) (R6).

    With :math:`G = hI` at threshold 0 it is :math:`h - \sum_l (s_l - s_k)_+`; otherwise the
    score margin :math:`s_k - [\lambda^{(-k)} + G_{kk}\varepsilon + G_{k,-k}x^{(-k)}]`. The two
    have different units; only the zero is used here.

    Parameters
    ----------
    cells : Cells
        G positive definite on vectors that sum to zero.
    k : int
        Position of the group.
    below : float
        Threshold on top weight.
    """
    s, w, parts = cells.scores, cells.weights, cells.matrices
    plain = [multiple(part) for part in parts]
    if below == 0.0 and None not in plain:
        h = sum(weight * scale for weight, scale in zip(w, plain, strict=True) if scale is not None)
        return np.asarray(h - np.maximum(s - s[k], 0.0).sum(axis=0))
    rest = np.delete(np.arange(len(s)), k)
    inner, cross, budget = parts[:, rest[:, None], rest], parts[:, k, rest], 1.0 - below
    tilt = s[rest] - below * (cross.T @ w)
    y = maximise_cells(tilt / budget, w, inner)
    bend = np.zeros_like(y)
    pull = below * (parts[:, k, k] @ w)
    for weight, matrix, row in zip(w, inner, cross, strict=True):
        bend += weight * (matrix @ y)
        pull = pull + budget * weight * (row @ y)
    slope = tilt - budget * bend
    return np.asarray(s[k] - (slope * y).sum(axis=0) - pull)


def boundaries(
    family: Family,
    axes: Sequence[Axis],
    excluded: BoolArray,
    usable: BoolArray,
    below: float,
) -> tuple[Boundary, ...]:
    """Return the curves of every group in every plane of a map.

    Parameters
    ----------
    family : Family
    axes : (x, y) or (x, y, z)
    excluded : (z, y, x, groups) bool array
    usable : (z, y, x) bool array
        Cells where the law holds; curves end at the others.
    below : float
        Exclusion threshold on top weight.
    """
    if len(family.labels) == 1:
        return ()
    heights: list[float | None] = [None] if len(axes) == 2 else [float(v) for v in axes[2].values]
    jobs = [
        (plane, k)
        for plane in range(len(heights))
        for k in range(len(family.labels))
        if 0 < excluded[plane, :, :, k].sum() < usable[plane].size
    ]

    def follow(job: tuple[int, int]) -> list[Boundary]:
        (plane, k), z = job, heights[job[0]]
        fixed = {} if z is None else {axes[2].name: z}
        state = excluded[plane, :, :, k]
        curves = _curves(family, (axes[0], axes[1]), fixed, k, below, state, usable[plane])
        return [Boundary(family.labels[k], points, z) for points in curves]

    with ThreadPoolExecutor(cores(), thread_name_prefix="equipoise-map") as threads:
        return tuple(curve for found in threads.map(follow, jobs) for curve in found)


def _curves(
    family: Family,
    axes: tuple[Axis, Axis],
    fixed: Mapping[str, float],
    k: int,
    below: float,
    state: BoolArray,
    usable: BoolArray,
) -> list[FloatArray]:
    """Follow the zero of one group's margin through one plane."""
    xs, ys = axes[0].values, axes[1].values

    def at(x: FloatArray, y: FloatArray) -> FloatArray:
        columns = {axes[0].name: x, axes[1].name: y}
        columns |= {name: np.full(x.size, value) for name, value in fixed.items()}
        return margin(family.cells(columns), k, below)

    # Edge numbers: along x first, then along y.
    across = (state[:, 1:] != state[:, :-1]) & usable[:, 1:] & usable[:, :-1]
    up = (state[1:] != state[:-1]) & usable[1:] & usable[:-1]
    i, j = np.nonzero(across)
    along_x = _roots(lambda e, t: at(xs[j[e]] + t * (xs[j[e] + 1] - xs[j[e]]), ys[i[e]]), i.size)
    first = np.column_stack([xs[j] + along_x * (xs[j + 1] - xs[j]), ys[i]])
    p, q = np.nonzero(up)
    along_y = _roots(lambda e, t: at(xs[q[e]], ys[p[e]] + t * (ys[p[e] + 1] - ys[p[e]])), p.size)
    second = np.column_stack([xs[q], ys[p] + along_y * (ys[p + 1] - ys[p])])
    points = np.concatenate([first, second])
    number_x, number_y = np.full(across.shape, -1), np.full(up.shape, -1)
    number_x[i, j] = np.arange(i.size)
    number_y[p, q] = i.size + np.arange(p.size)
    # Edges of every square in turn: low, right, high, left.
    edges = np.stack([number_x[:-1], number_y[:, 1:], number_x[1:], number_y[:, :-1]], axis=-1)
    cut = (edges >= 0).sum(axis=-1)
    links = [tuple(square[square >= 0]) for square in edges[cut == 2]]
    rows, columns = np.nonzero(cut == 4)
    if rows.size:
        middle = at((xs[columns] + xs[columns + 1]) / 2, (ys[rows] + ys[rows + 1]) / 2) <= 0
        same = middle == state[rows, columns]
        for (low, right, high, left), joined in zip(edges[rows, columns], same, strict=True):
            pairs = ((low, right), (high, left)) if joined else ((low, left), (high, right))
            links += pairs
    return [_thinned(points[chain]) for chain in _chains(links, len(points))]


def _thinned(points: FloatArray) -> FloatArray:
    """Drop points that repeat the one before: two edges met in a corner of the grid."""
    fresh = np.append(True, (points[1:] != points[:-1]).any(axis=1))
    return points[fresh] if fresh.sum() > 1 else points


def _roots(f: Along, edges: int) -> FloatArray:
    """Find a root of f on [0, 1] for every edge: regula falsi (Illinois), all edges at once."""
    every = np.arange(edges)
    a, b = np.zeros(edges), np.ones(edges)
    if edges == 0:
        return a
    fa, fb = f(every, a), f(every, b)
    # At an end that is the root to rounding both signs may agree.
    root = np.where(np.abs(fa) <= np.abs(fb), 0.0, 1.0)
    todo = every[fa * fb < 0]
    for step in range(100):
        if not todo.size:
            break
        x0, x1, f0, f1 = a[todo], b[todo], fa[todo], fb[todo]
        # Every fourth step halves, so that no bracket can stick.
        c = (x0 + x1) / 2 if step % 4 == 3 else x1 - f1 * (x1 - x0) / (f1 - f0)
        fc = f(todo, c)
        crossed = fc * f1 < 0
        a[todo] = np.where(crossed, x1, x0)
        fa[todo] = np.where(crossed, f1, f0 / 2)
        b[todo], fb[todo] = c, fc
        root[todo] = c
        todo = todo[(np.abs(b[todo] - a[todo]) > 1e-13) & (fc != 0) & (np.abs(c - x1) > 1e-15)]
    return root


def _chains(links: Sequence[tuple[int, ...]], points: int) -> list[list[int]]:
    """Join pairs of points into chains; closed ones end where they began."""
    near: list[list[int]] = [[] for _ in range(points)]
    for one, two in links:
        near[one].append(int(two))
        near[two].append(int(one))
    seen = np.zeros(points, dtype=bool)
    out = []
    ends = [p for p in range(points) if len(near[p]) == 1]
    for begin in [*ends, *range(points)]:
        if seen[begin] or not near[begin]:
            continue
        chain, here = [begin], begin
        seen[begin] = True
        while ahead := [p for p in near[here] if not seen[p]]:
            here = ahead[0]
            seen[here] = True
            chain.append(here)
        if len(near[begin]) == 2 and len(chain) > 2 and begin in near[here]:
            chain.append(begin)
        out.append(chain)
    return out
