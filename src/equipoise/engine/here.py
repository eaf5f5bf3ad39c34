"""Pieces in this very process, one after another: no worker, the same way of asking."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from equipoise.engine.worker import answer, failure

__all__ = ["Here", "HereCrew"]


@final
@dataclass(frozen=True)
class Here:
    """Run pieces in this process, where starting workers would cost more than the work.

    Pieces go in and out as JSON and .npz bytes as on the other engines. Not guaranteed: the last
    bits of large matrix products, which may use several threads here.

    Examples
    --------
    >>> Here()
    Here()
    """

    @contextlib.contextmanager
    def crew(self, work: str, pieces: int) -> Iterator[HereCrew]:
        """Hold nothing: there is nobody else."""
        yield HereCrew(work)


class HereCrew:
    """A queue of pieces; taking one is doing it."""

    size = 1

    def __init__(self, work: str) -> None:
        self.work = work
        self._asked: deque[tuple[int, str]] = deque()

    def give(self, number: int, arguments: str) -> None:
        """Hand out one piece."""
        self._asked.append((number, arguments))

    def take(self, *, wait: bool = True) -> tuple[int, bytes] | None:
        """Do the next piece; None when there is none, or nothing is to be waited for.

        Raises
        ------
        PieceFailed
            The work failed (then the error may be another of `equipoise.errors`).
        """
        if not wait or not self._asked:
            return None
        number, arguments = self._asked.popleft()
        done, content = answer(self.work, arguments)
        if done:
            return number, content
        raise failure(self.work, number, content)
