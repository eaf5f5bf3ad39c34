r"""An audience: the people of a panel, drawn one by one to read an answer and agree or not.

A reader of an answer to question q belongs to group j with probability :math:`m_j` and is, within
that group, one of those who answered q, with a probability that is proportional to the survey
weight. The reader agrees with an answer when it is their own. So an answer drawn from the law of
group k meets agreement with probability :math:`\sum_j m_j\,\tfrac1Q\sum_q\sum_c p_{jqc}p_{kqc}`,
the appeal of theory section 7, without anybody having computed it.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput

__all__ = ["Audience"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
class Audience:
    """Readers drawn from the respondents of a panel; made by `Panel.audience`.

    Every reading draws a person anew, for one question: nothing ties the answers of one person
    together, and rows can neither be seen nor pickled.

    Parameters
    ----------
    group : (n,) array of int
        Group of each respondent; -1: not part of the audience.
    codes : (n, Q) array of int
        Option chosen, -1 where there is no answer.
    weights : (n,) array
        Survey weights.
    shares : (K,) array
        How much of the audience each group is.
    """

    __slots__ = ("_answer", "_first", "_group", "_keep", "_other", "_size", "_stamp", "shares")

    def __init__(
        self, group: IntArray, codes: IntArray, weights: FloatArray, shares: ArrayLike
    ) -> None:
        self.shares = np.array(shares, dtype=np.float64)
        self.shares.setflags(write=False)
        parts = [_table(group, codes[:, q], weights, self.shares) for q in range(codes.shape[1])]
        self._size = np.array([len(part[0]) for part in parts], dtype=np.int64)
        self._first = np.concatenate([[0], np.cumsum(self._size)[:-1]])
        self._answer, self._group, self._keep = (
            np.concatenate([part[i] for part in parts]) for i in range(3)
        )
        self._other = np.concatenate(
            [part[3] + first for part, first in zip(parts, self._first, strict=True)]
        )
        digest = hashlib.sha256()
        for array in (self._answer, self._group, self._keep, self._other, self._size):
            digest.update(np.ascontiguousarray(array).tobytes())
        self._stamp = digest.hexdigest()

    def __repr__(self) -> str:
        return f"<Audience: {len(self.shares)} groups, {len(self._size)} questions>"

    def __reduce__(self) -> NoReturn:
        raise BadInput(
            "an audience holds respondents' answers and is never written or pickled; make it "
            "again from its panel"
        )

    @property
    def digest(self) -> str:
        """sha256 of who reads and with what probability: changes when any answer does."""
        return self._stamp

    def read(
        self, questions: IntArray, answers: IntArray, luck: FloatArray
    ) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Show answers to readers and return who agreed.

        Parameters
        ----------
        questions : (...) array of int
            What each answer is an answer to.
        answers : (...) array of int
            The option.
        luck : (..., readers) array in [0, 1)
            One uniform number per reader: the audience has no chance of its own.

        Returns
        -------
        agreed : (..., readers) bool array
        group : (..., readers) array of int
            To which group the reader belongs.
        """
        size, first = self._size[questions][..., None], self._first[questions][..., None]
        spot = luck * size
        cell = spot.astype(np.int64)
        # Rounding can lift a number just below 1 to the end of the table.
        np.minimum(cell, size - 1, out=cell)
        rest = spot - cell
        cell += first
        reader = np.where(rest < self._keep[cell], cell, self._other[cell])
        return self._answer[reader] == answers[..., None], self._group[reader]


def _table(
    group: IntArray, codes: IntArray, weights: FloatArray, shares: FloatArray
) -> tuple[NDArray[np.int16], NDArray[np.int8], FloatArray, IntArray]:
    """Return answers, groups and alias table of those who answered one question and count."""
    member = (group >= 0) & (codes >= 0) & (weights > 0)
    member &= shares[np.maximum(group, 0)] > 0
    chosen = np.flatnonzero(member)
    inside = np.bincount(group[chosen], weights=weights[chosen], minlength=len(shares))
    if (inside[shares > 0] == 0).any():
        raise BadInput("audience: a group has nobody who answered a question; leave it out")
    chance = shares[group[chosen]] * weights[chosen] / inside[group[chosen]]
    keep, other = _alias(chance / chance.sum())
    return codes[chosen].astype(np.int16), group[chosen].astype(np.int8), keep, other


def _alias(chance: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return Walker's alias table: a cell is itself with probability `keep`, else `other`."""
    n = chance.size
    keep = chance * n
    other = np.arange(n, dtype=np.int64)
    low = np.flatnonzero(keep < 1.0).tolist()
    high = np.flatnonzero(keep >= 1.0).tolist()
    while low and high:
        small, big = low.pop(), high[-1]
        other[small] = big
        keep[big] -= 1.0 - keep[small]
        if keep[big] < 1.0:
            low.append(high.pop())
    # What is left differs from 1 by rounding only.
    keep[low] = 1.0
    keep[high] = 1.0
    return keep, other
