"""Agreement, appeal and kernel: by hand, by counting pairs of people, and as laws."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels.agreement import agreement, appeal, kernel, nearest_kernel

FloatArray = NDArray[np.float64]


@st.composite
def tables(draw: st.DrawFn) -> FloatArray:
    """Answer shares (K, Q, C), zeros allowed, padded differently per question."""
    k, q, c = draw(st.integers(2, 6)), draw(st.integers(1, 5)), draw(st.integers(2, 5))
    seed, sparse = draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (k, q, c)).astype(float)
    if sparse:
        counts *= rng.random((k, q, c)) < 0.5
    counts[..., 0] += counts.sum(axis=-1) == 0
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def test_by_hand() -> None:
    """Group 1 always says yes, group 2 says yes half the time; shares 1/4 and 3/4."""
    p = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    assert agreement(p) == pytest.approx(np.array([[1.0, 0.5], [0.5, 0.5]]))
    assert appeal(p, np.array([0.25, 0.75])) == pytest.approx([0.625, 0.5])
    assert kernel(p) == pytest.approx(np.array([[1.0, 0.5**0.5], [0.5**0.5, 1.0]]))


def test_the_unbiased_diagonal_counts_pairs_of_different_people() -> None:
    """Witness: go through all pairs of five people: 3 yes, 2 no: 4 of 10 pairs agree."""
    answers = ["yes", "yes", "yes", "no", "no"]
    pairs = list(combinations(answers, 2))
    expected = sum(a == b for a, b in pairs) / len(pairs)
    p = np.array([[[0.6, 0.4]]])
    assert agreement(p, np.array([[5.0]]))[0, 0] == pytest.approx(expected)
    assert agreement(p)[0, 0] == pytest.approx(0.52)  # with oneself: too much


def test_the_unbiased_diagonal_with_weights_counts_weighted_pairs() -> None:
    """Witness: sum over different people of w_i w_j [same] / sum of w_i w_j."""
    answers, w = ["yes", "no", "yes", "no"], [1.0, 2.0, 3.0, 1.0]
    pairs = list(combinations(range(4), 2))
    expected = sum(w[i] * w[j] * (answers[i] == answers[j]) for i, j in pairs) / sum(
        w[i] * w[j] for i, j in pairs
    )
    p = np.array([[[4 / 7, 3 / 7]]])
    n_eff = np.array([[49.0 / 15.0]])
    assert agreement(p, n_eff)[0, 0] == pytest.approx(expected)


def test_the_unbiased_diagonal_is_unbiased_and_the_plug_in_is_not() -> None:
    """Witness: 20,000 samples of 6 people with law (.5, .3, .2): sum of squares .38."""
    rng = np.random.default_rng(0)
    p = rng.multinomial(6, [0.5, 0.3, 0.2], 20_000)[:, None, None, :] / 6
    estimates = agreement(p, np.full((20_000, 1, 1), 6.0))[:, 0, 0]
    error = estimates.std() / np.sqrt(20_000)
    assert abs(estimates.mean() - 0.38) < 4 * error
    assert abs(agreement(p)[:, 0, 0].mean() - 0.38) > 40 * error


@given(tables())
def test_the_kernel_is_psd_symmetric_with_ones_on_the_diagonal(p: FloatArray) -> None:
    s = kernel(p)
    assert np.array_equal(s, s.T)
    assert np.array_equal(np.diag(s), np.ones(len(s)))
    assert np.linalg.eigvalsh(s).min() > -1e-12
    assert s.min() >= 0.0
    assert s.max() <= 1.0


@given(tables())
def test_plug_in_agreement_is_psd_and_below_the_kernel(p: FloatArray) -> None:
    """sqrt(p q) >= p q for shares."""
    e = agreement(p)
    assert np.linalg.eigvalsh(e).min() > -1e-12
    assert (e <= kernel(p) + 1e-12).all()


def test_the_psd_law_fails_when_pairs_average_different_questions() -> None:
    """Planted error: every pair averages the questions both happen to have (theory section 7)."""
    rng = np.random.default_rng(4)
    worst = 0.0
    for _ in range(300):
        p = rng.dirichlet([0.3, 0.3], (5, 3))
        asked = rng.random((5, 3)) < 0.6
        both = asked[:, None] & asked[None, :]
        root = np.sqrt(np.einsum("kqc,lqc->klqc", p, p)).sum(axis=-1)
        wrong = (root * both).sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)
        np.fill_diagonal(wrong, 1.0)
        worst = min(worst, np.linalg.eigvalsh(wrong).min())
    assert worst < -0.05


@given(tables(), st.randoms(use_true_random=False))
def test_relabelling_groups_permutes_everything(p: FloatArray, random: Any) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    m = np.arange(1.0, len(p) + 1) / np.arange(1.0, len(p) + 1).sum()
    n = np.add.outer(np.arange(2.0, len(p) + 2), np.arange(p.shape[1]))
    assert agreement(p[order], n[order]) == pytest.approx(agreement(p, n)[np.ix_(order, order)])
    assert appeal(p[order], m[order]) == pytest.approx(appeal(p, m)[order])
    assert kernel(p[order]) == pytest.approx(kernel(p)[np.ix_(order, order)])


@given(tables())
def test_the_mean_over_questions_is_the_mean_of_the_questions(p: FloatArray) -> None:
    for measure in (agreement, kernel):
        each = [measure(p[:, [q]]) for q in range(p.shape[1])]
        assert measure(p) == pytest.approx(np.mean(each, axis=0))


@given(tables())
def test_padded_options_change_nothing(p: FloatArray) -> None:
    padded = np.concatenate([p, np.zeros((*p.shape[:2], 2))], axis=-1)
    assert agreement(padded) == pytest.approx(agreement(p))
    assert kernel(padded) == pytest.approx(kernel(p))


@given(tables())
def test_leading_axes_are_draws(p: FloatArray) -> None:
    m = np.full(len(p), 1.0 / len(p))
    stacked = np.stack([p, p[::-1]])
    assert kernel(stacked)[1] == pytest.approx(kernel(p[::-1]))
    assert appeal(stacked, np.stack([m, m]))[1] == pytest.approx(appeal(p[::-1], m))


def test_appeal_is_the_transposed_agreement_times_the_shares() -> None:
    """Theory section 7: a = E^T m, with the same diagonal on both sides."""
    rng = np.random.default_rng(2)
    p, m = rng.dirichlet([1, 1, 1], (4, 3)), rng.dirichlet([1, 1, 1, 1])
    n = rng.integers(3, 50, (4, 3)).astype(float)
    assert appeal(p, m) == pytest.approx(agreement(p).T @ m)
    assert appeal(p, m, n) == pytest.approx(agreement(p, n).T @ m)


@settings(max_examples=50)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_nearest_kernel_is_psd_and_nearest(k: int, seed: int) -> None:
    """Higham's optimality: no random PSD matrix is nearer to the symmetric part."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(k, k))
    found = nearest_kernel(ratings)
    symmetric = (ratings + ratings.T) / 2
    assert np.linalg.eigvalsh(found).min() > -1e-12
    distance = np.linalg.norm(found - symmetric)
    for _ in range(20):
        root = rng.normal(size=(k, k))
        other = found + 0.3 * root @ root.T / k
        assert np.linalg.norm(other - symmetric) >= distance - 1e-12


def test_nearest_kernel_by_hand_and_leaves_a_kernel_alone() -> None:
    """[[0, 2], [0, 0]] has symmetric part [[0, 1], [1, 0]]: eigenvalues 1 and -1."""
    assert nearest_kernel(np.array([[0.0, 2.0], [0.0, 0.0]])) == pytest.approx(np.full((2, 2), 0.5))
    s = np.array([[1.0, 0.3], [0.3, 0.2]])
    assert nearest_kernel(s) == pytest.approx(s)


def test_nearest_kernel_refuses_what_is_not_a_square_of_numbers() -> None:
    for wrong in (np.ones((2, 3)), np.array([[1.0, np.nan], [0.0, 1.0]])):
        with pytest.raises(BadInput, match="square matrix"):
            nearest_kernel(wrong)
