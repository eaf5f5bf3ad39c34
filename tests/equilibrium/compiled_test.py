"""Compiled passes against NumPy: the same answers, the same exam, errors seen."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium import answers, compiled
from equipoise.equilibrium.exam import examine

pytest.importorskip("numba", reason="the extra 'fast' is not installed: nothing is compiled")


def population(n: int, k: int, seed: int, *, typed: bool = False) -> eq.AlignmentGame:
    rng = np.random.default_rng(seed)
    counts = {f"t{i}": int(c) for i, c in enumerate(rng.integers(1, 9, n))}
    return eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        counts if typed else n,
        [
            eq.Attractiveness(rng.normal(size=(n, k)) + 1e6, weight=rng.uniform(0.5, 2, n)),
            eq.Consistency(rng.dirichlet(np.ones(k), n), weight=rng.uniform(0.5, 2, n)),
            eq.Diversity(rng.uniform(0.1, 1, n)),
            eq.Variety(rng.uniform(0, 0.3, n)),
            eq.Subsidy(0.1 * rng.normal(size=k)),
        ],
    )


@pytest.mark.parametrize(("k", "typed"), [(2, False), (8, False), (8, True), (33, False)])
def test_compiled_answers_equal_numpys(
    k: int, typed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the same population solved and examined row by row with NumPy alone."""
    game = population(compiled.ROWS + 37, k, k, typed=typed)
    fast = eq.solve(game)
    assert fast.record.solver.startswith("mean-field")
    monkeypatch.setattr(compiled, "ROWS", 10**9)
    assert game.affine is not None
    assert isinstance(answers.build(game.affine), answers.Problem)
    plain = eq.solve(game)
    assert np.abs(fast.profile.array - plain.profile.array).max() < 1e-9
    exam = examine(game, fast.profile)
    for name in ("gap", "utility_range", "rounding"):
        ours = getattr(fast.certificate, name)
        assert ours == pytest.approx(getattr(exam, name), rel=1e-9, abs=1e-12), name
    assert fast.certificate.max_relative_gap < 1e-9


def test_the_compiled_exam_sees_a_planted_error() -> None:
    game = population(compiled.ROWS + 5, 5, 1)
    profile = np.array(eq.solve(game).profile.array)
    row = np.flatnonzero((profile > 0.1).sum(axis=1) >= 2)[0]
    a, b = np.flatnonzero(profile[row] > 0.1)[:2]
    profile[row, a] += 0.01
    profile[row, b] -= 0.01
    exam = eq.certify(game, game.profile(profile))
    assert int(exam.gap.argmax()) == row
    assert exam.gap[row] > 1e-4
    assert 0 < exam.regret[row] < exam.gap[row]


def test_an_unread_profile_off_the_simplex_is_refused() -> None:
    game = population(compiled.ROWS + 5, 5, 1)
    profile = np.array(eq.solve(game).profile.array)
    profile[7] *= 1.01
    loose = eq.Profile.unchecked(game.groups, game.agents, profile)
    with pytest.raises(eq.BadInput, match="off the simplex"):
        eq.certify(game, loose)


@pytest.mark.parametrize("full", [False, True], ids=["S = I", "full kernel"])
def test_an_unread_profile_that_is_not_a_number_is_refused(full: bool) -> None:
    game = population(compiled.ROWS + 5, 3, 1)
    if full:
        kernel = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
        game = game.replace(eq.Diversity(0.5, kernel=kernel))
    profile = np.full((compiled.ROWS + 5, 3), 1 / 3)
    profile[11, 1] = np.nan
    loose = eq.Profile.unchecked(game.groups, game.agents, profile)
    with pytest.raises(eq.BadInput, match="off the simplex"):
        eq.certify(game, loose)


def test_rows_sum_to_one_where_curvature_is_small_beside_the_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """h = 1e-9: a level told from scores of size 1 would be known to 1e-7 of it only."""
    monkeypatch.setattr(compiled, "ROWS", 1)
    rng = np.random.default_rng(3)
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]),
        6,
        [
            eq.Attractiveness(rng.normal(size=(6, 3))),
            eq.Consistency(rng.dirichlet(np.ones(3), 6), weight=1 / 5 + 1e-9),
            eq.Diversity(1.0),
        ],
    )
    form = game.affine
    assert form is not None
    near = answers.build(form).evaluate(np.full(3, 1 / 3), True).profile
    assert near is not None
    assert np.abs(near.sum(axis=1) - 1).max() < 1e-12


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    game = population(3 * compiled.CHUNK + 11, 4, 3)
    first = eq.solve(game).profile.array
    compiled._threads.cache_clear()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert np.array_equal(first, eq.solve(game).profile.array)
    compiled._threads.cache_clear()
