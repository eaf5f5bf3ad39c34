"""Plans that hold in draws: shares counted again by hand, on games solved by an outside solver."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import BadInput, Infeasible
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import Anchors, AttractivenessCap, DiversityWeight, Prices
from tests.equilibrium.witnesses import by_quantecon
from tests.inclusion.outside import missed

FloatArray = NDArray[np.float64]
GOAL = eq.Goal({"rural": 0.05})


def joint_draws(n: int, spread: float, seed: int = 0) -> list[eq.AlignmentGame]:
    """Return the toy with values measured with error."""
    rng, toy = np.random.default_rng(seed), catalogue("toy")
    drawn = toy.term(eq.Attractiveness)
    assert drawn is not None
    return [
        toy.replace(eq.Attractiveness(drawn.values + spread * rng.normal(size=3))) for _ in range(n)
    ]


def changed(game: eq.AlignmentGame, lever: Lever, z: FloatArray) -> eq.AlignmentGame:
    """Apply a setting by hand."""
    drawn, kept = game.term(eq.Attractiveness), game.term(eq.Consistency)
    apart = game.term(eq.Diversity)
    assert drawn is not None
    assert kept is not None
    assert apart is not None
    match lever:
        case Prices():
            return game.replace(eq.Subsidy(z))
        case Anchors():
            return game.replace(eq.Consistency(kept.anchor + z.reshape(2, 3), kept.weight))
        case DiversityWeight():
            return game.replace(eq.Diversity(apart.weight + z[0]))
        case AttractivenessCap():
            return game.replace(eq.Attractiveness(drawn.values, drawn.weight + z[0]))
    raise AssertionError(lever)


def share_held(games: list[eq.AlignmentGame], lever: Lever, z: FloatArray) -> float:
    """Return the share of games in which the goal holds, each solved by QuantEcon's Lemke."""
    held = []
    for game in games:
        after = changed(game, lever, z)
        x = by_quantecon(after)
        assert x is not None
        held.append(missed(after, GOAL, x) <= 1e-9)
    return float(np.mean(held))


LEVERS: list[Lever] = [Prices(), Anchors(), DiversityWeight(), AttractivenessCap()]


@pytest.mark.parametrize("lever", LEVERS, ids=lambda one: one.name)
def test_the_share_of_fresh_draws_is_what_an_outside_solver_counts(lever: Lever) -> None:
    draws = joint_draws(80, 0.04)
    plan = eq.steer(catalogue("toy"), lever, goal=GOAL, draws=draws, sure=0.9, seed=3)
    order = np.random.default_rng(3).permutation(80)
    fit = [draws[j] for j in order[:40]]
    fresh = [draws[j] for j in order[40:]]
    said = plan.robustness
    assert said["n"] == 40
    assert share_held(fresh, lever, plan.setting) == pytest.approx(said["fresh"])
    assert share_held(fit, lever, plan.setting) == pytest.approx(said["fitted"])
    assert said["fitted"] >= 0.9
    assert said["low"] <= said["fresh"] <= said["high"]
    assert min(plan.slack.values()) >= -1e-9
    assert not plan.leastness.proved
    # It costs more than a plan for the point alone, which holds about half of the time.
    point = eq.steer(catalogue("toy"), lever, goal=GOAL)
    assert plan.cost > point.cost
    assert share_held(fresh, lever, point.setting) < 0.9


def test_plans_hold_in_new_draws_that_nobody_saw() -> None:
    """95 % asked for: 400 draws from another seed; below 90 % has probability under 1e-4."""
    draws = joint_draws(200, 0.04)
    plan = eq.steer(catalogue("toy"), goal=GOAL, draws=draws, sure=0.95)
    assert share_held(joint_draws(400, 0.04, seed=99), plan.lever, plan.setting) >= 0.92


def test_an_unlucky_set_of_draws_is_refused() -> None:
    """The half it is not fitted on was measured on another public: the plan fails there."""
    order = np.random.default_rng(0).permutation(80)
    draws = joint_draws(80, 0.001)
    hard = joint_draws(80, 0.001, seed=1)
    toy = catalogue("toy")
    drawn = toy.term(eq.Attractiveness)
    assert drawn is not None
    for j in order[40:]:
        draws[j] = hard[j].replace(eq.Attractiveness(drawn.values + [0.1, 0.0, -0.1]))
    with pytest.raises(Infeasible, match=r"holds in only 0\.0%.* of 40 others"):
        eq.steer(toy, goal=GOAL, draws=draws, sure=0.95)


def test_draws_in_which_no_setting_helps_are_refused() -> None:
    """A cap can undo what values do, not targets that leave a group out."""
    toy = catalogue("toy")
    gone = toy.replace(eq.Consistency([[0.6, 0.4, 0.0], [0.5, 0.5, 0.0]]), eq.Diversity(0.0))
    draws = [gone if j % 4 == 0 else toy for j in range(40)]
    with pytest.raises(Infeasible, match="at best in"):
        eq.steer(toy, AttractivenessCap(), goal=GOAL, draws=draws)


def test_a_plan_for_a_box_holds_at_random_points_of_it() -> None:
    """Weights off by up to 10 % each: 300 points nobody saw, by the outside solver."""
    toy = catalogue("toy")
    drawn, kept = toy.term(eq.Attractiveness), toy.term(eq.Consistency)
    assert drawn is not None
    assert kept is not None
    rng = np.random.default_rng(8)
    points = []
    for _ in range(300):
        a, b, c = 1 + 0.1 * rng.uniform(-1, 1, 3)
        points.append(toy.replace(
            eq.Attractiveness(drawn.values, a), eq.Consistency(kept.anchor, b),
            eq.Diversity(0.3 * c),
        ))  # fmt: skip
    for lever in (Prices(), DiversityWeight()):
        plan = eq.steer(toy, lever, goal=GOAL, within=0.1)
        assert share_held(points, lever, plan.setting) == 1.0
        assert plan.robustness["fresh"] == 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (lambda toy: {"draws": [toy] * 19}, "give at least 20"),
        (lambda toy: {"draws": [toy] * 30, "within": 0.1}, "not both"),
        (lambda toy: {"within": 1.5}, "share between 0 and 1"),
        (lambda toy: {"draws": [toy] * 30, "sure": 1.0}, "between 0 and 1"),
        (lambda toy: {"draws": [more(toy)] * 30}, "other agents"),
        (lambda toy: {"draws": [others()] * 30}, "other groups"),
    ],
)
def test_draws_that_do_not_fit_are_refused(
    options: Callable[[eq.AlignmentGame], dict[str, object]], says: str
) -> None:
    toy = catalogue("toy")
    with pytest.raises(BadInput, match=says):
        eq.steer(toy, goal=GOAL, **options(toy))  # type: ignore[arg-type]  # wrong on purpose


def more(toy: eq.AlignmentGame) -> eq.AlignmentGame:
    return eq.AlignmentGame(toy.groups, 3, [eq.Consistency([0.6, 0.3, 0.1])])


def others() -> eq.AlignmentGame:
    groups = eq.Groups({"x": 0.5, "y": 0.5})
    return eq.AlignmentGame(groups, 2, [eq.Consistency([0.5, 0.5])])
