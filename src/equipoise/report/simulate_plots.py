"""Figures of a simulation: the path with its band beside theory, and why the two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.display import shortened
from equipoise.report.canvas import FAINT, GREY, INK, OPEN, PAPER, new_axes
from equipoise.report.palette import group_colors
from equipoise.report.path_plots import name_ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.simulate.outcome import Simulation

__all__ = ["simulation", "simulation_differences", "simulation_welfare"]

FloatArray = NDArray[np.float64]

SIZE = (7.6, 4.6)

PARTS = {
    "finite samples": "#0072b3",
    "learning": "#e69f02",
    "infidelity": "#cc79a7",
    "formula": "#999999",
}
"""Why simulation and prediction differ -> colour."""


def simulation(found: Simulation, *, size: tuple[float, float] = SIZE) -> Axes:
    """Draw the coverage of every group over the rounds beside the predicted equilibrium.

    Parameters
    ----------
    found : Simulation
    size : (float, float)
        Inches.

    Returns
    -------
    Axes
        Line and ribbon: mean over replicates with its band (noise, block by block). Dashed: the
        predicted equilibrium of each phase; thin: the same agents if every sample were its
        expectation. Bar at the end of a phase: the band that the verdict uses. A vertical line:
        the plan begins. An open circle: a floor.
    """
    axes = new_axes(size, OPEN)
    mean, low, high = found.path_band
    colors = group_colors(len(found.groups))
    for k, color in enumerate(colors):
        axes.fill_between(found.rounds, low[:, k], high[:, k], color=color, alpha=0.22, linewidth=0)
        axes.plot(found.rounds, mean[:, k], color=color, linewidth=1.7)
        axes.plot(found.rounds, found.expected[:, k], color=color, linewidth=0.7, alpha=0.8)
        for one in found.phases:
            theory, band = float(one.theory[k]), one.coverage
            axes.plot([one.first, one.last], [theory, theory], color=color, linewidth=1.1,
                      linestyle=(0, (5, 3)))  # fmt: skip
            axes.plot([one.last] * 2, [max(0.0, band.low[k]), band.high[k]], color=color,
                      linewidth=4, solid_capstyle="butt", clip_on=False, zorder=4)  # fmt: skip
            floor = one.floors.get(found.groups[k])
            if floor is not None:
                axes.plot(one.last, floor, "o", color=PAPER, markeredgecolor=INK, markersize=7,
                          clip_on=False, zorder=5)  # fmt: skip
    for one in found.phases[1:]:
        axes.axvline(one.first, color=GREY, linewidth=1.0)
        axes.annotate(
            "the plan begins", (one.first, 1.0), xycoords=axes.get_xaxis_transform(),
            xytext=(4, -10), textcoords="offset points", fontsize=9, color=INK,
        )  # fmt: skip
    axes.set_xlim(0, found.rounds[-1])
    axes.set_ylim(bottom=0)
    name_ends(axes, found.groups, mean[-1])
    axes.set_xlabel("rounds", color=INK, fontsize=10.5)
    axes.set_ylabel("coverage (mean weight)", color=INK, fontsize=10.5)
    return axes


def simulation_differences(
    found: Simulation, *, phase: int = -1, size: tuple[float, float] = SIZE
) -> Axes:
    """Draw simulated less predicted coverage of every group, and the parts it is made of.

    Parameters
    ----------
    found : Simulation
    phase : int
        Which phase; default the last.
    size : (float, float)
        Inches.

    Returns
    -------
    Axes
        Per group: a bar for each part, a diamond for their sum, a grey line for the band.
    """
    axes, one = new_axes(size, OPEN), found.phases[phase]
    why, total = one.why, one.coverage.mean - one.theory
    wide = 0.8 / len(PARTS)
    for k in range(len(found.groups)):
        ends = [float(one.coverage.low[k] - one.theory[k]),
                float(one.coverage.high[k] - one.theory[k])]  # fmt: skip
        axes.plot([k - 0.45] * 2, ends, color=GREY, linewidth=2.2)
        axes.plot(k - 0.45, total[k], "D", color=INK, markersize=5.5, markeredgecolor=PAPER)
        for j, (part, color) in enumerate(PARTS.items()):
            axes.bar(k - 0.3 + j * wide, why[part][k], wide * 0.9, color=color,
                     label=part if k == 0 else None)  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    for level in (-one.width, one.width):
        axes.axhline(level, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    _name_groups(axes, found)
    axes.set_ylabel("simulated − predicted coverage", color=INK, fontsize=10.5)
    axes.figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9,
                       labelcolor=INK)  # fmt: skip
    return axes


def simulation_welfare(found: Simulation, *, size: tuple[float, float] = SIZE) -> Axes:
    """Draw the welfare of every group: how often its people agree with what they read.

    Parameters
    ----------
    found : Simulation
    size : (float, float)
        Inches.

    Returns
    -------
    Axes
        Per group and phase: band and mean (a dot as it is, a triangle under the plan); a short
        line: predicted; a grey tick: if groups were covered by their shares of the public.
    """
    axes, colors = new_axes(size, OPEN), group_colors(len(found.groups))
    for i, one in enumerate(found.phases):
        for k, color in enumerate(colors):
            x, band = k - 0.15 + 0.3 * i, one.welfare
            axes.plot([x, x], [band.low[k], band.high[k]], color=color, linewidth=4, alpha=0.45,
                      solid_capstyle="butt")  # fmt: skip
            axes.plot(x, band.mean[k], "^" if i else "o", color=color, markersize=7,
                      markeredgecolor=PAPER)  # fmt: skip
            axes.plot(
                [x - 0.09, x + 0.09], [one.welfare_predicted[k]] * 2, color=INK, linewidth=1.3
            )
            axes.plot([k - 0.36, k + 0.36], [one.welfare_proportional[k]] * 2, color=GREY,
                      linewidth=0.9, linestyle=(0, (2, 2)))  # fmt: skip
    _name_groups(axes, found)
    axes.set_ylabel("chance that people agree with what they read", color=INK, fontsize=10.5)
    return axes


def _name_groups(axes: Axes, found: Simulation) -> None:
    names = [shortened(g, 20) for g in found.groups]
    axes.set_xticks(range(len(names)), names, parse_math=False, color=INK)
