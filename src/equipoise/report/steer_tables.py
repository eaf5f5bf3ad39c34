"""The tables of a study's goals: levers side by side, coverage before and after, the ways."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

from equipoise.inclusion.advice import UNITS
from equipoise.inclusion.plan_path import PlanPath
from equipoise.report.steer_words import LEVERS
from equipoise.report.tables import Column, Table, named, neutral, percent

__all__ = ["steer_tables", "ways_csv"]

Result = Mapping[str, Any]
Row = Mapping[str, Any]

KEYS = ("lever", "reached", "advice", "cost", "unit", "least", "bound", "why", "fresh", "fresh_low",
        "fresh_high", "fresh_draws", "equilibria", "holds_in", "losers", "reason")  # fmt: skip


def steer_tables(result: Result) -> dict[str, Table]:
    """Return the tables of every goal by name: levers side by side, and coverage by group."""
    out = {}
    for row in result.get("steer", ()):
        for table in (_levers(row), _groups(row, result)):
            if table is not None:
                out[table.name] = table
    return out


def _levers(row: Row) -> Table:
    robust = bool(row["draws"]) or row["within"] is not None
    fresh = "draws" if row["draws"] else "points"
    columns = [
        Column("lever", lambda r: LEVERS[r["lever"]]),
        Column("goal", lambda r: "reached" if r["reached"] else "not reached"),
        Column("least or best found", lambda r: _word(r) if r["reached"] else "–"),
        Column("unit of the cost", lambda r: UNITS[r["lever"]]),
        Column("cost", lambda r: "–" if r["cost"] is None else f"{r['cost']:.4g}"),
    ]
    if robust:
        columns.append(Column(
            f"holds in … of fresh {fresh}",
            lambda r: "–" if r["fresh"] is None else
            f"{percent(r['fresh'])} ({percent(r['fresh_low'])} to {percent(r['fresh_high'])})",
        ))  # fmt: skip
    columns.append(Column("groups that lose", lambda r: _lost(r)))
    rows = [_reached(plan) for plan in row["plans"]] + [_missed(one) for one in row["refused"]]
    return Table(
        row["name"],
        "Levers side by side. Costs in different units cannot be compared. Groups that lose: "
        "those with less coverage than before.",
        KEYS,
        tuple(columns),
        tuple(rows),
        texts=4,
    )


def _word(row: Row) -> str:
    return "least (proved)" if row["least"] else "best found"


def _lost(row: Row) -> str:
    if not row["reached"]:
        return "–"
    return str(len(row["lost"])) if row["lost"] else "none"


def _reached(plan: Row) -> dict[str, Any]:
    held = plan["robustness"]
    return {
        "lever": plan["lever"],
        "reached": True,
        "advice": plan["advice"],
        "cost": plan["cost"],
        "unit": plan["unit"],
        "least": plan["least"],
        "bound": plan["bound"],
        "why": plan["why"],
        "fresh": held.get("fresh"),
        "fresh_low": held.get("low"),
        "fresh_high": held.get("high"),
        "fresh_draws": held.get("n"),
        "equilibria": plan["equilibria"],
        "holds_in": plan["holds_in"],
        "lost": plan["losers"],
        "losers": ", ".join(plan["losers"]),
        "reason": "",
    }


def _missed(one: Row) -> dict[str, Any]:
    empty = dict.fromkeys(KEYS)
    return empty | {"lever": one["lever"], "reached": False, "reason": one["reason"]}


def _groups(row: Row, result: Result) -> Table | None:
    """Return coverage by group: the floor, now, and after the plan of every lever."""
    if not row["plans"]:
        return None
    now = row["plans"][0]["before"]["coverage"]
    rows = []
    for group, floor in row["floors"].items():
        one: dict[str, Any] = {"group": group, "floor": floor, "now": now[group]}
        for plan in row["plans"]:
            one[plan["lever"]] = plan["after"]["coverage"][group]
        rows.append(one)
    levers = [plan["lever"] for plan in row["plans"]]
    columns = [
        Column("group", named(result)),
        Column("floor", lambda r: percent(r["floor"])),
        Column("now", lambda r: percent(r["now"])),
        *(Column(f"after {LEVERS[lever]}", _cell(lever)) for lever in levers),
    ]
    return Table(
        f"{row['name']}_groups",
        "Coverage (mean weight) of every group now and after the plan of each lever.",
        ("group", "floor", "now", *levers),
        tuple(columns),
        tuple(rows),
    )


def _cell(lever: str) -> Callable[[Row], str]:
    return lambda row: percent(row[lever])


def ways_csv(ways: Mapping[str, PlanPath]) -> str:
    """Return the ways of a goal's plans as CSV, one row per lever, point and group."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["lever", "share_of_change", "cost", "group", "coverage", "top_weight",
                     "floor"])  # fmt: skip
    for way in ways.values():
        for row in way.to_rows():
            writer.writerow([neutral(value) for value in row.values()])
    return out.getvalue()
