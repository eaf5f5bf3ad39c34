r"""Floor prices (R12): :math:`0 \le \delta_k \perp \bar x_k(\delta) - \tau_k \ge 0`.

A price on every unit of attention a group gets, paid alike to all agents; groups that are paid
end exactly at their floor. Where supports do not change, coverage is affine in prices (R7), so
each step solves a linear complementarity problem in the K prices and then the game afresh. Small
affine games have a second way: pivoting on the game and a price player together.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import SIZE_LIMIT, pivot, polish, stacked
from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.sensitivity import coverage_line
from equipoise.equilibrium.solve import solve
from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.errors import NotSolved
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Subsidy
from equipoise.inclusion.reach import reachable

__all__ = ["Priced", "floor_prices", "with_prices"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MET = 1e-9
"""A floor counts as met when coverage is at most this below it."""

MAX_STEPS = 60


@final
@dataclass(frozen=True, eq=False)
class Priced:
    """Prices that bring coverage to its floors, with the equilibrium they lead to.

    Attributes
    ----------
    prices : (groups,) array
        On top of the game's own, utility per unit of weight.
    after : Equilibrium
        Of the priced game, solved afresh and certified.
    method : str
        How the prices were found.
    steps : int
        Games solved on the way.
    """

    prices: FloatArray
    after: Equilibrium
    method: str
    steps: int


def with_prices(game: AlignmentGame, prices: FloatArray) -> AlignmentGame:
    """Return the game with `prices` on top of its own, (groups,)."""
    own = game.term(Subsidy)
    return game.replace(Subsidy(prices if own is None else own.prices + prices))


def floor_prices(game: AlignmentGame, floors: FloatArray) -> Priced:
    r"""Find prices with :math:`0 \le \delta_k \perp \bar x_k - \tau_k \ge 0` (R12).

    Parameters
    ----------
    game : AlignmentGame
        Any game; affine ones are solved to rounding, others to about 1e-9.
    floors : (groups,) array
        :math:`\tau_k \ge 0`, least coverage of each group; their sum at most 1.

    Returns
    -------
    Priced
        Where prices are not unique because the floors sum to 1, the smallest. Not guaranteed:
        that no other prices cost less (R12c says when they do not), nor, where the priced game
        has several equilibria, that the floors hold in all of them.

    Raises
    ------
    BadInput
        Floors that no prices can reach.
    NotSolved
        No complementary prices were found.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> floor_prices(game("toy"), np.array([0.0, 0.0, 0.05])).prices.round(12)
    array([0.    , 0.    , 0.0725])
    """
    reachable(game, floors).refuse()
    steps = 0
    # Where equilibria may jump, pivoting follows all of them; Newton's method follows one.
    alone = uniqueness(game).verdict == "proved"
    for way in (_newton, _in_stages, _joint) if alone else (_joint, _newton):
        found, more = way(game, floors)
        steps += more
        if found is None:
            continue
        prices, after = found
        smaller = _without_constant(game, floors, prices, after)
        if smaller is not None:
            prices, after = smaller
        if _off(prices, after.profile.coverage, floors) <= MET:
            return Priced(prices, after, _METHODS[way.__name__], steps)
    raise NotSolved(
        "no complementary floor prices were found: this game's equilibria jump as prices rise; "
        "give it more curvature (a larger consistency weight), or try another lever"
    )


_METHODS = {
    "_newton": "Newton's method on the prices (R12)",
    "_in_stages": "floors raised in stages (R12)",
    "_joint": "pivoting on the game and its prices together (R12)",
}

Found = tuple[FloatArray, Equilibrium]


def _solve(game: AlignmentGame, prices: FloatArray, start: Profile | None = None) -> Equilibrium:
    """Solve the priced game; inner answers may be rough, the last one is certified."""
    tol = 1e-9 if game.affine is not None else 1e-12
    priced = with_prices(game, prices)
    return solve(priced, tol=tol, starts=0, start=start, on_failure="return")


def _off(prices: FloatArray, coverage: FloatArray, floors: FloatArray) -> float:
    """Return the size of the complementarity residual min(δ, x̄ − τ), where floors are set."""
    slack = coverage - floors
    residual = np.where(floors > 0, np.minimum(prices, slack), 0.0)
    return float(np.abs(residual).max())


def _newton(
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
        off = _off(prices, after.profile.coverage, floors)
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
    return (prices, after) if _off(prices, after.profile.coverage, floors) <= MET else None


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
    before = _off(prices, after.profile.coverage, floors)
    slope0 = float((after.profile.coverage - floors) @ direction)
    low, high, f_low, f_high = 0.0, 1.0, slope0, 0.0
    t = 1.0
    for step in range(1, 16):
        there = np.maximum(prices + t * direction, 0.0)
        answer = _solve(game, there, after.profile)
        slope = float((answer.profile.coverage - floors) @ direction)
        small = _off(there, answer.profile.coverage, floors) <= 0.5 * before
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


def _in_stages(game: AlignmentGame, floors: FloatArray) -> tuple[Found | None, int]:
    """Raise the floors from today's coverage to the goal, each stage from the last one's prices."""
    now = _solve(game, np.zeros(floors.size)).profile.coverage
    prices = np.zeros(floors.size)
    steps, t, width = 1, 0.0, 0.25
    found: Found | None = None
    while t < 1.0:
        there = min(1.0, t + width)
        stage = np.where(floors > 0, np.minimum(floors, now + there * (floors - now)), 0.0)
        stage = np.maximum(stage, np.where(floors > 0, floors * there, 0.0))
        found, more = _newton(game, stage, prices)
        steps += more
        if found is None:
            width /= 4
            if width < 1e-3:
                return None, steps
            continue
        t, prices, width = there, found[0], min(0.5, 2 * width)
    return found, steps


def _joint(game: AlignmentGame, floors: FloatArray) -> tuple[Found | None, int]:
    """Pivot on the agents' conditions and the price player's together (small affine games)."""
    form = game.affine
    rows, n = len(game.agents), len(game.groups)
    wanted = np.flatnonzero(floors > 0)
    if form is None or rows * (n + 1) + wanted.size > SIZE_LIMIT:
        return None, 0
    a, s = stacked(form)
    scale = max(float(np.abs(a).max()), float(np.ptp(s)), 1e-300)
    a, s = a / scale, s / scale
    size = rows * (n + 1) + wanted.size
    m, q = np.zeros((size, size)), np.zeros(size)
    row, level = np.arange(rows * n), rows * n + np.repeat(np.arange(rows), n)
    m[: rows * n, : rows * n] = a + (1.0 - a.min())
    m[row, level], m[level, row] = -1.0, 1.0
    q[: rows * n], q[rows * n : rows * (n + 1)] = s.max() - s, -1.0
    share = form.agents.counts / form.agents.total
    for j, k in enumerate(wanted):
        price = rows * (n + 1) + j
        m[k : rows * n : n, price] = -1.0
        m[price, k : rows * n : n] = share
        q[price] = -floors[k]
    for seed in range(6):
        cover = np.ones(size) if not seed else np.random.default_rng(seed).uniform(0.2, 1.0, size)
        found = pivot(m, q, cover)
        if found is None:
            continue
        prices = np.zeros(n)
        prices[wanted] = np.maximum(found[0][rows * (n + 1) :], 0.0) * scale
        x = np.maximum(found[0][: rows * n].reshape(rows, n), 0.0)
        if not (x.sum(axis=1) > 0.5).all():
            continue
        done = _exact(game, form, prices, x, floors)
        if done is not None:
            return done, seed + 1
    return None, 6


def _exact(
    game: AlignmentGame, form: AffineForm, prices: FloatArray, x: FloatArray, floors: FloatArray
) -> Found | None:
    """Set the paid groups exactly to their floors on the supports found, and solve afresh."""
    line = coverage_line(form, x > 1e-9)
    paid = prices > 1e-12 * (1.0 + float(prices.max()))
    if line is not None and paid.any():
        block = line.slope[np.ix_(paid, paid)]
        fresh = np.zeros_like(prices)
        fresh[paid] = np.linalg.lstsq(block, floors[paid] - line.at[paid], rcond=None)[0]
        if (fresh >= -1e-12).all() and np.abs(fresh - prices).max() <= 1e-6 * (1 + prices.max()):
            prices = np.maximum(fresh, 0.0)
    priced = with_prices(game, prices)
    assert priced.affine is not None
    after = _certified(priced, polish(priced.affine, x / x.sum(axis=1, keepdims=True)))
    if after is None or _off(prices, after.profile.coverage, floors) > MET:
        return None
    return prices, after


def _certified(game: AlignmentGame, x: FloatArray) -> Equilibrium | None:
    """Return a profile as an equilibrium, the others that `solve` finds beside it."""
    began = time.perf_counter()
    exam = certify(game, game.profile(x))
    if exam.max_relative_gap > MET:
        return None
    solved = solve(game, on_failure="return")
    others = tuple(
        one
        for one in solved.found
        if one.outcome is Outcome.solved and np.abs(one.profile.array - x).max() > 1e-6
    )
    if others and exam.uniqueness.verdict == "unknown":
        exam = dataclasses.replace(exam, uniqueness=others[0].certificate.uniqueness)
    record = dataclasses.replace(
        solved.record,
        solver="complementary pivoting (Lemke)",
        reason="the game and a price player together (R12)",
        seconds=time.perf_counter() - began,
    )
    return Equilibrium(game, exam.profile, exam, Outcome.solved, record, others)


def _without_constant(
    game: AlignmentGame, floors: FloatArray, prices: FloatArray, after: Equilibrium
) -> Found | None:
    """Take off what is paid alike for every group where the floors leave no room (sum 1)."""
    paid = prices > 0
    if not paid.any() or float(floors[paid].sum()) < 1.0 - 1e-12:
        return None
    spare = float(prices[paid].min())
    if not paid.all():
        v = after.game.gradients(after.profile)
        level = (v * after.profile.array).sum(axis=1)
        spare = min(spare, float((level[:, None] - v[:, ~paid]).min()))
    if spare <= 0:
        return None
    smaller = np.where(paid, prices - spare, 0.0)
    # Everybody's best groups stay the best: the profile is an equilibrium of this game, too.
    kept = _certified(with_prices(game, smaller), after.profile.array)
    return None if kept is None else (smaller, dataclasses.replace(kept, record=after.record))
