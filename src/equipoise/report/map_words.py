"""What a map of a study shows, in sentences, and its table of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.report.phrases import OPEN, count, label, listed
from equipoise.report.tables import Column, Table, interval, named, percent

__all__ = ["draws_caption", "map_caption", "map_heading", "map_summary", "map_tables"]

Result = Mapping[str, Any]
Row = Mapping[str, Any]

WEIGHTS = ("attractiveness", "consistency", "diversity")


def _axis(name: str) -> str:
    kind, _, group = name.partition(":")
    return f"{kind} of {label(group)}" if group else kind


def map_heading(row: Row) -> str:
    """Return what a map is over."""
    return f"Over {listed([_axis(axis['name']) for axis in row['axes']])}"


def _span(row: Row) -> str:
    return listed([f"{_axis(a['name'])} from {a['start']:g} to {a['stop']:g}" for a in row["axes"]])


def _anywhere(row: Row, level: float) -> str:
    """Return on how much of the map some group is left out."""
    share = row["any"]
    if share["share"] == 0 and share["high"] == 0:
        return "no group is left out anywhere"
    text = f"some group is left out on {percent(share['share'])} of the map"
    if row["draws"]:
        text += f" ({100 * level:g} % of draws: {interval(share['low'], share['high'], percent)})"
    return text


def _first(row: Row) -> str:
    """Say which group drops out first; empty where the map does not show it."""
    first, across = row["first"], [_axis(axis["name"]) for axis in row["axes"][1:]]
    if not first["dropped"]:
        return ""
    values = f"values of {across[0]}" if len(across) == 1 else f"pairs of {listed(across)}"
    word = "rises" if first["rising"] else "falls"
    lead, *others = first["groups"]
    least, most = f"{lead['least']:.3g}", f"{lead['most']:.3g}"
    where = f"at {least}" if least == most else f"between {least} and {most}"
    whole = lead["lines"] == first["lines"]
    on = f"all {first['lines']:,}" if whole else f"{lead['lines']:,} of {first['lines']:,}"
    text = (
        f"As {_axis(first['axis'])} {word}, the first group to drop out is {label(lead['group'])}, "
        f"in cells {where}, on {on} {values}"
    )
    if others:
        named = [f"{label(one['group'])} on {one['lines']:,}" for one in others[:3]]
        text += f"; {listed(named)}"
    if first["begun"]:
        text += f"; on {first['begun']:,} some group is left out from the start"
    return text + "."


def _checked(row: Row) -> str:
    """Return how the cells were settled."""
    status, cells = row["status"], row["cells"]
    text = f"{cells:,} cells"
    if status["unique"] == cells:
        return f"{text}, each a certified equilibrium that is proved to be the only one."
    if row["certified"] == cells:
        text += ", each a certified equilibrium"
    parts = [
        (status["certified"], "others may exist (hatched)"),
        (status["failed"], "no equilibrium was certified (crossed), and nobody counts as left out"),
        (status["inferred"], "the answer was inferred from the cells around (dotted)"),
    ]
    return f"{text}; " + listed([f"in {n:,} {said}" for n, said in parts if n]) + "."


def _held(row: Row, result: Result) -> str:
    """Return the weights that no axis sets."""
    names = {axis["name"] for axis in row["axes"]}
    kept = [f"{w} weighs {result['settings'][w]:g}" for w in WEIGHTS
            if w not in names and w in result["settings"]]  # fmt: skip
    return f"{_capital(listed(kept))} throughout." if kept else ""


def _capital(text: str) -> str:
    return text if text.startswith(OPEN) else text[:1].upper() + text[1:]


def _asked(row: Row, result: Result) -> str:
    text = f"{row['draws']:,} joint draws." if row["draws"] else ""
    if row["drawn_failed"]:
        text += f" In {row['drawn_failed']:,} cells of draws no equilibrium was certified."
    if result["people"]:
        text += f" n = {result['people']['n']:,} respondents."
    return text.strip()


def map_caption(row: Row, result: Result) -> str:
    """Return the finding of a map in words, with its intervals, cells and n."""
    level = result["uncertainty"]["level"]
    text = _capital(_anywhere(row, level))
    if row["any"]["surely"] is not None and row["any"]["share"]:
        text += f"; for certain on {percent(row['any']['surely'])}"
    parts = [f"{text}.", _first(row), _held(row, result), _checked(row), *row["notes"][:-1],
             _asked(row, result), "Shares of the map depend on the ranges drawn."]  # fmt: skip
    return " ".join(part for part in parts if part)


def draws_caption(row: Row, result: Result) -> str:
    """Return the finding of the figure of probabilities."""
    rows = sorted(row["groups"], key=lambda one: -float(one["undecided"]))
    text = f"In what share of {row['draws']:,} joint draws each group is left out."
    if rows[0]["undecided"] > 0:
        text += (
            f" Least settled is {label(rows[0]['group'])}: the people asked are too few to tell "
            f"on {percent(rows[0]['undecided'])} of the map."
        )
    else:
        text += " No cell is undecided."
    if row["boundaries"]:
        text += " Lines: where the group drops out by the point values."
    if len(row["axes"]) == 3:
        text += f" Drawn at the middle value of {_axis(row['axes'][2]['name'])}."
    return f"{text} {_asked(row, result)}".strip()


def map_summary(result: Result) -> list[str]:
    """Return one sentence or two per map, for the head of a report."""
    out = []
    for row in result.get("maps", ()):
        text = f"Over {_span(row)}, {_anywhere(row, result['uncertainty']['level'])}."
        out.append(f"{text} {_first(row)}".strip())
    return out


def map_tables(result: Result) -> dict[str, Table]:
    """Return the table of groups of every map, by name."""
    made = [_table(row, result) for row in result.get("maps", ())]
    return {table.name: table for table in made}


def _table(row: Row, result: Result) -> Table:
    columns = [
        Column("group", named(result)),
        Column("left out on … of the map", lambda r: percent(r["share"])),
    ]
    caption = "On how much of the map each group is left out, by the point values"
    if row["draws"]:
        level = f"{100 * result['uncertainty']['level']:g} %"
        columns += [
            Column(f"{level} of draws", lambda r: interval(r["low"], r["high"], percent)),
            Column("for certain on", lambda r: percent(r["surely"])),
            Column("undecided on", lambda r: percent(r["undecided"])),
        ]
        caption += (
            ", with the interval of each group over draws; for certain: in at least 97.5 % of the "
            f"{count(row['draws'])} draws"
        )
    return Table(
        f"{row['name']}_groups",
        caption + ".",
        ("group", "share", "low", "high", "surely", "undecided"),
        tuple(columns),
        tuple(sorted(row["groups"], key=lambda r: -float(r["share"]))),
    )
