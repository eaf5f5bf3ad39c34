"""kill -9 at random moments, resumed each time: nothing lost, nothing asked twice, same bytes.

Witnesses: the log of a scripted backend, which notes every call before it answers, the store read
by another process after each kill, and an uninterrupted run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from equipoise.llm.requests import canonical, fingerprint
from equipoise.llm.store import Store
from equipoise.llm.store_lines import export_answers

ROOT = Path(__file__).parents[2]

RUN = """
import json, sys
from pathlib import Path
from equipoise.llm.asking import ask
from equipoise.llm.failures import FailureKind
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.store import Store
from equipoise.llm.store_lines import export_answers
from equipoise.llm.wrappers import wrapped
folder, delay = Path(sys.argv[1]), float(sys.argv[2])
text = "{}: spend\\nA. less\\nB. the same\\nC. more"
asked = [ScoreRequest(Prompt.chat(text.format(i)), ("A", "B", "C")) for i in range(100)]
asked += [SampleRequest(Prompt.chat(text.format(i)), d) for i in range(20) for d in range(5)]
model = Scripted.by_seed(seed=4, refuses=0.1, unparsed=0.1, delay=delay, log=folder / "log")
with Store(folder / "answers.sqlite") as store:
    found = ask(wrapped(model, store=store, label="run"), asked, in_flight=8).complete()
    export_answers(store, folder / "answers.jsonl")
result = [answer.to_dict() for answer in found]
(folder / "result.json").write_text(json.dumps(result, sort_keys=True))
"""


def started(folder: Path, delay: float) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), str(delay)], env=env)


def names(folder: Path) -> set[str]:
    """What is in the store, by the names the log uses."""
    if not (folder / "answers.sqlite").exists():
        return set()
    with Store(folder / "answers.sqlite") as store:
        return {
            fingerprint(canonical([s.request["request"], s.draw])).hex() for s in store.answers()
        }


def killed_and_resumed(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Kill so often, then let it end; return how often each question was asked."""
    rng = random.Random(seed)
    folder.mkdir()
    asked: Counter[str] = Counter()
    complete: set[str] = set()
    log = folder / "log"
    for _ in range(kills):
        # So slow that it could not end before the kill: kills hit every stage of the run.
        process = started(folder, 0.004 * kills)
        end = time.monotonic() + 60
        target = rng.randrange(0, max(2, 2 * 200 // kills))
        while time.monotonic() < end and process.poll() is None:
            sent = log.read_bytes().count(b"\n") if log.exists() else 0
            if sent - sum(asked.values()) >= target:
                break
            time.sleep(0.002)
        time.sleep(rng.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        new = lines[sum(asked.values()) :]
        # What was complete before this run was not asked again in it.
        assert not set(new) & complete
        asked.update(new)
        now = names(folder)
        assert complete <= now
        complete = now
    process = started(folder, 0.0)
    assert process.wait(timeout=120) == 0
    new = (folder / "log").read_text().split("\n")[:-1][sum(asked.values()) :]
    assert not set(new) & complete
    asked.update(new)
    return asked


def compare(tmp_path: Path, kills: int) -> Counter[str]:
    straight = tmp_path / "straight"
    assert started(straight, 0.0).wait(timeout=120) == 0
    asked = killed_and_resumed(tmp_path / "killed", kills, seed=kills)
    assert len(asked) == 200
    for name in ("result.json", "answers.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (straight / name).read_bytes()
    with Store(tmp_path / "killed" / "answers.sqlite") as store:
        assert export_answers(store, tmp_path / "again.jsonl") == 200
        # Calls are counted with the answers they gave: those cut off by a kill are not known.
        assert store.spent("run").calls == 200
    assert (tmp_path / "again.jsonl").read_bytes() == (straight / "answers.jsonl").read_bytes()
    return asked


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")
def test_five_kills_lose_nothing_and_ask_nothing_twice(tmp_path: Path) -> None:
    asked = compare(tmp_path, 5)
    # Only what was in flight when the process died may have been sent again: 8 a kill at most.
    assert sum(asked.values()) - 200 <= 5 * 8


@pytest.mark.soak
def test_a_hundred_kills_lose_nothing_and_ask_nothing_twice(tmp_path: Path, record_figure) -> None:  # type: ignore[no-untyped-def]  # the fixture of conftest
    asked = compare(tmp_path, 100)
    record_figure("llm kills", {"kills": 100, "answers": 200, "calls": sum(asked.values())})
    assert sum(asked.values()) - 200 <= 100 * 8
