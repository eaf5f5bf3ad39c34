"""The contract: something that can be asked. One method to write, two ways to ask.

A backend answers one request at a time, asynchronously; many requests may be in flight. Wrappers
(cached, budgeted, retrying, adaptive, recorded) are backends around a backend. `asking.ask` is the
plain front door for code that is not asynchronous.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from equipoise.llm.answers import Answer, OptionScores, Sample
from equipoise.llm.failures import Unsupported
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest

__all__ = ["Backend", "Capabilities", "Wrapper"]


@final
@dataclass(frozen=True)
class Capabilities:
    """What a backend can be asked.

    Parameters
    ----------
    chat, completions : bool
        Conversations; bare texts.
    chat_scores, completion_scores : int
        How many alternatives come with log-probabilities; 0 for none.
    continuation : bool
        Whole options can be scored in conversations, not only their first token; in bare texts
        they can wherever there are log-probabilities.
    free : bool
        Runs on this machine: no price is needed.
    """

    chat: bool = True
    completions: bool = False
    chat_scores: int = 0
    completion_scores: int = 0
    continuation: bool = False
    free: bool = False

    @property
    def estimator(self) -> str:
        """How options are measured here: "scores" (exact) or "counts" (sampled)."""
        return "scores" if self.chat_scores or self.completion_scores else "counts"

    def check(self, request: Request) -> None:
        """Refuse what this backend cannot do, before anything is sent.

        Raises
        ------
        Unsupported
            With what to do instead.
        """
        chat = bool(request.prompt.messages)
        if not (self.chat if chat else self.completions):
            kind = "conversations" if chat else "bare texts"
            raise Unsupported(f"this endpoint does not take {kind}; ask the other way")
        if isinstance(request, ScoreRequest):
            if not (self.chat_scores if chat else self.completion_scores):
                raise Unsupported(
                    "this endpoint gives no log-probabilities here; count samples instead "
                    "(equipoise models doctor NAME says what it can do)"
                )
            if request.match == "continuation" and chat and not self.continuation:
                raise Unsupported("this endpoint cannot score whole options; use letters")


class Backend(ABC):
    """Something that can be asked. Leaves write `answer`; everything else follows from it."""

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What is asked, as JSON: part of every stored answer's name. Holds no secret."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What can be asked."""

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Answer one request.

        Raises
        ------
        CallFailed
            No answer, with the kind of failure; never an invented one.
        CannotScore
            The options cover less than 0.5 of the probability.
        """

    async def close(self) -> None:
        """Free connections; the backend can be asked again afterwards."""
        return

    @final
    async def score_options(
        self,
        prompt: Prompt,
        options: Sequence[str],
        *,
        match: str = "first token",
        reasoning: str = "default",
    ) -> OptionScores:
        """Return how probable each option is as the next thing said."""
        found = await self.answer(ScoreRequest(prompt, tuple(options), match, reasoning))
        assert isinstance(found, OptionScores)
        return found

    @final
    async def sample(self, request: SampleRequest) -> Sample:
        """Return one sampled text."""
        found = await self.answer(request)
        assert isinstance(found, Sample)
        return found


class Wrapper(Backend):
    """A backend around a backend; leaves write `answer` alone."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    @final
    def identity(self) -> dict[str, Any]:
        """What is asked: wrappers change nothing about it."""
        return self.inner.identity

    @property
    @final
    def capabilities(self) -> Capabilities:
        """What can be asked: that of the inner backend."""
        return self.inner.capabilities

    async def close(self) -> None:
        """Free the inner backend's connections."""
        await self.inner.close()
