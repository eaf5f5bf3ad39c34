r"""Any mix of terms: a primal–dual interior-point method on the equilibrium conditions.

The conditions :math:`v_i(X) = \lambda_i 1 - z_i,\; z_i \ge 0,\; z_{ik} x_{ik} = 0` are followed
along :math:`z_{ik} x_{ik} = \mu \to 0`. Each Newton step eliminates agents one by one: the
others enter through K totals on the default network, so a step costs :math:`O(NK^3)`; on a
network the system is solved whole. For monotone games (R2) the path leads to the equilibrium;
elsewhere it may stall, and the certificate decides. At the end the weights near zero are set
to zero and the conditions on the rest are solved again by Newton's method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import (
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Term,
    Variety,
)

__all__ = ["solve_interior"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

WHOLE_LIMIT = 1600
"""Largest rows × groups solved whole on a network."""


@final
@dataclass(frozen=True, eq=False)
class Conditions:
    """Gradient and Jacobian of a game of any terms, per agent and through the totals."""

    game: AlignmentGame
    allowed: BoolArray
    """Where an agent may put weight at all: KL forbids c_ik = 0."""

    def gradient(self, x: FloatArray) -> FloatArray:
        total = np.zeros(x.shape)
        for term in self.game.terms:
            total += np.where(
                self.allowed, term.own_gradient(x, self.game.groups, self.game.agents), 0.0
            )
        return total

    def blocks(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        r"""Return (C, U): :math:`-dv_i = C_i\,dx_i + U_i \sum_j n_j\,dx_j` (default network)."""
        game, (n, k) = self.game, x.shape
        own, shared = np.zeros((n, k, k)), np.zeros((n, k, k))
        diagonal = np.arange(k)
        for term in game.terms:
            if isinstance(term, Consistency | Variety | KLConsistency):
                own -= _quiet_curvature(term, x, game)
            elif isinstance(term, Diversity) and game.agents.total > 1 and term.network is None:
                kernel = np.eye(k) if term.kernel is None else term.kernel
                gamma = np.broadcast_to(term.weight, (n,))[:, None, None]
                own -= gamma * kernel / (game.agents.total - 1)
                shared += gamma * kernel / (game.agents.total - 1)
            elif isinstance(term, AudienceShare):
                # Cubed below: 1e-100 is the least total whose cube is still a float.
                total = np.maximum(game.agents.counts @ x, 1e-100)
                weight = np.broadcast_to(term.weight, (n,))[:, None] * game.groups.shares
                own[:, diagonal, diagonal] += weight / total / total
                shared[:, diagonal, diagonal] += weight * (total - 2 * x) / total / total / total
        return own, shared


def _quiet_curvature(term: Term, x: FloatArray, game: AlignmentGame) -> FloatArray:
    curvature = term.own_curvature(x, game.groups, game.agents)
    return np.where(np.isfinite(curvature), curvature, 0.0)


def solve_interior(
    game: AlignmentGame,
    start: FloatArray | None = None,
    *,
    max_steps: int = 200,
) -> tuple[FloatArray, int] | None:
    """Follow the central path to an equilibrium.

    Parameters
    ----------
    game : AlignmentGame
        Any terms. A network only up to rows × groups = `WHOLE_LIMIT`.
    start : (rows, groups) array, optional
        First guess; zeros are moved off the boundary. Default: equal weights.
    max_steps : int
        Newton steps at most.

    Returns
    -------
    (profile, steps) or None
        None when the linear algebra broke down. Nothing is certified here.
    """
    diversity = game.term(Diversity)
    network = diversity.network if diversity is not None else None
    n, k = len(game.agents), len(game.groups)
    if network is not None and n * k > WHOLE_LIMIT:
        return None
    problem = Conditions(game, _allowed(game))
    allowed = problem.allowed
    x = allowed / allowed.sum(axis=1, keepdims=True)
    if start is not None:
        x = 0.9 * np.where(allowed, start, 0.0) + 0.1 * x
        x = x / x.sum(axis=1, keepdims=True)
    v = problem.gradient(x)
    size = max(float(np.where(allowed, np.abs(v - v.mean(axis=1, keepdims=True)), 0).max()), 1e-300)
    z = np.where(allowed, size, 0.0)
    level = np.where(allowed, v, 0.0).sum(axis=1) / allowed.sum(axis=1) + size
    coupling = _network_coupling(game, network is not None)
    best, best_gap, stalled = x, np.inf, 0
    step = 0
    for step in range(1, max_steps + 1):
        v = problem.gradient(x)
        gap = float(np.where(allowed, x * (v.max(axis=1, keepdims=True, where=allowed,
                    initial=-np.inf) - v), 0.0).sum(axis=1).max())  # fmt: skip
        stalled = 0 if gap < 0.9 * best_gap else stalled + 1
        if gap < best_gap:
            best, best_gap = x, gap
        if gap <= 1e-13 * size or stalled > 25:
            break
        mu = float((x * z).sum() / allowed.sum())
        move = _newton(problem, x, z, level, 0.1 * mu if step > 1 else mu, v, coupling)
        if move is None:
            break
        dx, dz, dlevel = move
        reach = min(_reach(x, dx, allowed), _reach(z, dz, allowed))
        x = np.where(allowed, np.maximum(x + reach * dx, 1e-305), 0.0)
        x = x / x.sum(axis=1, keepdims=True)
        z = np.where(allowed, np.maximum(z + reach * dz, 1e-305), 0.0)
        level = level + reach * dlevel
    finished = _on_support(problem, best, coupling)
    return (finished if finished is not None else best), step


def _allowed(game: AlignmentGame) -> BoolArray:
    shape = (len(game.agents), len(game.groups))
    kl = game.term(KLConsistency)
    if kl is None:
        return np.ones(shape, dtype=bool)
    weight = kl.weight[:, None] if kl.weight.ndim else kl.weight
    return np.array(np.broadcast_to((kl.anchor > 0) | (weight == 0), shape))


def _reach(values: FloatArray, change: FloatArray, allowed: BoolArray) -> float:
    falling = allowed & (change < 0)
    if not falling.any():
        return 1.0
    return min(1.0, 0.995 * float((values[falling] / -change[falling]).min()))


def _network_coupling(game: AlignmentGame, networked: bool) -> FloatArray | None:
    """Return −∂v/∂X through a network as a whole matrix, or None on the default network."""
    diversity = game.term(Diversity)
    if not networked or diversity is None or diversity.network is None:
        return None
    n, k = len(game.agents), len(game.groups)
    degrees = np.where(diversity.network.degrees > 0, diversity.network.degrees, 1.0)
    meeting = diversity.network.dense() / degrees[:, None]
    kernel = np.eye(k) if diversity.kernel is None else diversity.kernel
    gamma = np.broadcast_to(diversity.weight, (n,))
    return np.asarray(np.kron(gamma[:, None] * meeting, kernel), dtype=np.float64)


def _newton(
    problem: Conditions,
    x: FloatArray,
    z: FloatArray,
    level: FloatArray,
    mu: float,
    v: FloatArray,
    coupling: FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """One step towards x·z = μ: eliminates z, then agents, then the totals."""
    allowed = problem.allowed
    own, shared = problem.blocks(x)
    safe = np.where(allowed, x, 1.0)
    k = np.arange(x.shape[1])
    own[:, k, k] += z / safe
    right = np.where(allowed, v - level[:, None] + mu / safe, 0.0)
    short = 1.0 - x.sum(axis=1)
    solved = _eliminate(own, shared, right, short, allowed, problem.game, coupling)
    if solved is None:
        return None
    dx, dlevel = solved
    dz = np.where(allowed, (mu - x * z - z * dx) / safe, 0.0)
    return dx, dz, dlevel


def _eliminate(
    own: FloatArray,
    shared: FloatArray,
    right: FloatArray,
    short: FloatArray,
    on: BoolArray,
    game: AlignmentGame,
    coupling: FloatArray | None,
) -> tuple[FloatArray, FloatArray] | None:
    """Solve own·dx + shared·Σ n dx + 1·dλ = right, 1ᵀdx = short, dx = 0 off `on`."""
    n, k = right.shape
    mask = on.astype(np.float64)
    both = mask[:, :, None] * mask[:, None, :]
    border = np.zeros((n, k + 1, k + 1))
    border[:, :k, :k] = own * both
    index = np.arange(k)
    border[:, index, index] += 1.0 - mask
    border[:, :k, k] = mask
    border[:, k, :k] = mask
    try:
        if coupling is not None:
            return _solve_whole(border, right * mask, short, mask, shared, game, coupling)
        sides = np.zeros((n, k + 1, k + 1))
        sides[:, :k, 0] = right * mask
        sides[:, k, 0] = short
        sides[:, :k, 1:] = shared * mask[:, :, None]
        parts = np.linalg.solve(border, sides)
        counts = game.agents.counts.astype(np.float64)
        total = np.linalg.solve(
            np.eye(k) + np.einsum("i,ijk->jk", counts, parts[:, :k, 1:]),
            counts @ parts[:, :k, 0],
        )
        found = parts[:, :, 0] - parts[:, :, 1:] @ total
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(found).all():
        return None
    return np.asarray(found[:, :k] * mask), np.asarray(found[:, k])


def _solve_whole(
    border: FloatArray,
    right: FloatArray,
    short: FloatArray,
    mask: FloatArray,
    shared: FloatArray,
    game: AlignmentGame,
    coupling: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    n, k = right.shape
    size = k + 1
    matrix = np.zeros((n * size, n * size))
    flat = mask.reshape(-1)
    rows = (np.arange(n)[:, None] * size + np.arange(k)).reshape(-1)
    cross = coupling + np.kron(np.ones((1, n)), np.concatenate(list(shared)))
    matrix[np.ix_(rows, rows)] = cross * flat[:, None] * flat[None, :]
    for i in range(n):
        here = slice(i * size, (i + 1) * size)
        matrix[here, here] += border[i]
    del game  # a network excludes types: every count is 1
    side = np.concatenate([right, short[:, None]], axis=1).reshape(-1)
    found = np.linalg.solve(matrix, side).reshape(n, size)
    return np.asarray(found[:, :k] * mask), np.asarray(found[:, k])


def _on_support(
    problem: Conditions, x: FloatArray, coupling: FloatArray | None
) -> FloatArray | None:
    """Set what is zero to zero and solve the conditions on the rest (Newton, a few steps)."""
    kl = problem.game.term(KLConsistency)
    allowed = problem.allowed
    v = problem.gradient(x)
    level = (v * x).sum(axis=1, keepdims=True)
    slack = np.where(allowed, level - v, np.inf)
    scale = max(float(np.abs(np.where(allowed, v, 0.0)).max()), 1e-300)
    on = allowed & (x > np.minimum(np.maximum(slack, 0.0) / scale, 1e-6))
    if kl is not None:
        weight = kl.weight[:, None] if kl.weight.ndim else kl.weight
        on |= allowed & np.broadcast_to(weight > 0, x.shape)
    y = np.where(on, np.maximum(x, 1e-305), 0.0)
    y = y / y.sum(axis=1, keepdims=True)
    for _ in range(30):
        v = problem.gradient(y)
        served = np.where(on, v, 0.0)
        level = served.sum(axis=1) / on.sum(axis=1)
        own, shared = problem.blocks(y)
        right = np.where(on, v - level[:, None], 0.0)
        solved = _eliminate(own, shared, right, np.zeros(len(y)), on, problem.game, coupling)
        if solved is None:
            return None
        dx = solved[0]
        # Stay positive where a logarithm or a ratio needs it.
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where((dx < 0) & on, -y / dx, np.inf)
        factor = min(1.0, 0.9 * float(reach.min())) if reach.min() < 1.0 else 1.0
        if factor < 1e-6:
            return None
        y = np.where(on, y + factor * dx, 0.0)
        y = y / y.sum(axis=1, keepdims=True)
        if float(np.abs(dx).max()) < 1e-15:
            break
    v = problem.gradient(y)
    before = _gap(problem.gradient(x), x, allowed)
    return y if _gap(v, y, allowed) <= before else None


def _gap(v: FloatArray, x: FloatArray, allowed: BoolArray) -> float:
    best = np.where(allowed, v, -np.inf).max(axis=1, keepdims=True)
    if not np.isfinite(best).all():
        return np.inf
    return float(np.where(allowed & (x > 0), x * (best - v), 0.0).sum(axis=1).max())
