"""Working out once what many prompts begin with, without changing a single bit of what is read.

A question in six orders of its options is six prompts with one beginning, its *stem*. llama.cpp can
keep a stem in its cache, but by itself it keeps whatever the last prompt happened to share, so that
numbers depend on what was asked before. Here a stem is always worked out alone and afresh, and a
prompt always goes on from exactly its stem: what is read depends on the request, on nothing else.
This needs a server with one slot, asked by one call at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os.path
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, final

from equipoise.llm.failures import CallFailed, FailureKind
from equipoise.llm.requests import Message, Request, ScoreRequest, canonical

__all__ = ["Stems", "written_out"]

Post = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Posts a body to a path below "/v1" and returns the reply."""

MARK = "\x02stem\x03"
"""Stands for the question while the rest of a conversation is written out; no survey has it."""

OTHER_TOKEN = ("\x03", "\x04")
"""A text that no option begins with: it takes the place of what followed the stem before."""


@final
class Stems:
    """What the one slot of a llama.cpp server holds; shared by everybody who asks it.

    Not guaranteed: the last bits, where others ask the same server past this object.
    """

    def __init__(self) -> None:
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]
        self._turns = weakref.WeakKeyDictionary()
        self._threads = threading.Lock()
        self._held = ("", "")
        self._tokens = 0
        self._after = ""
        self._shells: dict[str, tuple[str, str] | None] = {}

    async def reply(
        self, post: Post, request: Request, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the reply to a request, from its stem where it has one.

        Parameters
        ----------
        post : callable
            How to post.
        request : Request
            What is asked; only scores of conversations with a `stem` are worked out from it.
        path, body : str, dict
            The same request as it would be sent without a stem.
        """
        async with self._turn():
            if isinstance(request, ScoreRequest) and request.stem:
                text = await self._written(post, request)
                found = None if text is None else await self._from_stem(post, text, body)
                if found is not None:
                    return found
            self._forget()
            return await post(path, body)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the slot for calls of one's own."""
        async with self._turn():
            self._forget()
            yield

    def _forget(self) -> None:
        self._held = ("", "")

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One call at a time, first come first served; also between threads."""
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(loop, asyncio.Lock()):
            if not self._threads.acquire(blocking=False):
                await asyncio.to_thread(self._threads.acquire)
            try:
                yield
            except BaseException:
                # Whatever was under way, the slot may hold anything.
                self._forget()
                raise
            finally:
                self._threads.release()

    async def _written(self, post: Post, request: ScoreRequest) -> tuple[str, str] | None:
        """Return a conversation as the server writes it out, in two parts: the stem and the rest.

        None where the model's template changes the question's text, or a model that is told to
        reason writes it out in a way of its own.
        """
        *before, last = request.prompt.messages or (Message("user", ""),)
        if not last.text or request.reasoning != "default":
            return None
        key = canonical([[m.role, m.text] for m in before] + [[last.role]])
        if key not in self._shells:
            with_mark = await written_out(post, [*before, Message(last.role, MARK)])
            plain = await written_out(post, [*before, last])
            parts = with_mark.split(MARK)
            fits = len(parts) == 2 and parts[0] + last.text + parts[1] == plain
            self._shells[key] = (parts[0], parts[1]) if fits else None
        shell = self._shells[key]
        if shell is None or last.text != last.text.strip():
            return None
        return shell[0] + last.text[: request.stem], last.text[request.stem :] + shell[1]

    async def _from_stem(
        self, post: Post, text: tuple[str, str], body: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the reply, or None where the text cannot be cut here.

        A token spans the cut, or the model's cache cannot go back: then it is asked as a whole.
        """
        stem, rest = text
        switches = {k: v for k, v in body.items() if k not in ("messages", "top_logprobs")}
        switches["logprobs"] = body["top_logprobs"]
        quiet = switches | {"max_tokens": 1, "logprobs": 0}
        held = (stem, canonical(body.get("lora")))
        if self._held != held:
            self._forget()
            found = await post("/completions", quiet | {"prompt": stem, "cache_prompt": False})
            self._tokens, self._after = _count(found, "prompt_n"), ""
        elif any(c.isalnum() for c in os.path.commonprefix([self._after, rest])):
            await self._cleared(post, quiet, stem)
        self._held = held
        asked = switches | {"prompt": stem + rest, "cache_prompt": True}
        reply = await post("/completions", asked)
        if _count(reply, "cache_n") > self._tokens:
            # More than the stem was taken over from the last prompt: once more, from the stem.
            await self._cleared(post, quiet, stem)
            reply = await post("/completions", asked)
        self._after = rest
        return reply if _count(reply, "cache_n") == self._tokens else None

    async def _cleared(self, post: Post, quiet: dict[str, Any], stem: str) -> None:
        """Let something else follow the stem, so that the next prompt shares the stem alone."""
        other = OTHER_TOKEN[self._after.startswith(OTHER_TOKEN[0])]
        await post("/completions", quiet | {"prompt": stem + other, "cache_prompt": True})
        self._after = other


async def written_out(post: Post, messages: Sequence[Message]) -> str:
    """Return a conversation as llama.cpp writes it out for the model.

    Raises
    ------
    CallFailed
        The server has no such call.
    """
    turns = [{"role": m.role, "content": m.text} for m in messages]
    # Beside "/v1", not in it.
    text = (await post("/../apply-template", {"messages": turns})).get("prompt")
    if not isinstance(text, str):
        raise CallFailed(FailureKind.MALFORMED, "llama.cpp: no conversation was written out")
    return text


def _count(reply: dict[str, Any], name: str) -> int:
    timings = reply.get("timings")
    count = timings.get(name) if isinstance(timings, dict) else None
    if type(count) is not int:
        raise CallFailed(FailureKind.MALFORMED, f"local server: the reply has no {name}")
    return count
