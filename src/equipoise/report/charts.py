"""Figures as an API, `eq.plots`: each a function of one result that returns matplotlib axes.

The figures of a report and the dashboard's exports are drawn by the same code. A figure has the
colours, sizes and captions of a publication; change it through the axes that are returned, save
it with `axes.figure.savefig`. No result plots itself, and nothing touches pyplot.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.display import shortened
from equipoise.equilibrium.dynamics import Path
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.errors import BadInput
from equipoise.estimate import counted_quantiles, percentile_interval
from equipoise.game.profile import Profile
from equipoise.inclusion.critical import CriticalIncentives
from equipoise.inclusion.exclusion import ExclusionReport
from equipoise.inclusion.lever_table import LeverTable
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.plan_path import PlanPath, plan_path
from equipoise.panels.panel import Panel
from equipoise.report import map_plots, path_plots, plan_plots
from equipoise.report import row_plots as rows
from equipoise.report.canvas import BLUE, FAINT, INK, PAPER
from equipoise.report.map_marks import Marks
from equipoise.report.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["critical", "exclusion", "map", "panel", "path", "plan", "profile"]

LATER = {"realisation": "realisation_plots", "simulation": "simulate_plots"}
"""Figures of rooms that come with their own extras, found when they are asked for."""

MOST_BARS = 12
DRAWS = 1000


def __getattr__(name: str) -> Any:
    if name in LATER:
        try:
            module = importlib.import_module(f"equipoise.report.{LATER[name]}")
        except ModuleNotFoundError as error:
            if error.name != f"equipoise.report.{LATER[name]}":
                raise
            raise AttributeError(f"eq.plots has no {name!r} in this version") from None
        return getattr(module, name)
    raise AttributeError(f"eq.plots has no figure {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, *LATER])


def _wrong(name: str, found: object, wanted: str) -> BadInput:
    return BadInput(f"plots.{name}: got {type(found).__name__}; give {wanted}")


def profile(found: Equilibrium | Profile) -> Axes:
    """Draw who serves whom: a bar per agent, or how weights are spread over many agents.

    Parameters
    ----------
    found : Equilibrium or Profile

    Returns
    -------
    Axes
        Up to 12 rows: bars in the colours of the groups above the shares of the public. Beyond:
        per group the middle half (thick), nine in ten (thin) and the median of agents' weights.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> axes = profile(eq.solve(game("toy")))
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['model-a', 'model-b', 'the public']
    """
    if not isinstance(found, Equilibrium | Profile):
        raise _wrong("profile", found, "what eq.solve returned, or a Profile")
    one = found.profile if isinstance(found, Equilibrium) else found
    x, agents = one.array, one.agents
    public = ("the public", one.groups.shares.tolist())
    if len(x) > 1 and np.ptp(x, axis=0).max() <= 1e-9:
        bars = [(f"each of {agents.total:,} agents", x[0].tolist())]
    elif len(x) <= MOST_BARS:
        bars = [(agents.label(i), x[i].tolist()) for i in range(len(x))]
    else:
        return _spread(one)
    return rows.mixture_bars(one.groups.labels, [*bars, public])


def _spread(one: Profile) -> Axes:
    axes = rows.row_axes(one.groups.labels)
    for k in range(len(one.groups)):
        q = counted_quantiles(one.array[:, k], one.agents.counts, [0.05, 0.25, 0.5, 0.75, 0.95])
        axes.plot([q[0], q[4]], [k, k], color=BLUE, linewidth=1.3)
        axes.plot([q[1], q[3]], [k, k], color=BLUE, linewidth=6, alpha=0.5,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot(q[2], k, "o", color=BLUE, markersize=7, markeredgecolor=PAPER)
        axes.plot([one.groups.shares[k]] * 2, [k - 0.26, k + 0.26], color=INK, linewidth=2.2)
    rows.percent_axis(axes, f"weights of {one.agents.total:,} agents")
    axes.set_xlim(left=0)
    rows.row_keys(
        axes,
        rows.key("median agent", marker="o", color=BLUE, markersize=7),
        rows.key("half of the agents", linestyle="-", linewidth=6, color=BLUE, alpha=0.5),
        rows.key("nine in ten", linestyle="-", linewidth=1.3, color=BLUE),
        rows.key("share of the public", marker="|", color=INK, markersize=13, markeredgewidth=2.2),
    )
    return axes


def exclusion(found: ExclusionReport) -> Axes:
    """Draw every group's coverage beside its share of the public, with its verdict.

    Parameters
    ----------
    found : ExclusionReport

    Returns
    -------
    Axes
        Marker and colour: the verdict. Upright line: the group's share of the public.
    """
    if not isinstance(found, ExclusionReport):
        raise _wrong("exclusion", found, "what eq.exclusion returned")
    made = [
        {**row, "coverage_low": row["coverage"], "coverage_high": row["coverage"]}
        for row in found.to_rows()
    ]
    return rows.coverage_rows(made)


def critical(found: CriticalIncentives) -> Axes:
    """Draw the least ratio of attractiveness to consistency at which each group drops out.

    Parameters
    ----------
    found : CriticalIncentives

    Returns
    -------
    Axes
        Log scale; thick: interval of one group, thin: band for all groups together.
    """
    if not isinstance(found, CriticalIncentives):
        raise _wrong("critical", found, "what eq.critical_incentives returned")
    return rows.ratio_rows(found.to_rows())


def map(  # noqa: A001  # its name in the API is eq.plots.map
    found: PhaseMap, *, group: str | None = None, plane: int = 0, marks: Marks | None = None
) -> Axes:
    """Draw a phase map: how many groups are left out, or how likely it is that one is.

    Parameters
    ----------
    found : PhaseMap
    group : str, optional
        Draw in what share of draws this group is excluded; the map needs draws.
    plane : int
        Which value of the third axis, for a map of three.
    marks : Marks, optional
        Where the game lies and where plans for it end.

    Returns
    -------
    Axes
        Lines are the exact boundaries (R6) where agents are alike.
    """
    if not isinstance(found, PhaseMap):
        raise _wrong("map", found, "what eq.phase_map returned")
    if group is not None:
        return map_plots.probability_map(found, group, plane=plane)
    return map_plots.phase_map(found, plane=plane, marks=marks)


def plan(found: Plan | PlanPath | LeverTable) -> Axes:
    """Draw what a plan does: coverage as its lever moves, or all levers before and after.

    Parameters
    ----------
    found : Plan, PlanPath or LeverTable
        What `eq.steer`, `plan_path` or `compare_levers` returned.

    Returns
    -------
    Axes
        A plan: lines of coverage from no change to all of it, circles at the floors. Levers: a
        row each and group, from before (open) to after.
    """
    if isinstance(found, LeverTable):
        return plan_plots.levers(found)
    if isinstance(found, Plan):
        found = plan_path(found)
    if not isinstance(found, PlanPath):
        raise _wrong("plan", found, "what eq.steer returned")
    return plan_plots.plan(found)


def path(found: Path, *, start: int = 0, below: float = 0.0) -> Axes:
    """Draw how coverage moves while a population settles.

    Parameters
    ----------
    found : Path
        What `dynamics` returned.
    start : int
        Which of the starts.
    below : float
        Exclusion threshold on top weight.

    Returns
    -------
    Axes
        Vermillion and dashed: groups excluded at the end.
    """
    if not isinstance(found, Path):
        raise _wrong("path", found, "what equipoise.equilibrium.dynamics returned")
    return path_plots.path(found, start=start, below=below)


def panel(found: Panel, question: str | None = None, *, level: float = 0.95, seed: int = 0) -> Axes:
    """Draw what people answered to one question: the share of each group that chose each option.

    Parameters
    ----------
    found : Panel
    question : str, optional
        Default: the one on which the groups differ most.
    level : float
        Content of the pointwise bootstrap intervals.
    seed : int
        Seed of their draws.

    Returns
    -------
    Axes
        A row per option and group: dot and interval, the wording as title. No respondent is
        drawn.
    """
    if not isinstance(found, Panel):
        raise _wrong("panel", found, "what equipoise.panels.load_panel returned")
    table = found.answers
    if question is None:
        apart = [float(table.total_variation(q).max()) for q in table.questions]
        question = table.questions[int(np.argmax(apart))]
    q = table.question_index(question)
    options = table.options[q]
    drawn = found.draws(DRAWS, seed).answers[:, :, q, : len(options)]
    low, high = percentile_interval(drawn, level)
    return answer_rows(table.wording[q], options, table.groups,
                       (table.shares[:, q, : len(options)], low, high), level)  # fmt: skip


def answer_rows(
    wording: str, options: Any, groups: Any, measured: tuple[Any, Any, Any], level: float = 0.95
) -> Axes:
    """Draw answer shares (groups, options) with their intervals, one block of rows an option."""
    shares, low, high = measured
    names = [name for option in options for name in [f"{shortened(option, 28)}:", *groups]]
    axes = rows.row_axes(names)
    for c in range(len(options)):
        for k in range(len(groups)):
            y = c * (len(groups) + 1) + 1 + k
            axes.plot([low[k, c], high[k, c]], [y, y], color=BLUE, linewidth=5, alpha=0.45,
                      solid_capstyle="butt")  # fmt: skip
            axes.plot(shares[k, c], y, "o", color=BLUE, markersize=7, markeredgecolor=PAPER)
            axes.annotate(percent(float(shares[k, c]), 0), (1.03, y), va="center", fontsize=9.5,
                          xycoords=axes.get_yaxis_transform(), color=INK,
                          annotation_clip=False)  # fmt: skip
    for at in range(0, len(names), len(groups) + 1):
        axes.get_yticklabels()[at].set_fontweight("bold")
        axes.hlines(at, 0, 1, transform=axes.get_yaxis_transform(), colors=PAPER, linewidth=2)
        axes.axhline(at - 0.5, color=FAINT, linewidth=0.6)
    axes.set_xlim(0, 1)
    rows.percent_axis(axes, "share of the group")
    axes.set_title(rows.two_lines(wording, 62), loc="left", fontsize=10, color=INK,
                   parse_math=False, x=-0.35)  # fmt: skip
    rows.row_keys(
        axes,
        rows.key("share", marker="o", color=BLUE, markersize=7),
        rows.key(f"{100 * level:g} % interval", linestyle="-", linewidth=5, color=BLUE, alpha=0.45),
    )
    return axes
