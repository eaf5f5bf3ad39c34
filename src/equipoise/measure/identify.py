r"""Which groups can be told apart at all, and which with so many units (R14).

Weights are identified iff the laws of a unit are linearly independent. The Gram matrix of the
laws over a product measure factorises over the questions of a sheet, so its rank is exact also
where the sheets are too many to list:

.. math:: G_{jk} = \prod_q \sum_c \frac{p_{jqc}\, p_{kqc}}{r_{qc}}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.information import TINY, Asked, covariance, information, mixture_of

__all__ = ["Identification", "identify", "same_laws"]

FloatArray = NDArray[np.float64]

SAME = 1e-9
"""Laws that differ by less in every option are the same law."""
Z95 = 1.959963984540054


@final
@dataclass(frozen=True, eq=False)
class Identification(Tabled):
    """What a unit can tell about the groups.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    asked : Asked
        The unit.
    n : int
        Number of units that `alike` refers to.
    rank : int
        Number of linearly independent laws; the weights are identified iff it is the number of
        groups.
    condition : float
        Largest over smallest eigenvalue of the information matrix; infinite when singular.
    same : tuple of tuples of str
        Groups with the same law: no number of answers tells them apart, only their sum is known.
    alike : tuple of pairs of str
        Pairs that n units are too few to tell apart: at even weights an even split between the
        two and all on one of them lie in the same 95 % interval.
    free : tuple of mapping
        Directions in which weights may change without changing any answer.
    identified : (K,) bool array
        Which weights are identified.
    standard_errors : (K,) array
        Of n units at the reference mixture; infinite where not identified.
    """

    groups: tuple[str, ...]
    asked: Asked
    n: int
    rank: int
    condition: float
    same: tuple[tuple[str, ...], ...]
    alike: tuple[tuple[str, str], ...]
    free: tuple[dict[str, float], ...]
    identified: NDArray[np.bool_]
    standard_errors: FloatArray

    def is_identified(self, contrast: ArrayLike) -> bool:
        """Whether a combination of weights (K,) is determined by the law of the answers."""
        c = np.asarray(contrast, dtype=np.float64)
        for direction in self.free:
            d = np.array([direction[g] for g in self.groups])
            if abs(c @ d) > 1e-6 * np.abs(c).max() * np.abs(d).max():
                return False
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "unit": self.asked.words,
            "n": self.n,
            "rank": self.rank,
            "condition": self.condition,
            "same": [list(names) for names in self.same],
            "alike": [list(pair) for pair in self.alike],
            "free": [dict(direction) for direction in self.free],
            "identified": dict(zip(self.groups, self.identified.tolist(), strict=True)),
            "standard_errors": dict(zip(self.groups, self.standard_errors.tolist(), strict=True)),
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: whether it is identified, and its standard error."""
        return [
            {"group": g, "identified": bool(known), "standard_error": float(error)}
            for g, known, error in zip(
                self.groups, self.identified, self.standard_errors, strict=True
            )
        ]

    def __repr__(self) -> str:
        return (
            f"Identification({self.n:,} {self.asked.words}: rank {self.rank} of {len(self.groups)})"
        )


def identify(
    laws: AnswerLaws,
    asked: Asked,
    n: int,
    *,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> Identification:
    """Say which groups n units can tell apart.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    asked : Asked
        What a unit is.
    n : int
        Number of units.
    weights : (K,) array, optional
        Reference mixture; even weights by default.
    seed : int
        Of the simulation of sheets.

    Returns
    -------
    Identification. Not guaranteed: that the groups of real people are as far apart as their
    estimated laws; sampling noise of the panel pushes laws apart.

    Examples
    --------
    Three groups, the second midway: rank 2 in single answers, 3 in sheets of two.

    >>> half = [[[0.9, 0.1]] * 2, [[0.5, 0.5]] * 2, [[0.1, 0.9]] * 2]
    >>> laws = AnswerLaws(("a", "m", "z"), ("q1", "q2"), (("y", "n"), ("y", "n")), half)
    >>> identify(laws, Asked(1), 1000).rank, identify(laws, Asked(2), 1000).rank
    (2, 3)
    """
    asked.check(laws)
    k = len(laws.groups)
    w = mixture_of(np.full(k, 1.0 / k) if weights is None else weights, k)
    free = _free_directions(laws, asked)
    identified = np.array([not any(abs(d[j]) > 1e-6 for d in free) for j in range(k)])
    matrix = information(laws, asked, w, seed=seed)
    spectrum = np.linalg.eigvalsh(matrix)
    spread = covariance(matrix, w, n)
    errors = np.sqrt(np.maximum(np.diag(spread), 0.0))
    same = same_laws(laws)
    together = {frozenset((a, b)) for names in same for a in names for b in names if a != b}
    alike = []
    for i in range(k):
        for j in range(i + 1, k):
            pair = (laws.groups[i], laws.groups[j])
            # Half the difference of the two weights, while their sum stays what it is.
            d = (np.eye(k)[i] - np.eye(k)[j]) / 2.0
            unseen = any(abs(d @ f) > 1e-6 for f in free)
            error = np.inf if unseen else float(np.sqrt(max(d @ spread @ d, 0.0)))
            if frozenset(pair) not in together and Z95 * error >= (w[i] + w[j]) / 2.0:
                alike.append(pair)
    return Identification(
        laws.groups,
        asked,
        n,
        k - len(free),
        float(spectrum[-1] / spectrum[0]) if len(free) == 0 else np.inf,
        same,
        tuple(alike),
        tuple(dict(zip(laws.groups, d.tolist(), strict=True)) for d in free),
        identified,
        np.where(identified, errors, np.inf),
    )


def same_laws(laws: AnswerLaws) -> tuple[tuple[str, ...], ...]:
    """Give the sets of two or more groups whose laws are the same on every question."""
    p = laws.shares
    left = list(range(len(laws.groups)))
    found = []
    while left:
        first = left[0]
        members = [j for j in left if np.abs(p[j] - p[first]).max() <= SAME]
        left = [j for j in left if j not in members]
        if len(members) > 1:
            found.append(tuple(laws.groups[j] for j in members))
    return tuple(found)


def _free_directions(laws: AnswerLaws, asked: Asked) -> FloatArray:
    """Orthonormal basis (r, K) of the weight changes that no answer can show."""
    mean = np.where(laws.real_options, laws.shares.mean(axis=0), 1.0)
    per_question = np.einsum("jqc,kqc,qc->qjk", laws.shares, laws.shares, 1.0 / mean)
    gram = _elementary(per_question, asked.items)
    scale = np.sqrt(np.diag(gram))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    found = (vectors[:, values <= TINY * values[-1]] / scale[:, None]).T
    if len(found) == 0:
        return np.asarray(found)
    basis = np.linalg.qr(found.T)[0].T
    # Laws are probabilities: a direction no answer shows has a sum of 0.
    basis = basis - basis.mean(axis=1, keepdims=True)
    basis = basis / np.abs(basis).max(axis=1, keepdims=True)
    return np.asarray(np.where(np.abs(basis) < 1e-9, 0.0, basis))


def _elementary(factors: FloatArray, items: int) -> FloatArray:
    """Mean, over all sets of `items` questions, of the product of their factors (Q, K, K)."""
    sums = [np.ones_like(factors[0])] + [np.zeros_like(factors[0]) for _ in range(items)]
    for j, factor in enumerate(factors, start=1):
        for size in range(min(items, j), 0, -1):
            # Means rather than sums, so that nothing overflows.
            with_it = size / j
            sums[size] = (1.0 - with_it) * sums[size] + with_it * sums[size - 1] * factor
    return np.asarray(sums[items])
