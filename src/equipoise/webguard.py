"""What every page and service of ours checks before a request is read.

A web page on another site can make a browser send requests to a server on this machine, and with a
domain name that is pointed at 127.0.0.1 (DNS rebinding) it can even read the answers. So a request
must name a host we know, and a request a script of a page makes must come from a page of that same
host. A body has a limit, and every answer tells browsers not to frame, sniff or share it. Pure
ASGI: it works under any framework, looks only at headers, and never holds a stream back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, final

from equipoise.display import shortened
from equipoise.errors import BadInput

__all__ = ["LOOPBACK", "WebGuard"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no name server decides about."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Sent with every answer that does not set them itself."""

HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")


@final
class WebGuard:
    r"""An ASGI application that lets another one see only the requests it should.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    hosts : iterable of str
        Names a request may use for this server beside the loopback names, without scheme or port.
    origins : iterable of str
        Pages of other sites that may call and read the answers (CORS), each as a browser writes it
        (`https://example.org`). A page of the host that is asked always may.
    max_body : int
        Bytes a request's body may have.
    headers : mapping, optional
        Security headers to set instead of the usual ones; an empty value leaves that one out.

    Raises
    ------
    BadInput
        A host with a scheme, a port or a wildcard; an origin that is none; a negative limit.

    Notes
    -----
    A refusal is answered here, as `{"error": {"message", "type", "code"}}`: 400 without one usable
    `Host`, 403 for a host or an origin that is not ours, 413 for a body that is too large, also
    when its length was not announced. It says nothing about who may ask: that takes a key. A
    client that is no browser sends what headers it likes.

    Examples
    --------
    >>> import asyncio
    >>> async def hello(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 200, "headers": []})
    ...     await send({"type": "http.response.body", "body": b"hello"})
    >>> async def send(message):
    ...     print(message.get("status", message.get("body", b"")[:36]))
    >>> scope = {"type": "http", "headers": [(b"host", b"evil.example:8000")]}
    >>> asyncio.run(WebGuard(hello)(scope, None, send))
    403
    b'{"error": {"message": "Host evil.exa'
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        max_body: int = 4 * 2**20,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if max_body < 0:
            raise BadInput(f"max_body: got {max_body}; write a number of bytes, 0 or more")
        self.app = app
        self.max_body = max_body
        self.hosts = frozenset(_host_key(name) for name in (*LOOPBACK, *hosts))
        self.origins = frozenset(_origin_key(origin) for origin in origins)
        wanted = HEADERS | {name.lower(): value for name, value in (headers or {}).items()}
        self.headers = [(name.encode(), value.encode()) for name, value in wanted.items() if value]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        status, why, length, origin = self._judge(scope["headers"])
        if scope["type"] == "websocket":
            if status:
                # Before the handshake a server turns this into the answer 403.
                return await send({"type": "websocket.close", "code": 1008, "reason": why})
            return await self.app(scope, receive, send)
        guarded = self._with_headers(send, origin)
        if status:
            return await _refuse(guarded, status, why)
        if origin in self.origins and scope.get("method") == "OPTIONS":
            return await _allow(guarded)
        if 0 <= length <= self.max_body:
            return await self.app(scope, receive, guarded)
        return await _Counted(receive, guarded, self.max_body).run(self.app, scope)

    def _judge(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str, int, bytes]:
        """Return a refusal's status and reason (0: none), the announced length, the origin.

        A length of -1 means that none was announced.
        """
        host = origin = length = None
        chunked = named = False
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    return 400, "two Host headers; send one", -1, b""
                host = value
            elif name == b"origin":
                if origin is not None:
                    return 400, "two Origin headers; send one", -1, b""
                origin, named = value, True
            elif name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                chunked = True
        if host is None:
            return 400, "no Host header; send one", -1, b""
        host = host.lower()
        match = HOST.fullmatch(host)
        if match is None or match[1] not in self.hosts:
            known = ", ".join(sorted(name.decode() for name in self.hosts))
            return 403, f"Host {_shown(host)} is not a name of this server; use {known}", -1, b""
        origin = b"" if origin is None else origin.lower()
        if named and not self._ours(origin, host):
            return 403, f"a page of {_shown(origin)} may not call this server", -1, b""
        if length is None or chunked:
            return 0, "", -1, origin
        if not length.isdigit() or len(length) > 18:
            return 400, "Content-Length is not a number; send the bytes of the body", -1, origin
        if int(length) > self.max_body:
            return 413, f"the body is larger than {self.max_body} bytes; send less", -1, origin
        return 0, "", int(length), origin

    def _ours(self, origin: bytes, host: bytes) -> bool:
        return origin in (b"http://" + host, b"https://" + host) or origin in self.origins

    def _with_headers(self, send: Send, origin: bytes) -> Send:
        shared = [(b"access-control-allow-origin", origin), (b"vary", b"origin"),
                  (b"access-control-expose-headers", b"*")]  # fmt: skip
        extra = self.headers + (shared if origin in self.origins else [])

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                more = [pair for pair in extra if pair[0] not in names]
                message = {**message, "headers": given + more}
            await send(message)

        return guarded


class _Counted:
    """One request whose body's length is not announced: counted as it comes in.

    A framework may catch what is raised in its `receive`, so the refusal is sent from there and
    the application hears that the client has gone.
    """

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self.receive, self.send, self.left = receive, send, limit
        self.limit, self.started, self.refused = limit, False, False

    async def run(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            if not self.refused:
                raise

    async def _receive(self) -> Message:
        if self.refused:
            return {"type": "http.disconnect"}
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left >= 0:
            return message
        if not self.started:
            await _refuse(self.send, 413, f"the body is larger than {self.limit} bytes; send less")
        self.refused = True
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self.refused:
            self.started = True
            await self.send(message)


async def _allow(send: Send) -> None:
    """Answer what a browser asks before it lets a page of a named origin call."""
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
        (b"access-control-allow-headers", b"authorization, content-type, x-conversation-id, "
         b"x-equipoise-topic"),
        (b"access-control-max-age", b"600"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, status: int, why: str) -> None:
    error = {"message": why, "type": "invalid_request_error", "code": "refused"}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    # Whatever is left of the body is not read: the connection ends with the answer.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _host_key(name: str) -> bytes:
    """Return a host's name as it stands in a Host header, without the port."""
    plain = name.strip().lower().removeprefix("[").removesuffix("]")
    if not NAME.fullmatch(plain):
        raise BadInput(
            f"host {shortened(name, 60)!r}: write a name or an address alone, e.g. example.org, "
            "without scheme, port or *"
        )
    return f"[{plain}]".encode() if ":" in plain else plain.encode()


def _origin_key(origin: str) -> bytes:
    """Return an origin as a browser sends it."""
    plain = origin.strip().lower().rstrip("/")
    if not ORIGIN.fullmatch(plain):
        raise BadInput(
            f"origin {shortened(origin, 60)!r}: write scheme and host alone, e.g. "
            "https://example.org"
        )
    return plain.encode()


def _shown(value: bytes) -> str:
    return shortened(value.decode("latin-1"), 60)
