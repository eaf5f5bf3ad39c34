"""One solver on one game in a process of its own, stopped at a limit of seconds or memory.

`python -m benchmarks.trial SOLVER AGENTS GROUPS READY` touches the file READY when the solve begins
and prints one line of JSON; `attempt` starts it and watches it. The parent times medians itself,
in one process for all solvers, where a solve is short.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from benchmarks.games import different_agents
from benchmarks.peers import MAKERS

MEMORY = 2 * 2**30
"""A peer that takes more bytes than this is stopped."""


def resident(pid: int) -> int:
    """Return the bytes a process holds in memory; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def attempt(solver: str, n: int, k: int, seconds: float) -> dict[str, Any]:
    """Run one trial; "stopped" in the answer says why it has no time."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "benchmarks.trial", solver, str(n), str(k), str(ready)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        stopped = watch(child, ready, seconds, solver != "equipoise")
        text = child.communicate()[0]
    if stopped:
        return {"stopped": stopped}
    lines = text.strip().splitlines()
    if child.returncode or not lines:
        return {"stopped": "failed"}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def watch(child: subprocess.Popen[str], ready: Path, seconds: float, peer: bool) -> str:
    """Wait for the end, or make it; only the solve itself is on the clock."""
    end = None
    while child.poll() is None:
        if end is None and ready.exists():
            end = time.monotonic() + seconds
        stopped = ""
        if peer and end is not None and time.monotonic() > end:
            stopped = f"{seconds:g} s"
        elif peer and resident(child.pid) > MEMORY:
            stopped = "2 GB"
        if stopped:
            child.kill()
            return stopped
        time.sleep(0.05)
    return ""


def status(name: str) -> int:
    """Return a size of this process, e.g. its highest so far ("VmHWM"), in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(row for row in file if row.startswith(name))
    return int(line.split()[1]) * 1024


def forget_peak() -> int:
    """Start the highest size anew (a child is born with its parent's); return the present one."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return status("VmRSS")


def regret(game: eq.AlignmentGame, x: np.ndarray[Any, Any]) -> float:
    """Largest Frank–Wolfe gap of a profile brought onto the simplex."""
    kept = np.maximum(x, 0.0)
    return eq.certify(game, game.profile(kept / kept.sum(axis=1, keepdims=True))).max_gap


def main() -> None:
    solver, n, k = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Large populations go through compiled passes: those have to be loaded, too.
    small = different_agents(10_000 if solver == "equipoise" and n >= 10_000 else 4, 3)
    first = MAKERS[solver](small)
    if first is not None:
        first()  # imports and compilation are not part of what is measured
    empty = forget_peak()
    game = different_agents(n, k)
    given = sum(
        value.nbytes
        for term in game.terms
        for value in vars(term).values()
        if isinstance(value, np.ndarray)
    )
    run = MAKERS[solver](game)
    if run is None:
        print(json.dumps({"stopped": "not installed, or its data alone exceed 2 GB"}))
        return
    built = forget_peak()
    Path(sys.argv[4]).touch()
    seconds: list[float] = []
    while len(seconds) < (2 if sum(seconds) < 10 else 1):
        x = None  # the answer before must not be held twice
        start = time.perf_counter()
        x = run()
        seconds.append(time.perf_counter() - start)
    peak = status("VmHWM")
    print(
        json.dumps(
            {
                "seconds": min(seconds),
                "peak_bytes": peak - built,
                "peak_over_input": (peak - empty) / given,
                "input_bytes": given,
                "max_gap": regret(game, x),
            }
        )
    )


if __name__ == "__main__":
    main()
