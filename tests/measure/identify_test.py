"""Which groups can be told apart. Witnesses: full enumeration of sheets, the numbers of R14."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.identify import identify
from equipoise.measure.information import Asked, covariance, information
from equipoise.measure.power import power
from tests.measure.synthetic import FloatArray, gss, gss_laws


def random_laws(k: int, q: int, seed: int) -> AnswerLaws:
    shares = np.random.default_rng(seed).dirichlet([2.0, 2.0, 2.0], size=(k, q))
    names = tuple(f"g{i}" for i in range(k))
    return AnswerLaws(names, tuple(f"q{j}" for j in range(q)), (("a", "b", "c"),) * q, shares)


def enumerated(laws: AnswerLaws, w: FloatArray) -> FloatArray:
    """Information of sheets of all questions, summed over every sheet there is."""
    k, q, c = laws.shares.shape
    total = np.zeros((k, k))
    for sheet in itertools.product(range(c), repeat=q):
        p = np.prod([laws.shares[:, j, o] for j, o in enumerate(sheet)], axis=0)
        total += np.outer(p, p) / (w @ p)
    return total


def test_simulated_information_against_every_sheet_there_is() -> None:
    laws, w = random_laws(3, 4, 1), np.array([0.5, 0.3, 0.2])
    exact = enumerated(laws, w)
    np.testing.assert_allclose(information(laws, Asked(4), w), exact, rtol=0.03)
    one = AnswerLaws(laws.groups, ("q0",), (("a", "b", "c"),), laws.shares[:, :1])
    np.testing.assert_allclose(information(one, Asked(1), w), enumerated(one, w), rtol=1e-12)


@pytest.mark.parametrize("reference", ["even", "people"])
def test_the_power_numbers_of_theory_r14(reference: str) -> None:
    """GSS 2018, three ideology groups: 0.9-3.3e4 single answers; 500 sheets give 0.035-0.066."""
    weights = None if reference == "even" else gss(3).groups.shares
    needed = power(gss_laws(3), 1, weights=weights).needed(0.05)
    counts = [n for n in needed.values() if n is not None]
    assert len(counts) == 3
    assert 0.85e4 <= min(counts) <= 0.95e4
    assert 3.2e4 <= max(counts) <= 3.35e4
    errors = power(gss_laws(3), 18, weights=weights).standard_errors(500)
    assert errors.min() >= 0.035
    assert 0.060 <= errors.max() <= 0.067


def test_the_standard_error_is_the_spread_of_estimates() -> None:
    """Witness: the estimates themselves, 300 corpora of single answers."""
    from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods
    from tests.measure.synthetic import single_answers

    laws, w = random_laws(3, 3, 4), np.array([0.4, 0.35, 0.25])
    found = []
    for seed in range(300):
        units = single_answers(laws, w, 4000, np.random.default_rng(seed))
        logs, v = units.likelihoods(laws)
        found.append(fit_mixture(relative_likelihoods(logs), v))
    said = np.sqrt(np.diag(covariance(information(laws, Asked(1), w), w, 4000)))
    np.testing.assert_allclose(np.std(found, axis=0), said, rtol=0.15)


def test_identical_groups_are_named() -> None:
    laws = gss_laws(7)
    shares = laws.shares.copy()
    shares[4] = shares[2]
    found = identify(laws.with_shares(shares), Asked(18), 500)
    assert found.same == (("slightly liberal", "slightly conservative"),)
    assert found.rank == 6
    assert found.identified.tolist() == [True, True, False, True, False, True, True]
    assert found.is_identified([0, 0, 1, 0, 1, 0, 0])
    assert not found.is_identified([0, 0, 1, 0, -1, 0, 0])
    assert np.isinf(found.condition)


def test_near_identical_groups_are_named_until_there_are_enough_units() -> None:
    few = identify(gss_laws(7), Asked(18), 200)
    many = identify(gss_laws(7), Asked(18), 20_000)
    assert ("slightly liberal", "moderate") in few.alike
    assert many.alike == ()
    assert few.rank == many.rank == 7


def test_a_group_midway_is_seen_in_sheets_only() -> None:
    laws = gss_laws(3)
    shares = laws.shares.copy()
    shares[1] = (shares[0] + shares[2]) / 2.0
    between = laws.with_shares(shares)
    singles = identify(between, Asked(1), 10_000)
    assert singles.rank == 2
    assert not singles.identified.any()
    assert power(between, 1).needed() == dict.fromkeys(laws.groups)
    assert identify(between, Asked(2), 10_000).rank == 3


def test_a_unit_larger_than_the_questionnaire_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be drawn from 18"):
        power(gss_laws(3), 19)
