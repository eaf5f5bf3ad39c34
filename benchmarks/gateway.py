"""What the gateway adds, beside a bare FastAPI pass-through on the same upstream in one run.

`python -m benchmarks.gateway` needs the extra `serve` and writes
`benchmarks/results/DATE-gateway.json`. Client, gateway, pass-through and upstream are four
processes. Legs are interleaved (direct, bare, ours) and medians over the runs are reported: other
work on the machine hits all. The client is a bare socket that waits for each reply.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent

# An upstream that takes DELAY seconds and costs nothing else.
UPSTREAM = """
import asyncio, json, sys
delay = float(sys.argv[1])
reply = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "word " * 40}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 40, "total_tokens": 80}}).encode()
whole = (b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: "
         + str(len(reply)).encode() + b"\\r\\n\\r\\n" + reply)
async def one(reader, writer):
    try:
        while True:
            lines = (await reader.readuntil(b"\\r\\n\\r\\n")).lower().split(b"\\r\\n")
            size = next(int(x[15:]) for x in lines if x.startswith(b"content-length:"))
            await reader.readexactly(size)
            if delay:
                await asyncio.sleep(delay)
            writer.write(whole)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(one, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""

# The shortest pass-through one writes with FastAPI.
BARE = """
import sys, socket, httpx2, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=1024,
    max_keepalive_connections=1024), timeout=600, trust_env=False)
app = FastAPI()
@app.post("/v1/chat/completions")
async def passed(request: Request):
    data = await request.json()
    data["model"] = "m"
    reply = await client.post(sys.argv[1] + "/v1/chat/completions", json=data)
    return JSONResponse(reply.json(), reply.status_code)
listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
"""


@contextlib.contextmanager
def running(*command: str) -> Iterator[str]:
    """Start a process that says its port first, and end it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        said = json.loads(line)
        yield said["address"] if isinstance(said, dict) else f"http://127.0.0.1:{said}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]  # a pipe was asked for


async def clients(address: str, n: int, each: int, first: int) -> list[float]:
    """Seconds of every request of n clients that wait for each reply."""
    host, port = address.removeprefix("http://").split(":")
    seconds: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for i in range(each):
            said = {"role": "user", "content": f"question {first + number * each + i} " + "x" * 200}
            body = json.dumps({"model": "a", "messages": [said], "max_tokens": 40}).encode()
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            start = time.perf_counter()
            writer.write(head.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not lines.startswith(b"http/1.1 200"):
                raise SystemExit(f"not answered: {lines[:200]!r}")
            at = lines.index(b"content-length:") + 15
            await reader.readexactly(int(lines[at : lines.index(b"\r", at)]))
            seconds.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(client(k) for k in range(n)))
    return seconds


def leg(addresses: dict[str, str], n: int, each: int, runs: int) -> dict[str, Any]:
    """Median, p95 and throughput of every address, and what it adds to the direct way."""
    rows: dict[str, list[tuple[float, float, float]]] = {who: [] for who in addresses}
    for run in range(runs + 1):
        for who, address in addresses.items():
            start = time.perf_counter()
            took = np.array(asyncio.run(clients(address, n, each, run * n * each)))
            rate = n * each / (time.perf_counter() - start)
            if run:  # the first warms up
                rows[who].append((np.median(took) * 1e3, np.quantile(took, 0.95) * 1e3, rate))
    out: dict[str, Any] = {"clients": n, "requests": n * each * runs}
    direct = np.array(rows["direct"])
    for who, found in rows.items():
        array = np.array(found)
        median, p95, rate = np.median(array, axis=0)
        out[who] = {"median_ms": median, "p95_ms": p95, "requests_per_second": rate}
        if who != "direct":
            added = np.median(array - direct, axis=0)
            out[who] |= {"added_median_ms": added[0], "added_p95_ms": added[1]}
    return out


def main() -> None:
    """Run all legs and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few requests; nothing is written")
    quick = parser.parse_args().quick
    runs, each = (2, 60) if quick else (5, 200)
    legs = {}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_text(json.dumps(
            {"groups": ["left", "right"], "agents": ["a"], "profile": [[0.3, 0.7]]}
        ))  # fmt: skip
        for name, delay, n, count in (
            ("one client", 0.0, 1, each * 5), ("one client, 100 ms", 0.1, 1, max(20, each // 5)),
            ("16 clients, 100 ms", 0.1, 16, max(20, each // 5)), ("throughput", 0.0, 16, each),
        ):  # fmt: skip
            with contextlib.ExitStack() as stack:
                up = stack.enter_context(running(sys.executable, "-c", UPSTREAM, str(delay)))
                bare = stack.enter_context(running(sys.executable, "-c", BARE, up))
                ours = stack.enter_context(running(
                    sys.executable, "-m", "equipoise.cli", "serve", "--plan", str(plan),
                    "--upstream", up, "--port", "0", "--json", "--quiet",
                ))  # fmt: skip
                legs[name] = leg({"direct": up, "bare": bare, "ours": ours}, n, count, runs)
            print(name, json.dumps(legs[name], indent=1))
    if quick:
        return
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    out = {
        "date": today, "python": platform.python_version(), "machine": platform.machine(),
        "cores": os.cpu_count(), "load_before": list(os.getloadavg()), "legs": legs,
        "versions": {
            name: metadata.version(name) for name in ("equipoise", "fastapi", "uvicorn", "httpx2")
        },
    }  # fmt: skip
    path = HERE / "results" / f"{today}-gateway.json"
    path.write_text(json.dumps(out, indent=2, sort_keys=True) + "\n")
    print(path)


if __name__ == "__main__":
    main()
