r"""Thousands of concave programmes on the simplex at once, a step of arithmetic along all of them.

:math:`\max_{x\in\Delta} s^\top x - \tfrac12 x^\top G x` (R4) by the primal-dual active-set
iteration, the linear systems eliminated by hand in arrays of shape (groups, groups, cells):
for few groups that is far faster than one LAPACK call per cell, and NumPy releases the
interpreter's lock, so that chunks run on several threads. Nothing is certified here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.simplex import maximise, project

__all__ = ["maximise_cells"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

ZERO = 8 * float(np.finfo(np.float64).eps)
"""A weight below this times the number of groups is rounding: at the boundary a group is out."""


def maximise_cells(scores: FloatArray, weights: FloatArray, matrices: FloatArray) -> FloatArray:
    r"""Return the maximiser of every cell's programme, :math:`G = \sum_m w_m M_m`.

    Parameters
    ----------
    scores : (groups, cells) array
        Score units.
    weights : (m, cells) array
    matrices : (m, groups, groups) array
        Symmetric; each cell's G positive definite on vectors that sum to zero (not checked).

    Returns
    -------
    (groups, cells) array
        Columns on the simplex; zeros are exact. By R6 a group exactly on its boundary is out.

    Examples
    --------
    >>> s = np.array([[0.6, 2.0], [0.3, 0.0], [0.1, 0.0]])
    >>> maximise_cells(s, np.ones((1, 2)), np.eye(3)[None]).round(12).T
    array([[0.6, 0.3, 0.1],
           [1. , 0. , 0. ]])
    """
    n, cells = scores.shape
    lead = scores - scores.max(axis=0)
    x = np.zeros((n, cells))
    used = weights.any(axis=1)
    weights, matrices = weights[used], matrices[used]
    if n == 1 or cells == 0:
        return x + 1.0
    size = np.abs(lead).max(axis=0)
    for weight, matrix in zip(weights, matrices, strict=True):
        size = size + np.abs(weight) * np.abs(matrix).max()
    todo = np.arange(cells)
    served = _guess(lead, weights, matrices)
    s, w, noise = lead, weights, 1e-13 * size
    for _ in range(12 + 2 * n):
        # A cell that is not concave after all ends as NaN and fails its exam.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            y, slack = _on_support(s, w, matrices, served)
        change = np.where(served, y < -1e-14, slack > noise)
        done = ~change.any(axis=0)
        x[:, todo[done]] = y[:, done]
        left = ~done
        if not left.any():
            todo = todo[:0]
            break
        todo, s, w, noise = todo[left], s[:, left], w[:, left], noise[left]
        served = served[:, left] ^ change[:, left]
        empty = np.flatnonzero(~served.any(axis=0))
        served[s[:, empty].argmax(axis=0), empty] = True
    if todo.size:
        g = np.einsum("mc,mij->cij", w, matrices)
        x[:, todo] = maximise(s.T, g)[0].T
    x[x < n * ZERO] = 0.0
    return np.asarray(x / x.sum(axis=0))


def _guess(lead: FloatArray, weights: FloatArray, matrices: FloatArray) -> BoolArray:
    """Guess who is served: water-filling with the mean curvature of each cell on T."""
    n = len(lead)
    traces = np.trace(matrices, axis1=1, axis2=2)
    mean = (traces - matrices.sum(axis=(1, 2)) / n) / (n - 1)
    return np.asarray(project(lead.T, np.maximum(mean @ weights, 1e-300)).T > 0)


def _on_support(
    s: FloatArray, w: FloatArray, matrices: FloatArray, served: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Solve v equal on the served groups, Σx = 1, zero elsewhere; return x and v − level."""
    some = np.flatnonzero(served.any(axis=1))
    each = np.arange(s.shape[1])
    # Weights are measured against one served group p per cell: the reduced matrix
    # G_ij − G_ip − G_pj + G_pp is positive definite exactly when G is on T.
    p = np.where(served, s, -np.inf).argmax(axis=0)
    inner = np.searchsorted(some, p)
    solve, right, on = _reduced(s[some], w, matrices[:, some[:, None], some], served[some], inner)
    y = np.zeros(s.shape)
    y[some] = solve(right)
    y[p, each] = 1.0 - y.sum(axis=0)
    v = s - _times(w, matrices, y)
    # One step of refinement, with the residual from the matrices as given.
    step = np.zeros(s.shape)
    step[some] = solve((v - v[p, each])[some] * on)
    y += step
    y[p, each] -= step.sum(axis=0)
    v = s - _times(w, matrices, y)
    return y, v - v[p, each]


def _reduced(
    s: FloatArray, w: FloatArray, matrices: FloatArray, served: BoolArray, p: IntArray
) -> tuple[Callable[[FloatArray], FloatArray], FloatArray, FloatArray]:
    """Return a solver of the reduced system, its right side, and where it is free."""
    n, cells = s.shape
    each, diagonal = np.arange(cells), np.arange(n)
    g = (matrices.reshape(len(matrices), n * n).T @ w).reshape(n, n, cells)
    column = g[:, p, each]
    corner = column[p, each]
    on = served.astype(np.float64)
    on[p, each] = 0.0
    right = (s - s[p, each] - column + corner) * on
    column -= 0.5 * corner
    g -= column[:, None]
    g -= column[None, :]
    g *= on[:, None]
    g *= on[None, :]
    g[diagonal, diagonal] += 1.0 - on
    if cells < 3 * n:
        # Few cells: a call of LAPACK for each costs less than n² steps of NumPy.
        with contextlib.suppress(np.linalg.LinAlgError):
            inverse = np.linalg.inv(np.moveaxis(g, 2, 0))
            return lambda r: np.einsum("cij,jc->ic", inverse, r), right, on
    _eliminate(g)
    return lambda r: _back(g, r), right, on


def _times(w: FloatArray, matrices: FloatArray, x: FloatArray) -> FloatArray:
    total = w[0] * (matrices[0] @ x)
    for weight, matrix in zip(w[1:], matrices[1:], strict=True):
        total += weight * (matrix @ x)
    return np.asarray(total)


def _eliminate(a: FloatArray) -> None:
    """Factor symmetric matrices (n, n, cells) as LDLᵀ in place."""
    for j in range(len(a) - 1):
        factor = a[j + 1 :, j] / a[j, j]
        for i in range(j + 1, len(a)):
            a[i, j + 1 : i + 1] -= factor[i - j - 1] * a[j + 1 : i + 1, j]
        a[j + 1 :, j] = factor


def _back(a: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with the factors of `_eliminate`, (n, cells)."""
    n = len(a)
    y = right.copy()
    for j in range(n - 1):
        y[j + 1 :] -= a[j + 1 :, j] * y[j]
    y /= a[np.arange(n), np.arange(n)]
    for j in range(n - 1, 0, -1):
        y[:j] -= a[j, :j] * y[j]
    return y
