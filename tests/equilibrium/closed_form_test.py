"""Closed forms (R4, R5, R6, R8, R9) against exact rational arithmetic and against each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium.simplex import maximise, project
from equipoise.game.terms import Term
from tests.equilibrium.witnesses import FloatArray, by_quantecon, minimize, stated


def groups(k: int) -> eq.Groups:
    return eq.Groups([f"g{j}" for j in range(k)])


def excluded_by_law(scores: list[Fraction], h: Fraction) -> set[int]:
    """R6 in rationals: k is excluded iff Σ_l (s_l − s_k)_+ ≥ h."""
    return {
        k
        for k, own in enumerate(scores)
        if sum((max(s - own, Fraction(0)) for s in scores), Fraction(0)) >= h
    }


def filled(scores: list[Fraction], h: Fraction) -> list[Fraction]:
    """R4 in rationals: the largest q with s_(q) > λ_q."""
    ordered = sorted(scores, reverse=True)
    level = ordered[0] - h
    for q in range(1, len(ordered) + 1):
        candidate = (sum(ordered[:q], Fraction(0)) - h) / q
        if ordered[q - 1] > candidate:
            level = candidate
    return [max(s - level, Fraction(0)) / h for s in scores]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_excluded_sets_are_the_exclusion_law_in_rational_arithmetic(n: int, k: int) -> None:
    """Scores and weights are small dyadic numbers: the game in floats is the rational game."""
    on_the_boundary = 0
    for seed in range(80):
        rng = np.random.default_rng([n, k, seed])
        # Without an anchor the curvature is variety's alone, so s is exact.
        units = rng.integers(0, 9, k)
        beta, gamma = int(rng.integers(1, 6)), int(rng.integers(0, 4)) * (n > 1)
        game = eq.AlignmentGame(
            groups(k),
            n,
            [
                eq.Attractiveness(units / 8.0),
                eq.Variety(beta / 8.0),
                eq.Diversity(gamma / 8.0),
            ],
        )
        scores = [Fraction(int(u), 8) for u in units]
        h = Fraction(beta + gamma, 8)
        found = eq.solve(game, eq.solvers.ClosedForm(), starts=0)
        x = found.profile.array
        assert {j for j in range(k) if x[:, j].max() == 0.0} == excluded_by_law(scores, h)
        expected = np.array([float(w) for w in filled(scores, h)])
        np.testing.assert_allclose(x, np.tile(expected, (n, 1)), atol=1e-15)
        sums = [sum((max(s - own, Fraction(0)) for s in scores), Fraction(0)) for own in scores]
        on_the_boundary += h in sums
    assert k == 1 or on_the_boundary > 0, "no tie with the threshold was drawn"


def test_every_method_excludes_the_same_groups_as_the_law() -> None:
    methods: list[eq.solvers.AnyOf | None] = [
        None,
        eq.solvers.MeanFieldNewton(),
        eq.solvers.Lemke(),
        eq.solvers.PotentialAscent(),
    ]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        units = rng.integers(0, 9, 5)
        beta, gamma = int(rng.integers(4, 9)), int(rng.integers(1, 4))
        terms: list[Term] = [
            eq.Attractiveness(units / 8.0),
            eq.Variety(beta / 8.0),
            eq.Diversity(gamma / 8.0),
        ]
        game = eq.AlignmentGame(groups(5), 3, terms)
        law = excluded_by_law([Fraction(int(u), 8) for u in units], Fraction(beta + gamma, 8))
        for method in methods:
            x = eq.solve(game, method, starts=0).profile.array
            got = {j for j in range(5) if x[:, j].max() < 1e-14}
            assert got == law, (seed, method)


def test_a_planted_threshold_off_by_one_unit_is_seen() -> None:
    scores = [Fraction(1), Fraction(1, 2), Fraction(0)]
    assert excluded_by_law(scores, Fraction(3, 2)) == {2}
    assert excluded_by_law(scores, Fraction(3, 2) + Fraction(1, 2**40)) == set()


@pytest.mark.parametrize("margin", [1e-6, 1e-8, 1e-9, -1e-6, -1e-8, -1e-9])
def test_groups_a_hair_inside_or_outside_are_told_apart(margin: float) -> None:
    """R6's margin down to 1e-9: the weight inside is margin/(2h), by hand."""
    for agents in (1, 3):
        anchor = np.array([0.5, 0.5])
        gamma = 0.5 if agents > 1 else 0.0
        h = 1.0 + gamma
        game = eq.AlignmentGame(
            groups(2),
            agents,
            [
                eq.Attractiveness([h - margin, 0.0]),
                eq.Consistency(anchor),
                eq.Diversity(gamma),
            ],
        )
        low = eq.solve(game).profile.array[:, 1]
        if margin > 0:
            np.testing.assert_allclose(low, margin / (2 * h), rtol=1e-6)
        else:
            assert (low == 0).all()


def test_three_closed_forms_give_one_answer() -> None:
    """R5 = R10 = R4 where all apply: identical agents, interior."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(2, 30)), int(rng.integers(2, 8))
        values, anchor = 0.05 * rng.normal(size=k), rng.dirichlet(np.full(k, 50.0))
        beta, gamma = rng.uniform(0.5, 2), rng.uniform(0, 0.4)
        game = eq.AlignmentGame(
            groups(k),
            n,
            [eq.Attractiveness(values), eq.Consistency(anchor, weight=beta), eq.Diversity(gamma)],
        )
        symmetric = eq.solve(game, eq.solvers.ClosedForm())
        assert symmetric.record.solver == "closed form (R4)"
        newton = eq.solve(game, eq.solvers.MeanFieldNewton()).profile.array
        # R5 written out from the theory, nothing shared with the library.
        a, c = np.tile(values, (n, 1)), np.tile(anchor, (n, 1))
        level = (a.sum(axis=1) - gamma) / k
        total = (beta * c.sum(axis=0) + a.sum(axis=0) - level.sum()) / (beta + gamma)
        interior = beta * c + a - gamma / (n - 1) * total - level[:, None]
        interior /= beta - gamma / (n - 1)
        assert interior.min() > 0
        np.testing.assert_allclose(symmetric.profile.array, interior, atol=1e-13)
        np.testing.assert_allclose(newton, interior, atol=1e-13)


def test_interior_games_of_different_agents_are_r5() -> None:
    used = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n, k = 5, 4
        values, anchor = 0.03 * rng.normal(size=(n, k)), rng.dirichlet(np.full(k, 60.0), n)
        game = eq.AlignmentGame(
            groups(k),
            n,
            [eq.Attractiveness(values), eq.Consistency(anchor), eq.Diversity(0.3)],
        )
        found = eq.solve(game)
        used += found.record.solver == "closed form (R5)"
        other = by_quantecon(game)
        assert other is not None
        np.testing.assert_allclose(found.profile.array, other, atol=1e-12)
    assert used > 20


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_audience_share_alone_represents_everybody_in_proportion(n: int) -> None:
    """R9, any θ_i > 0; the interior point finds the same without knowing it."""
    rng = np.random.default_rng(n)
    shares = rng.dirichlet(np.ones(4))
    game = eq.AlignmentGame(
        eq.Groups({f"g{j}": float(m) for j, m in enumerate(shares)}),
        n,
        [eq.AudienceShare(rng.uniform(0.5, 2, n))],
    )
    found = eq.solve(game)
    np.testing.assert_allclose(found.profile.array, np.tile(shares, (n, 1)), atol=1e-15)
    assert found.certificate.uniqueness.verdict == "proved"
    if n <= 10:
        start = game.profile(rng.dirichlet(np.ones(4), n))
        other = eq.solve(game, eq.solvers.InteriorPoint(), start=start, tol=1e-7)
        np.testing.assert_allclose(other.profile.array, found.profile.array, atol=1e-4)


def test_a_type_of_agents_in_audience_share_is_its_members() -> None:
    groups_ = eq.Groups({"a": 0.7, "b": 0.3})
    short = eq.AlignmentGame(groups_, {"x": 3, "y": 1}, [eq.AudienceShare([1.0, 2.0])])
    long = eq.AlignmentGame(groups_, 4, [eq.AudienceShare([1.0, 1.0, 1.0, 2.0])])
    row = [[0.6, 0.4], [0.2, 0.8]]
    a = short.gradients(short.profile(row))
    b = long.gradients(long.profile([row[0], row[0], row[0], row[1]]))
    np.testing.assert_allclose(a, b[[0, 3]], rtol=1e-14)


def test_projection_vectors_of_open_spiel() -> None:
    """Truth D1-14: simplex projections, h = 1."""
    for given, expected in (
        ([0.25, 0.75], [0.25, 0.75]),
        ([1.0, 1.0], [0.5, 0.5]),
        ([2.0, 0.0], [1.0, 0.0]),
        ([0.25, 0.25], [0.5, 0.5]),
    ):
        np.testing.assert_array_equal(project(np.array([given]), np.ones(1))[0], expected)


@pytest.mark.parametrize("definite", ["whole", "tangent only", "nearly singular"])
def test_programmes_on_the_simplex_against_slsqp(definite: str) -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        k = int(rng.integers(2, 7))
        root = rng.normal(size=(k, k))
        h = root @ root.T / k + 0.1 * np.eye(k)
        if definite == "tangent only":
            h = h - 3.0 * np.ones((k, k))
        if definite == "nearly singular":
            h = np.outer(root[0], root[0]) + 1e-6 * np.eye(k)
        s = rng.normal(size=k)
        x = maximise(s[None], h)[0][0]

        def loss(y: FloatArray, s: FloatArray = s, h: FloatArray = h) -> float:
            return float(0.5 * y @ h @ y - s @ y)

        best = np.inf
        for start in [np.full(k, 1 / k), *np.eye(k)]:
            found = minimize(
                loss,
                start,
                method="SLSQP",
                bounds=[(0, 1)] * k,
                constraints=[{"type": "eq", "fun": lambda y: y.sum() - 1}],
                options={"ftol": 1e-14, "maxiter": 500},
            )
            feasible = np.maximum(found.x, 0)
            best = min(best, loss(feasible / feasible.sum()))
        assert loss(x) <= best + 1e-10
        v = s - h @ x
        assert (x * (v.max() - v)).sum() < 1e-12 * (1 + np.abs(h).max())


def test_singular_kernels_metrics_and_variety_matrices() -> None:
    """Positive semidefinite of low rank, zero, all ones: still certified by definition."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(1, 5)), int(rng.integers(2, 6))
        root = rng.normal(size=(k, int(rng.integers(1, k))))
        singular = [root @ root.T, np.zeros((k, k)), np.ones((k, k))][seed % 3]
        game = eq.AlignmentGame(
            groups(k),
            n,
            [
                eq.Attractiveness(rng.normal(size=(n, k))),
                eq.Consistency(rng.dirichlet(np.ones(k), n), weight=rng.choice([0.0, 0.5])),
                eq.Diversity(rng.uniform(0, 2, n), kernel=singular),
                eq.Variety(rng.uniform(0, 2, n), matrix=singular),
            ],
        )
        found = eq.solve(game, starts=1)
        gap = stated(game).gap(found.profile.array)
        assert (gap <= 1e-9 * found.certificate.utility_range + found.certificate.rounding).all()
