"""Concave quadratic programmes on the simplex: the building block of every best response.

`project` is the water-filling of R4 (curvature a multiple of the identity; Held, Wolfe and
Crowder 1974). `maximise` takes any curvature that is positive definite on the tangent space,
a whole batch at once, by a primal-dual active-set iteration with a one-at-a-time method of
finite termination behind it.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

__all__ = ["maximise", "project", "solve_on"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def project(scores: FloatArray, curvature: FloatArray) -> FloatArray:
    r"""Return :math:`\arg\max_{x\in\Delta} \langle s_i, x\rangle - \tfrac{h_i}{2}\|x\|^2` (R4).

    Parameters
    ----------
    scores : (rows, groups) array
        :math:`s_i`, score units.
    curvature : (rows,) array
        :math:`h_i > 0`.

    Returns
    -------
    (rows, groups) array
        Rows on the simplex; zeros are exact.

    Source: Held, Wolfe, Crowder, *Validation of subgradient optimization*, Math. Prog. 6, 1974.

    Examples
    --------
    >>> project(np.array([[2.0, 0.0], [0.25, 0.25]]), np.ones(2))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    # Measured from the best score, served entries are at most h in size: nothing cancels.
    lead: FloatArray = scores - scores.max(axis=1, keepdims=True)
    h = curvature[:, None]
    # (Σ of the q best − h)/q rises while the q-th is served and falls after: its top is λ.
    sums = np.sort(lead, axis=1)[:, ::-1].cumsum(axis=1)
    sums -= h
    sums /= _counts(lead.shape[1])
    lead -= sums.max(axis=1, keepdims=True)
    np.maximum(lead, 0.0, out=lead)
    lead /= h
    return lead


@functools.cache
def _counts(n: int) -> FloatArray:
    counts = np.arange(1.0, n + 1.0)
    counts.setflags(write=False)
    return counts


def solve_on(
    scores: FloatArray, curvature: FloatArray, served: BoolArray
) -> tuple[FloatArray, FloatArray]:
    r"""Solve :math:`Hx + \lambda 1 = s` on the served groups, :math:`\sum x = 1`, zero elsewhere.

    Parameters
    ----------
    scores : (batch, groups) array
    curvature : (batch, groups, groups) array
    served : (batch, groups) bool array
        Nonempty in every row.

    Returns
    -------
    x : (batch, groups) array
        May be negative: signs are the caller's to check.
    level : (batch,) array
        :math:`\lambda`.
    """
    batch, n = scores.shape
    if batch == 1 and not served.all():
        # One programme: the groups that are not served need not enter the system at all.
        on_one = np.flatnonzero(served[0])
        some, level = solve_on(
            scores[:, on_one], curvature[:, on_one[:, None], on_one], served[:, on_one]
        )
        x = np.zeros((1, n))
        x[0, on_one] = some[0]
        return x, level
    on = served.astype(np.float64)
    matrix = np.zeros((batch, n + 1, n + 1))
    matrix[:, :n, :n] = curvature * on[:, :, None] * on[:, None, :]
    k = np.arange(n)
    size = np.abs(curvature).max(axis=(1, 2))
    scale = np.where(size > 0, size, 1.0)
    matrix[:, :n, :n] /= scale[:, None, None]
    matrix[:, k, k] += 1.0 - on
    matrix[:, :n, n] = on
    matrix[:, n, :n] = on
    right = np.concatenate([scores * on / scale[:, None], np.ones((batch, 1))], axis=1)
    found = np.linalg.solve(matrix, right[..., None])[..., 0]
    # One step of refinement: the bordered system loses digits when H is nearly singular.
    rest = right - (matrix @ found[..., None])[..., 0]
    found += np.linalg.solve(matrix, rest[..., None])[..., 0]
    return found[:, :n] * on, found[:, n] * scale


def maximise(
    scores: FloatArray, curvature: FloatArray, *, served: BoolArray | None = None
) -> tuple[FloatArray, BoolArray]:
    r"""Return :math:`\arg\max_{x\in\Delta} \langle s, x\rangle - \tfrac12 x^\top H x`, batched.

    Parameters
    ----------
    scores : (batch, groups) array
        Score units.
    curvature : (batch, groups, groups) or (groups, groups) array
        :math:`H`, symmetric, positive definite on vectors that sum to zero (not checked).
    served : (batch, groups) bool array, optional
        A guess of which groups end up served: a warm start.

    Returns
    -------
    x : (batch, groups) array
        Rows on the simplex; zeros are exact.
    served : (batch, groups) bool array
        Where `x` was allowed to be positive.

    Examples
    --------
    >>> x, _ = maximise(np.array([[0.6, 0.3, 0.1]]), np.eye(3))
    >>> x.round(12)
    array([[0.6, 0.3, 0.1]])
    """
    batch, n = scores.shape
    h = np.broadcast_to(curvature, (batch, n, n))
    lead = scores - scores.max(axis=1, keepdims=True)
    active = np.ones((batch, n), dtype=bool) if served is None else served.copy()
    active |= ~active.any(axis=1, keepdims=True)
    x = np.zeros((batch, n))
    open_rows = np.arange(batch)
    for _ in range(12 + 2 * n):
        now = active[open_rows]
        try:
            y, level = solve_on(lead[open_rows], h[open_rows], now)
        except np.linalg.LinAlgError:
            break
        slack = lead[open_rows] - (h[open_rows] @ y[..., None])[..., 0] - level[:, None]
        size = np.abs(lead[open_rows]).max(axis=1) + np.abs(h[open_rows]).max(axis=(1, 2))
        noise = 1e-13 * (size + np.abs(level))
        change = (now & (y < -1e-14)) | (~now & (slack > noise[:, None]))
        done = ~change.any(axis=1)
        x[open_rows[done]] = np.maximum(y[done], 0.0)
        active[open_rows] = now ^ change
        emptied = ~active[open_rows].any(axis=1)
        active[open_rows[emptied], lead[open_rows[emptied]].argmax(axis=1)] = True
        open_rows = open_rows[~done]
        if not open_rows.size:
            break
    for row in open_rows:
        x[row], active[row] = _one_at_a_time(lead[row], h[row])
    return x / x.sum(axis=1, keepdims=True), active


def _one_at_a_time(scores: FloatArray, h: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Primal active-set method: one group enters or leaves a step, the value never falls."""
    n = scores.size
    x = np.zeros(n)
    x[np.argmax(scores - 0.5 * np.diag(h))] = 1.0
    active = x > 0
    for _ in range(50 * n + 50):
        y, level = (part[0] for part in _solve_single(scores, h, active))
        if (y[active] < 0).any():
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = np.where(active & (y < 0), x / (x - y), np.inf)
            block = int(np.argmin(reach))
            x = np.where(active, x + reach[block] * (y - x), 0.0)
            x[block] = 0.0
            active[block] = False
            continue
        x = y
        slack = np.where(active, -np.inf, scores - h @ x - level)
        enter = int(np.argmax(slack))
        size = float(np.abs(scores).max() + np.abs(h).max()) + abs(float(level))
        if slack[enter] <= 1e-13 * size:
            break
        active[enter] = True
    return np.maximum(x, 0.0), active


def _solve_single(
    scores: FloatArray, h: FloatArray, active: BoolArray
) -> tuple[FloatArray, FloatArray]:
    return solve_on(scores[None], h[None], active[None])
