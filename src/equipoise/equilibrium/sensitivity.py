r"""How the coverage answers to prices: R7, on the groups that agents serve.

While every agent keeps the set of groups it serves, coverage is an affine function of a common
price vector: :math:`\bar x = \bar x_0 + J\,(\delta - \delta_0)` with :math:`J = (I + Q S)^{-1}
\sum_i (n_i/N) P_i` (default network). With a network the same is read off the stacked conditions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import stacked
from equipoise.game.affine import AffineForm

__all__ = ["DENSE_LIMIT", "CoverageLine", "coverage_line"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

DENSE_LIMIT = 3500
"""Largest rows·(groups+1) of a network game whose conditions are solved as one dense system."""


class CoverageLine(NamedTuple):
    """Coverage as an affine function of a change of prices, on given supports."""

    at: FloatArray
    """Coverage at no change, (groups,): extrapolated, so it may be negative."""
    slope: FloatArray
    """Derivative of coverage in the prices, (groups, groups)."""


def coverage_line(form: AffineForm, served: BoolArray) -> CoverageLine | None:
    r"""Return coverage as an affine function of prices while `served` stays as it is (R7).

    Parameters
    ----------
    form : AffineForm
        An affine game, prices so far included in its scores.
    served : (rows, groups) bool array
        Which groups each row serves; at least one in every row.

    Returns
    -------
    CoverageLine or None
        None where the conditions on these supports are singular (an agent without curvature),
        or where a network game is too large. Exact on the supports given; not guaranteed: that
        the supports hold for the change that is made.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> form = game("toy").affine
    >>> line = coverage_line(form, np.ones((2, 3), dtype=bool))
    >>> float(round(line.at[2], 6)), float(round(line.slope[2, 2], 6))
    (0.012821, 0.512821)
    """
    try:
        if form.network is not None:
            return _on_network(form, served)
        return _everybody(form, served)
    except np.linalg.LinAlgError:
        return None


def _everybody(form: AffineForm, served: BoolArray) -> CoverageLine | None:
    total, n = form.agents.total, form.n_groups
    share = form.agents.counts / total
    grown = form.gamma * (total / max(1, total - 1)) if form.coupled else np.zeros(form.n_rows)
    met = form.gamma / max(1, total - 1) if form.coupled else np.zeros(form.n_rows)
    scalar, sigma = form.scalar_curvature, form.kernel_scale
    on = served.astype(np.float64)
    size = on.sum(axis=1)
    if scalar is not None and sigma is not None:
        own = scalar - met * sigma
        if not own.all():
            return None
        leads = form.leads
        mean = (leads * on).sum(axis=1) / size
        fixed = on * ((leads - mean[:, None]) / own[:, None] + 1.0 / size[:, None])
        answer = _total(on, size, share / own)
        q = _total(on, size, share * grown / own)
    else:
        p, base = _inverses(form, met, on)
        fixed = np.einsum("ijk,ik->ij", p, form.leads) + base
        answer = np.einsum("i,ijk->jk", share, p)
        q = np.einsum("i,ijk->jk", share * grown, p)
    coupling = np.eye(n) + (q * sigma if sigma is not None else q @ form.kernel_matrix())
    found = np.linalg.solve(coupling, np.column_stack([share @ fixed, answer]))
    return CoverageLine(found[:, 0], found[:, 1:])


def _total(on: FloatArray, size: FloatArray, weight: FloatArray) -> FloatArray:
    """Return Σ w_i (diag(on_i) − on_i on_iᵀ/|A_i|): the scalar P_i, weighted and added up."""
    out: FloatArray = -(on.T * (weight / size)) @ on
    out.flat[:: out.shape[0] + 1] += weight @ on
    return out


def _inverses(form: AffineForm, met: FloatArray, on: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return P_i and the mixture at zero scores, from the bordered systems."""
    n = form.n_groups
    k = np.arange(n)
    own = form.curvature_matrices() - met[:, None, None] * form.kernel_matrix()
    border = np.zeros((form.n_rows, n + 1, n + 1))
    both = on[:, :, None] * on[:, None, :]
    border[:, :n, :n] = own * both
    border[:, k, k] += 1.0 - on
    border[:, :n, n] = on
    border[:, n, :n] = on
    inverse = np.linalg.inv(border)
    return np.asarray(inverse[:, :n, :n] * both), np.asarray(inverse[:, :n, n] * on)


def _on_network(form: AffineForm, served: BoolArray) -> CoverageLine | None:
    rows, n = served.shape
    if rows * (n + 1) > DENSE_LIMIT:
        return None
    a, s = stacked(form)
    on = np.flatnonzero(served)
    owner, group = on // n, on % n
    system = np.zeros((on.size + rows, on.size + rows))
    system[: on.size, : on.size] = a[np.ix_(on, on)]
    system[np.arange(on.size), on.size + owner] = 1.0
    system[on.size + owner, np.arange(on.size)] = 1.0
    right = np.zeros((on.size + rows, n + 1))
    right[: on.size, 0] = s[on]
    right[on.size :, 0] = 1.0
    right[np.arange(on.size), 1 + group] = 1.0
    found = np.linalg.solve(system, right)[: on.size]
    share = form.agents.counts / form.agents.total
    out = np.zeros((n, n + 1))
    np.add.at(out, group, share[owner, None] * found)
    return CoverageLine(out[:, 0], out[:, 1:])
