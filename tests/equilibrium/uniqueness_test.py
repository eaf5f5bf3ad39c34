"""Uniqueness (R2): margins against dense eigenvalues, verdicts against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import equipoise as eq
from equipoise.equilibrium.affine_vi import solve_lemke
from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.game.terms import Term
from tests.equilibrium.brute_force import all_equilibria
from tests.equilibrium.random_games import STYLES, random_game
from tests.equilibrium.witnesses import FloatArray, stated


def groups(k: int) -> eq.Groups:
    return eq.Groups([f"g{j}" for j in range(k)])


def densest(game: eq.AlignmentGame) -> float:
    """Smallest eigenvalue of the symmetrised, weighted −dv/dX on T, agent by agent.

    SciPy's `null_space` gives the tangent space; types are written out one by one.
    """
    form = stated(game)
    n, k = form.shape
    who = np.repeat(np.arange(n), form.counts.astype(int))
    total = who.size
    weight = np.abs(form.gamma)[who]
    links = (np.ones((total, total)) - np.eye(total)) / max(1, total - 1)
    diversity = game.term(eq.Diversity)
    if diversity is not None and diversity.network is not None:
        links = form.meets
        weight = weight / form.links.sum(axis=1)
    jacobian = np.kron(form.gamma[who][:, None] * links, form.kernel)
    for i, row in enumerate(who):
        jacobian[i * k : (i + 1) * k, i * k : (i + 1) * k] += form.curvature[row]
    jacobian = jacobian / np.repeat(weight, k)[:, None]
    basis = np.kron(np.eye(total), scipy.linalg.null_space(np.ones((1, k))))
    reduced = basis.T @ (jacobian + jacobian.T) / 2 @ basis
    return float(np.linalg.eigvalsh(reduced)[0])


@pytest.mark.parametrize(
    "style", ["plain", "general kernel", "weak curvature", "herding", "mixed signs", "metric"]
)
def test_the_margin_on_the_default_network_is_the_dense_eigenvalue(style: str) -> None:
    signs = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, k = [(2, 2), (3, 4), (5, 3), (8, 5)][seed % 4]
        game = random_game(rng, n, k, style)
        diversity = game.term(eq.Diversity)
        assert diversity is not None
        # Push half of the games to the edge of the region or past it.
        stretched = eq.Diversity(diversity.weight * rng.choice([1.0, 4.0]), diversity.kernel)
        said = uniqueness(game.replace(stretched))
        if not said.test.startswith("R2(b)"):
            continue
        truth = densest(game.replace(stretched))
        assert said.margin is not None
        assert said.margin == pytest.approx(truth, rel=1e-8, abs=1e-9 * (1 + abs(truth)))
        assert (said.verdict == "proved") == (truth > 0)
        signs.add(truth > 0)
    assert signs, "no game was decided by R2(b)"


def test_both_sides_of_the_limit_were_compared_for_general_kernels() -> None:
    """The exact inertia formula of R2(b), N = 2 … 5, past the cruder sufficient test."""
    beyond_each_agent, positive, negative = 0, 0, 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(2, 6)), int(rng.integers(2, 5))
        game = random_game(rng, n, k, "general kernel")
        beta = 10.0 ** rng.uniform(-1.7, 0.5, n)
        drawn = game.term(eq.Diversity)
        assert drawn is not None
        game = game.replace(
            eq.Consistency(np.full(k, 1.0 / k), weight=beta),
            eq.Diversity(rng.uniform(0.5, 2, n), drawn.kernel),
            eq.Variety(0.0),
        )
        truth = densest(game)
        said = uniqueness(game)
        assert (said.verdict == "proved") == (truth > 0) or said.test.startswith("R2(c)")
        positive, negative = positive + (truth > 0), negative + (truth < 0)
        form = stated(game)
        basis = scipy.linalg.null_space(np.ones((1, k)))
        own = [
            np.linalg.eigvalsh(basis.T @ (h / g - form.kernel / (n - 1)) @ basis)[0]
            for h, g in zip(form.curvature, form.gamma, strict=True)
        ]
        beyond_each_agent += min(own) < -1e-6 and truth > 0
    assert positive > 30
    assert negative > 30
    assert beyond_each_agent > 5, "no game needed the exact formula"


@pytest.mark.parametrize("directed", [False, True])
def test_the_margin_on_a_network_is_the_dense_eigenvalue(directed: bool) -> None:
    proved = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        game = random_game(rng, 6, 3, "directed" if directed else "network")
        diversity = game.term(eq.Diversity)
        assert diversity is not None
        assert diversity.network is not None
        said = uniqueness(game)
        if directed:
            assert not said.test.startswith("R2(a): smallest") or diversity.network.symmetric
            continue
        if (diversity.network.degrees == 0).any() or not said.test.startswith("R2(a)"):
            continue
        assert said.margin == pytest.approx(densest(game), rel=1e-8, abs=1e-9)
        proved += said.verdict == "proved"
    assert directed or proved > 10


def test_types_count_every_member() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        game = random_game(rng, 3, 3, "types")
        small = eq.AlignmentGame(game.groups, {"a": 1, "b": 4, "c": 2}, game.terms)
        said = uniqueness(small)
        if said.test.startswith("R2(b)"):
            assert said.margin == pytest.approx(densest(small), rel=1e-8, abs=1e-9)


def test_verdicts_against_every_equilibrium_of_tiny_games() -> None:
    seen = dict.fromkeys(("proved", "refuted", "unknown"), 0)
    for seed in range(400):
        rng = np.random.default_rng([7, seed])
        n, k = [(2, 2), (2, 3), (3, 2), (4, 2)][seed % 4]
        style = [s for s in STYLES if s != "types"][(seed // 4) % 13]
        game = random_game(rng, n, k, style)
        diversity = game.term(eq.Diversity)
        assert diversity is not None
        if rng.random() < 0.5:
            weight = diversity.weight * rng.uniform(1, 6)
            game = game.replace(eq.Diversity(weight, diversity.kernel, diversity.network))
        solved = eq.solve(game)
        truth, singular = all_equilibria(stated(game))
        verdict = solved.certificate.uniqueness.verdict
        seen[verdict] += 1
        if verdict == "proved":
            assert len(truth) == 1, seed
            assert np.abs(solved.profile.array - truth[0]).max() < 1e-7
        if verdict == "refuted":
            assert len(truth) > 1 or singular, seed
        if not singular:
            assert len(solved.found) <= len(truth)
            for one in solved.found:
                assert min(np.abs(one.profile.array - x).max() for x in truth) < 1e-7
    assert min(seen.values()) > 10, seen


def test_a_proved_game_answers_alike_from_every_cover_and_a_planted_one_does_not() -> None:
    def answers(game: eq.AlignmentGame) -> float:
        form = game.affine
        assert form is not None
        size = form.n_rows * (form.n_groups + 1)
        rng = np.random.default_rng(0)
        found = [solve_lemke(form, rng.uniform(0.05, 1, size)) for _ in range(12)]
        profiles = [one[0] for one in found if one is not None]
        assert len(profiles) > 5
        return float(max(np.abs(x - profiles[0]).max() for x in profiles))

    proved = 0
    for seed in range(40):
        game = random_game(np.random.default_rng(seed), 4, 3, STYLES[seed % len(STYLES)])
        if uniqueness(game).verdict == "proved":
            proved += 1
            assert answers(game) < 1e-7, seed
    assert proved > 20
    planted = eq.AlignmentGame(
        groups(3), 3, [eq.Consistency([1 / 3, 1 / 3, 1 / 3], weight=0.1), eq.Diversity(-2.0)]
    )
    assert uniqueness(planted).verdict != "proved"
    assert answers(planted) > 0.1


@pytest.mark.parametrize("n", [2, 3, 6])
def test_kl_limit_is_tight_with_two_groups(n: int) -> None:
    """R2(d): −2β < γ < 2β(N−1), K = 2, S = I, identical agents."""

    def game(gamma: float) -> eq.AlignmentGame:
        return eq.AlignmentGame(groups(2), n, [eq.KLConsistency([0.5, 0.5]), eq.Diversity(gamma)])

    for gamma in (2 * (n - 1) * 0.999, -2 * 0.999):
        assert uniqueness(game(gamma)).verdict == "proved"
    for gamma in (2 * (n - 1) * 1.001, -2 * 1.001):
        assert uniqueness(game(gamma)).verdict != "proved"
    # Just beyond, the herd leaves the middle: log(x/(1−x)) = |γ|(2x − 1) by SciPy's brentq.
    gamma = -2.1
    x = scipy.optimize.brentq(lambda t: np.log(t / (1 - t)) + gamma * (2 * t - 1), 0.51, 0.999)
    for row in ([0.5, 0.5], [x, 1 - x]):
        beyond = game(gamma)
        assert eq.certify(beyond, beyond.profile(np.tile(row, (n, 1)))).max_gap < 1e-10


def test_two_kl_agents_specialise_just_beyond_the_limit() -> None:
    game = eq.AlignmentGame(groups(2), 2, [eq.KLConsistency([0.5, 0.5]), eq.Diversity(2.1)])
    x = scipy.optimize.brentq(lambda t: np.log(t / (1 - t)) - 2.1 * (2 * t - 1), 0.51, 0.999)
    assert eq.certify(game, game.profile([[x, 1 - x], [1 - x, x]])).max_gap < 1e-10
    assert eq.certify(game, game.profile([[0.5, 0.5], [0.5, 0.5]])).max_gap < 1e-10
    assert uniqueness(game).verdict != "proved"


def test_nearly_equal_scores_beyond_the_limit_specialise_in_many_ways() -> None:
    """R2(f): N = 3, K = 5, γ = 1.1·β(N−1); 19 equilibria up to the order of agents."""
    scores = 1e-3 * np.arange(5)
    terms: list[Term] = [
        eq.Attractiveness(scores),
        eq.Consistency(np.full(5, 0.2)),
        eq.Diversity(2.2),
    ]
    found = eq.solve(eq.AlignmentGame(groups(5), 3, terms), starts=30)
    assert found.certificate.uniqueness.verdict == "refuted"
    assert len(found.found) >= 5
    for one in found.found:
        assert stated(one.game).gap(one.profile.array).max() < 1e-12


def test_domination_is_proved_exactly_from_the_lead_of_theory_on() -> None:
    """R2(f): unique beyond γ = β(N−1) iff s_(1) − s_(2) ≥ β + γ."""
    for lead, verdict in ((3.31, "proved"), (3.29, "refuted")):
        game = eq.AlignmentGame(
            groups(3),
            2,
            [
                eq.Attractiveness([lead, 0.0, 0.0]),
                eq.Consistency([1 / 3, 1 / 3, 1 / 3], weight=1.0),
                eq.Diversity(2.3),
            ],
        )
        assert eq.solve(game).certificate.uniqueness.verdict == verdict


def test_nothing_is_refuted_at_a_profile_that_is_no_equilibrium() -> None:
    """One group dominates by far; at equal weights the potential bends up all the same."""
    kernel = np.array([[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1]])
    game = eq.AlignmentGame(
        groups(3),
        3,
        [
            eq.Attractiveness([100.0, 0.0, 0.0]),
            eq.Consistency([1 / 3, 1 / 3, 1 / 3], weight=0.1),
            eq.Diversity(2.0, kernel=kernel),
        ],
    )
    truth, _ = all_equilibria(stated(game))
    assert len(truth) == 1
    assert eq.certify(game, game.profile(np.full((3, 3), 1 / 3))).uniqueness.verdict == "unknown"


def test_a_slightly_indefinite_kernel_proves_nothing() -> None:
    """Kernel 1e-11·[[0, 1], [1, 0]] with γ = 1e11 herds: both pure profiles are equilibria."""
    game = eq.AlignmentGame(
        groups(2),
        3,
        [
            eq.Consistency([0.5, 0.5], weight=0.1),
            eq.Diversity(1e11, kernel=[[0.0, 1e-11], [1e-11, 0.0]]),
        ],
    )
    for k in (0, 1):
        pure = game.profile(np.tile(np.eye(2)[k], (3, 1)))
        assert eq.certify(game, pure).max_gap == 0.0
        assert eq.certify(game, pure).uniqueness.verdict != "proved"


def test_audience_share_on_a_network_needs_common_weights_times_degrees() -> None:
    """R2(e): monotone only under the weights d_i/γ_i that make the rest so."""
    star = eq.Network(3, [(0, 1, 1.0), (1, 2, 1.0)])

    def game(theta: list[float]) -> eq.AlignmentGame:
        terms: list[Term] = [
            eq.Consistency([0.5, 0.5]),
            eq.Diversity(0.5, network=star),
            eq.AudienceShare(theta),
        ]
        return eq.AlignmentGame(groups(2), 3, terms)

    assert uniqueness(game([1.0, 1.0, 1.0])).verdict == "unknown"
    assert uniqueness(game([1.0, 0.5, 1.0])).verdict == "proved"


def test_audience_share_with_common_ratio_is_monotone_at_random_pairs() -> None:
    """R2(e): ⟨v(X) − v(Y), X − Y⟩ < 0 under the weights 1/γ_i, at random pairs."""
    rng = np.random.default_rng(0)
    gamma = rng.uniform(0.2, 2, 4)
    game = eq.AlignmentGame(
        groups(3),
        4,
        [
            eq.Consistency(rng.dirichlet(np.ones(3), 4), weight=gamma),
            eq.Diversity(gamma),
            eq.AudienceShare(1.7 * gamma),
        ],
    )
    said = uniqueness(game)
    assert said.verdict == "proved"

    def v(x: FloatArray) -> FloatArray:
        return game.gradients(game.profile(x)) / gamma[:, None]

    for _ in range(200):
        x, y = rng.dirichlet(np.ones(3), (2, 4))
        assert ((v(x) - v(y)) * (x - y)).sum() < 0
    alone = game.replace(eq.AudienceShare(np.array([1.0, 0, 0, 0])))
    assert uniqueness(alone).verdict == "unknown"


@pytest.mark.parametrize("excess", [2e-12, 1e-13, 1e-14, 4e-16])
def test_a_valley_that_slopes_by_less_than_rounding_refutes_nothing(excess: float) -> None:
    """β a few units of the last place above γ/(N−1): one equilibrium, and a floor all but flat."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 4))
        game = eq.AlignmentGame(
            groups(3),
            n,
            [
                eq.Attractiveness(0.02 * rng.normal(size=3)),
                eq.Consistency([1 / 3, 1 / 3, 1 / 3], weight=(1 + excess) / (n - 1)),
                eq.Diversity(1.0),
            ],
        )
        assert eq.solve(game).certificate.uniqueness.verdict != "refuted", seed
