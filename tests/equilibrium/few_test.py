"""The short road for a few agents against the safeguarded iteration; what happens off it."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium import mean_field, methods
from equipoise.equilibrium.few import few_agents
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import FloatArray, by_quantecon, stated


@pytest.mark.parametrize("style", ["plain", "types", "common", "ties", "herding"])
def test_full_steps_end_where_the_safeguarded_iteration_does(style: str) -> None:
    """The witness is NumPy's iteration with its line search, which shares no line with it."""
    taken = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        game = random_game(rng, int(rng.integers(2, 40)), int(rng.integers(2, 12)), style)
        form = game.affine
        assert form is not None
        few = few_agents(form) if mean_field.applies(form) else None
        quick = None if few is None else few.solve(None)
        slow = mean_field.solve_mean_field(form) if few is not None else None
        if quick is None or slow is None:
            continue
        taken += 1
        if eq.solve(game, starts=0).certificate.uniqueness.verdict == "proved":
            assert np.abs(quick[0] - slow[0]).max() < 1e-11
        x = np.asarray(quick[0])
        assert (x >= 0).all()
        assert np.abs(x.sum(axis=1) - 1).max() < 1e-11
        # Gap from the definition (R3).
        assert stated(game).gap(x).max() < 1e-11
    assert taken >= 10


def test_steps_start_from_a_given_coverage() -> None:
    game = random_game(np.random.default_rng(1), 10, 5, "plain")
    found = eq.solve(game)
    again = eq.solve(game, start=found.profile)
    assert again.record.steps <= found.record.steps
    assert np.abs(found.profile.array - again.profile.array).max() < 1e-12


def weak(seed: int) -> eq.AlignmentGame:
    """R10: little curvature, where a full step cycles in most games of three agents."""
    rng = np.random.default_rng(seed)
    return eq.AlignmentGame(
        eq.Groups(["a", "b", "c", "d"]),
        3,
        [
            eq.Attractiveness(rng.normal(size=(3, 4))),
            eq.Consistency(rng.dirichlet(np.ones(4), 3), weight=0.51),
            eq.Diversity(1.0),
        ],
    )


def test_where_full_steps_cycle_the_safeguard_takes_over() -> None:
    """Lemke of QuantEcon is the witness."""
    given_up = 0
    for seed in range(40):
        game = weak(seed)
        assert game.affine is not None
        few = few_agents(game.affine)
        given_up += few is None or few.solve(None) is None
        answer = by_quantecon(game)
        assert answer is not None
        assert np.abs(eq.solve(game).profile.array - answer).max() < 1e-9
    assert given_up >= 5


def test_scores_far_apart_for_their_curvature_are_left_to_the_slow_road() -> None:
    game = weak(0).replace(eq.Attractiveness(1e4 * np.eye(3, 4)))
    assert game.affine is not None
    assert few_agents(game.affine) is None
    assert eq.solve(game).certificate.max_relative_gap < 1e-9


def test_a_planted_wrong_answer_is_refused_and_the_next_method_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game = random_game(np.random.default_rng(2), 8, 4, "plain")
    right = eq.solve(game).profile.array

    class Wrong:
        def solve(self, start: FloatArray | None) -> tuple[FloatArray, int]:
            x = right.copy()
            x[0] = np.roll(x[0], 1)
            return x, 1

    monkeypatch.setattr(methods, "few_agents", lambda _: Wrong())
    assert np.abs(eq.solve(game).profile.array - right).max() < 1e-12
