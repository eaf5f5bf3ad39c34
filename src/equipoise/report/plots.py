"""Figures of one result: each function draws one and returns its matplotlib axes.

Colours are Okabe and Ito's, told apart without colour vision; a verdict always has a symbol
too. Nothing here touches pyplot: a figure belongs to the axes that are returned.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.display import shortened
from equipoise.errors import BadInput, MissingExtra
from equipoise.report.palette import group_colors, luminance
from equipoise.report.tables import in_words, percent, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES", "coverage", "coverage_rows", "critical", "mixture_bars",
           "percent_axis", "profile", "ratio_rows", "row_axes", "row_keys", "topics", "two_lines",
           "welfare"]  # fmt: skip

Result = Mapping[str, Any]

INK, FAINT, PAPER = "#1a1c21", "#c9ced6", "#fefefe"
"""Colours of text, of lines behind the data, and of the ground; the page swaps them in the dark."""
BLUE, VERMILLION, AMBER, GREY = "#0072b2", "#d55e00", "#e69f00", "#767d87"
VERDICTS = {
    "included": (BLUE, "o", "●"),
    "excluded": (VERMILLION, "X", "✕"),
    "undecided": (AMBER, "D", "?"),
    "on the boundary": (GREY, "s", "■"),
}
"""Verdict -> colour, marker, symbol in a heat map."""

CELLS = {"included": "#0072b3", "excluded": "#d55e01", "undecided": "#e69f01"}
"""Grounds of heat-map cells: the same colours, but not swapped in the dark."""

NUMBERED = 0.03
"""Parts of a bar smaller than this carry no number."""

WIDTH = 5.0
MOST_AGENTS = 12


def _axes(height: float) -> Axes:
    """Return the only axes of a new figure, `height` inches high."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a figure", "plots") from None
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.tick_params(colors=INK, labelsize=9.5, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    return axes


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    """Label the rows of a chart from the top down, never read as mathematics."""
    axes.set_yticks(
        range(len(labels)), [two_lines(x, 18) for x in labels], parse_math=False, color=INK
    )
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.hlines(range(len(labels)), 0, 1, transform=axes.get_yaxis_transform(),
                colors=FAINT, linewidth=0.6, zorder=0)  # fmt: skip


def row_axes(labels: Sequence[str]) -> Axes:
    """Return new axes with one labelled row per label, from the top down."""
    axes = _axes(1.35 + 0.42 * len(labels))
    _rows(axes, labels)
    return axes


def row_keys(axes: Axes, *keys: Mapping[str, Any]) -> None:
    """Write the legend of a chart of rows; each key is a label and the style of its mark."""
    _legend(axes, [_key(**key) for key in keys])


def _legend(axes: Axes, handles: list[Any], columns: int = 2) -> None:
    axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False,
        fontsize=9, labelcolor=INK, handletextpad=0.5, columnspacing=2.2,
    )  # fmt: skip


def _key(label: str, **style: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **{"linestyle": "none", **style})


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


def ratio_rows(
    rows: Sequence[Mapping[str, Any]], own: float | None = None, level: float = 0.95
) -> Axes:
    """Draw rows of group, least, low, high, band_low and band_high; `own`: a ratio to mark."""
    axes = _axes(1.35 + 0.42 * len(rows))
    _rows(axes, [row["group"] for row in rows])
    left, right = _log_limits(rows, own)
    axes.set_xscale("log")
    axes.set_xlim(left, right)

    def inside(x: float) -> float:
        return min(max(x, left), right)

    for y, row in enumerate(rows):
        for ends, width in ((("band_low", "band_high"), 1.3), (("low", "high"), 5.0)):
            low, high = (inside(row[end]) for end in ends)
            if row[ends[0]] < right:
                axes.plot([low, high], [y, y], color=BLUE, linewidth=width,
                          solid_capstyle="butt", alpha=1.0 if width < 2 else 0.45)  # fmt: skip
        if row["band_high"] > right or row["high"] > right:
            axes.plot(right, y, marker=">", color=BLUE, markersize=7, clip_on=False)
        if row["least"] <= right:
            axes.plot(inside(row["least"]), y, "o", color=BLUE, markersize=7,
                      markeredgecolor=PAPER)  # fmt: skip
        axes.annotate(ratio(row["least"]), (1.03, y), xycoords=axes.get_yaxis_transform(),
                      va="center", fontsize=9.5, color=INK, annotation_clip=False)  # fmt: skip
    _log_ticks(axes, left, right)
    keys = [
        _key("least ratio", marker="o", color=BLUE, markersize=7),
        _key(f"{100 * level:g} % interval", linestyle="-", linewidth=5, color=BLUE, alpha=0.45),
        _key(f"{100 * level:g} % band, all groups", linestyle="-", linewidth=1.3, color=BLUE),
        _key("no upper end", marker=">", color=BLUE, markersize=7),
    ]
    if own is not None and own > 0:
        axes.axvline(own, color=VERMILLION, linewidth=1.4, linestyle=(0, (4, 2)))
        keys.append(_key(f"this study: {own:g}", linestyle=(0, (4, 2)), color=VERMILLION))
    axes.set_xlabel("α/β, log scale", color=INK, fontsize=10)
    _legend(axes, keys)
    return axes


def _own_ratio(result: Result) -> float | None:
    settings = result["settings"]
    if not settings.get("consistency"):
        return None
    return float(settings["attractiveness"] / settings["consistency"])


def _log_limits(rows: Sequence[Mapping[str, Any]], own: float | None) -> tuple[float, float]:
    keys = ("least", "low", "high", "band_low", "band_high")
    finite = [row[key] for row in rows for key in keys if 0 < row[key] < math.inf]
    finite += [own] if own else []
    if not finite:
        return 0.1, 100.0
    left = min(finite) / 1.4
    return left, min(max(finite) * 1.3, left * 2000.0)


def _log_ticks(axes: Axes, left: float, right: float) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = [
        step * 10.0**power
        for power in range(math.floor(math.log10(left)), math.ceil(math.log10(right)) + 1)
        for step in (1, 2, 5)
        if left <= step * 10.0**power <= right
    ]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])


def coverage(result: Result) -> Axes:
    """Draw each group's coverage with its simultaneous band beside its share of the public."""
    return coverage_rows(result["exclusion"])


def coverage_rows(rows: Sequence[Mapping[str, Any]]) -> Axes:
    """Draw rows of group, share, coverage, coverage_low, coverage_high and verdict."""
    axes = _axes(1.35 + 0.42 * len(rows))
    _rows(axes, [row["group"] for row in rows])
    for y, row in enumerate(rows):
        color, marker, _ = VERDICTS[row["verdict"]]
        axes.plot([row["share"]] * 2, [y - 0.26, y + 0.26], color=INK, linewidth=2.2)
        axes.plot([row["coverage_low"], row["coverage_high"]], [y, y], color=color,
                  linewidth=5, alpha=0.5, solid_capstyle="butt")  # fmt: skip
        axes.plot(row["coverage"], y, marker, color=color, markersize=9, markeredgecolor=PAPER,
                  clip_on=False, zorder=5)  # fmt: skip
    percent_axis(axes, "weight")
    # A marker at 0 must not sit on its label.
    axes.set_xlim(left=-0.025 * axes.get_xlim()[1])
    used = [verdict for verdict in VERDICTS if any(r["verdict"] == verdict for r in rows)]
    keys = [
        _key(
            in_words(verdict),
            marker=VERDICTS[verdict][1],
            color=VERDICTS[verdict][0],
            markersize=9,
        )
        for verdict in used
    ]
    keys.append(_key("share of the public", marker="|", color=INK, markersize=13,
                     markeredgewidth=2.2))  # fmt: skip
    _legend(axes, keys)
    return axes


def percent_axis(axes: Axes, label: str) -> None:
    """Label the value axis of shares."""
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_xlabel(label, color=INK, fontsize=10)


def profile(result: Result) -> Axes:
    """Draw the mixture of every agent as a bar, above the shares of the public."""
    _need(result, "profile")
    return mixture_bars([row["group"] for row in result["groups"]], _bars(result))


def mixture_bars(groups: Sequence[str], bars: Sequence[tuple[str, Sequence[float]]]) -> Axes:
    """Draw mixtures over groups as bars of parts, each with its name."""
    axes = _axes(1.5 + 0.5 * len(bars) + 0.16 * len(groups))
    _rows(axes, [label for label, _ in bars])
    axes.collections[-1].remove()
    colors = group_colors(len(groups))
    for j, group in enumerate(groups):
        color = colors[j]
        left = [sum(weights[:j]) for _, weights in bars]
        width = [weights[j] for _, weights in bars]
        axes.barh(range(len(bars)), width, left=left, height=0.68, color=color,
                  edgecolor=PAPER, linewidth=0.8, label=shortened(group, 26))  # fmt: skip
        ink = "#000000" if luminance(color) > 0.18 else "#ffffff"
        for y, (start, size) in enumerate(zip(left, width, strict=True)):
            if size >= NUMBERED:
                axes.text(start + size / 2, y, f"{100 * size:.0f}", ha="center", va="center",
                          color=ink, fontsize=9)  # fmt: skip
    axes.set_xlim(0, 1)
    percent_axis(axes, "weight on each group, in percent")
    handles, labels = axes.get_legend_handles_labels()
    legend = axes.figure.legend(
        handles, labels, loc="outside lower center", frameon=False, fontsize=9, labelcolor=INK,
        ncols=2, columnspacing=2.2, handlelength=1.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return axes


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
    axes = _axes(1.35 + 0.42 * len(rows))
    _rows(axes, [row["group"] for row in rows])
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
    _legend(
        axes,
        [
            _key("gains at equilibrium", marker="^", color=BLUE, markersize=8),
            _key("loses at equilibrium", marker="v", color=VERMILLION, markersize=8),
            _key("proportional service", marker="|", color=INK, markersize=10, markeredgewidth=2),
        ],
    )
    return axes


def topics(result: Result) -> Axes:
    """Draw the joint verdict of every question and group: a symbol and a colour per cell."""
    _need(result, "topics")
    games = result["topics"]["games"]
    groups = [row["group"] for row in result["groups"]]
    axes = _axes(2.2 + 0.34 * len(games))
    _rows(axes, ["" for _ in games])
    axes.set_yticks(
        range(len(games)), [two_lines(game["topic"], 30) for game in games], parse_math=False,
        color=INK, fontsize=8.5,
    )  # fmt: skip
    axes.collections[-1].remove()
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
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)
    labels = {
        "included": "● served",
        "excluded": "✕ left out",
        "undecided": "undecided (% of draws left out)",
    }
    _legend(
        axes,
        [
            _key(text, marker="s", color=CELLS[verdict], markersize=11)
            for verdict, text in labels.items()
        ],
    )
    return axes


def two_lines(label: str, wide: int) -> str:
    """Return a label on at most two lines of `wide` letters."""
    lines = textwrap.wrap(shortened(label, 300), wide) or [""]
    return "\n".join([lines[0], shortened(" ".join(lines[1:]), wide)] if lines[1:] else lines)


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
