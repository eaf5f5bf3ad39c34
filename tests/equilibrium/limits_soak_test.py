"""Long runs where answers go wrong: near R2's limit, at ties, with weights spread over decades.

Every gap is recomputed from the definition (`witnesses.stated`), not read off the certificate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium import compiled
from tests.equilibrium.random_games import STYLES, random_game
from tests.equilibrium.witnesses import FloatArray, by_quantecon, stated

pytestmark = pytest.mark.soak

TOL = 1e-9


def checked(game: eq.AlignmentGame, starts: int | None = 0) -> tuple[str, float, float]:
    """Solve; return what was said, the relative gap and the gap by definition."""
    try:
        found = eq.solve(game, starts=starts)
    except eq.NotSolved as refused:
        known = "could still gain up to" in str(refused)
        return "refused with the reason" if known else str(refused), 0.0, 0.0
    exam = found.certificate
    gap = stated(game).gap(found.profile.array)
    whole = np.maximum(exam.utility_range, 1e-300)
    relative = np.where(gap > exam.rounding, gap / whole, 0.0)
    rows = found.profile.array
    assert (rows >= 0).all()
    assert np.abs(rows.sum(axis=1) - 1).max() <= 1e-9
    return f"{exam.uniqueness.verdict}; {found.record.solver}", float(relative.max()), gap.max()


def top_on_tangent(kernel: FloatArray) -> float:
    k = len(kernel)
    basis = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1]
    return float(np.linalg.eigvalsh(basis.T @ kernel @ basis)[-1])


def near_limit(seed: int, excess: float, full: bool) -> eq.AlignmentGame:
    """β_i/γ_i = (1 + excess·u) λ_max(S|T)/(N−1) for every agent: D_i just above 0."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 11)), int(rng.integers(2, 9))
    kernel: FloatArray = np.eye(k)
    if full:
        roots = np.sqrt(rng.dirichlet(np.ones(3), size=(k, 6)))
        kernel = np.einsum("kqc,lqc->kl", roots, roots) / 6
    gamma = rng.uniform(0.2, 2, n) if seed % 2 else np.ones(n)
    ratio = top_on_tangent(kernel) / (n - 1) * (1 + excess * rng.uniform(1, 1.5, n))
    scale = 10.0 ** rng.uniform(-2, 1)
    return eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        n,
        [
            eq.Attractiveness(scale * rng.normal(size=(n, k))),
            eq.Consistency(rng.dirichlet(np.ones(k), n), weight=gamma * ratio),
            eq.Diversity(gamma, kernel=kernel if full else None),
        ],
    )


def run(
    games: Callable[[int], eq.AlignmentGame],
    count: int,
    name: str,
    keep: Callable[[str, Any], None],
) -> Counter[str]:
    said: Counter[str] = Counter()
    worst = 0.0
    for seed in range(count):
        verdict, relative, _ = checked(games(seed))
        assert relative <= TOL, (name, seed)
        said[verdict] += 1
        worst = max(worst, relative)
    keep(f"limits.{name}", dict(said))
    keep(f"limits.{name}.worst_relative_gap", worst)
    return said


@pytest.fixture(params=["plain", "compiled"])
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Games of every size through NumPy, or through the compiled passes."""
    if request.param == "compiled":
        pytest.importorskip(
            "numba", reason="the extra 'fast' is not installed: nothing is compiled"
        )
        monkeypatch.setattr(compiled, "ROWS", 1)
    return str(request.param)


@pytest.mark.parametrize("full", [False, True], ids=["identity", "full kernel"])
def test_five_thousand_games_at_ratios_1_01_to_1_2(
    full: bool, passes: str, record_figure: Callable[[str, Any], None]
) -> None:
    """An undamped step fails on 18–38 % of these (R10): here none may fail."""
    said = run(
        lambda seed: near_limit(seed, 0.01 + 0.12 * (seed % 10) / 10, full),
        5000,
        f"ratio 1.01-1.2, {'full kernel' if full else 'S = I'}, {passes}",
        record_figure,
    )
    assert said["refused with the reason"] == 0, said


@pytest.mark.parametrize("full", [False, True], ids=["identity", "full kernel"])
def test_five_thousand_games_at_margins_1e_6_to_1e_9(
    full: bool, passes: str, record_figure: Callable[[str, Any], None]
) -> None:
    said = run(
        lambda seed: near_limit(seed, 10.0 ** -(6 + seed % 4), full),
        5000,
        f"margin 1e-6..1e-9, {'full kernel' if full else 'S = I'}, {passes}",
        record_figure,
    )
    assert said["refused with the reason"] <= 5, said


def spread(seed: int) -> eq.AlignmentGame:
    rng = np.random.default_rng([7, seed])
    game = near_limit(seed, 0.05, bool(seed % 3))
    term = game.term(eq.Consistency)
    assert term is not None
    n = len(game.agents)
    return game.replace(
        eq.Consistency(term.anchor, weight=term.weight * 10.0 ** rng.uniform(0, 4, n))
    )


def tied(seed: int) -> eq.AlignmentGame:
    """Values in {0, 1}, equal anchors, equal weights: boundaries are met exactly."""
    rng = np.random.default_rng([8, seed])
    game = near_limit(seed, 0.5 * (1 + seed % 4), bool(seed % 2))
    n, k = len(game.agents), len(game.groups)
    return game.replace(
        eq.Attractiveness(rng.integers(0, 2, size=(n, k)).astype(np.float64)),
        eq.Consistency(np.full(k, 1.0 / k), weight=np.full(n, float(1 + seed % 3))),
    )


@pytest.mark.parametrize("games", [spread, tied])
def test_five_thousand_games_with_spread_weights_or_ties(
    games: Callable[[int], eq.AlignmentGame],
    passes: str,
    record_figure: Callable[[str, Any], None],
) -> None:
    said = run(games, 5000, f"{games.__name__}, {passes}", record_figure)
    assert said["refused with the reason"] == 0, said


def test_four_hundred_games_at_the_limit_are_the_ones_lemke_finds(
    passes: str, record_figure: Callable[[str, Any], None]
) -> None:
    """QuantEcon's Lemke, fed from the definition, wherever uniqueness is proved."""
    count: Counter[str] = Counter()
    for seed in range(400):
        game = near_limit(seed, 10.0 ** -(1 + seed % 6), bool(seed % 2))
        found = eq.solve(game, starts=0)
        answer = by_quantecon(game)
        if found.certificate.uniqueness.verdict != "proved" or answer is None:
            count["not comparable"] += 1
            continue
        # A rounding error in a score moves weights by itself over the margin.
        assert np.abs(found.profile.array - answer).max() < 1e-13 / 10.0 ** -(1 + seed % 6) + 1e-9
        count["agreed"] += 1
    record_figure(f"limits.lemke, {passes}", dict(count))
    assert count["agreed"] >= 350


def test_a_hundred_thousand_games_of_all_sizes_without_one_uncertified_return(
    record_figure: Callable[[str, Any], None],
) -> None:
    """1–50 agents × 1–50 groups, every structure; large ones are drawn less often."""
    said: Counter[str] = Counter()
    worst, uncertified = 0.0, 0
    for seed in range(100_000):
        rng = np.random.default_rng([9, seed])
        # Sizes equally often per factor of two, so that 50 × 50 occurs and does not fill the run.
        n, k = (int(2.0 ** rng.uniform(0, np.log2(51))) for _ in range(2))
        style = STYLES[seed % len(STYLES)]
        if k < 2 and style == "metric":
            style = "plain"
        verdict, relative, _ = checked(random_game(rng, n, k, style))
        uncertified += relative > TOL
        worst = max(worst, relative)
        said[verdict.split(";")[0]] += 1
    record_figure("limits.hundred_thousand_games", dict(said))
    record_figure("limits.hundred_thousand_games.worst_relative_gap", worst)
    record_figure("limits.hundred_thousand_games.uncertified_returns", uncertified)
    assert uncertified == 0
    assert said["refused with the reason"] <= 100, said
