"""llama.cpp in a child process, with a real model where it can be had.

Witnesses: the same questions in another order, the operating system's list of processes, and what
is known of this model (option letters cover most of its probability, words of ours nothing).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.errors import BadInput
from equipoise.llm.answers import OptionScores, Sample
from equipoise.llm.asking import ask, ask_one
from equipoise.llm.failures import CannotScore
from equipoise.llm.local_server import LocalServer, ServerFailed
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped
from tests.llm.small_model import small_model

ROOT = Path(__file__).parents[2]
LETTERS = ("A", "B", "C")
# One thread: on a machine that is busy with other tests two wait for each other.
SETTINGS: dict[str, Any] = {"context": 512, "threads": 1}


def question(i: int) -> ScoreRequest:
    things = ("parks", "roads and bridges", "schools, parks and the old town hall")[i % 3]
    text = f"Do we spend too little or too much on {things} ({i})?\nA. too little\nB. about right\n"
    text += "C. too much\nAnswer with one letter: A, B or C."
    return ScoreRequest(Prompt.chat(text), LETTERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    log = tmp_path_factory.mktemp("local") / "llama.log"
    with LocalServer(small_model(), log=log, **SETTINGS) as running:
        yield running


def test_answers_do_not_depend_on_order_or_company(server: LocalServer, tmp_path: Path) -> None:
    """To the last bit; stored answers then are those of any other run."""
    model = server.backend()
    alone = ask(model, [question(i) for i in range(6)], in_flight=1).complete()
    with Store(tmp_path / "a.sqlite") as store:
        kept = wrapped(model, store=store)
        together = ask(kept, [question(i) for i in (5, 2, 0, 4, 1, 3)], in_flight=6).complete()
        for i, found in zip((5, 2, 0, 4, 1, 3), together, strict=True):
            assert found == alone[i]
        assert store.spent().calls == 6
    for found in alone:
        assert isinstance(found, OptionScores)
        assert found.covered > 0.5
        assert found.missing == ()
        assert found.usage.counted


def test_words_that_are_not_said_cannot_be_scored(server: LocalServer) -> None:
    prompt = Prompt.chat("Is spending on schools too little or too much? Answer in one word.")
    with pytest.raises(CannotScore) as caught:
        ask_one(server.backend(), ScoreRequest(prompt, ("insufficient", "excessive")))
    assert caught.value.observed.covered < 0.05


def test_bare_texts_and_seeds(server: LocalServer) -> None:
    model = server.backend()
    found = ask_one(
        model, ScoreRequest(Prompt.bare("The capital of France is"), ("Paris", "London"))
    )
    assert found.probabilities["Paris"] > 0.5
    draws = [SampleRequest(Prompt.chat("Hi!"), draw=i, seed=1, max_tokens=6) for i in range(3)]
    first = ask(model, draws, in_flight=3).complete()
    assert ask(model, draws, in_flight=1).complete() == first
    assert all(isinstance(found, Sample) and found.text for found in first)


def test_its_identity_is_the_file_and_not_the_port(server: LocalServer) -> None:
    identity = server.backend().identity
    assert server.address.rsplit(":", 1)[1] not in json.dumps(identity)
    assert identity["at_once"] == "one"
    assert len(identity["sha256"]) == 64


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def ends(pid: int) -> bool:
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


PARENT = """
import sys, time
from pathlib import Path
from equipoise.llm.local_server import LocalServer
server = LocalServer(Path(sys.argv[1]), context=512, threads=1)
server.__enter__()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_the_child_ends_with_a_parent_that_is_killed() -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(small_model())], env=env, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ends(child)


def test_the_child_ends_with_the_block(server: LocalServer) -> None:
    with LocalServer(server.model, digest=server.digest, **SETTINGS) as other:
        pid = other.pid
        assert alive(pid)
    assert ends(pid)


def test_a_file_that_is_no_model_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra local")
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(ServerFailed, match="did not start"), LocalServer(bad):
        pass
    bad.write_bytes(b"text")
    with pytest.raises(BadInput, match="not a GGUF file"):
        LocalServer(bad)
    with pytest.raises(BadInput, match="cannot be read"):
        LocalServer(tmp_path / "none.gguf")
