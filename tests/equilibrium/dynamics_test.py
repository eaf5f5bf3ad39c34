"""Dynamics of a population.

Witnesses: solutions worked by hand, SciPy's integrator, the theory's own warnings (R2 c, R11).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.equilibrium.dynamics import Kind, Path, dynamics
from equipoise.errors import BadInput
from tests.equilibrium.random_games import random_game

FloatArray = NDArray[np.float64]


def lone(appeal: list[float], weight: float = 1.0) -> eq.AlignmentGame:
    """One agent: appeal, and consistency with a uniform anchor."""
    k = len(appeal)
    groups = eq.Groups([f"g{j}" for j in range(k)])
    return eq.AlignmentGame(
        groups, 1, [eq.Attractiveness(appeal), eq.Consistency(np.full(k, 1 / k), weight)]
    )


def alike(n: int, gamma: float, k: int = 3) -> eq.AlignmentGame:
    groups = eq.Groups([f"g{j}" for j in range(k)])
    held = eq.Consistency(np.full(k, 1 / k))
    appeal = eq.Attractiveness(np.linspace(0, 0.1, k))
    return eq.AlignmentGame(groups, n, [appeal, held, eq.Diversity(gamma)])


def test_gradient_steps_of_a_lone_agent_are_a_geometric_series() -> None:
    # In the interior x_{t+1} - x* = (1 - ηh)(x_t - x*) exactly.
    game = lone([0.1, 0.0, -0.1], weight=2.0)
    rest = np.array([1 / 3 + 0.05, 1 / 3, 1 / 3 - 0.05])
    start = np.array([[0.5, 0.25, 0.25]])
    path = dynamics(game, "gradient", start=start, steps=30, step_size=0.1)
    for t in (1, 5, 20):
        assert path.coverage[0, t] == pytest.approx(rest + 0.8**t * (start[0] - rest), abs=1e-14)
    assert path.times[20] == pytest.approx(2.0)
    assert path.local_rate == pytest.approx(0.8, abs=1e-12)
    assert path.observed_rate[0] == pytest.approx(0.8, abs=1e-9)


def test_replicator_with_constant_payoffs_is_the_softmax_of_time() -> None:
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), 1, [eq.Attractiveness([1.0, 0.0])])
    path = dynamics(game, "replicator", steps=400, step_size=0.05)
    # x_b(t) = 1/(1 + e^t); it is below τ from t = log(1/τ - 1) on.
    assert path.coverage[0, :, 1] == pytest.approx(1 / (1 + np.exp(path.times)), rel=1e-12)
    when = path.time_below(0.01)[0]
    assert np.isnan(when[0])
    assert when[1] == pytest.approx(np.ceil(np.log(99) / 0.05) * 0.05)
    assert np.isnan(path.time_below(0.0)).all()


@pytest.mark.parametrize("style", ["plain", "general kernel", "network", "types"])
def test_replicator_and_gradient_follow_their_differential_equations(style: str) -> None:
    from scipy.integrate import solve_ivp

    game = random_game(np.random.default_rng(4), 3, 4, style)
    x0 = np.random.default_rng(5).dirichlet(np.full(4, 4.0), 3)

    def replicate(_: float, flat: FloatArray) -> FloatArray:
        x = flat.reshape(3, 4) / flat.reshape(3, 4).sum(axis=1, keepdims=True)
        v = game.gradients(game.profile(np.maximum(x, 0)))
        return np.asarray((x * (v - (x * v).sum(axis=1, keepdims=True))).ravel())

    exact = solve_ivp(replicate, (0, 0.5), x0.ravel(), rtol=1e-10, atol=1e-12).y[:, -1]
    errors = []
    for steps in (100, 200):
        path = dynamics(game, "replicator", start=x0, steps=steps, step_size=0.5 / steps)
        errors.append(float(np.abs(path.final[0].ravel() - exact).max()))
    # A first-order scheme: half the step, half the error.
    assert errors[1] <= 0.6 * errors[0] <= 0.02


def test_simultaneous_best_responses_oscillate_where_the_equilibrium_is_unique() -> None:
    # R11: N = 10, γ = 5β. Unique, since γ < β(N - 1).
    game = alike(10, 5.0)
    assert eq.solve(game).certificate.uniqueness.verdict == "proved"
    starts = np.random.default_rng(0).dirichlet(np.ones(3), (3, 10))
    wild = dynamics(game, start=starts, steps=500)
    assert not wild.converged.any()
    assert "0 of 3 starts converged" in repr(wild)
    assert wild.relative_gap.min() > 1e-3
    assert wild.observed_rate == pytest.approx(np.ones(3), abs=1e-3)
    # In the interior errors common to all agents grow by γ/β = 5.
    assert wild.local_rate == pytest.approx(5.0, abs=1e-9)
    # Damping heals it: |1 - η + η·(-5)| < 1 for η < 1/3.
    calm = dynamics(game, start=starts, steps=800, step_size=0.2)
    assert calm.converged.all()
    # The slowest are differences between agents, +γ/(β(N-1)) = 5/9: 1 - η + η·5/9.
    assert calm.local_rate == pytest.approx(0.8 + 0.2 * 5 / 9, abs=1e-9)
    assert calm.observed_rate == pytest.approx(np.full(3, 0.8 + 0.2 * 5 / 9), abs=1e-4)


@pytest.mark.parametrize("style", ["plain", "general kernel", "network", "directed", "types"])
def test_best_responses_contract_at_least_as_r2c_says(style: str) -> None:
    game = random_game(np.random.default_rng(7), 3, 4, style)
    tame = [eq.Diversity(0.2, t.kernel, t.network) if isinstance(t, eq.Diversity) else t
            for t in game.terms]  # fmt: skip
    game = game.replace(*tame)
    rng = np.random.default_rng(1)
    path = dynamics(game, start=rng.dirichlet(np.ones(4), (5, 3)), steps=100)
    assert path.contraction is not None
    assert path.contraction < 1
    answer = eq.solve(game).profile.array
    one, other = rng.dirichlet(np.ones(4), (2, 3))
    for _ in range(6):
        before = np.linalg.norm(one - other, axis=1).max()
        one = dynamics(game, start=one, steps=1).final[0]
        other = dynamics(game, start=other, steps=1).final[0]
        assert np.linalg.norm(one - other, axis=1).max() <= path.contraction * before + 1e-13
    assert path.converged.all()
    assert path.final == pytest.approx(np.broadcast_to(answer, path.final.shape), abs=1e-9)


@pytest.mark.parametrize("kind", ["best-response", "gradient", "replicator"])
@pytest.mark.parametrize("seed", range(4))
def test_observed_rates_are_the_theoretical_ones(kind: Kind, seed: int) -> None:
    style = ["plain", "general kernel", "metric", "network"][seed]
    game = random_game(np.random.default_rng(seed), 3, 3, style)
    weak = [eq.Diversity(0.3, t.kernel, t.network) if isinstance(t, eq.Diversity) else t
            for t in game.terms]  # fmt: skip
    game = game.replace(*weak)
    start = np.random.default_rng(1).dirichlet(np.full(3, 3.0), (2, 3))
    path = dynamics(game, kind, start=start, steps=4000)
    assert path.local_rate is not None
    if path.local_rate > 1e-3:
        assert path.observed_rate == pytest.approx(np.full(2, path.local_rate), abs=5e-3)
    if kind != "replicator":
        assert path.converged.all()


def test_a_planted_wrong_rate_would_be_seen() -> None:
    path = dynamics(alike(4, 0.5), "gradient", start=_corner(4), steps=400)
    other = dynamics(alike(4, 0.5), "gradient", start=_corner(4), steps=400, step_size=0.2)
    assert path.local_rate is not None
    assert abs(other.observed_rate[0] - path.local_rate) > 0.05


def _corner(n: int) -> FloatArray:
    return np.random.default_rng(0).dirichlet(np.ones(3), n)


def test_a_batch_is_its_starts_one_by_one() -> None:
    game = random_game(np.random.default_rng(3), 4, 3, "network")
    starts = np.random.default_rng(2).dirichlet(np.ones(3), (3, 4))
    for kind in ("best-response", "gradient", "replicator"):
        batch = dynamics(game, kind, start=starts, steps=20)
        for b in range(3):
            single = dynamics(game, kind, start=starts[b], steps=20, step_size=batch.step_size)
            assert single.coverage[0] == pytest.approx(batch.coverage[b, : len(single.times)])


def test_an_excluded_group_is_timed_and_rows_tell_it() -> None:
    game = lone([1.0, 0.0])
    path = dynamics(game, "gradient", steps=50, step_size=0.1)
    # x_b falls by 0.1·(v_a - v_b)/2 = 0.1·(1 - (x_a - x_b))/2 a step and never reaches 0 exactly
    # before the limit (0 at x = (1, 0)): x_a - x_b = 1 - 0.9^t.
    assert path.coverage[0, :, 1] == pytest.approx(0.5 * 0.9 ** np.arange(len(path.times)))
    when = path.time_below(0.1)[0]
    assert when[1] == pytest.approx(0.1 * np.ceil(np.log(0.2) / np.log(0.9)))
    row = list(path.to_rows())[1]
    assert row == {"start": 0, "time": 0.0, "group": "g1", "coverage": 0.5, "top_weight": 0.5}


def test_kl_games_answer_by_the_formula_and_replicate_to_the_same_place() -> None:
    game = eq.AlignmentGame(
        eq.Groups(["a", "b"]), 2,
        [eq.Attractiveness([0.5, 0.0]), eq.KLConsistency([0.5, 0.5]), eq.Diversity(0.4)],
    )  # fmt: skip
    answered = dynamics(game, steps=100)
    grown = dynamics(game, "replicator", steps=3000)
    assert answered.converged.all()
    assert grown.converged.all()
    assert answered.final == pytest.approx(grown.final, abs=1e-6)
    assert answered.local_rate is None
    with pytest.raises(BadInput, match="replicator"):
        dynamics(game, "gradient")


def test_audience_share_alone_flows_to_the_public() -> None:
    # R9.
    game = eq.AlignmentGame(eq.Groups({"a": 0.6, "b": 0.4}), 3, [eq.AudienceShare(1.0)])
    path = dynamics(game, "replicator", start=np.full((3, 2), [0.2, 0.8]), steps=3000)
    assert path.final == pytest.approx(np.broadcast_to([0.6, 0.4], (1, 3, 2)), abs=1e-5)
    with pytest.raises(BadInput, match="every group served"):
        dynamics(game, "replicator", start=np.full((3, 2), [1.0, 0.0]), steps=3)
    with pytest.raises(BadInput, match="no formula"):
        dynamics(game, "best-response")


BAD = [
    ({"kind": "fictitious"}, "write best-response"),
    ({"steps": 0}, "too few"),
    ({"step_size": 0.0}, "out of range"),
    ({"step_size": 1.5}, "out of range"),
    ({"start": [[0.5, 0.5, 0.0]]}, "shape"),
    ({"start": np.full((4, 3), 0.5)}, "sum to 1.5"),
    ({"start": "x"}, "number"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD)
def test_bad_input_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        dynamics(alike(4, 0.5), **given)


def test_a_path_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    from equipoise.report.path_plots import path as draw

    found: Path = dynamics(alike(10, 5.0), steps=30, start=_corner(10))
    axes = draw(found)
    assert "not converged" in axes.get_xlabel()
    assert [text.get_text() for text in axes.texts] == sorted(
        found.groups, key=lambda g: found.coverage[0, -1, found.groups.index(g)]
    )
    with pytest.raises(BadInput, match="start"):
        draw(found, start=1)
