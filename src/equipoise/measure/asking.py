"""Asking the agents of a population: one after another, every answer once, phases counted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from equipoise.errors import BadInput
from equipoise.llm.answers import Answer
from equipoise.llm.asking import Failed, ask
from equipoise.llm.backend import Backend
from equipoise.llm.budgeted import Budget
from equipoise.llm.failures import FailureKind, NotScored
from equipoise.llm.ledger import Prices, Spent
from equipoise.llm.requests import Request
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped
from equipoise.measure.agents import Absent, AgentSpec, Known, open_agent
from equipoise.measure.answer_sheets import Answers, CountedAnswers, ScoredAnswers
from equipoise.measure.plan import estimator_of, requests_of
from equipoise.measure.questionnaire import Condition, Questionnaire

__all__ = ["Asker", "Phase", "Progress"]

Progress = Callable[[str, int, int, Spent, float], Any]
"""Called with (phase, done, total, spent in this phase, seconds in this phase)."""

AT_ONCE = 64
AT_ONCE_HERE = 4
"""A server of our own works on one at a time; a few more wait at its door."""

TOLD_EVERY = 0.2
"""Seconds between two reports of progress."""

CANNOT_SCORE = (FailureKind.UNSUPPORTED, FailureKind.REFUSED_REQUEST)


@final
@dataclass(frozen=True)
class Phase:
    """What one part of a measurement took.

    Parameters
    ----------
    name : str
    calls : int
        Answers it needed.
    spent : Spent
        What was sent for them in this run; the rest came out of the store.
    seconds : float
        By the clock.
    """

    name: str
    calls: int
    spent: Spent
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "phase": self.name,
            "answers": self.calls,
            **self.spent.to_dict(),
            "seconds_waited": self.spent.seconds,
            "seconds": self.seconds,
        }


@final
@dataclass
class Asker:
    """Asks agents within one budget, and keeps what they say in one store.

    Parameters
    ----------
    asked : Questionnaire
    store : Store or None
        Where answers are kept; without one nothing can be resumed and nothing limited.
    budget : Budget
        Of all agents together, over all runs with this store and label.
    label : str
        Under which name it is spent.
    prices : Prices
    given : mapping of agent to Backend
        Models that are open already; others are opened.
    progress : callable, optional
    note : callable, optional
        Told, in a sentence, what is done otherwise than planned.
    """

    asked: Questionnaire
    store: Store | None = None
    budget: Budget = field(default_factory=Budget)
    label: str = "measure"
    prices: Prices = field(default_factory=Prices)
    given: Mapping[str, Backend] = field(default_factory=dict)
    progress: Progress | None = None
    note: Callable[[str], Any] | None = None
    phases: list[Phase] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.store is None and self.budget != Budget():
            raise BadInput("a limit on calls, tokens or cost needs a store that remembers them")

    def measure(
        self,
        spec: AgentSpec,
        conditions: Sequence[Condition],
        known: Known | None,
        *,
        all_kept: bool,
    ) -> Answers:
        """Ask one agent everything, in all conditions.

        Parameters
        ----------
        spec : AgentSpec
        conditions : sequence of Condition
        known : Known or None
            None where the model was given.
        all_kept : bool
            Every answer is in the store: the model is not even started.

        Returns
        -------
        ScoredAnswers or CountedAnswers, never a mixture of both.

        Raises
        ------
        EquipoiseError
            A budget that is spent, calls that failed; what was answered is kept.
        """
        began = time.perf_counter()
        before = self._spent()
        with self._opened(spec, known, all_kept) as model:
            backend = wrapped(
                model, store=self.store, budget=self.budget, label=self.label,
                prices=self.prices, most=AT_ONCE,
            )  # fmt: skip
            estimator, why, first = self._settled(spec, backend, conditions)
            if why and self.note is not None:
                self.note(why)
            wanted = requests_of(
                self.asked, conditions, estimator, model.capabilities, spec.reasoning
            )
            flat = [request for part in wanted for request in part]
            name = f"asking {spec.name}"

            step = self._told(name, len(first), len(flat), before, began)
            at_once = AT_ONCE_HERE if model.capabilities.free else AT_ONCE
            rest = ask(backend, flat[len(first) :], in_flight=at_once, on_step=step)
            found = first + rest.complete()
        spent = _minus(self._spent(), before)
        self.phases.append(Phase(name, len(flat), spent, time.perf_counter() - began))
        parts, at = [], 0
        for part in wanted:
            parts.append(found[at : at + len(part)])
            at += len(part)
        read = ScoredAnswers.read if estimator == "scores" else CountedAnswers.read
        return read(self.asked, conditions, parts)

    def _told(
        self, name: str, already: int, total: int, before: Spent, began: float
    ) -> Callable[[int, int], None]:
        """Return a step that reports now and then: sums are read from the store."""
        last = 0.0

        def step(done: int, of: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if self.progress is None or (now - last < TOLD_EVERY and done < of):
                return
            last = now
            self.progress(name, done + already, total, _minus(self._spent(), before), now - began)

        return step

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long a phase takes in which nothing is asked."""
        began = time.perf_counter()
        yield
        self.phases.append(Phase(name, 0, Spent(), time.perf_counter() - began))

    @contextlib.contextmanager
    def _opened(self, spec: AgentSpec, known: Known | None, all_kept: bool) -> Iterator[Backend]:
        if spec.name in self.given:
            yield self.given[spec.name]
        elif all_kept and known is not None:
            yield Absent(known)
        else:
            with open_agent(spec) as model:
                yield model

    def _settled(
        self, spec: AgentSpec, backend: Backend, conditions: Sequence[Condition]
    ) -> tuple[str, str, tuple[Answer | NotScored, ...]]:
        """Return "scores" or "counts", a sentence where the first reply decided, and that reply."""
        able = backend.capabilities
        believed = estimator_of(spec, able)
        if believed == "counts" or spec.answers != "auto":
            return believed, "", ()
        first: Request = self.asked.score_requests(conditions[0], able, spec.reasoning)[0]
        (found,) = ask(backend, [first]).results
        instead = "its answers are counted instead"
        if isinstance(found, NotScored) and not found.refused:
            why = f"the options cover {found.covered:.3f}, it cannot be scored this way"
            return "counts", f"{spec.name}: {why}; {instead}", ()
        if isinstance(found, Failed) and found.kind in CANNOT_SCORE:
            why = "the endpoint gives no log-probabilities"
            return "counts", f"{spec.name}: {why}; {instead}", ()
        if found is None or isinstance(found, Failed):
            return "scores", "", ()
        return "scores", "", (found,)

    def _spent(self) -> Spent:
        return Spent() if self.store is None else self.store.spent(self.label)


def _minus(now: Spent, before: Spent) -> Spent:
    failures = {
        kind: n - before.failures.get(kind, 0)
        for kind, n in now.failures.items()
        if n > before.failures.get(kind, 0)
    }
    return Spent(
        now.calls - before.calls, now.prompt_tokens - before.prompt_tokens,
        now.completion_tokens - before.completion_tokens, now.cost - before.cost,
        now.seconds - before.seconds, failures,
    )  # fmt: skip
