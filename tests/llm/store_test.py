"""The store: names, four writers, full and read-only disks, old files, a clock that goes back.

Witnesses: SQLite's own command of integrity, hashlib, and the files' bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from equipoise.errors import BadInput
from equipoise.llm import store_file
from equipoise.llm.asking import ask
from equipoise.llm.failures import NotScored, StoreFailed, Usage
from equipoise.llm.ledger import Spent
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.store import Store, Stored
from equipoise.llm.store_lines import export_answers, import_answers
from equipoise.llm.wrappers import Cached, wrapped

ROOT = Path(__file__).parents[2]
ANSWER = NotScored(0.1, usage=Usage(1, 1, counted=True)).to_dict()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


def test_a_name_is_the_sha256_of_canonical_json(path: Path) -> None:
    with Store(path) as store:
        store.put({"b": 1, "a": {"d": "é", "c": 2.5}}, 3, ANSWER)
        # Another order of keys is the same request, another number another.
        assert store.get({"a": {"c": 2.5, "d": "é"}, "b": 1}, 3) == ANSWER
        assert store.get({"a": {"c": 2.5, "d": "é"}, "b": 1}, 4) is None
        assert store.get({"a": {"c": 2.4, "d": "é"}, "b": 1}, 3) is None
    db = sqlite3.connect(path)
    ((name, text),) = db.execute("SELECT name, request FROM answers").fetchall()
    db.close()
    expected = '{"a":{"c":2.5,"d":"\\u00e9"},"b":1}'
    assert (text, name) == (expected, hashlib.sha256(expected.encode()).digest())


def test_the_first_answer_stays(path: Path) -> None:
    with Store(path) as store:
        assert store.put({"q": 1}, 0, {"n": 1}) == {"n": 1}
        assert store.put({"q": 1}, 0, {"n": 2}) == {"n": 1}
        assert len(store) == 1


WRITER = """
import sys
from pathlib import Path
from equipoise.llm.asking import ask
from equipoise.llm.requests import Prompt, SampleRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped
me, path = sys.argv[1], Path(sys.argv[2])
mine = [SampleRequest(Prompt.chat(f"{me} {i}")) for i in range(60)]
ours = [SampleRequest(Prompt.chat(f"all {i}")) for i in range(60)]
with Store(path) as store:
    model = wrapped(Scripted.uniform(delay=0.001), store=store, label=me)
    ask(model, [r for pair in zip(mine, ours) for r in pair], in_flight=8).complete()
"""


def test_four_processes_write_one_file(path: Path) -> None:
    """Not even the file exists when they start."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen([*command, f"w{i}", str(path)], env=env, stderr=subprocess.PIPE)
        for i in range(4)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert (writer.returncode, said) == (0, b"")
    with Store(path) as store:
        assert len(store) == 5 * 60
        assert store.labels() == ["w0", "w1", "w2", "w3"]
        # What two asked at the same time was asked twice and is counted twice, stored once.
        assert 300 <= store.spent().calls <= 480
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_a_full_disk_keeps_what_was_answered(path: Path) -> None:
    """SQLite's own limit of pages: the error of a full disk, wherever the tests run."""
    with Store(path) as store:
        store.put({"q": 0}, 0, ANSWER)
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")

        def fill() -> None:
            for i in range(1, 10_000):
                store.put({"q": i}, 0, ANSWER)
                done.append(i)

        done = [0]
        with pytest.raises(StoreFailed, match="the disk is full"):
            fill()
        assert len(done) > 2
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert len(store) == len(done)
        store.put({"q": "after"}, 0, ANSWER)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, where this user may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True
    )
    if not made or made.returncode != 0:
        pytest.skip("this user may not mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_really_full_disk_no_answer_in_flight_is_lost(small_disk: Path) -> None:
    """The reserve is given up: everything that was answered is in the file."""
    path = small_disk / "answers.sqlite"
    log = small_disk.parent / "log"
    asked = [SampleRequest(Prompt.chat(f"{i} " + "word " * 400)) for i in range(2000)]
    store = Store(path)
    found = ask(Cached(Scripted.uniform(log=log, delay=0.001), store), asked, in_flight=32)
    assert isinstance(found.stopped, StoreFailed)
    assert "the disk is full; everything answered so far is kept" in str(found.stopped)
    assert found.unasked > 0
    assert len(store) == len(log.read_text().splitlines())
    store.close()
    # With room it goes on where it stopped, and asks nothing twice.
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    with Store(path) as bigger:
        before = len(bigger)
        model = Scripted.uniform()
        ask(Cached(model, bigger), asked).complete()
        assert model.calls == len(asked) - before


def test_a_read_only_disk_can_be_replayed_and_not_added_to(small_disk: Path) -> None:
    path = small_disk / "answers.sqlite"
    request = ScoreRequest(Prompt.chat("q"), ("A", "B"))
    with Store(path) as store:
        first = ask(Cached(Scripted.uniform(), store), [request]).complete()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreFailed, match="cannot be written"):
        Store(path)
    silent = Scripted.uniform()
    with Store(path, read_only=True) as store:
        assert ask(Cached(silent, store), [request]).complete() == first
        other = ScoreRequest(Prompt.chat("other"), ("A", "B"))
        stopped = ask(Cached(silent, store), [other]).stopped
        assert "open for reading only" in str(stopped)
        with pytest.raises(StoreFailed, match="reading only"):
            store.put({"q": 1}, 0, ANSWER)
    assert silent.calls == 0


def test_a_file_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(store_file.MIGRATIONS[0])
    db.execute(f"PRAGMA application_id = {store_file.APPLICATION}")
    db.execute("PRAGMA user_version = 1")
    row = (hashlib.sha256(b'{"q":1}').digest(), 0, '{"q":1}', json.dumps(ANSWER), 0.0)
    db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", row)
    db.commit()
    db.close()
    with pytest.raises(StoreFailed, match="open it once for writing"):
        Store(path, read_only=True)
    with Store(path) as store:
        assert store.get({"q": 1}, 0) == ANSWER
        store.note("x", Spent(calls=1))
    with Store(path, read_only=True) as store:
        assert store.spent().calls == 1


def test_files_that_are_not_ours_are_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreFailed, match="damaged or not a store"):
        Store(path)
    assert path.read_bytes() == b"not a database at all" * 100
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(StoreFailed, match="not a store of answers"):
        Store(path)
    path.unlink()
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreFailed, match="newer equipoise"):
        Store(path)
    with pytest.raises(StoreFailed, match="no such file"):
        Store(path.with_name("none"), read_only=True)


def test_a_clock_that_goes_back_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    requests = [SampleRequest(Prompt.chat("q"), draw=i) for i in range(20)]
    with Store(path) as store:
        first = ask(wrapped(Scripted.uniform(), store=store), requests).complete()
        assert ask(wrapped(Scripted.uniform(), store=store), requests).complete() == first
        spent = store.spent()
    assert spent.calls == 20
    assert spent.seconds >= 0.0


def test_an_export_travels_and_is_the_same_however_it_came_about(tmp_path: Path) -> None:
    requests = [SampleRequest(Prompt.chat(f"A. é\nB. \ud800 {i}"), draw=i % 3) for i in range(30)]
    exports = []
    for name, order in (("one", requests), ("two", requests[::-1])):
        with Store(tmp_path / f"{name}.sqlite") as store:
            model = Scripted.uniform(refuses=0.2, seed=3)
            ask(wrapped(model, store=store), order, in_flight=4).complete()
            assert export_answers(store, tmp_path / f"{name}.jsonl") == 30
        exports.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert exports[0] == exports[1]
    with Store(tmp_path / "three.sqlite") as store:
        assert import_answers(store, tmp_path / "one.jsonl") == (30, 0)
        assert import_answers(store, tmp_path / "one.jsonl") == (0, 30)
        silent = Scripted.uniform(refuses=0.2, seed=3)
        replayed = ask(Cached(silent, store), requests).complete()
        assert silent.calls == 0
        assert replayed == ask(silent, requests).complete()
        # A refusal is an observation: it is there.
        assert any(getattr(found, "refused", False) for found in replayed)
        # What others spent is not ours.
        assert store.spent().calls == 0


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"request": {}, "draw": -1, "answer": {}}',
        '{"request": {}, "draw": 0, "answer": {"kind": "sample"}}',
        '{"request": {}, "draw": 0, "answer": {"kind": "other"}}',
        '{"request": {}, "draw": 0, "answer": {}, "more": 1}',
    ],
)
def test_one_bad_line_and_nothing_is_added(tmp_path: Path, line: str) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.put({"q": 1}, 0, ANSWER)
        export_answers(store, tmp_path / "a.jsonl")
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(line + "\n")
    with Store(tmp_path / "b.sqlite") as store:
        with pytest.raises(BadInput):
            import_answers(store, tmp_path / "a.jsonl")
        assert len(store) == 0
        store.put({"q": 2}, 0, ANSWER)
    (tmp_path / "c.jsonl").write_text('{"x": 1}\n')
    with (
        Store(tmp_path / "b.sqlite") as store,
        pytest.raises(BadInput, match="does not begin as an export"),
    ):
        import_answers(store, tmp_path / "c.jsonl")


def test_sums_are_kept_in_the_file(path: Path) -> None:
    with Store(path) as store:
        store.note("a", Spent(1, 10, 2, 0.5, 3.0, {"timeout": 1}))
        store.note("b", Spent(2, 1, 1, 0.25, 1.0))
        assert store.spent("a").tokens == 12
    with Store(path) as store:
        store.note("a", Spent(1, failures={"timeout": 2}))
        assert store.spent() == Spent(4, 11, 3, 0.75, 4.0, {"timeout": 3})
        assert store.spent("a").failures == {"timeout": 3}


def test_many_answers_in_one_transaction(path: Path) -> None:
    with Store(path) as store:
        rows = [Stored({"q": i}, 0, ANSWER) for i in range(1000)]
        assert store.put_many(rows) == (1000, 0)
        assert [s.request["q"] for s in store.answers()] != list(range(1000))
        assert sorted(s.request["q"] for s in store.answers()) == list(range(1000))
