"""What a plan says of itself, recomputed by hand from the terms of the game."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.equilibrium.sensitivity import coverage_line
from equipoise.errors import EquipoiseError, Infeasible
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.advice import advice, full_advice
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.lever_table import compare_levers, usual_levers
from equipoise.inclusion.levers import (
    Anchors,
    AttractivenessCap,
    Audience,
    DiversityWeight,
    Entry,
    Prices,
    Together,
)
from equipoise.inclusion.plan_path import plan_path
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import stated
from tests.inclusion.outside import missed

FloatArray = NDArray[np.float64]
AGREEMENT = np.array([[0.8, 0.3, 0.1], [0.3, 0.7, 0.3], [0.1, 0.3, 0.9]])
EVERY: list[Lever] = [
    Prices(), Anchors(), Anchors(["model-a"]), Anchors(common=True), DiversityWeight(),
    DiversityWeight(common=False), AttractivenessCap(), AttractivenessCap(common=False),
    Audience(AGREEMENT), Entry(), Entry("third", like="model-b"),
    Together([AttractivenessCap(), DiversityWeight()]), Together([Prices(), Anchors()]),
    Together([Entry(), Prices()]), Together([Anchors(), Entry()]),
    Together([Entry(), Anchors()]),
]  # fmt: skip
FLOOR = eq.Goal({"rural": 0.05})


def utilities(game: eq.AlignmentGame, x: FloatArray) -> FloatArray:
    """Return α⟨a, x⟩ − β/2 ‖x − c‖² − γ⟨x, o⟩ agent by agent, for the toy's terms."""
    drawn, kept = game.term(eq.Attractiveness), game.term(eq.Consistency)
    apart = game.term(eq.Diversity)
    assert drawn is not None
    assert kept is not None
    assert apart is not None
    n = len(x)
    others = (x.sum(axis=0) - x) / (n - 1)
    pulled = drawn.weight * (x @ drawn.values)
    held = 0.5 * kept.weight * ((x - kept.anchor) ** 2).sum(axis=1)
    return np.asarray(pulled - held - apart.weight * (x * others).sum(axis=1))


@pytest.mark.parametrize("lever", EVERY, ids=lambda one: repr(one)[:60])
def test_every_lever_meets_the_goal_after_solving_from_scratch(lever: Lever) -> None:
    toy = catalogue("toy")
    plan = eq.steer(toy, lever, goal=FLOOR)
    assert stated(toy).gap(plan.before.profile.array).max() < 1e-9
    x = plan.after.profile.array
    assert stated(plan.game).gap(x).max() < 1e-9
    assert missed(plan.game, FLOOR, x) <= 1e-9
    assert plan.slack == {"coverage of rural": pytest.approx(x.mean(axis=0)[2] - 0.05)}
    now = plan.before.profile.coverage
    assert now[2] == pytest.approx(1 / 78)
    assert plan.group_gain == pytest.approx(x.mean(axis=0) - now)
    lost = {g for g, d in zip(toy.groups.labels, plan.group_gain, strict=True) if d < -1e-12}
    assert set(plan.losers) == lost
    gained = utilities(toy, x[:2]) - utilities(toy, plan.before.profile.array)
    assert plan.agent_gain == pytest.approx(gained, abs=1e-12)
    assert plan.held_in == (True,) * len(plan.after.found)
    assert plan.leastness.bound <= plan.cost + 1e-6 * (1 + plan.cost)
    data = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert {"lever", "change", "cost", "least", "before", "after"} <= set(data)
    assert data["after"]["coverage"]["rural"] >= 0.05 - 1e-9
    assert "from 1 to 1" not in advice(plan)


def test_who_pays_most_is_said_in_the_advice() -> None:
    said = full_advice(eq.steer(catalogue("toy"), floors={"rural": 0.05}))
    assert "pay 0.0725 per unit of attention to rural: cost 0.00725" in said
    assert "urban and suburban get less attention" in said


def test_levers_together_cost_no_more_than_any_of_them_alone() -> None:
    """Costs add up, and a lever may stay at rest: every pair that needs nobody new."""
    toy = catalogue("toy")
    parts: list[Lever] = [Prices(), Anchors(), DiversityWeight(), AttractivenessCap()]
    alone = {part.name: eq.steer(toy, part, goal=FLOOR).cost for part in parts}
    for i, one in enumerate(parts):
        for two in parts[i + 1 :]:
            both = eq.steer(toy, Together([one, two]), goal=FLOOR).cost
            assert both <= min(alone[one.name], alone[two.name]) + 1e-9


def test_a_newcomer_is_paid_like_the_others() -> None:
    """Price and entry together: the cost is what all three agents get, by hand."""
    plan = eq.steer(catalogue("toy"), Together([Prices(), Entry()]), goal=FLOOR)
    paid, moved = plan.setting[:3], plan.setting[3:]
    x = plan.after.profile.array
    assert x.shape == (3, 3)
    by_hand = float((x @ paid).sum()) + 0.5 * float(np.abs(moved).sum())
    assert plan.cost == pytest.approx(by_hand, abs=1e-12)


def test_a_budget_is_kept_and_the_nearest_goal_within_it_is_named() -> None:
    lever = Together([Prices(), AttractivenessCap()], budget=0.001)
    with pytest.raises(Infeasible, match=r"the goal costs 0\.00725, the budget is 0\.001") as said:
        eq.steer(catalogue("toy"), lever, goal=FLOOR)
    nearest = float(str(said.value).rsplit("rural at least ", 1)[1])
    # The cost is 2·δ·τ with δ = (τ − 1/78)·39/20: a quadratic in τ.
    root = (1 / 78 + np.sqrt(1 / 78**2 + 4 * 0.001 * 20 / 78)) / 2
    assert nearest == pytest.approx(root, rel=2e-3)
    assert nearest <= root
    assert eq.steer(catalogue("toy"), lever, floors={"rural": nearest}).cost <= 0.001 * (1 + 1e-6)


def test_shadow_prices_are_the_slope_of_the_cost() -> None:
    """By R7: cost N Σ δ_k τ_k, dδ/dτ the inverse of the slope of coverage on the paid groups."""
    checked = 0
    for seed in range(30):
        rng = np.random.default_rng([31, seed])
        game = random_game(rng, int(rng.integers(2, 5)), 3, "common")
        now = eq.solve(game, starts=0).profile.coverage
        low = int(now.argmin())
        label = game.groups.labels[low]
        plan = eq.steer(game, floors={label: float(now[low]) + 0.05})
        form = plan.game.affine
        assert form is not None
        if not plan.leastness.proved:
            assert not plan.shadow_prices
            continue
        x = plan.after.profile.array
        v = stated(plan.game).incentives(x)
        idle = (v * x).sum(axis=1, keepdims=True) - v
        line = coverage_line(form, x > 0)
        # Only where a small step changes no support.
        if line is None or np.where(x > 0, x, idle).min() < 1e-3:
            continue
        n, tau = game.agents.total, float(now[low]) + 0.05
        price = plan.setting[low]
        slope = n * (price + tau / line.slope[low, low])
        assert plan.shadow_prices[label] == pytest.approx(slope, rel=1e-3)
        checked += 1
    assert checked >= 5


def test_the_path_of_a_plan_starts_before_and_ends_after() -> None:
    toy = catalogue("toy")
    for lever in EVERY[:9]:
        plan = eq.steer(toy, lever, goal=FLOOR)
        path = plan_path(plan, points=5)
        assert path.share.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert path.coverage[0] == pytest.approx(plan.before.profile.coverage, abs=1e-9)
        assert path.coverage[-1] == pytest.approx(plan.after.profile.coverage, abs=0)
        assert path.cost[0] == 0.0
        assert path.cost[-1] == plan.cost
        assert len(path.to_rows()) == 15
    # Half the price lifts rural half as much: coverage is affine while all are served (R7).
    path = plan_path(eq.steer(toy, floors={"rural": 0.05}), points=3)
    assert path.coverage[1, 2] == pytest.approx((1 / 78 + 0.05) / 2)


def test_a_goal_that_holds_already_costs_nothing() -> None:
    plan = eq.steer(catalogue("toy"), Anchors(), floors={"rural": 0.01})
    assert plan.cost == 0.0
    assert plan.leastness.proved
    assert advice(plan) == "change nothing: the goal holds as it is"


def test_plans_of_games_with_several_equilibria_meet_their_goal() -> None:
    """Strong diversity: held_in is recounted by hand, and the first always holds."""
    several = 0
    for seed in range(14):
        style = ("mixed signs", "weak curvature", "directed", "herding")[seed % 4]
        rng = np.random.default_rng([13, seed])
        game = random_game(rng, int(rng.choice([2, 3])), int(rng.choice([2, 3])), style)
        apart = game.term(eq.Diversity)
        assert apart is not None
        game = game.replace(eq.Diversity(apart.weight * 8, apart.kernel, apart.network))
        k = len(game.groups)
        floors = rng.dirichlet(np.ones(k)) * rng.uniform(0.2, 1.0)
        goal = eq.Goal(dict(zip(game.groups.labels, floors.tolist(), strict=True)))
        try:
            plan = eq.steer(game, goal=goal)
        except eq.NotSolved:
            continue
        found = [one.profile.array for one in plan.after.found]
        assert plan.held_in == tuple(missed(plan.game, goal, x) <= 1e-9 for x in found)
        assert plan.held_in[0]
        assert min(plan.slack.values()) >= -1e-9
        size = np.maximum(plan.after.certificate.utility_range, 1e-12)
        assert (stated(plan.game).gap(found[0]) / size).max() < 1e-9
        assert plan.cost == pytest.approx(
            float(game.agents.counts @ found[0] @ plan.setting), abs=1e-9
        )
        several += len(found) > 1
    assert several >= 2


def test_a_plan_keeps_the_equilibrium_it_was_built_on() -> None:
    """Seed 51 of a hunt: after the change other starts find equilibria that miss the goal."""
    rng = np.random.default_rng([11, 51])
    n, k = int(rng.choice([2, 3, 4])), int(rng.choice([2, 3, 4]))
    game = random_game(rng, n, k, "mixed signs")
    assert rng.random() < 0.5
    apart = game.term(eq.Diversity)
    assert apart is not None
    game = game.replace(eq.Diversity(apart.weight * 8, apart.kernel, apart.network))
    floors = rng.dirichlet(np.ones(k)) * rng.uniform(0.2, 1)
    plan = eq.steer(game, floors=dict(zip(game.groups.labels, floors.tolist(), strict=True)))
    x = plan.after.profile.array
    assert (x.mean(axis=0) - floors).min() >= -1e-9
    assert stated(plan.game).gap(x).max() < 1e-9
    assert not plan.holds_everywhere
    assert plan.after.certificate.uniqueness.verdict != "proved"


def test_targets_of_many_agents_are_moved_though_too_many_to_search() -> None:
    """Floors that R12's shift misses, since some targets would leave the simplex.

    Witness: moving agents one by one wholly to the group, the next best first, by hand.
    """
    n, rng = 40, np.random.default_rng(61)
    values, anchor = rng.normal(size=(n, 8)), rng.dirichlet(np.ones(8), n)
    beta = rng.uniform(0.5, 2.0, n)
    game = eq.AlignmentGame(eq.Groups({f"g{j}": 0.125 for j in range(8)}), n, [
        eq.Attractiveness(values, 0.7), eq.Consistency(anchor, beta), eq.Diversity(0.8),
    ])  # fmt: skip
    cover = eq.solve(game, starts=0).profile.coverage
    low = int(cover.argmin())
    goal = eq.Goal({game.groups.labels[low]: float(cover[low]) + 0.02})
    plan = eq.steer(game, Anchors(), goal=goal)
    assert missed(plan.game, goal, plan.after.profile.array) <= 1e-9
    moved = plan.game.term(eq.Consistency)
    assert moved is not None
    assert moved.anchor.min() >= 0
    assert moved.anchor.sum(axis=1) == pytest.approx(1.0)
    cost = 0.5 * float(np.abs(moved.anchor - anchor).sum())
    assert plan.cost == pytest.approx(cost, abs=1e-9)
    by_hand, spent = anchor.copy(), 0.0
    for i in np.argsort(-beta):
        by_hand[i] = np.eye(8)[low]
        spent += 1.0 - anchor[i, low]
        fresh = game.replace(eq.Consistency(by_hand, beta))
        if missed(fresh, goal, eq.solve(fresh, starts=0).profile.array) == 0:
            break
    assert plan.cost <= spent


def test_all_levers_side_by_side_keep_refusals_with_their_reason() -> None:
    toy = catalogue("toy")
    found = compare_levers(toy, [*usual_levers(toy, AGREEMENT), AttractivenessCap(0.99)], FLOOR)
    assert [plan.lever.name for plan in found.plans] == [
        "prices", "anchors", "diversity", "caps", "audience", "entry"
    ]  # fmt: skip
    ((name, reason),) = found.refused
    assert name == "caps"
    assert "nearest found that it reaches" in reason
    assert len(found.to_rows()) == 7
    with pytest.raises(EquipoiseError):
        compare_levers(toy, [], FLOOR)
