"""Margins of R6: the law, what they mean, and the checks that notice a wrong one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import equipoise as eq
from equipoise.inclusion.margins import score_margins, symmetric_margins
from tests.equilibrium.random_games import STYLES, random_game

FloatArray = NDArray[np.float64]


def law(scores: list[Fraction], h: Fraction) -> list[bool]:
    """R6 in fractions: group k is excluded iff the sum of leads over it reaches h."""
    return [sum(max(a - b, Fraction(0)) for a in scores) >= h for b in scores]


def shifted(game: eq.AlignmentGame, group: int, by: float) -> eq.AlignmentGame:
    old = game.term(eq.Subsidy)
    prices = np.zeros(len(game.groups)) if old is None else np.array(old.prices)
    prices[group] += by
    return game.replace(eq.Subsidy(prices))


def edge_of_service(game: eq.AlignmentGame, group: int, margin: float) -> bool:
    """Whether a fall by `margin` is exactly where the group stops being served."""
    inside = eq.solve(shifted(game, group, -margin + 1e-6), starts=0).profile.top_weight[group]
    outside = eq.solve(shifted(game, group, -margin - 1e-6), starts=0).profile.top_weight[group]
    return bool(inside > 0 and outside == 0)


@given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=8),
    st.integers(1, 40),
    st.integers(1, 5),
)
@settings(max_examples=150, deadline=None)
def test_excluded_sets_equal_the_law_of_r6_in_fractions(
    tenths: list[int], h_tenths: int, agents: int
) -> None:
    scores = [Fraction(t, 10) for t in tenths]
    h = Fraction(h_tenths, 10)
    k = len(tenths)
    game = eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        agents,
        [
            eq.Attractiveness([float(s) for s in scores]),
            eq.Consistency(np.full(k, 1 / k), weight=float(h)),
        ],
    )
    report = eq.exclusion(eq.solve(game))
    for excluded, verdict, margin in zip(
        law(scores, h), report.verdicts, report.margins, strict=True
    ):
        if verdict.value == "on the boundary":
            assert abs(margin) < 1e-12
            assert excluded
        else:
            assert (verdict.value == "excluded") == excluded


@pytest.mark.parametrize("seed", range(60))
def test_a_margin_is_where_service_stops_by_re_solving(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = [(1, 3), (2, 2), (3, 5), (2, 5), (10, 5)][seed % 5]
    game = random_game(rng, n, k, STYLES[seed % len(STYLES)])
    equilibrium = eq.solve(game, starts=0)
    if equilibrium.certificate.uniqueness.verdict != "proved":
        return
    margins = score_margins(equilibrium)
    k = int(np.argmin(np.abs(margins)))
    assert edge_of_service(game, k, float(margins[k]))
    served = equilibrium.profile.top_weight > 0
    clear = np.abs(margins) > 1e-9
    assert np.array_equal((margins > 0)[clear], served[clear])


def test_the_edge_check_rejects_a_wrong_margin() -> None:
    game = random_game(np.random.default_rng(3), 3, 5, "plain")
    margins = score_margins(eq.solve(game))
    k = int(np.argmin(np.abs(margins)))
    assert edge_of_service(game, k, float(margins[k]))
    assert not edge_of_service(game, k, float(margins[k]) + 1e-3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("below", [0.01, 0.1])
def test_a_threshold_margin_puts_the_top_weight_on_the_threshold(seed: int, below: float) -> None:
    rng = np.random.default_rng(seed)
    game = random_game(rng, 1 + seed % 4, 4, ["plain", "identical", "general kernel"][seed % 3])
    equilibrium = eq.solve(game, starts=0)
    if equilibrium.certificate.uniqueness.verdict != "proved":
        return
    margins = score_margins(equilibrium, below)
    for k, margin in enumerate(margins):
        again = eq.solve(shifted(game, k, -float(margin)), starts=0)
        assert again.profile.top_weight[k] == pytest.approx(below, abs=1e-9)
        if abs(margin) > 1e-9:
            assert (margin < 0) == (equilibrium.profile.top_weight[k] < below)


def test_the_toys_margin_by_hand() -> None:
    """By hand (R5 without rural): v − λ is 1/40 in both rows, and 0 at weight 12/11."""
    terms = [
        eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]),
        eq.Diversity(0.3),
    ]
    groups = eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15})
    for weight, margin in ((1.0, 1 / 40), (12 / 11, 0.0)):
        game = eq.AlignmentGame(groups, 2, [eq.Attractiveness([0.5, 0.35, 0.15], weight), *terms])
        assert score_margins(eq.solve(game))[2] == pytest.approx(margin, abs=1e-14)


def test_many_games_at_once_equal_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 6))
    root = rng.normal(size=(20, 6, 6))
    curvature = np.einsum("dij,dkj->dik", root, root) / 6 + 0.2 * np.eye(6)
    batch = symmetric_margins(scores, curvature)
    for d in range(20):
        game = eq.AlignmentGame(
            eq.Groups([f"g{j}" for j in range(6)]),
            1,
            [eq.Attractiveness(scores[d]), eq.Variety(1.0, curvature[d])],
        )
        assert score_margins(eq.solve(game)) == pytest.approx(batch[d], abs=1e-10)


def test_kl_groups_are_out_by_the_anchor_alone() -> None:
    """R8: with c_k = 0 for every agent no price lifts a group; otherwise none drops it."""
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]),
        2,
        [eq.Attractiveness([1.0, 0.0, 3.0]), eq.KLConsistency([0.5, 0.5, 0.0]), eq.Diversity(0.2)],
    )
    report = eq.exclusion(eq.solve(game))
    assert report.margins.tolist() == [np.inf, np.inf, -np.inf]
    assert report.excluded == ("c",)
    half = eq.exclusion(eq.solve(game), below=0.3)
    assert np.isfinite(half.margins[:2]).all()
    assert half.margins[2] == -np.inf


def test_one_group_cannot_drop_out() -> None:
    game = eq.AlignmentGame(eq.Groups(["all"]), 3, [eq.Consistency([1.0])])
    assert score_margins(eq.solve(game)).tolist() == [np.inf]
