"""Figures of a study's result: each function draws one and returns its matplotlib axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.report.canvas import BLUE, INK, PAPER, VERMILLION, WIDTH, new_axes
from equipoise.report.row_plots import (
    VERDICTS,
    coverage_rows,
    key,
    mixture_bars,
    percent_axis,
    ratio_rows,
    row_axes,
    row_keys,
    two_lines,
)
from equipoise.report.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES", "coverage", "critical", "profile", "topics", "welfare"]

Result = Mapping[str, Any]

CELLS = {"included": "#0072b3", "excluded": "#d55e01", "undecided": "#e69f01"}
"""Grounds of heat-map cells: the same colours, but not swapped in the dark."""

MOST_AGENTS = 12


def critical(result: Result) -> Axes:
    r"""Draw the least :math:`\alpha/\beta` at which each group drops out, log scale.

    Parameters
    ----------
    result : dict
        Content of `result.json`, as `read_result` gives it.

    Returns
    -------
    Axes
        Thick: interval of one group; thin: band for all groups together; an arrow where no
        ratio is large enough.
    """
    _need(result, "critical")
    # The ratios of agents that ignore each other say nothing about agents that do not.
    own = None if result["critical"]["law"] == "ignored" else _own_ratio(result)
    return ratio_rows(result["critical"]["rows"], own, result["uncertainty"]["level"])


def _own_ratio(result: Result) -> float | None:
    settings = result["settings"]
    if not settings.get("consistency"):
        return None
    return float(settings["attractiveness"] / settings["consistency"])


def coverage(result: Result) -> Axes:
    """Draw each group's coverage with its simultaneous band beside its share of the public."""
    return coverage_rows(result["exclusion"])


def profile(result: Result) -> Axes:
    """Draw the mixture of every agent as a bar, above the shares of the public."""
    _need(result, "profile")
    return mixture_bars([row["group"] for row in result["groups"]], _bars(result))


def _bars(result: Result) -> list[tuple[str, Sequence[float]]]:
    """Return one bar per agent, one for all where they are alike, and one for the public."""
    agents, weights = result["agents"], result["profile"]
    total = result["settings"]["agents"]
    public = ("the public", [row["share"] for row in result["groups"]])
    if result["settings"]["symmetric"]:
        label = agents[0] if total == 1 else f"each of {total} agents"
        return [(label, weights[0]), public]
    shown: list[tuple[str, Sequence[float]]] = list(zip(agents, weights, strict=True))
    return [*shown[:MOST_AGENTS], public]


def welfare(result: Result) -> Axes:
    """Draw each group's welfare at the equilibrium beside proportional service."""
    _need(result, "welfare")
    rows = result["welfare"]
    axes = row_axes([row["group"] for row in rows])
    for y, row in enumerate(rows):
        gains = row["difference"] >= 0
        color = BLUE if gains else VERMILLION
        axes.plot([row["low"], row["high"]], [y - 0.16, y - 0.16], color=color, linewidth=4,
                  alpha=0.5, solid_capstyle="butt")  # fmt: skip
        axes.plot([row["proportional_low"], row["proportional_high"]], [y + 0.16, y + 0.16],
                  color=INK, linewidth=4, alpha=0.3, solid_capstyle="butt")  # fmt: skip
        axes.plot(row["welfare"], y - 0.16, "^" if gains else "v", color=color, markersize=8,
                  markeredgecolor=PAPER)  # fmt: skip
        axes.plot(row["proportional"], y + 0.16, "|", color=INK, markersize=10, markeredgewidth=2)
    percent_axis(axes, "chance that what they read agrees with them")
    row_keys(
        axes,
        key("gains at equilibrium", marker="^", color=BLUE, markersize=8),
        key("loses at equilibrium", marker="v", color=VERMILLION, markersize=8),
        key("proportional service", marker="|", color=INK, markersize=10, markeredgewidth=2),
    )
    return axes


def topics(result: Result) -> Axes:
    """Draw the joint verdict of every question and group: a symbol and a colour per cell."""
    _need(result, "topics")
    games = result["topics"]["games"]
    groups = [row["group"] for row in result["groups"]]
    axes = new_axes((WIDTH, 2.2 + 0.34 * len(games)), ())
    axes.set_yticks(
        range(len(games)), [two_lines(game["topic"], 30) for game in games], parse_math=False,
        color=INK, fontsize=8.5,
    )  # fmt: skip
    for y, game in enumerate(games):
        for x, row in enumerate(game["rows"]):
            _, _, symbol = VERDICTS[row["joint_verdict"]]
            axes.add_patch(_cell(x, y, CELLS[row["joint_verdict"]]))
            sure = row["joint_verdict"] != "undecided"
            text = symbol if sure else percent(row["excluded_share"], 0).removesuffix("\u00a0%")
            axes.text(x, y, text, ha="center", va="center", fontsize=9,
                      color="#ffffff" if symbol == "●" else "#000000")  # fmt: skip
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylim(len(games) - 0.5, -0.5)
    axes.set_xticks(range(len(groups)), [shortened(g, 24) for g in groups], rotation=35,
                    ha="left", rotation_mode="anchor", parse_math=False, color=INK)  # fmt: skip
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    labels = {
        "included": "● served",
        "excluded": "✕ left out",
        "undecided": "undecided (% of draws left out)",
    }
    row_keys(axes, *(key(text, marker="s", color=CELLS[verdict], markersize=11)
                     for verdict, text in labels.items()))  # fmt: skip
    return axes


def _cell(x: int, y: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor=PAPER, linewidth=1.5)


def _need(result: Result, part: str) -> None:
    if not result[part]:
        raise BadInput(f"this result has no {part}, so there is nothing to draw")


FIGURES: Mapping[str, tuple[str, Callable[[Result], Axes]]] = {
    "critical_incentives": ("critical", critical),
    "coverage": ("exclusion", coverage),
    "welfare": ("welfare", welfare),
    "profile": ("profile", profile),
    "topics": ("topics", topics),
}
"""File name -> the part of a result it needs, and the function that draws it."""
