"""Figures to files: the same bytes for the same result, and SVG that can stand inside a page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.plan_path import PlanPath
from equipoise.report.canvas import BLUE, FAINT, INK, PAPER, VERMILLION, WIDTH, saved, styled
from equipoise.report.map_marks import Marks, marks_of
from equipoise.report.plots import FIGURES
from equipoise.report.steer_files import shown_way

__all__ = ["draw_all", "inline"]

MAP = (WIDTH, 4.6)
"""Inches of a map: as wide as the other figures."""

VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)", BLUE: "var(--blue)",
             VERMILLION: "var(--red)"}  # fmt: skip


def draw_all(
    result: Mapping[str, Any],
    maps: Mapping[str, PhaseMap] | None = None,
    ways: Mapping[str, Mapping[str, PlanPath]] | None = None,
) -> dict[str, tuple[bytes, bytes]]:
    """Draw every figure a result has the numbers for.

    Parameters
    ----------
    result : dict
        Content of `result.json`.
    maps : mapping of name to PhaseMap, optional
        The study's maps, as `read_maps` gives them.
    ways : mapping, optional
        The ways of the study's plans, as `read_ways` gives them.

    Returns
    -------
    dict of name to (SVG, PNG)
        The same bytes for the same result and the same matplotlib.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    out = {}
    with styled():
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        for name, (part, draw) in FIGURES.items():
            if result[part]:
                out[name] = _saved(draw(result).figure)
        for row in result.get("steer", ()):
            drawn = _of_steer(row, shown_way(row, ways or {}))
            out |= {f"{row['name']}{end}": _saved(figure) for end, figure in drawn.items()}
        marks = {row["name"]: marks_of(row) for row in result.get("maps", ())}
        for name, found in (maps or {}).items():
            drawn = _of_map(found, marks[name])
            out |= {f"{name}{end}": _saved(figure) for end, figure in drawn.items()}
    return out


def _of_steer(row: Mapping[str, Any], way: PlanPath | None) -> dict[str, Any]:
    """Return the figures of a goal, by the end of their names."""
    from equipoise.report.steer_plots import before_after, way_figure

    out = {}
    if row["plans"]:
        out[""] = before_after(row)[0].figure
    if way is not None:
        out["_path"] = way_figure(way).figure
    return out


def _of_map(found: PhaseMap, marks: Marks) -> dict[str, Any]:
    """Return the figures of a map, by the end of their names."""
    from equipoise.report.map_panels import dropping, planes, probabilities
    from equipoise.report.map_plots import phase_map

    flat = len(found.axes) == 2
    if flat:
        out = {"": phase_map(found, size=MAP, marks=marks).figure}
    else:
        out = {"": planes(found, marks=marks)[0].figure}
    if dropping(found):
        out["_draws"] = probabilities(found, marks=marks)[0].figure
    return out


def _saved(figure: Any) -> tuple[bytes, bytes]:
    return saved(figure, "svg"), saved(figure, "png")


def inline(svg: bytes, prefix: str) -> str:
    """Return an SVG file as an element: ids of its own, colours that follow the page.

    Parameters
    ----------
    svg : bytes
        As `draw_all` made it.
    prefix : str
        Put before every id, so that several figures share one page.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href=")#', rf"\1#{prefix}-", text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    for color, variable in VARIABLES.items():
        text = text.replace(color, variable)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
