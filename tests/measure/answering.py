"""A model behind an address, made up here: an OpenAI-compatible server that plays a script."""

from __future__ import annotations

import contextlib
import json
import math
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from equipoise.llm.requests import Prompt
from equipoise.panels.panel import Panel

Chances = Callable[[Prompt, Sequence[str]], Sequence[float]]


def as_people(panel: Panel, *, default: str, weight: float = 0.9) -> Chances:
    """A script that answers as people of the group its prompt names, else of `default`.

    What is left to 1 is something else than an option.
    """
    table = panel.answers

    def chances(prompt: Prompt, options: Sequence[str]) -> list[float]:
        said = prompt.shown()
        named = [g for g in table.groups if f"whose views are {g} " in said]
        k = table.group_index(named[0] if named else default)
        q = next(i for i, wording in enumerate(table.wording) if wording in said)
        shown = dict(re.findall(r"^([A-Z])\. (.*)$", said, re.M))
        share = dict(zip(table.options[q], table.shares[k, q], strict=False))
        return [weight * float(share[shown[letter]]) for letter in options]

    return chances


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answering

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._give({"data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.guard:
            self.server.asked.append(body)
            self.server.headers.append(dict(self.headers.items()))
            number = len(self.server.asked)
        time.sleep(self.server.delay)
        with contextlib.suppress(OSError):
            self._give(self.server.reply(body, number))

    def _give(self, data: dict[str, Any]) -> None:
        text = json.dumps(data).encode()
        status = 400 if "error" in data else 200
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Answering(ThreadingHTTPServer):
    """The server; use `answering` to run it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, chances: Chances, *, scores: bool, delay: float, refuses: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.chances = chances
        self.scores = scores
        self.delay = delay
        self.refuses = refuses
        self.guard = threading.Lock()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        pass

    def reply(self, body: dict[str, Any], number: int) -> dict[str, Any]:
        texts = [m["content"] for m in body["messages"]]
        prompt = Prompt.chat(texts[-1], system=texts[0] if len(texts) > 1 else "")
        letters = re.findall(r"^([A-Z])\. ", texts[-1], re.M)
        found = list(self.chances(prompt, letters))
        message: dict[str, Any] = {"role": "assistant", "content": "It depends."}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length", "message": message}
        if body.get("logprobs"):
            if not self.scores:
                return {"error": {"message": "logprobs are not supported with this model"}}
            top = [
                {"token": a, "logprob": math.log(max(p, 1e-9)), "bytes": list(a.encode())}
                for a, p in zip(letters, found, strict=True)
            ]
            choice["logprobs"] = {"content": [top[0] | {"top_logprobs": top}]}
        else:
            # What is said depends on the question and on how often it was put, not on time.
            count = sum(one["messages"] == body["messages"] for one in self.asked[:number])
            rng = random.Random(json.dumps([texts, count]))
            message["content"] = rng.choices(
                [*letters, "It depends."], [*found, max(0.0, 1.0 - sum(found))]
            )[0]
            if self.refuses and rng.random() < 0.2:
                message |= {"content": None, "refusal": "I would rather not."}
        return {
            "id": f"chatcmpl-{number:032d}",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51},
        }


@contextlib.contextmanager
def answering(
    chances: Chances, *, scores: bool = True, delay: float = 0.0, refuses: bool = False
) -> Iterator[Answering]:
    server = Answering(chances, scores=scores, delay=delay, refuses=refuses)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


STUDY = """
[panel]
name = "gss2018"
groups = 3
questions = {questions}

[game]
attractiveness = 2.0
anchor = "measured"

[uncertainty]
draws = 60

{agents}
[measure]
orders = 6
{more}
"""


def write_study(
    folder: Path,
    agents: Sequence[str],
    *,
    questions: Sequence[str] = ("natenvir", "natarms", "nateduc"),
    more: str = "",
    name: str = "mine.toml",
) -> Path:
    """A study of agents given as the lines of their tables."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = "".join(f"[[agents]]\n{lines}\n\n" for lines in agents)
    path = folder / name
    path.write_text(
        STUDY.format(questions=json.dumps(list(questions)), agents=tables, more=more),
        encoding="utf-8",
    )
    return path
