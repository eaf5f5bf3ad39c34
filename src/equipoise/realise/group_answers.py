"""How every group's model answers every prompt of a questionnaire: what routes are built from.

A prompt is a question with its options in one order. Over all prompts of a question the shares
average to the group's answer law, the known end of an audit; the single prompts are what a route
meets. Shares are of the mass the options cover: an answer that names no option is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.llm.asking import ask
from equipoise.llm.backend import Backend
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.answer_sheets import ScoredAnswers
from equipoise.measure.questionnaire import Condition, Questionnaire

__all__ = ["GroupAnswers", "read_answers"]

FloatArray = NDArray[np.float64]
Step = Callable[[int, int], Any]

LEAST = 1e-6
"""No option is quite impossible: an audit must survive one answer."""


@final
@dataclass(frozen=True, eq=False)
class GroupAnswers:
    """Shares of the options, prompt by prompt.

    Parameters
    ----------
    groups : tuple of str
        Labels.
    asked : Questionnaire
        What was asked.
    given : tuple of (K, prompts, options) arrays
        One per question; options in natural order.
    calls, tokens : int
        What reading it cost.

    Raises
    ------
    BadInput
        Shapes do not fit; a row does not sum to 1.
    """

    groups: tuple[str, ...]
    asked: Questionnaire
    given: tuple[FloatArray, ...]
    calls: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        kept = []
        for sheet, table in zip(self.asked.sheets, self.given, strict=True):
            array = np.asarray(table, dtype=np.float64)
            shape = (len(self.groups), len(sheet), len(sheet.options))
            if array.shape != shape:
                raise BadInput(f"{sheet.question}: shares of shape {shape} are needed")
            if np.abs(array.sum(axis=2) - 1.0).max() > 1e-6 or array.min() < 0.0:
                raise BadInput(f"{sheet.question}: shares of a prompt must be >= 0 and sum to 1")
            array = np.maximum(array, LEAST)
            kept.append(array / array.sum(axis=2, keepdims=True))
        object.__setattr__(self, "given", tuple(kept))

    @property
    def laws(self) -> AnswerLaws:
        """The groups' answer laws: means over the prompts of each question."""
        width = max(len(sheet.options) for sheet in self.asked.sheets)
        shares = np.zeros((len(self.groups), len(self.given), width))
        for q, table in enumerate(self.given):
            shares[:, q, : table.shape[2]] = table.mean(axis=1)
        sheets = self.asked.sheets
        return AnswerLaws(
            self.groups,
            tuple(sheet.question for sheet in sheets),
            tuple(sheet.options for sheet in sheets),
            shares,
        )


def read_answers(
    backends: Mapping[str, Backend],
    asked: Questionnaire,
    system: Mapping[str, str],
    *,
    in_flight: int = 4,
    on_step: Step | None = None,
) -> GroupAnswers:
    """Read how every group's model answers every prompt.

    Parameters
    ----------
    backends : mapping of label to Backend
        Each gives probabilities, e.g. `LocalServer.backend("left")`.
    asked : Questionnaire
        Lettered options.
    system : mapping of label to str
        Each group's system prompt: its persona, or what its adapter was trained with.
    in_flight : int
        Requests at once.
    on_step : callable, optional
        Told (done, total) over all groups.

    Raises
    ------
    BadInput
        The options of some prompt cover less than half of the probability.
    EquipoiseError
        A call failed.
    """
    tables, calls, tokens = [], 0, 0
    for number, (group, backend) in enumerate(backends.items()):
        condition = Condition(group, system.get(group, ""))
        requests = asked.score_requests(condition, backend.capabilities)
        before, total = number * len(requests), len(backends) * len(requests)

        def step(done: int, _: int, before: int = before, total: int = total) -> None:
            if on_step is not None:
                on_step(before + done, total)

        found = ask(backend, requests, in_flight=in_flight, on_step=step).complete()
        answers = ScoredAnswers.read(asked, [condition], [found])
        for q, sheet in enumerate(asked.sheets):
            if answers.rates(0, q) is None:
                raise BadInput(
                    f'{group}: the options of "{sheet.question}" cover less than half of the '
                    "probability; it cannot be checked this way"
                )
        tables.append(answers.given[0])
        calls += len(requests)
        tokens += sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in found)
    given = tuple(np.stack([t[q] for t in tables]) for q in range(len(asked.sheets)))
    return GroupAnswers(tuple(backends), asked, given, calls, tokens)
