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
    lines = ["| seconds a solve, 6 groups | " + " | ".join(f"{n} agents" for n in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    for name in names:
        cells = []
        for n in sizes:
            row = [r for r in peers if r["solver"] == name and r["agents"] == n]
            cells.append(f"{row[0]['seconds']:.2g}" if row else "—")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def newest() -> dict[str, Any]:
    """Return the latest results of `benchmarks.run`."""
    paths = sorted((HERE / "results").glob("*-solvers.json"))
    result: dict[str, Any] = json.loads(paths[-1].read_text())
    return result


def section(result: dict[str, Any]) -> str:
    """Return the README text between the two marks."""
    many = [r for r in result["many_agents"] if r["groups"] == 8]
    lines = [table(result["peers"]), ""]
    lines.append("| agents × 8 groups, certified | seconds | sorts of the same array |")
    lines.append("|---|---|---|")
    for row in many:
        lines.append(f"| {row['agents']:,} | {row['seconds']:.2g} | {row['over_sort']:.1f} |")
    lines.append("")
    lines.append(
        f"Medians, {result['date']}, {result['machine']}; equipoise includes its "
        "certificate, the peers do not have one."
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
