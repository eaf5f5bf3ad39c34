"""Compiled passes for any metric, variety matrix and kernel: fractions, NumPy, outside solvers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium import answers, compiled
from equipoise.equilibrium.exam import examine
from equipoise.equilibrium.passes import answer_general, blend, definite
from equipoise.equilibrium.simplex import maximise, solve_on
from equipoise.game.affine import AffineForm
from tests.equilibrium.witnesses import FloatArray, by_clarabel, by_quantecon, stated

pytest.importorskip("numba", reason="the extra 'fast' is not installed: nothing is compiled")


def similar(rng: np.random.Generator, k: int) -> FloatArray:
    """Bhattacharyya-like kernel: unit diagonal, positive semidefinite."""
    roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
    return np.asarray(np.einsum("kqc,lqc->kl", roots, roots) / 6)


def metric(rng: np.random.Generator, k: int) -> FloatArray:
    root = rng.normal(size=(k, k))
    return np.asarray(root @ root.T / k + 0.1 * np.eye(k))


def population(n: int, k: int, seed: int, style: str = "plain") -> eq.AlignmentGame:
    rng = np.random.default_rng([seed, k])
    values: FloatArray = rng.normal(size=(n, k))
    beta, gamma = rng.uniform(0.5, 2, n), rng.uniform(0.1, 1, n)
    kernel, square = similar(rng, k), None
    agents: int | dict[str, int] = n
    match style:
        case "typed":
            agents = {f"t{i}": int(c) for i, c in enumerate(rng.integers(1, 9, n))}
            square = metric(rng, k)
        case "ties":
            values = rng.integers(0, 2, size=(n, k)).astype(np.float64)
            beta, gamma = np.ones(n), np.full(n, 0.5)
        case "spread":
            beta = 0.3 * 10.0 ** rng.uniform(0, 4, n)
        case "level":
            values += 1e6
        case "near the limit":
            basis = np.linalg.svd(np.eye(k) - 1 / k)[0][:, :-1]
            top = np.linalg.eigvalsh(basis.T @ kernel @ basis)[-1]
            total = n if isinstance(agents, int) else sum(agents.values())
            beta = gamma * top / (total - 1) * rng.uniform(1.001, 1.2, n)
    return eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        agents,
        [
            eq.Attractiveness(values, weight=rng.uniform(0.5, 2, n)),
            eq.Consistency(rng.dirichlet(np.ones(k), n), weight=beta, metric=square),
            eq.Diversity(gamma, kernel=kernel),
            eq.Variety(rng.uniform(0, 0.3, n) * (style != "near the limit"), similar(rng, k)),
            eq.Subsidy(0.1 * rng.normal(size=k)),
        ],
    )


def affine(game: eq.AlignmentGame) -> AffineForm:
    assert game.affine is not None
    return game.affine


STYLES = ("plain", "typed", "ties", "spread", "level", "near the limit")


@pytest.mark.parametrize("k", [2, 3, 20, 64, 70])
@pytest.mark.parametrize("style", STYLES)
def test_one_pass_equals_numpys(style: str, k: int) -> None:
    """Mean, profile and Jacobian against the batched NumPy programme, cold and warm."""
    form = affine(population(60, k, 1, style))
    plain = answers.build_plain(form)
    parts = blend(form, form.agents.total)
    served = np.full((60, k), 7, dtype=np.uint8)
    out = np.empty((60, k))
    m = np.random.default_rng(0).dirichlet(np.ones(k))
    # NumPy adds scores of size 1e6; near the limit a rounding error is divided by the margin.
    near = 1e-9 if style in ("near the limit", "level") else 1e-12
    for warm, other in ((False, m), (True, m), (True, np.full(k, 1 / k))):
        done = answer_general(
            form, parts, other, total=form.agents.total, served=served, warm=warm, profile=out
        )
        x = plain.respond(other)
        assert np.abs(out - x).max() <= near
        assert np.abs(done.mean - plain.share @ x).max() <= near
        assert done.unsettled == 0
        slopes = plain.jacobian(x > 0)
        # At ties the groups on the boundary may count or not: compare where none is.
        if style != "ties":
            assert done.jacobian == pytest.approx(slopes, rel=1e-6, abs=near * np.abs(slopes).max())


def exact_answer(scores: FloatArray, curvature: FloatArray) -> list[Fraction]:
    """Return the maximiser on the simplex by trying every support, in fractions."""
    n = scores.size
    s = [Fraction(float(v)) for v in scores]
    h = [[Fraction(float(v)) for v in row] for row in curvature]
    for size in range(1, n + 1):
        for on in itertools.combinations(range(n), size):
            table = [[h[p][q] for q in on] + [Fraction(1), s[p]] for p in on]
            table.append([Fraction(1)] * size + [Fraction(0), Fraction(1)])
            for c in range(size + 1):
                pivot = next(r for r in range(c, size + 1) if table[r][c] != 0)
                table[c], table[pivot] = table[pivot], table[c]
                for r in range(size + 1):
                    if r != c and table[r][c] != 0:
                        f = table[r][c] / table[c][c]
                        table[r] = [u - f * v for u, v in zip(table[r], table[c], strict=True)]
            found = [table[c][-1] / table[c][c] for c in range(size + 1)]
            x = [Fraction(0)] * n
            for weight, k in zip(found, on, strict=False):
                x[k] = weight
            rest = [s[k] - sum((a * b for a, b in zip(h[k], x, strict=True)), Fraction(0))
                    for k in range(n)]  # fmt: skip
            if min(x) >= 0 and all(v <= found[-1] for v in rest):
                return x
    raise AssertionError("no support fits")


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("style", ["plain", "ties", "spread"])
def test_every_answer_is_the_one_found_by_trying_all_supports(style: str, k: int) -> None:
    """Brute force over supports in rational arithmetic; the programme is convex, so it is it."""
    form = affine(population(25, k, 3, style))
    parts = blend(form, form.agents.total)
    m = np.random.default_rng(1).dirichlet(np.ones(k))
    out, served = np.empty((25, k)), np.empty((25, k), dtype=np.uint8)
    answer_general(form, parts, m, total=form.agents.total, served=served, warm=False, profile=out)
    plain = answers.build_plain(form)
    tilted = plain.scores - plain.gamma[:, None] * (form.kernel_matrix() @ m)
    for row in range(25):
        x = exact_answer(tilted[row], plain.own[row])
        assert np.abs(out[row] - np.array(x, dtype=np.float64)).max() < 1e-12


def rows_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let games of any size go through the compiled passes."""
    monkeypatch.setattr(compiled, "ROWS", 1)


@pytest.mark.parametrize("witness", [by_quantecon, by_clarabel])
@pytest.mark.parametrize("style", ["plain", "typed", "ties", "spread"])
def test_small_games_through_the_compiled_passes_against_outside_solvers(
    style: str,
    witness: Callable[[eq.AlignmentGame], FloatArray | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lemke of QuantEcon and Clarabel on the potential, both fed from the definition."""
    rows_of_their_own(monkeypatch)
    agreed = 0
    for seed in range(4):
        game = population(12, 5, seed, style)
        found = eq.solve(game)
        assert found.record.solver.startswith("mean-field")
        assert found.certificate.uniqueness.verdict == "proved"
        gap = stated(game).gap(found.profile.array)
        assert (gap <= 1e-12 * np.maximum(1.0, found.certificate.utility_range)).all()
        answer = witness(game)
        if answer is not None:
            assert np.abs(found.profile.array - answer).max() < 1e-7
            agreed += 1
    assert agreed >= 3


@pytest.mark.parametrize("style", STYLES)
def test_the_compiled_exam_equals_the_exam_term_by_term(
    style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the generic exam of a profile that is no equilibrium, and of one that is."""
    game = population(40, 6, 5, style)
    rng = np.random.default_rng(2)
    for x in (rng.dirichlet(np.ones(6), 40), eq.solve(game).profile.array):
        profile = game.profile(x)
        plain = examine(game, profile)
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "ROWS", 1)
            fast = examine(game, profile)
        for name in ("gap", "rounding", "utility_range", "regret"):
            ours, theirs = getattr(fast, name), getattr(plain, name)
            size = 1e-9 if style == "level" else 1e-12
            assert ours == pytest.approx(theirs, rel=1e-9, abs=size), name


def test_the_regret_of_curvature_hI_is_sharp_under_any_kernel(  # noqa: N802  # hI is its name
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c", "d"]),
        30,
        [
            eq.Attractiveness(rng.normal(size=(30, 4))),
            eq.Consistency(np.full(4, 0.25), weight=rng.uniform(1, 2, 30), metric=2 * np.eye(4)),
            eq.Diversity(rng.uniform(0.1, 1, 30), kernel=similar(rng, 4)),
        ],
    )
    profile = game.profile(rng.dirichlet(np.ones(4), 30))
    plain = examine(game, profile)
    rows_of_their_own(monkeypatch)
    fast = examine(game, profile)
    assert fast.regret == pytest.approx(plain.regret, abs=1e-12)
    assert (fast.regret < fast.gap).any()


def test_the_exam_sees_a_row_solved_on_the_wrong_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted mask: one served group is taken out of one row, the rest solved exactly."""
    rows_of_their_own(monkeypatch)
    game = population(200, 6, 7)
    form = affine(game)
    x = np.array(eq.solve(game).profile.array)
    row = int(np.flatnonzero((x > 0.05).sum(axis=1) >= 3)[0])
    plain = answers.build_plain(form)
    tilted = plain.scores - plain.gamma[:, None] * (form.kernel_matrix() @ x.mean(axis=0))
    on = x[row] > 0
    on[int(np.flatnonzero(x[row] > 0.05)[0])] = False
    wrong = solve_on(tilted[row : row + 1], plain.own[row : row + 1], on[None])[0][0]
    assert (wrong >= 0).all()
    x[row] = wrong / wrong.sum()
    exam = eq.certify(game, game.profile(x))
    assert int(exam.gap.argmax()) == row
    assert exam.gap[row] > 1e-4
    assert exam.max_relative_gap > 1e-6


def test_a_pass_given_wrong_masks_mends_them() -> None:
    form = affine(population(50, 9, 11))
    parts = blend(form, form.agents.total)
    m = np.full(9, 1 / 9)
    rng = np.random.default_rng(3)
    served = rng.integers(0, 2, (50, 9)).astype(np.uint8)
    served[np.arange(50), rng.integers(0, 9, 50)] = 1
    out = np.empty((50, 9))
    answer_general(form, parts, m, total=50, served=served, warm=True, profile=out)
    assert np.abs(out - answers.build_plain(form).respond(m)).max() < 1e-12
    assert ((out > 0) <= (served > 0)).all()


def test_the_method_of_finite_end_alone_gives_the_same() -> None:
    """`climb`, which takes over when signs do not settle, against the batched programme."""
    from equipoise.equilibrium.kernels_general import climb

    rng = np.random.default_rng(5)
    for seed in range(200):
        k = int(rng.integers(2, 12))
        root = rng.normal(size=(k, k - 1))
        centred = root - root.mean(axis=0)
        # Definite on sum-zero vectors only: along 1 it is as negative as it likes.
        square = centred @ centred.T - (seed % 3) * np.ones((k, k))
        t = rng.normal(size=k) if seed % 2 else rng.integers(0, 2, k).astype(np.float64)
        t -= t.max()
        on, list_ = np.empty(k, dtype=np.uint8), np.empty(k, dtype=np.int64)
        y, v, x = np.empty(k), np.empty(k), np.empty(k)
        q = climb(
            t, 0.0, np.ones(1), square[None], 1.0 + float(np.abs(square).max()), on, list_,
            np.empty((k, k)), np.empty((k, k)), y, v, x,
        )  # fmt: skip
        assert q > 0
        found = np.zeros(k)
        found[list_[:q]] = y[:q]
        assert np.abs(found - maximise(t[None], square)[0][0]).max() < 1e-9


def test_a_curvature_that_is_not_definite_is_seen_and_counted() -> None:
    """Two agents of many with γ far beyond R2's limit: R10 does not apply."""
    n, k = 50, 4
    rng = np.random.default_rng(6)
    gamma = np.full(n, 0.5)
    gamma[[3, 30]] = 500.0
    game = eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        n,
        [
            eq.Attractiveness(rng.normal(size=(n, k))),
            eq.Consistency(np.full(k, 0.25)),
            eq.Diversity(gamma, kernel=similar(rng, k)),
        ],
    )
    form = affine(game)
    parts = blend(form, n)
    assert not definite(parts, n)
    assert definite(blend(affine(population(n, k, 1)), n), n)
    served = np.ones((n, k), dtype=np.uint8)
    # Every group on at once: only then does the reduced matrix show it for certain.
    done = answer_general(form, parts, np.full(k, 0.25), total=n, served=served, warm=True)
    assert done.unsettled <= 2


@pytest.mark.parametrize("style", ["plain", "typed", "near the limit"])
def test_many_rows_are_proved_and_certified(style: str) -> None:
    """Against the definition's gap (R3), written down again, row by row in blocks."""
    game = population(compiled.ROWS + 13, 7, 2, style)
    found = eq.solve(game)
    assert found.record.solver.startswith("mean-field")
    assert found.certificate.uniqueness.verdict == "proved"
    x, form = found.profile.array, affine(game)
    counts = game.agents.counts
    met = (counts @ x - x) / (game.agents.total - 1) @ form.kernel_matrix()
    bend = sum(w[:, None] * (x if m is None else x @ m) for w, m in form.curvatures)
    v = form.scores - bend - form.gamma[:, None] * met
    gap = (x * (v.max(axis=1, keepdims=True) - v)).sum(axis=1)
    assert gap.max() < 1e-11
    assert found.certificate.max_gap < 1e-11


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    game = population(2 * compiled.ROWS, 4, 3)
    first = eq.solve(game).profile.array
    compiled._threads.cache_clear()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert np.array_equal(first, eq.solve(game).profile.array)
    compiled._threads.cache_clear()
