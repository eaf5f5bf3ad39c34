"""Floor prices (R12) against closed forms, Clarabel's duals, best responses, and by definition."""

from __future__ import annotations

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.game.catalog import game as catalogue
from equipoise.inclusion.floor_prices import floor_prices
from equipoise.inclusion.steer import steer
from tests.equilibrium.random_games import STYLES, random_game
from tests.equilibrium.witnesses import stated

FloatArray = NDArray[np.float64]

MET, ABOVE, GAP = 1e-9, 1e-7, 1e-9


def assert_complementary(prices: FloatArray, coverage: FloatArray, floors: FloatArray) -> None:
    """Floors met, nobody paid who ends above the floor or has none."""
    assert prices.min() >= 0
    assert (coverage - floors).min() >= -MET
    assert not prices[coverage > floors + ABOVE].any()
    assert not prices[floors == 0].any()


def floors_of(rng: np.random.Generator, k: int) -> FloatArray:
    """Draw floors: a part of all, some of them 0, or exactly all of it."""
    floors = rng.dirichlet(np.ones(k)) * rng.uniform(0.2, 1.0) * (rng.random(k) < 0.7)
    if rng.random() < 0.25:
        floors = rng.dirichlet(np.ones(k))
        floors[-1] = 1.0 - floors[:-1].sum()
    return np.asarray(floors)


def simple(scores: list[float], h: float, n: int = 1) -> eq.AlignmentGame:
    """Return a game of n agents alike with these scores and curvature h (γ = 0)."""
    k = len(scores)
    even = np.full(k, 1.0 / k)
    groups = eq.Groups({f"g{j}": 1.0 / k for j in range(k)})
    values = np.array(scores) - h * even
    return eq.AlignmentGame(groups, n, [eq.Attractiveness(values), eq.Consistency(even, h)])


def test_the_toy_pays_rural_exactly_725_ten_thousandths() -> None:
    """Design section 4: by hand from R5, 0.05 = 1/78 + (20/39) δ."""
    plan = steer(catalogue("toy"), floors={"rural": 0.05})
    assert plan.change == {"rural": pytest.approx(0.0725, abs=1e-12)}
    assert plan.cost == pytest.approx(2 * 0.0725 * 0.05, abs=1e-12)
    assert plan.leastness.proved


def test_a_group_above_its_floor_is_paid_when_lifting_another_pushes_it_down() -> None:
    """Theory R12: s = (.6, .3, .1), h = 1, floors (0, .28, .2) need prices (0, .06, .18)."""
    game = simple([0.6, 0.3, 0.1], 1.0)
    before = eq.solve(game).profile.coverage
    assert before[1] > 0.28
    priced = floor_prices(game, np.array([0.0, 0.28, 0.2]))
    assert priced.prices == pytest.approx([0.0, 0.06, 0.18], abs=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_random_games_of_every_style_meet_their_floors(style: str) -> None:
    """Complementarity and the gap are recomputed from the definition of the game."""
    paid = solved = tried = 0
    for seed in range(12):
        rng = np.random.default_rng([7, STYLES.index(style), seed])
        n, k = int(rng.choice([1, 2, 3, 10])), int(rng.choice([2, 3, 5]))
        game, floors = random_game(rng, n, k, style), floors_of(rng, k)
        tried += 1
        try:
            priced = floor_prices(game, floors)
        except eq.NotSolved:
            continue
        solved += 1
        x = priced.after.profile.array
        coverage = game.agents.counts @ x / game.agents.total
        assert_complementary(priced.prices, coverage, floors)
        own = game.term(eq.Subsidy)
        total = priced.prices + (0.0 if own is None else own.prices)
        form = stated(game.replace(eq.Subsidy(total)))
        spread = np.maximum(priced.after.certificate.utility_range, 1e-300)
        gap = form.gap(x)
        gap = np.where(gap > priced.after.certificate.rounding, gap, 0.0)
        assert (gap / spread).max() <= GAP, (style, seed)
        paid += bool(priced.prices.any())
    assert paid >= 3
    # A linear agent leaps from one group to another: there pivoting may fail, and says so.
    assert solved >= (tried if style != "no curvature" else tried - 3)


def test_excluded_groups_are_brought_in_from_zero() -> None:
    """R6: with s = (2, 1, −1), h = 1 only the first is served; the price is what R6 asks."""
    game = simple([2.0, 1.0, -1.0], 1.0, n=3)
    assert eq.solve(game).profile.coverage == pytest.approx([1.0, 0.0, 0.0])
    priced = floor_prices(game, np.array([0.0, 0.0, 0.1]))
    # Water-filling with the second still out: x₁ − x₃ = (2 + 1 − δ)/h, x₃ = 0.1.
    assert priced.prices == pytest.approx([0.0, 0.0, 2.2], abs=1e-12)


def test_floors_that_sum_to_one_take_the_smallest_prices() -> None:
    """With Στ = 1 a common constant is free: the smallest prices leave somebody unpaid."""
    rng = np.random.default_rng(0)
    for number in range(40):
        n, k = int(rng.integers(1, 5)), int(rng.integers(2, 5))
        style = ("common", "mixed signs")[number % 2]
        floors = rng.dirichlet(np.ones(k))
        floors[-1] = 1.0 - floors[:-1].sum()
        game = random_game(rng, n, k, style)
        if style == "mixed signs":
            # Several equilibria: there pivoting finds the prices, with any constant on them.
            apart = game.term(eq.Diversity)
            assert apart is not None
            game = game.replace(eq.Diversity(apart.weight * 8, apart.kernel))
        priced = floor_prices(game, floors)
        assert np.abs(priced.after.profile.coverage - floors).max() <= MET
        assert priced.prices.min() == pytest.approx(0.0, abs=1e-12)


def test_a_constant_is_taken_off_where_pivoting_leaves_one() -> None:
    """Number 1187 of a hunt: linear agents, indifferent at these prices: re-solving moves them."""
    rng = np.random.default_rng([5, 1187])
    n, k = int(rng.integers(1, 5)), int(rng.integers(2, 5))
    floors = rng.dirichlet(np.ones(k))
    floors[-1] = 1.0 - floors[:-1].sum()
    game = random_game(rng, n, k, "no curvature")
    apart = game.term(eq.Diversity)
    assert apart is not None
    game = game.replace(eq.Diversity(apart.weight * 8, apart.kernel))
    priced = floor_prices(game, floors)
    assert priced.prices.min() == 0.0
    assert np.abs(priced.after.profile.coverage - floors).max() <= MET
    assert game.term(eq.Subsidy) is None
    form = stated(game.replace(eq.Subsidy(priced.prices)))
    assert form.gap(priced.after.profile.array).max() < 1e-8


def test_floors_of_nothing_cost_nothing() -> None:
    priced = floor_prices(catalogue("toy"), np.zeros(3))
    assert not priced.prices.any()


def best_response_kl(game: eq.AlignmentGame, x: FloatArray, prices: FloatArray) -> FloatArray:
    """Return R8's closed form, written again from the terms."""
    n, k = len(game.agents), len(game.groups)
    kept, drawn = game.term(eq.KLConsistency), game.term(eq.Attractiveness)
    apart = game.term(eq.Diversity)
    assert kept is not None
    assert drawn is not None
    assert apart is not None
    beta = np.broadcast_to(kept.weight, (n,))[:, None]
    alpha = np.broadcast_to(drawn.weight, (n,))[:, None]
    gamma = np.broadcast_to(apart.weight, (n,))[:, None]
    others = (x.sum(axis=0) - x) / max(1, n - 1)
    score = alpha * np.broadcast_to(drawn.values, (n, k)) + prices - gamma * others
    grown = np.broadcast_to(kept.anchor, (n, k)) * np.exp((score - score.max()) / beta)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def test_floors_under_kl_agree_with_the_closed_form_of_best_responses() -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        n, k = int(rng.integers(2, 5)), int(rng.integers(2, 5))
        anchor = rng.dirichlet(np.ones(k), n)
        if k > 2:
            anchor[0] = np.append(0.0, anchor[0, 1:] / anchor[0, 1:].sum())
        game = eq.AlignmentGame(eq.Groups({f"g{j}": 1.0 / k for j in range(k)}), n, [
            eq.Attractiveness(rng.normal(size=(n, k))),
            eq.KLConsistency(anchor, rng.uniform(0.5, 2.0, n)),
            eq.Diversity(rng.uniform(0, 0.5, n)),
        ])  # fmt: skip
        floors = rng.dirichlet(np.ones(k)) * 0.6
        priced = floor_prices(game, floors)
        x = priced.after.profile.array
        assert_complementary(priced.prices, x.mean(axis=0), floors)
        assert np.abs(x - best_response_kl(game, x, priced.prices)).max() < 1e-8


def test_floors_under_audience_share_agree_with_its_own_gradient() -> None:
    """Gradient of θ m_k x_ik / Σ_j x_jk, with curvature beside it, written down again."""
    rng = np.random.default_rng(4)
    for _ in range(8):
        n, k = 3, int(rng.integers(2, 5))
        m = rng.dirichlet(np.full(k, 3.0))
        values, anchor = rng.normal(size=(n, k)), rng.dirichlet(np.ones(k), n)
        beta = rng.uniform(0.5, 2.0, n)
        game = eq.AlignmentGame(eq.Groups({f"g{j}": float(s) for j, s in enumerate(m)}), n, [
            eq.Attractiveness(values),
            eq.Consistency(anchor, beta),
            eq.AudienceShare(0.2),
        ])  # fmt: skip
        floors = rng.dirichlet(np.ones(k)) * 0.6
        priced = floor_prices(game, floors)
        x = priced.after.profile.array
        assert_complementary(priced.prices, x.mean(axis=0), floors)
        total = x.sum(axis=0)
        v = values + beta[:, None] * (anchor - x) + priced.prices
        v += 0.2 * game.groups.shares * (total - x) / total**2
        assert ((v.max(axis=1, keepdims=True) - v) * x).sum(axis=1).max() < 1e-7


def clarabel_prices(game: eq.AlignmentGame, floors: FloatArray) -> FloatArray:
    """Return the duals of x̄ ≥ τ in the potential programme of R12, divided by N."""
    form = stated(game)
    n, k = form.shape
    p = sp.csc_matrix(form.jacobian())
    rows = sp.kron(sp.eye(n), np.ones((1, k)))
    cover = sp.kron(np.ones((1, n)) / n, sp.eye(k))
    a = sp.csc_matrix(sp.vstack([rows, -sp.eye(n * k), -cover]))
    b = np.concatenate([np.ones(n), np.zeros(n * k), -floors])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(n), clarabel.NonnegativeConeT(n * k + k)]
    upper = sp.csc_matrix(sp.triu(p))
    found = clarabel.DefaultSolver(upper, -form.scores.reshape(-1), a, b, cones, settings).solve()
    assert "Solved" in str(found.status)
    return np.asarray(found.z)[-k:] / n


@pytest.mark.parametrize("style", ["identical", "common", "general kernel", "metric", "no apart"])
def test_prices_are_the_multipliers_of_the_constrained_potential(style: str) -> None:
    """R12, equal γ: Clarabel through its own interface, to 1e-6."""
    paid = 0
    for seed in range(12):
        rng = np.random.default_rng([5, seed])
        n, k = int(rng.integers(2, 8)), int(rng.integers(2, 6))
        game = random_game(rng, n, k, style if style != "no apart" else "plain")
        apart = game.term(eq.Diversity)
        assert apart is not None
        same = 0.0 if style == "no apart" else 0.3 * (n - 1) / n
        game = game.replace(eq.Diversity(np.full(n, same), apart.kernel))
        if np.linalg.eigvalsh(stated(game).jacobian())[0] < 1e-3:
            continue
        floors = rng.dirichlet(np.ones(k)) * 0.7
        priced = floor_prices(game, floors)
        assert np.abs(priced.prices - clarabel_prices(game, floors)).max() < 1e-6, seed
        paid += bool(priced.prices.any())
    assert paid >= 5


@pytest.mark.parametrize(
    ("floors", "says"),
    [
        ([0.6, 0.5, 0.0], "sum to 1.1"),
        ([0.0, 0.2, 0.0], "no agent may serve it"),
        ([0.0, 0.0, 0.6], "only 0.5 of the agents"),
        ([0.5, 0.0, 0.5], "leaves nothing|cannot meet all floors"),
        ([0.9, 0.0, 0.3], "sum to 1.2"),
    ],
)
def test_floors_that_nothing_reaches_are_refused_in_a_sentence(
    floors: list[float], says: str
) -> None:
    """Agent 1 may serve groups 1 and 3, agent 2 only group 1 (KL anchors)."""
    game = eq.AlignmentGame(eq.Groups({"a": 0.4, "b": 0.3, "c": 0.3}), 2, [
        eq.Attractiveness([0.5, 0.3, 0.2]),
        eq.KLConsistency([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]]),
    ])  # fmt: skip
    with pytest.raises(BadInput, match=says):
        floor_prices(game, np.array(floors))


def test_floors_that_one_agent_alone_may_serve_are_refused_together() -> None:
    """Each floor is possible, both are not (Hall's condition); the multiple named nearly is."""
    game = eq.AlignmentGame(eq.Groups({"a": 0.4, "b": 0.3, "c": 0.3}), ["x", "y"], [
        eq.Attractiveness([0.5, 0.3, 0.2]),
        eq.KLConsistency([[0.3, 0.3, 0.4], [0.0, 0.0, 1.0]]),
    ])  # fmt: skip
    with pytest.raises(BadInput, match=r"stay below a 0\.25, b 0\.25"):
        floor_prices(game, np.array([0.3, 0.3, 0.0]))
    nearly = floor_prices(game, np.array([0.249, 0.249, 0.0]))
    assert nearly.after.profile.coverage[:2] == pytest.approx([0.249, 0.249], abs=MET)
