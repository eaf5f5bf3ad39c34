"""What asking through equipoise costs, beside a bare HTTP client on the same server in one run.

`python -m benchmarks.llm` needs the extra `local` and `equipoise models pull smollm2-135m`; it
writes `benchmarks/results/DATE-llm.json`. Legs are interleaved in pairs (bare, ours) and the median
of the ratios is reported: other work on the machine hits both. `--quick` leaves the model out.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from equipoise.engine.local import usable_cores
from equipoise.llm.answers import Sample
from equipoise.llm.asking import ask
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import model_named
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.spoken import body_of
from equipoise.llm.store import Store, Stored
from equipoise.llm.wrappers import Cached, wrapped

HERE = Path(__file__).parent
IN_FLIGHT = (1, 4, 16)
TEXT = "Do we spend too little or too much on {}?\nA. too little\nB. about right\nC. too much\n"

# A server that costs nothing: what is left is the client.
STUB = """
import asyncio, json, math
top = [{"token": t, "logprob": math.log(p), "bytes": list(t.encode())}
       for t, p in [("A", .4), ("B", .3), ("C", .1)] + [(f"w{i}", .005) for i in range(17)]]
reply = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant",
    "content": "A"}, "logprobs": {"content": [top[0] | {"top_logprobs": top}]}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 1, "total_tokens": 41}}).encode()
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: "
async def one(reader, writer):
    try:
        while True:
            said = await reader.readuntil(b"\\r\\n\\r\\n")
            lines = said.lower().split(b"\\r\\n")
            size = next(int(x[15:]) for x in lines if x.startswith(b"content-length:"))
            await reader.readexactly(size)
            writer.write(head + str(len(reply)).encode() + b"\\r\\n\\r\\n" + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(one, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bare(endpoint: Endpoint, bodies: list[dict[str, Any]], in_flight: int) -> list[Any]:
    """What one writes by hand: a client, workers, post, json."""
    replies: list[Any] = [None] * len(bodies)

    async def run() -> None:
        todo = iter(enumerate(bodies))
        limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256)
        async with httpx2.AsyncClient(limits=limits, timeout=600, trust_env=False) as client:

            async def work() -> None:
                for i, body in todo:
                    reply = await client.post(endpoint.url + "/chat/completions", json=body)
                    replies[i] = reply.json()

            await asyncio.gather(*(work() for _ in range(in_flight)))

    asyncio.run(run())
    return replies


def pairs(backend: OpenAIHTTP, make: Any, n: int, in_flight: int, runs: int) -> dict[str, Any]:
    """Interleaved runs of both on the same questions; ours with all wrappers and a fresh store."""
    rows = []
    for run in range(runs):
        requests: list[Request] = [make(run * n + i) for i in range(n)]
        most = backend.capabilities.chat_scores
        bodies = [
            body_of(r, backend.endpoint, most if isinstance(r, ScoreRequest) else 0)
            for r in requests
        ]
        row: dict[str, float] = {}
        for who in ("bare", "ours") if run % 2 else ("ours", "bare"):
            with tempfile.TemporaryDirectory() as folder:
                store = Store(Path(folder) / "answers.sqlite")
                model = wrapped(backend, store=store, most=max(20, in_flight))
                used, start = cpu(), time.perf_counter()
                if who == "bare":
                    found = bare(backend.endpoint, bodies, in_flight)
                    tokens = sum(reply["usage"]["total_tokens"] for reply in found)
                else:
                    answers = ask(model, requests, in_flight=in_flight).complete()
                    tokens = sum(a.usage.prompt_tokens + a.usage.completion_tokens for a in answers)
                seconds = time.perf_counter() - start
                row |= {
                    f"{who}_tokens_per_s": tokens / seconds,
                    f"{who}_cpu_ms": 1e3 * (cpu() - used) / n,
                }
                store.close()
        rows.append(row | {"ratio": row["ours_tokens_per_s"] / row["bare_tokens_per_s"]})
    names = rows[0]
    out: dict[str, Any] = {name: float(np.median([r[name] for r in rows])) for name in names}
    out |= {"in_flight": in_flight, "calls": n, "pairs": runs,
            "ratios": [round(r["ratio"], 4) for r in rows]}  # fmt: skip
    print(
        f"{in_flight:3d} in flight: {out['ratio']:.3f} of the bare client's tokens a second, "
        f"{out['ours_cpu_ms']:.2f} ms of CPU a call (bare {out['bare_cpu_ms']:.2f})"
    )
    return out


def score(i: int) -> ScoreRequest:
    return ScoreRequest(Prompt.chat(TEXT.format(f"thing {i}") + "One letter:"), ("A", "B", "C"))


def sample(i: int) -> SampleRequest:
    return SampleRequest(Prompt.chat(f"Say something about the number {i}."), max_tokens=8, seed=i)


def against_stub(runs: int) -> list[dict[str, Any]]:
    print("a server that costs nothing (scores):")
    server = subprocess.Popen([sys.executable, "-c", STUB], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        backend = OpenAIHTTP(Endpoint(f"http://127.0.0.1:{port}/v1", "m"))
        return [pairs(backend, score, 300, k, runs) for k in (*IN_FLIGHT, 64)]
    finally:
        server.kill()
        server.wait()


def against_model(runs: int, threads: int, n: int, kinds: str) -> dict[str, Any]:
    known = model_named("smollm2-135m")
    out: dict[str, Any] = {"threads": threads, "model": known.sha256}
    for slots, kind, make in ((8, "samples", sample), (1, "scores", score)):
        if kind not in kinds:
            continue
        print(f"the local model, {slots} at once ({kind}):")
        with LocalServer(
            Path(known.gguf), slots=slots, threads=threads, context=256, digest=known.sha256
        ) as server:
            backend = server.backend()
            ask(backend, [make(10**6)])
            out[kind] = [pairs(backend, make, n, k, runs) for k in IN_FLIGHT]
            if kind == "scores":
                out["repeated"] = repeated(backend, 3 * n)
    return out


def repeated(backend: OpenAIHTTP, n: int) -> dict[str, Any]:
    """The same questions again, out of the store."""
    requests = [score(10**7 + i) for i in range(n)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "a.sqlite") as store:
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            ask(wrapped(backend, store=store), requests, in_flight=8)
            seconds.append(time.perf_counter() - start)
    times = seconds[0] / seconds[1]
    print(f"{n} questions again out of the store: {times:,.0f} times faster")
    return {"calls": n, "first": seconds[0], "again": seconds[1], "times": times}


def reading(n: int = 100_000) -> dict[str, Any]:
    """Read stored answers: all of a file, and one by one through the cache."""
    text = TEXT.format("{}")
    requests = [SampleRequest(Prompt.chat(text.format(i))) for i in range(n)]
    model = Scripted.uniform()
    answer = Sample("A").to_dict()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "a.sqlite") as store:
        rows = (
            Stored({"asked": model.identity, "request": r.to_dict()}, 0, answer) for r in requests
        )
        start = time.perf_counter()
        store.put_many(rows)
        written = time.perf_counter() - start
        start = time.perf_counter()
        count = sum(1 for _ in store.answers())
        read = time.perf_counter() - start
        start = time.perf_counter()
        ask(Cached(model, store), requests, in_flight=8).complete()
        cached = time.perf_counter() - start
        assert model.calls == 0
        size = sum(p.stat().st_size for p in Path(folder).iterdir())
    print(f"{count:,} answers: written in {written:.2f} s, read {read:.2f} s, asked {cached:.2f} s")
    return {"answers": count, "write": written, "read": read, "cached": cached, "bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the model")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--calls", type=int, default=16, help="calls a leg on the model")
    parser.add_argument("--kinds", default="samples,scores", help="what is asked of the model")
    parser.add_argument("--threads", type=int, default=usable_cores())
    options = parser.parse_args()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    result: dict[str, Any] = {
        "date": today,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": usable_cores(),
        "load_before": os.getloadavg()[0],
        "versions": {n: metadata.version(n) for n in ("httpx2", "xllamacpp", "numpy")},
        "stub": against_stub(options.pairs),
        "reading": reading(),
    }
    if not options.quick:
        result["load_at_the_model"] = os.getloadavg()[0]
        result["model"] = against_model(
            options.pairs, options.threads, options.calls, options.kinds
        )
        path = HERE / "results" / f"{today}-llm.json"
        path.write_text(json.dumps(result, indent=2) + "\n")
        print(f"written {path}")


if __name__ == "__main__":
    main()
