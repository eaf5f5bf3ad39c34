"""A failed call is tried again, after the wait the server asked for, or a growing jittered one."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import final

from equipoise.errors import BadInput
from equipoise.llm.answers import Answer
from equipoise.llm.backend import Backend, Wrapper
from equipoise.llm.failures import CallFailed, FailureKind
from equipoise.llm.requests import Request
from equipoise.llm.waits import backoff

__all__ = ["Retrying"]

LONGEST_ASKED = 600.0
"""A server that wants a longer pause is taken at its word: the call has failed for now."""


@final
class Retrying(Wrapper):
    """A backend that does not give up at once.

    Parameters
    ----------
    inner : Backend
        Asked again after failures that may pass: 429, 5xx, timeouts, cut or damaged replies.
    attempts : int
        Calls for one request at most.
    base, longest : float
        Seconds before the second attempt, and the longest of our own waits.
    patience : float
        Seconds one request may take, waits included.
    seed : int
        Of the jitter.
    sleep : callable
        Waits; replaced in tests.
    """

    def __init__(
        self,
        inner: Backend,
        *,
        attempts: int = 8,
        base: float = 0.5,
        longest: float = 60.0,
        patience: float = 1800.0,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if attempts < 1 or base < 0.0 or longest < base:
            raise BadInput("retrying: at least 1 attempt, and 0 <= base <= longest")
        super().__init__(inner)
        self.attempts = attempts
        self.base = base
        self.longest = longest
        self.patience = patience
        self.failures: Counter[FailureKind] = Counter()
        self._sleep = sleep
        self._rng = random.Random(seed)

    async def answer(self, request: Request) -> Answer:
        """Ask until there is an answer, or no more attempt is left.

        Raises
        ------
        CallFailed
            The last failure; every one is counted in `failures`.
        """
        start = time.monotonic()
        attempt = 0
        while True:
            try:
                return await self.inner.answer(request)
            except CallFailed as error:
                self.failures[error.kind] += 1
                attempt += 1
                wait = error.wait or backoff(
                    attempt - 1, self._rng, base=self.base, longest=self.longest
                )
                late = time.monotonic() - start + wait > self.patience
                if not error.kind.again or attempt >= self.attempts or late:
                    raise
                if error.wait > LONGEST_ASKED:
                    error.args = (f"{error}; it asks to come back in {error.wait:.0f} s",)
                    raise
            # A little on top, spread: not all who were told the same come back together.
            await self._sleep(wait + self._rng.uniform(0.0, min(1.0, 0.1 * wait)))
