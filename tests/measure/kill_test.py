"""kill -9 at random moments of a measurement: nothing asked twice, the same bytes at the end.

Witnesses: what a server was asked, the store read after each kill, an uninterrupted run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.llm.requests import canonical
from equipoise.llm.store import Store
from equipoise.llm.store_lines import export_answers
from equipoise.panels import load_panel
from tests.measure.answering import Answering, answering, as_people, write_study

ROOT = Path(__file__).parents[2]
FILES = ("game.json", "game-draws.npz", "measured.json", "answers.csv")
IN_FLIGHT = 20
"""Where the adaptive limit starts: so many calls may be cut off by a kill."""


def started(study: Path, out: Path) -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "EQUIPOISE_HOME": str(out / "home")}
    code = "from equipoise.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "measure", str(study), "--out", str(out), "--quiet"]
    return subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL)


def named(messages: Sequence[Any]) -> str:
    return canonical([list(pair) for pair in messages])


def kept(out: Path) -> set[str]:
    """What the store has, by the conversation."""
    path = out / "measured" / "answers.sqlite"
    if not path.exists():
        return set()
    with Store(path) as store:
        return {named(s.request["request"]["prompt"]["messages"]) for s in store.answers()}


def heard(server: Answering, since: int) -> list[str]:
    with server.guard:
        asked = server.asked[since:]
    return [named([[m["role"], m["content"]] for m in body["messages"]]) for body in asked]


def killed(server: Answering, study: Path, out: Path, kills: int, calls: int) -> int:
    """Kill so often; return how many kills hit the asking."""
    rng = random.Random(kills)
    complete: set[str] = set()
    hit = 0
    for _ in range(kills):
        before = len(server.asked)
        process = started(study, out)
        target = before + rng.randrange(0, max(2, 2 * calls // kills))
        end = time.monotonic() + 120
        while len(server.asked) < target and process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        # When all is answered kills fall into loading, estimating and writing.
        time.sleep(rng.random() * (0.02 if len(complete) < calls else 4.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        new = heard(server, before)
        assert not set(new) & complete, "what was answered is asked again"
        hit += bool(new)
        now = kept(out)
        assert complete <= now, "an answer is lost"
        complete = now
        for name in FILES:
            path = out / "measured" / name
            assert not path.exists() or path.stat().st_size > 0
    before = len(server.asked)
    process = started(study, out)
    assert process.wait(timeout=300) == 0
    assert not set(heard(server, before)) & complete
    return hit


def compare(tmp_path: Path, kills: int, questions: Sequence[str]) -> dict[str, int]:
    people = as_people(load_panel("gss2018", groups=3), default="moderate")
    with answering(people, delay=0.002) as server:
        agent = f'name = "a"\nurl = "{server.url}"\nmodel = "m"'
        study = write_study(tmp_path, [agent], questions=questions)
        assert started(study, tmp_path / "straight").wait(timeout=300) == 0
        calls = len(server.asked)
        assert calls == len(questions) * 24
        server.delay = 0.05
        hit = killed(server, study, tmp_path / "killed", kills, calls)
        total = len(server.asked) - calls
    for name in FILES:
        one, two = (tmp_path / out / "measured" / name for out in ("straight", "killed"))
        assert one.read_bytes() == two.read_bytes(), name
    lines = []
    for out in ("straight", "killed"):
        with Store(tmp_path / out / "measured" / "answers.sqlite") as store:
            assert export_answers(store, tmp_path / f"{out}.jsonl") == calls
        lines.append((tmp_path / f"{out}.jsonl").read_bytes())
    assert lines[0] == lines[1]
    # Only what was in flight when the process died may have been sent again.
    assert total - calls <= kills * IN_FLIGHT
    return {"kills": kills, "kills_while_asking": hit, "answers": calls, "calls": total}


needs_kill = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX")


@needs_kill
def test_five_kills(tmp_path: Path) -> None:
    found = compare(tmp_path, 5, ("natenvir", "natarms", "nateduc", "natheal", "natcity"))
    assert found["kills_while_asking"] >= 3


@needs_kill
@pytest.mark.soak
def test_a_hundred_kills(tmp_path: Path, record_figure: Callable[[str, Any], None]) -> None:
    panel = load_panel("gss2018", groups=3)
    found = compare(tmp_path, 100, panel.questions)
    record_figure("measure kills", found)
    assert found["kills_while_asking"] >= 20


def test_the_comparison_sees_a_changed_byte(tmp_path: Path) -> None:
    """The checker has been seen to fail: a store without one answer is not complete."""
    with _store(tmp_path) as store:
        request = {"request": {"prompt": {"messages": [["user", "q"]]}}}
        store.put(request, 0, {"kind": "x"})
    found = kept(tmp_path)
    assert found == {named([["user", "q"]])}
    assert not {named([["user", "other"]])} <= found
    assert json.loads(next(iter(found))) == [["user", "q"]]


def _store(folder: Path) -> Store:
    (folder / "measured").mkdir()
    return Store(folder / "measured" / "answers.sqlite")
