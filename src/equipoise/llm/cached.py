"""Answers are asked for once: a stored answer is returned, a new one is stored before it counts.

An answer is complete when it is stored. Refusals and options that cannot be scored are
observations and are stored; a failed call is not and never is.
"""

from __future__ import annotations

import asyncio
from typing import final

from equipoise.llm.answers import Answer, answer_from_dict
from equipoise.llm.backend import Backend, Wrapper
from equipoise.llm.failures import CannotScore, NotScored, StoreFailed
from equipoise.llm.requests import Request, canonical
from equipoise.llm.store import Store

__all__ = ["Cached", "Replayed"]


@final
class Cached(Wrapper):
    """A backend that looks into a store first.

    Parameters
    ----------
    inner : Backend
        Asked when the store has no answer.
    store : Store
        Several processes may share its file; where two ask the same, the first answer stays.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from equipoise.llm.asking import ask
    >>> from equipoise.llm.requests import Prompt, ScoreRequest
    >>> from equipoise.llm.scripted import Scripted
    >>> model, question = Scripted.uniform(), ScoreRequest(Prompt.chat("tea?"), ("A", "B"))
    >>> with Store(Path(tempfile.mkdtemp()) / "answers.sqlite") as store:
    ...     twice = [ask(Cached(model, store), [question]).complete() for _ in range(2)]
    >>> twice[0] == twice[1], model.calls
    (True, 1)
    """

    def __init__(self, inner: Backend, store: Store) -> None:
        super().__init__(inner)
        self.store = store
        self.found = 0
        self._asked = canonical(inner.identity)
        self._flying: dict[tuple[str, int], asyncio.Future[None]] = {}

    async def answer(self, request: Request) -> Answer:
        """Return the stored answer, or ask, store and return."""
        name = name_of(self._asked, request)
        place = (name, request.draw)
        # The same question twice at the same time is asked once.
        while (flying := self._flying.get(place)) is not None:
            await asyncio.wait([flying])
        kept = self.store.get(name, request.draw)
        if kept is not None:
            self.found += 1
            return _told(answer_from_dict(kept))
        if self.store.read_only:
            raise StoreFailed(
                f"{self.store.path}: the answer to a question is not in it, and it is open for "
                "reading only"
            )
        mine = self._flying[place] = asyncio.get_running_loop().create_future()
        try:
            try:
                observed: Answer | NotScored = await self.inner.answer(request)
            except CannotScore as error:
                observed = error.observed
            kept = self.store.put(name, request.draw, observed.to_dict())
            return _told(answer_from_dict(kept))
        finally:
            del self._flying[place]
            mine.set_result(None)


@final
class Replayed(Wrapper):
    """A backend that only replays: what is not in the store is an error, nothing is ever asked."""

    def __init__(self, inner: Backend, store: Store) -> None:
        super().__init__(inner)
        self.store = store

    async def answer(self, request: Request) -> Answer:
        """Return the stored answer.

        Raises
        ------
        StoreFailed
            There is none.
        """
        name = name_of(canonical(self.identity), request)
        kept = self.store.get(name, request.draw)
        if kept is None:
            raise StoreFailed(f"{self.store.path}: the answer to a question is not in it")
        return _told(answer_from_dict(kept))


def name_of(asked: str, request: Request) -> str:
    """Return the canonical text of {"asked": identity, "request": request}.

    Examples
    --------
    >>> from equipoise.llm.requests import Prompt, SampleRequest
    >>> request = SampleRequest(Prompt.chat("tea?"))
    >>> name_of('{"kind":"x"}', request) == canonical(
    ...     {"asked": {"kind": "x"}, "request": request.to_dict()})
    True
    """
    return f'{{"asked":{asked},"request":{canonical(request.to_dict())}}}'


def _told(found: Answer | NotScored) -> Answer:
    if isinstance(found, NotScored):
        raise CannotScore(found)
    return found
