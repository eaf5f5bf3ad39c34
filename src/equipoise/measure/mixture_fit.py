r"""The most likely mixture behind independent units: EM, then active-set Newton (R14).

.. math:: \ell(w) = \sum_i v_i \log \sum_k w_k L_{ik}, \qquad w \in \Delta_K

is concave. EM never leaves the simplex and never goes down, but creeps along flat directions;
Newton on the active set finishes. How good the answer is, is judged elsewhere (`mixture_exam`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["em_step", "fit_mixture", "relative_likelihoods"]

FloatArray = NDArray[np.float64]

EM_STEPS = 10
NEWTON_STEPS = 50
ROUNDING = 1e-13


def relative_likelihoods(logs: FloatArray) -> FloatArray:
    """Likelihoods (n, K) with each unit's largest set to 1: no underflow, same mixture."""
    return np.asarray(np.exp(logs - logs.max(axis=1, keepdims=True)))


def em_step(likelihoods: FloatArray, v: FloatArray, w: FloatArray) -> FloatArray:
    r"""One step of EM: :math:`w_k \leftarrow w_k\, n^{-1} \sum_i v_i L_{ik} / (Lw)_i`."""
    step = w * (likelihoods.T @ (v / (likelihoods @ w))) / v.sum()
    return np.asarray(step / step.sum())


def fit_mixture(
    likelihoods: FloatArray, v: FloatArray, *, start: FloatArray | None = None, tol: float = 1e-10
) -> FloatArray:
    """Maximise the mixture log-likelihood over the simplex.

    Parameters
    ----------
    likelihoods : (n, K) array
        From `relative_likelihoods`.
    v : (n,) array
        Weights of the units.
    start : (K,) array, optional
        Where to start; weights of 0 may become positive again.
    tol : float
        Stop when no mixture can have a log-likelihood more than this higher (nats), or when
        rounding stops progress.

    Returns
    -------
    (K,) weights; zeros are exact zeros.

    Examples
    --------
    >>> likelihoods = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> fit_mixture(likelihoods, np.array([30.0, 10.0]))
    array([0.75, 0.25])
    """
    k = likelihoods.shape[1]
    n = float(v.sum())
    w = np.full(k, 1.0 / k) if start is None else 0.9 * start + 0.1 / k
    for _ in range(EM_STEPS):
        w = em_step(likelihoods, v, w)
    value = _log_likelihood(likelihoods, v, w)
    for _ in range(NEWTON_STEPS):
        ratio = likelihoods / (likelihoods @ w)[:, None]
        gradient = v @ ratio / n
        if n * (gradient.max() - 1.0) <= tol:
            break
        curvature = (ratio.T * v) @ ratio / n
        direction = _best_quadratic(2.0 * gradient, curvature, w) - w
        w, value, moved = _searched(likelihoods, v, w, direction, value)
        if not moved:
            break
    return w


def _log_likelihood(likelihoods: FloatArray, v: FloatArray, w: FloatArray) -> float:
    mixed = likelihoods @ w
    return float(v @ np.log(mixed)) if (mixed > 0.0).all() else -np.inf


def _searched(
    likelihoods: FloatArray, v: FloatArray, w: FloatArray, direction: FloatArray, value: float
) -> tuple[FloatArray, float, bool]:
    """Halve the step until the log-likelihood does not fall."""
    step = 1.0
    for _ in range(40):
        # A coordinate that goes to its bound is set there exactly by the full step only.
        trial = np.maximum(w + step * direction, 0.0)
        trial /= trial.sum()
        reached = _log_likelihood(likelihoods, v, trial)
        # Near the top a gain drowns in the rounding of the sum, and Newton's step is right.
        if reached >= value - ROUNDING * abs(value) and (trial != w).any():
            return trial, reached, True
        step /= 2.0
    return w, value, False


def _best_quadratic(linear: FloatArray, curvature: FloatArray, start: FloatArray) -> FloatArray:
    """Maximise b'y - y'Hy/2 over the simplex by a primal active set from `start`."""
    k = start.size
    ridge = 1e-13 * float(np.trace(curvature)) * np.eye(k)
    y, free = start.copy(), start > 0.0
    for _ in range(20 * k):
        target = np.zeros(k)
        target[free] = _equal(linear[free], (curvature + ridge)[np.ix_(free, free)])
        step = target - y
        shrinking = free & (target < 0.0)
        if shrinking.any():
            room = np.where(shrinking, y / np.where(shrinking, -step, 1.0), np.inf)
            first = int(np.argmin(room))
            y = y + min(1.0, float(room[first])) * step
            y[first], free[first] = 0.0, False
            continue
        y = target
        slope = linear - curvature @ y
        multiplier = float(slope[free].mean())
        gain = np.where(free, -np.inf, slope - multiplier)
        best = int(np.argmax(gain))
        if gain[best] <= 1e-13 * max(1.0, abs(multiplier)):
            return np.asarray(y)
        free[best] = True
    return np.asarray(y)


def _equal(linear: FloatArray, curvature: FloatArray) -> FloatArray:
    """Stationary point of b'y - y'Hy/2 with sum(y) = 1."""
    k = linear.size
    system = np.zeros((k + 1, k + 1))
    system[:k, :k], system[:k, k], system[k, :k] = curvature, 1.0, 1.0
    right = np.append(linear, 1.0)
    try:
        return np.asarray(np.linalg.solve(system, right)[:k])
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0][:k])
