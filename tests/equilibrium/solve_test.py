"""`solve` against outside solvers, in every structure; and the games that are hard for methods."""

from __future__ import annotations

import time

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium.solve import SAME
from tests.equilibrium.random_games import SIZES, STYLES, random_game
from tests.equilibrium.witnesses import (
    FloatArray,
    by_clarabel,
    by_osqp,
    by_quantecon,
    potential,
    stated,
)

AGREE = 1e-7


def groups(k: int) -> eq.Groups:
    return eq.Groups([f"g{j}" for j in range(k)])


def unlike(game: eq.AlignmentGame, x: FloatArray) -> list[tuple[str, float]]:
    """Return the witnesses that solved the game and disagree with `x`; at least one solves it."""
    n, k = x.shape
    named = [("quantecon", by_quantecon)] if n * k <= 300 else []
    if potential(stated(game)) is not None:
        named += [("clarabel", by_clarabel), ("osqp", by_osqp)]
    answers = [(name, witness(game)) for name, witness in named]
    away = [(name, float(np.abs(a - x).max())) for name, a in answers if a is not None]
    assert len(away) >= min(2, len(named)), f"solved only by {away}"
    return [(name, size) for name, size in away if size > AGREE]


@pytest.mark.parametrize("style", STYLES)
def test_random_games_agree_with_outside_solvers(style: str) -> None:
    """Every size up to N·K = 300, ties and near-ties included."""
    proved = 0
    for seed, (n, k) in enumerate(s for s in SIZES if s[0] * s[1] <= 300):
        game = random_game(np.random.default_rng([seed, STYLES.index(style)]), n, k, style)
        found = eq.solve(game, starts=2)
        exam = found.certificate
        gap = stated(game).gap(found.profile.array)
        assert (gap <= 1e-9 * exam.utility_range + exam.rounding).all()
        assert abs(found.profile.array.sum(axis=1) - 1).max() < 1e-14
        if exam.uniqueness.verdict == "proved":
            proved += 1
            assert unlike(game, found.profile.array) == [], (seed, n, k)
    assert proved >= 3


@pytest.mark.parametrize(
    ("n", "k", "style"),
    [(100, 5, "plain"), (40, 20, "general kernel"), (100, 5, "herding"), (100, 5, "network")],
)
def test_larger_games_agree_with_clarabel_and_osqp(n: int, k: int, style: str) -> None:
    checked = 0
    for seed in range(6):
        game = random_game(np.random.default_rng(seed), n, k, style)
        found = eq.solve(game, starts=0)
        if found.certificate.uniqueness.verdict == "proved" and potential(stated(game)):
            checked += 1
            assert unlike(game, found.profile.array) == []
        if checked == 2:
            break
    assert checked >= 1


def test_a_planted_wrong_answer_is_noticed_by_the_agreement_check() -> None:
    game = random_game(np.random.default_rng(3), 3, 5, "plain")
    x = eq.solve(game).profile.array.copy()
    assert unlike(game, x) == []
    x[0] = 0.999999 * x[0] + 0.000001 / 5
    assert {name for name, _ in unlike(game, x)} == {"quantecon", "clarabel", "osqp"}


def reference(
    beta: FloatArray, gamma: float, rng: np.random.Generator, k: int = 4, scale: float = 1.0
) -> eq.AlignmentGame:
    n = beta.size
    return eq.AlignmentGame(
        groups(k),
        n,
        [
            eq.Attractiveness(scale * rng.normal(size=(n, k))),
            eq.Consistency(rng.dirichlet(np.ones(k), n), weight=beta),
            eq.Diversity(gamma),
        ],
    )


@pytest.mark.parametrize("curvature", [0.1, 0.01, 1e-4, 1e-6, 1e-9])
def test_newton_near_the_uniqueness_limit_with_little_curvature(curvature: float) -> None:
    """R10: β − γ/(N−1) small, where full Newton steps cycle; QuantEcon is the witness."""
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 6))
        game = reference(np.full(n, 1.0 / (n - 1) + curvature), 1.0, rng)
        # ‖F‖ cannot go below 1e-16/curvature: at the last value other methods must step in.
        found = eq.solve(game, eq.solvers.MeanFieldNewton() if curvature > 1e-8 else None)
        assert found.certificate.uniqueness.verdict == "proved"
        other = by_quantecon(game)
        assert other is not None
        # Weights move by (error in s)/curvature: 1e-16 becomes 1e-7 at the last value.
        assert np.abs(found.profile.array - other).max() < max(1e-9, 1e-15 / curvature)


@pytest.mark.parametrize("ratio", [1.01, 1.05, 1.2, 1 + 1e-6, 1 + 1e-9])
def test_agreement_at_ratios_just_inside_the_limit(ratio: float) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        game = reference(np.full(3, ratio / 2), 1.0, rng, scale=10.0 ** rng.uniform(-3, 1))
        found = eq.solve(game)
        assert found.certificate.uniqueness.verdict == "proved"
        other = by_quantecon(game)
        assert other is not None
        assert np.abs(found.profile.array - other).max() < max(AGREE, 1e-14 / (ratio - 1))


def test_agreement_with_consistency_weights_spread_over_four_decades() -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n = 6
        game = reference(10.0 ** rng.uniform(-0.6, 3.4, n), 1.0, rng)
        found = eq.solve(game)
        assert found.certificate.uniqueness.verdict == "proved"
        assert unlike(game, found.profile.array) == []


def test_one_agent_whose_own_programme_is_convex() -> None:
    """R10: β = (.3, 5, 5), γ = 1: D_1 < 0, and yet one interior equilibrium, proved."""
    anchor = np.array([[0.3, 0.3, 0.4], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])
    game = eq.AlignmentGame(
        groups(3), 3, [eq.Consistency(anchor, weight=[0.3, 5.0, 5.0]), eq.Diversity(1.0)]
    )
    found = eq.solve(game)
    assert found.certificate.uniqueness.verdict == "proved"
    assert found.profile.array.min() > 0
    assert unlike(game, found.profile.array) == []
    with pytest.raises(eq.BadInput, match="does not fit"):
        eq.solve(game, eq.solvers.MeanFieldNewton())


def test_a_network_where_simultaneous_answers_oscillate() -> None:
    """R11: N = 10, γ = 5β; plain simultaneous best response is seen to cycle first."""
    pairs = [(i, i + 1, 1.0) for i in range(0, 10, 2)]
    network = eq.Network(10, [*pairs, *((i, (i + 3) % 10, 0.01) for i in range(0, 10, 2))])
    rng = np.random.default_rng(0)
    game = eq.AlignmentGame(
        groups(3),
        10,
        [
            eq.Consistency(rng.dirichlet(np.ones(3), 10)),
            eq.Diversity(5.0, network=network),
        ],
    )
    form = stated(game)
    x = np.full((10, 3), 1 / 3) + 0.01 * np.array([1, -1, 0])
    path = []
    for _ in range(200):
        x = np.array([water_filling(form.incentives(x)[i] + x[i], 1.0) for i in range(10)])
        path.append(x)
    assert np.abs(path[-1] - path[-2]).max() > 0.1, "it came to rest: not the case meant"
    found = eq.solve(game)
    assert form.gap(found.profile.array).max() < 1e-12


def water_filling(scores: FloatArray, h: float) -> FloatArray:
    """R4 by its definition: bisection on the level."""
    low, high = scores.min() - h, scores.max()
    for _ in range(200):
        level = (low + high) / 2
        if np.maximum(scores - level, 0).sum() > h:
            low = level
        else:
            high = level
    return np.asarray(np.maximum(scores - level, 0) / h)


def test_every_method_agrees_where_uniqueness_is_proved() -> None:
    named: list[eq.solvers.AnyOf] = [
        eq.solvers.ClosedForm(),
        eq.solvers.MeanFieldNewton(),
        eq.solvers.PotentialAscent(),
        eq.solvers.Lemke(),
        eq.solvers.InteriorPoint(),
    ]
    answered = dict.fromkeys((type(method).__name__ for method in named), 0)
    for seed in range(84):
        rng = np.random.default_rng(seed)
        style = STYLES[seed % len(STYLES)]
        game = random_game(rng, int(rng.integers(1, 6)), int(rng.integers(1, 6)), style)
        chosen = eq.solve(game, starts=0)
        if chosen.certificate.uniqueness.verdict != "proved":
            continue
        for method in named:
            try:
                other = eq.solve(game, method, starts=0)
            except eq.BadInput:
                continue  # the method does not fit this structure
            answered[type(method).__name__] += 1
            away = float(np.abs(other.profile.array - chosen.profile.array).max())
            assert away < AGREE, (seed, method)
    assert min(answered.values()) >= 15, answered


def test_chaser_and_avoider() -> None:
    """Two agents, γ = (1, −1), S = diag(1, 2, 4); nashpy agrees (truths)."""
    nashpy = pytest.importorskip("nashpy")
    kernel = np.diag([1.0, 2.0, 4.0])
    game = eq.AlignmentGame(groups(3), 2, [eq.Diversity([1.0, -1.0], kernel=kernel)])
    found = eq.solve(game).profile.array
    np.testing.assert_allclose(found, np.tile([4 / 7, 2 / 7, 1 / 7], (2, 1)), atol=1e-12)
    pairs = list(nashpy.Game(-kernel, kernel).support_enumeration())
    assert len(pairs) == 1
    np.testing.assert_allclose(found, np.array(pairs[0]), atol=1e-12)


def test_games_without_curvature_are_bimatrix_games_for_quantecon() -> None:
    """Two agents, payoffs s_i − γ_i S: all equilibria by QuantEcon's support enumeration."""
    gt = pytest.importorskip("quantecon.game_theory")
    several = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(3, 3))
        kernel = root @ root.T
        scores, gamma = rng.normal(size=(2, 3)), rng.normal(size=2)
        game = eq.AlignmentGame(
            groups(3), 2, [eq.Attractiveness(scores), eq.Diversity(gamma, kernel=kernel)]
        )
        solved = eq.solve(game)
        a, b = (scores[i][:, None] - gamma[i] * kernel for i in (0, 1))
        pairs = gt.support_enumeration(gt.NormalFormGame((gt.Player(a), gt.Player(b))))
        several += len(pairs) > 1
        for one in solved.found:
            near = min(np.abs(one.profile.array - np.array(pair)).max() for pair in pairs)
            assert near < 1e-8, seed
    assert several > 5


def test_the_lone_contender_for_attention_need_not_find_an_equilibrium() -> None:
    """R1: θ = (1, 0), the other agent wholly on group 1: the supremum is never attained."""
    game = eq.AlignmentGame(
        eq.Groups({"a": 0.6, "b": 0.4}),
        2,
        [
            eq.Attractiveness([[0.0, 0.0], [5.0, 0.0]]),
            eq.Consistency([[0.5, 0.5], [1.0, 0.0]], weight=[0.0, 1.0]),
            eq.AudienceShare([1.0, 0.0]),
        ],
    )
    found = eq.solve(game, on_failure="return")
    assert found.outcome is eq.Outcome.may_not_exist
    with pytest.raises(eq.NotSolved):
        eq.solve(game)


def test_kl_with_forbidden_groups_and_a_price_there() -> None:
    """R8: c_k = 0 is permanent; no price lifts it. x ∝ c·exp(g/β), written out."""
    anchor = np.array([[0.5, 0.5, 0.0], [0.0, 0.4, 0.6]])
    game = eq.AlignmentGame(
        groups(3),
        2,
        [
            eq.Attractiveness([0.1, 0.2, 0.3]),
            eq.KLConsistency(anchor, weight=[0.5, 2.0]),
            eq.Subsidy([0.0, 0.0, 100.0]),
        ],
    )
    found = eq.solve(game)
    expected = anchor * np.exp(np.array([0.1, 0.2, 100.3]) / np.array([[0.5], [2.0]]))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.profile.array, expected, atol=1e-13)
    assert found.profile.array[0, 2] == 0.0
    assert found.profile.array[1, 0] == 0.0


def test_kl_games_with_diversity_agree_with_a_damped_iteration() -> None:
    """Witness: x ← x^(1/2)·br(x)^(1/2), normalised: nothing in common with Newton's method."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n, k = 4, 3
        anchor = rng.dirichlet(np.ones(k), n)
        if seed % 2:
            anchor[0] = [0.0, 0.5, 0.5]
        beta, gamma = rng.uniform(0.5, 2, n), rng.uniform(0, 1.5, n)
        values = rng.normal(size=(n, k))
        game = eq.AlignmentGame(
            groups(k),
            n,
            [
                eq.Attractiveness(values),
                eq.KLConsistency(anchor, weight=beta),
                eq.Diversity(gamma),
            ],
        )
        found = eq.solve(game)
        assert found.certificate.uniqueness.verdict == "proved"
        x = anchor.copy()
        with np.errstate(divide="ignore"):
            for _ in range(400):
                met = (x.sum(axis=0) - x) / (n - 1)
                answer = np.log(anchor) + (values - gamma[:, None] * met) / beta[:, None]
                x = np.exp(0.5 * np.log(x) + 0.5 * answer)
                x /= x.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.profile.array, x, atol=1e-10)


def test_a_start_from_another_game_is_refused() -> None:
    game = reference(np.ones(3), 0.5, np.random.default_rng(0))
    other = eq.AlignmentGame(groups(3), 2, [])
    with pytest.raises(eq.LabelMismatch):
        eq.solve(game, start=other.profile(np.full((2, 3), 1 / 3)))


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e-12, 1e12, 1e150, 1e300])
def test_no_scale_breaks_a_solve(size: float) -> None:
    rng = np.random.default_rng(1)
    anchor, values = rng.dirichlet(np.ones(3), 3), rng.normal(size=(3, 3))
    beta, gamma = rng.uniform(0.5, 1, 3), rng.uniform(0.1, 1, 3)
    kernel = [[1, 0.5, 0.1], [0.5, 1, 0.4], [0.1, 0.4, 1]]
    for kind in (eq.Consistency, eq.KLConsistency):
        answers = []
        for scale in (1.0, size):
            game = eq.AlignmentGame(
                groups(3),
                3,
                [
                    eq.Attractiveness(values * scale),
                    kind(anchor, weight=beta * scale),
                    eq.Diversity(gamma * scale, kernel=kernel),
                ],
            )
            found = eq.solve(game)
            assert found.certificate.uniqueness.verdict == "proved"
            answers.append(found.profile.array)
        assert np.abs(answers[0] - answers[1]).max() < 1e-12


def test_two_hundred_groups_take_seconds() -> None:
    rng = np.random.default_rng(0)
    roots = np.sqrt(rng.dirichlet(np.ones(3), size=(200, 6)))
    kernel = np.einsum("kqc,lqc->kl", roots, roots) / 6
    game = reference(np.full(10, 0.1), 2.0, rng, k=200)
    game = game.replace(eq.Diversity(2.0, kernel=kernel))
    began = time.perf_counter()
    found = eq.solve(game, starts=1)
    assert time.perf_counter() - began < 30
    assert stated(game).gap(found.profile.array).max() < 1e-11


def test_isolated_agents_and_agents_that_ignore_others() -> None:
    """Agent 3 has no neighbour, agent 2 no interest: both as if alone (R4 by bisection)."""
    rng = np.random.default_rng(2)
    values, anchor = rng.normal(size=(4, 3)), rng.dirichlet(np.ones(3), 4)
    network = eq.Network(4, [(0, 1, 1.0), (1, 2, 2.0)])
    game = eq.AlignmentGame(
        groups(3),
        4,
        [
            eq.Attractiveness(values, weight=0.3),
            eq.Consistency(anchor, weight=2.0),
            eq.Diversity([1.0, 1.0, 0.0, 1.0], network=network),
        ],
    )
    found = eq.solve(game)
    assert found.certificate.uniqueness.verdict == "proved"
    for i in (2, 3):
        alone = water_filling(0.3 * values[i] + 2 * anchor[i], 2.0)
        np.testing.assert_allclose(found.profile.array[i], alone, atol=1e-12)
    assert stated(game).gap(found.profile.array).max() < 1e-14


def test_equal_scores_without_curvature_have_several_equilibria() -> None:
    found = eq.solve(eq.AlignmentGame(groups(3), 2, [eq.Attractiveness([1.0, 1.0, 0.0])]))
    assert found.certificate.uniqueness.verdict == "refuted"
    np.testing.assert_array_equal(found.profile.array, np.tile([0.5, 0.5, 0.0], (2, 1)))
    for one, two in zip(found.found, found.found[1:], strict=False):
        assert np.abs(one.profile.array - two.profile.array).max() > SAME


def test_a_lone_contender_is_not_tempted_by_a_group_its_anchor_forbids() -> None:
    """Nobody may serve group c: the equilibrium exists, so the outcome may not deny it (R1, R8)."""
    game = eq.AlignmentGame(
        eq.Groups({"a": 0.5, "b": 0.3, "c": 0.2}),
        2,
        [eq.KLConsistency([0.6, 0.4, 0.0]), eq.AudienceShare([1.0, 0.0])],
    )
    found = eq.solve(game)
    assert found.outcome is eq.Outcome.solved
    assert (found.profile.array[:, 2] == 0).all()
