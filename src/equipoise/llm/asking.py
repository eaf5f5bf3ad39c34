"""The plain front door: many requests, a few in flight, answers in the order of the requests.

`ask` runs its own event loop (in a thread of its own where one runs already, as in a notebook).
A call that failed is a `Failed`, an endpoint that cannot be scored a `NotScored`: neither is ever
replaced by an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, final, overload

from equipoise.errors import BadInput, EquipoiseError
from equipoise.llm.answers import Answer, OptionScores, Sample
from equipoise.llm.backend import Backend
from equipoise.llm.failures import CallFailed, CannotScore, FailureKind, NotScored
from equipoise.llm.requests import Request, SampleRequest, ScoreRequest

__all__ = ["Asked", "Failed", "Result", "ask", "ask_async", "ask_one"]

ENOUGH = 20
"""This many calls in a row without an answer end the run: the server is not there."""


@final
@dataclass(frozen=True)
class Failed:
    """A request without an answer: why, and in what words."""

    kind: FailureKind
    sentence: str


T = TypeVar("T")

Result = Answer | NotScored | Failed


@final
@dataclass(frozen=True)
class Asked:
    """What came of many requests.

    Parameters
    ----------
    results : tuple
        One a request, in their order; None for a request that was not asked because the run
        ended before.
    stopped : EquipoiseError or None
        What ended the run early: a budget, a refused key, a full disk, a server that is not there.
    """

    results: tuple[Result | None, ...]
    stopped: EquipoiseError | None = None

    @property
    def failures(self) -> Counter[FailureKind]:
        """How many requests failed, by kind."""
        return Counter(r.kind for r in self.results if isinstance(r, Failed))

    @property
    def unasked(self) -> int:
        """How many requests were not asked because the run ended before."""
        return sum(r is None for r in self.results)

    def complete(self) -> tuple[Answer | NotScored, ...]:
        """Return the answers, if every request has one.

        Raises
        ------
        EquipoiseError
            What stopped the run, or a sentence that counts what failed.
        """
        if self.stopped is not None:
            raise self.stopped
        if self.failures:
            kinds = ", ".join(f"{n} {kind.value}" for kind, n in self.failures.most_common())
            first = next(r for r in self.results if isinstance(r, Failed))
            raise CallFailed(
                first.kind,
                f"{sum(self.failures.values())} of {len(self.results)} calls have no answer "
                f"({kinds}); the first: {first.sentence}. What was answered is kept: run again "
                "to go on",
            )
        return tuple(r for r in self.results if r is not None and not isinstance(r, Failed))


Step = Callable[[int, int], Any]


def ask(
    backend: Backend,
    requests: Iterable[Request],
    *,
    in_flight: int = 64,
    on_step: Step | None = None,
) -> Asked:
    """Ask all requests and wait for the answers.

    Parameters
    ----------
    backend : Backend
        Whom.
    requests : iterable of Request
        What; read before anything is sent.
    in_flight : int
        At most this many at once; an adaptive wrapper may allow fewer.
    on_step : callable, optional
        Called with (done, total) after every result.

    Examples
    --------
    >>> from equipoise.llm.requests import Prompt, ScoreRequest
    >>> from equipoise.llm.scripted import Scripted
    >>> found = ask(Scripted.uniform(), [ScoreRequest(Prompt.chat("A. yes"), ("A", "B"))])
    >>> dict(found.complete()[0].probabilities)
    {'A': 0.5, 'B': 0.5}
    """
    return _run(backend, ask_async(backend, requests, in_flight=in_flight, on_step=on_step))


@overload
def ask_one(backend: Backend, request: ScoreRequest) -> OptionScores: ...


@overload
def ask_one(backend: Backend, request: SampleRequest) -> Sample: ...


def ask_one(backend: Backend, request: Request) -> Answer:
    r"""Ask one request and return its answer; a failure is raised.

    Examples
    --------
    >>> from equipoise.llm.requests import Prompt, SampleRequest
    >>> from equipoise.llm.scripted import Scripted
    >>> ask_one(Scripted.by_position([1, 0]), SampleRequest(Prompt.chat("A. yes\nB. no"))).text
    'A'
    """
    return _run(backend, backend.answer(request))


async def ask_async(
    backend: Backend,
    requests: Iterable[Request],
    *,
    in_flight: int = 64,
    on_step: Step | None = None,
) -> Asked:
    """Do what `ask` does inside a running loop; connections stay open."""
    if in_flight < 1:
        raise BadInput(f"in_flight: {in_flight}; write a whole number of at least 1")
    run = _Run(backend, list(requests), on_step)
    todo = iter(enumerate(run.requests))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(run.requests))):
                group.create_task(run.work(todo))
    except BaseExceptionGroup as several:
        # A mistake in a script or a callback: the first says it all.
        raise several.exceptions[0] from None
    return Asked(tuple(run.results), run.stopped)


class _Run:
    """Workers take the next request until there is none, or until something ends all."""

    def __init__(self, backend: Backend, requests: list[Request], on_step: Step | None) -> None:
        self.backend = backend
        self.requests = requests
        self.results: list[Result | None] = [None] * len(requests)
        self.stopped: EquipoiseError | None = None
        self._on_step = on_step
        self._done = 0
        self._in_a_row = 0

    async def work(self, todo: Iterator[tuple[int, Request]]) -> None:
        # Calls in flight are finished also when the run ends: their answers are kept.
        while self.stopped is None:
            number, request = next(todo, (-1, None))
            if request is None:
                return
            try:
                self.results[number] = await self.backend.answer(request)
                self._in_a_row = 0
            except CannotScore as error:
                self.results[number] = error.observed
                self._in_a_row = 0
            except CallFailed as error:
                self.results[number] = Failed(error.kind, str(error))
                self._in_a_row += 1
                if error.kind.ends_all or self._in_a_row >= ENOUGH:
                    self.stopped = self.stopped or error
            except EquipoiseError as error:
                # A spent budget, a full disk, a key that is not set: nothing more can be asked.
                self.stopped = self.stopped or error
                return
            self._done += 1
            if self._on_step is not None:
                self._on_step(self._done, len(self.requests))


def _run(backend: Backend, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in a thread of its own where a loop runs already, and free connections."""

    async def run() -> T:
        try:
            return await work
        finally:
            await backend.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    thread = ThreadPoolExecutor(1)
    try:
        return thread.submit(lambda: asyncio.run(run())).result()
    finally:
        # Who interrupts a notebook does not wait for the answers under way.
        thread.shutdown(wait=False)
