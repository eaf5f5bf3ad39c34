"""The section of the page on what would bring everyone in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.display import escaped
from equipoise.inclusion.plan_path import PlanPath
from equipoise.report.page_parts import figure, paragraphs, sentence, table_region
from equipoise.report.steer_files import shown_way
from equipoise.report.steer_plots import plans_caption, way_caption
from equipoise.report.steer_tables import steer_tables
from equipoise.report.steer_words import advice, limits, opening

__all__ = ["steers"]

Result = Mapping[str, Any]
Ways = Mapping[str, Mapping[str, PlanPath]]


def steers(result: Result, figures: Mapping[str, bytes], ways: Ways) -> str:
    """Return advice, the comparison of levers, figures and limits, goal by goal."""
    rows = result.get("steer", ())
    if not rows:
        return ""
    made = steer_tables(result)
    out = ['<section class="steer"><h2>What would bring everyone in</h2>']
    for number, row in enumerate(rows, start=1):
        if len(rows) > 1:
            out.append(f"<h3>Goal {number}</h3>")
        out.append(paragraphs(opening(row)))
        items = "".join(
            f"<li><strong>{sentence(lever)}.</strong> {sentence(text)}</li>"
            for lever, text in advice(row, result)
        )
        out.append(f'<ul class="advice">{items}</ul>')
        out += [table_region(made[name]) for name in _tables(row) if name in made]
        out.append(f'<div class="two">{_drawn(row, result, figures, ways)}</div>')
        out.append("<h3>What is proved of these plans, and what is not</h3>")
        out.append(paragraphs(limits(row)))
    return "\n".join(out) + "</section>"


def _tables(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["name"], f"{row['name']}_groups"


def _drawn(row: Mapping[str, Any], result: Result, figures: Mapping[str, bytes], ways: Ways) -> str:
    name, parts = row["name"], []
    if name in figures:
        text = plans_caption(row, result)
        parts.append(("Who gains, who gives up", figure(name, result, figures, text)))
    way = shown_way(row, ways)
    if way is not None and f"{name}_path" in figures:
        text = way_caption(way, row)
        parts.append(("On the way", figure(f"{name}_path", result, figures, text)))
    return "\n".join(f"<div><h3>{escaped(head)}</h3>{made}</div>" for head, made in parts)
