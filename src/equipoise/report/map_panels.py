"""Small figures side by side: in what share of draws each group is left out, or plane by plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.display import shortened
from equipoise.inclusion.map_result import SURE
from equipoise.inclusion.map_status import Status
from equipoise.report.canvas import FAINT, INK, WIDTH, frame, new_figure
from equipoise.report.map_cells import fill
from equipoise.report.map_marks import Marks, ring
from equipoise.report.map_plots import axis_name, draw_lines, steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.inclusion.map_result import PhaseMap

__all__ = ["PANELS", "dropping", "planes", "probabilities"]

FloatArray = NDArray[np.float64]

PANELS = 6
"""So many panels at most: groups left out most often, or planes evenly spaced."""

EACH = 2.0
"""Inches a row of panels takes."""

LIMITS = (1.0 - SURE, 0.25, 0.5, 0.75, SURE)
CHANCES = (
    "at most 2.5 % of draws: served",
    "to 25 %",
    "to 50 %",
    "to 75 %",
    "below 97.5 %",
    "at least 97.5 %: left out",
)


def dropping(found: PhaseMap) -> list[int]:
    """Return the groups some cell does not serve for certain, the most often left out first."""
    chance = found.probability
    if chance is None:
        return []
    flat = chance.reshape(-1, len(found.groups))
    somewhere = np.flatnonzero(flat.max(axis=0) > LIMITS[0])
    return sorted(somewhere.tolist(), key=lambda k: -float(flat[:, k].mean()))[:PANELS]


def probabilities(found: PhaseMap, *, marks: Marks | None = None) -> list[Axes]:
    """Draw in what share of joint draws each group is left out, a panel a group.

    Returns
    -------
    list of Axes
        Colour: share of draws, in steps that end at the verdicts (2.5 % and 97.5 %). Line: the
        boundary of the point game. Of a third axis, its middle value.
    """
    chance, groups = found.probability, dropping(found)
    assert chance is not None
    plane = len(found.axes[2]) // 2 if len(found.axes) == 3 else None
    if plane is not None:
        chance = chance[plane]
    classes = np.searchsorted(LIMITS, chance, side="left")
    # "At least" at the upper limit, as the verdict has it.
    classes[chance >= SURE] = len(LIMITS)
    titles = [shortened(found.groups[k], 26) for k in groups]
    panels = _panels(found, titles, [classes[..., k] for k in groups], CHANCES)
    for axes, k in zip(panels, groups, strict=True):
        draw_lines(axes, [c.points for c in found.boundaries
                          if c.group == found.groups[k] and _here(found, c.z, plane)])  # fmt: skip
        ring(axes, marks, None if plane is None else float(found.axes[2].values[plane]))
    return panels


def planes(found: PhaseMap, *, marks: Marks | None = None) -> list[Axes]:
    """Draw how many groups are left out, a panel a value of the third axis.

    Returns
    -------
    list of Axes
        At most six, evenly spaced; lines are the exact boundaries.
    """
    z = found.axes[2]
    chosen = np.unique(np.linspace(0, len(z) - 1, min(PANELS, len(z))).round().astype(int))
    counts = found.excluded.sum(axis=-1)
    names = [str(n) for n in range(int(counts.max()) + 1)]
    counts = np.where(found.status == Status.failed, -1, counts)
    titles = [f"{axis_name(z)} = {z.values[i]:.4g}" for i in chosen]
    what = "groups that no agent serves; a line is where one drops out"
    if found.below > 0:
        what = f"groups whose top weight is below {found.below:g}; a line is where one drops out"
    panels = _panels(found, titles, [counts[i] for i in chosen], names, what)
    for axes, plane in zip(panels, chosen.tolist(), strict=True):
        draw_lines(axes, [c.points for c in found.boundaries if _here(found, c.z, plane)])
        ring(axes, marks, float(z.values[plane]))
    return panels


def _here(found: PhaseMap, z: float | None, plane: int | None) -> bool:
    return plane is None or z == float(found.axes[2].values[plane])


def _panels(
    found: PhaseMap,
    titles: Sequence[str],
    classes: Sequence[NDArray[Any]],
    names: Sequence[str],
    what: str = "",
) -> list[Axes]:
    from matplotlib.patches import Patch

    across = min(2, len(titles))
    rows = math.ceil(len(titles) / across)
    figure = new_figure((WIDTH, 1.3 + EACH * rows))
    ramp = steps(len(names))
    colors = [ramp(n) for n in range(len(names))]
    x, y = found.axes[0].values, found.axes[1].values
    panels: list[Axes] = []
    for at, (title, kinds) in enumerate(zip(titles, classes, strict=True)):
        axes = figure.add_subplot(rows, across, at + 1, facecolor="none")
        fill(axes, x, y, kinds, colors)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(y[0], y[-1])
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, parse_math=False)
        axes.tick_params(colors=INK, labelsize=8.5, length=3)
        axes.tick_params(labelleft=at % across == 0, labelbottom=at + across >= len(titles))
        frame(axes)
        if at % across == 0:
            axes.set_ylabel(axis_name(found.axes[1]), color=INK, fontsize=9.5, parse_math=False)
        if at + across >= len(titles):
            axes.set_xlabel(axis_name(found.axes[0]), color=INK, fontsize=9.5, parse_math=False)
        panels.append(axes)
    keys = [Patch(facecolor=colors[n], edgecolor=FAINT, label=name) for n, name in enumerate(names)]
    legend = figure.legend(
        handles=keys, loc="outside lower center", ncols=2 if len(names[0]) > 9 else 6,
        frameon=False, fontsize=9, labelcolor=INK, handlelength=1.4, title=what or None,
        title_fontproperties={"size": 9}, alignment="left",
    )  # fmt: skip
    legend.get_title().set_color(INK)
    return panels
