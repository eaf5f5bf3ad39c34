"""Populations in shards. Witness: the same game in memory, solved and certified the usual way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.engine import Local
from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.shard_exam import certify_shards
from equipoise.equilibrium.shard_solve import solve_shards
from equipoise.equilibrium.shards import ShardedGame
from equipoise.errors import BadInput, NotSolved
from equipoise.game.gamefile import load_game

FloatArray = NDArray[np.float64]

KERNEL = [[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]]
METRIC = [[1.0, 0.2, 0.0], [0.2, 1.5, 0.0], [0.0, 0.0, 0.7]]


def write_game(folder: Path, cuts: list[int], k: int, seed: int, **sections: Any) -> Path:
    """A game of sum(cuts) agents with values and weights in shards."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for j, n in enumerate(cuts):
        np.save(folder / f"values-{j}.npy", rng.normal(size=(n, k)))
        np.save(folder / f"anchor-{j}.npy", rng.dirichlet(np.ones(k), size=n))
        np.save(folder / f"beta-{j}.npy", rng.uniform(0.5, 2.0, size=n))
        np.save(folder / f"gamma-{j}.npy", rng.uniform(0.5, 3.0, size=n))
    data: dict[str, Any] = {
        "groups": {f"g{i}": 1.0 / k for i in range(k)},
        "agents": sum(cuts),
        "attractiveness": {"values": "values-*.npy", "weight": 0.3},
        "consistency": {"anchor": "anchor-*.npy", "weight": "beta-*.npy"},
        "diversity": {"weight": "gamma-*.npy"},
    }
    for name, section in sections.items():
        data[name] = {**data.get(name, {}), **section}
    (folder / "game.json").write_text(json.dumps(data))
    return folder / "game.json"


def profile_of(folder: Path) -> FloatArray:
    return np.concatenate([np.load(path) for path in sorted(folder.glob("profile-*.npy"))])


@pytest.mark.parametrize(
    ("cuts", "sections"),
    [
        ([10_000, 10_000, 10_000], {}),
        ([1, 700, 33], {}),
        ([300, 200], {"diversity": {"kernel": KERNEL}, "subsidy": {"prices": [0.1, 0, 0.3]}}),
        ([300, 200], {"consistency": {"metric": METRIC}, "variety": {"weight": 0.2}}),
        ([300, 200], {"diversity": {"weight": 0.0}}),
        # Above the number of rows from which passes are compiled.
        ([6_000, 5_000], {"diversity": {"kernel": KERNEL}, "consistency": {"metric": METRIC}}),
    ],
)
def test_shards_give_the_answer_of_the_game_in_memory(
    tmp_path: Path, cuts: list[int], sections: dict[str, Any]
) -> None:
    path = write_game(tmp_path, cuts, 3, 1, **sections)
    found = solve_shards(ShardedGame.load(path), tmp_path / "out")
    game = load_game(path)
    expected = eq.solve(game)
    x = profile_of(tmp_path / "out")
    np.testing.assert_allclose(x, expected.profile.array, atol=1e-13, rtol=0)
    # Another examiner agrees about what is on the disk.
    exam = certify(game, game.profile(x))
    assert found.certificate.max_gap == pytest.approx(exam.max_gap, abs=1e-14)
    assert found.certificate.max_relative_gap <= 1e-9
    np.testing.assert_allclose(found.certificate.coverage, x.mean(axis=0), atol=1e-14)
    assert np.array_equal(found.certificate.top_weight, x.max(axis=0))
    assert found.certificate.uniqueness.verdict == exam.uniqueness.verdict == "proved"
    off = float(np.linalg.norm(x - expected.profile.array))
    if found.certificate.distance is not None:
        assert off <= found.certificate.distance + 1e-12


def test_an_engine_changes_no_byte(tmp_path: Path) -> None:
    game = ShardedGame.load(write_game(tmp_path, [500, 400, 300], 4, 2))
    here = solve_shards(game, tmp_path / "here")
    there = solve_shards(game, tmp_path / "there", engine=Local(2))
    for one, two in zip(here.files, there.files, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert here.certificate.max_gap == there.certificate.max_gap


def test_parquet_is_read_by_label(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    cuts = [70_000, 30_000]
    plain = ShardedGame.load(write_game(tmp_path / "npy", cuts, 3, 3))
    other = tmp_path / "parquet"
    path = write_game(other, cuts, 3, 3, attractiveness={"values": "values-*.parquet"},
                      diversity={"weight": "gamma-*.parquet"})  # fmt: skip
    for j in range(2):
        values, gamma = np.load(other / f"values-{j}.npy"), np.load(other / f"gamma-{j}.npy")
        # Columns in another order than the groups, rows in uneven groups.
        table = pyarrow.table({f"g{i}": values[:, i] for i in (2, 0, 1)})
        parquet.write_table(table, other / f"values-{j}.parquet", row_group_size=9_999)
        parquet.write_table(pyarrow.table({"w": gamma}), other / f"gamma-{j}.parquet")
    one = solve_shards(plain, tmp_path / "one")
    two = solve_shards(ShardedGame.load(path), tmp_path / "two")
    assert max(one.certificate.max_gap, two.certificate.max_gap) < 1e-13
    for a, b in zip(one.files, two.files, strict=True):
        np.testing.assert_allclose(np.load(a), np.load(b), atol=1e-14, rtol=0)


def test_the_exam_fails_a_wrong_profile(tmp_path: Path) -> None:
    path = write_game(tmp_path, [40, 30], 3, 4)
    game = ShardedGame.load(path)
    found = solve_shards(game, tmp_path / "out")
    x = np.load(found.files[1])
    i = int((x.min(axis=1) > 0.05).argmax())
    x[i] += [0.01, -0.01, 0.0]
    np.save(found.files[1], x)
    exam = certify_shards(game, tmp_path / "out")
    assert exam.worst == 40 + i
    assert exam.max_relative_gap > 1e-4
    memory = load_game(path)
    expected = certify(memory, memory.profile(profile_of(tmp_path / "out")))
    assert exam.max_gap == pytest.approx(expected.max_gap, rel=1e-12)
    assert int(expected.relative_gap.argmax()) == exam.worst
    np.testing.assert_allclose(exam.max_relative_gap, expected.max_relative_gap, rtol=1e-9)
    # The distance bound holds for the wrong profile as well.
    assert exam.distance is not None
    off = np.linalg.norm(profile_of(tmp_path / "out") - eq.solve(memory).profile.array)
    assert off <= exam.distance
    x[i] = [0.5, 0.6, -0.1]
    np.save(found.files[1], x)
    with pytest.raises(BadInput, match=rf"row {i} is no mixture"):
        certify_shards(game, tmp_path / "out")
    np.save(found.files[1], x[:-1])
    with pytest.raises(BadInput, match=r"expected \(30, 3\) numbers"):
        certify_shards(game, tmp_path / "out")


def test_a_profile_of_another_game_is_not_solved(tmp_path: Path) -> None:
    game = ShardedGame.load(write_game(tmp_path, [40, 30], 3, 5))
    with pytest.raises(NotSolved, match="could still gain"):
        solve_shards(game, tmp_path / "out", tol=1e-300)
    assert solve_shards(game, tmp_path / "out", tol=1e-300, on_failure="return").files


def test_the_first_agent_without_enough_curvature_is_named(tmp_path: Path) -> None:
    path = write_game(tmp_path, [40, 30], 3, 6)
    beta = np.load(tmp_path / "beta-1.npy")
    beta[7] = 0.0
    np.save(tmp_path / "beta-1.npy", beta)
    with pytest.raises(NotSolved, match="the programme of agent 48 is not strictly concave"):
        solve_shards(ShardedGame.load(path), tmp_path / "out")


def spoil(name: str, change: Callable[[FloatArray], FloatArray]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        np.save(folder / name, change(np.load(folder / name)))

    return act


def section(**changes: Any) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = folder / "game.json"
        data = json.loads(path.read_text())
        for name, value in changes.items():
            data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(data))

    return act


def with_nan(a: FloatArray) -> FloatArray:
    a[3, 1] = np.nan
    return a


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (spoil("values-1.npy", with_nan), r"shard 2, rows 0–30: .*\[3, 1\] is not a finite"),
        (spoil("anchor-0.npy", lambda a: a * 1.1), "off the simplex"),
        (spoil("beta-0.npy", lambda a: -a), "is negative"),
        (spoil("beta-0.npy", lambda a: a[:-1]), "cut all sharded arrays at the same rows"),
        (spoil("values-0.npy", lambda a: a[:, :2]), r"rows of shape \(2,\); write \(3,\)"),
        (spoil("values-0.npy", lambda a: a.astype(complex)), "not an array of real numbers"),
        (spoil("values-0.npy", lambda a: a[:0]), "cut all sharded|is empty"),
        (lambda folder: (folder / "values-1.npy").write_bytes(b"x"), "is not a plain .npy file"),
        (lambda folder: (folder / "beta-1.npy").unlink(), "cut all sharded arrays"),
        (section(agents=71), "71 are named, but the shards have 70 rows"),
        (section(agents=["a", "b"]), "has a number of agents"),
        (section(attractiveness={"values": "../values-*.npy"}), "leaves the folder"),
        (section(attractiveness={"values": "none-*.npy"}), "no file matches"),
        (section(audience_share={"weight": 1.0}), "no audience share"),
        (section(consistency={"form": "kl"}), "quadratic form"),
        (section(diversity={"network": [[0, 1, 1.0]]}), "meet everybody"),
        (section(diversity={"weight": [1.0] * 70}), "one row for everybody, or shards"),
        (section(draws="draws.npz"), "takes no draws"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, act: Callable[[Path], None], text: str
) -> None:
    path = write_game(tmp_path, [40, 30], 3, 7)
    act(tmp_path)
    with pytest.raises(BadInput, match=text) as caught:
        solve_shards(ShardedGame.load(path), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_folder_of_another_run_or_too_small_a_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = ShardedGame.load(write_game(tmp_path, [40, 30], 3, 8))
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out" / "profile-00007.npy", np.ones((2, 3)))
    with pytest.raises(BadInput, match=r"holds profile-00007\.npy of another run"):
        solve_shards(game, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be used"):
        solve_shards(game, tmp_path / "file")
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BadInput, match="GB are free"):
        solve_shards(game, tmp_path / "else")


def test_numbers_only_are_no_shards(tmp_path: Path) -> None:
    path = tmp_path / "game.json"
    path.write_text('{"groups": {"a": 1}, "agents": 2, "attractiveness": {"values": [1]}}')
    with pytest.raises(BadInput, match="use `load_game`"):
        ShardedGame.load(path)


SOAK = """
import json, sys, threading, time
from equipoise.equilibrium.shard_solve import solve_shards
from equipoise.equilibrium.shards import ShardedGame
import equipoise.equilibrium.kernels, equipoise.equilibrium.examiner
peak = 0
def watch():
    global peak
    while True:
        with open("/proc/self/status") as status:
            peak = max(peak, *(int(line.split()[1]) for line in status if line[:8] == "RssAnon:"))
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
began = time.perf_counter()
found = solve_shards(ShardedGame.load(sys.argv[1]), sys.argv[2])
c = found.certificate
print(json.dumps({"seconds": time.perf_counter() - began, "anonymous_gb": peak / 2**20,
    "relative_gap": c.max_relative_gap, "verdict": c.uniqueness.verdict, "distance": c.distance,
    "steps": found.record.steps, "coverage": c.coverage.tolist()}))
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_a_hundred_million_agents_in_two_gigabytes(
    tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    room = shutil.disk_usage(tmp_path).free > 30e9
    shards, each = (100, 10**6) if room else (10, 10**6)
    rng = np.random.default_rng(9)
    for j in range(shards):
        np.save(tmp_path / f"values-{j:03d}.npy", rng.standard_normal((each, 8)))
    (tmp_path / "game.json").write_text(json.dumps({
        "groups": {f"g{i}": 1 / 8 for i in range(8)}, "agents": shards * each,
        "attractiveness": {"values": "values-*.npy", "weight": 0.2},
        "consistency": {"anchor": [1 / 8] * 8, "weight": 1.0}, "diversity": {"weight": 0.5},
    }))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SOAK, str(tmp_path / "game.json"), str(tmp_path / "out")],
        check=True, capture_output=True, text=True, env={**os.environ},
    )  # fmt: skip
    figures = json.loads(done.stdout)
    assert figures["relative_gap"] <= 1e-9
    assert figures["verdict"] == "proved"
    assert figures["anonymous_gb"] < 2.0
    record_figure("shards", {"agents": shards * each, "groups": 8, **figures})
    for path in tmp_path.rglob("*.npy"):
        path.unlink()
