"""Long runs: ten thousand random games, no silent failure; nashopt as one more witness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from tests.equilibrium.random_games import SIZES, STYLES, random_game
from tests.equilibrium.witnesses import (
    FloatArray,
    by_clarabel,
    by_osqp,
    by_quantecon,
    potential,
    refined,
    stated,
)

AGREE = 1e-7


def drawn(seed: int) -> tuple[eq.AlignmentGame, int, int, str]:
    """Return game `seed` of the soak: all sizes and structures in turn, N·K = 3,000 seldom."""
    n, k = SIZES[seed % len(SIZES)]
    if n * k == 3000 and seed % 400 >= 20:
        n, k = 10, 30
    style = STYLES[(seed // len(SIZES)) % len(STYLES)]
    return random_game(np.random.default_rng(seed), n, k, style), n, k, style


@pytest.mark.soak
def test_ten_thousand_games_are_solved_or_say_that_they_are_not(
    record_figure: Callable[[str, Any], None],
) -> None:
    """The gap is recomputed from the definition, not read off the certificate."""
    count: Counter[str] = Counter()
    worst = 0.0
    for seed in range(10_000):
        game, *_ = drawn(seed)
        try:
            found = eq.solve(game, starts=1)
        except eq.NotSolved:
            count["not solved, said so"] += 1
            continue
        exam = found.certificate
        gap = stated(game).gap(found.profile.array)
        # An agent indifferent between all groups has a range of rounding size, and a gap too.
        whole = np.maximum(exam.utility_range, 1e-300)
        relative = np.where(gap > exam.rounding, gap / whole, 0.0)
        assert relative.max() <= 1e-9, seed
        worst = max(worst, float(relative.max()))
        count[exam.uniqueness.verdict] += 1
    record_figure("equilibrium.ten_thousand_games", dict(count))
    record_figure("equilibrium.ten_thousand_games.worst_relative_gap", worst)
    assert count["not solved, said so"] <= 20, count


@pytest.mark.soak
def test_two_thousand_proved_games_against_lemke_clarabel_and_osqp(
    record_figure: Callable[[str, Any], None],
) -> None:
    count: Counter[str] = Counter()
    for seed in range(100_000, 102_000):
        game, n, k, _ = drawn(seed)
        found = eq.solve(game, starts=0)
        if found.certificate.uniqueness.verdict != "proved" or k == 1:
            continue
        named = [by_quantecon] if n * k <= 300 else []
        if potential(stated(game)) is not None:
            named += [by_clarabel, by_osqp]
        for witness in named:
            answer = witness(game)
            count[f"{witness.__name__}: {'solved' if answer is not None else 'failed'}"] += 1
            if answer is not None:
                assert np.abs(answer - found.profile.array).max() < AGREE, (seed, witness)
    record_figure("equilibrium.agreement", dict(count))
    failed = sum(v for name, v in count.items() if name.endswith("failed"))
    assert failed <= 0.02 * sum(count.values()), count


def by_nashopt(game: eq.AlignmentGame) -> FloatArray | None:
    """nashopt's variational solver (its `dr_daqp` is daqp), fed from the definition."""
    nashopt = pytest.importorskip("nashopt")
    form = stated(game)
    n, k = form.shape
    size = max(float(np.abs(form.jacobian()).max()), float(np.ptp(form.scores)))
    costs, linear = [], []
    for i in range(n):
        own = slice(i * k, (i + 1) * k)
        cross = np.kron(form.gamma[i] * form.meets[i], form.kernel)
        whole = np.zeros((n * k, n * k))
        whole[own, :] = cross
        whole[:, own] = cross.T
        # A type meets itself: its slope there is not its own to change, so it is not doubled.
        whole[own, own] = form.curvature[i] + form.gamma[i] * form.meets[i, i] * form.kernel
        slope = np.zeros(n * k)
        slope[own] = -form.scores[i]
        costs.append(whole / size)
        linear.append(slope / size)
    rows = np.kron(np.eye(n), np.ones((1, k)))
    problem = nashopt.GNEP_LQ(
        [k] * n, costs, linear,
        lb=np.zeros(n * k), ub=np.ones(n * k), Aeq=rows, beq=np.ones(n),
        variational=True, solver="dr_daqp",
    )  # fmt: skip
    answer = np.asarray(problem.solve().x, dtype=np.float64)
    if answer.shape != (n * k,) or not np.isfinite(answer).all():
        return None
    return refined(form, answer.reshape(n, k))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("style", STYLES)
def test_nashopt_agrees_wherever_uniqueness_is_proved(
    style: str, record_figure: Callable[[str, Any], None]
) -> None:
    """Up to N·K = 300; outside R2 daqp answers garbage, so only inside."""
    pytest.importorskip("nashopt")
    count: Counter[str] = Counter()
    for seed in range(60):
        n, k = [(2, 5), (2, 2), (3, 5), (10, 5), (10, 30), (100, 2)][seed % 6]
        game = random_game(np.random.default_rng([seed, STYLES.index(style)]), n, k, style)
        found = eq.solve(game, starts=0)
        if found.certificate.uniqueness.verdict != "proved":
            continue
        answer = by_nashopt(game)
        count["solved" if answer is not None else "failed"] += 1
        if answer is not None:
            assert np.abs(answer - found.profile.array).max() < AGREE, (style, seed)
    record_figure(f"equilibrium.nashopt.{style}", dict(count))
    assert count["solved"] >= 5
    assert count["failed"] <= 0.2 * count["solved"], count
