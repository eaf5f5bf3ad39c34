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


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    game = population(3 * compiled.CHUNK + 11, 4, 3)
    first = eq.solve(game).profile.array
    compiled._threads.cache_clear()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert np.array_equal(first, eq.solve(game).profile.array)
    compiled._threads.cache_clear()
