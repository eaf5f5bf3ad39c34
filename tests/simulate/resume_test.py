"""Killed, stopped, continued: the same rows in the log, the same bytes in the results."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.log import Log
from equipoise.simulate.simulation import Setup, simulate
from tests.simulate.simulation_test import gss, gss_game
from tests.study.study_files import small_study

MORE = """
[[steer]]
floor = 0.1
[simulate]
rounds = {rounds}
plan = "steer"
plan_round = 600
posts_per_round = 4
readers = 2
replicates = 4
"""
LAWS = PostLaws(("g",), ("q",), (("yes", "no"),), np.array([[[0.5, 0.5]]]))
RESULTS = ("simulation.json", "groups.csv", "path.csv")


def study(folder: Path, rounds: int = 1200) -> Path:
    return small_study(folder, more=MORE.format(rounds=rounds))


def command(path: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "equipoise.cli", "simulate", str(path), "--out", str(out),
            "--quiet", *more]  # fmt: skip


def bytes_of(out: Path) -> dict[str, str]:
    """Return the sha256 of the results, and of the log's rows in the order of their keys."""
    folder = out / "simulated"
    found = {name: (folder / name).read_bytes() for name in RESULTS}
    with sqlite3.connect(folder / "log.sqlite") as file:
        for table in ("blocks", "path", "paid", "mixtures", "posts", "state"):
            found[table] = repr(file.execute(f"SELECT * FROM {table}").fetchall()).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def kill_and_go_on(path: Path, out: Path, seconds: list[float]) -> int:
    """Start, kill after so many seconds, start again …; return how many kills fell inside a run."""
    inside = 0
    for wait in seconds:
        process = subprocess.Popen(command(path, out))
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            inside += 1
        process.wait(60)
    assert subprocess.run(command(path, out), timeout=300, check=False).returncode in (0, 1)
    return inside


def test_killed_runs_end_with_the_same_bytes(tmp_path: Path) -> None:
    """One kill; the witness is a run that nobody disturbed."""
    path = study(tmp_path)
    run(["simulate", str(path), "--out", str(tmp_path / "calm"), "--quiet"])
    kill_and_go_on(path, tmp_path / "killed", [2.0])
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "calm")


@pytest.mark.soak
def test_kills_at_random_moments(tmp_path: Path, record_figure) -> None:  # type: ignore[no-untyped-def]  # of conftest
    path = study(tmp_path, rounds=6_000)
    began = time.perf_counter()
    run(["simulate", str(path), "--out", str(tmp_path / "calm"), "--quiet"])
    whole = time.perf_counter() - began
    rng = np.random.default_rng(8)
    inside = 0
    for j in range(2):
        out = tmp_path / f"killed-{j}"
        inside += kill_and_go_on(path, out, rng.uniform(1.0, 1.0 + 0.2 * whole, 8).tolist())
        assert bytes_of(out) == bytes_of(tmp_path / "calm")
    record_figure("simulate.kills", {"kills": inside, "identical": True})


def test_longer_runs_go_on_where_shorter_ones_stopped(tmp_path: Path) -> None:
    setup = Setup(gss_game(), gss(), replicates=2, posts=2, readers=1)
    told: list[str] = []
    simulate(setup, 200, log=tmp_path / "log.sqlite")
    went_on = simulate(setup, 400, log=tmp_path / "log.sqlite", note=told.append)
    at_once = simulate(setup, 400)
    assert told == ["200 rounds of this setup are there already"]
    assert went_on.to_dict() == at_once.to_dict()
    assert np.array_equal(went_on.path, at_once.path)


def test_another_setup_starts_afresh(tmp_path: Path) -> None:
    log = tmp_path / "log.sqlite"
    for seed in (0, 1):
        found = simulate(Setup(gss_game(), gss(), replicates=2, posts=2, seed=seed), 160, log=log)
        alone = simulate(Setup(gss_game(), gss(), replicates=2, posts=2, seed=seed), 160)
        assert np.array_equal(found.path, alone.path)


def test_an_interruption_says_how_far_it_is(tmp_path: Path) -> None:
    """Ctrl-C between two blocks; what is kept is whole, and the run goes on."""
    setup, log = Setup(gss_game(), gss(), replicates=2, posts=2), tmp_path / "log.sqlite"

    def stop(done: int, total: int) -> None:
        if done == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"50 of 160 rounds are kept; the same command"):
        simulate(setup, 160, log=log, progress=stop)
    assert np.array_equal(simulate(setup, 160, log=log).path, simulate(setup, 160).path)


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with Log(path, "a", LAWS, ["x"]), pytest.raises(BadInput, match="another process"):
        Log(path, "a", LAWS, ["x"])


def test_a_file_that_is_no_log_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"not a database at all, and longer than a header of one would be" * 40)
    with pytest.raises(BadInput, match="cannot be used as a log"):
        Log(path, "a", LAWS, ["x"])


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
def test_ctrl_c_stops_the_command_cleanly(tmp_path: Path) -> None:
    path = study(tmp_path, rounds=1_000_000)
    process = subprocess.Popen(
        command(path, tmp_path / "out")[:-1], stderr=subprocess.PIPE, text=True
    )
    try:
        log = tmp_path / "out" / "simulated" / "log.sqlite"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not log.exists():
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        # One that did not stop would be reported in whatever test comes next.
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "rounds are kept; the same command goes on from there" in said
    assert "Traceback" not in said


def test_the_seed_is_all_the_chance_there_is() -> None:
    def played(seed: int) -> dict[str, object]:
        setup = Setup(gss_game(), gss(), replicates=2, posts=2, seed=seed)
        return simulate(setup, 160).to_dict()

    assert played(5) == played(5)
    assert played(5)["phases"] != played(6)["phases"]
