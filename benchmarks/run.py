"""Time equipoise and its peers on the same games; write dated JSON, a figure, the README table.

Run it with `make bench`, or `python -m benchmarks.run --quick` for the small games alone.
A peer is left out of a size when the one before took more than `--limit` seconds a solve.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
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

HERE = Path(__file__).parent
SMALL = [(n, 6) for n in (2, 5, 20, 50, 100, 500)]
LARGE = [(10**4, 8), (10**5, 8), (10**6, 8), (10**7, 8), (10**6, 2), (10**6, 60), (10**6, 200)]


def median_seconds(run: Callable[[], Any], most: int, budget: float) -> tuple[float, int]:
    """Median of up to `most` runs after one warm-up, within a budget of seconds."""
    run()
    seconds: list[float] = []
    while len(seconds) < most and (sum(seconds) < budget or len(seconds) < 3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), len(seconds)


def against_peers(limit: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    too_slow: set[str] = set()
    for n, k in SMALL:
        game = different_agents(n, k)
        ours = eq.solve(game).profile.array
        for name, make in MAKERS.items():
            if name in too_slow or (name == "QuantEcon Lemke" and n * k > 700):
                continue
            run = make(game)
            if run is None:
                continue
            start = time.perf_counter()
            x = np.maximum(run(), 0.0)
            first = time.perf_counter() - start
            if first > limit:
                too_slow.add(name)
            seconds, runs = median_seconds(run, 50, min(limit, 10.0))
            exam = eq.certify(game, game.profile(x / x.sum(axis=1, keepdims=True)))
            rows.append(
                {
                    "solver": name, "agents": n, "groups": k, "seconds": seconds, "runs": runs,
                    "max_gap": exam.max_gap, "distance": float(np.abs(x - ours).max()),
                }
            )  # fmt: skip
            print(f"{name:28s} N={n:<6d} K={k:<4d} {seconds:10.6f} s   gap {exam.max_gap:.1e}")
    return rows


def many_agents(most: int) -> list[dict[str, Any]]:
    rows = []
    for n, k in LARGE:
        if n * k > most:
            continue
        game = different_agents(n, k)
        values = np.asarray(game.terms[0].values)  # type: ignore[attr-defined]  # attractiveness
        seconds, runs = median_seconds(lambda game=game: eq.solve(game), 9, 30.0)
        sort, _ = median_seconds(lambda values=values: np.sort(values, axis=1), 9, 20.0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        rows.append(
            {
                "agents": n, "groups": k, "seconds": seconds, "runs": runs, "sort_seconds": sort,
                "over_sort": seconds / sort, "max_gap": eq.solve(game).certificate.max_gap,
                "peak_over_input": peak / values.nbytes,
            }
        )  # fmt: skip
        print(f"equipoise N={n:<9d} K={k:<4d} {seconds:8.4f} s = {seconds / sort:5.2f} sorts")
        del game, values
    return rows


def general_kernel() -> dict[str, Any]:
    plain, general = (different_agents(10**5, 20, general_kernel=g) for g in (False, True))
    seconds = [median_seconds(lambda g=g: eq.solve(g), 5, 30.0)[0] for g in (plain, general)]
    print(f"general kernel 10^5 x 20: {seconds[1]:.2f} s = {seconds[1] / seconds[0]:.1f} of S = I")
    gap = eq.solve(general).certificate.max_gap
    return {"identity": seconds[0], "general": seconds[1], "max_gap": gap,
            "ratio": seconds[1] / seconds[0]}  # fmt: skip


def slope(rows: list[dict[str, Any]], low: int, high: int) -> float | None:
    kept = [r for r in rows if low <= r["agents"] <= high and r["groups"] == 8]
    if len(kept) < 2:
        return None
    x, y = (np.log([r[key] for r in kept]) for key in ("agents", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def figure(peers: list[dict[str, Any]], many: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(7, 4.5), layout="constrained").add_subplot()
    for name in MAKERS:
        rows = [r for r in peers if r["solver"] == name]
        if name == "equipoise":
            rows = rows + [r for r in many if r["groups"] == 8]
        if rows:
            axes.loglog([r["agents"] for r in rows], [r["seconds"] for r in rows], "o-", label=name)
    axes.set_xlabel("agents (6 groups up to 500 agents, then 8)")
    axes.set_ylabel("seconds a solve")
    axes.legend(frameon=False)
    axes.figure.savefig(path)  # type: ignore[union-attr]  # a Figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small games and 10^6 agents only")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a solve for a peer")
    options = parser.parse_args()
    peers = against_peers(5.0 if options.quick else options.limit)
    many = many_agents(8_000_000 if options.quick else 200_000_000)
    kernel = general_kernel()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = {}
    for name in ("equipoise", "numpy", "numba", "nashopt", "quantecon", "clarabel", "osqp"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    result = {
        "date": today, "commit": commit, "versions": versions,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "peers": peers, "many_agents": many, "general_kernel": kernel,
        "slope_1e5_to_1e7": slope(many, 10**5, 10**7),
    }  # fmt: skip
    path = HERE / "results" / f"{today}-solvers.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    figure(peers, many, path.with_suffix(".svg"))
    print(f"slope of time in agents, 10^5 to 10^7: {result['slope_1e5_to_1e7']}")
    print(path)


if __name__ == "__main__":
    main()
