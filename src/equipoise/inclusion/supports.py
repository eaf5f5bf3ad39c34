r"""The least setting over every possible set of groups served: branch and bound (R12c).

Which groups each row serves is a 0/1 variable; for given supports the conditions are linear, so
an additive cost of :math:`|z_j|` makes one mixed-integer linear programme, solved to its global
optimum by HiGHS. Its dual bound is the proof that nothing costs less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.conditions import Conditions
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.programmes import optimisers, sparse

__all__ = ["LIMIT", "Least", "least_setting"]

FloatArray = NDArray[np.float64]

LIMIT = 120
"""Most rows × groups for which supports are enumerated."""

SECONDS = 30.0


@final
@dataclass(frozen=True, eq=False)
class Least:
    """The outcome of the search over supports."""

    setting: FloatArray | None
    """The best setting found, (d,); None where no setting meets the goal at an equilibrium."""
    bound: float
    """No setting costs less than this; infinite where none meets the goal."""
    served: NDArray[np.bool_] | None
    """The supports at the best setting, (rows, groups)."""


def least_setting(
    game: AlignmentGame,
    given: Conditions,
    goal: Goal,
    unit: FloatArray,
    *,
    served: NDArray[np.bool_] | None = None,
) -> Least | None:
    r"""Minimise :math:`\sum_j u_j |z_j|` over settings at which an equilibrium meets the goal.

    Parameters
    ----------
    game : AlignmentGame
        For the goal's floors and the public's shares.
    given : Conditions
        The game and the lever.
    goal : Goal
        What has to hold at equilibrium.
    unit : (d,) array
        Cost of each unit of :math:`|z_j|`.
    served : (rows, groups) bool array, optional
        Take these supports instead of searching for them.

    Returns
    -------
    Least or None
        None above `LIMIT`, or when time ran out before anything was found. The equilibrium that
        meets the goal is *some* equilibrium of the changed game. Bounds hold to the tolerance of
        the solver, about 1e-6 of the cost.
    """
    if served is None and given.rows * given.groups > LIMIT:
        return None
    tools = optimisers()
    program = _program(game, given, goal, unit, served)
    found = tools.milp(
        program.cost,
        constraints=[
            tools.LinearConstraint(program.equal, program.right, program.right),
            tools.LinearConstraint(program.most, -np.inf, program.limit),
        ],
        bounds=tools.Bounds(program.low, program.high),
        integrality=program.whole,
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-9, "presolve": False},
    )
    if found.status == 2:
        return Least(None, np.inf, None)
    if found.x is None:
        return None
    d, size = unit.size, given.rows * given.groups
    setting = found.x[:d] - found.x[d : 2 * d]
    on = found.x[program.support : program.support + size] > 0.5
    bound = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
    return Least(setting, float(bound), on.reshape(given.rows, given.groups))


@final
@dataclass(frozen=True, eq=False)
class _Program:
    cost: FloatArray
    equal: Any
    right: FloatArray
    most: Any
    limit: FloatArray
    low: FloatArray
    high: FloatArray
    whole: NDArray[np.int64]
    support: int


def _program(
    game: AlignmentGame,
    given: Conditions,
    goal: Goal,
    unit: FloatArray,
    served: NDArray[np.bool_] | None,
) -> _Program:
    """Write down the programme in the columns (z⁺, z⁻, x, λ, μ, support, chosen, distance)."""
    sp = sparse()
    d, size, n, rows = unit.size, given.rows * given.groups, given.groups, given.rows
    widths = [d, d, size, rows, size, size, size if goal.served_by else 0,
              n if goal.max_distance is not None else 0]  # fmt: skip
    at = np.concatenate([[0], np.cumsum(widths)])
    total = int(at[-1])
    plus, minus, x, level, idle, support, chosen, far = (
        slice(int(a), int(b)) for a, b in zip(at[:-1], at[1:], strict=True)
    )

    def block(height: int, parts: list[tuple[slice, Any]]) -> Any:
        out = sp.lil_matrix((height, total))
        for where, matrix in parts:
            out[:, where] = matrix
        return out.tocsr()

    one, rows_sum = sp.identity(size), sp.csr_matrix(np.kron(np.eye(rows), np.ones((1, n))))
    equal = [
        block(
            size,
            [(plus, given.shift), (minus, -given.shift), (x, -given.bend),
             (level, -rows_sum.T), (idle, one)],
        ),
        block(rows, [(x, rows_sum)]),
        block(len(given.balanced), [(plus, given.balanced), (minus, -given.balanced)]),
    ]  # fmt: skip
    right = np.concatenate([-given.scores, np.ones(rows), np.zeros(len(given.balanced))])
    widest = np.repeat(_widest(given), n)
    cover = sp.csr_matrix(given.coverage_matrix())
    most = [
        block(size, [(x, one), (support, -one)]),
        block(size, [(idle, one), (support, sp.diags(widest))]),
        block(n, [(x, -cover)]),
    ]
    floors = goal.floor_array(game)
    limit = [np.zeros(size), widest, -floors]
    if goal.served_by:
        most += [
            block(size, [(x, -one), (chosen, goal.weight * one)]),
            block(n, [(chosen, -sp.csr_matrix(np.kron(given.counts[None, :], np.eye(n))))]),
        ]
        limit += [np.zeros(size), np.full(n, -float(goal.served_by))]
    if goal.max_distance is not None:
        m = game.groups.shares
        most += [
            block(n, [(x, cover), (far, -sp.identity(n))]),
            block(n, [(x, -cover), (far, -sp.identity(n))]),
            block(1, [(far, np.ones((1, n)))]),
        ]
        limit += [m, -m, np.array([goal.max_distance])]
    low, high = np.zeros(total), np.full(total, np.inf)
    low[level] = -np.inf
    high[plus], high[minus] = np.maximum(given.high, 0), np.maximum(-given.low, 0)
    high[x] = high[support] = high[chosen] = 1.0
    if served is not None:
        low[support] = high[support] = served.ravel().astype(np.float64)
    whole = np.zeros(total, dtype=np.int64)
    whole[support] = whole[chosen] = 1
    cost = np.zeros(total)
    cost[plus] = cost[minus] = unit
    return _Program(
        cost, sp.vstack(equal).tocsr(), right, sp.vstack(most).tocsr(), np.concatenate(limit),
        low, high, whole, support.start,
    )  # fmt: skip


def _widest(given: Conditions) -> FloatArray:
    """Return how far apart an agent's payoffs of two groups can be, (rows,): the big M."""
    rows, n = given.rows, given.groups
    up = np.maximum(given.shift * given.low, given.shift * given.high).sum(axis=1)
    down = np.minimum(given.shift * given.low, given.shift * given.high).sum(axis=1)
    blocks = given.bend.reshape(rows * n, rows, n)
    high = given.scores + up - blocks.min(axis=2).sum(axis=1)
    low = given.scores + down - blocks.max(axis=2).sum(axis=1)
    return np.asarray(high.reshape(rows, n).max(axis=1) - low.reshape(rows, n).min(axis=1))
