r"""The exam of many cells at once: gaps from the gradient alone, and whether each is unique.

This file imports no solver: the examiner is not the candidate. It adds the gradient up term by
term, as the game defines it, and not through the scores that the solver sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.game.parameters import tangent
from equipoise.inclusion.map_cells import Cells, Family, multiple, tangent_range

__all__ = ["concave", "relative_gap", "unique"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ROUNDING = 8 * float(np.finfo(np.float64).eps)
DEFINITE = 1e-12
"""An eigenvalue counts as positive above this times the size of its matrix."""


def relative_gap(cells: Cells, x: FloatArray) -> FloatArray:
    r"""Return the Frank–Wolfe gap over the utility range, (cells,) (R3).

    :math:`g = \sum_k x_k(\max v - v_k)`, :math:`v = \alpha a + \beta B(c - x) - \rho Rx -
    \gamma Sx + \delta`; the range is the spread of the utility over the vertices and x, the
    others fixed.

    Parameters
    ----------
    cells : Cells
    x : (groups, cells) array
        The mixture that every agent of a cell plays.

    Returns
    -------
    (cells,) array
        0 where the gap is below its own rounding error; infinite where x is no mixture.
    """
    off = cells.anchor - x
    paid = cells.alpha * (cells.values - cells.values.max(axis=0)) + cells.prices
    held, own, met = cells.metric @ off, cells.breadth @ x, cells.kernel @ x
    v = paid + cells.beta * held - cells.rho * own - cells.gamma * met
    lost = v.max(axis=0) - v
    gap = (x * lost).sum(axis=0)
    size = np.abs(paid).max(axis=0) + cells.beta * np.abs(held).max(axis=0)
    size += cells.rho * np.abs(own).max(axis=0) + np.abs(cells.gamma * met).max(axis=0)
    # Utilities up to what the mixture does not change; the others are met at x.
    met = paid - cells.gamma * met
    pull = cells.metric @ cells.anchor
    spread = np.diag(cells.metric)[:, None] - 2 * pull + (cells.anchor * pull).sum(axis=0)
    at = met - 0.5 * cells.beta * spread - 0.5 * cells.rho * np.diag(cells.breadth)[:, None]
    here = (x * met).sum(axis=0) - 0.5 * cells.beta * (off * held).sum(axis=0)
    here -= 0.5 * cells.rho * (x * own).sum(axis=0)
    extent = np.maximum(at.max(axis=0), here) - np.minimum(at.min(axis=0), here)
    counted = np.where(gap <= ROUNDING * (1 + len(x)) * size, 0.0, gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(counted == 0.0, 0.0, counted / extent)
    mixture = (x.min(axis=0) >= 0) & (np.abs(x.sum(axis=0) - 1.0) <= 1e-9)
    return np.where(mixture & ~np.isnan(relative), relative, np.inf)


def concave(cells: Cells) -> BoolArray:
    """Whether each cell's symmetric programme is strictly concave: G ≻ 0 on T (R4)."""
    return _definite(cells, cells.gamma, exactly=True)


def unique(cells: Cells, family: Family) -> BoolArray:
    r"""Whether each cell is proved to have one equilibrium, (cells,) (R2).

    Identical agents on symmetric links: :math:`H + \gamma\mu S \succ 0` on T for the least and
    the largest eigenvalue :math:`\mu` of W, R2(a); on the default network that is R2(b) for
    identical agents. Directed links: R2(c). Beyond it one group may dominate, R2(f).
    """
    proved = np.ones(len(cells), dtype=bool)
    for link in family.links:
        proved &= _definite(cells, cells.gamma * link, exactly=family.symmetric)
    plain = [multiple(m) for m in (cells.metric, cells.breadth, cells.kernel)]
    if family.everybody and plain[0] is not None and plain[1] is not None and plain[2] == 1.0:
        h = cells.beta * plain[0] + cells.rho * plain[1]
        score = cells.scores
        ordered = np.partition(score, -2, axis=0) if len(score) > 1 else score
        if len(score) > 1:
            lead = ordered[-1] - ordered[-2] - (h + cells.gamma)
            size = np.abs(score).max(axis=0) + h + np.abs(cells.gamma)
            proved |= (cells.gamma > 0) & (lead > DEFINITE * size)
    return proved


def _definite(cells: Cells, meeting: FloatArray, *, exactly: bool) -> BoolArray:
    """Whether βB + ρR + meeting·S ≻ 0 on T, by a bound, then by eigenvalues where that fails.

    The bound adds the eigenvalues of the parts, so it is exact when all parts but one are
    multiples of the identity.
    """
    n = len(cells.metric)
    if n == 1:
        return np.ones(len(cells), dtype=bool)
    low = np.zeros(len(cells))
    size = np.zeros(len(cells))
    mixed = 0
    for weight, matrix in (
        (cells.beta, cells.metric), (cells.rho, cells.breadth), (meeting, cells.kernel)
    ):  # fmt: skip
        if not weight.any():
            continue
        least, most = tangent_range(matrix)
        low += np.where(weight >= 0, weight * least, weight * most)
        size += np.abs(weight) * max(abs(least), abs(most))
        mixed += multiple(matrix) is None
    proved = low > DEFINITE * size
    if mixed < 2 or not exactly:
        return proved
    basis = tangent(n)
    parts = np.stack([basis.T @ m @ basis for m in cells.matrices])
    for part in np.array_split(np.flatnonzero(~proved), 1 + int((~proved).sum()) // 20_000):
        weights = np.stack([cells.beta[part], cells.rho[part], meeting[part]])
        values = np.linalg.eigvalsh(np.einsum("mc,mij->cij", weights, parts))
        proved[part] = values[:, 0] > DEFINITE * size[part] if part.size else False
    return proved
