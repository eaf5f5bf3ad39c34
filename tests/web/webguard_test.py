"""The guard of every server of ours, asked through the ASGI protocol itself.

Witnesses: the refusals a DNS-rebinding attack must meet (a foreign name that resolves to this
machine keeps its own Host; a foreign page's script sends its own Origin), and the messages of the
ASGI specification 3.0. An application that passes everything through shows what reaches it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from equipoise.errors import BadInput
from equipoise.webguard import WebGuard

Message = dict[str, Any]


class Asked:
    """What came back, and what the application behind the guard saw."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.body: bytes | None = None
        self.disconnected = False

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def ask(
    *headers: tuple[bytes, bytes],
    chunks: tuple[bytes, ...] = (b"",),
    catch: bool = False,
    method: str = "POST",
    **guard: Any,
) -> Asked:
    asked = Asked()
    left = list(chunks)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                asked.disconnected = True
                if catch:
                    # What a framework does: it makes an answer of its own out of it.
                    await send({"type": "http.response.start", "status": 400, "headers": []})
                    await send({"type": "http.response.body", "body": b"framework"})
                    return
                raise ConnectionError("gone")
            body += message["body"]
            if not message["more_body"]:
                break
        asked.body = body
        own = [(b"Content-Security-Policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> Message:
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    async def send(message: Message) -> None:
        asked.sent.append(dict(message))

    scope = {"type": "http", "method": method, "headers": list(headers)}
    asyncio.run(WebGuard(app, **guard)(scope, receive, send))  # type: ignore[arg-type]  # plain dicts
    return asked


HOST = (b"host", b"127.0.0.1:8000")


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:80", b"127.0.0.1:8000", b"[::1]:8000", b"[::1]"]
)
def test_a_loopback_name_is_let_in(host: bytes) -> None:
    assert ask((b"host", host)).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"evil.example", 403),
        (b"localhost.evil.example:8000", 403),
        (b"evil.example/localhost", 403),
        (b"localhost@evil.example", 403),
        (b"localhost:8000:9000", 403),
        (b"127.0.0.1.", 403),
        (b"localhost\xff", 403),
        (b"", 403),
        (b"*", 403),
    ],
)
def test_a_rebound_name_is_refused(host: bytes, status: int) -> None:
    asked = ask((b"host", host))
    assert (asked.status, asked.body) == (status, None)
    assert json.loads(asked.sent[1]["body"])["error"]["type"] == "invalid_request_error"


def test_no_host_and_two_hosts_are_refused() -> None:
    assert ask().status == 400
    assert ask(HOST, (b"host", b"localhost")).status == 400
    assert ask(HOST, *[(b"origin", b"http://127.0.0.1:8000")] * 2).status == 400


@pytest.mark.parametrize(
    "origin",
    [b"http://evil.example", b"null", b"http://127.0.0.1:3000", b"http://localhost:8000", b"",
     b"http://127.0.0.1:8000.evil.example", b"file://", b"chrome-extension://abc"],
)  # fmt: skip
def test_a_page_of_another_site_may_not_call(origin: bytes) -> None:
    assert ask(HOST, (b"origin", origin)).status == 403


def test_its_own_page_and_a_named_one_may_call() -> None:
    assert ask(HOST, (b"origin", b"http://127.0.0.1:8000")).status == 200
    assert ask(HOST, (b"origin", b"HTTPS://127.0.0.1:8000")).status == 200
    named: dict[str, Any] = {"origins": ["https://Lab.example/"]}
    assert ask(HOST, (b"origin", b"https://lab.example"), **named).status == 200
    assert ask(HOST, (b"origin", b"https://lab.example.evil"), **named).status == 403


def test_a_named_page_may_read_the_answer_and_no_other() -> None:
    """The Fetch standard: without these headers a browser keeps the answer from the page."""
    named: dict[str, Any] = {"origins": ["https://lab.example"]}
    lab = (b"origin", b"https://lab.example")
    answer = ask(HOST, lab, **named).headers
    assert answer[b"access-control-allow-origin"] == b"https://lab.example"
    assert answer[b"vary"] == b"origin"
    before = ask(HOST, lab, method="OPTIONS", **named)
    assert (before.status, before.body) == (204, None)
    assert b"authorization" in before.headers[b"access-control-allow-headers"]
    for asked in (ask(HOST, **named), ask(HOST, (b"origin", b"http://127.0.0.1:8000"), **named)):
        assert b"access-control-allow-origin" not in asked.headers
    assert ask(HOST, method="OPTIONS").status == 200
    for wrong in ("", "*", "null", "lab.example", "https://lab.example/page", "file://"):
        with pytest.raises(BadInput, match="scheme and host alone"):
            ask(HOST, origins=[wrong])


def test_more_hosts_by_name_only() -> None:
    assert ask((b"host", b"lab.example:80"), hosts=["Lab.example"]).status == 200
    assert ask((b"host", b"[fe80::1]:80"), hosts=["fe80::1"]).status == 200
    for wrong in ("http://lab.example", "*", "lab.example:80", "", "a b"):
        with pytest.raises(BadInput, match="without scheme"):
            ask(HOST, hosts=[wrong])


def test_a_large_body_is_refused_unread_and_when_it_is_not_announced() -> None:
    announced = ask(HOST, (b"content-length", b"11"), max_body=10)
    assert (announced.status, announced.body) == (413, None)
    assert ask(HOST, (b"content-length", b"10"), chunks=(b"0123456789",), max_body=10).status == 200
    for catch in (False, True):
        grown = ask(HOST, chunks=(b"01234", b"56789", b"x"), max_body=10, catch=catch)
        assert (grown.status, grown.disconnected, len(grown.sent)) == (413, True, 2)
    exact = ask(HOST, (b"transfer-encoding", b"chunked"), chunks=(b"01234", b"56789"), max_body=10)
    assert (exact.status, exact.body) == (200, b"0123456789")
    # A length beside chunks is not believed.
    both = ((b"content-length", b"1"), (b"transfer-encoding", b"chunked"))
    assert ask(HOST, *both, chunks=(b"01234", b"56789x"), max_body=10).status == 413


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"", b"9" * 40, b"0x10", b"1, 1"])
def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    assert ask(HOST, (b"content-length", length)).status == 400


def test_browsers_are_told_not_to_frame_sniff_or_share() -> None:
    answer = ask(HOST).headers
    assert answer[b"x-content-type-options"] == b"nosniff"
    assert answer[b"x-frame-options"] == b"DENY"
    # What the application sets itself stands, once.
    assert b"content-security-policy" not in answer
    assert answer[b"Content-Security-Policy"] == b"default-src 'self'"
    refused = ask((b"host", b"evil.example")).headers
    assert refused[b"content-security-policy"].startswith(b"default-src 'none'")
    other = ask(HOST, headers={"X-Frame-Options": "", "Referrer-Policy": "same-origin"}).headers
    assert b"x-frame-options" not in other
    assert other[b"referrer-policy"] == b"same-origin"


def test_parts_of_a_stream_pass_one_by_one() -> None:
    """The reader has part n before the application makes part n + 1."""
    order: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for n in range(3):
            order.append(f"made {n}")
            await send({"type": "http.response.body", "body": b"x", "more_body": n < 2})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            order.append("read")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "headers": [HOST]}
    asyncio.run(WebGuard(app)(scope, receive, send))
    assert order == ["made 0", "read", "made 1", "read", "made 2", "read"]


def test_a_web_socket_of_another_page_is_closed_and_start_up_passes() -> None:
    sent: list[Any] = []
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    guard = WebGuard(app)
    asyncio.run(guard({"type": "lifespan"}, receive, send))
    evil = [HOST, (b"origin", b"http://evil.example")]
    asyncio.run(guard({"type": "websocket", "headers": evil}, receive, send))
    assert (reached, sent[0]["type"], sent[0]["code"]) == (["lifespan"], "websocket.close", 1008)
    asyncio.run(guard({"type": "websocket", "headers": [HOST]}, receive, send))
    assert reached == ["lifespan", "websocket"]
