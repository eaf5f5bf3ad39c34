"""The tables of one result: plain rows for CSV, and the same rows in words for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

__all__ = ["FEW", "Column", "Table", "few", "in_words", "named", "neutral", "tables", "to_csv"]

Row = Mapping[str, Any]
Result = Mapping[str, Any]

FEW = 30
"""A group of fewer respondents is flagged wherever its name stands in a table."""

SHOWN = {"excluded": "left out", "included": "served"}
"""Verdict as files have it -> as people read it."""

NOTHING = 1e-12
"""A margin smaller than this is rounding and shown as 0."""


def in_words(verdict: str) -> str:
    """Return a verdict as people read it."""
    return SHOWN.get(verdict, verdict)


def few(n: int | None) -> bool:
    """Whether a group has so few respondents that every number about it is rough."""
    return n is not None and n < FEW


def named(result: Result) -> Callable[[Row], str]:
    """Return a function of a row that gives its group, with n where it is small."""
    flags = {
        row["group"]: f" (only {row['n']} people)" for row in result["groups"] if few(row["n"])
    }
    return lambda row: row["group"] + flags.get(row["group"], "")


def joint_head(result: Result) -> str:
    """Return the head of a column of bands."""
    return f"{100 * result['uncertainty']['level']:g} % band, all groups together"


@final
@dataclass(frozen=True)
class Column:
    """One column: its head for people, the keys it is made of, and how a cell reads.

    Parameters
    ----------
    head : str
        Head for people.
    show : function of a row
        The cell for people.
    """

    head: str
    show: Callable[[Row], str]


@final
@dataclass(frozen=True)
class Table:
    """Rows with names for programs (`keys`) and columns for people.

    Parameters
    ----------
    name : str
        File name without ending.
    caption : str
        What it shows, with units.
    keys : tuple of str
        Columns of the CSV file, raw values.
    columns : tuple of Column
        Columns for people, the first heading each row.
    rows : tuple of dict
    texts : int
        How many leading columns for people are text.
    """

    name: str
    caption: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    texts: int = 1

    def cells(self) -> list[list[str]]:
        """Return the cells for people, row by row."""
        return [[column.show(row) for column in self.columns] for row in self.rows]

    def head(self) -> list[str]:
        """Return the heads for people."""
        return [column.head for column in self.columns]


def neutral(value: Any) -> Any:
    """Return a CSV cell that no spreadsheet takes for a formula; numbers stay as they are.

    Examples
    --------
    >>> neutral("=HYPERLINK(1)"), neutral(-0.5), neutral("rural")
    ("'=HYPERLINK(1)", -0.5, 'rural')
    """
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return "'" + value
    return value


def to_csv(table: Table) -> str:
    """Return a table as CSV text: raw values, floats exact, infinities as `inf`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.keys)
    for row in table.rows:
        writer.writerow([neutral(row[key]) for key in table.keys])
    return out.getvalue()


def percent(value: float, digits: int = 1) -> str:
    """Return a share as percent; a true zero is "0", a small one is not; never broken."""
    if value == 0:
        return "0"
    if 0 < value < 0.5 * 10 ** -(digits + 2):
        return f"<{10.0**-digits:g}\u00a0%"
    return f"{100 * value:.{digits}f}\u00a0%"


def ratio(value: float) -> str:
    """Return a ratio of incentives with three digits; infinite is "never"."""
    if math.isinf(value):
        return "never"
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"


def interval(low: float, high: float, show: Callable[[float], str] = ratio) -> str:
    """Return an interval in words; undefined and one-point-at-infinity ones as a dash."""
    if math.isnan(low) or math.isnan(high):
        return "–"
    if math.isinf(low) and math.isinf(high) and low == high:
        return "–"
    ends = [("∞" if x > 0 else "−∞") if math.isinf(x) else show(x) for x in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def signed(value: float) -> str:
    """Return a signed number with three digits and a real minus sign; NaN is "undefined"."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    if abs(value) < NOTHING:
        return "0"
    return f"{value:+#.3g}".rstrip(".").replace("-", "−")


def of_draws(share: float) -> str:
    """Return a share of draws: "all" and "none" only when that is exact."""
    if share in (0.0, 1.0):
        return "all" if share else "none"
    return percent(min(max(share, 0.001), 0.999))


def points(value: float) -> str:
    """Return a difference of shares in percentage points."""
    if abs(value) < 0.0005:
        return "0.0"
    return f"{100 * value:+.1f}".replace("-", "−")


def tables(result: Result) -> dict[str, Table]:
    """Return every table of a result by name, the critical incentives first."""
    makers = (critical, exclusion, welfare, profile, topics)
    made = [maker(result) for maker in makers]
    return {table.name: table for table in made if table is not None}


def critical(result: Result) -> Table | None:
    """Return the least ratio of attractiveness to consistency at which each group drops out."""
    if result["critical"] is None:
        return None
    level = 100 * result["uncertainty"]["level"]
    head = f"{level:g} % interval"
    law = result["critical"]["law"]
    caption = (
        "The least ratio of attractiveness to consistency (α/β) from which no agent serves the "
        "group any more; the first to drop out stands first."
    )
    if law == "ignored":
        caption += " It holds for agents that ignore each other; those of this study do not."
    elif law == "diversity":
        caption += (
            f" Diversity weighs {result['critical']['other_curvature']:g} times consistency here."
        )
    return Table(
        "critical_incentives",
        caption,
        ("group", "least", "low", "high", "band_low", "band_high", "n"),
        (
            Column("group", named(result)),
            Column("left out from", lambda r: ratio(r["least"])),
            Column(head, lambda r: interval(r["low"], r["high"])),
            Column(joint_head(result), lambda r: interval(r["band_low"], r["band_high"])),
        ),
        tuple(result["critical"]["rows"]),
    )


def exclusion(result: Result) -> Table:
    """Return who is served by whom, who is left out and how surely."""
    groups = {row["group"]: row for row in result["groups"]}
    rows = tuple({**row, "n": groups[row["group"]]["n"]} for row in result["exclusion"])
    draws = result["uncertainty"]["draws"]
    columns = [
        Column("group", named(result)),
        Column("verdict", lambda r: in_words(r["verdict"])),
        Column("share of the public", lambda r: percent(r["share"])),
        Column("coverage (mean weight)", lambda r: percent(r["coverage"])),
        Column("top weight", lambda r: percent(r["top_weight"])),
    ]
    if draws:
        columns += [
            Column("left out in … of draws", lambda r: of_draws(r["excluded_share"])),
            Column("holds for all groups together", lambda r: "yes" if r["jointly"] else "no"),
        ]
    columns.append(Column("margin (utility)", lambda r: signed(r["margin"])))
    if draws:
        columns.append(
            Column(
                joint_head(result), lambda r: interval(r["margin_low"], r["margin_high"], signed)
            )
        )
    if any(row["excluded_in"] not in (0, row["equilibria"]) for row in rows):
        columns.insert(
            2,
            Column(
                "left out in … of the equilibria found",
                lambda r: f"{r['excluded_in']} of {r['equilibria']}",
            ),
        )
    below = result["settings"]["below"]
    nobody = f"no agent gives it {percent(below)} of its weight" if below else "nobody serves it"
    return Table(
        "exclusion",
        "Who is served: coverage is the mean weight of a group over agents, top weight its "
        f"largest. The margin is how far the group's score could fall before {nobody} (+), or "
        "must rise before that ends (−); the utility of an agent spans "
        f"{result['certificate']['utility_range']:.3g}.",
        ("group", "share", "n", "coverage", "coverage_low", "coverage_high", "top_weight",
         "top_agent", "margin", "margin_low", "margin_high", "excluded_share", "verdict",
         "jointly", "equilibria", "excluded_in"),
        tuple(columns),
        rows,
        texts=2,
    )  # fmt: skip


def welfare(result: Result) -> Table | None:
    """Return each group's welfare beside proportional service."""
    if result["welfare"] is None:
        return None
    return Table(
        "welfare",
        "Welfare: the chance that what a person of the group reads agrees with an answer of "
        "theirs, at the equilibrium and if every group were served in proportion to its size.",
        ("group", "welfare", "low", "high", "proportional", "proportional_low",
         "proportional_high", "difference", "difference_low", "difference_high"),
        (
            Column("group", named(result)),
            Column("at equilibrium", lambda r: percent(r["welfare"])),
            Column("proportional", lambda r: percent(r["proportional"])),
            Column("difference (points)", lambda r: points(r["difference"])),
            Column(
                joint_head(result),
                lambda r: interval(r["difference_low"], r["difference_high"], points),
            ),
        ),
        tuple(result["welfare"]),
    )  # fmt: skip


def profile(result: Result) -> Table | None:
    """Return every agent's mixture, one row per agent and group."""
    if result["profile"] is None:
        return None
    labels = [row["group"] for row in result["groups"]]
    rows = tuple(
        {"agent": agent, "group": label, "weight": weight}
        for agent, weights in zip(result["agents"], result["profile"], strict=True)
        for label, weight in zip(labels, weights, strict=True)
    )
    return Table(
        "profile",
        "The mixture of every agent: its weight on each group.",
        ("agent", "group", "weight"),
        (
            Column("agent", lambda r: r["agent"]),
            Column("group", lambda r: r["group"]),
            Column("weight", lambda r: percent(r["weight"])),
        ),
        rows,
        texts=2,
    )


def topics(result: Result) -> Table | None:
    """Return the verdict on every question and group, simultaneous over all cells."""
    if not result["topics"]:
        return None
    rows: list[Row] = [
        {"question": game["question"], "topic": game["topic"], **row}
        for game in result["topics"]["games"]
        for row in game["rows"]
    ]
    return Table(
        "topics",
        f"One game per question; the joint verdict holds for all {result['topics']['cells']} "
        "cells together.",
        ("question", "topic", "group", "share", "coverage", "top_weight", "margin", "margin_low",
         "margin_high", "excluded_share", "verdict", "joint_verdict"),
        _topic_columns(result),
        tuple(rows),
        texts=2,
    )  # fmt: skip


def _topic_columns(result: Result) -> tuple[Column, ...]:
    return (
        Column("topic", lambda r: r["topic"]),
        Column("group", named(result)),
        Column("coverage", lambda r: percent(r["coverage"])),
        Column("left out in … of draws", lambda r: of_draws(r["excluded_share"])),
        Column("verdict", lambda r: in_words(r["verdict"])),
        Column("all together", lambda r: in_words(r["joint_verdict"])),
    )
