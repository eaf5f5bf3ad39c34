"""How alike the answers of two groups are: agreement, appeal and kernel (theory section 7).

All three start from answer shares :math:`p_{kqc}` of group `k` on question `q`, option `c`,
and average the same questions for every pair of groups; a question that some group did not
answer can therefore not enter. Every function takes leading axes (bootstrap draws).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["agreement", "appeal", "kernel", "nearest_kernel"]

FloatArray = NDArray[np.float64]


def agreement(shares: FloatArray, n_eff: FloatArray | None = None) -> FloatArray:
    r"""Probability that a person of group `j` and one of group `k` give the same answer.

    .. math:: E_{jk} = \frac1Q \sum_q \sum_c p_{jqc} p_{kqc}, \qquad
              E_{kk} = \frac1Q \sum_q \frac{n_{kq} \sum_c p_{kqc}^2 - 1}{n_{kq} - 1}

    Parameters
    ----------
    shares : (..., K, Q, C) array
        Answer shares, each (question, group) summing to 1; padded options are 0.
    n_eff : (..., K, Q) array, optional
        Number of answers (Kish's effective number when weighted), each above 1. Without
        it the diagonal is the plug-in :math:`\sum_c p^2`, which counts a person as agreeing
        with themselves.

    Returns
    -------
    (..., K, K) array of probabilities, symmetric.

    Notes
    -----
    With the unbiased diagonal the matrix need not be positive semidefinite, and a diagonal
    entry of a very small group can leave [0, 1].

    Source: theory section 7.

    Examples
    --------
    >>> p = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    >>> agreement(p)
    array([[1. , 0.5],
           [0.5, 0.5]])
    """
    flat = shares.reshape(*shares.shape[:-2], -1)
    result: FloatArray = flat @ np.swapaxes(flat, -1, -2) / shares.shape[-2]
    if n_eff is not None:
        same = (shares**2).sum(axis=-1)
        diagonal = ((n_eff * same - 1.0) / (n_eff - 1.0)).mean(axis=-1)
        k = np.arange(shares.shape[-3])
        result[..., k, k] = diagonal
    return result


def appeal(
    shares: FloatArray, group_shares: FloatArray, n_eff: FloatArray | None = None
) -> FloatArray:
    r"""How much the public agrees with an answer drawn from each group's answer law.

    .. math:: a_k = \sum_j m_j E_{jk}

    Parameters
    ----------
    shares : (..., K, Q, C) array
        Answer shares.
    group_shares : (..., K) array
        Shares :math:`m` of the groups among people.
    n_eff : (..., K, Q) array, optional
        As in `agreement`; absent by default, see Notes.

    Returns
    -------
    (..., K) array of probabilities.

    Notes
    -----
    By default the plug-in product is used for a group with itself too: what group `k` reads is
    drawn from its *estimated* answer law (that of the model which stands for it), not from
    another respondent. The correction that `n_eff` would bring is
    :math:`m_k(1-\sum_c p_{kqc}^2)/(n_{kq}-1) \approx (1-\sum_c p_{kqc}^2)/n`: almost the same
    for every group, so it hardly moves a difference of appeals, and only differences matter.
    The incentives printed in theory section 7 for GSS 2018 are those of the plug-in.

    Source: theory section 7.

    Examples
    --------
    >>> p = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    >>> appeal(p, np.array([0.5, 0.5]))
    array([0.75, 0.5 ])
    """
    pairs = agreement(shares, n_eff)
    return np.asarray((group_shares[..., None, :] @ pairs)[..., 0, :])


def kernel(shares: FloatArray) -> FloatArray:
    r"""Bhattacharyya affinity of the groups' answers.

    .. math:: S_{kl} = \frac1Q \sum_q \sum_c \sqrt{p_{kqc}\, p_{lqc}}

    Parameters
    ----------
    shares : (..., K, Q, C) array
        Answer shares.

    Returns
    -------
    (..., K, K) array, symmetric, positive semidefinite, ones on the diagonal.

    Notes
    -----
    Sampling noise makes two groups look less alike than they are: the affinity of two finite
    samples of one law is below 1. Groups with identical answers make it singular.

    Source: theory section 7; Bhattacharyya (1943).

    Examples
    --------
    >>> kernel(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    array([[1., 0.],
           [0., 1.]])
    """
    root = np.sqrt(shares).reshape(*shares.shape[:-2], -1)
    result: FloatArray = root @ np.swapaxes(root, -1, -2) / shares.shape[-2]
    k = np.arange(shares.shape[-3])
    result[..., k, k] = 1.0
    return np.minimum(result, 1.0)


def nearest_kernel(matrix: FloatArray) -> FloatArray:
    r"""Turn ratings of groups by groups into a matrix that may serve as a kernel.

    The matrix is symmetrised and its negative eigenvalues are set to 0, which is the nearest
    positive semidefinite matrix in the Frobenius norm.

    Parameters
    ----------
    matrix : (K, K) array
        Ratings, thermometers or likes: row `j` rates column `k`; any unit, need not be
        symmetric.

    Returns
    -------
    (K, K) array in the same unit, symmetric and positive semidefinite up to rounding. Its
    diagonal is not 1.

    Raises
    ------
    BadInput
        Not a square matrix of finite numbers.

    Notes
    -----
    Source: theory section 7; Higham (1988), *Computing a nearest symmetric positive
    semidefinite matrix*, Theorem 2.1.

    Examples
    --------
    >>> nearest_kernel(np.array([[1.0, 3.0], [1.0, 1.0]]))
    array([[1.5, 1.5],
           [1.5, 1.5]])
    """
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise BadInput(
            f"a kernel needs a square matrix of finite numbers, got shape {array.shape}; "
            "give one row and one column per group"
        )
    values, vectors = np.linalg.eigh((array + array.T) / 2.0)
    result = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return np.asarray((result + result.T) / 2.0)
