"""The answers of the groups as shares: what a panel shows of its people.

An `AnswerTable` holds, for every group and question, the (weighted) share of each option and
how many people answered. No respondent can be told apart in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput, nearest

__all__ = ["AnswerTable"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class AnswerTable(Tabled):
    r"""Answer shares :math:`p_{kqc}` of group `k` on question `q`, option `c`.

    Parameters
    ----------
    groups : tuple of str
        Group labels, in the order of the first axis.
    questions : tuple of str
        Question labels (column names), in the order of the second axis.
    options : tuple of tuples of str
        The options of every question, in their natural order.
    wording : tuple of str
        What was asked, one text per question (the question label where nothing is known).
    shares : (K, Q, C) array
        Weighted shares; `C` is the longest list of options, missing options are 0.
    n : (K, Q) array of int
        How many people of the group answered the question.
    n_eff : (K, Q) array
        Kish's effective number :math:`(\sum w)^2/\sum w^2`; equal to `n` without weights.

    Examples
    --------
    >>> table = AnswerTable(
    ...     ("left", "right"), ("tax",), (("more", "less"),), ("Tax more or less?",),
    ...     np.array([[[0.8, 0.2]], [[0.3, 0.7]]]), np.array([[50], [40]]),
    ...     np.array([[50.0], [40.0]]))
    >>> table.total_variation()
    array([[0. , 0.5],
           [0.5, 0. ]])
    >>> table.distribution("right", "tax")
    {'more': 0.3, 'less': 0.7}
    """

    groups: tuple[str, ...]
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    wording: tuple[str, ...]
    shares: FloatArray
    n: NDArray[np.int64]
    n_eff: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.groups), len(self.questions), max(map(len, self.options), default=0))
        if self.shares.shape != shape or self.n.shape != shape[:2]:
            raise BadInput(
                f"an answer table of {shape[0]} groups, {shape[1]} questions and {shape[2]} "
                f"options needs shares of shape {shape}, got {self.shares.shape}"
            )
        for array in (self.shares, self.n, self.n_eff):
            array.setflags(write=False)

    def question_index(self, question: str) -> int:
        """Return the position of a question.

        Raises
        ------
        BadInput
            No question has this label; the nearest is suggested.
        """
        try:
            return self.questions.index(question)
        except ValueError:
            raise BadInput(
                f'there is no question "{question}"; {nearest(str(question), self.questions)}'
            ) from None

    def group_index(self, group: str) -> int:
        """Return the position of a group; `BadInput` suggests the nearest label."""
        try:
            return self.groups.index(group)
        except ValueError:
            raise BadInput(
                f'there is no group "{group}"; {nearest(str(group), self.groups)}'
            ) from None

    def for_questions(self, questions: Sequence[str]) -> AnswerTable:
        """Return the table of some of the questions, in the order given."""
        q = [self.question_index(question) for question in questions]
        if not q:
            raise BadInput("questions: the list is empty; name at least one question")
        options = tuple(self.options[i] for i in q)
        width = max(map(len, options))
        return AnswerTable(
            self.groups,
            tuple(self.questions[i] for i in q),
            options,
            tuple(self.wording[i] for i in q),
            self.shares[:, q, :width].copy(),
            self.n[:, q].copy(),
            self.n_eff[:, q].copy(),
        )

    def distribution(self, group: str, question: str) -> dict[str, float]:
        """Return option -> share for one group and question."""
        k, q = self.group_index(group), self.question_index(question)
        return {o: float(self.shares[k, q, c]) for c, o in enumerate(self.options[q])}

    def total_variation(self, question: str | None = None) -> FloatArray:
        r"""Mean over questions of :math:`\tfrac12\sum_c |p_{kqc} - p_{lqc}|`, or one question's.

        Returns
        -------
        (K, K) array in [0, 1], symmetric, zero diagonal. Sampling noise is not taken off: two
        samples of one law are some distance apart.
        """
        p = self.shares if question is None else self.shares[:, [self.question_index(question)]]
        return np.asarray(np.abs(p[:, None] - p[None, :]).sum(axis=-1).mean(axis=-1) / 2.0)

    def distance_to_segment(self, group: str, first: str, second: str) -> tuple[float, float]:
        r"""How far a group is from every mixture of two others.

        .. math:: \min_{w \in [0,1]} \frac1{2Q} \sum_{qc}
                  |p_{kqc} - w\,p_{iqc} - (1-w)\,p_{jqc}|

        Returns
        -------
        distance, weight : float
            Total variation in [0, 1] and the weight `w` of `first`, exact (the objective is
            piecewise linear and convex in `w`: its breakpoints and ends are all tried).

        Notes
        -----
        A small distance means that an audit by single answers can hardly tell the group from a
        mixture of the two others (theory R14).
        """
        p, a, b = (self.shares[self.group_index(g)].ravel() for g in (group, first, second))
        slope = a - b
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = (p - b) / slope
        inside = breaks[np.isfinite(breaks) & (breaks > 0.0) & (breaks < 1.0)]
        weights = np.concatenate([[0.0, 1.0], inside])
        gaps = np.abs(p - b - weights[:, None] * slope).sum(axis=1)
        best = int(np.argmin(gaps))
        return float(gaps[best] / (2.0 * len(self.questions))), float(weights[best])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: group -> question -> {"n", "shares": {option: share}}."""
        return {
            group: {
                question: {"n": int(self.n[k, q]), "shares": self.distribution(group, question)}
                for q, question in enumerate(self.questions)
            }
            for k, group in enumerate(self.groups)
        }

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per question, option and group."""
        for q, question in enumerate(self.questions):
            for c, option in enumerate(self.options[q]):
                for k, group in enumerate(self.groups):
                    yield {
                        "question": question,
                        "option": option,
                        "group": group,
                        "share": float(self.shares[k, q, c]),
                        "n": int(self.n[k, q]),
                        "n_eff": float(self.n_eff[k, q]),
                    }

    def __repr__(self) -> str:
        return f"<AnswerTable: {len(self.groups)} groups, {len(self.questions)} questions>"
