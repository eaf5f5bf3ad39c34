"""A real two-node Ray cluster on this machine. Witness: the local engine, byte for byte."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.engine import ChunkStore, Local, PieceFailed, Ray, run
from equipoise.engine.store import pack
from equipoise.equilibrium.shard_solve import solve_shards
from equipoise.equilibrium.shards import ShardedGame
from equipoise.errors import BadInput, MissingExtra
from equipoise.inclusion.phase_map import phase_map
from tests.engine import work
from tests.study.engine_test import both, differing, same_files, weighted

ROOT = Path(__file__).parents[2]
RAY = importlib.util.find_spec("ray") is not None
NEEDS_RAY = pytest.mark.skipif(not RAY, reason="needs Ray: pip install 'equipoise[ray]'")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of two processors each, as processes of their own."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [before])])
    made = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    made.add_node(num_cpus=2)
    yield made
    made.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def as_bytes(found: list[tuple[int, Any]]) -> list[tuple[int, bytes]]:
    return [(number, pack(arrays)) for number, arrays in found]


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_two_nodes_give_the_bytes_of_this_machine(
    cluster: Any, tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    pieces = [{"number": n} for n in range(24)]
    expected = as_bytes(list(run(Local(2), work.product, pieces)))
    engine = Ray(cluster.address)
    assert as_bytes(list(run(engine, work.product, pieces))) == expected
    store = ChunkStore(tmp_path / "store")
    assert as_bytes(list(run(engine, work.product, pieces, store=store))) == expected
    # What the cluster kept, this machine reads.
    assert as_bytes(list(run(Local(1), work.product, pieces, store=store))) == expected
    record_figure("ray.version", metadata.version("ray"))
    record_figure("ray.pieces_of_equal_bytes", len(expected))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_work_runs_on_both_nodes(cluster: Any, record_figure: Callable[[str, Any], None]) -> None:
    pieces = [{"wait": 0.4}] * 12
    nodes = {str(arrays["node"]) for _, arrays in run(Ray(cluster.address), work.where, pieces)}
    assert len(nodes) == 2
    record_figure("ray.nodes_that_worked", len(nodes))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_a_killed_worker_costs_only_its_piece(
    cluster: Any, tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    log, mark = tmp_path / "log", tmp_path / "mark"
    pieces = [{"number": n, "mark": str(mark), "log": str(log)} for n in range(8)]
    found = list(run(Ray(cluster.address), work.die_once, pieces))
    assert [int(arrays["number"]) for _, arrays in found] == list(range(8))
    assert sorted(work.noted(log)) == [0, 1, 2, 2, 3, 4, 5, 6, 7]
    record_figure("ray.pieces_done_again_after_a_kill", len(work.noted(log)) - len(pieces))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_failures_are_the_same_sentences(cluster: Any) -> None:
    with pytest.raises(BadInput, match="^weight: -1 is negative"):
        list(run(Ray(cluster.address), work.complain, [{"kind": "ours"}]))
    with pytest.raises(PieceFailed, match="piece 1 of .*:die was lost by the cluster"):
        list(run(Ray(cluster.address), work.die, [{"number": n} for n in range(2)]))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_keeps_what_is_done(
    cluster: Any, tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    log, store = tmp_path / "log", ChunkStore(tmp_path / "store")
    pieces = [{"number": n, "wait": 0.3, "log": str(log)} for n in range(24)]

    def tell(done: int, total: int, what: str) -> None:
        if done == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"interrupted after \d+ of 24 pieces, which are"):
        list(run(Ray(cluster.address), work.product, pieces, store=store, progress=tell))
    kept = len(list(store.folder.glob("*.npz")))
    assert 6 <= kept < 24
    log.unlink()
    found = as_bytes(list(run(Ray(cluster.address), work.product, pieces, store=store)))
    assert len(work.noted(log)) == 24 - kept
    record_figure("ray.interrupt.pieces_kept_of_24", kept)
    record_figure("ray.interrupt.pieces_done_on_resume", len(work.noted(log)))
    assert found == as_bytes(list(run(Local(2), work.product, pieces)))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_a_lost_node_costs_only_what_it_had(cluster: Any, tmp_path: Path) -> None:
    third = cluster.add_node(num_cpus=1)
    lost: list[Any] = []

    def tell(done: int, total: int, what: str) -> None:
        if done == 4 and not lost:
            lost.append(cluster.remove_node(third, allow_graceful=False))

    pieces = [{"number": n, "wait": 0.2} for n in range(20)]
    found = as_bytes(list(run(Ray(cluster.address), work.product, pieces, progress=tell)))
    assert len(lost) == 1
    assert found == as_bytes(list(run(Local(2), work.product, [{"number": n} for n in range(20)])))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense", "a:99999999"])
def test_an_address_without_a_cluster_is_one_sentence(address: str) -> None:
    with pytest.raises(BadInput, match="no Ray cluster answers at"):
        list(run(Ray(address), work.product, [{"number": 1}]))


@pytest.mark.skipif(RAY, reason="Ray is installed here")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'equipoise\[ray\]'"):
        list(run(Ray(), work.product, [{"number": 1}]))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
@pytest.mark.parametrize("kind", [weighted, differing])
def test_a_study_has_the_same_bytes_on_the_cluster(
    cluster: Any, tmp_path: Path, kind: Callable[[Path], Path]
) -> None:
    """Draws and maps; and what the cluster kept, this machine reads."""
    both(tmp_path, kind(tmp_path), Ray(cluster.address))


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("verb", ["study", "map"])
def test_ctrl_c_in_the_command_and_resume_on_the_cluster(
    cluster: Any, tmp_path: Path, verb: str
) -> None:
    """A real process with a real SIGINT; finished work is not done again, and bytes are the same.

    Chunks kept on the disk keep their times: none was made twice.
    """
    study = differing(tmp_path)
    study.write_text(study.read_text().replace("=0:4:7", "=0:4:41").replace("=0:1:7", "=0:1:21"))
    ask = {"study": ["study", "run", study], "map": ["map", tmp_path / "game.json", "--x",
           "attractiveness=0:4:61", "--y", "diversity=0:1:41"]}[verb]  # fmt: skip
    out = tmp_path / "out"
    there = ["--out", out, "--engine", "ray", "--address", cluster.address, "--resume"]
    process = subprocess.Popen(
        [sys.executable, "-m", "equipoise.cli", *map(str, [*ask, *there])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    where = ".work/*/map_1/*.npz" if verb == "study" else ".work/*/*.npz"
    for _ in range(6000):
        if len(list(out.glob(where))) >= 3 or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "kept" in said
    before = {path: path.stat().st_mtime_ns for path in out.glob(where)}
    assert len(before) >= 3
    command = [sys.executable, "-m", "equipoise.cli"]
    subprocess.run([*command, *map(str, [*ask, *there])], check=True, capture_output=True)
    if verb == "study":
        assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    subprocess.run([*command, *map(str, [*ask, "--out", tmp_path / "here"])], check=True,
                   capture_output=True)  # fmt: skip
    assert same_files(tmp_path / "here", out) >= 3


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_a_population_in_shards_is_solved_on_the_cluster(cluster: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for j in range(4):
        np.save(tmp_path / f"values-{j}.npy", rng.normal(size=(20_000, 5)))
    (tmp_path / "game.json").write_text(
        json.dumps(
            {
                "groups": {f"g{k}": 0.2 for k in range(5)},
                "agents": 80_000,
                "attractiveness": {"values": "values-*.npy", "weight": 0.3},
                "consistency": {"anchor": [0.2] * 5},
                "diversity": {"weight": 0.7},
            }
        )
    )
    game = ShardedGame.load(tmp_path / "game.json")
    here = solve_shards(game, tmp_path / "here")
    there = solve_shards(game, tmp_path / "there", engine=Ray(cluster.address))
    assert there.certificate.max_relative_gap <= 1e-12
    for one, two in zip(here.files, there.files, strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.soak
@NEEDS_RAY
@pytest.mark.filterwarnings("ignore")  # Ray's own, about files and processes it leaves open
def test_a_map_has_the_same_bytes_on_the_cluster(cluster: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.random((4, 3))
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]), 4,
        [eq.Attractiveness(values), eq.Consistency([1 / 3] * 3), eq.Diversity(0.2)],
    )  # fmt: skip
    draws = {"attractiveness.values": values + 0.05 * rng.random((20, 4, 3))}

    def made(engine: Any, store: ChunkStore | None = None) -> bytes:
        return phase_map(
            game, "attractiveness=0:6:25", "diversity=0:1:25", draws=draws, engine=engine,
            store=store,
        ).to_npz()  # fmt: skip

    there = made(Ray(cluster.address), ChunkStore(tmp_path / "store"))
    assert there == made(Local(2)) == made(Local(1)) == made(None)
    # What the cluster kept, this machine reads.
    assert there == made(None, ChunkStore(tmp_path / "store"))
