"""Figures of a study's goals: coverage now and after every plan, and the way to one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from equipoise.display import shortened
from equipoise.inclusion.plan_path import PlanPath
from equipoise.report.canvas import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    VERMILLION,
    WIDTH,
    frame,
    new_figure,
)
from equipoise.report.phrases import label, listed
from equipoise.report.steer_words import LEVERS
from equipoise.report.tables import percent, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["before_after", "plans_caption", "way_caption", "way_figure"]

Result = Mapping[str, Any]
Row = Mapping[str, Any]

ROW = 0.21
"""Inches a group takes."""

REACHED = 1e-9


def before_after(row: Row) -> list[Axes]:
    """Draw the coverage of every group now and after the plan of each lever, a panel a lever.

    Parameters
    ----------
    row : dict
        A goal of a study's result, with at least one plan.

    Returns
    -------
    list of Axes
        Ring: now. Dot: after, blue a gain, vermillion a loss. Upright line: the floor.
    """
    from matplotlib.lines import Line2D

    plans, groups = row["plans"], list(row["floors"])
    across = min(2, len(plans))
    down = math.ceil(len(plans) / across)
    figure = new_figure((WIDTH, 1.0 + down * (0.45 + ROW * len(groups))))
    widest = max(
        value for plan in plans for side in ("before", "after")
        for value in plan[side]["coverage"].values()
    )  # fmt: skip
    panels: list[Axes] = []
    for at, plan in enumerate(plans):
        axes = figure.add_subplot(down, across, at + 1, facecolor="none")
        _panel(axes, plan, row["floors"], groups, named=at % across == 0)
        axes.set_xlim(-0.02 * widest, 1.06 * widest)
        if at + across >= len(plans):
            axes.set_xlabel("coverage (mean weight)", color=INK, fontsize=9.5)
        panels.append(axes)
    keys = [
        Line2D([], [], marker="o", color=PAPER, markeredgecolor=INK, linestyle="", label="now"),
        Line2D([], [], marker="o", color=BLUE, linestyle="", label="after: more"),
        Line2D([], [], marker="o", color=VERMILLION, linestyle="", label="after: less"),
    ]
    if any(row["floors"].values()):
        keys.append(Line2D([], [], marker="|", color=INK, linestyle="", markersize=9,
                           label="floor"))  # fmt: skip
    figure.legend(handles=keys, loc="outside lower center", ncols=4, frameon=False, fontsize=9,
                  labelcolor=INK, handletextpad=0.3, columnspacing=1.6)  # fmt: skip
    return panels


def _panel(axes: Axes, plan: Row, floors: Mapping[str, float], groups: list[str], *,
           named: bool) -> None:  # fmt: skip
    before, after = plan["before"]["coverage"], plan["after"]["coverage"]
    for y, group in enumerate(groups):
        color = BLUE if after[group] >= before[group] else VERMILLION
        axes.axhline(y, color=FAINT, linewidth=0.6, zorder=0)
        axes.plot([before[group], after[group]], [y, y], color=color, linewidth=1.6, zorder=2)
        axes.plot(before[group], y, "o", color=PAPER, markeredgecolor=color, markersize=5.5)
        axes.plot(after[group], y, "o", color=color, markersize=5, zorder=3)
        if floors[group] > 0:
            axes.plot(floors[group], y, "|", color=INK, markersize=9, zorder=4)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    names = [shortened(group, 22) if named else "" for group in groups]
    axes.set_yticks(range(len(groups)), names, fontsize=9, color=INK, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=INK, labelsize=8.5, length=3)
    frame(axes, ("bottom",))
    axes.set_title(LEVERS[plan["lever"]], loc="left", fontsize=9.5, color=INK, parse_math=False)


def way_figure(way: PlanPath) -> Axes:
    """Draw coverage from no change to a plan, as wide as the other figures of a report."""
    from equipoise.report.plan_plots import plan

    return plan(way, size=(WIDTH, 3.6), name=LEVERS[way.lever])


def plans_caption(row: Row, result: Result) -> str:
    """Return the finding of the figure of plans: who gives up most, who gains most."""
    parts = []
    for plan in row["plans"]:
        gain = plan["group_gain"]
        least, most = min(gain, key=gain.__getitem__), max(gain, key=gain.__getitem__)
        if gain[least] < -1e-9:
            parts.append(
                f"{LEVERS[plan['lever']]}: {label(least)} {points(gain[least])}, {label(most)} "
                f"{points(gain[most])}"
            )
    if not parts:
        return "No group gives up anything under these plans."
    n = f" n = {result['people']['n']:,} respondents." if result["people"] else ""
    text = "Who gives up most and who gains most, in percentage points of coverage."
    return f"{text} {_capital('; '.join(parts))}.{n}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def way_caption(way: PlanPath, row: Row) -> str:
    """Return the finding of a way: from which share of the change on every floor is reached."""
    lever = LEVERS[way.lever]
    text = f"Coverage while the change is made ({lever})"
    if way.lever == "entry":
        text += ", from a newcomer that aims at the public's shares"
    asked = [k for k in range(len(way.groups)) if way.floors[k] > 0]
    if not asked:
        return f"{text}. Costs grow from {way.cost[0]:.3g} to {way.cost[-1]:.3g}."
    when = {k: _reached(way, k) for k in asked}
    last = max(when.values())
    late = [label(way.groups[k]) for k in asked if when[k] == last]
    if last == 0.0:
        text += ": by the point values every group is at its floor from the start"
    elif last == 1.0:
        text += f": the last to reach its floor is {listed(late)}, at the very end"
    else:
        text += (
            f": by the point values {listed(late)} {'is' if len(late) == 1 else 'are'} the last to "
            f"reach {'its' if len(late) == 1 else 'their'} floor, after {percent(last, 0)} of it"
        )
    if last < 1.0 and (row["draws"] or row["within"] is not None):
        text += "; the rest is margin for what the data leave open"
    return f"{text}. Circles: the floors. Dashed: groups that lose."


def _reached(way: PlanPath, k: int) -> float:
    """Return the least share of the change from which a group stays at or above its floor."""
    below = way.coverage[:, k] < way.floors[k] - REACHED
    if not below.any():
        return 0.0
    return float(way.share[min(int(below.nonzero()[0][-1]) + 1, len(way.share) - 1)])
