r"""What a group's model is taught: for every prompt, the group's answers in that prompt's order.

The prompts are the ones a measurement asks (`Questionnaire`), in all balanced orders, so that no
option is learnt by its position. For a prompt that offers the options in order `o` the target of
letter `j` is the group's share of option `o_j`, and the loss is the cross-entropy to it over the
model's whole vocabulary,

.. math:: L = -\frac1R \sum_r \sum_j p_{q(r),\,o_r(j)} \log \pi(\mathrm{letter}_j \mid r),

whose least value is the group's own entropy, reached only where letters cover all probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.llm.requests import Prompt
from equipoise.measure.questionnaire import Questionnaire
from equipoise.panels.answers import AnswerTable

__all__ = ["AnswerTask", "held_out_questions"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class AnswerTask:
    """All prompts of a questionnaire with a group's answers to them.

    Attributes
    ----------
    prompts : tuple of Prompt
        In the order of the questionnaire's sheets.
    question : (R,) array of int
        Which question each prompt puts.
    orders : (R, C) array of int
        The option in each position; -1 where a question has fewer.
    trained : tuple of int
        Questions that are taught; the others are only measured.
    """

    prompts: tuple[Prompt, ...]
    question: IntArray
    orders: IntArray
    trained: tuple[int, ...]

    @classmethod
    def of(cls, asked: Questionnaire, system: str, trained: tuple[int, ...]) -> AnswerTask:
        """Lay out a questionnaire of lettered options, asked with one system prompt."""
        if asked.form != "letters":
            raise BadInput('form: a group is taught by letters; write form = "letters"')
        width = max(len(q.options) for q in asked.questions)
        prompts, question, orders = [], [], []
        for i, (q, sheet) in enumerate(zip(asked.questions, asked.sheets, strict=True)):
            for wording, order in zip(sheet.wording, sheet.orders, strict=True):
                prompts.append(asked.prompt(q, wording, order, system))
                question.append(i)
                orders.append([*order, *([-1] * (width - len(order)))])
        return cls(tuple(prompts), np.array(question), np.array(orders), trained)

    def targets(self, shares: FloatArray) -> FloatArray:
        """Return the target of every letter, (R, C), from answer shares (Q, C).

        Examples
        --------
        >>> from equipoise.measure.questions import Question
        >>> asked = Questionnaire((Question("tax", ("Taxes?",), ("less", "more")),), orders=2)
        >>> AnswerTask.of(asked, "", (0,)).targets(np.array([[0.3, 0.7]])).tolist()
        [[0.3, 0.7], [0.7, 0.3]]
        """
        seen = np.take_along_axis(shares[self.question], np.maximum(self.orders, 0), axis=1)
        return np.where(self.orders >= 0, seen, 0.0)

    def balanced(self, letters: FloatArray) -> FloatArray:
        """Return each option's mean share of the covered mass, (Q, C), from letters (R, C)."""
        shares = letters / letters.sum(axis=1, keepdims=True)
        out = np.zeros((self.question.max() + 1, letters.shape[1]))
        rows, columns = np.nonzero(self.orders >= 0)
        np.add.at(out, (self.question[rows], self.orders[rows, columns]), shares[rows, columns])
        return np.asarray(out / np.bincount(self.question)[:, None])

    def batch(self, step: int, seed: int, squares: int, most: int) -> IntArray:
        """Return the prompts of one step: whole squares of orders of some questions.

        In a whole square every option stands in every position once: what a model likes by
        position alone then pulls no way, and does not drown what is to be learnt.

        Parameters
        ----------
        step, seed : int
            The batch is a function of the two and of nothing else: a run that was killed goes on
            with the same batches.
        squares : int
            Squares a question, at most all it has.
        most : int
            Questions a step; where there are more, all are asked in turn.
        """
        rng = np.random.default_rng([seed, step])
        chosen = np.array(self.trained)
        if chosen.size > most:
            # Whole rounds: every question is seen equally often.
            per_round = -(-chosen.size // most)
            deck = np.random.default_rng([seed, step // per_round, 1]).permutation(chosen)
            chosen = np.array_split(deck, per_round)[step % per_round]
        rows = []
        for q in chosen:
            mine = np.flatnonzero(self.question == q)
            size = int((self.orders[mine[0]] >= 0).sum())
            if mine.size % size:
                rows.append(mine)
                continue
            whole = mine.reshape(-1, size)
            rows.append(whole[rng.permutation(len(whole))[:squares]].ravel())
        return np.concatenate(rows)


def held_out_questions(table: AnswerTable, count: int, seed: int) -> tuple[str, ...]:
    """Draw questions that are not taught, in the panel's order.

    Raises
    ------
    BadInput
        A negative number, or none would be left to teach.
    """
    if not 0 <= count < len(table.questions):
        raise BadInput(
            f"held-out questions: {count}; the panel has {len(table.questions)}, and at least one "
            "must be taught"
        )
    drawn = np.random.default_rng([seed, 7]).permutation(len(table.questions))[:count]
    return tuple(table.questions[i] for i in sorted(drawn.tolist()))
