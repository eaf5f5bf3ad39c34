r"""How a population gets there: best-response, gradient and replicator dynamics, batched.

Best response: every agent at once moves a share :math:`\eta` of the way to its answer to the
others. Gradient: :math:`x_i \leftarrow \Pi_\Delta(x_i + \eta v_i)`, steps of the projected
gradient flow. Replicator: :math:`x_{ik} \leftarrow x_{ik}e^{\eta v_{ik}}/\sum_l x_{il}
e^{\eta v_{il}}`, steps of :math:`\dot x_{ik} = x_{ik}(v_{ik} - \langle x_i, v_i\rangle)`.
None of them need converge: simultaneous best responses can oscillate where the equilibrium is
unique (R11), and the path says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.dynamics_rates import contraction_factor, local_rate
from equipoise.equilibrium.dynamics_steps import step_of
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Variety,
)

__all__ = ["Kind", "Path", "dynamics"]

FloatArray = NDArray[np.float64]

Kind = Literal["best-response", "gradient", "replicator"]

STILL = 1e-15
"""A step in which no weight moves more than this ends the path."""
NEAR = 1e-6
"""Converged: every relative gap and the last movement are below this."""
FLOOR = 1e-11
"""Movements below this are rounding and tell nothing of a rate."""


@final
@dataclass(frozen=True, eq=False)
class Path(Tabled):
    """What happened over time, from every start.

    Attributes
    ----------
    kind : str
        best-response, gradient or replicator.
    groups : tuple of str
    times : (steps + 1,) array
        Rounds of best responses; otherwise steps × step size.
    step_size : float
    coverage, top_weight : (starts, steps + 1, groups) arrays
    movement : (starts, steps) array
        Largest change of any weight in each step.
    final : (starts, rows, groups) array
        Where the path ends.
    relative_gap : (starts,) array
        Largest relative gap there, by `certify`.
    converged : (starts,) bool array
        Whether that gap and the last movement are below 1e-6. False: oscillating, repelled or
        not there yet.
    observed_rate : (starts,) array
        Factor per step by which movements shrank over the later half of the path; NaN where too
        few steps tell; about 1 for an oscillation.
    local_rate : float or None
        The theoretical factor near the equilibrium that `solve` finds (R7).
    contraction : float or None
        Best response: factor that holds from every start if below 1 (R2 c).
    """

    kind: str
    groups: tuple[str, ...]
    times: FloatArray
    step_size: float
    coverage: FloatArray
    top_weight: FloatArray
    movement: FloatArray
    final: FloatArray
    relative_gap: FloatArray
    converged: NDArray[np.bool_]
    observed_rate: FloatArray
    local_rate: float | None
    contraction: float | None

    def __repr__(self) -> str:
        done = int(self.converged.sum())
        return (
            f"Path({self.kind}: {done} of {self.converged.size} starts converged within "
            f"{len(self.times) - 1} steps)"
        )

    def time_below(self, threshold: float = 0.0) -> FloatArray:
        """Return the first time each group is excluded, (starts, groups); NaN where never.

        Parameters
        ----------
        threshold : float
            Excluded: top weight below this; at 0: exactly 0. Not guaranteed: that the group
            stays below from then on.
        """
        top = self.top_weight
        out = top < threshold if threshold > 0 else top == 0.0
        first = out.argmax(axis=1)
        return np.where(out.any(axis=1), self.times[first], np.nan)

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per start, time and group."""
        for start, step, k in np.ndindex(self.coverage.shape):
            yield {
                "start": start,
                "time": float(self.times[step]),
                "group": self.groups[k],
                "coverage": float(self.coverage[start, step, k]),
                "top_weight": float(self.top_weight[start, step, k]),
            }


def dynamics(
    game: AlignmentGame,
    kind: Kind = "best-response",
    *,
    start: Profile | ArrayLike | None = None,
    steps: int = 200,
    step_size: float | None = None,
) -> Path:
    r"""Follow a population from any start, many starts at once.

    Parameters
    ----------
    game : AlignmentGame
    kind : str
        "best-response", "gradient" or "replicator".
    start : Profile, (rows, groups) or (starts, rows, groups) array, optional
        Default: equal weights. The replicator never serves a group that it starts without.
    steps : int
        Most steps; the path ends earlier where nothing moves.
    step_size : float, optional
        Best response: share :math:`\eta` of the way, default 1. Otherwise time per step,
        default a fraction of one over the largest curvature.

    Returns
    -------
    Path
        Not guaranteed: convergence (read `converged`).

    Raises
    ------
    BadInput
        A start off the simplex, steps or step size out of range, or a kind that this game's
        terms do not allow.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> path = dynamics(game("toy"), "best-response", steps=60)
    >>> bool(path.converged.all()), round(path.local_rate, 3)
    (True, 0.3)
    >>> path.coverage[0, -1].round(6).tolist()
    [0.628205, 0.358974, 0.012821]
    """
    if kind not in ("best-response", "gradient", "replicator"):
        raise BadInput(f'kind: there is no "{kind}"; write best-response, gradient or replicator')
    if steps < 1:
        raise BadInput(f"steps: {steps} is too few; write at least 1")
    x = _starts(game, start)
    size = _default_step(game, kind, x) if step_size is None else step_size
    if not (0 < size < np.inf) or (kind == "best-response" and size > 1):
        most = "up to 1" if kind == "best-response" else "above 0"
        raise BadInput(f"step_size: {size:g} is out of range; write a number {most}")
    step = step_of(game, kind, size)
    counts, total = game.agents.counts, game.agents.total
    coverage, top, movement = [np.einsum("r,brk->bk", counts, x) / total], [x.max(axis=1)], []
    for _ in range(steps):
        fresh = step(x)
        moved = np.abs(fresh - x).max(axis=(1, 2))
        x = fresh
        coverage.append(np.einsum("r,brk->bk", counts, x) / total)
        top.append(x.max(axis=1))
        movement.append(moved)
        if moved.max() <= STILL:
            break
    moves = np.stack(movement, axis=1)
    gap = np.array([certify(game, game.profile(one)).max_relative_gap for one in x])
    return Path(
        kind=kind,
        groups=game.groups.labels,
        times=np.arange(float(len(top))) * (1.0 if kind == "best-response" else size),
        step_size=size,
        coverage=np.stack(coverage, axis=1),
        top_weight=np.stack(top, axis=1),
        movement=moves,
        final=x,
        relative_gap=gap,
        converged=(gap <= NEAR) & (moves[:, -1] <= NEAR),
        observed_rate=np.array([_observed(one) for one in moves]),
        **_theory(game, kind, size),
    )


def _starts(game: AlignmentGame, start: Profile | ArrayLike | None) -> FloatArray:
    shape = (len(game.agents), len(game.groups))
    if start is None:
        return np.full((1, *shape), 1.0 / shape[1])
    if isinstance(start, Profile):
        start.same_shape_as(game.groups, game.agents)
        return np.array(start.array)[None]
    try:
        array = np.array(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput("start: every weight must be a number") from None
    batch = array[None] if array.ndim == 2 else array
    if batch.ndim != 3 or batch.shape[1:] != shape or not len(batch):
        raise BadInput(
            f"start: got an array of shape {array.shape}; write ({shape[0]}, {shape[1]}) or a "
            "batch of those"
        )
    for one in batch:
        game.profile(one)
    return batch


def _default_step(game: AlignmentGame, kind: str, x: FloatArray) -> float:
    if kind == "best-response":
        return 1.0
    bend = 0.0
    for term in game.terms:
        weight = float(np.abs(getattr(term, "weight", np.zeros(1))).max())
        matrix = {Consistency: "metric", Variety: "matrix", Diversity: "kernel"}.get(type(term))
        square = None if matrix is None else getattr(term, matrix)
        if matrix is not None or isinstance(term, KLConsistency | AudienceShare):
            bend += weight * (1.0 if square is None else float(np.linalg.norm(square, 2)))
    if kind == "gradient" and bend > 0:
        return 1.0 / bend
    v = game.gradients(game.profile(x[0]))
    spread = float(np.ptp(np.where(np.isfinite(v), v, 0.0), axis=1).max())
    scale = max(bend, spread)
    return 0.25 / scale if scale > 0 else 1.0


def _observed(movement: FloatArray) -> float:
    """Return the factor per step over the later half of the movements above rounding."""
    telling = np.flatnonzero(movement > FLOOR)
    if telling.size and telling.size < 6 and telling.size < movement.size:
        return 0.0
    if telling.size < 6:
        return float("nan")
    last, first = int(telling[-1]), int(telling[telling.size // 2])
    return float((movement[last] / movement[first]) ** (1.0 / (last - first)))


def _theory(game: AlignmentGame, kind: str, size: float) -> dict[str, float | None]:
    form = game.affine
    if form is None:
        return {"local_rate": None, "contraction": None}
    found = solve(game, starts=0, on_failure="return")
    solved = found.outcome.name == "solved"
    rate = local_rate(form, found.profile.array, kind, size) if solved else None
    bound = contraction_factor(form, size) if kind == "best-response" else None
    return {"local_rate": rate, "contraction": bound}
