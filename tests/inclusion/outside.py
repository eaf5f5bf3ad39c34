"""Plans judged from outside: levers, costs and goals written down again, optimised by SciPy.

Nothing here calls a lever's own algebra: the changed game is built from its terms, its equilibria
are solved afresh (all of them by enumeration where there may be several), the goal is checked by
hand, and SciPy's global optimiser looks for a cheaper setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

import equipoise as eq
from tests.equilibrium.brute_force import all_equilibria
from tests.equilibrium.witnesses import stated

FloatArray = NDArray[np.float64]
evolve: Any = scipy.optimize.differential_evolution

MET = 1e-9
AGREE = 1e-6


@dataclass(frozen=True, eq=False)
class Outside:
    """A lever written down again: raw numbers in a box → (changed game, cost of a profile)."""

    low: FloatArray
    high: FloatArray
    make: Callable[[FloatArray], tuple[eq.AlignmentGame, Callable[[FloatArray], float]]]
    setting: Callable[[FloatArray], FloatArray]
    """Raw numbers that stand for a setting of the library's lever."""


def _whole(p: FloatArray) -> FloatArray:
    """Turn positive numbers into mixtures."""
    q = np.maximum(p, 0.0)
    total = q.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, q / np.where(total > 0, total, 1.0), 1.0 / q.shape[-1]))


def prices(game: eq.AlignmentGame, most: float) -> Outside:
    """Pay for attention: every agent, per unit of weight."""
    k, own = len(game.groups), game.term(eq.Subsidy)
    before = np.zeros(k) if own is None else own.prices

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        return game.replace(eq.Subsidy(before + p)), lambda x: _paid(game, p, x)

    return Outside(np.zeros(k), np.full(k, most), make, lambda z: z)


def _paid(game: eq.AlignmentGame, p: FloatArray, x: FloatArray) -> float:
    return float(sum(n * (p @ row) for n, row in zip(game.agents.counts, x, strict=True)))


def anchors(game: eq.AlignmentGame, who: list[int] | None = None, common: bool = False) -> Outside:
    """Move targets: one common shift, or one each; always distributions."""
    kept = game.term(eq.Consistency)
    assert kept is not None
    n, k = len(game.agents), len(game.groups)
    c = np.array(np.broadcast_to(kept.anchor, (n, k)))
    held = np.flatnonzero(np.broadcast_to(kept.weight, (n,)) > 0)
    rows = held if who is None else np.array(who)
    counts = game.agents.counts[rows].astype(float)

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        fresh = c.copy()
        if common:
            z = p - p.mean()
            fresh[rows] = c[rows] + z
            if fresh.min() < -1e-12:
                return game, lambda x: np.inf
            fresh = np.maximum(fresh, 0.0)
        else:
            fresh[rows] = _whole(p.reshape(rows.size, k))
        cost = 0.5 * float(counts @ np.abs(fresh - c)[rows].sum(axis=1))
        return game.replace(eq.Consistency(fresh, kept.weight, kept.metric)), lambda x: cost

    if common:
        return Outside(-np.ones(k), np.ones(k), make, lambda z: z)
    size = rows.size * k
    return Outside(np.zeros(size), np.ones(size), make, lambda z: c[rows].ravel() + z)


def audience(
    game: eq.AlignmentGame, agreement: FloatArray, least: float = 0.5, most: float = 2.0
) -> Outside:
    """Count groups' attention otherwise than by their shares."""
    drawn, m = game.term(eq.Attractiveness), game.groups.shares
    assert drawn is not None

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        w = np.append(p, 1.0 - p.sum())
        if w[-1] < least * m[-1] - 1e-12 or w[-1] > most * m[-1] + 1e-12:
            return game, lambda x: np.inf
        values = np.array(drawn.values) + agreement.T @ (w - m)
        cost = 0.5 * float(np.abs(w - m).sum())
        return game.replace(eq.Attractiveness(values, drawn.weight)), lambda x: cost

    return Outside(least * m[:-1], most * m[:-1], make, lambda z: (m + z)[:-1])


def caps(game: eq.AlignmentGame, common: bool) -> Outside:
    """Lower attractiveness weights."""
    drawn, n = game.term(eq.Attractiveness), len(game.agents)
    assert drawn is not None
    now = np.array(np.broadcast_to(drawn.weight, (n,)))
    share = game.agents.counts / game.agents.counts.sum()

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        fresh = np.maximum(np.minimum(now, p[0]) if common else np.minimum(now, p), 0.0)
        cost = float(share @ np.abs(now - fresh))
        return game.replace(eq.Attractiveness(drawn.values, fresh)), lambda x: cost

    if common:
        return Outside(np.zeros(1), now.max()[None], make, lambda z: now.max() + z)
    return Outside(np.zeros(n), now, make, lambda z: now + z)


def diversity(game: eq.AlignmentGame, high: float) -> Outside:
    """Change the diversity weight of all."""
    term = game.term(eq.Diversity) or eq.Diversity(0.0)

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        fresh = eq.Diversity(term.weight + p[0], term.kernel, term.network)
        return game.replace(fresh), lambda x: float(abs(p[0]))

    return Outside(np.zeros(1), np.array([high]), make, lambda z: z)


def entry(game: eq.AlignmentGame) -> Outside:
    """One more agent, the average of those there are; its target is chosen."""
    n, k, m = len(game.agents), len(game.groups), game.groups.shares
    drawn, kept = game.term(eq.Attractiveness), game.term(eq.Consistency)
    apart = game.term(eq.Diversity)
    assert drawn is not None
    assert kept is not None
    assert apart is not None

    def grown(weight: FloatArray) -> FloatArray:
        each = np.broadcast_to(weight, (n,))
        return np.append(each, each.mean())

    def make(p: FloatArray) -> tuple[eq.AlignmentGame, Callable[[FloatArray], float]]:
        c = _whole(p)
        values = np.array(np.broadcast_to(drawn.values, (n, k)))
        held = np.array(np.broadcast_to(kept.anchor, (n, k)))
        rest = [t for t in game.terms if isinstance(t, eq.Subsidy)]
        fresh = eq.AlignmentGame(game.groups, n + 1, [
            eq.Attractiveness(np.vstack([values, values.mean(axis=0)]), grown(drawn.weight)),
            eq.Consistency(np.vstack([held, c]), grown(kept.weight), kept.metric),
            eq.Diversity(grown(apart.weight), apart.kernel),
            *rest,
        ])  # fmt: skip
        cost = 0.5 * float(np.abs(c - m).sum())
        return fresh, lambda x: cost

    return Outside(np.zeros(k), np.ones(k), make, lambda z: m + z)


def missed(game: eq.AlignmentGame, goal: eq.Goal, x: FloatArray) -> float:
    """Return by how much a profile misses a goal, in weight; 0: met."""
    counts = game.agents.counts
    cover = counts @ x / counts.sum()
    labels = game.groups.labels
    short = 0.0
    floors = goal.floors
    if isinstance(floors, dict):
        short = max(short, *(tau - cover[labels.index(g)] for g, tau in floors.items()))
    elif floors is not None:
        short = max(short, float((np.asarray(floors) - cover).max()))
    if goal.served_by:
        for k in range(len(labels)):
            each = np.sort(np.repeat(x[:, k], counts))[::-1]
            short = max(short, goal.weight - float(each[goal.served_by - 1]))
    if goal.max_distance is not None:
        away = float(np.abs(cover - game.groups.shares).sum())
        short = max(short, away - goal.max_distance)
    return max(0.0, float(short))


def equilibria(game: eq.AlignmentGame, *, all_of_them: bool) -> Iterator[FloatArray]:
    """Yield the equilibrium, or all isolated ones by enumeration."""
    if all_of_them:
        yield from all_equilibria(stated(game))[0]
        return
    try:
        yield eq.solve(game, starts=0).profile.array
    except eq.NotSolved:
        return


def cheapest(
    outside: Outside,
    goal: eq.Goal,
    settings: list[FloatArray],
    *,
    all_of_them: bool = False,
    grid: int = 9,
    rounds: int = 30,
    crowd: int = 8,
    seed: int = 0,
) -> float:
    """Return the least cost at which some equilibrium met the goal, over all points tried.

    The points: the settings given and steps from no change towards them, a grid where there are
    at most three numbers, and those of differential evolution.
    """
    best = np.inf

    def judge(p: FloatArray) -> float:
        nonlocal best
        game, cost = outside.make(np.asarray(p, dtype=np.float64))
        worth = np.inf
        for x in equilibria(game, all_of_them=all_of_them):
            away, price = missed(game, goal, x), cost(x)
            if away <= MET:
                best = min(best, price)
            worth = min(worth, price + 1e3 * away)
        return float(min(worth, 1e9))

    nothing = outside.setting(np.zeros_like(settings[0]))
    for z in settings:
        p = outside.setting(z)
        for t in (1.0, 0.9999, 0.99, 0.9, 0.5, 0.0):
            judge(nothing + t * (p - nothing))
    d = outside.low.size
    if d <= 3:
        lines = [np.linspace(a, b, grid) for a, b in zip(outside.low, outside.high, strict=True)]
        for point in np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, d):
            judge(point)
    raw = np.array([outside.setting(z) for z in settings])
    low = np.minimum(outside.low, raw.min(axis=0)) - 1e-9
    high = np.maximum(outside.high, raw.max(axis=0)) + 1e-9
    bounds = list(zip(low, high, strict=True))
    evolve(judge, bounds, maxiter=rounds, popsize=crowd, rng=seed, x0=raw[0], tol=1e-10,
           polish=False)  # fmt: skip
    return best


def check_least(plan: eq.Plan, least: float) -> None:
    """Fail where a point beats a plan marked least, or the bound that is claimed."""
    slack = AGREE * (1 + plan.cost)
    assert least >= plan.leastness.bound - slack, (least, plan.leastness)
    if plan.leastness.proved:
        assert plan.cost - plan.leastness.bound <= slack, plan.leastness
        assert least >= plan.cost - slack, (least, plan)
    assert least <= plan.cost + slack, "the plan's own point was not judged to meet the goal"
