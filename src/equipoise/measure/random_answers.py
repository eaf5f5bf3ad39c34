r"""Is it content, or position, or nothing at all that decides what a model answers?

**Null test.** If a model does not look at what stands where, its answers by position do not change
when the order of the options does: then any pairing of a question's answers with its orders was as
likely as the one seen. The statistic is the squared distance of the balanced shares from uniform,
over all questions; the null permutes, within each question and wording, which order belongs to
which answer. This needs no model of noise and allows any liking for positions.

A model may be told from random answering by this test and still be as good as random: the verdict
also asks whether the interval of the mean total variation from uniform reaches `NEAR`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate, percentile_interval
from equipoise.measure.answer_sheets import Answers
from equipoise.measure.balance import drawn_shares, parts_of
from equipoise.measure.questionnaire import Sheet

__all__ = ["NEAR", "Randomness", "randomness", "variation"]

FloatArray = NDArray[np.float64]

NEAR = 0.05
"""Total variation below which answers are as good as random; half-samples of GSS 2018 differ by
.037 from one another."""

SHUFFLES = 2000
DRAWS = 1000
ALPHA = 0.05


@final
@dataclass(frozen=True)
class Randomness:
    """How an agent's answers relate to uniform ones.

    Parameters
    ----------
    p_value : float
        Of the null test that content decides nothing; 1 where there is only one order.
    p_position : float
        The same of position: whether an option's share changes with where it stands.
    tested : bool
        Whether there were several orders, all of them balanced.
    from_uniform : Estimate
        Mean total variation of the balanced shares from uniform, over questions.
    one_order : Estimate
        The same of single orders: what one sees without balancing.
    position : Estimate
        Mean total variation of the shares by position from uniform.
    letters : tuple of float
        Mean share of each position, over the questions with the commonest number of options.
    """

    p_value: float
    p_position: float
    tested: bool
    from_uniform: Estimate
    one_order: Estimate
    position: Estimate
    letters: tuple[float, ...]

    @property
    def random(self) -> bool:
        """Whether the answers cannot be told from random answering, or hardly differ from it."""
        return self.p_value > ALPHA or self.from_uniform.high <= NEAR

    @property
    def driven_by(self) -> str:
        """What decides the answers: "position", "content", "both" or "nothing"."""
        if not self.tested:
            return "not tested"
        content, position = self.p_value <= ALPHA, self.p_position <= ALPHA
        if not (content and position):
            return "content" if content else "position" if position else "nothing"
        if self.position.low > self.from_uniform.high:
            return "position"
        return "content" if self.from_uniform.low > self.position.high else "both"

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.tested:
            return "not tested: only one order was asked; raise measure.orders"
        tv = self.from_uniform
        if self.random:
            only = self.one_order.value > NEAR >= tv.value
            return (
                "cannot be told from random answering"
                if self.p_value > ALPHA
                else "as good as random answering: a trace of content, too small to matter"
            ) + (" once orders are balanced" if only else "")
        return "answers differ from random answering"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "p_value": self.p_value,
            "p_position": self.p_position,
            "random": self.random,
            "driven_by": self.driven_by,
            "verdict": self.verdict,
            "from_uniform": self.from_uniform.to_dict(),
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
    n = sum(answers.n(condition, q) for q in questions)
    uniform = [np.full(r.shape[1], 1.0 / r.shape[1]) for r in rates]
    point = float(np.mean([variation(t.balanced, u) for t, u in zip(tables, uniform, strict=True)]))
    drawn = _drawn_distances(answers, questions, condition, uniform, rng)
    how = f"mean over {len(questions)} questions; "
    single = np.array(
        [variation(r, u).mean() for r, u in zip(rates, uniform, strict=True)]
    )
    by_position = np.array(
        [variation(t.position, u) for t, u in zip(tables, uniform, strict=True)]
    )
    common = max(set(map(len, uniform)), key=[len(u) for u in uniform].count)
    letters = np.mean([t.position for t in tables if len(t.position) == common], axis=0)
    return Randomness(
        _p_value(rates, sheets, rng) if tested else 1.0,
        _p_value(*_turned(rates, sheets), rng) if tested else 1.0,
        tested,
        _around(point, drawn, n, how + "other prompts, 95 %"),
        _over_questions(single, n, rng, how + "bootstrap over questions, 95 %"),
        _over_questions(by_position, n, rng, how + "bootstrap over questions, 95 %"),
        tuple(float(x) for x in letters),
    )


def _drawn_distances(
    answers: Answers,
    questions: list[int],
    condition: int,
    uniform: list[FloatArray],
    rng: np.random.Generator,
) -> FloatArray:
    drawn = drawn_shares(answers, questions, DRAWS, rng)[:, condition]
    apart = [variation(drawn[:, j, : len(u)], u) for j, u in enumerate(uniform)]
    return np.asarray(np.mean(apart, axis=0))


def _around(value: float, draws: FloatArray, n: int, how: str) -> Estimate:
    low, high = percentile_interval(draws)
    # A distance drawn with noise is larger than the distance itself.
    return Estimate(value, min(float(low), value), max(float(high), value), n, how)


def _over_questions(values: FloatArray, n: int, rng: np.random.Generator, how: str) -> Estimate:
    picked = rng.integers(0, len(values), (DRAWS, len(values)))
    return _around(float(values.mean()), values[picked].mean(axis=1), n, how)


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

