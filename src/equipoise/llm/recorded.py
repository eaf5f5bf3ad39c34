"""Every exchange written down: what was asked, what came back or failed, how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from equipoise.llm.answers import Answer
from equipoise.llm.backend import Backend, Wrapper
from equipoise.llm.failures import CallFailed, CannotScore
from equipoise.llm.requests import Request, canonical

__all__ = ["Recorded", "line_writer"]


@final
class Recorded(Wrapper):
    """A backend that tells somebody about every call.

    Parameters
    ----------
    inner : Backend
        Asked.
    record : callable
        Given one JSON object a call: request, draw, seconds, and answer or failed.

    Examples
    --------
    >>> from equipoise.llm.asking import ask
    >>> from equipoise.llm.requests import Prompt, ScoreRequest
    >>> from equipoise.llm.scripted import Scripted
    >>> calls = []
    >>> model = Recorded(Scripted.uniform(), calls.append)
    >>> _ = ask(model, [ScoreRequest(Prompt.chat("tea?"), ("A", "B"))])
    >>> calls[0]["answer"]["probabilities"]
    {'A': 0.5, 'B': 0.5}
    """

    def __init__(self, inner: Backend, record: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__(inner)
        self.record = record

    async def answer(self, request: Request) -> Answer:
        """Ask, and tell."""
        start = time.perf_counter()
        told: dict[str, Any] = {"failed": "interrupted"}
        try:
            found = await self.inner.answer(request)
            told = {"answer": found.to_dict()}
            return found
        except CannotScore as error:
            told = {"answer": error.observed.to_dict()}
            raise
        except CallFailed as error:
            told = {"failed": error.kind.value, "sentence": str(error)}
            raise
        finally:
            seconds = time.perf_counter() - start
            asked = {"request": request.to_dict(), "draw": request.draw, "seconds": seconds}
            self.record(asked | told)


def line_writer(path: Path) -> Callable[[dict[str, Any]], None]:
    """Return a recorder that appends one line of JSON a call to a file."""

    def write(exchange: dict[str, Any]) -> None:
        with path.open("a", encoding="ascii") as file:
            file.write(canonical(exchange) + "\n")

    return write
