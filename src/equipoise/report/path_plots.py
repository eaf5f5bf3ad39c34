"""The figure of a path: how the coverage of every group moves while a population settles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.report.canvas import BLUE, INK, OPEN, PAPER, VERMILLION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.equilibrium.dynamics import Path

__all__ = ["name_ends", "path"]

FloatArray = NDArray[np.float64]


def path(found: Path, *, start: int = 0, below: float = 0.0) -> Axes:
    """Draw the coverage of every group over time, from one start.

    Parameters
    ----------
    found : Path
    start : int
        Which of the starts.
    below : float
        Exclusion threshold on top weight: the time a group falls below it is marked.

    Returns
    -------
    Axes
        Vermillion and dashed: groups excluded at the end. A cross: where one is excluded first.
    """
    if not -len(found.final) <= start < len(found.final):
        raise BadInput(f"start: {start} is not one of the {len(found.final)} starts of this path")
    axes = new_axes((7.2, 4.4), OPEN)
    cover, when = found.coverage[start], found.time_below(below)[start]
    top = found.top_weight[start, -1]
    out = top < below if below > 0 else top == 0.0
    for k in range(len(found.groups)):
        axes.plot(found.times, cover[:, k], color=VERMILLION if out[k] else BLUE,
                  linestyle="--" if out[k] else "-", linewidth=1.7)  # fmt: skip
        if np.isfinite(when[k]):
            height = float(np.interp(when[k], found.times, cover[:, k]))
            axes.plot(when[k], height, "X", color=VERMILLION, markersize=8, markeredgecolor=PAPER,
                      clip_on=False, zorder=5)  # fmt: skip
    axes.set_xlim(0, found.times[-1])
    axes.set_ylim(bottom=0)
    name_ends(axes, found.groups, cover[-1])
    unit = "rounds of best responses" if found.kind == "best-response" else "time"
    said = "" if found.converged[start] else f" (not converged after {len(found.times) - 1} steps)"
    axes.set_xlabel(unit + said, color=INK, fontsize=10.5)
    axes.set_ylabel("coverage (mean weight)", color=INK, fontsize=10.5)
    return axes


def name_ends(axes: Axes, groups: Sequence[str], ends: FloatArray) -> None:
    """Write names beside the ends of lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = 0.055 * (high - low)
    order = np.argsort(ends, kind="stable")
    heights = ends[order].astype(float)
    for i in range(1, heights.size):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    for k, height in zip(order, heights, strict=True):
        axes.annotate(shortened(groups[k], 26), (1.01, height),
                      xycoords=axes.get_yaxis_transform(), va="center", fontsize=9.5, color=INK,
                      annotation_clip=False, parse_math=False)  # fmt: skip
