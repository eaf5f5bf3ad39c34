"""Write the README's table of times from the newest dated JSON; `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
START, END = "<!-- benchmark: start -->\n", "<!-- benchmark: end -->\n"


def table(peers: list[dict[str, Any]]) -> str:
    """Return the rows of the peers, a column per number of agents."""
    names = list(dict.fromkeys(r["solver"] for r in peers))
    sizes = sorted({r["agents"] for r in peers})
    lines = ["| seconds a solve, 6 groups | " + " | ".join(f"{n:,} agents" for n in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    for name in names:
        cells = []
        for n in sizes:
            row = [r for r in peers if r["solver"] == name and r["agents"] == n]
            cells.append(cell(row[0]) if row else "—")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(row: dict[str, Any]) -> str:
    if "stopped" in row:
        return f"stopped: {row['stopped']}" if row["stopped"][0].isdigit() else "—"
    return f"{row['seconds']:.2g}"


def regrets(peers: list[dict[str, Any]]) -> str:
    """Return what each solver reached, and how much memory it took, over all these sizes."""
    lines = ["| solver | largest gap left | most memory a solve |", "|---|---|---|"]
    for name in dict.fromkeys(r["solver"] for r in peers):
        rows = [r for r in peers if r["solver"] == name and "stopped" not in r]
        if rows:
            gap, peak = max(r["max_gap"] for r in rows), max(r["peak_bytes"] for r in rows)
            lines.append(f"| {name} | {gap:.0e} | {peak / 2**20:.0f} MiB |")
    return "\n".join(lines)


def newest() -> dict[str, Any]:
    """Return the latest results of `benchmarks.run`."""
    paths = sorted((HERE / "results").glob("*-solvers.json"))
    result: dict[str, Any] = json.loads(paths[-1].read_text())
    return result


def section(result: dict[str, Any]) -> str:
    """Return the README text between the two marks."""
    lines = [table(result["peers"]), ""]
    if result["over_nashopt"]:
        lines.append("| nashopt's time over equipoise's, 6 groups | medians of 50 | best of 50 |")
        lines.append("|---|---|---|")
        for row in result["over_nashopt"]:
            lines.append(
                f"| {row['agents']} agents | {row['ratio']:,.1f} | {row['ratio_of_best']:,.1f} |"
            )
        lines.append("")
    lines += [regrets(result["peers"]), ""]
    lines.append(
        "| agents × groups, certified | seconds | sorts of the same array | best of both |"
    )
    lines.append("|---|---|---|---|")
    for row in result["many_agents"]:
        size = f"{row['agents']:,} × {row['groups']}"
        lines.append(
            f"| {size} | {row['seconds']:.2g} | {row['over_sort']:.1f} "
            f"| {row['over_sort_best']:.1f} |"
        )
    lines.append("")
    for row in result["general_kernel"]:
        lines.append(
            f"A full kernel, {row['agents']:,} agents × {row['groups']} groups: "
            f"{row['general']:.2g} s, {row['ratio']:.1f} times the identity's time (best of both: "
            f"{row['ratio_of_best']:.1f})."
        )
    if result["slope_1e5_to_1e7"] is not None:
        lines.append(
            "Time grows with the number of agents to the power "
            f"{result['slope_1e5_to_1e7']:.2f} (10⁵ to 10⁷ agents)."
        )
    loads = result.get("load_before", {})
    if loads and max(loads.values()) > 1.0:
        lines.append(
            "The machine was not idle: processes ready to run when a part began, "
            + ", ".join(f"{part.replace('_', ' ')} {load:g}" for part, load in loads.items())
            + "."
        )
    lines.append(
        f"\nMedians, {result['date']}, {result['machine']}; equipoise includes its certificate, "
        f"the peers do not have one; a peer is stopped at {result['limit_seconds']:g} s or 2 GB "
        "and not asked for larger games."
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    new = before + START + section(newest()) + END + after
    if "--check" in sys.argv:
        return 0 if new == text else 1
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
