"""Figures of a phase map and of a path: each function draws one and returns its axes.

Colour says how many groups are excluded (cividis: told apart without colour vision, and in
grey); lines are the exact boundaries, each with the name of the group that drops out there.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.display import shortened
from equipoise.errors import BadInput, MissingExtra
from equipoise.inclusion.map_axes import Axis
from equipoise.inclusion.map_status import Status
from equipoise.report.plots import BLUE, FAINT, INK, PAPER, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.equilibrium.dynamics import Path
    from equipoise.inclusion.map_result import PhaseMap

__all__ = ["map_figure", "path", "phase_map", "probability_map"]

FloatArray = NDArray[np.float64]

SIZE = (7.2, 5.6)
LINE = "#ffffff"
HALO = "#000000"
DPI = 160


def _new_axes(size: tuple[float, float] = SIZE) -> Axes:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a figure", "plots") from None
    figure = Figure(figsize=size, layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.tick_params(colors=INK, labelsize=9.5, length=3)
    for spine in axes.spines.values():
        spine.set_color(INK)
    return axes


def _edges(values: FloatArray) -> FloatArray:
    """Return the sides of cells around their values; the outer half-cells stand outside."""
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[values[0] - (middle[0] - values[0])], middle,
                           [values[-1] + (values[-1] - middle[-1])]])  # fmt: skip


def _axis_name(axis: Axis) -> str:
    words = {
        "attractiveness": "attractiveness α",
        "consistency": "consistency β",
        "diversity": "diversity γ",
        "variety": "variety ρ",
    }
    if axis.label:
        return f"{axis.kind} of {shortened(axis.label, 30)}"
    return words[axis.kind]


def phase_map(found: PhaseMap, *, plane: int = 0) -> Axes:
    """Draw how many groups are excluded in every cell, with the exact boundaries.

    Parameters
    ----------
    found : PhaseMap
    plane : int
        Which value of the third axis, for a map of three.

    Returns
    -------
    Axes
        Colour: number of excluded groups. Lines: exact boundaries (R6), named by the group that
        drops out. Hatched: certified, but not proved to be the only equilibrium. Crossed: no
        equilibrium was certified.
    """
    axes = _new_axes()
    excluded, status = _plane(found, found.excluded, plane), _plane(found, found.status, plane)
    count = excluded.sum(axis=-1)
    top = int(count.max())
    x, y = found.axes[0].values, found.axes[1].values
    colors = _steps(top + 1)
    axes.pcolormesh(_edges(x), _edges(y), count, cmap=colors, vmin=-0.5, vmax=top + 0.5,
                    rasterized=True)  # fmt: skip
    _shade(axes, x, y, status)
    lines = [curve for curve in found.boundaries if _in_plane(found, curve.z, plane)]
    for curve in lines:
        axes.plot(*curve.points.T, color=HALO, linewidth=2.6, alpha=0.55)
        axes.plot(*curve.points.T, color=LINE, linewidth=1.3)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    _name_lines(axes, [(curve.group, curve.points) for curve in lines])
    _dress(axes, found, plane)
    title = "groups that no agent serves"
    if found.below > 0:
        title = f"groups whose top weight is below {found.below:g}"
    if lines:
        title += "; a line is where the group named on it drops out"
    _count_key(axes, count, colors, status, title)
    return axes


def _plane(found: PhaseMap, array: Any, plane: int) -> Any:
    if len(found.axes) == 2:
        return array
    if not -len(found.axes[2]) <= plane < len(found.axes[2]):
        raise BadInput(f"plane: {plane} is not one of the {len(found.axes[2])} planes of this map")
    return array[plane]


def _in_plane(found: PhaseMap, z: float | None, plane: int) -> bool:
    return z is None or z == float(found.axes[2].values[plane])


def _steps(count: int) -> Any:
    """Return a colour per number of excluded groups, light for none."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    ramp = colormaps["cividis"]
    return ListedColormap([ramp(v) for v in np.linspace(0.97, 0.12, max(2, count))[:count]])


def _shade(axes: Axes, x: FloatArray, y: FloatArray, status: NDArray[np.uint8]) -> None:
    """Hatch what is not proved unique, cross what is not certified."""
    import matplotlib

    marks = [(Status.certified, "//"), (Status.failed, "xx"), (Status.inferred, "..")]
    with matplotlib.rc_context({"hatch.linewidth": 0.5, "hatch.color": INK}):
        for kind, hatch in marks:
            part = np.where(status == kind, 1.0, np.nan)
            if np.isfinite(part).any():
                axes.contourf(x, y, np.nan_to_num(part), levels=[0.5, 1.5], colors="none",
                              hatches=[hatch])  # fmt: skip


def _dress(axes: Axes, found: PhaseMap, plane: int) -> None:
    axes.set_xlabel(_axis_name(found.axes[0]), color=INK, fontsize=10.5, parse_math=False)
    axes.set_ylabel(_axis_name(found.axes[1]), color=INK, fontsize=10.5, parse_math=False)
    if len(found.axes) == 3:
        z = found.axes[2]
        axes.set_title(f"{_axis_name(z)} = {z.values[plane]:g}", loc="left", fontsize=10.5,
                       color=INK, parse_math=False)  # fmt: skip


def _count_key(
    axes: Axes, count: NDArray[np.int64], colors: Any, status: NDArray[np.uint8], title: str
) -> None:
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=colors(int(n)), edgecolor=FAINT, label=str(int(n)))
        for n in np.unique(count)
    ]
    if (status == Status.certified).any():
        handles.append(Patch(facecolor=PAPER, edgecolor=INK, hatch="////",
                             label="others may exist"))  # fmt: skip
    if (status == Status.failed).any():
        handles.append(Patch(facecolor=PAPER, edgecolor=INK, hatch="xxxx", label="not certified"))
    if (status == Status.inferred).any():
        handles.append(Patch(facecolor=PAPER, edgecolor=INK, hatch="....", label="inferred"))
    axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=min(8, len(handles)), frameon=False,
        fontsize=9.5, labelcolor=INK, title=title,
        title_fontproperties={"size": 9.5}, handlelength=1.4, columnspacing=1.4,
    )  # fmt: skip


def _name_lines(axes: Axes, lines: Sequence[tuple[str, FloatArray]]) -> None:
    """Write each line's group along it, where the line is longest inside the frame and free."""
    from matplotlib.patheffects import withStroke

    figure: Any = axes.figure
    figure.canvas.draw()
    frame = axes.get_window_extent()
    longest: dict[str, FloatArray] = {}
    for group, points in lines:
        seen = axes.transData.transform(points)
        if group not in longest or _length(seen) > _length(longest[group]):
            longest[group] = seen
    taken: list[FloatArray] = []
    for group, seen in longest.items():
        wide = 5.6 * len(shortened(group, 26)) * figure.dpi / 72
        total = _length(seen)
        if total < 0.6 * wide:
            continue
        middle, angle = _place(seen, taken, frame, wide)
        taken.append(middle)
        at = axes.transData.inverted().transform(middle)
        axes.text(
            at[0], at[1], shortened(group, 26), rotation=angle, rotation_mode="anchor",
            ha="center", va="center", fontsize=9, color=HALO, parse_math=False, clip_on=True,
            path_effects=[withStroke(linewidth=3, foreground=LINE)],
        )  # fmt: skip


def _length(seen: FloatArray) -> float:
    return float(np.hypot(*np.diff(seen, axis=0).T).sum())


def _place(
    seen: FloatArray, taken: Sequence[FloatArray], frame: Any, wide: float
) -> tuple[FloatArray, float]:
    """Choose where on a line its name stands: inside the frame, far from the other names."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(seen, axis=0).T))])
    best, score = (seen[len(seen) // 2], 0.0), -np.inf
    for part in np.linspace(0.15, 0.85, 29):
        s = part * along[-1]
        span = [max(0.0, s - wide / 2), s, min(along[-1], s + wide / 2)]
        p = np.column_stack([np.interp(span, along, seen[:, c]) for c in (0, 1)])
        tilt = p[2] - p[0]
        angle = float(np.degrees(np.arctan2(tilt[1], tilt[0])))
        angle = (angle + 90) % 180 - 90
        half = abs(np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])) * wide / 2
        room = min(*(p[1] - half - [frame.x0, frame.y0]), *([frame.x1, frame.y1] - p[1] - half))
        bend = float(np.abs(p[1] - (p[0] + p[2]) / 2).max())
        apart = min((float(np.hypot(*(p[1] - q))) for q in taken), default=wide)
        merit = min(room, 12.0) * 4 + min(apart, 1.2 * wide) - 2 * bend - 20 * abs(part - 0.55)
        if merit > score:
            best, score = (p[1], angle), merit
    return best


def probability_map(found: PhaseMap, group: str, *, plane: int = 0) -> Axes:
    """Draw in what share of joint draws one group is excluded, cell by cell.

    Parameters
    ----------
    found : PhaseMap
        Made with draws.
    group : str
        Label.
    plane : int
        Which value of the third axis, for a map of three.

    Returns
    -------
    Axes
        Dashed: where the verdict turns undecided (2.5 % and 97.5 % of draws). Solid: the point
        game's boundary.
    """
    if found.drawn is None:
        raise BadInput("this map has no draws, so there is no probability to draw")
    if group not in found.groups:
        raise BadInput(f'group: there is no group "{group}"; the map has {list(found.groups)}')
    chance = _plane(found, found.drawn.probability, plane)[..., found.groups.index(group)]
    axes = _new_axes()
    x, y = found.axes[0].values, found.axes[1].values
    mesh = axes.pcolormesh(_edges(x), _edges(y), chance, cmap="cividis_r", vmin=0, vmax=1,
                           rasterized=True)  # fmt: skip
    for level in (0.025, 0.975):
        if chance.min() < level < chance.max():
            axes.contour(x, y, chance, levels=[level], colors=[VERMILLION], linestyles="--",
                         linewidths=1.4)  # fmt: skip
    for curve in found.boundaries:
        if curve.group == group and _in_plane(found, curve.z, plane):
            axes.plot(*curve.points.T, color=LINE, linewidth=1.6)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    _dress(axes, found, plane)
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.85, pad=0.02)
    bar.outline.set_edgecolor(INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.set_label(f"share of draws without {shortened(group, 26)}", color=INK, fontsize=10)
    return axes


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
    axes = _new_axes((7.2, 4.4))
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
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _name_ends(axes, found.groups, cover[-1])
    unit = "rounds of best responses" if found.kind == "best-response" else "time"
    said = "" if found.converged[start] else " (did not converge)"
    axes.set_xlabel(unit + said, color=INK, fontsize=10.5)
    axes.set_ylabel("coverage (mean weight)", color=INK, fontsize=10.5)
    return axes


def _name_ends(axes: Axes, groups: Sequence[str], ends: FloatArray) -> None:
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


def map_figure(found: PhaseMap) -> bytes:
    """Return the figure of a map as a PNG file, the same bytes for the same map."""
    import warnings

    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("a figure", "plots") from None
    with matplotlib.rc_context({"font.family": ["DejaVu Sans"]}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        out = io.BytesIO()
        figure: Any = phase_map(found).figure
        figure.savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()
