"""The figure of a realisation check: every interval, route by route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equipoise.errors import BadInput
from equipoise.report.canvas import BLUE, FAINT, INK, VERMILLION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equipoise.realise.fidelity import Fidelity

__all__ = ["realisation"]

ROW = 0.62
"""Height of one group's row, in inches."""


def realisation(found: Fidelity, *, people: bool = False, width: float = 7.2) -> Axes:
    """Draw how far each audited weight is from its target, one row a route and group.

    Parameters
    ----------
    found : Fidelity
        As `realised` and `equipoise realise check` give it.
    people : bool
        Audited against the people's laws instead of the models' own.
    width : float
        Of the figure, in inches.

    Returns
    -------
    Axes
        Each target is one 95 % interval, shifted by its target: blue where it contains 0, so the
        weight meant lies in it; vermillion, with a cross, where it does not. The numbers on the
        right count the blue ones.
    """
    if not found.realisations or (people and found.realisations[0].people is None):
        raise BadInput("realisation: there is nothing to draw; run the check first")
    rows = [(route, k) for route in found.routes for k in range(len(found.groups))]
    axes = new_axes((width, 1.1 + ROW * len(rows)), ("bottom",))
    most = 0.1
    for y, (route, k) in enumerate(rows):
        several = found.of(route)
        inside = 0
        for i, one in enumerate(several):
            audit = one.people.achieved if people and one.people is not None else one.achieved
            low, high = (float(end[k] - one.target[k]) for end in (audit.low, audit.high))
            good = low <= 1e-12 and high >= -1e-12
            inside += good
            at = y + 0.8 * ((i + 0.5) / len(several) - 0.5)
            axes.plot([low, high], [at, at], color=BLUE if good else VERMILLION, linewidth=1.5,
                      solid_capstyle="butt")  # fmt: skip
            axes.plot(float(audit.weights[k] - one.target[k]), at, "." if good else "x",
                      color=BLUE if good else VERMILLION, markersize=4)  # fmt: skip
            most = max(most, -low, high)
        axes.annotate(f"{inside} of {len(several)}", (1.02, y), va="center", fontsize=9.5,
                      xycoords=axes.get_yaxis_transform(), color=INK,
                      annotation_clip=False)  # fmt: skip
        if k == 0 and y:
            axes.axhline(y - 0.5, color=FAINT, linewidth=1.0)
    axes.axvline(0.0, color=INK, linewidth=0.9)
    axes.set_yticks(
        range(len(rows)), [f"{route}: {found.groups[k]}" for route, k in rows], parse_math=False,
        color=INK,
    )  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-1.05 * most, 1.05 * most)
    axes.tick_params(axis="y", length=0)
    whose = "the people's laws" if people else "the models' own laws"
    axes.set_xlabel(f"audited weight minus target, 95 % intervals, {whose}", color=INK)
    return axes
