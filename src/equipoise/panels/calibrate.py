"""Calibration: weights scaled until the sample has the known totals of one or several margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput, nearest

__all__ = ["rake"]

FloatArray = NDArray[np.float64]

ROUNDS = 1000
TOLERANCE = 1e-12


def rake(
    weights: FloatArray, margins: Sequence[tuple[ArrayLike, Mapping[str, float]]]
) -> tuple[FloatArray, FloatArray]:
    r"""Scale weights to the totals of each margin in turn until all agree.

    .. math:: w_i \leftarrow w_i\, N_{c(i)} \Big/ \sum_{j: c(j) = c(i)} w_j

    Parameters
    ----------
    weights : (n,) array
        Design weights; they are the starting point, never forgotten.
    margins : sequence of (labels (n,), totals)
        For each margin the category of each respondent and the known total of every category.

    Returns
    -------
    weights, dummies : (n,) and (n, p) arrays
        Calibrated weights, and the 0/1 columns of the margins: in a linearised variance,
        influence values are replaced by their residuals on them (Deville and Sarndal 1992).

    Raises
    ------
    BadInput
        A category without total or without people, totals of different sums, no agreement.

    Examples
    --------
    >>> rake(np.ones(3), [(["a", "a", "b"], {"a": 6.0, "b": 4.0})])[0]
    array([3., 3., 4.])
    """
    prepared = [_margin(np.asarray(labels), totals) for labels, totals in margins]
    sums = [float(totals.sum()) for _, totals in prepared]
    if not prepared or max(sums) - min(sums) > 1e-6 * max(sums):
        raise BadInput(f"margins: their totals sum to {sums}; give each the same sum")
    w = weights.astype(np.float64)
    for _ in range(ROUNDS):
        worst = 0.0
        for codes, totals in prepared:
            factor = totals / np.bincount(codes, weights=w)
            worst = max(worst, float(np.abs(factor - 1.0).max()))
            w = w * factor[codes]
        if worst < TOLERANCE or len(prepared) == 1:
            return w, np.concatenate([np.eye(t.size)[c] for c, t in prepared], axis=1)
    raise BadInput(
        f"margins: no weights agree with all of them (off by {worst:.1g} after {ROUNDS} rounds); "
        "merge categories that hardly anybody combines"
    )


def _margin(
    labels: NDArray[np.str_], totals: Mapping[str, float]
) -> tuple[NDArray[np.intp], FloatArray]:
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    for name in names:
        if str(name) not in totals:
            raise BadInput(f'margins: no total for "{name}"; {nearest(str(name), totals)}')
    for name in totals:
        if name not in names:
            raise BadInput(f'margins: nobody is in "{name}"; merge it with another category')
    sizes = np.array([float(totals[str(name)]) for name in names])
    if not np.isfinite(sizes).all() or (sizes <= 0.0).any():
        raise BadInput("margins: every total must be a positive finite number; mend the totals")
    return codes, sizes
