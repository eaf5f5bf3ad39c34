r"""What an agent answered: exact shares of the options, or counts of sampled answers. Never mixed.

`ScoredAnswers` and `CountedAnswers` are different types with different fields: one holds
probabilities that were read and the mass they cover, the other how often each option was named,
with the unparsed and the refused. Both can say what each prompt's shares were; only counts have
sampling noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.llm.answers import OptionScores, Sample, tally
from equipoise.llm.failures import NotScored
from equipoise.measure.questionnaire import Condition, Questionnaire, Sheet

__all__ = ["Answers", "CountedAnswers", "ScoredAnswers"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class ScoredAnswers:
    """Probabilities that were read.

    Parameters
    ----------
    conditions : tuple of str
        As whom; the first is "default".
    sheets : tuple of Sheet
        How each question was put.
    given : tuple (conditions) of tuples (questions) of (prompts, options) arrays
        Each option's share of the covered mass, options in natural order; NaN where the options
        covered less than 0.5 and nothing could be read.
    covered : tuple of tuples of (prompts,) arrays
        Mass the options cover together.
    """

    conditions: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    given: tuple[tuple[FloatArray, ...], ...]
    covered: tuple[tuple[FloatArray, ...], ...]

    kind = "scores"

    def rates(self, condition: int, question: int) -> FloatArray | None:
        """Shares of the options in each prompt, (prompts, options); None where any is missing."""
        found = self.given[condition][question]
        return None if np.isnan(found).any() else found

    def n(self, condition: int, question: int) -> int:
        """Prompts that were scored."""
        return int((~np.isnan(self.given[condition][question][:, 0])).sum())

    @property
    def unusable(self) -> dict[str, int]:
        """Prompts that cannot be scored this way, in all conditions."""
        missing = sum(int(np.isnan(a[:, 0]).sum()) for row in self.given for a in row)
        return {"cannot be scored": missing}

    @classmethod
    def read(
        cls,
        questionnaire: Questionnaire,
        conditions: Sequence[Condition],
        results: Sequence[Sequence[Any]],
    ) -> ScoredAnswers:
        """Sort the answers to `Questionnaire.score_requests`, one sequence a condition."""
        given, covered = [], []
        for found in results:
            row_given, row_covered, at = [], [], 0
            for q, sheet in zip(questionnaire.questions, questionnaire.sheets, strict=True):
                shares = np.full((len(sheet), len(sheet.options)), np.nan)
                mass = np.zeros(len(sheet))
                for r, order in enumerate(sheet.orders):
                    one = found[at + r]
                    mass[r] = one.covered
                    if isinstance(one, NotScored):
                        continue
                    assert isinstance(one, OptionScores)
                    named = one.shares()
                    names = questionnaire.names(q, order)
                    shares[r, list(order)] = [named[name] for name in names]
                at += len(sheet)
                row_given.append(shares)
                row_covered.append(mass)
            given.append(tuple(row_given))
            covered.append(tuple(row_covered))
        names_of = tuple(c.name for c in conditions)
        return cls(names_of, questionnaire.sheets, tuple(given), tuple(covered))


@final
@dataclass(frozen=True, eq=False)
class CountedAnswers:
    """How often sampled texts named each option.

    Parameters
    ----------
    conditions, sheets
        As for `ScoredAnswers`.
    counts : tuple (conditions) of tuples (questions) of (prompts, options) int arrays
        Texts that named each option, options in natural order.
    unparsed, refused : tuples of tuples of (prompts,) int arrays
        Texts that named none, and refusals. Both are kept apart from every share.
    """

    conditions: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    counts: tuple[tuple[IntArray, ...], ...]
    unparsed: tuple[tuple[IntArray, ...], ...]
    refused: tuple[tuple[IntArray, ...], ...]

    kind = "counts"

    def rates(self, condition: int, question: int) -> FloatArray | None:
        """Shares among the texts that named an option, (prompts, options); None where none did."""
        found = self.counts[condition][question]
        total = found.sum(axis=1, keepdims=True)
        return None if (total == 0).any() else np.asarray(found / total)

    def n(self, condition: int, question: int) -> int:
        """Texts that named an option."""
        return int(self.counts[condition][question].sum())

    @property
    def unusable(self) -> dict[str, int]:
        """Texts that named no option, and refusals, in all conditions."""
        return {
            "unparsed": sum(int(a.sum()) for row in self.unparsed for a in row),
            "refused": sum(int(a.sum()) for row in self.refused for a in row),
        }

    @classmethod
    def read(
        cls,
        questionnaire: Questionnaire,
        conditions: Sequence[Condition],
        results: Sequence[Sequence[Any]],
    ) -> CountedAnswers:
        """Sort the answers to `Questionnaire.sample_requests`, one sequence a condition."""
        draws = questionnaire.samples
        counts: list[tuple[IntArray, ...]] = []
        unparsed: list[tuple[IntArray, ...]] = []
        refused: list[tuple[IntArray, ...]] = []
        for found in results:
            rows: tuple[list[IntArray], list[IntArray], list[IntArray]] = ([], [], [])
            at = 0
            for q, sheet in zip(questionnaire.questions, questionnaire.sheets, strict=True):
                named = np.zeros((len(sheet), len(sheet.options)), dtype=np.int64)
                none = np.zeros((2, len(sheet)), dtype=np.int64)
                for r, order in enumerate(sheet.orders):
                    texts = found[at : at + draws]
                    assert all(isinstance(text, Sample) for text in texts)
                    names = questionnaire.names(q, order)
                    told = tally(texts, names)
                    named[r, list(order)] = [told.counts[name] for name in names]
                    none[:, r] = told.unparsed, told.refused
                    at += draws
                for row, value in zip(rows, (named, none[0], none[1]), strict=True):
                    row.append(value)
            for whole, row in zip((counts, unparsed, refused), rows, strict=True):
                whole.append(tuple(row))
        return cls(
            tuple(c.name for c in conditions), questionnaire.sheets, tuple(counts),
            tuple(unparsed), tuple(refused),
        )  # fmt: skip


Answers = ScoredAnswers | CountedAnswers


def usable_questions(answers: Answers) -> list[int]:
    """Return the questions that have shares in every prompt of every condition.

    Raises
    ------
    BadInput
        There is none.
    """
    kept = [
        q
        for q in range(len(answers.sheets))
        if all(answers.rates(c, q) is not None for c in range(len(answers.conditions)))
    ]
    if not kept:
        low = (
            min(float(a.min()) for row in answers.covered for a in row)
            if isinstance(answers, ScoredAnswers)
            else math.nan
        )
        why = (
            f"the options cover as little as {low:.3f} of the probability: it cannot be scored "
            'this way; write answers = "counts" for this agent, or another measure.form'
            if isinstance(answers, ScoredAnswers)
            else "its texts name no option (unparsed or refused); raise measure.max_tokens"
        )
        raise BadInput(f"no question has answers in every prompt: {why}")
    return kept
