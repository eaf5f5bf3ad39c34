"""Plans marked least, and bounds, against SciPy's global search, a grid and Clarabel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import clarabel
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import EquipoiseError, Infeasible
from equipoise.inclusion.floor_prices import floor_prices
from equipoise.inclusion.levers import DiversityWeight
from equipoise.inclusion.plan import Leastness
from tests.inclusion import outside
from tests.inclusion.outside import cheapest, check_least, evolve
from tests.inclusion.steering_cases import KINDS, Case, drawn

FloatArray = NDArray[np.float64]


def judged(case: Case, *, rounds: int, crowd: int) -> str:
    """Steer, and let the outside twin look for something cheaper; return what was claimed."""
    try:
        plan = eq.steer(case.game, case.lever, goal=case.goal)
    except Infeasible:
        nothing = np.zeros(case.lever.box(case.game)[0].size)
        least = cheapest(
            case.twin, case.goal, [nothing], all_of_them=False, grid=5, rounds=rounds, crowd=crowd
        )
        assert case.several or least == np.inf, "refused, but it can be reached"
        return "refused"
    except EquipoiseError:
        # Linear agents leap: no prices found, or no target to move.
        if case.style != "no curvature":
            raise
        return "refused"
    assert min(plan.slack.values()) >= -1e-9
    least = cheapest(
        case.twin, case.goal, [plan.setting], all_of_them=case.several, grid=5,
        rounds=1 if case.several else rounds, crowd=crowd,
    )  # fmt: skip
    check_least(plan, least)
    return plan.leastness.word


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_found_outside_beats_a_least_plan(kind: str) -> None:
    """Grid and differential evolution on the lever written down again; all equilibria if many."""
    said: Counter[str] = Counter()
    for seed in range(30):
        case = drawn(seed, kind)
        if case is None or (case.several and seed % 2):
            continue
        said[judged(case, rounds=4, crowd=4)] += 1
        if sum(said.values()) >= 6:
            break
    assert said["least"] >= 1, said


@pytest.mark.parametrize(
    ("seed", "kind"), [(45, "common anchors"), (243, "cap"), (331, "common anchors")]
)
def test_identical_agents_that_specialise_are_not_taken_for_alike(seed: int, kind: str) -> None:
    """Beyond uniqueness some equilibrium where they differ meets the goal for less."""
    case = drawn(seed, kind)
    assert case is not None
    assert case.several
    assert case.style == "identical"
    assert judged(case, rounds=1, crowd=3) == "best found"


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_found_outside_beats_a_least_plan_in_hundreds_of_games(
    kind: str, record_figure: Callable[[str, Any], None]
) -> None:
    said: Counter[str] = Counter()
    for seed in range(1000, 1120):
        case = drawn(seed, kind)
        if case is not None:
            said[judged(case, rounds=25, crowd=8)] += 1
    record_figure(f"steering.least.{kind}", dict(said))
    assert said["least"] >= 10, said


# The counterexample of theory R12c: a general kernel, where R12's prices are not the least.
KERNEL = np.array([[1.0, 0.884, 0.847], [0.884, 1.0, 0.581], [0.847, 0.581, 1.0]])
BETA, GAMMA = 0.057, 1.596
SCORES, FLOORS = np.array([0.1061, -0.165, -0.1014]), np.array([0.0, 0.036, 0.247])
BEND = BETA * np.eye(3) + GAMMA * KERNEL


def counterexample(n: int = 20) -> eq.AlignmentGame:
    """Return n agents alike: enough that the game has one equilibrium."""
    even = np.full(3, 1.0 / 3)
    groups = eq.Groups({"a": 0.4, "b": 0.3, "c": 0.3})
    return eq.AlignmentGame(groups, n, [
        eq.Attractiveness(SCORES - BETA * even),
        eq.Consistency(even, BETA),
        eq.Diversity(GAMMA, kernel=KERNEL),
    ])  # fmt: skip


def cost_of(x: FloatArray) -> FloatArray:
    """Return what it costs to hold everybody at x, (points,): the gap of x.

    Prices δ = λ + Hx − s ≥ 0 where x > 0 hold it; λ = max(s − Hx) is the least level.
    """
    v = SCORES - x @ BEND
    return np.asarray(v.max(axis=-1) - (v * x).sum(axis=-1))


def by_clarabel() -> float:
    """Minimise λ + xᵀHx − sᵀx over floors and Hx + λ ≥ s: convex, no complementarity needed."""
    p = np.zeros((4, 4))
    p[:3, :3] = 2 * BEND
    a = np.vstack([
        np.append(np.ones(3), 0.0),
        np.column_stack([-BEND, -np.ones(3)]),
        np.column_stack([-np.eye(3), np.zeros(3)]),
    ])  # fmt: skip
    b = np.concatenate([[1.0], -SCORES, -FLOORS])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(6)]
    found = clarabel.DefaultSolver(
        sp.csc_matrix(np.triu(p)), np.append(-SCORES, 1.0), sp.csc_matrix(a), b, cones, settings
    ).solve()
    assert "Solved" in str(found.status)
    return float(found.obj_val)


def test_the_counterexample_of_r12c_is_improved_and_proved() -> None:
    """Theory R12c gives .01194 per agent as cheaper than R12; the convex programme is lower."""
    game = counterexample()
    complementary = floor_prices(game, FLOORS)
    own = float(complementary.prices @ complementary.after.profile.coverage)
    floors = {"b": 0.036, "c": 0.247}
    plan = eq.steer(game, floors=floors)
    each = plan.cost / 20
    assert own == pytest.approx(0.012036, abs=2e-6)
    assert each == pytest.approx(0.0116796, abs=1e-7)
    assert each < 0.01194 < own
    assert each == pytest.approx(by_clarabel(), abs=1e-8)
    line = np.linspace(0, 1, 1001)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    x = np.column_stack([1 - grid.sum(axis=1), grid])
    x = x[(x >= FLOORS - 1e-12).all(axis=1)]
    assert cost_of(x).min() >= each - 1e-9
    assert cost_of(x).min() == pytest.approx(each, rel=2e-3)
    assert plan.leastness.proved
    assert plan.leastness.bound <= by_clarabel() * 20 + 1e-7
    assert (plan.after.profile.coverage >= FLOORS - 1e-9).all()


def test_a_bound_that_is_too_high_and_a_false_least_are_caught() -> None:
    """Planted: R12's own prices called least, and a bound 2 % above what is possible."""
    game = counterexample()
    goal = eq.Goal({"b": 0.036, "c": 0.247})
    plan = eq.steer(game, goal=goal)
    priced = floor_prices(game, FLOORS)
    twin = outside.prices(game, 1.0)
    least = cheapest(twin, goal, [plan.setting, priced.prices], rounds=3, crowd=4)
    check_least(plan, least)
    own = 20 * float(priced.prices @ priced.after.profile.coverage)
    for leastness in (Leastness(True, own, "planted"), Leastness(False, 1.02 * least, "planted")):
        wrong = eq.Plan(
            plan.lever, plan.goal, priced.prices, plan.change, own, leastness, plan.before,
            priced.after, plan.slack, (True,), {}, {},
        )  # fmt: skip
        with pytest.raises(AssertionError):
            check_least(wrong, least)


def test_diversity_of_identical_agents_is_least_by_its_closed_form() -> None:
    """R12c, one uniform floor: the least h = Σ(s_l − min s)/(1 − Kτ), S = I."""
    rng = np.random.default_rng(0)
    proved = 0
    for _ in range(12):
        n, k = 30, int(rng.integers(2, 5))
        scores, anchor = rng.normal(size=k), np.full(k, 1.0 / k)
        beta, tau = 0.5, float(rng.uniform(0.3, 0.7)) / k
        h = float((scores - scores.min()).sum() / (1 - k * tau))
        game = eq.AlignmentGame(eq.Groups({f"g{j}": 1.0 / k for j in range(k)}), n, [
            eq.Attractiveness(scores), eq.Consistency(anchor, beta), eq.Diversity(0.2),
        ])  # fmt: skip
        if not 0.8 < h < 0.5 + 0.5 * (n - 1):
            continue
        plan = eq.steer(game, DiversityWeight(), floors=tau)
        assert plan.cost == pytest.approx(h - beta - 0.2, rel=1e-9)
        assert plan.leastness.proved
        proved += 1
    assert proved >= 6


def test_a_narrow_interval_of_diversity_is_found_by_looking_again() -> None:
    """Number 1086 of the soak: the goal holds only from about 2.53 to 2.86 of a range of 20."""
    case = drawn(1086, "diversity")
    assert case is not None
    plan = eq.steer(case.game, case.lever, goal=case.goal)
    (one,) = plan.intervals
    assert one.low == pytest.approx(2.53, abs=0.02)
    assert one.high == pytest.approx(2.86, abs=0.02)
    changed, _ = case.twin.make(plan.setting)
    assert outside.missed(changed, case.goal, plan.after.profile.array) <= 1e-9


def test_a_plan_that_holds_in_one_of_several_equilibria_says_so() -> None:
    """Number 1075 of the soak: with the newcomer there are two equilibria, one meets the goal."""
    case = drawn(1075, "entry")
    assert case is not None
    plan = eq.steer(case.game, case.lever, goal=case.goal)
    assert plan.held_in[0]
    assert not plan.holds_everywhere
    assert not plan.leastness.proved
    least = cheapest(case.twin, case.goal, [plan.setting], all_of_them=True, rounds=2, crowd=3)
    check_least(plan, least)


def test_diversity_that_serves_and_drops_a_group_again_is_scanned() -> None:
    """R12c: not monotone. Every interval is found again by SciPy's root finder at its ends."""
    kernel = np.array([[1.0, 0.7, 0.0], [0.7, 1.0, 0.7], [0.0, 0.7, 1.0]])
    game = eq.AlignmentGame(eq.Groups({"l": 0.4, "m": 0.2, "r": 0.4}), 40, [
        eq.Attractiveness([1.4, 0.6, 0.4]),
        eq.Consistency(np.full(3, 1.0 / 3), 0.9),
        eq.Diversity(0.0, kernel=kernel),
    ])  # fmt: skip
    plan = eq.steer(game, DiversityWeight(high=25.0), floors={"m": 0.07})

    def short(z: float) -> float:
        changed = game.replace(eq.Diversity(z, kernel=kernel))
        return float(eq.solve(changed, starts=0).profile.coverage[1] - 0.07)

    (one,) = plan.intervals
    assert short(0.0) < 0
    assert short(25.0) < 0
    assert one.low == pytest.approx(plan.setting[0])
    for end, inside in ((one.low, 1e-6), (one.high, -1e-6)):
        root = scipy.optimize.brentq(short, end - 0.01, end + 0.01, xtol=1e-12)
        assert end == pytest.approx(root, abs=1e-7)
        assert short(end + inside) > 0
    # At the ends the goal holds, just beyond them it does not.
    assert short(one.low) >= -1e-9
    assert short(one.high) >= -1e-9
    found = evolve(lambda p: p[0] + 1e4 * max(0.0, -short(p[0])), [(0, 25)], rng=0, maxiter=8,
                   popsize=8, polish=False)  # fmt: skip
    assert found.fun >= plan.cost - 1e-6
