r"""What one unit tells about a mixture: the information matrix, exact or simulated (R14).

.. math:: J_{jk} = \sum_y \frac{p_j(y)\, p_k(y)}{p_w(y)}, \qquad
          \operatorname{Var}(\hat w) \approx \frac{J^{-1} - w w^\top}{n}

over everything a unit can answer. For single answers the sum is taken exactly. A sheet of 18
questions with three options has 4·10⁸ possible answers: there it is a mean over simulated sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws

__all__ = ["Asked", "covariance", "information", "mixture_of"]

FloatArray = NDArray[np.float64]

SHEETS = 20_000
TINY = 1e-9
"""Eigenvalues below this part of the largest are rounding, not information."""


@final
@dataclass(frozen=True)
class Asked:
    """What one unit is asked.

    Parameters
    ----------
    items : int
        Number of different questions in a unit, drawn at random from all of them; 1 is the
        single answer of per-answer routing.

    Examples
    --------
    >>> Asked(18).words
    'sheets of 18 questions'
    """

    items: int

    @property
    def words(self) -> str:
        """Name of the unit, plural."""
        return "single answers" if self.items == 1 else f"sheets of {self.items} questions"

    def check(self, laws: AnswerLaws) -> None:
        """Raise `BadInput` where the laws have fewer questions."""
        if not 1 <= self.items <= len(laws.questions):
            raise BadInput(
                f"items: a unit of {self.items} questions cannot be drawn from "
                f"{len(laws.questions)}; write 1 to {len(laws.questions)}"
            )


def information(
    laws: AnswerLaws, asked: Asked, weights: ArrayLike, *, seed: int = 0, sheets: int = SHEETS
) -> FloatArray:
    """Give the information matrix J of one unit at a mixture.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    asked : Asked
        What a unit is.
    weights : (K,) array
        The mixture at which it is taken, every weight positive.
    seed, sheets : int
        Of the simulation of sheets (relative error of a standard error about 1 %).

    Returns
    -------
    (K, K) array, symmetric; J w = 1 exactly for single answers, to simulation error for sheets.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> information(laws, Asked(1), [0.5, 0.5])
    array([[1.64, 0.36],
           [0.36, 1.64]])
    """
    asked.check(laws)
    w = mixture_of(weights, len(laws.groups))
    if asked.items == 1:
        mixed = np.where(laws.real_options, laws.mixed(w), 1.0)
        one = np.einsum("jqc,kqc,qc->jk", laws.shares, laws.shares, 1.0 / mixed)
        return np.asarray(one / len(laws.questions))
    ratio = _simulated(laws, asked, w, np.random.default_rng(seed), sheets)
    return np.asarray(ratio.T @ ratio / sheets)


def covariance(matrix: FloatArray, weights: ArrayLike, n: float) -> FloatArray:
    """Give the covariance (K, K) of the estimate from n units with information J.

    Where J is singular the variance is infinite along the directions it does not see: use
    `identify` to know which, this function gives the variance of what is seen.

    Examples
    --------
    >>> covariance(np.array([[1.64, 0.36], [0.36, 1.64]]), [0.5, 0.5], 100).round(6)
    array([[ 0.003906, -0.003906],
           [-0.003906,  0.003906]])
    """
    w = np.asarray(weights, dtype=np.float64)
    inverse = np.linalg.pinv(matrix, rcond=TINY, hermitian=True)
    return np.asarray((inverse - np.outer(w, w)) / n)


def mixture_of(weights: ArrayLike, k: int) -> FloatArray:
    """Return positive weights that sum to 1, or raise `BadInput`."""
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (k,) or not np.all(w > 0.0) or abs(w.sum() - 1.0) > 1e-6:
        raise BadInput(f"weights: give {k} positive numbers that sum to 1, got {w.tolist()}")
    return np.asarray(w / w.sum())


def _simulated(
    laws: AnswerLaws, asked: Asked, w: FloatArray, rng: np.random.Generator, sheets: int
) -> FloatArray:
    """Likelihood ratios p_k / p_w of sheets drawn from the mixture, (sheets, K)."""
    k, q, _ = laws.shares.shape
    group = rng.choice(k, size=sheets, p=w)
    cumulative = laws.shares.cumsum(axis=-1)
    asked_here = rng.random((sheets, q)).argsort(axis=1) < asked.items
    logs = np.zeros((sheets, k))
    with np.errstate(divide="ignore"):
        log_shares = np.log(laws.shares)
    for j in range(q):
        u = rng.random(sheets)
        option = (u[:, None] > cumulative[group, j, :-1]).sum(axis=1)
        option = np.minimum(option, len(laws.options[j]) - 1)
        logs += np.where(asked_here[:, [j]], log_shares[:, j, :].T[option], 0.0)
    likelihood = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(likelihood / (likelihood @ w)[:, None])
