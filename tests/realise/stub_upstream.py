"""An upstream that says back what it was asked, or misbehaves as the first message tells it to.

`python stub_upstream.py PORT DELAY` prints its port. It is plain sockets: nothing of ours or of a
web framework could hide what really came over the wire.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

WRONG = {
    "error 500": (500, {}, b'{"error": {"message": "it broke"}}'),
    "error 400": (400, {}, b'{"error": {"message": "max_tokens is too large"}}'),
    "error 429": (429, {"retry-after": "7"}, b'{"error": {"message": "slow down"}}'),
    "error 401": (401, {}, b'{"error": {"message": "bad key UPSTREAM-SECRET-1"}}'),
    "error text": (503, {"content-type": "text/html"}, b"<h1>down</h1>"),
    "redirect": (307, {"location": "http://127.0.0.1:9/v1/chat/completions"}, b""),
    "html": (200, {"content-type": "text/html"}, b"<h1>hello</h1>"),
    "packed": (200, {"content-encoding": "gzip"}, b"\x1f\x8b"),
    "half json": (200, {}, b'{"id": "x", "choi'),
    "no content": (204, {}, b""),
}


def reply(data: dict[str, Any], head: str) -> dict[str, Any]:
    """A good reply whose content is what was asked, as JSON."""
    said = json.dumps({"body": data, "head": head})
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if "messages" in data:
        choice["message"] = {"role": "assistant", "content": said}
    else:
        choice["text"] = said
    return {
        "id": "stub-1", "object": "chat.completion", "created": 1, "model": data["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }  # fmt: skip


def event(text: str, model: str) -> bytes:
    """One part of a stream."""
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    data = {"id": "s", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": [delta]}  # fmt: skip
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n"


async def stream(writer: asyncio.StreamWriter, data: dict[str, Any], wish: str) -> None:
    """Parts with a pause between them; the wish "cut" ends in the middle of one."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    for text in ("one ", "two ", data["model"]):
        writer.write(chunk(event(text, data["model"])))
        await writer.drain()
        await asyncio.sleep(0.05)
    if wish == "cut":
        writer.write(b'40\r\ndata: {"id": ')
        await writer.drain()
        raise ConnectionError("cut")
    writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def answer(writer: asyncio.StreamWriter, head: str, body: bytes, delay: float) -> None:
    data = json.loads(body)
    messages = data.get("messages") or [{"content": data.get("prompt", "")}]
    wish = next((m.get("content") for m in messages if m.get("role") != "system"), "")
    wish = wish if isinstance(wish, str) else ""
    await asyncio.sleep(3600 if wish == "never" else delay)
    if data.get("stream"):
        return await stream(writer, data, wish)
    status, headers, said = WRONG.get(wish, (200, {}, b""))
    if wish == "hang up":
        raise ConnectionError("hung up")
    said = said or (b"" if wish in WRONG else json.dumps(reply(data, head)).encode())
    announced = len(said) + (10 if wish == "short" else 0)
    lines = {"content-type": "application/json", "content-length": str(announced), **headers}
    text = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + said)
    if wish == "short":
        raise ConnectionError("cut")
    return None


async def connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.lower().split("\r\n")
            size = next(int(x[15:]) for x in lines if x.startswith("content-length:"))
            await answer(writer, head, await reader.readexactly(size), delay)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    delay = float(sys.argv[2])
    server = await asyncio.start_server(
        lambda r, w: connection(r, w, delay), "127.0.0.1", int(sys.argv[1]), backlog=1024
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
