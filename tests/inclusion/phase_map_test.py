"""Cells of a phase map.

Witnesses: the law R6 in fractions, Clarabel, SciPy, `solve` and `certify`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import equipoise as eq
from equipoise.inclusion.map_axes import game_at
from equipoise.inclusion.map_cells import Family, family
from equipoise.inclusion.map_exam import concave, relative_gap, unique
from equipoise.inclusion.map_solver import maximise_cells
from equipoise.inclusion.map_status import Status
from equipoise.inclusion.phase_map import phase_map
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import by_clarabel

FloatArray = NDArray[np.float64]


def kernel(rng: np.random.Generator, k: int) -> FloatArray:
    roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
    return np.asarray(np.einsum("kqc,lqc->kl", roots, roots) / 6)


def identical(seed: int, k: int = 5, n: int = 3, *, metric: bool = False) -> eq.AlignmentGame:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k, k))
    return eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        n,
        [
            eq.Attractiveness(rng.normal(size=k)),
            eq.Consistency(
                rng.dirichlet(np.ones(k)), 1.0, root @ root.T / k + np.eye(k) if metric else None
            ),
            eq.Diversity(0.5, kernel(rng, k)),
            eq.Variety(0.3, kernel(rng, k)),
            eq.Subsidy(0.1 * rng.normal(size=k)),
        ],
    )


def kin(game: eq.AlignmentGame) -> Family:
    found = family(game)
    assert found is not None
    return found


@given(
    st.lists(st.integers(-16, 16), min_size=2, max_size=7),
    st.integers(1, 8),
    st.integers(0, 6),
)
@settings(max_examples=80, deadline=None)
def test_cells_follow_the_law_in_fractions_ties_and_edges_included(
    appeal: list[int], beta: int, gamma: int
) -> None:
    # Everything is a multiple of 1/8 but the uniform anchor, which adds the same to every score.
    k = len(appeal)
    game = eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]), 9,
        [eq.Attractiveness(np.array(appeal) / 8), eq.Consistency(np.full(k, 1 / k), beta / 8)],
    )  # fmt: skip
    found = phase_map(game, "attractiveness=0:2:9", f"diversity=0:{gamma / 8 + 1}:3")
    for (i, y), (j, x) in [
        (a, b) for a in enumerate(found.axes[1].values) for b in enumerate(found.axes[0].values)
    ]:
        h = Fraction(beta, 8) + Fraction(float(y))
        s = [Fraction(float(x)) * Fraction(a, 8) for a in appeal]
        law = [sum(max(a - b, Fraction(0)) for a in s) >= h for b in s]
        assert found.excluded[i, j].tolist() == law


@pytest.mark.parametrize("seed", range(4))
def test_cells_of_a_general_kernel_against_clarabel(seed: int) -> None:
    game = identical(seed, n=2, metric=seed % 2 == 1)
    found = phase_map(game, "attractiveness=0:3:12", "diversity=0:0.6:12")
    assert (found.status == Status.unique).all()
    rng = np.random.default_rng(seed)
    compared = 0
    for i, j in rng.integers(12, size=(10, 2)):
        point = {"attractiveness": found.axes[0].values[j], "diversity": found.axes[1].values[i]}
        witness = by_clarabel(game_at(game, point))
        if witness is None:
            continue
        compared += 1
        assert found.coverage[i, j] == pytest.approx(witness.mean(axis=0), abs=1e-9)
        assert found.excluded[i, j].tolist() == (witness.max(axis=0) == 0).tolist()
    assert compared >= 5


def _loss(g: FloatArray, s: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    return float(0.5 * y @ g @ y - s @ y), g @ y - s


@pytest.mark.parametrize("k", [2, 7, 30, 64])
def test_batched_programmes_meet_their_own_conditions_and_scipy(k: int) -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(k)
    n = 40
    s, w = rng.normal(size=(k, n)), rng.uniform(0.05, 2, (2, n))
    parts = np.stack([np.eye(k), kernel(rng, k)])
    x = maximise_cells(s, w, parts)
    assert np.allclose(x.sum(axis=0), 1, atol=1e-14)
    assert x.min() >= 0
    for c in range(n):
        g = w[0, c] * parts[0] + w[1, c] * parts[1]
        v = s[:, c] - g @ x[:, c]
        assert (x[:, c] * (v.max() - v)).sum() <= 1e-13 * np.abs(v).max() * k
        if c == 0 and k <= 7:
            loss = partial(_loss, g, s[:, c])
            found: Any = minimize(  # type: ignore[call-overload]  # the stubs know no jac=True
                loss, np.full(k, 1 / k), jac=True, bounds=[(0, None)] * k, method="SLSQP",
                constraints={"type": "eq", "fun": lambda y: y.sum() - 1},
                options={"ftol": 1e-15, "maxiter": 500},
            )  # fmt: skip
            assert x[:, c] == pytest.approx(found.x, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_exam_of_a_cell_is_what_certify_says_and_sees_a_wrong_mixture(seed: int) -> None:
    game = identical(seed, metric=seed % 2 == 0)
    rng = np.random.default_rng(seed)
    columns = {
        "attractiveness": rng.uniform(0, 3, 20),
        "diversity": rng.uniform(-0.3, 2, 20),
        "value:g1": rng.normal(size=20),
        "anchor:g2": rng.uniform(0, 1, 20),
    }
    cells = kin(game).cells(columns)
    right = maximise_cells(cells.scores, cells.weights, cells.matrices)
    wrong = 0.95 * right + 0.05 * rng.dirichlet(np.ones(5), 20).T
    assert relative_gap(cells, right).max() <= 1e-12
    for c in range(20):
        here = game_at(game, {name: float(column[c]) for name, column in columns.items()})
        exam = eq.certify(here, here.profile(np.tile(wrong[:, c], (3, 1))))
        assert relative_gap(cells, wrong)[c] == pytest.approx(exam.max_relative_gap, rel=1e-9)
        assert exam.max_relative_gap > 1e-5
    off = right.copy()
    off[0] += 0.01
    assert np.isinf(relative_gap(cells, off)).all()


def _networks() -> list[eq.Network | None]:
    ring = [(i, (i + 1) % 5, 1.0) for i in range(5)]
    return [None, eq.Network(5, ring), eq.Network(5, ring, directed=True)]


@pytest.mark.parametrize("network", _networks())
@pytest.mark.parametrize("metric", [False, True])
def test_uniqueness_of_cells_agrees_with_certify(network: eq.Network | None, metric: bool) -> None:
    game = identical(3, n=5, metric=metric)
    old = game.term(eq.Diversity)
    assert old is not None
    game = game.replace(eq.Diversity(0.5, old.kernel, network))
    gamma = np.linspace(-30, 90, 49)
    cells = kin(game).cells({"diversity": gamma})
    mine = unique(cells, kin(game))
    theirs = []
    for value in gamma:
        here = game_at(game, {"diversity": float(value)})
        x = np.tile(np.full(5, 0.2), (5, 1))
        theirs.append(eq.certify(here, here.profile(x)).uniqueness.verdict == "proved")
    directed = network is not None and network.directed
    # With directed links R2(c) is bounded more crudely here when parts are no multiples of I.
    assert not (mine & ~np.array(theirs)).any()
    assert directed or mine.tolist() == theirs
    assert mine.any()
    assert not mine.all()


def test_beyond_uniqueness_cells_are_marked_and_still_equilibria() -> None:
    rng = np.random.default_rng(5)
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]), 3,
        [eq.Attractiveness(0.1 * rng.normal(size=3)), eq.Consistency([1 / 3] * 3),
         eq.Diversity(0.0)],
    )  # fmt: skip
    found = phase_map(game, "attractiveness=0:1:5", "diversity=-2:4:13")
    gamma = found.axes[1].values
    # R2(f): proved for -β < γ < β(N-1); dominance aside, not beyond.
    inside = (gamma > -1) & (gamma < 2)
    assert (found.status[inside] == Status.unique).all()
    assert (found.status[~inside] == Status.certified).all()
    assert found.certified == found.cells
    for i in (0, 1, 6, 12):
        here = game_at(game, {"attractiveness": 0.5, "diversity": float(gamma[i])})
        assert found.coverage[i, 2] == pytest.approx(eq.solve(here, starts=0).profile.coverage)


def test_a_cell_without_curvature_is_solved_too() -> None:
    game = eq.AlignmentGame(
        eq.Groups(["a", "b"]), 1, [eq.Attractiveness([1.0, 0.5]), eq.Consistency([0.5, 0.5])]
    )
    found = phase_map(game, "attractiveness=1:2:2", "consistency=0:4:2")
    assert found.excluded[0, 0].tolist() == [False, True]
    assert found.certified == 4


@pytest.mark.parametrize("style", ["plain", "herding", "network", "directed", "types", "metric"])
def test_maps_of_different_agents_are_what_solve_says(style: str) -> None:
    game = random_game(np.random.default_rng(11), 3, 4, style)
    found = phase_map(game, "attractiveness=0.2:3:3", "consistency=1:4:3", below=0.05)
    for i in range(3):
        for j in range(3):
            here = game_at(game, {"attractiveness": float(found.axes[0].values[j]),
                                  "consistency": float(found.axes[1].values[i])})  # fmt: skip
            answer = eq.solve(here, starts=0)
            assert found.relative_gap[i, j] <= 1e-9
            if answer.certificate.uniqueness.verdict == "proved":
                top = answer.profile.top_weight
                assert found.top_weight[i, j] == pytest.approx(top, abs=1e-7)
                assert found.excluded[i, j].tolist() == (top < 0.05).tolist()


def test_kl_games_and_audience_share_are_mapped_cell_by_cell() -> None:
    groups = eq.Groups({"a": 0.5, "b": 0.3, "c": 0.2})
    held = eq.KLConsistency([0.4, 0.3, 0.3])
    game = eq.AlignmentGame(groups, 2, [eq.Attractiveness([1.0, 0.5, 0.0]), held])
    found = phase_map(game, "attractiveness=0:4:5", "consistency=0.5:2:4", below=0.01)
    # R8: the mixture is c·exp(αa/β), normalised.
    for i, beta in enumerate(found.axes[1].values):
        for j, alpha in enumerate(found.axes[0].values):
            x = np.array([0.4, 0.3, 0.3]) * np.exp(alpha * np.array([1.0, 0.5, 0.0]) / beta)
            assert found.coverage[i, j] == pytest.approx(x / x.sum(), abs=1e-9)
    contest = eq.AlignmentGame(groups, 2, [eq.AudienceShare(1.0), eq.Diversity(0.0)])
    found = phase_map(contest, "share:c=0.1:0.6:3", "diversity=0:0.1:2")
    # R9: at γ = 0 every agent serves groups in proportion to the public; a and b keep 5 : 3.
    for j, c in enumerate(found.axes[0].values):
        m = np.array([0.625 * (1 - c), 0.375 * (1 - c), c])
        assert found.coverage[0, j] == pytest.approx(m, abs=1e-7)


def test_refining_solves_few_cells_claims_no_other_and_finds_the_same_sets() -> None:
    rng = np.random.default_rng(2)
    values = np.array([0.5, 0.3, 0.1]) + 0.05 * rng.normal(size=(3, 3))
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]), 3,
        [eq.Attractiveness(values), eq.Consistency([1 / 3] * 3), eq.Diversity(0.2)],
    )  # fmt: skip
    whole = phase_map(game, "attractiveness=0:6:25", "diversity=0:1:25")
    quick = phase_map(game, "attractiveness=0:6:25", "diversity=0:1:25", refine=3)
    assert np.array_equal(whole.excluded, quick.excluded)
    guessed = quick.status == Status.inferred
    assert 0.2 < guessed.mean() < 0.9
    assert quick.certified == quick.cells - guessed.sum()
    assert np.isnan(quick.top_weight[guessed]).all()
    assert np.array_equal(quick.coverage[~guessed], whole.coverage[~guessed]) or np.allclose(
        quick.coverage[~guessed], whole.coverage[~guessed], atol=1e-9
    )
    assert quick.summary()["status"]["inferred"] == guessed.sum()


def test_three_axes_are_planes_of_two() -> None:
    game = identical(8, k=4)
    solid = phase_map(game, "attractiveness=0:3:6", "diversity=0:1:5", "variety=0:1:3")
    assert solid.excluded.shape == (3, 5, 6, 4)
    for number, rho in enumerate(solid.axes[2].values):
        flat = phase_map(
            game_at(game, {"variety": float(rho)}), "attractiveness=0:3:6", "diversity=0:1:5"
        )
        assert np.allclose(solid.coverage[number], flat.coverage, atol=1e-12)
        mine = [curve for curve in solid.boundaries if curve.z == rho]
        assert len(mine) == len(flat.boundaries)
        for one, other in zip(mine, flat.boundaries, strict=True):
            assert np.allclose(one.points, other.points, atol=1e-9)


def test_a_share_alone_moves_nobody_and_the_map_says_so() -> None:
    found = phase_map(identical(1), "share:g0=0.1:0.5:3", "attractiveness=0:3:4")
    assert np.ptp(found.coverage, axis=1).max() <= 1e-15
    assert "public only" in " ".join(found.notes)


def test_concavity_is_where_the_eigenvalue_says() -> None:
    game = identical(4, metric=True)
    gamma = np.linspace(-60, 1, 40)
    cells = kin(game).cells({"diversity": gamma})
    basis = np.linalg.qr(np.eye(5) - 0.2)[0][:, :4]
    low = []
    for c in range(40):
        g = np.einsum("m,mij->ij", cells.weights[:, c], cells.matrices)
        low.append(np.linalg.eigvalsh(basis.T @ g @ basis)[0])
    assert concave(cells).tolist() == (np.array(low) > 1e-9).tolist()
    assert 0 < concave(cells).sum() < 40


def test_a_cell_without_an_equilibrium_calls_nobody_excluded() -> None:
    # R1: one agent alone wants a share of attention and the other serves only group a.
    game = eq.AlignmentGame(
        eq.Groups({"a": 0.6, "b": 0.4}), 2,
        [eq.AudienceShare([1.0, 0.0]), eq.Attractiveness([1.0, 0.0])],
    )  # fmt: skip
    found = phase_map(game, "attractiveness=2:3:2", "variety=0:0.01:2")
    failed = found.status == Status.failed
    assert failed.any()
    assert not found.excluded[failed].any()
    assert np.isnan(found.top_weight[failed]).all()
    assert found.certified == found.cells - failed.sum()
