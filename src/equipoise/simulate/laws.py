r"""What a post says: answer laws of the groups, and what can be read from answers alone.

A post for group k on question q is an answer drawn from :math:`\pi_k(\cdot|q)`. How much a crowd
of posts overlaps with group k, :math:`\langle e_k, S o\rangle`, is read from the answers without
knowing whom they were made for: `reading` gives every answer a number :math:`f_k(q, c)` with

.. math:: \frac1Q \sum_q \sum_c \pi_l(c|q)\, f_k(q, c) = S_{kl} \quad\text{for every } l,

so the mean of :math:`f_k` over posts by mixtures of average o estimates :math:`(So)_k` without
bias. Of all such numbers these have the least variance under the mean law.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels.answers import AnswerTable
from equipoise.panels.panel import Panel

__all__ = ["PostLaws"]

FloatArray = NDArray[np.float64]

RANK = 1e-10
"""Directions of the laws' Gram matrix below this, relative to its largest, count as none."""

MISREAD = 1e-6
"""Largest error of what a reading says of a law."""


@final
@dataclass(frozen=True, eq=False)
class PostLaws:
    r"""Answer laws :math:`\pi_k(c|q)` that agents post from.

    Parameters
    ----------
    groups, questions : tuples of str
    options : tuple of tuples of str
    shares : (K, Q, C) array
        Probabilities; padded options are 0. An option may have probability 0.
    source : str
        Whose laws: "people", or the models'.

    Raises
    ------
    BadInput
        Shapes that do not fit, a negative probability, a row that does not sum to 1.

    Examples
    --------
    >>> laws = PostLaws(("a", "b"), ("q",), (("yes", "no"),), np.array([[[.9, .1]], [[.2, .8]]]))
    >>> laws.kernel().round(3)
    array([[1.   , 0.707],
           [0.707, 1.   ]])
    >>> said = np.einsum("lqc,qck->kl", laws.shares, laws.reading(laws.kernel()))
    >>> bool(np.allclose(said, laws.kernel()))
    True
    """

    groups: tuple[str, ...]
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    shares: FloatArray
    source: str = "people"

    def __post_init__(self) -> None:
        shares = np.array(self.shares, dtype=np.float64)
        wide = max((len(o) for o in self.options), default=0)
        shape = (len(self.groups), len(self.questions), wide)
        if shares.shape != shape or len(self.options) != shape[1] or min(shape) < 1:
            raise BadInput(
                f"laws: {shape[0]} groups, {shape[1]} questions and {shape[2]} options need shares "
                f"of shape {shape}, got {shares.shape}"
            )
        padded = np.arange(wide) >= np.array([len(o) for o in self.options])[:, None]
        if not (np.isfinite(shares) & (shares >= 0)).all() or shares[:, padded].any():
            raise BadInput(
                "laws: every probability is a number >= 0, and 0 where there is no option"
            )
        if np.abs(shares.sum(axis=-1) - 1.0).max() > 1e-6:
            raise BadInput("laws: the options of a question do not sum to 1; divide by their sum")
        shares /= shares.sum(axis=-1, keepdims=True)
        shares.setflags(write=False)
        object.__setattr__(self, "shares", shares)

    @classmethod
    def of_table(cls, table: AnswerTable) -> PostLaws:
        """Return the laws of a panel's people, as they are."""
        return cls(table.groups, table.questions, table.options, table.shares)

    def same_questions(self, panel: Panel) -> None:
        """Raise `BadInput` unless groups, questions and options are those of a panel."""
        table = panel.answers
        for what, ours, theirs in (
            ("groups", self.groups, table.groups),
            ("questions", self.questions, table.questions),
            ("options", self.options, table.options),
        ):
            if ours != theirs:
                raise BadInput(
                    f"laws: the models have {what} {_some(ours)}, the panel {_some(theirs)}; use "
                    "the panel the models were trained on, with the same groups and questions"
                )

    @property
    def digest(self) -> str:
        """sha256 of labels and probabilities."""
        text = repr((self.groups, self.questions, self.options))
        return hashlib.sha256(text.encode() + self.shares.tobytes()).hexdigest()

    @cached_property
    def flat(self) -> FloatArray:
        """Probability of each (question, option) when questions are drawn evenly, (K, QC)."""
        return np.asarray(self.shares.reshape(len(self.groups), -1) / len(self.questions))

    @cached_property
    def by_answer(self) -> FloatArray:
        """The laws answer by answer, (QC, K): π_k(c|q) in row qC + c."""
        wide = self.shares.shape[-1]
        rows = self.shares.transpose(1, 2, 0).reshape(len(self.questions) * wide, -1)
        return np.ascontiguousarray(rows)

    def kernel(self) -> FloatArray:
        """Bhattacharyya affinity of the laws, (K, K): theory section 7."""
        root = np.sqrt(self.flat)
        out = root @ root.T
        np.fill_diagonal(out, 1.0)
        return np.asarray(np.minimum(out, 1.0))

    def reading(self, kernel: FloatArray) -> FloatArray:
        """Return f, (Q, C, K): what an answer says of its overlap with each group.

        Parameters
        ----------
        kernel : (K, K) array
            S, what the mean of f over posts of group l has to be.

        Raises
        ------
        BadInput
            The answers do not tell the groups apart well enough for this kernel.
        """
        mean = self.flat.mean(axis=0)
        lifted = np.divide(self.flat, mean, out=np.zeros_like(self.flat), where=mean > 0)
        gram = lifted @ self.flat.T
        found = kernel @ np.linalg.pinv(gram, rcond=RANK, hermitian=True) @ lifted
        if np.abs(found @ self.flat.T - kernel).max() > MISREAD:
            raise BadInput(
                "laws: some groups answer so alike that their overlap cannot be read from posts; "
                "merge them, or leave diversity out"
            )
        questions, wide = self.shares.shape[1:]
        return np.ascontiguousarray(found.T.reshape(questions, wide, -1))


def _some(labels: tuple[object, ...]) -> str:
    return "[" + ", ".join(map(str, labels[:4])) + (", …]" if len(labels) > 4 else "]")
