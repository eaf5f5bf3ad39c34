"""Charts of rows: a labelled row per group, agent or answer, and what each row measures.

A verdict always has a symbol beside its colour. Labels are never read as mathematics.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.display import shortened
from equipoise.report.canvas import BLUE, FAINT, GREY, INK, PAPER, VERMILLION, WIDTH, new_axes
from equipoise.report.palette import group_colors, luminance
from equipoise.report.tables import in_words, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["VERDICTS", "coverage_rows", "key", "mixture_bars", "percent_axis", "ratio_rows",
           "row_axes", "row_keys", "two_lines"]  # fmt: skip

VERDICTS = {
    "included": (BLUE, "o", "●"),
    "excluded": (VERMILLION, "X", "✕"),
    "undecided": ("#e69f00", "D", "?"),
    "on the boundary": (GREY, "s", "■"),
}
"""Verdict -> colour, marker, symbol in a heat map."""

NUMBERED = 0.03
"""Parts of a bar smaller than this carry no number."""


def row_axes(labels: Sequence[str], *, height: float | None = None, lines: bool = True) -> Axes:
    """Return new axes with one labelled row per label, from the top down.

    Parameters
    ----------
    labels : sequence of str
    height : float, optional
        Of the figure, in inches; default: what the rows need.
    lines : bool
        Draw a faint line along every row.
    """
    count = len(labels)
    axes = new_axes((WIDTH, 1.35 + 0.42 * count if height is None else height), ("bottom",))
    axes.set_yticks(range(count), [two_lines(x, 18) for x in labels], parse_math=False, color=INK)
    axes.set_ylim(count - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    if lines:
        axes.hlines(range(count), 0, 1, transform=axes.get_yaxis_transform(),
                    colors=FAINT, linewidth=0.6, zorder=0)  # fmt: skip
    return axes


def row_keys(axes: Axes, *keys: Any) -> None:
    """Write the legend of a chart of rows; each key as `key` gives it."""
    axes.figure.legend(
        handles=keys, loc="outside lower center", ncols=2, frameon=False, fontsize=9,
        labelcolor=INK, handletextpad=0.5, columnspacing=2.2,
    )  # fmt: skip


def key(label: str, **style: Any) -> Any:
    """Return a key of a legend: a label and the style of its mark."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **{"linestyle": "none", **style})


def ratio_rows(
    rows: Sequence[Mapping[str, Any]], own: float | None = None, level: float = 0.95
) -> Axes:
    """Draw rows of group, least, low, high, band_low and band_high; `own`: a ratio to mark."""
    axes = row_axes([row["group"] for row in rows])
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
        key("least ratio", marker="o", color=BLUE, markersize=7),
        key(f"{100 * level:g} % interval", linestyle="-", linewidth=5, color=BLUE, alpha=0.45),
        key(f"{100 * level:g} % band, all groups", linestyle="-", linewidth=1.3, color=BLUE),
        key("no upper end", marker=">", color=BLUE, markersize=7),
    ]
    if own is not None and own > 0:
        axes.axvline(own, color=VERMILLION, linewidth=1.4, linestyle=(0, (4, 2)))
        keys.append(key(f"this study: {own:g}", linestyle=(0, (4, 2)), color=VERMILLION))
    axes.set_xlabel("α/β, log scale", color=INK, fontsize=10)
    row_keys(axes, *keys)
    return axes


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


def coverage_rows(rows: Sequence[Mapping[str, Any]]) -> Axes:
    """Draw rows of group, share, coverage, coverage_low, coverage_high and verdict."""
    axes = row_axes([row["group"] for row in rows])
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
        key(
            in_words(verdict),
            marker=VERDICTS[verdict][1],
            color=VERDICTS[verdict][0],
            markersize=9,
        )
        for verdict in used
    ]
    keys.append(key("share of the public", marker="|", color=INK, markersize=13,
                     markeredgewidth=2.2))  # fmt: skip
    row_keys(axes, *keys)
    return axes


def percent_axis(axes: Axes, label: str) -> None:
    """Label the value axis of shares."""
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_xlabel(label, color=INK, fontsize=10)


def mixture_bars(groups: Sequence[str], bars: Sequence[tuple[str, Sequence[float]]]) -> Axes:
    """Draw mixtures over groups as bars of parts, each with its name."""
    height = 1.5 + 0.5 * len(bars) + 0.16 * len(groups)
    axes = row_axes([label for label, _ in bars], height=height, lines=False)
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


def two_lines(label: str, wide: int) -> str:
    """Return a label on at most two lines of `wide` letters."""
    lines = textwrap.wrap(shortened(label, 300), wide) or [""]
    return "\n".join([lines[0], shortened(" ".join(lines[1:]), wide)] if lines[1:] else lines)
