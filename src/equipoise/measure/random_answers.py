r"""Is it content, or position, or nothing at all that decides what a model answers?

**Null test of content.** If a model does not look at what stands where, its answers by position do
not change when the order of the options does: then any pairing of a question's answers with its
orders was as likely as the one seen. The statistic is the squared distance of the balanced shares
from uniform, over all questions; the null permutes, within each question and wording, which order
belongs to which answer. It needs no model of noise and allows any liking for positions. With the
roles of option and position exchanged it is a test of position.

How far balanced answers are from uniform ones, and whether that matters, says `uniform_null`. An
agent cannot be told from random answering when it is that near to uniform, or when (exact scores)
what differs between options is no more than what differs between prompts anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate, percentile_interval
from equipoise.measure.answer_sheets import Answers, ScoredAnswers
from equipoise.measure.balance import balanced_shares, parts_of
from equipoise.measure.questionnaire import Sheet
from equipoise.measure.uniform_null import (
    MARGIN,
    RANDOM,
    UniformTest,
    uniform_counts_test,
    uniform_scores_test,
)

__all__ = ["Randomness", "randomness", "variation"]

FloatArray = NDArray[np.float64]

SHUFFLES = 2000
DRAWS = 1000
ALPHA = 0.05


@final
@dataclass(frozen=True)
class Randomness:
    """How an agent's answers relate to uniform ones.

    Parameters
    ----------
    uniform : UniformTest
        Distance of the balanced answers from uniform, and whether it matters.
    p_content : float
        Of the null test that content decides nothing; 1 where there is only one order.
    p_position : float
        The same of position.
    tested : bool
        Whether there were several orders, all of them balanced.
    exact : bool
        Whether the answers are scores.
    one_order : Estimate
        Mean total variation of single orders from uniform: what one sees without balancing.
    position : Estimate
        Mean total variation of the shares by position from uniform.
    letters : tuple of float
        Mean share of each position, over the questions with the commonest number of options.
    """

    uniform: UniformTest
    p_content: float
    p_position: float
    tested: bool
    exact: bool
    one_order: Estimate
    position: Estimate
    letters: tuple[float, ...]

    @property
    def random(self) -> bool:
        """Whether the answers cannot be told from random answering."""
        unlike = self.exact and self.tested and self.p_content > ALPHA
        return self.uniform.random or unlike

    @property
    def driven_by(self) -> str:
        """What decides the answers: "position", "content", "both" or "nothing"."""
        if not self.tested:
            return "not tested"
        content, position = self.p_content <= ALPHA, self.p_position <= ALPHA
        if not (content and position):
            return "content" if content else "position" if position else "nothing"
        if self.position.low > self.uniform.distance.high:
            return "position"
        return "content" if self.uniform.distance.low > self.position.high else "both"

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.tested:
            return "not tested: only one order was asked; raise measure.orders"
        if not self.random:
            return self.uniform.verdict
        only = self.one_order.low > MARGIN >= self.uniform.distance.value
        return RANDOM + (" once orders are balanced" if only else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "random": self.random,
            "driven_by": self.driven_by,
            "p_content": self.p_content,
            "p_position": self.p_position,
            "uniform": self.uniform.to_dict(),
            "one_order": self.one_order.to_dict(),
            "position": self.position.to_dict(),
            "letters": list(self.letters),
        }


def variation(p: FloatArray, q: FloatArray) -> FloatArray:
    """Total variation over the last axis."""
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2.0)


def randomness(
    answers: Answers, questions: list[int], *, condition: int = 0, seed: int = 0
) -> Randomness:
    """Test whether answers look at content at all, and say how far from random they are.

    Parameters
    ----------
    answers : ScoredAnswers or CountedAnswers
    questions : list of int
        Those with answers in every prompt.
    condition : int
        As whom.
    seed : int
        Of shuffles and draws.

    Returns
    -------
    Randomness. Not guaranteed: that a model which passes answers as people do.
    """
    rng = np.random.default_rng([seed, 14])
    sheets = [answers.sheets[q] for q in questions]
    rates = []
    for q in questions:
        found = answers.rates(condition, q)
        assert found is not None
        rates.append(found)
    tables = [parts_of(r, s) for r, s in zip(rates, sheets, strict=True)]
    tested = all(t.tested for t in tables)
    uniform = [np.full(r.shape[1], 1.0 / r.shape[1]) for r in rates]
    single = [variation(r, u).mean() for r, u in zip(rates, uniform, strict=True)]
    place = [float(variation(t.position, u)) for t, u in zip(tables, uniform, strict=True)]
    common = max(set(map(len, uniform)), key=[len(u) for u in uniform].count)
    letters = np.mean([t.position for t in tables if len(t.position) == common], axis=0)
    n = sum(answers.n(condition, q) for q in questions)
    return Randomness(
        _uniform(answers, questions, condition, seed),
        _p_value(rates, sheets, rng) if tested else 1.0,
        _p_value(*_turned(rates, sheets), rng) if tested else 1.0,
        tested,
        isinstance(answers, ScoredAnswers),
        _over_questions(np.array(single), n, rng),
        _over_questions(np.array(place), n, rng),
        tuple(float(x) for x in letters),
    )


def _uniform(answers: Answers, questions: list[int], condition: int, seed: int) -> UniformTest:
    widths = [len(answers.sheets[q].options) for q in questions]
    if isinstance(answers, ScoredAnswers):
        return uniform_scores_test(
            balanced_shares(answers, questions)[condition], widths, seed=seed
        )
    counts = np.zeros((len(questions), max(widths)))
    for j, q in enumerate(questions):
        counts[j, : widths[j]] = answers.counts[condition][q].sum(axis=0)
    return uniform_counts_test(counts, widths, seed=seed)


def _over_questions(values: FloatArray, n: int, rng: np.random.Generator) -> Estimate:
    picked = rng.integers(0, len(values), (DRAWS, len(values)))
    low, high = percentile_interval(values[picked].mean(axis=1))
    value = float(values.mean())
    how = f"mean over {len(values)} questions; bootstrap over questions, 95 %"
    return Estimate(value, min(float(low), value), max(float(high), value), n, how)


def _turned(rates: list[FloatArray], sheets: list[Sheet]) -> tuple[list[FloatArray], list[Sheet]]:
    """Exchange the roles of option and position: then the test is one of position."""
    turned, inverse = [], []
    for found, sheet in zip(rates, sheets, strict=True):
        turned.append(np.take_along_axis(found, np.array(sheet.orders), axis=1))
        back = tuple(tuple(int(i) for i in np.argsort(order)) for order in sheet.orders)
        inverse.append(Sheet(sheet.question, sheet.options, sheet.wording, back))
    return turned, inverse


def _p_value(rates: list[FloatArray], sheets: list[Sheet], rng: np.random.Generator) -> float:
    """Share of shuffles at least as far from uniform as what was seen, itself included."""
    total, drawn = 0.0, np.zeros(SHUFFLES)
    for found, sheet in zip(rates, sheets, strict=True):
        orders, c = np.array(sheet.orders), found.shape[1]
        by_position = np.take_along_axis(found, orders, axis=1)
        total += float(((found.mean(axis=0) - 1.0 / c) ** 2).sum())
        wording = np.array(sheet.wording)
        picked = np.empty((SHUFFLES, len(orders)), dtype=np.int64)
        for w in np.unique(wording):
            mine = np.flatnonzero(wording == w)
            picked[:, mine] = rng.permuted(np.tile(mine, (SHUFFLES, 1)), axis=1)
        means = np.zeros((SHUFFLES, c))
        for r, order in enumerate(orders):
            means[:, order] += by_position[picked[:, r]]
        drawn += ((means / len(orders) - 1.0 / c) ** 2).sum(axis=1)
    return float((1 + (drawn >= total * (1.0 - 1e-9)).sum()) / (SHUFFLES + 1))
