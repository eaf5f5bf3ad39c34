"""Which setting of a lever meets a goal at the least cost: the method that fits is chosen.

Prices for floors go by R12; levers that move scores linearly by branch and bound over supports;
one knob by a scan; everything else is searched.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.errors import EquipoiseError
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.inclusion.anchor_starts import anchor_starts
from equipoise.inclusion.conditions import conditions
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.lever_weights import DiversityWeight
from equipoise.inclusion.levers import Anchors, Prices, Together
from equipoise.inclusion.mend import elsewhere, refined
from equipoise.inclusion.plan import Leastness
from equipoise.inclusion.price_plan import least_prices
from equipoise.inclusion.scan import Interval, scan
from equipoise.inclusion.search import search
from equipoise.inclusion.supports import least_setting
from equipoise.inclusion.trial import Bench, Trial

__all__ = ["Settled", "settle"]

FloatArray = NDArray[np.float64]

SAME = 1e-6
"""Costs this close, relative to 1 + cost, count as equal in a proof by branch and bound."""

DUST = 1e-9
"""Parts of a setting smaller than this are left out where the goal holds without them."""

KEPT = 6
"""Times a setting found is improved on the supports it led to."""

SEARCHED = 80
"""Most knobs a local search takes at once."""


@final
@dataclass(frozen=True, eq=False)
class Settled:
    """A setting that meets the goal, with what is known of cheaper ones."""

    setting: FloatArray
    leastness: Leastness
    intervals: tuple[Interval, ...] = ()
    profile: Profile | None = None
    """The equilibrium at which the goal was seen to hold: the changed game may have others."""


def settle(
    game: AlignmentGame, lever: Lever, goal: Goal, *, seed: int = 0, effort: float = 1.0
) -> Settled | None:
    """Return the cheapest setting known, or None where none that meets the goal was found.

    `effort` limits local searches, where they are needed.

    Raises
    ------
    BadInput
        The lever does not fit the game.
    NotSolved
        Prices: no complementary prices were found.
    """
    bench = Bench(game, lever, goal)
    found = _settled(bench, seed, effort)
    if found is None or found.profile is not None:
        return found
    trial = bench.at(found.setting)
    if trial is None:
        return found
    # What optimisers leave at rounding size is no advice.
    dust = np.abs(found.setting) < DUST
    if found.setting[dust].any():
        clean = bench.at(np.where(dust, 0.0, found.setting))
        if clean is not None and clean.met and clean.cost <= trial.cost + DUST:
            trial = clean
    return dataclasses.replace(found, setting=trial.setting, profile=trial.profile)


def _settled(bench: Bench, seed: int, effort: float) -> Settled | None:
    game, lever, goal = bench.game, bench.lever, bench.goal
    knobs = lever.box(game)[0].size
    now = bench.at(np.zeros(knobs))
    if now is not None and now.met:
        return Settled(np.zeros(knobs), Leastness(True, 0.0, "the goal holds as it is"))
    if isinstance(lever, Prices) and goal.only_floors:
        plan = least_prices(game, lever, goal, seed=seed, effort=min(effort, 0.25))
        if plan is None:
            return None
        prices, leastness, priced = plan
        return Settled(prices, leastness, profile=priced.after.profile)
    linear = _by_supports(game, lever, goal, bench)
    if linear is not None and (linear[0] is None or linear[0].leastness.proved):
        return linear[0]
    if knobs == 1:
        return _by_scan(game, lever, bench, goal) or (None if linear is None else linear[0])
    return _by_search(bench, linear, seed, effort)


def _by_supports(
    game: AlignmentGame, lever: Lever, goal: Goal, bench: Bench
) -> tuple[Settled | None, float] | None:
    """Branch and bound over supports; return (answer or None: impossible, bound), or None."""
    small = len(game.agents) * len(game.groups) <= 400
    given = conditions(game, lever) if small else None
    if given is None:
        return None
    unit = lever.per_unit(game)
    exact = unit is not None
    if unit is None:
        unit = _price_unit(game, lever, goal)
    found = least_setting(game, given, goal, unit)
    if found is None:
        return None
    if found.setting is None or found.served is None:
        return None, np.inf
    setting = refined(game, given, goal, unit, bench, found.setting, found.served)
    if setting is None:
        other = elsewhere(given, unit, bench, found)
        if other is None:
            return None
        why = "branch and bound over who serves whom; it holds in one of several equilibria only"
        leastness = Leastness(False, max(0.0, found.bound), why)
        return Settled(other[0], leastness, profile=other[1]), found.bound
    trial = bench.at(setting)
    assert trial is not None
    proved = trial.cost - found.bound <= SAME * (1 + trial.cost)
    if proved:
        why = f"branch and bound over who serves whom: nothing costs less than {found.bound:.9g}"
    else:
        why = "branch and bound over who serves whom" + ("" if exact else ", budget from below")
    return Settled(setting, Leastness(proved, max(0.0, found.bound), why)), found.bound


def _price_unit(game: AlignmentGame, lever: Lever, goal: Goal) -> FloatArray:
    """Return unit costs that are too low where prices are among them: a price buys its floor."""
    floors = goal.floor_array(game)
    units = []
    for part in lever.levers if isinstance(lever, Together) else (lever,):
        unit = part.per_unit(game)
        if unit is None:
            assert isinstance(part, Prices)
            unit = part.price * game.agents.total * floors
        units.append(unit)
    return np.concatenate(units)


def _by_scan(game: AlignmentGame, lever: Lever, bench: Bench, goal: Goal) -> Settled | None:
    seen = scan(bench)
    change = seen.nearest()
    if change is None:
        return None
    setting = np.array([change])
    proof = _diversity_proof(game, lever, bench, goal, change)
    if proof is not None:
        return Settled(np.array([proof[0]]), proof[1], seen.intervals)
    why = f"scanned at {seen.knob.size} points; narrower intervals could be missed"
    return Settled(setting, Leastness(False, 0.0, why), seen.intervals)


def _diversity_proof(
    game: AlignmentGame, lever: Lever, bench: Bench, goal: Goal, change: float
) -> tuple[float, Leastness] | None:
    r"""Prove the least diversity of identical agents with S = I from R6's own inequality (R12c).

    Floor k holds iff :math:`\varphi_k(h) = \sum_l (s_l - s_k + h\tau_k)_+ - h \le 0`, convex in
    h: the least h is the root, and every smaller h in the uniqueness region fails.
    """
    form = game.affine
    if not isinstance(lever, DiversityWeight) or not goal.only_floors or form is None or change < 0:
        return None
    plain = form.identical and form.kernel_scale is not None and form.network is None
    changed = bench.apply(np.array([change]))
    own = form.scalar_curvature
    if not plain or own is None or changed is None or not form.coupled and form.gamma.any():
        return None
    if uniqueness(game).verdict != "proved" or uniqueness(changed).verdict != "proved":
        return None
    sigma = form.kernel_scale
    assert sigma is not None
    scores, floors = form.scores[0], goal.floor_array(game)
    start = float(own[0] + sigma * form.gamma[0])

    def excess(h: float) -> float:
        lifted = scores[None, :] - scores[:, None] + (h * floors)[:, None]
        return float((np.maximum(lifted, 0).sum(axis=1) - h)[floors > 0].max())

    low, high = start, float(own[0] + sigma * (form.gamma[0] + change))
    if excess(low) <= 0:
        return None
    for _ in range(200):
        if excess(high) <= 0:
            break
        high += 1e-12 * max(1.0, abs(high))
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if excess(middle) > 0:
            low = middle
        else:
            high = middle
    least = (high - start) / sigma
    why = (
        "identical agents with S = I: a floor fails exactly where the convex "
        f"Σ(s_l − s_k + hτ)₊ − h is positive, and it is for every h from {start:.6g} up to "
        f"{high:.9g} (R6, R12c)"
    )
    return least, Leastness(True, lever.price * least, why)


def _by_search(
    bench: Bench, linear: tuple[Settled | None, float] | None, seed: int, effort: float
) -> Settled | None:
    game, lever, goal = bench.game, bench.lever, bench.goal
    starts = [linear[0].setting] if linear is not None and linear[0] is not None else []
    starts += anchor_starts(bench)
    if isinstance(lever, Together):
        starts += _alone(game, lever, goal, seed, effort)
    bound = 0.0 if linear is None else max(0.0, linear[1])
    knobs = lever.box(game)[0].size
    if knobs <= SEARCHED:
        best = search(bench, starts, seed=seed, effort=effort)
        why = "searched from several starts"
    else:
        tried = [trial for trial in map(bench.at, starts) if trial is not None and trial.met]
        best = min(tried, key=lambda trial: trial.cost, default=None)
        why = f"too many knobs to search ({knobs}); pushed along the floor prices of R12"
        if isinstance(lever, Anchors) and not lever.common:
            one = settle(game, Anchors(lever.who, common=True, price=lever.price), goal, seed=seed)
            if one is not None:
                movers = lever.movers(game).size
                trial = bench.at(np.tile(one.setting, movers))
                if trial is not None and trial.met and (best is None or trial.cost < best.cost):
                    best, why = trial, "one shift for all, searched: there are too many to move"
    if best is None:
        return None if linear is None else linear[0]
    best = _on_its_supports(bench, best)
    proved = bound > 0 and best.cost - bound <= SAME * (1 + best.cost)
    if bound > 0 and not proved:
        why += f"; no setting costs less than {bound:.6g}"
    return Settled(best.setting, Leastness(proved, bound, why))


def _on_its_supports(bench: Bench, best: Trial) -> Trial:
    """Take the least setting that keeps who serves whom, as long as that is cheaper."""
    game, lever, goal = bench.game, bench.lever, bench.goal
    unit = lever.per_unit(game)
    small = len(game.agents) * len(game.groups) <= 400
    given = conditions(game, lever) if small and unit is not None else None
    for _ in range(KEPT if given is not None else 0):
        served = best.profile.array > 0
        if given is None or unit is None or given.rows != len(served):
            break
        found = least_setting(game, given, goal, unit, served=served)
        if found is None or found.setting is None:
            break
        setting = refined(game, given, goal, unit, bench, found.setting, served)
        trial = None if setting is None else bench.at(setting)
        if trial is None or not trial.met or trial.cost >= best.cost - DUST:
            break
        best = trial
    return best


def _alone(
    game: AlignmentGame, lever: Together, goal: Goal, seed: int, effort: float
) -> list[FloatArray]:
    """Return what each lever does alone, the others at rest: together they cost no more."""
    sizes = [part.box(game)[0].size for part in lever.levers]
    starts = []
    for j, part in enumerate(lever.levers):
        try:
            found = settle(game, part, goal, seed=seed, effort=min(effort, 0.1))
        except EquipoiseError:
            continue
        if found is not None:
            rest = [np.zeros(size) for size in sizes]
            rest[j] = found.setting
            starts.append(np.concatenate(rest))
    return starts
