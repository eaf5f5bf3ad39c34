"""Everything measured of one agent, each number with its n and interval, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled, estimate_rows
from equipoise.estimate import Estimate, percentile_interval
from equipoise.measure.answer_laws import SMOOTHING, AnswerLaws, smoothed
from equipoise.measure.answer_sheets import Answers, CountedAnswers, usable_questions
from equipoise.measure.balance import balanced_shares, drawn_shares
from equipoise.measure.default_alignment import anchor_draws, counted_units, default_alignment
from equipoise.measure.distances import Distances, distances
from equipoise.measure.judging import Judging, judging
from equipoise.measure.personas import Steerability, steerability
from equipoise.measure.random_answers import Randomness, randomness
from equipoise.panels.panel import Panel
from equipoise.panels.panel_draws import PanelDraws

__all__ = ["AgentFindings", "find"]

FloatArray = NDArray[np.float64]

LAW_DRAWS = 200
"""Draws of the panel behind the interval of a default alignment."""


@final
@dataclass(frozen=True, eq=False)
class AgentFindings(Tabled):
    """What was found of one agent.

    Parameters
    ----------
    agent : str
    answers : ScoredAnswers or CountedAnswers
    questions : list of int
        Those with answers in every prompt; only they are used.
    alignment : mapping of group to Estimate
        Default alignment.
    mixture : dict
        The whole finding behind it.
    draws : (B, K) array
        The anchor in joint draws.
    randomness : Randomness
    steerability, judging : Steerability, Judging
        None where no personas were asked.
    distances : Distances
        Representativeness, Jensen-Shannon distance and total variation per group.
    table : dict
        question -> option -> Estimate of the default answers.
    """

    agent: str
    answers: Answers
    questions: list[int]
    alignment: dict[str, Estimate]
    mixture: dict[str, Any]
    draws: FloatArray
    randomness: Randomness
    steerability: Steerability | None
    judging: Judging | None
    distances: Distances
    table: dict[str, dict[str, Estimate]]

    @property
    def anchor(self) -> FloatArray:
        """Default alignment as a mixture, (K,)."""
        found = np.array([e.value for e in self.alignment.values()])
        return np.asarray(found / found.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "agent": self.agent,
            "estimator": self.answers.kind,
            "unusable": self.answers.unusable,
            "questions": [self.answers.sheets[q].question for q in self.questions],
            "left_out": [
                s.question for q, s in enumerate(self.answers.sheets) if q not in self.questions
            ],
            "default_alignment": {g: e.to_dict() for g, e in self.alignment.items()},
            "mixture": self.mixture,
            "random_answers": self.randomness.to_dict(),
            "steerability": None if self.steerability is None else self.steerability.to_dict(),
            "judging": None if self.judging is None else self.judging.to_dict(),
            "distances": self.distances.to_dict(),
            "answers": {
                q: {o: e.to_dict() for o, e in row.items()} for q, row in self.table.items()
            },
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: the default alignment with its interval."""
        return [{"agent": self.agent, **row} for row in estimate_rows("group", self.alignment)]

    def __repr__(self) -> str:
        return f"AgentFindings({self.agent}: {self.randomness.verdict})"


def find(
    agent: str,
    answers: Answers,
    panel: Panel,
    people: PanelDraws,
    *,
    seed: int = 0,
) -> AgentFindings:
    """Work out everything that is measured of one agent.

    Parameters
    ----------
    agent : str
    answers : ScoredAnswers or CountedAnswers
        To questions of the panel, in the panel's order; the first condition is the default, the
        others are the panel's groups.
    panel : Panel
    people : PanelDraws
        Joint draws of the panel; the agent's are drawn to go with them, one by one.
    seed : int
    """
    table = panel.answers
    questions = usable_questions(answers)
    at = [table.question_index(answers.sheets[q].question) for q in questions]
    width = table.shares.shape[2]
    laws = AnswerLaws.from_table(table)
    law_draws = smoothed(
        people.answers, people.answers_n_eff, [len(o) for o in table.options], SMOOTHING
    )
    rng = np.random.default_rng([seed, 4])
    shares = _padded(balanced_shares(answers, questions), width)
    drawn = _padded(drawn_shares(answers, questions, len(people), rng), width)
    whole = np.full((len(table.questions), width), np.nan)
    whole[at] = shares[0]
    alignment, mixture = default_alignment(
        panel, laws, answers, questions, whole, law_draws[:LAW_DRAWS], seed=seed
    )
    n = sum(answers.n(0, q) for q in questions)
    theirs, theirs_drawn = table.shares[:, at], people.answers[:, :, at]
    labels = panel.groups.labels
    steered = judged = None
    if len(answers.conditions) > 1:
        steered = steerability(labels, shares, drawn, theirs, theirs_drawn, n)
        judged = judging(
            labels, shares[1:], drawn[:, 1:], theirs, theirs_drawn,
            np.asarray(panel.groups.shares), people.shares, n,
        )  # fmt: skip
    said = (
        counted_units(panel, answers, questions) if isinstance(answers, CountedAnswers) else whole
    )
    away = distances(panel, said, seed=seed)
    return AgentFindings(
        agent, answers, questions, alignment, mixture,
        anchor_draws(law_draws, at, drawn[:, 0]),
        randomness(answers, questions, seed=seed),
        steered, judged, away,
        _table(answers, questions, shares[0], drawn[:, 0]),
    )  # fmt: skip


def _padded(shares: FloatArray, width: int) -> FloatArray:
    more = width - shares.shape[-1]
    return np.pad(shares, [(0, 0)] * (shares.ndim - 1) + [(0, more)])


def _table(
    answers: Answers, questions: list[int], shares: FloatArray, drawn: FloatArray
) -> dict[str, dict[str, Estimate]]:
    low, high = percentile_interval(drawn)
    low, high = np.minimum(low, shares), np.maximum(high, shares)
    how = f"mean over balanced orders; other {_of(answers)}, 95 %"
    return {
        answers.sheets[q].question: {
            option: Estimate(
                float(shares[j, c]), float(low[j, c]), float(high[j, c]), answers.n(0, q), how
            )
            for c, option in enumerate(answers.sheets[q].options)
        }
        for j, q in enumerate(questions)
    }


def _of(answers: Answers) -> str:
    return "prompts" if answers.kind == "scores" else "texts"
