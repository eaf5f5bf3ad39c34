"""The figure of a benchmark: seconds a solve against agents, and against groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers import MAKERS


def figure(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    whole = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = whole.subplots(1, 2, sharey=True)
    for name in MAKERS:
        for axes, part, along in ((left, "peers", "agents"), (right, "by_groups", "groups")):
            rows = [r for r in result[part] if r["solver"] == name and "stopped" not in r]
            if rows:
                x, y = [r[along] for r in rows], [r["seconds"] for r in rows]
                axes.loglog(x, y, "o-", markersize=4, label=name)
    many = [r for r in result["many_agents"] if r["groups"] == 8]
    if many:
        x, y = [r["agents"] for r in many], [r["seconds"] for r in many]
        left.loglog(x, y, "s--", color="C0", markersize=4, label="equipoise, 8 groups")
    left.set_xlabel("agents (6 groups)")
    right.set_xlabel("groups (20 agents)")
    left.set_ylabel("seconds a solve")
    left.legend(frameon=False, fontsize="small")
    whole.savefig(path)
