"""What was answered, unit by unit: one answer, or all answers of one draw of the group.

Under per-answer routing every answer comes from a group drawn afresh and is its own unit; under
sticky routing a whole questionnaire does, and its likelihood is the product over its questions
(answers independent given the group, theory R14).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws

__all__ = ["Units", "sheets"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Units:
    """Answers with the unit each belongs to.

    Parameters
    ----------
    unit : (m,) array of int
        Unit of each answer, 0 ... n-1; a unit may answer some questions, or one several times.
    question, option : (m,) arrays of int
        Positions in the laws.
    weights : (n,) array, optional
        A positive weight per unit. They are scaled to sum to Kish's effective number, so that
        unequal weights widen intervals.
    unparsed : int
        Answers that could not be matched to an option; they are missing, never guessed.

    Raises
    ------
    BadInput
        Lengths differ, an index is negative, a unit has no answer, a weight is not positive.

    Examples
    --------
    >>> units = Units([0, 0, 1], [0, 1, 0], [1, 0, 1])
    >>> len(units), units.answers, units.single
    (2, 3, False)
    """

    unit: IntArray
    question: IntArray
    option: IntArray
    weights: FloatArray | None = None
    unparsed: int = 0
    scaled: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("unit", "question", "option"):
            given = np.asarray(getattr(self, name))
            if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
                raise BadInput(f"{name}: give one whole number per answer")
            object.__setattr__(self, name, given.astype(np.int64))
        sizes = {self.unit.size, self.question.size, self.option.size}
        if len(sizes) > 1:
            raise BadInput("unit, question and option need one entry per answer, all of one length")
        if self.unit.size == 0:
            raise BadInput("there is no answer that could be used; check questions and options")
        if min(self.unit.min(), self.question.min(), self.option.min()) < 0:
            raise BadInput("unit, question and option are positions, 0 or more; drop other answers")
        n = int(self.unit.max()) + 1
        if (np.bincount(self.unit, minlength=n) == 0).any():
            raise BadInput("unit: a unit has no answer; number the units 0 ... n-1 without gaps")
        w = np.ones(n) if self.weights is None else np.array(self.weights, dtype=np.float64)
        if w.shape != (n,) or not np.all(np.isfinite(w) & (w > 0.0)):
            raise BadInput(f"weights: give {n} positive numbers, one per unit")
        object.__setattr__(self, "scaled", w * w.sum() / (w**2).sum())

    def __len__(self) -> int:
        return self.scaled.size

    @property
    def answers(self) -> int:
        """Number of answers used."""
        return self.unit.size

    @property
    def single(self) -> bool:
        """Whether every unit is one answer."""
        return self.answers == len(self)

    def counts(self, laws: AnswerLaws) -> FloatArray:
        """Tally the answers (weighted), (Q, C)."""
        shape = laws.shares.shape[1:]
        cell = self._cells(laws)
        tally = np.bincount(cell, weights=self.scaled[self.unit], minlength=shape[0] * shape[1])
        return np.asarray(tally.reshape(shape), dtype=np.float64)

    def likelihoods(self, laws: AnswerLaws) -> tuple[FloatArray, FloatArray]:
        """Give each unit's log-likelihood under each group, (rows, K), and the rows' weights.

        Single answers are tallied first: no more rows than options.
        """
        flat = laws.shares.reshape(len(laws.groups), -1).T
        table, v = self.chosen(laws)
        return np.asarray(table @ np.log(np.where(flat > 0.0, flat, 1.0))), v

    def chosen(self, laws: AnswerLaws) -> tuple[Any, FloatArray]:
        """Give how often each row chose each option, sparse (rows, Q C), and the rows' weights.

        Single answers are tallied: one row per option chosen.
        """
        from scipy.sparse import csr_array

        cells = laws.shares[0].size
        if self.single:
            counts = self.counts(laws).ravel()
            seen = np.flatnonzero(counts)
            ones = np.ones(seen.size)
            return csr_array(
                (ones, (np.arange(seen.size), seen)), shape=(seen.size, cells)
            ), counts[seen]
        ones = np.ones(self.answers)
        table = csr_array((ones, (self.unit, self._cells(laws))), shape=(len(self), cells))
        return table, self.scaled

    def _cells(self, laws: AnswerLaws) -> IntArray:
        width = laws.shares.shape[2]
        if self.question.max() >= len(laws.questions) or self.option.max() >= width:
            raise BadInput("question and option must be positions in the laws given")
        if not laws.real_options[self.question, self.option].all():
            raise BadInput("option: an answer names an option its question does not have")
        return np.asarray(self.question * width + self.option)


def sheets(codes: ArrayLike, *, weights: ArrayLike | None = None) -> Units:
    """Make units of whole questionnaires from a table of codes, -1 where there is no answer.

    Parameters
    ----------
    codes : (n, Q) array of int
        Position of the option chosen. Rows without any answer are left out.
    weights : (n,) array, optional
        A weight per row.

    Returns
    -------
    Units.

    Examples
    --------
    >>> len(sheets([[0, 1], [-1, -1], [2, -1]]))
    2
    """
    table = np.asarray(codes)
    if table.ndim != 2:
        raise BadInput(f"codes need shape (units, questions), got {table.shape}")
    used = (table >= 0).any(axis=1)
    kept = table[used]
    unit, question = np.nonzero(kept >= 0)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)[used]
    return Units(unit, question, kept[unit, question], w, int((table < 0).sum()))
