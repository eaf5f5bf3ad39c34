r"""Floor prices by Newton's method: a complementarity problem in the prices, then the game afresh.

Where supports do not change, coverage is affine in prices (R7), so each step solves a linear
complementarity problem in the K prices and then the game. It follows one equilibrium.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import pivot
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.sensitivity import coverage_line
from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.inclusion.priced_game import MET, Found, residual, with_prices

__all__ = ["by_newton", "in_stages"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_STEPS = 60


def _solve(game: AlignmentGame, prices: FloatArray, start: Profile | None = None) -> Equilibrium:
    """Solve the priced game; inner answers may be rough, the last one is certified."""
    tol = 1e-9 if game.affine is not None else 1e-12
    priced = with_prices(game, prices)
    return solve(priced, tol=tol, starts=0, start=start, on_failure="return")


def by_newton(
    game: AlignmentGame, floors: FloatArray, prices: FloatArray | None = None
) -> tuple[Found | None, int]:
    """Linearise coverage on the supports, solve for prices, solve the game afresh, repeat."""
    wanted = np.flatnonzero(floors > 0)
    prices = np.zeros(floors.size) if prices is None else prices
    after = _solve(game, prices)
    steps, best, stalled = 1, np.inf, 0
    while steps < MAX_STEPS:
        if after.outcome is not Outcome.solved and game.affine is not None:
            return None, steps
        off = residual(prices, after.profile.coverage, floors)
        if off <= 1e-14 or (off <= MET / 10 and off >= 0.5 * best):
            return _finish(game, prices, floors), steps + 1
        stalled = 0 if off < 0.9 * best else stalled + 1
        best = min(best, off)
        if stalled > 12:
            return None, steps
        line = _line(game, prices, after, floors)
        if line is None:
            return None, steps
        block, short = line[1][np.ix_(wanted, wanted)], line[0][wanted] - floors[wanted]
        target = _complementary(block, short, prices[wanted], _most(after))
        if target is None:
            return None, steps
        direction = np.zeros(floors.size)
        direction[wanted] = target - prices[wanted]
        prices, after, more = _search(game, prices, direction, after, floors)
        steps += more
    return None, steps


def _finish(game: AlignmentGame, prices: FloatArray, floors: FloatArray) -> Found | None:
    """Solve the priced game from scratch: certified, and other equilibria looked for."""
    try:
        after = solve(with_prices(game, prices))
    except NotSolved:
        return None
    return (prices, after) if residual(prices, after.profile.coverage, floors) <= MET else None


def _line(
    game: AlignmentGame, prices: FloatArray, after: Equilibrium, floors: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Return coverage and its slope in the prices, where groups below their floor may enter."""
    form = after.game.affine
    if form is None:
        return after.profile.coverage, _differences(game, prices, after)
    served = after.profile.array > 0
    missing = (floors > 0) & ~served.any(axis=0)
    if missing.any():
        served = served.copy()
        for k in np.flatnonzero(missing):
            served[_nearest_to_enter(after, int(k)), k] = True
    line = coverage_line(form, served)
    if line is None:
        if form.network is None:
            return None
        return after.profile.coverage, _differences(game, prices, after)
    return line.at, line.slope


def _nearest_to_enter(after: Equilibrium, k: int) -> BoolArray:
    """Return the agents that would take up group k at the lowest price."""
    v = after.game.gradients(after.profile)
    price = (v * after.profile.array).sum(axis=1) - v[:, k]
    least = float(price.min())
    return np.asarray(price <= least + 1e-9 * (1.0 + abs(least)))


def _differences(game: AlignmentGame, prices: FloatArray, after: Equilibrium) -> FloatArray:
    """Return the slope of coverage in the prices by differences, (groups, groups)."""
    n = prices.size
    v = after.game.gradients(after.profile)
    finite = v[np.isfinite(v)]
    h = 1e-5 * max(1e-3, float(np.ptp(finite)) if finite.size else 1.0)
    slope = np.empty((n, n))
    for k in range(n):
        moved = prices.copy()
        moved[k] += h
        there = _solve(game, moved, after.profile).profile.coverage
        slope[:, k] = (there - after.profile.coverage) / h
    return slope


def _most(after: Equilibrium) -> float:
    """Return a price no group needs: R12's bound for a price player, with room for wrong steps."""
    spread = after.certificate.utility_range
    finite = spread[np.isfinite(spread)]
    return 100.0 * len(after.game.groups) * float(finite.max() if finite.size else 1.0)


def _complementary(
    slope: FloatArray, at: FloatArray, prices: FloatArray, most: float
) -> FloatArray | None:
    """Return z in [0, most] with 0 ≤ z ⟂ at + slope (z − prices) ≥ 0, or None.

    Floors that sum to 1 leave a common constant free: a little extra slope pins it.
    """
    q = at - slope @ prices
    if (q >= 0).all():
        return np.zeros_like(prices)
    scale = max(float(np.abs(slope).max()), 1e-300)
    for lift in (0.0, 1e-10, 1e-6, 1e-3):
        matrix = slope / scale + lift * np.eye(q.size)
        found = pivot(matrix, q, np.ones(q.size))
        if found is not None:
            with np.errstate(over="ignore"):
                z = found[0] / scale
            if np.isfinite(z).all() and z.max() <= max(most, float(prices.max())):
                return np.maximum(z, 0.0)
    return None


def _search(
    game: AlignmentGame,
    prices: FloatArray,
    direction: FloatArray,
    after: Equilibrium,
    floors: FloatArray,
) -> tuple[FloatArray, Equilibrium, int]:
    r"""Step along a direction until :math:`(\bar x - \tau)\cdot d` is near zero.

    It is the slope of the dual of R12 where there is a potential, and rises along the step.
    """
    before = residual(prices, after.profile.coverage, floors)
    slope0 = float((after.profile.coverage - floors) @ direction)
    low, high, f_low, f_high = 0.0, 1.0, slope0, 0.0
    t = 1.0
    for step in range(1, 16):
        there = np.maximum(prices + t * direction, 0.0)
        answer = _solve(game, there, after.profile)
        slope = float((answer.profile.coverage - floors) @ direction)
        small = residual(there, answer.profile.coverage, floors) <= 0.5 * before
        if small or slope0 >= 0 or abs(slope) <= 0.1 * abs(slope0):
            return there, answer, step
        if slope > 0:
            high, f_high = t, slope
        elif t < high or step > 6:
            low, f_low = t, slope
            if high <= low:
                return there, answer, step
        else:
            # The floor is further than the linear answer says: the group has yet to enter.
            low, f_low, t = t, slope, 2.0 * t
            high, f_high = t, 0.0
            continue
        share = -f_low / (f_high - f_low) if f_high > f_low else 0.5
        t = low + (high - low) * min(0.9, max(0.1, share))
    return there, answer, 15


def in_stages(game: AlignmentGame, floors: FloatArray) -> tuple[Found | None, int]:
    """Raise the floors from today's coverage to the goal, each stage from the last one's prices."""
    now = _solve(game, np.zeros(floors.size)).profile.coverage
    prices = np.zeros(floors.size)
    steps, t, width = 1, 0.0, 0.25
    found: Found | None = None
    while t < 1.0:
        there = min(1.0, t + width)
        stage = np.where(floors > 0, np.minimum(floors, now + there * (floors - now)), 0.0)
        stage = np.maximum(stage, np.where(floors > 0, floors * there, 0.0))
        found, more = by_newton(game, stage, prices)
        steps += more
        if found is None:
            width /= 4
            if width < 1e-3:
                return None, steps
            continue
        t, prices, width = there, found[0], min(0.5, 2 * width)
    return found, steps
