r"""The exam of a fitted mixture and of its intervals: bounds from gradients alone, no solver.

Concavity gives :math:`\ell(u) \le \ell(w) + \nabla\ell(w)^\top(u-w)` for every mixture `u`, so

.. math:: \max_u \ell(u) - \ell(w) \le n\,(\max_k g_k - 1), \qquad
          g_k = \frac1n \sum_i v_i \frac{L_{ik}}{(Lw)_i},

and `w` is optimal iff :math:`g_k \le 1` with equality where :math:`w_k > 0` (the KKT
conditions). In the same way any point of a likelihood region bounds the region from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MixtureExam", "examine_mixture", "outer_bound"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class MixtureExam:
    """How far a mixture is from the most likely one.

    Attributes
    ----------
    gap : float
        Upper bound, in nats, on how much more likely any mixture can be.
    slackness : float
        Largest |w_k (g_k - 1)|: 0 at the optimum.
    gradient : (K,) array
        The g_k of the KKT conditions.
    feasible : bool
        Whether the weights are a mixture (to 1e-12).
    """

    gap: float
    slackness: float
    gradient: FloatArray
    feasible: bool


def examine_mixture(likelihoods: FloatArray, v: FloatArray, w: FloatArray) -> MixtureExam:
    """Judge a mixture by the KKT conditions.

    Parameters
    ----------
    likelihoods : (n, K) array
        Likelihood of each unit under each group, up to a factor per unit.
    v : (n,) array
        Weights of the units.
    w : (K,) array
        The mixture to judge, whoever made it.

    Returns
    -------
    MixtureExam.

    Examples
    --------
    >>> exam = examine_mixture(np.eye(2), np.array([3.0, 1.0]), np.array([0.75, 0.25]))
    >>> exam.gap, exam.slackness
    (0.0, 0.0)
    """
    n = float(v.sum())
    gradient = np.asarray((likelihoods / (likelihoods @ w)[:, None]).T @ v) / n
    feasible = bool(abs(w.sum() - 1.0) <= 1e-12 and (w >= 0.0).all())
    return MixtureExam(
        max(0.0, n * float(gradient.max() - 1.0)),
        float(np.abs(w * (gradient - 1.0)).max()),
        gradient,
        feasible,
    )


def outer_bound(
    likelihoods: FloatArray, v: FloatArray, w: FloatArray, level: float, direction: FloatArray
) -> float:
    r"""Bound :math:`\max \{d^\top u : \ell(u) \ge \text{level},\ u \in \Delta\}` from outside.

    Parameters
    ----------
    likelihoods, v
        As in `examine_mixture`.
    w : (K,) array
        Any mixture; the nearer to the maximiser, the sharper the bound.
    level : float
        Log-likelihood that defines the region, nats.
    direction : (K,) array
        The `d` of the bound.

    Returns
    -------
    float: no mixture of the region has a larger :math:`d^\top u`. The region is widened to
    :math:`\nabla\ell(w)^\top u \ge` (level − ℓ(w) + n); over the simplex that linear programme has
    its maximum at a vertex or between two, and all are tried.

    Examples
    --------
    >>> likelihoods, v = np.eye(2), np.array([3.0, 1.0])
    >>> w = np.array([0.9, 0.1])
    >>> level = float(v @ np.log(w))
    >>> round(outer_bound(likelihoods, v, w, level, np.array([1.0, 0.0])), 12)
    0.9
    """
    mixed = likelihoods @ w
    slope = np.asarray((likelihoods / mixed[:, None]).T @ v)
    least = level - float(v @ np.log(mixed)) + float(v.sum())
    inside = slope >= least
    best = float(direction[inside].max()) if inside.any() else -np.inf
    for j in np.flatnonzero(inside):
        for k in np.flatnonzero(~inside):
            share = (least - slope[k]) / (slope[j] - slope[k])
            best = max(best, float(share * direction[j] + (1.0 - share) * direction[k]))
    return best
