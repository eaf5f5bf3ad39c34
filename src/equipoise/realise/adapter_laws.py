"""What a group's model answers in the backend that serves it: its answer law, question by question.

The law is exact (probabilities of the letters, read from llama.cpp), averaged over balanced orders
and divided by the mass the letters cover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.llm.asking import ask
from equipoise.llm.backend import Backend
from equipoise.measure.answer_sheets import ScoredAnswers
from equipoise.measure.balance import balanced_shares, drawn_shares, parts_of
from equipoise.measure.questionnaire import Condition, Questionnaire

__all__ = ["AnswerLaw", "answer_law"]

FloatArray = NDArray[np.float64]
Step = Callable[[int, int], Any]


@final
@dataclass(frozen=True, eq=False)
class AnswerLaw:
    """How one model answers a questionnaire, asked in one way.

    Attributes
    ----------
    shares : (Q, C) array
        Balanced shares of the options; NaN where the letters cover too little to be read.
    single : (R, C) array
        Shares of the options in each single prompt, prompts in the questionnaire's order.
    covered : float
        Mean probability the letters cover.
    answers : ScoredAnswers
        Everything that was read.
    """

    shares: FloatArray
    single: FloatArray
    covered: float
    answers: ScoredAnswers

    @property
    def readable(self) -> bool:
        """Whether every question could be read in every order."""
        return not bool(np.isnan(self.shares).any())

    @property
    def by_position(self) -> float:
        """Mean total variation between the shares of positions and equal ones: liking for places.

        0 for a model that answers by content alone.
        """
        gaps = []
        for q, sheet in enumerate(self.answers.sheets):
            rates = self.answers.rates(0, q)
            if rates is not None:
                place = parts_of(rates, sheet).position
                gaps.append(float(np.abs(place - 1.0 / place.size).sum() / 2.0))
        return float(np.mean(gaps)) if gaps else float("nan")

    def drawn(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Draw the balanced shares anew, (draws, Q, C): as other orders might have given them."""
        every = list(range(len(self.answers.sheets)))
        return drawn_shares(self.answers, every, draws, rng)[:, 0]


def answer_law(
    backend: Backend,
    asked: Questionnaire,
    system: str,
    *,
    in_flight: int = 4,
    on_step: Step | None = None,
) -> AnswerLaw:
    """Ask a model the whole questionnaire and read its law.

    Parameters
    ----------
    backend : Backend
        One that gives probabilities, e.g. `LocalServer.backend("left")`.
    asked : Questionnaire
    system : str
        The system prompt of all its prompts.
    in_flight : int
        Requests at once.
    on_step : callable, optional
        Told (done, total).

    Raises
    ------
    EquipoiseError
        A call failed.
    """
    condition = Condition("default", system)
    requests = asked.score_requests(condition, backend.capabilities)
    found = ask(backend, requests, in_flight=in_flight, on_step=on_step).complete()
    answers = ScoredAnswers.read(asked, [condition], [found])
    width = max(len(q.options) for q in asked.questions)
    single = np.concatenate([_padded(rates, width) for rates in answers.given[0]])
    covered = float(np.concatenate(answers.covered[0]).mean())
    shares = np.full((len(asked.questions), width), np.nan)
    read = [q for q in range(len(asked.questions)) if answers.rates(0, q) is not None]
    if read:
        seen = balanced_shares(answers, read)[0]
        shares[read] = 0.0
        shares[read, : seen.shape[1]] = seen
    return AnswerLaw(shares, single, covered, answers)


def _padded(rates: FloatArray, width: int) -> FloatArray:
    out: FloatArray = np.zeros((rates.shape[0], width))
    out[:, : rates.shape[1]] = rates
    return out
