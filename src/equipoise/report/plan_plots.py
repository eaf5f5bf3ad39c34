"""Figures of plans: coverage as a lever moves to its plan, and all levers side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.inclusion.advice import UNITS
from equipoise.report.canvas import BLUE, INK, OPEN, PAPER, VERMILLION, new_axes
from equipoise.report.path_plots import name_ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.inclusion.lever_table import LeverTable
    from equipoise.inclusion.plan_path import PlanPath

__all__ = ["levers", "plan"]

GREY = "#9aa1ab"


def plan(
    found: PlanPath, *, size: tuple[float, float] = (7.2, 4.4), name: str | None = None
) -> Axes:
    """Draw the coverage of every group as a lever moves from no change to its plan.

    Parameters
    ----------
    found : PlanPath
    size : (float, float)
        Width and height of the figure in inches.
    name : str, optional
        What the lever is called; default its own name.

    Returns
    -------
    Axes
        Blue: groups that gain; vermillion, dashed: groups that lose; grey: unchanged. A circle on
        the right edge: a floor that was asked for.
    """
    axes = new_axes(size, OPEN)
    gain = found.coverage[-1] - found.coverage[0]
    percent = 100 * found.share
    for k in range(len(found.groups)):
        same = abs(gain[k]) <= 1e-9
        color = GREY if same else (BLUE if gain[k] > 0 else VERMILLION)
        axes.plot(percent, found.coverage[:, k], color=color, linewidth=1.7,
                  linestyle="--" if gain[k] < -1e-9 else "-")  # fmt: skip
        if found.floors[k] > 0:
            axes.plot(100, found.floors[k], "o", color=PAPER, markeredgecolor=INK, markersize=7,
                      clip_on=False, zorder=5)  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    name_ends(axes, found.groups, found.coverage[-1])
    axes.set_xlabel(
        f"share of the change made, % ({name or found.lever})", color=INK, fontsize=10.5
    )
    axes.set_ylabel("coverage (mean weight)", color=INK, fontsize=10.5)
    return axes


def levers(found: LeverTable) -> Axes:
    """Draw coverage before and after the plan of every lever, one row a lever and group.

    Parameters
    ----------
    found : LeverTable
        With at least one plan.

    Returns
    -------
    Axes
        A line from the coverage before (open circle) to that after (dot): blue a gain,
        vermillion a loss. Costs stand beside the lever's name, each in its own unit.
    """
    if not found.plans:
        raise BadInput("plots: no lever reaches this goal, there is nothing to draw")
    groups = found.plans[0].before.game.groups.labels
    step = len(groups) + 1.6
    axes = new_axes((7.6, 0.9 + 0.24 * step * len(found.plans)), ("bottom",))
    ticks, names = [], []
    for j, one in enumerate(found.plans):
        before, after = one.before.profile.coverage, one.after.profile.coverage
        top = -j * step
        least = "least" if one.leastness.proved else "best found"
        title = f"{one.lever.name}: {one.cost:.3g}, {least} ({UNITS[one.lever.name]})"
        axes.text(0.0, top + 0.15, title, transform=axes.get_yaxis_transform(), fontsize=9.5,
                  color=INK, weight="bold", va="center", parse_math=False)  # fmt: skip
        for k, group in enumerate(groups):
            y = top - 1.0 - k
            color = BLUE if after[k] >= before[k] else VERMILLION
            axes.plot([before[k], after[k]], [y, y], color=color, linewidth=1.8, zorder=2)
            axes.plot(before[k], y, "o", color=PAPER, markeredgecolor=color, markersize=5.5)
            axes.plot(after[k], y, "o", color=color, markersize=5.5, zorder=3)
            ticks.append(y)
            names.append(shortened(group, 24))
    axes.set_yticks(ticks, names, fontsize=9, color=INK, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(min(ticks) - 0.8, 0.9)
    widest = [one.after.profile.coverage.max() for one in found.plans]
    widest.append(found.plans[0].before.profile.coverage.max())
    axes.set_xlim(left=0, right=1.05 * float(np.max(widest)))
    axes.set_xlabel("coverage (mean weight): before (open) and after", color=INK, fontsize=10.5)
    return axes
