"""Killed with SIGKILL at ten random moments and resumed: the same `result.json`, byte for byte."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.study.study_files import small_study

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

RUN = """
import sys, time
from equipoise.study import run_study
def slow(done, total, what):
    time.sleep(0.01)
    with open(sys.argv[3], "a") as log:
        log.write(f"{done} {what}\\n")
run_study(sys.argv[1], sys.argv[2], progress=slow, chunk=2)
"""


def start(study: Path, out: Path, log: Path) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", RUN, str(study), str(out), str(log)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def but_for_seconds(path: Path) -> bytes:
    content = path.read_bytes()
    assert content.count(b'"seconds"') == 1
    return re.sub(rb'"seconds": [0-9.e+-]+', b'"seconds": 0', content)


def wait_for(log: Path, wanted: int | str, what: str = "bootstrap") -> None:
    """Wait until the run has reached a number of draws, or writes its files."""
    for _ in range(3000):
        text = log.read_text() if log.exists() else ""
        lines = [line for line in text.split("\n") if line]
        if any("writing" in line for line in lines):
            return
        done = [int(line.split()[0]) for line in lines if what in line]
        if isinstance(wanted, int) and done and done[-1] >= wanted:
            return
        time.sleep(0.002)
    pytest.fail(f"{wanted} was never reached")


def test_ten_kills(tmp_path: Path) -> None:
    """Seven kills among the draws and three while files are written, moments drawn by a seed."""
    study = small_study(tmp_path, draws=200)
    process = start(study, tmp_path / "whole", tmp_path / "log")
    process.communicate()
    assert process.returncode == 0
    rng = random.Random(2018)
    moments: list[int | str] = [*sorted(rng.sample(range(0, 200, 2), 7)), *["writing"] * 3]
    out, kept = tmp_path / "killed", []
    for i, moment in enumerate(moments):
        process = start(study, out, log := tmp_path / f"log{i}")
        wait_for(log, moment)
        time.sleep(rng.uniform(0.0, 0.012 if isinstance(moment, int) else 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept.append(len(list(out.glob(".work/*/draws-*.npz"))))
        for path in (out / "result.json", out / "report.html"):
            assert not path.exists() or path.read_bytes().endswith(b"}\n" if path.suffix == ".json"
                                                                   else b"</html>\n")  # fmt: skip
    assert len(set(kept)) >= 5, "the kills did not hit the draws"
    process = start(study, out, tmp_path / "log")
    _, error = process.communicate()
    assert process.returncode == 0, error.decode()
    assert but_for_seconds(out / "result.json") == but_for_seconds(tmp_path / "whole/result.json")
    for name in ("report.html", "tables/exclusion.csv", "figures/coverage.svg",
                 "figures/coverage.png"):  # fmt: skip
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not [path for path in out.rglob("*.part") if ".work" not in path.parts]


def test_kills_while_a_map_is_made(tmp_path: Path) -> None:
    """Five kills among the draws of a map, each after more of them than the one before."""
    more = '\n[[map]]\nx = "attractiveness=0:60:41"\ny = "diversity=0:2:21"\n'
    study = small_study(tmp_path, draws=96, more=more)
    process = start(study, tmp_path / "whole", tmp_path / "log")
    process.communicate()
    assert process.returncode == 0
    out, kept = tmp_path / "killed", []
    for i, wanted in enumerate((3, 12, 30, 60, 84)):
        process = start(study, out, log := tmp_path / f"log{i}")
        wait_for(log, wanted, "draws of map 1")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept.append(len(list(out.glob(".work/*/map_1/*.npz"))))
        assert not (out / "result.json").exists()
    assert kept == sorted(set(kept)), "the kills did not hit the map"
    process = start(study, out, tmp_path / "log-last")
    process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "log-last").read_text().count("draws of map") < 34 - kept[-1]
    assert but_for_seconds(out / "result.json") == but_for_seconds(tmp_path / "whole/result.json")
    for path in (tmp_path / "whole").glob("*/map_1*"):
        assert (out / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
    assert not list(out.rglob("*.part"))


def test_the_comparison_sees_a_changed_digit(tmp_path: Path) -> None:
    """The checker has been seen to fail."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text('{"x": 0.1, "seconds": 1.5}')
    b.write_text('{"x": 0.2, "seconds": 2.5}')
    assert but_for_seconds(a) != but_for_seconds(b)
    b.write_text('{"x": 0.1, "seconds": 2.5}')
    assert but_for_seconds(a) == but_for_seconds(b)


def test_ctrl_c_says_what_is_kept(tmp_path: Path) -> None:
    study = small_study(tmp_path, draws=400)
    log = tmp_path / "log"
    process = start(study, tmp_path / "out", log)
    for _ in range(1000):
        if log.exists() and "bootstrap" in log.read_text():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode != 0
    assert re.search(rb"interrupted after \d+ of 400 draws, which are kept", error)
    assert list((tmp_path / "out").glob(".work/*/draws-*.npz"))
    assert not (tmp_path / "out" / "result.json").exists()
