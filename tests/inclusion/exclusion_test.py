"""Verdicts: thresholds, joint draws, boundaries, several equilibria."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from equipoise.inclusion.exclusion import ExclusionDraws, Verdict, draw_exclusion


def toy(weight: float = 1.0) -> eq.AlignmentGame:
    return eq.AlignmentGame(
        eq.Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15}),
        ["model-a", "model-b"],
        [
            eq.Attractiveness([0.50, 0.35, 0.15], weight=weight),
            eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]),
            eq.Diversity(0.3),
        ],
    )


def test_the_toy_of_the_design_document() -> None:
    report = eq.exclusion(eq.solve(toy()), below=0.02)
    assert report.excluded == ("rural",)
    assert report.coverage[2] == pytest.approx(1 / 78, abs=1e-15)
    assert report.top_agent[:2] == ("model-a", "model-b")
    assert eq.exclusion(eq.solve(toy())).excluded == ()


def test_rural_is_exactly_on_the_boundary_at_twelve_elevenths() -> None:
    assert eq.exclusion(eq.solve(toy(12 / 11))).verdicts[2] is Verdict.boundary
    assert eq.exclusion(eq.solve(toy(12 / 11 + 1e-9))).verdicts[2] is Verdict.excluded
    assert eq.exclusion(eq.solve(toy(12 / 11 - 1e-9))).verdicts[2] is Verdict.included


def test_verdicts_follow_the_share_of_joint_draws() -> None:
    margins = np.full((1000, 3), 0.1)
    margins[:975, 1] = -0.1
    margins[:500, 2] = -0.1
    draws = ExclusionDraws(margins, np.maximum(margins, 0), np.maximum(margins, 0), 0.0)
    report = eq.exclusion(eq.solve(toy()), draws=draws)
    assert [v.value for v in report.verdicts] == ["included", "excluded", "undecided"]
    margins[0, 1] = 0.1
    fewer = ExclusionDraws(margins, np.maximum(margins, 0), np.maximum(margins, 0), 0.0)
    assert eq.exclusion(eq.solve(toy()), draws=fewer).verdicts[1] is Verdict.undecided


def test_draws_are_equilibria_of_drawn_games() -> None:
    rng = np.random.default_rng(0)
    games = [toy(float(w)) for w in rng.normal(12 / 11, 0.02, 60)]
    draws = draw_exclusion(games)
    share = np.mean([g.term(eq.Attractiveness).weight > 12 / 11 for g in games])  # type: ignore[union-attr]  # the toy has one
    assert draws.excluded_share[2] == pytest.approx(share)
    report = eq.exclusion(eq.solve(toy(12 / 11)), draws=draws)
    assert report.verdicts[2] is Verdict.undecided
    assert report.margin_low[2] < 0 < report.margin_high[2]
    assert not report.jointly[2]


def test_exclusion_is_counted_over_all_equilibria_found() -> None:
    """R2(f): three agents that specialise over five nearly equal groups."""
    game = eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(5)]),
        3,
        [
            eq.Attractiveness([0, 0.01, 0.02, 0.01, 0]),
            eq.Consistency(np.full(5, 0.2)),
            eq.Diversity(2.2),
        ],
    )
    equilibrium = eq.solve(game, starts=12)
    report = eq.exclusion(equilibrium)
    assert report.equilibria == len(equilibrium.found) > 3
    by_hand = sum((e.profile.array.max(axis=0) == 0).astype(int) for e in equilibrium.found)
    assert np.array_equal(report.excluded_in, by_hand)


def test_coverage_ratio_and_distance_against_shares() -> None:
    game = eq.AlignmentGame(eq.Groups({"a": 0.75, "b": 0.25}), 1, [eq.Consistency([0.5, 0.5])])
    report = eq.exclusion(eq.solve(game))
    assert report.coverage_ratio.tolist() == pytest.approx([2 / 3, 2.0])
    assert report.l1_distance == pytest.approx(0.5)


@pytest.mark.parametrize("below", [-0.1, 1.0, 2.0])
def test_a_threshold_off_the_scale_is_refused(below: float) -> None:
    with pytest.raises(eq.BadInput, match="below"):
        eq.exclusion(eq.solve(toy()), below=below)


def test_draws_for_another_threshold_are_refused() -> None:
    draws = ExclusionDraws(np.ones((3, 3)), np.ones((3, 3)), np.ones((3, 3)), 0.01)
    with pytest.raises(eq.BadInput, match="another threshold"):
        eq.exclusion(eq.solve(toy()), draws=draws)


@pytest.mark.parametrize("seed", range(40))
def test_served_is_never_called_excluded_however_strong_the_herding(seed: int) -> None:
    """By what agents do: the verdict is read off the weights, never off another equilibrium."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    values = rng.normal(size=(n, k)) if seed % 2 else rng.normal(size=k)
    game = eq.AlignmentGame(
        eq.Groups([f"g{j}" for j in range(k)]),
        n,
        [
            eq.Attractiveness(values),
            eq.Consistency(np.full(k, 1 / k)),
            eq.Diversity(float(rng.choice([-3.0, -1.0, -0.4, 0.5, 3.0]))),
        ],
    )
    for below in (0.0, 0.05):
        equilibrium = eq.solve(game)
        report = eq.exclusion(equilibrium, below=below)
        top = equilibrium.profile.top_weight
        for k_, verdict in enumerate(report.verdicts):
            if verdict is Verdict.excluded:
                assert top[k_] < max(below, 1e-9)
            elif verdict is Verdict.included:
                assert top[k_] >= max(below, 1e-300)
            margin = report.margins[k_]
            assert (
                np.isnan(margin)
                or abs(margin) < 1e-9
                or (margin > 0) == (verdict is Verdict.included)
            )
