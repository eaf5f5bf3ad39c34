r"""How fast a population nears an equilibrium: the linear rate of each dynamics there.

Near an equilibrium with strict complementarity the groups served stay the same and a dynamics is
linear: errors shrink per step by the spectral radius of its Jacobian on the active face (R7).
Affine games only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.game.affine import AffineForm
from equipoise.game.parameters import tangent

__all__ = ["contraction_factor", "local_rate"]

FloatArray = NDArray[np.float64]

LARGEST = 1200
"""Rows × groups above which the Jacobian is not built."""


def contraction_factor(form: AffineForm, step_size: float = 1.0) -> float | None:
    r"""Return the factor by which a round of simultaneous best responses contracts (R2 c).

    :math:`\max_i |\gamma_i|\lambda_{max}(S|_T)/\lambda_{min}(H_i|_T)` in the max-norm over
    agents; with damping :math:`\eta` it is :math:`1 - \eta + \eta` times that. Below 1 it holds
    from every start; None where an agent has no curvature.
    """
    if form.n_groups == 1:
        return 0.0
    basis = tangent(form.n_groups)
    spread = float(np.linalg.eigvalsh(basis.T @ form.kernel_matrix() @ basis)[-1])
    own = np.zeros(form.n_rows)
    if form.scalar_curvature is not None:
        own = form.scalar_curvature
    else:
        bent = np.einsum("ka,ikl,lb->iab", basis, form.curvature_matrices(), basis)
        own = np.linalg.eigvalsh(bent)[:, 0]
    if not (own > 0).all():
        return None
    factor = float((np.abs(form.gamma) * spread / own).max()) if form.coupled else 0.0
    return 1.0 - step_size + step_size * factor


def local_rate(form: AffineForm, x: FloatArray, kind: str, step_size: float) -> float | None:
    """Return the factor per step by which errors shrink near an equilibrium.

    Parameters
    ----------
    form : AffineForm
    x : (rows, groups) array
        The equilibrium, zeros exact.
    kind : str
        best-response, gradient or replicator.
    step_size : float

    Returns
    -------
    float or None
        Above 1: the equilibrium repels. None for large games, or where an agent's best response
        is not smooth (no curvature on its groups).
    """
    rows, n = x.shape
    if rows * n > LARGEST:
        return None
    pull = _pull(form)
    if kind == "best-response":
        return _answering(form, x, step_size)
    if kind == "gradient":
        face = _faces(x > 0)
        if face.shape[1] == 0:
            return 0.0
        return _radius(np.eye(face.shape[1]) - step_size * face.T @ pull @ face)
    return _replicating(form, x, pull, step_size)


def _pull(form: AffineForm) -> FloatArray:
    """Return −∂v/∂x: own curvature on the diagonal blocks, γ_i W_ij S elsewhere."""
    rows, n = form.n_rows, form.n_groups
    total = np.zeros((rows, n, rows, n))
    meets = form.meeting_matrix() * form.gamma[:, None]
    total += meets[:, None, :, None] * form.kernel_matrix()[None, :, None, :]
    each = np.arange(rows)
    total[each, :, each, :] += form.curvature_matrices()
    return total.reshape(rows * n, rows * n)


def _faces(served: NDArray[np.bool_]) -> FloatArray:
    """Return an orthonormal basis of moves that keep every row's sum and its zeros."""
    rows, n = served.shape
    columns = []
    for i in range(rows):
        on = np.flatnonzero(served[i])
        for direction in tangent(on.size).T:
            column = np.zeros((rows, n))
            column[i, on] = direction
            columns.append(column.ravel())
    return np.array(columns).T if columns else np.zeros((rows * n, 0))


def _answering(form: AffineForm, x: FloatArray, step_size: float) -> float | None:
    rows, n = x.shape
    meets = form.meeting_matrix() * form.gamma[:, None]
    kernel, h = form.kernel_matrix(), form.curvature_matrices()
    jacobian = np.zeros((rows, n, rows, n))
    for i in range(rows):
        on = np.flatnonzero(x[i] > 0)
        basis = tangent(on.size)
        inner = basis.T @ h[i][np.ix_(on, on)] @ basis
        if on.size > 1 and np.linalg.eigvalsh(inner)[0] <= 0:
            return None
        p = np.zeros((n, n))
        if on.size > 1:
            p[np.ix_(on, on)] = basis @ np.linalg.solve(inner, basis.T)
        jacobian[i] = -np.einsum("kl,j->kjl", p @ kernel, meets[i])
    moves = np.kron(np.eye(rows), tangent(n))
    if moves.shape[1] == 0:
        return 0.0
    here = moves.T @ jacobian.reshape(rows * n, rows * n) @ moves
    return _radius((1.0 - step_size) * np.eye(len(here)) + step_size * here)


def _replicating(
    form: AffineForm, x: FloatArray, pull: FloatArray, step_size: float
) -> float | None:
    rows, n = x.shape
    face = _faces(x > 0)
    spread = np.zeros((rows, n, rows, n))
    for i in range(rows):
        spread[i, :, i, :] = np.diag(x[i]) - np.outer(x[i], x[i])
    inside = 0.0
    if face.shape[1]:
        moving = spread.reshape(rows * n, rows * n) @ pull
        inside = _radius(np.eye(face.shape[1]) - step_size * face.T @ moving @ face)
    # A group nobody serves shrinks by exp(η(v_k − λ)) a step.
    v = form.scores - (pull @ x.ravel()).reshape(rows, n)
    level = np.where(x > 0, v, -np.inf).max(axis=1, keepdims=True)
    absent = np.where(x > 0, -np.inf, v - level)
    return max(inside, float(np.exp(step_size * absent.max())))


def _radius(matrix: FloatArray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())
