"""Which group drops out first along the first axis of a map, line of cells by line of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.map_status import Status

__all__ = ["FirstOut", "first_out"]

BoolArray = NDArray[np.bool_]


@final
@dataclass(frozen=True)
class FirstOut:
    """Who drops out first as the incentive of the first axis rises (or falls).

    Attributes
    ----------
    axis : str
        Name of the first axis.
    rising : bool
        Whether lines are read from its least value up, or from its largest down.
    lines : int
        Lines of cells: one a value of the second axis (and third).
    begun : int
        Lines on which some group is left out from the start; nobody is first there.
    dropped : int
        Lines on which nobody is left out at the start and somebody later.
    groups : tuple of (label, lines, low, high)
        On how many lines each group is among the first, and at the least and the largest value
        of the axis; most lines first. On a coarse grid several groups can be first together.
    """

    axis: str
    rising: bool
    lines: int
    begun: int
    dropped: int
    groups: tuple[tuple[str, int, float, float], ...]


def first_out(found: PhaseMap) -> FirstOut:
    """Say which groups drop out first along the first axis of a map.

    Lines are read from the end at which fewer of them leave somebody out. Where a cell has no
    certified equilibrium its line is read up to there.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.inclusion.phase_map import phase_map
    >>> game = eq.AlignmentGame(eq.Groups({"a": 0.5, "b": 0.3, "c": 0.2}), 2, [
    ...     eq.Attractiveness([0.5, 0.35, 0.15]), eq.Consistency([1/3, 1/3, 1/3])])
    >>> first_out(phase_map(game, "attractiveness=0:4:5", "diversity=0:1:3")).groups
    (('c', 3, 2.0, 4.0),)
    """
    axis = found.axes[0]
    out = found.excluded.reshape(-1, len(axis), len(found.groups))
    failed = (found.status == Status.failed).reshape(out.shape[:2])
    somebody: BoolArray = np.asarray(out.any(axis=2))
    rising = bool(somebody[:, 0].sum() <= somebody[:, -1].sum())
    values = axis.values
    if not rising:
        out, failed, somebody = out[:, ::-1], failed[:, ::-1], somebody[:, ::-1]
        values = values[::-1]
    begun = somebody[:, 0]
    at = somebody.argmax(axis=1)
    # What lies before the first exclusion must be known.
    known = np.array([not row[:i].any() for row, i in zip(failed, at, strict=True)])
    dropped = np.flatnonzero(somebody.any(axis=1) & ~begun & known)
    first = out[dropped, at[dropped]]
    places = values[at[dropped]]
    rows = [
        (label, int(on.sum()), float(places[on].min()), float(places[on].max()))
        for label, on in zip(found.groups, first.T, strict=True)
        if on.any()
    ]
    return FirstOut(
        axis.name,
        rising,
        len(out),
        int(begun.sum()),
        len(dropped),
        tuple(sorted(rows, key=lambda row: -row[1])),
    )
