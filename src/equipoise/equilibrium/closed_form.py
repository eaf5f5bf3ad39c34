"""Equilibria in closed form: agents alone, identical agents (R4), interior games (R5), KL (R8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.simplex import maximise, project
from equipoise.game.affine import AffineForm
from equipoise.game.parameters import tangent

__all__ = ["alone", "identical", "interior", "log_linear"]

FloatArray = NDArray[np.float64]


def definite_on_tangent(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix is positive definite on vectors that sum to zero."""
    if len(matrix) == 1:
        return True
    basis = tangent(len(matrix))
    values = np.linalg.eigvalsh(basis.T @ matrix @ basis)
    return bool(values[0] > 1e-13 * max(values[-1], 1e-300))


def alone(form: AffineForm) -> FloatArray | None:
    r"""Return each agent's own optimum when nobody looks at the others.

    Curvature :math:`hI` by water-filling (R4), general curvature by its programme, no curvature
    at all: equal weights on the best groups. None when some agent's curvature is singular on
    the tangent space without being zero.
    """
    scores = np.asarray(form.scores)
    scalar = form.scalar_curvature
    if scalar is not None:
        flat = scalar == 0
        x = project(scores, np.where(flat, 1.0, scalar))
        if flat.any():
            best = scores[flat] == scores[flat].max(axis=1, keepdims=True)
            x[flat] = best / best.sum(axis=1, keepdims=True)
        return x
    matrices = form.curvature_matrices()
    if not all(definite_on_tangent(m) for m in matrices):
        return None
    return maximise(scores, matrices)[0]


def identical(form: AffineForm) -> FloatArray | None:
    r"""Return the symmetric equilibrium of identical agents (R4).

    :math:`\arg\max_{x\in\Delta} s^\top x - \tfrac12 x^\top (\beta B + \rho R + \gamma S) x`; None
    unless that curvature is positive definite on the tangent space. Every agent must meet
    somebody (rows of W summing to 1). Other equilibria may exist when uniqueness is not proved.
    """
    scores = np.asarray(form.scores[:1])
    scalar, sigma = form.scalar_curvature, form.kernel_scale
    gamma = float(form.gamma[0])
    if scalar is not None and sigma is not None:
        h = float(scalar[0]) + gamma * sigma
        if h <= 0:
            return None
        row = project(scores, np.array([h]))
    else:
        matrix = form.curvature_matrix(0) + gamma * form.kernel_matrix()
        if not definite_on_tangent(matrix):
            return None
        row = maximise(scores, matrix)[0]
    return np.broadcast_to(row, form.scores.shape)


def interior(form: AffineForm) -> FloatArray | None:
    r"""Return R5's interior equilibrium: default network, common weights, :math:`B = S = I`.

    :math:`\lambda_i = (\sum_k s_{ik} - h - \gamma)/K`, :math:`\sum_j x_j = \sum_j (s_j -
    \lambda_j 1)/(h+\gamma)`, :math:`x_i = (s_i - \tfrac{\gamma}{N-1}\sum_j x_j - \lambda_i 1)/
    (h - \tfrac{\gamma}{N-1})`. None where an entry is negative or the form does not apply.
    """
    scalar = form.scalar_curvature
    if scalar is None or not form.common_weights:
        return None
    if form.kernel_scale != 1.0 or form.network is not None:
        return None
    h, gamma = float(scalar[0]), float(form.gamma[0])
    others = form.agents.total - 1
    if others < 1:
        return None
    if h + gamma <= 0 or h - gamma / others <= 0:
        return None
    centred = form.scores - form.scores.mean(axis=1, keepdims=True)
    base = form.agents.counts @ centred / (h + gamma) + form.agents.total / form.n_groups
    level = -(h + gamma) / form.n_groups
    x = (centred - gamma / others * base - level) / (h - gamma / others)
    # Next to a boundary the sign is rounding: leave it to a method that confirms zeros.
    return x if x.min() > 1e-12 else None


def log_linear(linear: FloatArray, anchor: FloatArray, weight: FloatArray) -> FloatArray:
    r"""Return R8's best response to KL consistency, :math:`x \propto c \odot e^{g/\beta}`.

    Parameters
    ----------
    linear : (rows, groups) array
        :math:`g`: everything in the utility that is linear in the own mixture.
    anchor : (rows, groups) array
        :math:`c_i`.
    weight : (rows,) array
        :math:`\beta_i > 0`.

    Examples
    --------
    >>> x = log_linear(np.array([[0.0, np.log(3.0)]]), np.array([[0.5, 0.5]]), np.ones(1))
    >>> x.round(12)
    array([[0.25, 0.75]])
    """
    with np.errstate(divide="ignore"):
        exponent = linear / weight[:, None] + np.log(anchor)
    exponent = exponent - exponent.max(axis=1, keepdims=True)
    # Below e^-690 a weight would be denormal and its logarithm wrong; keep it positive.
    x = np.where(anchor > 0, np.exp(np.maximum(exponent, -690.0)), 0.0)
    return np.asarray(x / x.sum(axis=1, keepdims=True))
