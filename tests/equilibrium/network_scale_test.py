"""Large networks. Witnesses: Clarabel on the potential, QuantEcon's Lemke, dense linear algebra."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.equilibrium import compiled, network_large
from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.contraction import weighted_contraction
from equipoise.equilibrium.network import step_together
from equipoise.errors import BadInput
from tests.equilibrium.witnesses import by_clarabel, by_quantecon, stated

FloatArray = NDArray[np.float64]


def linked_game(
    agents: int,
    links: int,
    *,
    k: int = 3,
    seed: int = 0,
    directed: bool = False,
    gamma: tuple[float, float] = (0.2, 0.9),
    beta: tuple[float, float] = (1.0, 2.0),
    isolated: int = 3,
    kernel: FloatArray | None = None,
    metric: FloatArray | None = None,
) -> eq.AlignmentGame:
    """Random weighted links; the last `isolated` agents have none."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, agents - isolated, size=(2 * links + 20, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    if not directed:
        ends = np.sort(ends, axis=1)
    ends = rng.permutation(np.unique(ends, axis=0))[:links]
    edges = np.column_stack([ends, rng.uniform(0.5, 2.0, size=len(ends))])
    return eq.AlignmentGame(
        eq.Groups({f"g{j}": 1 / k for j in range(k)}),
        agents,
        [
            eq.Attractiveness(rng.normal(size=(agents, k)), 0.5),
            eq.Consistency(
                rng.dirichlet(np.ones(k), size=agents), rng.uniform(*beta, size=agents), metric
            ),
            eq.Diversity(
                rng.uniform(*gamma, size=agents),
                kernel,
                eq.Network(agents, edges, directed=directed),
            ),
        ],
    )


KERNEL = np.array([[1.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 1.0]])
METRIC = np.array([[1.0, 0.3, 0.0], [0.3, 1.4, 0.1], [0.0, 0.1, 0.8]])


@pytest.fixture(params=["compiled", "numpy"])
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways through the code, at any size."""
    if request.param == "compiled":
        pytest.importorskip(
            "numba", reason="the extra 'fast' is not installed: nothing is compiled"
        )
        monkeypatch.setattr(compiled, "ROWS", 1)
    return str(request.param)


def climbed(game: eq.AlignmentGame) -> FloatArray:
    form = game.affine
    assert form is not None
    start = np.full((form.n_rows, form.n_groups), 1.0 / form.n_groups)
    return step_together(form, start)[0]


@pytest.mark.parametrize("kernel", [None, KERNEL])
@pytest.mark.parametrize("metric", [None, METRIC])
def test_symmetric_links_against_clarabel(
    route: str, kernel: FloatArray | None, metric: FloatArray | None
) -> None:
    for seed in range(3):
        game = linked_game(14, 30, seed=seed, kernel=kernel, metric=metric)
        expected = by_clarabel(game)
        assert expected is not None
        np.testing.assert_allclose(climbed(game), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("gamma", [(0.2, 0.9), (-0.9, 0.9), (1.2, 2.2)])
@pytest.mark.parametrize("metric", [None, METRIC])
def test_directed_links_against_quantecon(
    route: str, gamma: tuple[float, float], metric: FloatArray | None
) -> None:
    compared = 0
    for seed in range(3):
        game = linked_game(12, 40, seed=seed, directed=True, gamma=gamma, metric=metric)
        x = climbed(game)
        assert stated(game).gap(x).max() < 1e-9
        expected = by_quantecon(game)
        if expected is not None and gamma[1] < 1:
            np.testing.assert_allclose(x, expected, atol=1e-8, rtol=0)
            compared += 1
    assert compared or gamma[1] > 1


def circle(agents: int, gamma: float, beta: float) -> eq.AlignmentGame:
    """Everybody sees the next: best responses rotate outwards when γ > β."""
    ring = [(i, (i + 1) % agents, 1.0) for i in range(agents)]
    rng = np.random.default_rng(3)
    return eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]),
        agents,
        [
            eq.Attractiveness(0.01 * rng.normal(size=(agents, 3))),
            eq.Consistency(np.full(3, 1 / 3), beta),
            eq.Diversity(gamma, network=eq.Network(agents, ring, directed=True)),
        ],
    )


def test_where_answers_turn_in_circles_the_step_ahead_comes_to_rest(route: str) -> None:
    # Monotone: the symmetric part is βI + γ(W + Wᵀ)/2 with eigenvalues >= β − γ cos(π/9) > 0.
    game = circle(9, 1.04, 1.0)
    x = climbed(game)
    assert stated(game).gap(x).max() < 1e-10
    expected = by_quantecon(game)
    assert expected is not None
    np.testing.assert_allclose(x, expected, atol=1e-7, rtol=0)


def test_agents_without_links_are_alone(route: str) -> None:
    for metric in (None, METRIC):
        for directed in (False, True):
            game = linked_game(30, 60, directed=directed, isolated=6, metric=metric)
            x = climbed(game)
            terms = [term for term in game.terms if not isinstance(term, eq.Diversity)]
            alone = eq.solve(eq.AlignmentGame(game.groups, 30, terms)).profile.array
            np.testing.assert_allclose(x[-6:], alone[-6:], atol=1e-9, rtol=0)


def test_both_ways_agree_at_twelve_thousand_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="the extra 'fast' is not installed: nothing is compiled")
    for directed in (False, True):
        game = linked_game(12_000, 60_000, k=4, directed=directed, gamma=(0.1, 0.8))
        swept = eq.solve(game)
        assert swept.certificate.max_relative_gap <= 1e-12
        assert swept.certificate.uniqueness.verdict == "proved"
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "available", lambda: False)
            stepped = climbed(game)
        np.testing.assert_allclose(stepped, swept.profile.array, atol=1e-8, rtol=0)


def test_nothing_of_size_agents_squared_is_made() -> None:
    game = linked_game(20_000, 60_000, gamma=(0.1, 0.8))
    tracemalloc.start()
    try:
        eq.solve(game)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000**2 / 8  # one bit a pair; all arrays are of size rows × groups or links


def test_the_sums_over_links_do_not_depend_on_the_route() -> None:
    game = linked_game(3_000, 30_000, directed=True, isolated=40)
    diversity = game.term(eq.Diversity)
    assert diversity is not None
    network = diversity.network
    assert network is not None
    rows = np.random.default_rng(0).normal(size=(3_000, 5))
    dense = network.dense()
    degrees = np.where(network.degrees > 0, network.degrees, 1.0)
    np.testing.assert_allclose(network.average(rows), dense @ rows / degrees[:, None], atol=1e-13)
    small = network.average(rows[:, :0])
    assert small.shape == (3_000, 0)


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        (np.array([[0, 1, 1.0], [1, 0, 2.0]]), "stands twice"),
        (np.array([[0, 7, 1.0]]), "names agent 7"),
        (np.array([[0, 1e300, 1.0]]), "names agent"),
        (np.array([[0, 0.5, 1.0]]), "by label or by row number"),
        (np.array([[-1, 1, 1.0]]), "by label or by row number"),
        (np.array([[2, 2, 1.0]]), "linked with itself"),
        (np.array([[0, np.nan, 1.0]]), "positive finite weight"),
        (np.array([[0, 1, 0.0]]), "positive finite weight"),
        (np.array([[0.0, 1.0]]), "list of links"),
    ],
)
def test_links_that_cannot_be_are_refused(edges: FloatArray, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        eq.Network(5, edges)


def test_links_are_stored_whatever_their_order() -> None:
    rng = np.random.default_rng(1)
    edges = np.array([(i, j, 1 + i + 10 * j) for i in range(9) for j in range(i + 1, 9)], float)
    one, two = eq.Network(9, edges), eq.Network(9, rng.permutation(edges))
    for name in ("starts", "ends", "weights", "degrees"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


# --- the weighted contraction -------------------------------------------------------------------


def ratio_by_eigenvalues(game: eq.AlignmentGame) -> float:
    """ρ(C), from dense matrices written down again."""
    form = stated(game)
    basis = np.linalg.svd(np.ones((1, form.shape[1])))[2][1:].T
    top = np.linalg.eigvalsh(basis.T @ form.kernel @ basis)[-1]
    low = np.array([np.linalg.eigvalsh(basis.T @ h @ basis)[0] for h in form.curvature])
    c = (np.abs(form.gamma) * top / low)[:, None] * form.meets
    return float(np.abs(np.linalg.eigvals(c)).max())


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("kernel", [None, KERNEL])
def test_the_contraction_is_found_exactly_where_there_is_one(
    directed: bool, kernel: FloatArray | None
) -> None:
    proved = 0
    for seed in range(40):
        limit = np.random.default_rng(seed).uniform(0.5, 6.0)
        game = linked_game(12, 30, seed=seed, directed=directed, gamma=(-limit, limit),
                           kernel=kernel, metric=METRIC)  # fmt: skip
        form = game.affine
        assert form is not None
        found, rho = weighted_contraction(form), ratio_by_eigenvalues(game)
        assert found.ratio >= rho - 1e-9
        assert found.proved == (rho < 1) or abs(rho - 1) < 0.05
        proved += found.proved
        if found.proved:
            x = climbed(game)
            expected = by_quantecon(game)
            if expected is not None:
                np.testing.assert_allclose(x, expected, atol=1e-7, rtol=0)
    assert 5 <= proved <= 35


def test_the_distance_bound_holds_and_is_not_empty() -> None:
    for seed in range(10):
        game = linked_game(12, 30, seed=seed, directed=True, gamma=(0.1, 0.9))
        form = game.affine
        assert form is not None
        found = weighted_contraction(form)
        assert found.proved
        truth = eq.solve(game).profile.array
        rng = np.random.default_rng(seed)
        wrong = 0.9 * truth + 0.1 * rng.dirichlet(np.ones(3), size=12)
        bound = found.distance(certify(game, game.profile(wrong)).gap)
        off = float(np.linalg.norm(wrong - truth))
        assert bound is not None
        assert off <= bound
        assert bound < 300 * off


def test_no_contraction_is_claimed_without_curvature_or_beyond_the_limit() -> None:
    game = linked_game(12, 30, gamma=(5.0, 9.0))
    form = game.affine
    assert form is not None
    found = weighted_contraction(form)
    assert not found.proved
    assert found.distance(np.zeros(12)) is None
    flat = game.replace(eq.Consistency(np.full(3, 1 / 3), [0.0, *[1.0] * 11])).affine
    assert flat is not None
    assert not weighted_contraction(flat).proved


def test_a_planted_fault_in_the_sweep_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    game = linked_game(12, 40, directed=True)
    form = game.affine
    assert form is not None
    start = np.full((12, 3), 1 / 3)
    honest = network_large.incentives
    monkeypatch.setattr(network_large, "incentives", lambda form, x: honest(form, x) * [1, 1, 0.9])
    found = network_large.answer_network(form, start, 3000)
    assert found is not None
    assert certify(game, game.profile(found[0])).max_relative_gap > 1e-4


@pytest.mark.soak
@pytest.mark.parametrize("directed", [False, True])
def test_a_hundred_thousand_agents_and_a_million_links(
    directed: bool, record_figure: Callable[[str, Any], None]
) -> None:
    began = time.perf_counter()
    game = linked_game(100_000, 1_000_000, k=8, directed=directed, gamma=(0.2, 0.9), isolated=100)
    made = time.perf_counter() - began
    found = eq.solve(game)
    assert found.certificate.max_relative_gap <= 1e-9
    assert found.certificate.uniqueness.verdict == "proved"
    figures = {"making": made, "seconds": found.record.seconds, "steps": found.record.steps}
    figures["relative_gap"] = found.certificate.max_relative_gap
    record_figure(f"network of 1e5 agents, 1e6 {'directed' if directed else 'mutual'} links",
                  figures)  # fmt: skip
