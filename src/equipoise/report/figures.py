"""Figures to files: the same bytes for the same result, and SVG that can stand inside a page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

from equipoise.errors import MissingExtra
from equipoise.inclusion.map_result import PhaseMap
from equipoise.report.plots import BLUE, FAINT, FIGURES, INK, PAPER, VERMILLION

__all__ = ["draw_all", "inline"]

DPI = 160
MAP = (5.0, 4.6)
"""Inches of a map: as wide as the other figures, so that letters are of one size."""

VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)", BLUE: "var(--blue)",
             VERMILLION: "var(--red)"}  # fmt: skip


def draw_all(
    result: Mapping[str, Any], maps: Mapping[str, PhaseMap] | None = None
) -> dict[str, tuple[bytes, bytes]]:
    """Draw every figure a result has the numbers for.

    Parameters
    ----------
    result : dict
        Content of `result.json`.
    maps : mapping of name to PhaseMap, optional
        The study's maps, as `read_maps` gives them.

    Returns
    -------
    dict of name to (SVG, PNG)
        The same bytes for the same result and the same matplotlib.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("a figure", "plots") from None

    out = {}
    style: dict[Any, Any] = {
        "svg.hashsalt": "equipoise",
        "svg.fonttype": "path",
        "font.family": ["DejaVu Sans"],
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # A label in a script the font lacks is drawn as boxes; the tables carry it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        for name, (part, draw) in FIGURES.items():
            if result[part]:
                out[name] = _saved(draw(result).figure)
        for name, found in (maps or {}).items():
            out |= {f"{name}{end}": _saved(figure) for end, figure in _of_map(found).items()}
    return out


def _of_map(found: PhaseMap) -> dict[str, Any]:
    """Return the figures of a map, by the end of their names."""
    from equipoise.report.map_panels import dropping, planes, probabilities
    from equipoise.report.map_plots import phase_map

    flat = len(found.axes) == 2
    out = {"": phase_map(found, size=MAP).figure if flat else planes(found)[0].figure}
    if dropping(found):
        out["_draws"] = probabilities(found)[0].figure
    return out


def _saved(figure: Any) -> tuple[bytes, bytes]:
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


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
