"""Figures of a phase map: each function draws one and returns its axes.

Colour says how many groups are excluded (cividis: told apart without colour vision, and in
grey); lines are the exact boundaries, each with the name of the group that drops out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.inclusion.map_axes import Axis
from equipoise.inclusion.map_status import Status
from equipoise.report.canvas import DPI, FAINT, INK, PAPER, VERMILLION, drawn, new_axes
from equipoise.report.map_cells import fill, sides
from equipoise.report.map_marks import Marks, draw_marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.inclusion.map_result import PhaseMap

__all__ = [
    "axis_name",
    "draw_lines",
    "map_figure",
    "phase_map",
    "probability_map",
    "steps",
]

FloatArray = NDArray[np.float64]

SIZE = (7.2, 5.6)
WIDE = 6.0
"""From this width on, in inches, a title stands on one line."""
LETTER = 10.0
"""Half the height of a name, in pixels, with some air."""
LINE = "#ffffff"
HALO = "#000000"


def axis_name(axis: Axis) -> str:
    """Return an axis as readers know it."""
    words = {
        "attractiveness": "attractiveness α",
        "consistency": "consistency β",
        "diversity": "diversity γ",
        "variety": "variety ρ",
    }
    if axis.label:
        return f"{axis.kind} of {shortened(axis.label, 30)}"
    return words[axis.kind]


def phase_map(
    found: PhaseMap,
    *,
    plane: int = 0,
    size: tuple[float, float] = SIZE,
    marks: Marks | None = None,
) -> Axes:
    """Draw how many groups are excluded in every cell, with the exact boundaries.

    Parameters
    ----------
    found : PhaseMap
    plane : int
        Which value of the third axis, for a map of three.
    size : (float, float)
        Width and height of the figure in inches.
    marks : Marks, optional
        Where the game itself lies, and where plans for it end.

    Returns
    -------
    Axes
        Colour: number of excluded groups. Lines: exact boundaries (R6), named by the group that
        drops out. Hatched: certified, but not proved to be the only equilibrium. Crossed: no
        equilibrium was certified.
    """
    axes = new_axes(size)
    excluded, status = _plane(found, found.excluded, plane), _plane(found, found.status, plane)
    count = excluded.sum(axis=-1)
    top = int(count.max())
    x, y = found.axes[0].values, found.axes[1].values
    colors = steps(top + 1)
    fill(axes, x, y, count, [colors(n) for n in range(top + 1)])
    _shade(axes, x, y, status)
    lines = [curve for curve in found.boundaries if _in_plane(found, curve.z, plane)]
    draw_lines(axes, [curve.points for curve in lines])
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    flat = marks if len(found.axes) == 2 else None
    taken = draw_marks(axes, flat) if flat is not None else []
    _name_lines(axes, [(curve.group, curve.points) for curve in lines], taken)
    _dress(axes, found, plane)
    title = "groups that no agent serves"
    if found.below > 0:
        title = f"groups whose top weight is below {found.below:g}"
    if lines:
        title += ";\n" if size[0] < WIDE else "; "
        title += "a line is where the group named on it drops out"
    _count_key(axes, count, colors, status, title)
    return axes


def draw_lines(axes: Axes, lines: Sequence[FloatArray]) -> None:
    """Draw curves that are seen on light and dark cells alike."""
    for points in lines:
        axes.plot(*points.T, color=HALO, linewidth=2.6, alpha=0.55)
        axes.plot(*points.T, color=LINE, linewidth=1.3)


def _plane(found: PhaseMap, array: Any, plane: int) -> Any:
    if len(found.axes) == 2:
        return array
    if not -len(found.axes[2]) <= plane < len(found.axes[2]):
        raise BadInput(f"plane: {plane} is not one of the {len(found.axes[2])} planes of this map")
    return array[plane]


def _in_plane(found: PhaseMap, z: float | None, plane: int) -> bool:
    return z is None or z == float(found.axes[2].values[plane])


def steps(count: int) -> Any:
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
    axes.set_xlabel(axis_name(found.axes[0]), color=INK, fontsize=10.5, parse_math=False)
    axes.set_ylabel(axis_name(found.axes[1]), color=INK, fontsize=10.5, parse_math=False)
    if len(found.axes) == 3:
        z = found.axes[2]
        axes.set_title(f"{axis_name(z)} = {z.values[plane]:g}", loc="left", fontsize=10.5,
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
    key = axes.figure.legend(
        handles=handles, loc="outside lower center", ncols=min(8, len(handles)), frameon=False,
        fontsize=9.5, labelcolor=INK, title=title,
        title_fontproperties={"size": 9.5}, alignment="left", handlelength=1.4, columnspacing=1.4,
    )  # fmt: skip
    key.get_title().set_color(INK)


def _name_lines(
    axes: Axes, lines: Sequence[tuple[str, FloatArray]], marked: Sequence[FloatArray]
) -> None:
    """Write each line's group along it, where the line is longest inside the frame and free."""
    from matplotlib.patheffects import withStroke

    figure: Any = axes.figure
    figure.canvas.draw()
    frame = axes.get_window_extent()
    seen_lines = [(group, axes.transData.transform(points)) for group, points in lines]
    seen_lines.sort(key=lambda line: -_length(line[1]))
    taken = [axes.transData.transform(point) for point in marked]
    for group, seen in seen_lines:
        wide = 5.6 * len(shortened(group, 26)) * figure.dpi / 72
        total = _length(seen)
        # A short piece goes without, unless it is the group's only one.
        alone = sum(name == group for name, _ in lines) == 1
        if total < (0.4 if alone else 0.8) * wide:
            continue
        middle, angle = _inside(*_place(seen, taken, frame, wide), frame, wide)
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


def _inside(middle: FloatArray, angle: float, frame: Any, wide: float) -> tuple[FloatArray, float]:
    """Lay a name flat and move it in where it would be cut off at the frame."""
    turn = np.radians(angle)
    half = np.abs([np.cos(turn), np.sin(turn)]) * wide / 2
    low, high = np.array([frame.x0, frame.y0]), np.array([frame.x1, frame.y1])
    if (middle - half >= low).all() and (middle + half <= high).all():
        return middle, angle
    flat = np.array([wide / 2, LETTER])
    return np.clip(middle, low + flat, np.maximum(low + flat, high - flat)), 0.0


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
    axes = new_axes(SIZE)
    from matplotlib.lines import Line2D

    chance = _plane(found, found.drawn.probability, plane)[..., found.groups.index(group)]
    x, y = found.axes[0].values, found.axes[1].values
    mesh = axes.pcolormesh(sides(x), sides(y), chance, cmap="cividis_r", vmin=0, vmax=1,
                           rasterized=True)  # fmt: skip
    for level in (0.025, 0.975):
        if chance.min() < level < chance.max():
            axes.contour(x, y, chance, levels=[level], colors=[VERMILLION], linestyles="--",
                         linewidths=1.4)  # fmt: skip
    keys = [Line2D([], [], color=VERMILLION, linestyle="--", label="2.5 % and 97.5 % of draws")]
    for curve in found.boundaries:
        if curve.group == group and _in_plane(found, curve.z, plane):
            axes.plot(*curve.points.T, color=INK, linewidth=1.8)
            if len(keys) == 1:
                keys.append(Line2D([], [], color=INK, linewidth=1.8, label="point estimate"))
    axes.figure.legend(handles=keys, loc="outside lower center", ncols=2, frameon=False,
                       fontsize=9.5, labelcolor=INK)  # fmt: skip
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    _dress(axes, found, plane)
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.85, pad=0.02)
    bar.outline.set_edgecolor(INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.set_label(
        f"share of draws in which nobody serves: {shortened(group, 26)}", color=INK, fontsize=10
    )
    return axes


def map_figure(found: PhaseMap, marks: Marks | None = None) -> bytes:
    """Return the figure of a map as a PNG file, the same bytes for the same map."""
    return drawn(lambda: phase_map(found, marks=marks), "png", DPI)
