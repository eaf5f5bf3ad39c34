"""Is a group's model that group's? An audit of its own answers, with as many as power asks for.

Whole questionnaires on the questions taught are drawn from what the model was measured to answer:
one order of the options, one letter by its probability, question by question. The audit (R14) must
give the group a weight whose interval contains 1 and does not reach below `LEAST`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.estimate import Estimate
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.audit import audit_units
from equipoise.measure.law_joint import law_sizes
from equipoise.measure.power import power
from equipoise.measure.units import sheets
from equipoise.realise.adapter_laws import AnswerLaw
from equipoise.realise.subpopulation import Lesson

__all__ = ["LEAST", "Distinct", "audited", "distinct", "drawn_sheets", "sheets_needed"]

IntArray = NDArray[np.int64]

LEAST = 0.8
"""The least lower end for a model that is to stand for a group."""

SETTLED = 1e-3
"""Ends of joint intervals are found to about this."""

NEARLY = 0.95
"""The weight of its own group the power calculation is made at."""

ERROR = 0.05
"""The standard error it asks for."""


@final
@dataclass(frozen=True)
class Distinct:
    """What the audit of one group's model found.

    Attributes
    ----------
    asked, items : int
        Sheets the power calculation asked for, and questions on each.
    n : int
        Sheets audited.
    weight : Estimate
        Of the model's own group.
    weights : tuple of float
        Of all groups.
    p_value : float
        That some mixture of the groups answers like this.
    """

    asked: int
    items: int
    n: int
    weight: Estimate
    weights: tuple[float, ...]
    p_value: float

    @property
    def holds(self) -> bool:
        """Whether the interval contains 1 and its lower end is at least `LEAST`."""
        return self.weight.high >= 1.0 - SETTLED and self.weight.low >= LEAST

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "sheets_power_asks_for": self.asked,
            "questions_a_sheet": self.items,
            "sheets": self.n,
            "own_weight": self.weight.to_dict(),
            "weights": list(self.weights),
            "misfit_p_value": self.p_value,
            "holds": self.holds,
        }


def sheets_needed(laws: AnswerLaws, group: int, seed: int = 0) -> int:
    """Return how many whole questionnaires give the group's weight a standard error of 0.05.

    Raises
    ------
    BadInput
        No number is enough: two groups answer alike.
    """
    k = len(laws.groups)
    weights = np.full(k, (1.0 - NEARLY) / max(1, k - 1))
    weights[group] = NEARLY if k > 1 else 1.0
    items = len(laws.questions)
    n = power(laws, items, weights=weights, seed=seed).needed(ERROR)[laws.groups[group]]
    if n is None:
        raise BadInput(
            f'"{laws.groups[group]}" answers like another group: no number of questionnaires '
            "tells them apart; merge them"
        )
    return n


def drawn_sheets(lesson: Lesson, law: AnswerLaw, n: int, rng: np.random.Generator) -> IntArray:
    """Draw questionnaires a model would fill in, (n, questions taught): the option chosen.

    Each answer comes from one single order, drawn evenly: what the model says, not its mean.
    """
    out = []
    for q in lesson.task.trained:
        rows = np.flatnonzero(lesson.task.question == q)
        picked = law.single[rows[rng.integers(0, rows.size, n)]]
        sums = picked.cumsum(axis=1)
        drawn = (rng.random((n, 1)) * sums[:, -1:] >= sums).sum(axis=1)
        out.append(np.minimum(drawn, picked.shape[1] - 1))
    return np.stack(out, axis=1)


def audited(lesson: Lesson, codes: IntArray, group: int, asked: int) -> Distinct:
    """Audit questionnaires (n, questions taught) against the panel's people.

    The people are a sample, too: their sampling error is in the interval.
    """
    panel = lesson.panel
    sizes = law_sizes(panel)[:, lesson.taught]
    found = audit_units(_people(lesson), sheets(codes), sizes=sizes).estimate
    own = found.estimates[panel.groups.labels[group]]
    weights = tuple(float(w) for w in found.weights)
    return Distinct(asked, len(lesson.questions), len(codes), own, weights, found.misfit.p_value)


def distinct(lesson: Lesson, law: AnswerLaw, group: int, *, seed: int = 0) -> Distinct:
    """Audit answers drawn from the measured law of a group's model.

    Not guaranteed: what the model says when it is really sampled; a soak test does that.
    """
    n = sheets_needed(_people(lesson), group, seed)
    codes = drawn_sheets(lesson, law, n, np.random.default_rng([seed, 11]))
    return audited(lesson, codes, group, n)


def _people(lesson: Lesson) -> AnswerLaws:
    """Return how all people of the panel answer the questions taught."""
    return AnswerLaws.from_table(lesson.panel.answers.for_questions(lesson.questions))
