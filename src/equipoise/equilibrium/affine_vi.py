r"""Lemke's method on the whole affine game: small games of any sign, any network, no curvature.

The equilibrium conditions are a linear complementarity problem in :math:`(x, y)`, with
:math:`y_i` the level of agent i. Adding a constant to all of an agent's payoffs changes nothing,
so the payoff matrix can be made positive; then the method ends at a solution for every game of
this class, as for polymatrix games (Howson 1972, Eaves 1973), up to rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.game.affine import AffineForm

__all__ = ["pivot", "polish", "solve_lemke", "stacked"]

FloatArray = NDArray[np.float64]

SIZE_LIMIT = 700
"""Largest number of complementary pairs handed to the dense tableau."""

POLISH_LIMIT = 3500
"""Largest number of unknowns whose conditions are re-solved by one dense linear system."""


def stacked(form: AffineForm) -> tuple[FloatArray, FloatArray]:
    r"""Return (A, s) with :math:`-v(x) = A x - s` for the stacked profile."""
    n, k = form.n_rows, form.n_groups
    a: FloatArray = np.asarray(
        np.kron(form.gamma[:, None] * form.meeting_matrix(), form.kernel_matrix()),
        dtype=np.float64,
    )
    for i in range(n):
        a[i * k : (i + 1) * k, i * k : (i + 1) * k] += form.curvature_matrix(i)
    return a, np.asarray(form.scores).reshape(-1)


def solve_lemke(form: AffineForm, cover: FloatArray | None = None) -> tuple[FloatArray, int] | None:
    """Return a profile by complementary pivoting, and the number of pivots; None if it fails.

    Parameters
    ----------
    form : AffineForm
        Any affine game with rows·(groups+1) at most `SIZE_LIMIT`.
    cover : (rows·(groups+1),) array, optional
        Positive covering vector; other vectors may lead to other equilibria. Default ones.
    """
    n, k = form.n_rows, form.n_groups
    if n * (k + 1) > SIZE_LIMIT:
        return None
    a, s = stacked(form)
    scale = max(float(np.abs(a).max()), float(np.ptp(s)), 1e-300)
    a, s = a / scale, s / scale
    # Payoff shifts: every entry of A positive, every q nonnegative (see the file's docstring).
    a = a + (1.0 - a.min())
    q = np.concatenate([s.max() - s, -np.ones(n)])
    size = n * (k + 1)
    m = np.zeros((size, size))
    owner = np.repeat(np.arange(n), k)
    m[: n * k, : n * k] = a
    m[np.arange(n * k), n * k + owner] = -1.0
    m[n * k + owner, np.arange(n * k)] = 1.0
    found = pivot(m, q, np.ones(size) if cover is None else cover)
    if found is None:
        return None
    z, steps = found
    x = np.maximum(z[: n * k].reshape(n, k), 0.0)
    sums = x.sum(axis=1, keepdims=True)
    if not (sums > 0.5).all():
        return None
    return polish(form, x / sums), steps


def pivot(m: FloatArray, q: FloatArray, cover: FloatArray) -> tuple[FloatArray, int] | None:
    """Lemke's algorithm with a lexicographic ratio test: w = Mz + q, w ⟂ z, both ≥ 0."""
    size = q.size
    # Columns: w (identity), z, z0, right-hand side. Rows: basic variables.
    table = np.hstack([np.eye(size), -m, -cover[:, None], q[:, None]])
    basis = np.arange(size)
    ratios = q / cover
    row = int(np.argmin(ratios))
    enter = 2 * size
    for step in range(1, 40 * size + 200):
        pivot = table[row, enter]
        table[row] /= pivot
        column = table[:, enter].copy()
        column[row] = 0.0
        table -= np.outer(column, table[row])
        table[:, enter] = 0.0
        table[row, enter] = 1.0
        left, basis[row] = basis[row], enter
        if left == 2 * size:
            z = np.zeros(2 * size + 1)
            z[basis] = table[:, -1]
            return z[size : 2 * size], step
        enter = left + size if left < size else left - size
        column = table[:, enter]
        row_or_none = _leaving(table, column, basis, size)
        if row_or_none is None:
            return None
        row = row_or_none
    return None


def _leaving(
    table: FloatArray, column: FloatArray, basis: NDArray[np.intp], size: int
) -> int | None:
    rows = np.flatnonzero(column > 1e-11)
    if not rows.size:
        return None
    ratios = table[rows, -1] / column[rows]
    rows = rows[ratios <= ratios.min() + 1e-12 * (1.0 + abs(float(ratios.min())))]
    artificial = rows[basis[rows] == 2 * size]
    if artificial.size:
        return int(artificial[0])
    # Ties: the lexicographically smallest row of the inverse basis (first `size` columns).
    for j in range(size):
        if rows.size == 1:
            break
        values = table[rows, j] / column[rows]
        rows = rows[values <= values.min() + 1e-13]
    return int(rows[0])


def polish(form: AffineForm, x: FloatArray, rounds: int = 8) -> FloatArray:
    """Re-solve the equilibrium conditions on the groups served, until the signs agree.

    A zero is confirmed this way, never read off a small number (R3). Returns the best guess
    unchanged when the conditions on its support have no (nonnegative) solution.
    """
    n, k = x.shape
    if n * (k + 1) > POLISH_LIMIT:
        return x
    a, s = stacked(form)
    owner = np.repeat(np.arange(n), k)
    slack = _slack(a, s, x)
    scale = max(float(np.abs(s).max()), float(np.abs(a).max()), 1e-300)
    # Served where the weight is larger than the payoff lost: both are ~0 off the truth.
    served = x.reshape(-1) > np.minimum(slack.reshape(-1) / scale, 1e-7)
    for _ in range(rounds):
        on = np.flatnonzero(served)
        if np.bincount(owner[on], minlength=n).min() == 0:
            return x
        y = _solve_support(a, s, on, owner, n)
        if y is None:
            return x
        bad = y < -1e-13
        lost = _slack(a, s, y.reshape(n, k)).reshape(-1)
        missing = ~served & (lost < -1e-12 * scale)
        if not bad.any() and not missing.any():
            y = np.maximum(y, 0.0).reshape(n, k)
            return np.asarray(y / y.sum(axis=1, keepdims=True))
        served = (served & ~bad) | missing
    return x


def _slack(a: FloatArray, s: FloatArray, x: FloatArray) -> FloatArray:
    """Payoff lost by each group against the served level of its agent, (rows, groups)."""
    v = (s - a @ x.reshape(-1)).reshape(x.shape)
    level = (v * x).sum(axis=1, keepdims=True)
    return np.asarray(level - v)


def _solve_support(
    a: FloatArray, s: FloatArray, on: NDArray[np.intp], owner: NDArray[np.intp], n: int
) -> FloatArray | None:
    count = on.size
    system = np.zeros((count + n, count + n))
    system[:count, :count] = a[np.ix_(on, on)]
    system[np.arange(count), count + owner[on]] = 1.0
    system[count + owner[on], np.arange(count)] = 1.0
    right = np.concatenate([s[on], np.ones(n)])
    try:
        found = np.linalg.solve(system, right)
        found += np.linalg.solve(system, right - system @ found)
    except np.linalg.LinAlgError:
        found = np.linalg.lstsq(system, right, rcond=None)[0]
    if not np.isfinite(found).all() or np.abs(found[:count]).max() > 10:
        return None
    y = np.zeros(s.size)
    y[on] = found[:count]
    return y
