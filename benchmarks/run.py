"""Time equipoise and its peers on the same games; write dated JSON, a figure, the README table.

Run it with `make bench`, or `python -m benchmarks.run --quick` for the small games alone. Every
solver meets a size first in a process of its own, which is stopped at `--limit` seconds or 2 GB;
a peer that was stopped is not asked for larger games. Short solves are then timed here, all
solvers in this one process: medians after a warm-up.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from benchmarks.games import different_agents
from benchmarks.peers import MAKERS
from benchmarks.plot import figure
from benchmarks.trial import attempt, regret

HERE = Path(__file__).parent
RATIO = [(n, 6) for n in (5, 20, 50, 100)]
BY_AGENTS = [(n, 6) for n in (2, 5, 20, 50, 100, 500, 10**4, 10**5)]
BY_GROUPS = [(20, k) for k in (2, 6, 20, 60, 200)]
LARGE = [(10**4, 8), (10**5, 8), (10**6, 8), (10**7, 8), (10**6, 2), (10**6, 60), (10**6, 200)]
SHORT = 1.0
"""Solves below this many seconds are timed again in this process."""


def timed(run: Callable[[], Any], most: int, budget: float) -> list[float]:
    """Time up to `most` runs after one warm-up, within a budget of seconds."""
    run()
    seconds: list[float] = []
    while len(seconds) < most and (sum(seconds) < budget or len(seconds) < 3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def against_peers(sizes: list[tuple[int, int]], limit: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    given_up: set[str] = set()
    for n, k in sizes:
        game = different_agents(n, k)
        for name, make in MAKERS.items():
            if name in given_up:
                continue
            row = {"solver": name, "agents": n, "groups": k, "runs": 1}
            row |= attempt(name, n, k, limit)
            if "stopped" in row:
                given_up.add(name)
            elif row["seconds"] < SHORT:
                run = make(game)
                assert run is not None
                seconds = timed(run, 50, 10.0)
                row["seconds"], row["runs"] = float(np.median(seconds)), len(seconds)
                row["max_gap"] = regret(game, run())
                row["distance"] = float(np.abs(run() - eq.solve(game).profile.array).max())
            rows.append(row)
            said = row.get("stopped") or (
                f"{row['seconds']:12.6f} s   gap {row['max_gap']:.1e}   "
                f"{row['peak_bytes'] / 2**20:8.1f} MiB"
            )
            print(f"{name:28s} N={n:<7d} K={k:<4d} {said}", flush=True)
    return rows


def over_nashopt() -> list[dict[str, Any]]:
    """Time both in blocks of ten in turn, so that a busy moment meets both: medians of 50."""
    rows = []
    for n, k in RATIO:
        game = different_agents(n, k)
        peer = MAKERS["nashopt dr_daqp"](game)
        if peer is None:
            return []
        runs = {"equipoise": MAKERS["equipoise"](game), "nashopt": peer}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for block in range(6):
            for name, run in runs.items():
                assert run is not None
                for _ in range(10 if block else 2):
                    start = time.perf_counter()
                    run()
                    if block:  # the first block warms up
                        seconds[name].append(time.perf_counter() - start)
        row: dict[str, Any] = {"agents": n, "groups": k, "runs": 50}
        row |= {name: float(np.median(values)) for name, values in seconds.items()}
        row["ratio"] = row["nashopt"] / row["equipoise"]
        # What other work on the machine disturbs least.
        row["ratio_of_best"] = min(seconds["nashopt"]) / min(seconds["equipoise"])
        row["distance"] = float(np.abs(peer() - eq.solve(game).profile.array).max())
        rows.append(row)
        print(f"nashopt dr_daqp / equipoise  N={n:<4d} K={k}  medians {row['ratio']:8.1f}   best "
              f"{row['ratio_of_best']:8.1f}   apart {row['distance']:.0e}", flush=True)  # fmt: skip
    return rows


def many_agents(most: int) -> list[dict[str, Any]]:
    rows = []
    for n, k in LARGE:
        if n * k > most:
            continue
        row: dict[str, Any] = {"agents": n, "groups": k} | attempt("equipoise", n, k, 600.0)
        game = different_agents(n, k)
        values = np.asarray(game.terms[0].values)  # type: ignore[attr-defined]  # attractiveness
        ours = timed(lambda game=game: eq.solve(game), 9, 30.0)
        sorts = timed(lambda values=values: np.sort(values, axis=1), 9, 20.0)
        row["seconds"], row["runs"] = float(np.median(ours)), len(ours)
        row["sort_seconds"] = float(np.median(sorts))
        row["over_sort"] = row["seconds"] / row["sort_seconds"]
        row["seconds_best"], row["over_sort_best"] = min(ours), min(ours) / min(sorts)
        row["max_gap"] = eq.solve(game).certificate.max_gap
        rows.append(row)
        print(
            f"equipoise N={n:<9d} K={k:<4d} {row['seconds']:8.4f} s = {row['over_sort']:5.2f} "
            f"sorts, best {row['over_sort_best']:5.2f}   gap {row['max_gap']:.1e}   "
            f"peak {row['peak_over_input']:.1f} inputs",
            flush=True,
        )
        del game, values
    return rows


def general_kernel() -> list[dict[str, Any]]:
    rows = []
    for n, k in ((10**5, 20), (10**5, 64)):
        plain, general = (different_agents(n, k, general_kernel=g) for g in (False, True))
        runs = [timed(lambda g=g: eq.solve(g), 9, 20.0) for g in (plain, general)]
        seconds = [float(np.median(values)) for values in runs]
        gap = eq.solve(general).certificate.max_gap
        ratio = seconds[1] / seconds[0]
        rows.append({"agents": n, "groups": k, "identity": seconds[0], "general": seconds[1],
                     "max_gap": gap, "ratio": ratio,
                     "ratio_of_best": min(runs[1]) / min(runs[0])})  # fmt: skip
        print(f"full kernel N={n} K={k}: {seconds[1]:.3f} s = {ratio:.1f} of S = I   gap {gap:.1e}")
    return rows


def slopes(rows: list[dict[str, Any]], along: str, name: str) -> dict[str, float]:
    """Fit log seconds against log size, per solver, where it has three sizes or more."""
    out = {}
    for solver in MAKERS:
        kept = [r for r in rows if r["solver"] == solver and "stopped" not in r]
        if len(kept) >= 3:
            x, y = (np.log([r[key] for r in kept]) for key in (along, "seconds"))
            out[solver] = float(np.polyfit(x, y, 1)[0])
            print(f"slope of log seconds in log {name:8s} {solver:28s} {out[solver]:6.2f}")
    return out


def slope_of_many(rows: list[dict[str, Any]]) -> float | None:
    kept = [r for r in rows if r["agents"] >= 10**5 and r["groups"] == 8]
    if len(kept) < 2:
        return None
    x, y = (np.log([r[key] for r in kept]) for key in ("agents", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def versions() -> dict[str, str]:
    out = {"python": platform.python_version()}
    for name in ("equipoise", "numpy", "numba", "nashopt", "quantecon", "clarabel", "osqp"):
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = "not installed"
    return out


PARTS = ("over_nashopt", "many_agents", "general_kernel", "peers", "by_groups")


def measured(part: str, quick: bool, limit: float) -> Any:
    """Run one part: what it compares is compared in one process, one after the other."""
    match part:
        case "over_nashopt":
            return over_nashopt()
        case "many_agents":
            return many_agents(8_000_000 if quick else 200_000_000)
        case "general_kernel":
            return general_kernel()
        case "peers":
            return against_peers(BY_AGENTS[: 5 if quick else None], limit)
        case _:
            return against_peers(BY_GROUPS[: 3 if quick else None], limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small games and 10^6 agents only")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a solve for a peer")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS,
        help="measure these parts again and keep the others of today's results",
    )  # fmt: skip
    options = parser.parse_args()
    limit = min(5.0, options.limit) if options.quick else options.limit
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = HERE / "results" / f"{today}-solvers.json"
    result = json.loads(path.read_text()) if path.exists() and options.only != PARTS else {}
    loads = result.get("load_before", {})
    for part in options.only:
        loads[part] = round(os.getloadavg()[0], 1)
        result[part] = measured(part, options.quick, limit)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    result |= {
        "date": today, "commit": commit, "versions": versions(), "load_before": loads,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "limit_seconds": limit,
        "slopes_in_agents": slopes(result["peers"], "agents", "agents"),
        "slopes_in_groups": slopes(result["by_groups"], "groups", "groups"),
        "slope_1e5_to_1e7": slope_of_many(result["many_agents"]),
    }  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    figure(result, path.with_suffix(".svg"))
    print(f"slope of time in agents, 10^5 to 10^7: {result['slope_1e5_to_1e7']}")
    print(path)


if __name__ == "__main__":
    main()
