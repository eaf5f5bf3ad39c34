"""Local workers: order, bytes, deaths, interrupts. Witness: the function called in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.engine import ChunkStore, Local, PieceFailed, engine_named, run
from equipoise.engine.store import pack
from equipoise.errors import BadInput, MissingExtra
from tests.engine import work

ROOT = Path(__file__).parents[2]


def as_bytes(found: list[tuple[int, Any]]) -> list[tuple[int, bytes]]:
    return [(number, pack(arrays)) for number, arrays in found]


def test_bytes_and_order_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    pieces = [{"number": n} for n in range(9)]
    one = as_bytes(list(run(Local(1), work.product, pieces)))
    assert [number for number, _ in one] == list(range(9))
    assert as_bytes(list(run(Local(2), work.product, pieces))) == one
    store = ChunkStore(tmp_path)
    assert as_bytes(list(run(Local(3), work.product, pieces, store=store))) == one
    for (_, content), n in zip(one, range(9), strict=True):
        expected = work.product(n)
        with np.load(__import__("io").BytesIO(content)) as arrays:
            np.testing.assert_allclose(arrays["product"], expected["product"], rtol=1e-13)


def test_finished_pieces_are_read_and_a_damaged_one_is_done_again(tmp_path: Path) -> None:
    store, log = ChunkStore(tmp_path / "store"), tmp_path / "log"
    pieces = [{"number": n, "log": str(log)} for n in range(5)]
    first = as_bytes(list(run(Local(2), work.product, pieces, store=store)))
    assert sorted(work.noted(log)) == list(range(5))
    files = sorted((tmp_path / "store").iterdir())
    assert len(files) == 5
    damaged = files[3].read_bytes()
    files[3].write_bytes(damaged[: len(damaged) // 2])
    log.unlink()
    assert as_bytes(list(run(Local(1), work.product, pieces, store=store))) == first
    assert len(work.noted(log)) == 1
    assert files[3].read_bytes() == damaged
    # A bit flipped inside the numbers is seen as well.
    files[1].write_bytes(bytes([*files[1].read_bytes()[:3000], 1, *files[1].read_bytes()[3001:]]))
    log.unlink()
    assert as_bytes(list(run(Local(1), work.product, pieces, store=store))) == first
    assert len(work.noted(log)) == 1


def test_another_version_or_another_argument_is_another_piece(tmp_path: Path) -> None:
    store, log = ChunkStore(tmp_path / "store"), tmp_path / "log"
    for version, size in (("a", 60), ("b", 60), ("a", 61), ("a", 60)):
        pieces = [{"number": 1, "size": size, "log": str(log)}]
        list(run(Local(1), work.product, pieces, store=store, version=version))
    assert len(work.noted(log)) == 3


def test_a_killed_worker_costs_only_its_piece(tmp_path: Path) -> None:
    log, mark = tmp_path / "log", tmp_path / "mark"
    pieces = [{"number": n, "mark": str(mark), "log": str(log)} for n in range(8)]
    found = list(run(Local(2), work.die_once, pieces))
    assert [int(arrays["number"]) for _, arrays in found] == list(range(8))
    assert sorted(work.noted(log)) == [0, 1, 2, 2, 3, 4, 5, 6, 7]


def test_a_piece_that_always_kills_its_worker_is_named(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    with pytest.raises(
        PieceFailed, match=r"piece 1 of .*work:die ended its worker process 3 times"
    ):
        list(run(Local(1), work.die, [{"number": n} for n in range(3)], store=store))
    assert store.has(next(iter(tmp_path.glob("*.npz"))).stem)


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("ours", BadInput, "^weight: -1 is negative"),
        ("extra", MissingExtra, "pip install 'equipoise"),
        ("theirs", PieceFailed, "piece 0 of .* failed: ZeroDivisionError: nothing to divide by"),
        ("object", PieceFailed, "give arrays of numbers or texts by name"),
        ("other", PieceFailed, "it returned list; return arrays by name"),
    ],
)
def test_errors_of_the_work_keep_their_class(kind: str, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        list(run(Local(1), work.complain, [{"kind": kind}]))
    assert any("tests/engine/work.py" in note or kind in ("object", "other")
               for note in caught.value.__notes__)  # fmt: skip


SCRIPT = """
import sys
from pathlib import Path
from equipoise.engine import ChunkStore, Local, run
from tests.engine import work
folder = Path(sys.argv[1])
pieces = [{"number": n, "log": str(folder / "log"), "wait": float(sys.argv[2])} for n in range(12)]
def tell(done, total, what):
    sys.stdout.write(f"{done}\\n")
    sys.stdout.flush()
try:
    for number, arrays in run(
        Local(2), work.product, pieces, store=ChunkStore(folder / "store"), progress=tell
    ):
        pass
except KeyboardInterrupt as stop:
    sys.stdout.write(f"{stop}\\n")
    sys.exit(130)
"""


def started(folder: Path, wait: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(wait)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals of POSIX")
@pytest.mark.parametrize("whole_group", [True, False])
def test_an_interrupt_keeps_what_is_done_and_the_next_run_goes_on(
    tmp_path: Path, whole_group: bool
) -> None:
    with started(tmp_path, 0.15) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 3:
                break
        if whole_group:  # Ctrl-C in a terminal
            os.killpg(process.pid, signal.SIGINT)
        else:  # kill -INT of the parent alone
            os.kill(process.pid, signal.SIGINT)
        said = process.stdout.read().splitlines()[-1]
        assert process.wait(60) == 130
    kept = {path.name for path in (tmp_path / "store").glob("*")}
    assert f"interrupted after {len(kept)} of 12 pieces, which are kept" in said
    assert 3 <= len(kept) < 12
    assert all(name.endswith(".npz") for name in kept)
    begun = len(work.noted(tmp_path / "log"))
    with started(tmp_path, 0.15) as process:
        assert process.communicate(timeout=120)[0].splitlines()[-1] == "12"
        assert process.returncode == 0
    assert len(work.noted(tmp_path / "log")) - begun == 12 - len(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals of POSIX")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(tmp_path, 30.0) as process:
        while not log.exists() or len(log.read_text().splitlines()) < 2:
            assert process.poll() is None
        process.kill()
    for line in log.read_text().splitlines():
        worker = int(line.split()[1])
        for _ in range(3000):
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                break
            # An orphan nobody has waited for yet is ended all the same.
            if Path(f"/proc/{worker}/stat").exists() and (
                Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            ):
                break
            signal.sigtimedwait([], 0.01)
        else:
            pytest.fail("a worker outlived its parent")


def test_stopping_to_read_ends_the_workers(tmp_path: Path) -> None:
    pieces = [{"number": n, "wait": 0.01} for n in range(50)]
    results = run(Local(2), work.product, pieces, store=ChunkStore(tmp_path))
    assert next(results)[0] == 0
    results.close()
    assert 1 <= len(list(tmp_path.glob("*.npz"))) < 50


def test_work_stays_near_what_is_read_when_nothing_is_stored(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results = run(Local(1), work.product, [{"number": n, "log": str(log)} for n in range(60)])
    for _ in range(3):
        next(results)
    results.close()
    assert len(work.noted(log)) <= 3 + 6


def nested() -> Any:
    def inside(number: int) -> Mapping[str, Any]:
        return {"number": np.array(number)}

    return inside


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda number: {}, "cannot be found by another process"),
        (nested(), "cannot be found by another process"),
        (work.Holder().method, "cannot be found by another process"),
        (3, "cannot be found by another process"),
    ],
)
def test_work_that_has_no_import_path_is_refused(function: Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        run(Local(1), function, [{"number": 1}])


class Recursive(dict[str, Any]):
    pass


ENDLESS = Recursive()
ENDLESS["itself"] = ENDLESS


@pytest.mark.parametrize(
    "piece",
    [{"x": np.zeros(2)}, {"x": float("nan")}, {"x": {1, 2}}, {1: 2}, 7, {"x": b"1"}, ENDLESS],
)
def test_arguments_that_are_not_json_are_refused_at_once(piece: Any) -> None:
    with pytest.raises(BadInput, match=r"^piece 1: it"):
        run(Local(1), work.product, [{"number": 0}, piece])


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "2", 10**9])
def test_a_wrong_number_of_workers_is_refused(workers: Any) -> None:
    with pytest.raises(BadInput, match="whole number from 1 to"):
        Local(workers)


def test_the_engine_of_a_name() -> None:
    assert engine_named("local") == Local()
    assert repr(engine_named("ray", address="a:1")) == "Ray(address='a:1')"
    with pytest.raises(BadInput, match='did you mean "local"'):
        engine_named("locla")
    with pytest.raises(BadInput, match="only the engine ray"):
        engine_named("local", address="a:1")
    with pytest.raises(BadInput, match="has its own"):
        engine_named("ray", workers=2)
    with pytest.raises(BadInput, match="write host:port"):
        engine_named("ray", address=" ")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\\b"])
def test_a_store_keeps_to_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is not a plain name"):
        ChunkStore(tmp_path).save(name, {})


def test_a_store_forgets_what_is_not_wanted(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "absent")
    store.keep_only([])
    store.save("a", {"x": np.arange(2)})
    store.save("b", {"x": np.arange(3)})
    (store.folder / ".b.1-2.part").write_bytes(b"half")
    store.keep_only(["b"])
    assert [path.name for path in store.folder.iterdir()] == ["b.npz"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = ChunkStore(tmp_path / "file" / "store")
    with pytest.raises(BadInput, match="cannot be written"):
        list(run(Local(1), work.product, [{"number": 1}], store=store))


def test_no_pieces_start_no_worker() -> None:
    assert list(run(Local(1), work.product, [])) == []
