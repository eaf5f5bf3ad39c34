r"""Phase maps: which groups are excluded over a grid of incentives, every cell an equilibrium.

Identical agents are one concave programme per cell (R4), solved and examined in batches; other
games are solved cell by cell. Curves on which a group drops out (R6) are exact at grid lines.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import ChunkStore, Engine
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Attractiveness, AudienceShare, Consistency, Diversity
from equipoise.inclusion.map_axes import Axis, axis, check_axes
from equipoise.inclusion.map_batch import TOLERANCE, CellResults, solve_cells
from equipoise.inclusion.map_boundaries import Boundary, boundaries
from equipoise.inclusion.map_cells import Family, family
from equipoise.inclusion.map_each import solve_grid
from equipoise.inclusion.map_exam import concave
from equipoise.inclusion.map_pieces import Hands, columns_of, map_draws, map_points
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.map_status import Status, left_out

__all__ = ["PeopleDraws", "PhaseMap", "phase_map"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[int, int, str], None]

MOST_CELLS = 10_000_000
"""Above this the arrays of a map alone take gigabytes."""


class PeopleDraws(Protocol):
    """Joint draws of what a game takes from people, as a panel makes them."""

    @property
    def shares(self) -> FloatArray:
        """Shares of the groups, (draws, groups)."""

    @property
    def appeal(self) -> FloatArray:
        """Appeal of content for each group, (draws, groups)."""

    @property
    def kernel(self) -> FloatArray:
        """How alike content for two groups is, (draws, groups, groups)."""


def phase_map(
    game: AlignmentGame,
    x: str | Axis,
    y: str | Axis,
    z: str | Axis | None = None,
    *,
    below: float = 0.0,
    draws: Mapping[str, FloatArray] | PeopleDraws | None = None,
    refine: int = 0,
    progress: Progress | None = None,
    engine: Engine | None = None,
    store: ChunkStore | None = None,
) -> PhaseMap:
    r"""Say who is excluded over two or three incentives, every cell a certified equilibrium.

    Parameters
    ----------
    game : AlignmentGame
        What the axes do not set is as in this game.
    x, y, z : str or Axis
        "attractiveness=0:20:200" (start:stop:points, both ends in), also consistency,
        diversity, variety, share:LABEL, value:LABEL, anchor:LABEL. A weight replaces a common
        weight and scales weights per agent to that mean; an anchor or a share takes its mass
        from the other groups in proportion. A share moves the equilibrium only through audience
        share.
    below : float
        A group is excluded when its top weight is below this; 0: when nobody serves it.
    draws : mapping of field path to array, or a panel's draws, optional
        Joint bootstrap draws; every draw is a whole map. As a mapping: what `load_draws` gives.
        A panel's appeal replaces the values, its kernel a kernel other than the identity, its
        shares the public and an anchor that equals it.
    refine : int
        Agents that differ only: start 2^refine times coarser and refine where the excluded
        set changes; other cells are inferred, never certified.
    progress : callable (done, total, what), optional
    engine : Local or Ray, optional
        Where agents that differ and draws are mapped; default this process. Bytes do not
        depend on it or on its workers.
    store : ChunkStore, optional
        Keeps finished chunks of those, so that the same call goes on after an interrupt.

    Returns
    -------
    PhaseMap
        Not guaranteed: that an equilibrium is the only one (read `status`), nor that curves
        which close between grid lines are seen.

    Raises
    ------
    BadInput
        An axis, threshold or draw that does not fit the game.

    Examples
    --------
    >>> import equipoise as eq
    >>> game = eq.AlignmentGame(eq.Groups({"a": 0.5, "b": 0.3, "c": 0.2}), 2, [
    ...     eq.Attractiveness([0.5, 0.35, 0.15]), eq.Consistency([1/3, 1/3, 1/3])])
    >>> found = phase_map(game, "attractiveness=0:4:5", "diversity=0:1:3")
    >>> found.excluded[0].astype(int).tolist()[2:4]
    [[0, 0, 1], [0, 0, 1]]
    >>> [curve.group for curve in found.boundaries]
    ['c']
    """
    began = time.perf_counter()
    with Hands(engine, store, progress) as hands:
        return _map(game, (x, y, z), below, draws, refine, hands, began)


def _map(
    game: AlignmentGame,
    given: tuple[str | Axis, str | Axis, str | Axis | None],
    below: float,
    draws: Mapping[str, FloatArray] | PeopleDraws | None,
    refine: int,
    hands: Hands,
    began: float,
) -> PhaseMap:
    axes = [axis(one) for one in given if one is not None]
    if not 0 <= below < 1:
        raise BadInput(f"below: {below} is not a weight; write a number from 0 up to 1")
    if refine < 0:
        raise BadInput(f"refine: {refine} is negative; write 0 to solve every cell")
    check_axes(game, axes)
    cells = math.prod(map(len, axes))
    if cells > MOST_CELLS:
        raise BadInput(
            f"axes: {cells:,} cells are more than the {MOST_CELLS:,} a map may have; write fewer "
            "points"
        )
    kin = family(game)
    shape = tuple(len(one) for one in reversed(axes))
    if kin is None:
        names = [one.name for one in axes[::-1]]
        ask = map_points(game, names, cells, hands)
        found, excluded = solve_grid(len(game.groups), axes[::-1], below, refine, ask)
        curves: tuple[Boundary, ...] = ()
    else:
        found = solve_cells(game, kin, columns_of(axes), hands.progress)
        excluded = left_out(found.top_weight, below)
        curves = _exact_curves(kin, axes, excluded, found, below)
    wide = (*shape, len(game.groups))
    drawn = None
    if draws is not None:
        drawn = map_draws(game, axes, below, _fields(game, draws), refine, hands)
    return PhaseMap(
        axes=tuple(axes),
        groups=game.groups.labels,
        below=below,
        excluded=excluded.reshape(wide),
        top_weight=found.top_weight.reshape(wide),
        coverage=found.coverage.reshape(wide),
        relative_gap=found.relative_gap.reshape(shape),
        status=found.status.reshape(shape),
        boundaries=curves,
        drawn=drawn,
        notes=_notes(game, axes, kin),
        seconds=time.perf_counter() - began,
    )


def _exact_curves(
    kin: Family, axes: list[Axis], excluded: BoolArray, found: CellResults, below: float
) -> tuple[Boundary, ...]:
    shape = tuple(len(one) for one in reversed(axes))
    cube = shape if len(shape) == 3 else (1, *shape)
    usable = (found.status != Status.failed) & concave(kin.cells(columns_of(axes)))
    wide = (*cube, len(kin.labels))
    return boundaries(kin, axes, excluded.reshape(wide), usable.reshape(cube), below)


def _fields(
    game: AlignmentGame, draws: Mapping[str, FloatArray] | PeopleDraws
) -> Mapping[str, FloatArray]:
    """Return draws by field path; a panel's stand where the game took them from it."""
    if isinstance(draws, Mapping):
        return draws
    k = len(game.groups)
    if draws.appeal.shape[1:] != (k,):
        raise BadInput(
            f"draws: they are for {draws.appeal.shape[1]} groups, the game has {k}; use one panel"
        )
    out = {"groups": draws.shares}
    appeal, met, held = game.term(Attractiveness), game.term(Diversity), game.term(Consistency)
    if appeal is not None:
        if appeal.values.ndim == 2:
            raise BadInput("draws: a panel's appeal is the same for all agents, the game's is not")
        out["attractiveness.values"] = draws.appeal
    if met is not None and met.kernel is not None:
        out["diversity.kernel"] = draws.kernel
    if held is not None and held.anchor.ndim == 1 and np.allclose(held.anchor, game.groups.shares):
        out["consistency.anchor"] = draws.shares
    return out


def _notes(game: AlignmentGame, axes: list[Axis], kin: Family | None) -> tuple[str, ...]:
    notes: dict[str, Any] = {}
    share = game.term(AudienceShare)
    if any(one.kind == "share" for one in axes) and (share is None or not np.any(share.weight)):
        notes["A share changes the public only: without audience share no agent answers to it."] = 1
    if any(one.kind == "diversity" for one in axes) and game.agents.total == 1:
        notes["With one agent diversity has no effect."] = 1
    if kin is None:
        notes[
            "Agents differ (or a term is not quadratic): cells were solved one by one and there "
            "are no exact boundary curves."
        ] = 1
    notes[f"A cell is certified when its largest relative gap is at most {TOLERANCE:g} (R3)."] = 1
    return tuple(notes)
