"""Mixers against the law of whole responses, written down here from its definition.

Witness: for a small vocabulary every response is enumerated with `itertools.product` and the
mixture Σ_k x_k Π_t π_k(y_t | y_<t) is summed directly; no code of the mixers is used for it.
"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.realise.mixers import (
    MIXERS,
    BayesMixture,
    FixedWeights,
    GeometricMixture,
    Mixer,
    Response,
    Routing,
    TokenLaws,
    geometric_responses,
    response_law,
    sample_response,
    sharpened,
)

FloatArray = NDArray[np.float64]

V, END, LONGEST = 4, 3, 4


def model(seed: int, k: int, *, zeros: bool = False) -> TokenLaws:
    """K groups whose next token depends on all tokens before."""

    def laws(said: Response) -> FloatArray:
        rng = np.random.default_rng([seed, len(said), *said])
        table = rng.dirichlet(np.full(V, 0.7), size=k)
        if zeros:
            table[np.arange(k), rng.integers(0, V, k)] = 0.0
            table /= table.sum(axis=1, keepdims=True)
        return np.asarray(table)

    return laws


def by_definition(laws: TokenLaws, x: FloatArray) -> dict[Response, float]:
    """Σ_k x_k Π_t π_k(y_t | y_<t) over every response."""
    out = {}
    for n in range(1, LONGEST + 1):
        for y in itertools.product(range(V), repeat=n):
            if END in y[:-1] or (n < LONGEST and y[-1] != END):
                continue
            each = np.prod([laws(y[:t])[:, y[t]] for t in range(n)], axis=0)
            if (p := float(x @ each)) > 0.0:
                out[y] = p
    return out


def distance(a: dict[Response, float], b: dict[Response, float]) -> float:
    return sum(abs(a.get(y, 0.0) - b.get(y, 0.0)) for y in {*a, *b}) / 2.0


@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_routing_and_bayes_are_the_mixture_of_responses(seed: int, k: int, zeros: bool) -> None:
    laws = model(seed, k, zeros=zeros)
    x = np.random.default_rng(seed).dirichlet(np.ones(k))
    if k > 2:
        x = np.where(np.arange(k) == 1, 0.0, x)
        x /= x.sum()
    wanted = by_definition(laws, x)
    assert abs(sum(wanted.values()) - 1.0) < 1e-12
    for mixer in (Routing(), BayesMixture()):
        found = response_law(mixer, laws, x, end=END, longest=LONGEST)
        assert max(abs(found.get(y, 0.0) - p) for y, p in wanted.items()) < 1e-12
        assert set(found) == set(wanted)


def test_the_other_mixers_are_other_laws_and_say_so() -> None:
    """What tells them apart is their distance; with one group, or equal groups, there is none."""
    laws, x = model(1, 3), np.array([0.5, 0.3, 0.2])
    wanted = by_definition(laws, x)
    for mixer in MIXERS.values():
        found = response_law(mixer, laws, x, end=END, longest=LONGEST)
        assert abs(sum(found.values()) - 1.0) < 1e-12
        assert (distance(found, wanted) < 1e-12) is mixer.exact
    whole = geometric_responses(laws, x, end=END, longest=LONGEST)
    token = response_law(GeometricMixture(), laws, x, end=END, longest=LONGEST)
    assert distance(whole, wanted) > 0.01
    assert distance(whole, token) > 0.01
    one = np.array([0.0, 1.0, 0.0])
    alone = by_definition(laws, one)
    for mixer in MIXERS.values():
        assert distance(response_law(mixer, laws, one, end=END, longest=LONGEST), alone) < 1e-12
    assert distance(geometric_responses(laws, one, end=END, longest=LONGEST), alone) < 1e-12


def test_geometric_by_hand() -> None:
    """sqrt(.9 · .2) : sqrt(.1 · .8) = 3 : 2."""
    table = np.array([[0.9, 0.1], [0.2, 0.8]])
    law = GeometricMixture().mixed(np.array([0.5, 0.5]), table)
    np.testing.assert_allclose(law, [0.6, 0.4], atol=1e-15)
    with pytest.raises(BadInput, match="no token in common"):
        GeometricMixture().mixed(np.array([0.5, 0.5]), np.eye(2))


def test_the_posterior_by_hand() -> None:
    table = np.array([[0.9, 0.1], [0.2, 0.8]])
    after = BayesMixture().after(np.array([0.5, 0.5]), table, 0)
    np.testing.assert_allclose(after, [9 / 11, 2 / 11], atol=1e-15)


@pytest.mark.parametrize("mixer", MIXERS.values(), ids=list(MIXERS))
def test_samples_follow_the_enumerated_law(mixer: Mixer) -> None:
    """Pearson's test on 4,000 samples; the seed is fixed."""
    from scipy.stats import chisquare

    laws, x = model(5, 3), np.array([0.2, 0.5, 0.3])
    law = response_law(mixer, laws, x, end=END, longest=2)
    rng, n = np.random.default_rng(0), 4000
    counts = Counter(
        sample_response(mixer, laws, x, rng, end=END, longest=2) for _ in range(n)
    )  # fmt: skip
    assert set(counts) <= set(law)
    often = [y for y, p in law.items() if n * p >= 5]
    seen = [counts[y] for y in often] + [n - sum(counts[y] for y in often)]
    wanted = [n * law[y] for y in often]
    wanted.append(n - sum(wanted))
    if wanted[-1] < 1e-6:
        seen, wanted = seen[:-1], wanted[:-1]
    assert chisquare(seen, wanted).pvalue > 0.01
    # A planted error is seen: the same samples against the law of another mixer.
    other = response_law(FixedWeights() if mixer.exact else Routing(), laws, x, end=END, longest=2)
    assert chisquare(seen[: len(often)], [sum(seen[: len(often)]) * other[y] / sum(
        other[z] for z in often) for y in often]).pvalue < 1e-3  # fmt: skip


def test_temperature_and_top_p_come_before_mixing() -> None:
    """Sharpening each group and then mixing differs from sharpening the mixture."""
    p = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    np.testing.assert_allclose(
        sharpened(p, temperature=0.5), p**2 / (p**2).sum(axis=1, keepdims=True), atol=1e-15
    )
    np.testing.assert_allclose(sharpened(p, top_p=0.6), [[1, 0, 0], [0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(sharpened(p, top_p=0.61)[0], [2 / 3, 1 / 3, 0], atol=1e-15)
    assert np.array_equal(sharpened(p), p)
    mixed_after = sharpened(p.mean(axis=0), temperature=0.5)
    assert np.abs(sharpened(p, temperature=0.5).mean(axis=0) - mixed_after).max() > 0.05
    for wrong in ({"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.1}):
        with pytest.raises(BadInput, match="temperature above 0"):
            sharpened(p, **wrong)


@pytest.mark.parametrize("weights", [[0.5, 0.4], [-0.1, 1.1], [[1.0]], [np.nan, 1.0]])
def test_weights_that_are_no_mixture_are_refused(weights: list[float]) -> None:
    with pytest.raises(BadInput, match="one share per group"):
        response_law(Routing(), model(0, 2), weights, end=END, longest=2)
