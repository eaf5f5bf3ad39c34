r"""The linear programme behind `infer`: conditions of equilibrium with the weights unknown (R12b).

For fixed mixtures the gap of every agent is a maximum of linear functions of the weights, so the
weights with the least total gap, and the cone of those that do about as well, are linear
programmes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Term,
    Variety,
)
from equipoise.inclusion.programmes import optimisers, sparse

__all__ = [
    "Round",
    "best_weights",
    "cone",
    "free_directions",
    "observe",
    "stacked",
    "weight_names",
]

FloatArray = NDArray[np.float64]

WEIGHTS = {
    "attractiveness": Attractiveness,
    "consistency": (Consistency, KLConsistency),
    "diversity": Diversity,
    "variety": Variety,
    "audience_share": AudienceShare,
    "subsidy": Subsidy,
}
"""The weights that are looked for, in this order."""

SERVED = 1e-9


@final
@dataclass(frozen=True, eq=False)
class Round:
    """One observed profile, and the gradient per unit of each weight."""

    columns: FloatArray
    """(rows, groups, weights)."""
    x: FloatArray
    counts: FloatArray


def weight_names(game: AlignmentGame) -> tuple[str, ...]:
    """Return the weights to look for, or raise `BadInput` where there is no scale or no choice."""
    names = []
    for name, kinds in WEIGHTS.items():
        kind = kinds if isinstance(kinds, tuple) else (kinds,)
        if any(game.term(one) is not None for one in kind):
            names.append(name)
    if "consistency" not in names:
        raise BadInput(
            "infer: the game has no consistency term, so incentives have no scale; add one with "
            "the agents' targets"
        )
    if len(names) == 1:
        raise BadInput("infer: consistency alone is no choice; add the other terms to look for")
    return tuple(names)


def observe(game: AlignmentGame, profile: Profile, names: tuple[str, ...]) -> Round:
    """Return a profile with the gradient of every term per unit of its weight."""
    x = profile.array
    wanted: dict[str, FloatArray] = {}
    for term in game.terms:
        if term.field in names:
            gradient = np.array(term.own_gradient(x, game.groups, game.agents))
            wanted[term.field] = gradient / _mean_weight(term)
    stack = np.stack([wanted[name] for name in names], axis=2)
    if not np.isfinite(stack).all():
        raise BadInput(
            "infer: an agent gives no weight to a group its KL anchor includes; no equilibrium "
            "does, so nothing can be inferred from it"
        )
    return Round(stack, x, game.agents.counts.astype(np.float64))


def _mean_weight(term: Term) -> float:
    """Return what one unit of a term's weight is in the game as given (prices: as they are)."""
    if isinstance(term, Subsidy):
        return 1.0
    scale = float(np.abs(np.asarray(getattr(term, "weight", 1.0))).mean())
    if scale == 0:
        raise BadInput(
            f"infer: the {term.field} weight is 0 in the game; write 1, it is what is looked for"
        )
    return scale


def stacked(rounds: list[Round]) -> FloatArray:
    """Stack the columns over served groups, centred there (R12b)."""
    out = []
    for r in rounds:
        for columns, x in zip(r.columns, r.x, strict=True):
            served = x > SERVED
            if served.sum() > 1:
                out.append(columns[served] - columns[served].mean(axis=0))
    return np.concatenate(out) if out else np.zeros((0, rounds[0].columns.shape[2]))


def free_directions(names: tuple[str, ...], stacked: FloatArray) -> tuple[dict[str, float], ...]:
    """Return the null directions beyond the one the equilibrium itself is (the scale)."""
    k = len(names)
    if not len(stacked):
        directions = np.eye(k)
    else:
        size = np.linalg.norm(stacked, axis=0)
        unit = np.where(size > 0, size, 1.0)
        _, values, right = np.linalg.svd(stacked / unit, full_matrices=True)
        values = np.concatenate([values, np.zeros(k - values.size)])
        null = values <= 1e-9 * max(1.0, float(values.max()))
        directions = right[null] / unit
    if len(directions) <= 1:
        return ()
    return tuple(
        {name: float(d) for name, d in zip(names, row / np.abs(row).max(), strict=True)}
        for row in directions
    )


def best_weights(names: tuple[str, ...], rounds: list[Round]) -> tuple[FloatArray, float, float]:
    """Minimise the total gap; return (weights, gap, size of the payoffs)."""
    cost, upper, right, bounds = _programme(names, rounds)
    found = optimisers().linprog(cost, A_ub=upper, b_ub=right, bounds=bounds, method="highs")
    if found.status != 0:
        raise BadInput("infer: the mixtures could not be fitted; check that they are finite")
    k = len(names)
    weights = np.asarray(found.x[:k], dtype=np.float64)
    weights = _sharpened(names, rounds, weights)
    total = scale = 0.0
    for r in rounds:
        v = r.columns @ weights
        gap = v.max(axis=1) - (v * r.x).sum(axis=1)
        total += float(r.counts @ gap)
        scale += float(r.counts @ np.ptp(np.abs(r.columns) @ np.abs(weights), axis=1))
    return weights, total, max(scale, 1e-300)


def _sharpened(names: tuple[str, ...], rounds: list[Round], weights: FloatArray) -> FloatArray:
    """Solve the equations on the served groups: the optimiser's tolerance is 1e-7."""
    at = names.index("consistency")
    a = stacked(rounds)
    if not len(a):
        return weights
    others = [j for j in range(len(names)) if j != at]
    found = np.linalg.lstsq(a[:, others], -a[:, at], rcond=None)
    if found[2] < len(others):
        return weights
    sharp = weights.copy()
    sharp[others] = found[0]
    signed = names.index("diversity") if "diversity" in names else -1
    fine = all(sharp[j] >= -1e-12 for j in others if j != signed)
    close = np.abs(sharp - weights).max() <= 1e-4 * (1 + np.abs(weights).max())
    if not (fine and close):
        return weights
    return np.where(np.arange(sharp.size) == signed, sharp, np.maximum(sharp, 0))


def _programme(
    names: tuple[str, ...], rounds: list[Round]
) -> tuple[FloatArray, Any, FloatArray, list[tuple[float | None, float | None]]]:
    """Write the linear programme in the columns (weights, level of every row)."""
    sp = sparse()
    k = len(names)
    rows = sum(len(r.x) for r in rounds)
    cost = np.zeros(k + rows)
    blocks, right, at = [], [], 0
    for r in rounds:
        n, groups = r.x.shape
        # level_i ≥ v_ik, and the gap is level_i − ⟨v_i, x_i⟩.
        left = sp.csr_matrix(r.columns.reshape(n * groups, k))
        place = (np.arange(n * groups), at + np.repeat(np.arange(n), groups))
        owner = sp.csr_matrix((-np.ones(n * groups), place), shape=(n * groups, rows))
        blocks.append(sp.hstack([left, owner]))
        right.append(np.zeros(n * groups))
        cost[:k] -= np.einsum("i,ik,ikj->j", r.counts, r.x, r.columns)
        cost[k + at : k + at + n] = r.counts
        at += n
    bounds: list[tuple[float | None, float | None]] = []
    for name in names:
        bounds.append(
            (1.0, 1.0) if name == "consistency" else (None if name == "diversity" else 0.0, None)
        )
    bounds += [(None, None)] * rows
    return cost, sp.vstack(blocks).tocsr(), np.concatenate(right), bounds


def cone(
    names: tuple[str, ...], rounds: list[Round], allowed: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the least and largest ratio of each weight with a total gap within `allowed`."""
    cost, upper, right, bounds = _programme(names, rounds)
    sp_upper = np.concatenate([right, [0.0]])
    whole = sparse().vstack([upper, sparse().csr_matrix(cost[None, :])]).tocsr()
    sp_upper[-1] = allowed + 1e-12
    low, high = {}, {}
    for j, name in enumerate(names):
        if name == "consistency":
            low[name] = high[name] = 1.0
            continue
        ends = []
        for sign in (1.0, -1.0):
            aim = np.zeros(cost.size)
            aim[j] = sign
            found = optimisers().linprog(
                aim, A_ub=whole, b_ub=sp_upper, bounds=bounds, method="highs"
            )
            ends.append(float(found.x[j]) if found.status == 0 else -sign * np.inf)
        low[name], high[name] = ends
    return low, high
