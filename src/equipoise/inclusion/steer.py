"""Steering: the least change of a game's levers after which nobody is left out (R12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput, EquipoiseError, Infeasible
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.goals import MET, Goal
from equipoise.inclusion.held import where_it_holds
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import Prices, Together
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.robust import Robust, fit_to_box, fit_to_draws
from equipoise.inclusion.settle import Settled, settle

__all__ = ["steer"]

FloatArray = NDArray[np.float64]

SHADOWED = 2_000
"""Most rows × groups for which shadow prices are worked out."""


def steer(
    game: AlignmentGame,
    lever: Lever | None = None,
    *,
    goal: Goal | None = None,
    floors: float | Mapping[str, float] | None = None,
    draws: Sequence[AlignmentGame] = (),
    sure: float = 0.95,
    within: float = 0.0,
    seed: int = 0,
) -> Plan:
    r"""Find the least change of a lever after which a goal holds at equilibrium.

    Parameters
    ----------
    game : AlignmentGame
        The game as it is.
    lever : Lever, optional
        What may be changed; default floor prices, `Prices()`.
    goal : Goal, optional
        What has to hold; or give `floors`.
    floors : float or mapping of group to float, optional
        Short for `Goal(floors)`: least coverage.
    draws : sequence of AlignmentGame
        Joint draws of the game: the goal then has to hold in the share `sure` of them, and the
        plan says in how many of those it was not fitted on it does.
    sure : float
        Share of draws in which the goal has to hold.
    within : float
        The goal has to hold also when attractiveness, consistency and diversity weights are off
        by this share, each on its own, e.g. 0.1: checked at the corners and inside, not proved.
    seed : int
        Seed of random starts and of the split of the draws.

    Returns
    -------
    Plan
        Re-solved from scratch and certified. "Least" only where proved (see `leastness`); where
        the changed game has several equilibria, `held_in` says in which of those found it holds.

    Raises
    ------
    Infeasible
        No setting of the lever reaches the goal, with the nearest goal that it does reach.
    BadInput
        A goal no mixtures can meet, or a lever that does not fit the game.
    NotSolved
        The game as it is, or the changed game, could not be certified.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> plan = eq.steer(game("toy"), floors={"rural": 0.05})
    >>> {group: round(price, 12) for group, price in plan.change.items()}
    {'rural': 0.0725}
    >>> plan.leastness.word
    'least'
    """
    lever = Prices() if lever is None else lever
    goal = _goal(goal, floors)
    base = lever.base(game)
    goal.check(base)
    if not 0 < sure < 1:
        raise BadInput(f"sure: {sure:g} is not between 0 and 1; write e.g. 0.95")
    before = solve(game, seed=seed)
    robust: Robust | None = None
    if draws and within:
        raise BadInput("steer: give draws or within, not both")
    if within:
        robust = fit_to_box(game, lever, goal, within=within, seed=seed)
        found = robust.settled
    elif draws:
        robust = fit_to_draws(game, lever, goal, list(draws), sure=sure, seed=seed)
        found = robust.settled
    else:
        settled = settle(game, lever, goal, seed=seed)
        if settled is None:
            raise Infeasible(_out_of_reach(game, lever, goal, seed))
        found = settled
    plan = make_plan(game, lever, goal, found, before, seed=seed)
    if isinstance(lever, Together) and plan.cost > lever.budget * (1 + 1e-9):
        raise Infeasible(_over_budget(game, lever, goal, plan.cost, seed))
    if robust is not None:
        plan = dataclasses.replace(plan, robustness=robust.to_dict())
    elif plan.game.agents.total and len(game.agents) * len(game.groups) <= SHADOWED:
        plan = dataclasses.replace(plan, shadow_prices=_shadow_prices(game, lever, goal, plan))
    return plan


def _goal(goal: Goal | None, floors: float | Mapping[str, float] | None) -> Goal:
    if (goal is None) == (floors is None):
        raise BadInput('steer: say what has to hold, e.g. floors={"rural": 0.05} or goal=Goal(…)')
    if goal is not None:
        return goal
    assert floors is not None
    return Goal(floors)


def make_plan(
    game: AlignmentGame,
    lever: Lever,
    goal: Goal,
    found: Settled,
    before: Equilibrium,
    *,
    seed: int = 0,
) -> Plan:
    """Solve the changed game from scratch and say what the setting leads to."""
    changed = lever.apply(game, found.setting)
    after, held = where_it_holds(goal, solve(changed, seed=seed), found.profile)
    return Plan(
        lever=lever,
        goal=goal,
        setting=found.setting,
        change=lever.change(game, found.setting),
        cost=lever.cost(game, found.setting, after.profile),
        leastness=found.leastness,
        before=before,
        after=after,
        slack=goal.slack(changed, after.profile),
        held_in=held,
        shadow_prices={},
        robustness={},
        intervals=found.intervals,
    )


def _shadow_prices(game: AlignmentGame, lever: Lever, goal: Goal, plan: Plan) -> dict[str, float]:
    """Return d cost / d floor for the floors that bind, by differences of re-solved plans."""
    floors, out = goal.floor_array(game), {}
    coverage = plan.after.profile.coverage
    if not plan.leastness.proved:
        return {}
    for k in np.flatnonzero((floors > 0) & (coverage - floors < 1e-7)):
        step = 1e-4 * min(1.0, max(floors[k], 1e-2))
        if floors.sum() + step > 1:
            continue
        raised = floors.copy()
        raised[k] += step
        more = Goal(
            raised, served_by=goal.served_by, weight=goal.weight, max_distance=goal.max_distance
        )
        try:
            found = settle(game, lever, more)
        except EquipoiseError:
            continue
        if found is not None:
            after = found.profile or solve(lever.apply(game, found.setting), starts=0).profile
            rise = lever.cost(game, found.setting, after) - plan.cost
            out[game.groups.labels[k]] = float(rise / step)
    return out


def _out_of_reach(game: AlignmentGame, lever: Lever, goal: Goal, seed: int) -> str:
    """Say that a lever does not reach a goal, and the nearest goal that it does."""
    low, high, looked = 0.0, 1.0, 0
    cells = len(game.agents) * len(game.groups)
    # To half a percent of what is left of the goal; a count, not a clock, where that is dear.
    while high - low > 0.005 * (1 - high) and looked < (20 if cells <= SHADOWED else 3):
        looked += 1
        if low > 1 - 1e-6:
            break
        middle = 0.5 * (low + high)
        try:
            found = settle(game, lever, goal.eased(game, middle), seed=seed, effort=0.03)
        except EquipoiseError:
            found = None
        low, high = (low, middle) if found is not None else (middle, high)
    text = f"{lever.name}: no setting was found within its limits that reaches {goal.words(game)}"
    if high < 1.0:
        text += f"; the nearest found that it reaches is {goal.eased(game, high).words(game)}"
    return f"{text}. Allow more change, or take another lever"


def _over_budget(game: AlignmentGame, lever: Together, goal: Goal, cost: float, seed: int) -> str:
    """Say what a goal costs, and the nearest goal within the budget."""
    low, high = 0.0, 1.0
    for _ in range(10):
        middle = 0.5 * (low + high)
        try:
            found = settle(game, lever, goal.eased(game, middle), seed=seed, effort=0.03)
        except EquipoiseError:
            found = None
        dear = True
        if found is not None:
            after = found.profile or solve(lever.apply(game, found.setting), starts=0).profile
            dear = lever.cost(game, found.setting, after) > lever.budget + MET
        low, high = (middle, high) if dear else (low, middle)
    nearest = goal.eased(game, high).words(game)
    return (
        f"together: the goal costs {cost:.6g}, the budget is {lever.budget:.6g}; within it the "
        f"nearest goal is {nearest}"
    )
