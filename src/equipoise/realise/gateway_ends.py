"""The ends of a passed-on request: reading a client's body, a reply's parts, and sending them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.realise.gateway_words import Refused, error_event
from equipoise.realise.upstream import REPLY_BYTES

if TYPE_CHECKING:
    from equipoise.webguard import Message, Receive, Send

__all__ = [
    "ClientGone", "Started", "disconnected", "jsonl", "read_body", "whole_events", "whole_reply",
]  # fmt: skip

SENDING = 60.0
"""Seconds a client may take to send its body."""


class ClientGone(Exception):
    """Nobody waits for the reply any more."""


class Started:
    """What has been sent of a reply, so that a failure is told in the right place."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.trace: list[tuple[bytes, bytes]] = []
        self.begun = False

    async def begin(self, status: int, kind: bytes, *more: tuple[bytes, bytes]) -> None:
        """Send the status and the headers."""
        self.begun = True
        headers = [(b"content-type", kind), *more, *self.trace]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, part: bytes) -> None:
        """Send a part."""
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        """End a reply sent in parts."""
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(self, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
        """Send a reply of JSON at once."""
        length = (b"content-length", b"%d" % len(body))
        await self.begin(status, b"application/json", length, *more)
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, error: Refused) -> None:
        """Send an error: as the reply, or as the last event of a stream."""
        if self.begun:
            await self.more(error_event(error.message, error.kind, error.code))
            await self.end()
            return
        wait = [(b"retry-after", error.wait.encode())] if error.wait else []
        if error.status == 413:
            wait.append((b"connection", b"close"))
        await self.whole(error.status, error.body(), *wait)


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return a client's body; one too large, or too slow, is refused."""
    body: bytes = b""
    try:
        async with asyncio.timeout(SENDING):
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                body += part
                if len(body) > limit:
                    raise Refused(413, f"the body is larger than {limit} bytes", "too_large")
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise Refused(408, f"the body did not arrive in {SENDING:g} s", "slow_body") from None


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def whole_reply(parts: AsyncIterator[bytes]) -> bytes:
    """Return a reply's body; one that is no whole object was cut off."""
    chunks: list[bytes] = []
    size = 0
    async for part in parts:
        chunks.append(part)
        size += len(part)
        if size > REPLY_BYTES:
            raise Refused(502, "the upstream's reply is too large", "upstream_reply",
                          kind="upstream_error")  # fmt: skip
    body = b"".join(chunks)
    if body[:1].strip() != b"{" or body[-8:].rstrip()[-1:] != b"}":
        raise Refused(502, "the upstream broke the reply off; try again", "upstream_cut_short",
                      kind="upstream_error")  # fmt: skip
    return body


async def whole_events(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass on whole events of a stream; of a broken one no half event gets out."""
    rest = b""
    async for part in parts:
        rest += part
        end = max(_after(rest, b"\n\n"), _after(rest, b"\r\n\r\n"))
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > REPLY_BYTES:
            raise Refused(502, "the upstream's event is too large", "upstream_reply",
                          kind="upstream_error")  # fmt: skip
    if rest.strip():
        # A last event without its empty line: sent whole, the client may still read it.
        yield rest


def _after(text: bytes, mark: bytes) -> int:
    """Return where the last mark ends, or 0 without one."""
    at = text.rfind(mark)
    return at + len(mark) if at >= 0 else 0


def jsonl(path: Path) -> Callable[[dict[str, Any]], None]:
    """Return a trace that adds one line a request to a file."""
    file = path.open("a", encoding="utf-8", buffering=1)

    def write(record: dict[str, Any]) -> None:
        file.write(json.dumps(record) + "\n")

    return write
