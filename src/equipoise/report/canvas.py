"""What every figure is drawn on: its colours, a figure with its axes, and the bytes of a file.

Colours are Okabe and Ito's, told apart without colour vision. Nothing here touches pyplot: a
figure belongs to the axes that are returned.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from equipoise.errors import BadInput, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "DPI", "FAINT", "GREY", "INK", "OPEN", "PAPER", "VERMILLION", "WIDTH", "drawn",
           "frame", "new_axes", "new_figure", "saved", "styled"]  # fmt: skip

INK, FAINT, PAPER = "#1a1c21", "#c9ced6", "#fefefe"
"""Colours of text, of lines behind the data, and of the ground; the page swaps them in the dark."""
BLUE, VERMILLION, GREY = "#0072b2", "#d55e00", "#767d87"

WIDTH = 5.0
"""Inches of a figure of a report, so that letters are of one size."""

DPI = 160
"""Pixels per inch of a figure of a report or a map."""

FINE = 200
"""The same of a figure on its own."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "equipoise",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
}
"""The same bytes for the same figure and the same matplotlib."""

NO_DATE: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

EDGES = ("left", "bottom", "right", "top")
OPEN = ("left", "bottom")
"""Edges of a frame that is open to the names of lines."""


def _needed() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("a figure", "plots") from None
    return matplotlib


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a new figure of `size` inches that pyplot knows nothing of.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    _needed()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def new_axes(size: tuple[float, float], edges: tuple[str, ...] = EDGES) -> Axes:
    """Return the only axes of a new figure, with these edges of its frame drawn."""
    axes = new_figure(size).add_subplot(facecolor="none")
    axes.tick_params(colors=INK, labelsize=9.5, length=3)
    frame(axes, edges)
    return axes


def frame(axes: Axes, edges: tuple[str, ...] = EDGES) -> None:
    """Draw these edges of a frame in ink, and no others."""
    for edge, spine in axes.spines.items():
        spine.set_color(INK)
        spine.set_visible(edge in edges)


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save with the fonts of the report, and without matplotlib's word on a lost glyph.

    Raises
    ------
    MissingExtra
        matplotlib is not installed.
    """
    with _needed().rc_context(STYLE), warnings.catch_warnings():
        # A label in a script the font lacks is drawn as boxes; the tables carry it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def saved(figure: Any, kind: str, dpi: int = DPI) -> bytes:
    """Return a figure as the bytes of a "png" or "svg" file; call it where it is `styled`."""
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=dpi, metadata=NO_DATE[kind])
    return out.getvalue()


def drawn(draw: Callable[[], Axes], kind: str, dpi: int = FINE) -> bytes:
    """Return what a drawing function draws as the bytes of a file.

    Parameters
    ----------
    draw : function
        Returns axes; called with the fonts of the report.
    kind : str
        "png" or "svg".
    dpi : int
        Pixels per inch.
    """
    if kind not in NO_DATE:
        raise BadInput(f'figure: "{kind}" is no kind of figure; end its name in .png or .svg')
    with styled():
        return saved(draw().figure, kind, dpi)
