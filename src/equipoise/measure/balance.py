r"""Content and position taken apart: what an agent says, and where it likes to say it.

A prompt's shares are taken as option + position + rest,

.. math:: s_{ro} = \tfrac1C + \alpha_o + \pi_{\mathrm{pos}(r,o)} + e_{ro},

over prompts `r` whose orders are balanced: then :math:`\tfrac1C + \alpha_o` is the plain mean over
prompts, and position adds nothing to it. What is left, `e`, has :math:`(R-2)(C-1)` degrees of
freedom and says how far the mean would move with other prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.measure.answer_sheets import Answers, CountedAnswers
from equipoise.measure.orders import is_balanced
from equipoise.measure.questionnaire import Sheet

__all__ = ["Parts", "balanced_shares", "drawn_shares", "parts_of"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """One question under one condition, taken apart.

    Parameters
    ----------
    balanced : (C,) array
        Mean share of each option over prompts.
    position : (C,) array
        Mean share of each position over prompts.
    rest : (R, C) array
        What option and position do not explain, by option.
    tested : bool
        Whether orders were balanced and there are enough to tell the two apart.
    """

    balanced: FloatArray
    position: FloatArray
    rest: FloatArray
    tested: bool

    @property
    def widening(self) -> float:
        """By what the rest's spread must be scaled for the parameters fitted to it."""
        prompts = len(self.rest)
        return float(np.sqrt(prompts / (prompts - 2.0))) if self.tested and prompts > 2 else 0.0


def parts_of(rates: FloatArray, sheet: Sheet) -> Parts:
    """Take the shares of one question's prompts (R, C), by option, apart.

    Examples
    --------
    >>> from equipoise.measure.questionnaire import Sheet
    >>> sheet = Sheet("q", ("a", "b"), (0, 0), ((0, 1), (1, 0)))
    >>> found = parts_of(np.array([[0.8, 0.2], [0.3, 0.7]]), sheet)
    >>> found.balanced, found.position
    (array([0.55, 0.45]), array([0.75, 0.25]))
    """
    orders = np.array(sheet.orders)
    by_position = np.take_along_axis(rates, orders, axis=1)
    balanced, position = rates.mean(axis=0), by_position.mean(axis=0)
    tested = is_balanced(tuple(sheet.orders))
    if not tested:
        return Parts(balanced, position, rates - balanced, False)
    c = rates.shape[1]
    left = by_position - balanced[orders] - position + 1.0 / c
    rest = np.empty_like(rates)
    np.put_along_axis(rest, orders, left, axis=1)
    return Parts(balanced, position, rest, True)


def balanced_shares(answers: Answers, questions: list[int]) -> FloatArray:
    """Return mean shares over prompts, (conditions, questions, options), padded with 0."""
    width = max(len(answers.sheets[q].options) for q in questions)
    out = np.zeros((len(answers.conditions), len(questions), width))
    for c in range(len(answers.conditions)):
        for j, q in enumerate(questions):
            rates = answers.rates(c, q)
            assert rates is not None
            out[c, j, : rates.shape[1]] = rates.mean(axis=0)
    return out


def drawn_shares(
    answers: Answers, questions: list[int], draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draw the balanced shares anew, (draws, conditions, questions, options).

    Scores: other prompts, by resampling what option and position leave over. Counts: other texts,
    by sampling from option + position (so that one text a prompt has its noise too).

    Not guaranteed: anything about questions that were not asked. With two prompts of two options
    nothing is left over, and scores do not move.
    """
    width = max(len(answers.sheets[q].options) for q in questions)
    out = np.zeros((draws, len(answers.conditions), len(questions), width))
    for c in range(len(answers.conditions)):
        for j, q in enumerate(questions):
            rates = answers.rates(c, q)
            assert rates is not None
            parts = parts_of(rates, answers.sheets[q])
            if isinstance(answers, CountedAnswers):
                n = answers.counts[c][q].sum(axis=1)
                found = _sampled(parts, answers.sheets[q], n, draws, rng)
            else:
                found = _moved(parts, draws, rng)
            out[:, c, j, : rates.shape[1]] = found
    return out


def _moved(parts: Parts, draws: int, rng: np.random.Generator) -> FloatArray:
    prompts = len(parts.rest)
    picked = rng.integers(0, prompts, (draws, prompts))
    moved = parts.balanced + parts.widening * parts.rest[picked].mean(axis=1)
    moved = np.maximum(moved, 0.0)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def _sampled(
    parts: Parts, sheet: Sheet, n: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> FloatArray:
    expected = expected_shares(parts, sheet)
    total = np.zeros((draws, len(parts.balanced)))
    for r, texts in enumerate(n):
        total += rng.multinomial(int(texts), expected[r], size=draws) / texts
    return np.asarray(total / len(n))


def expected_shares(parts: Parts, sheet: Sheet) -> FloatArray:
    """Return each prompt's shares by option and position alone, (R, C) by option; rows sum to 1."""
    orders = np.array(sheet.orders)
    c = len(parts.balanced)
    if parts.tested:
        by_position = np.maximum(parts.balanced[orders] + parts.position - 1.0 / c, 0.0)
    else:
        by_position = parts.balanced[orders]
    by_position = by_position / by_position.sum(axis=1, keepdims=True)
    out = np.empty_like(by_position)
    np.put_along_axis(out, orders, by_position, axis=1)
    return np.asarray(out)
