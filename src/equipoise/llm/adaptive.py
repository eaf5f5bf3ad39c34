"""As many calls at once as the server likes.

One more after a full round of successes, half as many after a rejection, never fewer than one:
additive increase, multiplicative decrease.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import final

from equipoise.errors import BadInput
from equipoise.llm.answers import Answer
from equipoise.llm.backend import Backend, Wrapper
from equipoise.llm.failures import CallFailed
from equipoise.llm.requests import Request

__all__ = ["Adaptive"]


@final
class Adaptive(Wrapper):
    """A backend that finds out how many calls at once are good.

    The limit is that of this process; several processes each find their own.

    Parameters
    ----------
    inner : Backend
        Asked within the limit.
    start, least, most : int
        The limit at first, and its bounds.

    Raises
    ------
    BadInput
        Not 1 <= least <= start <= most.
    """

    def __init__(self, inner: Backend, *, start: int = 20, least: int = 1, most: int = 64) -> None:
        if not 1 <= least <= start <= most:
            raise BadInput("concurrency: write 1 <= least <= start <= most")
        super().__init__(inner)
        self.limit = float(start)
        self.least = least
        self.most = most
        self.in_flight = 0
        self._cut = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def answer(self, request: Request) -> Answer:
        """Wait for a place, then ask."""
        await self._enter()
        begun = time.monotonic()
        full = self.in_flight >= int(self.limit)
        try:
            found = await self.inner.answer(request)
        except CallFailed as error:
            # Calls sent before the last cut say nothing about the limit after it.
            if error.kind.congestion and begun >= self._cut:
                self._cut = time.monotonic()
                self.limit = max(float(self.least), self.limit / 2.0)
            raise
        else:
            if full:
                self.limit = min(float(self.most), self.limit + 1.0 / self.limit)
            return found
        finally:
            self.in_flight -= 1
            self._wake()

    async def _enter(self) -> None:
        while self.in_flight >= int(self.limit):
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except BaseException:
                # A place given to a call that was cancelled goes to the next.
                if place.done() and not place.cancelled():
                    self._wake()
                raise
        self.in_flight += 1

    def _wake(self) -> None:
        room = int(self.limit) - self.in_flight
        while room > 0 and self._waiting:
            place = self._waiting.popleft()
            # One left by a loop that has ended is skipped.
            if not place.done() and not place.get_loop().is_closed():
                place.set_result(None)
                room -= 1
