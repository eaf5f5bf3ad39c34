"""Goals and levers: what is refused, in which sentence, and that the nearest goal is the nearest.

Witnesses: profiles judged by hand, linear programmes of SciPy for what is possible at all, and
the plan to the goal named as nearest, beside the one to a goal 1 % beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import BadInput, Infeasible
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import (
    Anchors,
    AttractivenessCap,
    Audience,
    DiversityWeight,
    Entry,
    Prices,
    Together,
)
from tests.equilibrium.witnesses import linprog
from tests.inclusion.outside import missed

FloatArray = NDArray[np.float64]
AGREEMENT = np.array([[0.8, 0.3, 0.1], [0.3, 0.7, 0.3], [0.1, 0.3, 0.9]])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: eq.Goal(), "nothing is asked for"),
        (lambda: eq.Goal({}), "nothing is asked for"),
        (lambda: eq.Goal({"rural": 1.2}), 'floor of "rural" is 1.2; write a number from 0 to 1'),
        (lambda: eq.Goal({"rural": -0.1}), "from 0 to 1"),
        (lambda: eq.Goal({"rural": float("nan")}), "is nan"),
        (lambda: eq.Goal({"rural": True}), "is True"),
        (lambda: eq.Goal([0.1, 2.0, 0.0]), "a floor is 2"),
        (lambda: eq.Goal("x"), "one per group"),
        (lambda: eq.Goal(share=1.5), "share: 1.5"),
        (lambda: eq.Goal(share=float("inf")), "share: inf"),
        (lambda: eq.Goal(served_by=-1), "whole number"),
        (lambda: eq.Goal(served_by=1, weight=0.0), "no weight"),
        (lambda: eq.Goal(max_distance=-0.1), "L1 distance"),
        (lambda: Prices(-1.0), "number >= 0"),
        (lambda: Prices(price=0.0), "positive number"),
        (lambda: DiversityWeight(2.0, 1.0), "swap them"),
        (lambda: DiversityWeight(float("inf")), "finite"),
        (lambda: AttractivenessCap(-1.0), ">= 0"),
        (lambda: Audience([[1.0, 2.0]]), "square table"),
        (lambda: Audience(AGREEMENT, least=1.5), "least <= 1"),
        (lambda: Entry(""), "needs a name"),
        (lambda: Together([Prices()]), "at least two levers"),
        (lambda: Together([Prices(), Prices()]), "different kinds"),
        (lambda: Together([Prices(), Entry()], budget=-1), "budget is -1"),
    ],
)
def test_numbers_out_of_range_are_one_sentence(make: Callable[[], object], says: str) -> None:
    with pytest.raises(BadInput, match=re.escape(says)) as said:
        make()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("lever", "goal", "says"),
    [
        (Prices(), {"floors": {"rurl": 0.1}}, 'did you mean "rural"'),
        (Prices(), {"floors": [0.1, 0.2]}, "2 numbers for 3 groups"),
        (Prices(), {"floors": {"rural": 0.6, "urban": 0.6}}, "urban 0.5, rural 0.5"),
        (Prices(), {"floors": {"urban": 0.9}, "share": 0.9}, "they sum to 1.35"),
        (Prices(), {"served_by": 3}, "the game has 2"),
        (Prices(), {"served_by": 1, "weight": 0.6}, "a weight of at most 0.5"),
        (Prices(), {"served_by": 2, "weight": 0.4}, "a weight of at most 0.333333"),
        (Prices(), {"floors": {"urban": 1.0}, "served_by": 1}, "together they need 1.01"),
        (Prices(), {"floors": {"rural": 0.9}, "max_distance": 0.1}, "at least that"),
        (Prices(), {"served_by": 2, "weight": 0.3, "max_distance": 0.0}, "floors and service"),
        (Prices([1.0, 2.0]), {"floors": 0.1}, "2 limits for 3 groups"),
        (Anchors("model-a"), {"floors": 0.1}, "list of agents"),
        (Anchors(["model-x"]), {"floors": 0.1}, "model-x"),
        (Anchors([]), {"floors": 0.1}, "list of agents"),
        (DiversityWeight(0.3, 0.3), {"floors": 0.1}, "no room"),
        (DiversityWeight(0.4, 0.5), {"floors": 0.1}, "leave out the present value 0.3"),
        (AttractivenessCap(3.0), {"floors": 0.1}, "no room"),
        (Audience(AGREEMENT, least=1, most=1), {"floors": 0.1}, "no room"),
        (Audience(np.eye(2)), {"floors": 0.1}, "for 2 groups, the game has 3"),
        (Entry("model-a"), {"floors": 0.1}, 'an agent "model-a" already'),
        (Entry(like="model-x"), {"floors": 0.1}, "model-x"),
    ],
)
def test_what_does_not_fit_the_game_is_one_sentence(
    lever: Lever, goal: dict[str, object], says: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(says)) as said:
        eq.steer(catalogue("toy"), lever, goal=eq.Goal(**goal))  # type: ignore[arg-type]  # wrong on purpose
    assert "\n" not in str(said.value)


def test_levers_whose_term_is_absent_say_so() -> None:
    groups = eq.Groups({"a": 0.5, "b": 0.5})
    bare = eq.AlignmentGame(groups, 1, [eq.Attractiveness([1.0, 0.0])])
    held = eq.AlignmentGame(groups, 2, [eq.Consistency([0.9, 0.1])])
    still = eq.AlignmentGame(groups, 2, [eq.Attractiveness([1.0, 0.0], 0.0),
                                         eq.Consistency([0.9, 0.1], 0.0)])  # fmt: skip
    for game, lever, says in (
        (bare, Anchors(), "no consistency term"),
        (bare, Entry(), "no agent is held to a target"),
        (bare, DiversityWeight(), "nobody to differ from"),
        (held, AttractivenessCap(), "nothing to cap"),
        (held, Audience(np.eye(2)), "no mix matters"),
        (still, Anchors(), "consistency weight is 0"),
        (still, AttractivenessCap(), "nothing to cap"),
    ):
        with pytest.raises(BadInput, match=says):
            eq.steer(game, lever, floors={"b": 0.4})


@pytest.mark.parametrize("seed", range(40))
def test_goals_are_refused_exactly_when_no_mixtures_meet_them(seed: int) -> None:
    """Floors and distance by a linear programme of SciPy; service by trying every assignment."""
    rng = np.random.default_rng([41, seed])
    k, n = 3, int(rng.integers(1, 4))
    m = rng.dirichlet(np.full(k, 3.0))
    floors = rng.dirichlet(np.ones(k)) * rng.uniform(0.4, 1.1)
    q, w = int(rng.integers(0, n + 1)), float(rng.uniform(0.1, 0.6))
    far = float(rng.uniform(0.0, 0.8))
    game = eq.AlignmentGame(eq.Groups({f"g{j}": float(s) for j, s in enumerate(m)}), n,
                            [eq.Consistency(m)])  # fmt: skip
    floors = np.minimum(floors, 1.0)
    goal = eq.Goal(floors, served_by=q, weight=w, max_distance=far)
    try:
        goal.check(game)
        refused = False
    except BadInput:
        refused = True
    assert refused == (not _possible(game.groups.shares, n, floors, q, w, far))


def _possible(m: FloatArray, n: int, floors: FloatArray, q: int, w: float, far: float) -> bool:
    """Try every choice of who serves whom; each is a linear programme in (x, distances)."""
    k = m.size
    sets = [np.array(list(np.binary_repr(b, k)), dtype=int) for b in range(2**k)]
    shapes = np.stack(np.meshgrid(*[np.arange(2**k)] * n), axis=-1).reshape(-1, n)
    cover = np.kron(np.ones((1, n)) / n, np.eye(k))
    for shape in shapes:
        low = np.array([sets[b] for b in shape])
        if (low.sum(axis=0) != q).any() or (low.sum(axis=1) * w > 1 + 1e-12).any():
            continue
        size = n * k
        upper = np.vstack([
            np.hstack([-cover, np.zeros((k, k))]),
            np.hstack([cover, -np.eye(k)]),
            np.hstack([-cover, -np.eye(k)]),
            np.append(np.zeros(size), np.ones(k))[None],
        ])  # fmt: skip
        found = linprog(
            np.zeros(size + k), A_ub=upper, b_ub=np.concatenate([-floors, m, -m, [far]]),
            A_eq=np.hstack([np.kron(np.eye(n), np.ones((1, k))), np.zeros((n, k))]),
            b_eq=np.ones(n),
            bounds=[(w * v, 1) for v in low.ravel()] + [(0, None)] * k,
        )  # fmt: skip
        if found.status == 0:
            return True
    return False


@pytest.mark.parametrize(
    "lever",
    [
        Anchors(["model-b"]), AttractivenessCap(0.5), Audience(AGREEMENT, least=0.9, most=1.1),
        Entry(), Prices(0.01), DiversityWeight(high=0.5), DiversityWeight(high=0.5, common=False),
    ],
    ids=lambda one: one.name,
)  # fmt: skip
def test_the_nearest_goal_is_reached_and_one_percent_more_is_not(lever: Lever) -> None:
    toy = catalogue("toy")
    with pytest.raises(
        Infeasible, match="the nearest found that it reaches is rural at least"
    ) as said:
        eq.steer(toy, lever, floors={"rural": 0.6})
    found = re.search(
        r"the nearest found that it reaches is rural at least ([0-9.e-]+)\.", str(said.value)
    )
    assert found is not None
    nearest = float(found.group(1))
    goal = eq.Goal({"rural": nearest})
    plan = eq.steer(toy, lever, goal=goal)
    assert missed(plan.game, goal, plan.after.profile.array) <= 1e-9
    with pytest.raises(Infeasible):
        eq.steer(toy, lever, floors={"rural": 1.01 * nearest})


def test_prices_within_limits_are_looked_for_where_complementary_ones_are_too_dear() -> None:
    """R12c's counterexample: R12 asks .0486 for c; with at most .0481 allowed, b is paid, too."""
    kernel = [[1.0, 0.884, 0.847], [0.884, 1.0, 0.581], [0.847, 0.581, 1.0]]
    beta, gamma, even = 0.057, 1.596, np.full(3, 1 / 3)
    game = eq.AlignmentGame(eq.Groups({"a": 0.4, "b": 0.3, "c": 0.3}), 20, [
        eq.Attractiveness(np.array([0.1061, -0.165, -0.1014]) - beta * even),
        eq.Consistency(even, beta),
        eq.Diversity(gamma, kernel=kernel),
    ])  # fmt: skip
    floors = {"b": 0.036, "c": 0.247}
    free = eq.steer(game, floors=floors)
    tight = eq.steer(game, Prices([1.0, 1.0, float(free.setting[2]) * 1.001]), floors=floors)
    assert tight.cost == pytest.approx(free.cost, rel=1e-6)
    with pytest.raises(Infeasible):
        eq.steer(game, Prices(0.001), floors=floors)


def test_who_serves_whom_is_counted_agent_by_agent_in_types() -> None:
    """Three agents of one type and one of another: the second best is of the first type."""
    game = eq.AlignmentGame(eq.Groups({"a": 0.5, "b": 0.5}), {"many": 3, "one": 1},
                            [eq.Consistency([[0.9, 0.1], [0.2, 0.8]])])  # fmt: skip
    profile = eq.solve(game).profile
    goal = eq.Goal(served_by=2, weight=0.05)
    slack = goal.slack(game, profile)
    assert slack["agents serving a"] == pytest.approx(0.9 - 0.05)
    assert slack["agents serving b"] == pytest.approx(0.1 - 0.05)
    with pytest.raises(Infeasible):
        eq.steer(game, Anchors(["one"]), goal=eq.Goal(served_by=2, weight=0.15))
    plan = eq.steer(game, Anchors(["many"]), goal=eq.Goal(served_by=2, weight=0.15))
    # All three of the type move by 0.05.
    assert plan.cost == pytest.approx(0.15)
    assert missed(plan.game, plan.goal, plan.after.profile.array) <= 1e-9
