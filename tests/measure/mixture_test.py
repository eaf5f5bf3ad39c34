"""Mixtures with intervals: coverage on populations whose mixture is known, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws, smoothed
from equipoise.measure.law_joint import fit_jointly, law_sizes
from equipoise.measure.law_noise import spread_ends
from equipoise.measure.law_widths import width_factor
from equipoise.measure.mixture import MixtureEstimate, estimate_mixture
from equipoise.measure.mixture_exam import examine_mixture
from equipoise.measure.mixture_fit import relative_likelihoods
from equipoise.measure.power import power
from equipoise.measure.units import Units, sheets
from equipoise.panels.answers import AnswerTable
from tests.measure.synthetic import codes, coverage, gss, gss_laws, single_answers

Make = Callable[[np.random.Generator], MixtureEstimate]


def maker(
    groups: int, weights: list[float], n: int, *, unparsed: float = 0.0, single: bool = False
) -> Make:
    laws = gss_laws(groups)

    def make(rng: np.random.Generator) -> MixtureEstimate:
        if single:
            return estimate_mixture(laws, single_answers(laws, weights, n, rng))
        return estimate_mixture(laws, sheets(codes(laws, weights, n, rng, unparsed=unparsed)))

    return make


def far_off(found: dict[str, Any], repetitions: int) -> bool:
    """Whether some coverage is further below 95 % than chance allows once in a thousand."""
    least = 0.95 - 3.1 * (0.95 * 0.05 / repetitions) ** 0.5
    return bool(min(found["per_weight"]) < least or found["band"] < least)


@pytest.mark.parametrize("unparsed", [0.0, 0.2])
def test_intervals_hold_the_truth(unparsed: float) -> None:
    weights = [0.3, 0.4, 0.3]
    found = coverage(maker(3, weights, 500, unparsed=unparsed), weights, 120, 1)
    assert not far_off(found, 120), found


def test_the_coverage_test_sees_intervals_that_are_too_narrow() -> None:
    weights = [0.3, 0.4, 0.3]
    make = maker(3, weights, 500)

    def narrow(rng: np.random.Generator) -> MixtureEstimate:
        found = make(rng)
        half = (found.high - found.low) / 8.0
        object.__setattr__(found, "low", found.low + half)
        object.__setattr__(found, "high", found.high - half)
        return found

    assert far_off(coverage(narrow, weights, 120, 1), 120)


def test_at_the_boundary_too() -> None:
    weights = [0.6, 0.0, 0.4]
    found = coverage(maker(3, weights, 300), weights, 120, 2)
    assert not far_off(found, 120), found


CASES: dict[str, tuple[int, list[float], int, dict[str, Any]]] = {
    "3 groups, 500 sheets": (3, [0.3, 0.4, 0.3], 500, {}),
    "3 groups, 500 sheets, 20 % unparsed": (3, [0.3, 0.4, 0.3], 500, {"unparsed": 0.2}),
    "3 groups, one at 0.1": (3, [0.1, 0.6, 0.3], 500, {}),
    "3 groups, one at 0": (3, [0.6, 0.0, 0.4], 500, {}),
    "3 groups, 30000 single answers": (3, [0.3, 0.4, 0.3], 30_000, {"single": True}),
    "7 groups, 500 sheets": (7, [1 / 7] * 7, 500, {}),
    "7 groups, 500 sheets, 20 % unparsed": (7, [1 / 7] * 7, 500, {"unparsed": 0.2}),
    "7 groups, three at 0": (7, [0.0, 0.3, 0.2, 0.0, 0.3, 0.0, 0.2], 500, {}),
    "7 groups, one at 0.4, 1500 sheets": (7, [0.1] * 5 + [0.4, 0.1], 1500, {}),
}


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES)
def test_coverage_in_a_thousand_repetitions(
    case: str, record_figure: Callable[[str, Any], None]
) -> None:
    """93-97 % per weight where 0 is two standard errors away, nearer to it at least 93 %."""
    groups, weights, n, options = CASES[case]
    found = coverage(maker(groups, weights, n, **options), weights, 1000, 3)
    record_figure(f"measure.coverage.{case}", found)
    laws = gss_laws(groups)
    away = np.maximum(weights, 0.01) / np.sum(np.maximum(weights, 0.01))
    asked = 1 if options.get("single") else 18
    errors = power(laws, asked, weights=away).standard_errors(n)
    errors = errors / (1.0 - options.get("unparsed", 0.0)) ** 0.5
    record_figure(f"measure.coverage.{case}.standard_errors", errors.round(3).tolist())
    for held, w, error in zip(found["per_weight"], weights, errors, strict=True):  # type: ignore[arg-type]  # a list
        assert held >= 0.93, found
        assert held <= 0.97 or w < 2.0 * error, found
    assert found["band"] >= 0.93  # type: ignore[operator]  # a number


def sampled(groups: int, weights: list[float], n: int) -> Make:
    """The panel is a sample too: its people are drawn afresh each time."""
    truth, people = gss_laws(groups), gss(groups).answers

    def make(rng: np.random.Generator) -> MixtureEstimate:
        units = sheets(codes(truth, weights, n, rng))
        shares = rng.multinomial(people.n, truth.shares) / people.n[:, :, None]
        table = AnswerTable(
            people.groups, people.questions, people.options, people.wording, shares,
            people.n.copy(), people.n.astype(float),
        )  # fmt: skip
        return estimate_mixture(
            AnswerLaws.from_table(table), units, sizes=people.n.astype(float) + 1.0
        )

    return make


@pytest.mark.soak
@pytest.mark.parametrize(
    ("groups", "weights", "repetitions"),
    [(3, [0.3, 0.4, 0.3], 200), (7, [1 / 7] * 7, 100)],
)
def test_coverage_when_the_panel_is_a_sample_too(
    groups: int, weights: list[float], repetitions: int, record_figure: Callable[[str, Any], None]
) -> None:
    found = coverage(sampled(groups, weights, 500), weights, repetitions, 4)
    record_figure(f"measure.coverage.sampled_panel.{groups}_groups_500_sheets", found)
    assert min(found["per_weight"]) >= 0.90, found  # type: ignore[arg-type]  # a list


@pytest.mark.soak
def test_what_ignoring_the_panel_s_own_error_costs(
    record_figure: Callable[[str, Any], None],
) -> None:
    """The three remedies of docs/design/audit.md that are not used alone, on seven groups."""
    weights, truth, people = np.full(7, 1 / 7), gss_laws(7), gss(7).answers
    n_eff, widths = people.n.astype(float), [3] * 18
    held = {"exact": np.zeros(7), "joint, not widened": np.zeros(7), "averaged draws": np.zeros(7)}
    repetitions = 100
    for seed in range(repetitions):
        rng = np.random.default_rng([6, seed])
        units = sheets(codes(truth, weights, 500, rng))
        shares = rng.multinomial(people.n, truth.shares) / n_eff[:, :, None]
        laws = truth.with_shares(smoothed(shares, n_eff, widths, 1.0))
        exact = estimate_mixture(laws, units)
        held["exact"] += (exact.low <= weights) & (weights <= exact.high)
        ends = fit_jointly(laws, n_eff + 1.0, units).ends(np.eye(7), np.full(7, 3.841459))
        held["joint, not widened"] += (ends[:, 0] <= weights) & (weights <= ends[:, 1])
        again = rng.multinomial(people.n, laws.shares, size=(80, 7, 18)) / n_eff[:, :, None]
        drawn = smoothed(again, n_eff, widths, 1.0)
        ends = spread_ends(units.likelihoods, laws, drawn, np.eye(7), [0.025], seed)[0]
        held["averaged draws"] += (ends[:, 0] <= weights) & (weights <= ends[:, 1])
    found = {name: (counts / repetitions).tolist() for name, counts in held.items()}
    record_figure("measure.coverage.sampled_panel.other_remedies_7_groups_500_sheets", found)
    assert min(found["exact"]) < 0.85
    assert min(found["averaged draws"]) < 0.85
    assert min(found["joint, not widened"]) > min(found["exact"])


def test_identical_groups_are_declared_and_only_their_sum_is_known() -> None:
    laws = gss_laws(3)
    shares = laws.shares.copy()
    shares[1] = shares[0]
    laws = laws.with_shares(shares)
    units = sheets(codes(laws, [0.3, 0.3, 0.4], 500, np.random.default_rng(5)))
    found = estimate_mixture(laws, units)
    assert list(found.sums) == [("liberal", "moderate")]
    total = found.sums["liberal", "moderate"]
    assert total.low <= 0.6 <= total.high
    assert total.high - total.low < 0.2
    assert found.low[:2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found.high[:2], total.high, atol=1e-5)
    assert found.weights[0] == found.weights[1]
    assert np.isinf(found.needed[:2]).all()


def test_labels_may_be_written_in_any_order() -> None:
    laws = gss_laws(3)
    units = sheets(codes(laws, [0.2, 0.3, 0.5], 300, np.random.default_rng(6)))
    order = [2, 0, 1]
    other = AnswerLaws(
        tuple(laws.groups[i] for i in order), laws.questions, laws.options, laws.shares[order]
    )
    a, b = estimate_mixture(laws, units), estimate_mixture(other, units)
    np.testing.assert_allclose(a.weights[order], b.weights, atol=1e-7)
    np.testing.assert_allclose(a.low[order], b.low, atol=1e-6)
    np.testing.assert_allclose(a.high[order], b.high, atol=1e-6)


def test_the_estimate_carries_its_exam() -> None:
    laws = gss_laws(7)
    units = sheets(codes(laws, [1 / 7] * 7, 500, np.random.default_rng(7)))
    found = estimate_mixture(laws, units)
    logs, v = units.likelihoods(laws)
    exam = examine_mixture(relative_likelihoods(logs), v, found.weights)
    assert exam.gap == found.exam.gap <= 1e-7


def test_answers_no_mixture_would_give_are_seen() -> None:
    laws = gss_laws(3)
    first = np.zeros((100, 18), dtype=np.int64)
    assert estimate_mixture(laws, sheets(first)).misfit.p_value < 1e-12
    fine = codes(laws, [0.3, 0.4, 0.3], 500, np.random.default_rng(8))
    assert estimate_mixture(laws, sheets(fine)).misfit.p_value > 0.01


def test_a_large_panel_is_as_good_as_an_exact_one() -> None:
    laws = gss_laws(3)
    units = sheets(codes(laws, [0.3, 0.4, 0.3], 300, np.random.default_rng(9)))
    exact = estimate_mixture(laws, units)
    joint = fit_jointly(laws, np.full((3, 18), 1e8), units)
    np.testing.assert_allclose(joint.weights, exact.weights, atol=1e-4)
    ends = joint.ends(np.eye(3), np.full(3, 3.841459))
    np.testing.assert_allclose(ends, np.stack([exact.low, exact.high], 1), atol=1e-3)


def test_a_small_panel_makes_intervals_wider_never_narrower() -> None:
    laws = gss_laws(3)
    units = sheets(codes(laws, [0.3, 0.4, 0.3], 300, np.random.default_rng(9)))
    exact = estimate_mixture(laws, units)
    small = estimate_mixture(laws, units, sizes=np.full((3, 18), 60.0))
    assert ((small.high - small.low) > 1.1 * (exact.high - exact.low)).all()
    assert width_factor(laws, np.full((3, 18), 1e6), units, exact.weights, fits=12) >= 1.0


def test_people_who_lean_one_way_throughout_count_for_less() -> None:
    """Witness: respondents of the GSS, whose answers hang together within a group."""
    panel = gss(3)
    factor = (law_sizes(panel) / panel.answers.n_eff)[:, 0]
    assert (factor > 0.2).all()
    assert (factor < 0.7).all()


def test_unequal_weights_widen_intervals() -> None:
    laws = gss_laws(3)
    table = codes(laws, [0.3, 0.4, 0.3], 400, np.random.default_rng(10))
    even = estimate_mixture(laws, sheets(table))
    same = estimate_mixture(laws, sheets(table, weights=np.full(400, 7.0)))
    unequal = estimate_mixture(laws, sheets(table, weights=np.where(np.arange(400) % 2, 9.0, 1.0)))
    np.testing.assert_allclose(same.low, even.low)
    assert ((unequal.high - unequal.low).mean()) > 1.15 * (even.high - even.low).mean()


def test_bad_units_are_refused_in_one_sentence() -> None:
    laws = gss_laws(3)
    with pytest.raises(BadInput, match="without gaps"):
        Units(np.array([0, 2]), np.array([0, 0]), np.array([0, 0]))
    with pytest.raises(BadInput, match="no answer that could be used"):
        sheets(np.full((3, 18), -1))
    with pytest.raises(BadInput, match="positions in the laws"):
        estimate_mixture(laws, Units(np.array([0]), np.array([18]), np.array([0])))
    with pytest.raises(BadInput, match="write 0.95"):
        estimate_mixture(laws, Units(np.array([0]), np.array([0]), np.array([0])), level=95)
    with pytest.raises(BadInput, match="positive number"):
        estimate_mixture(
            laws, Units(np.array([0]), np.array([0]), np.array([0])), sizes=np.zeros((3, 18))
        )
