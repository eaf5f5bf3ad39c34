"""Distances between answer distributions. Witnesses: scipy.stats and scipy.spatial."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from equipoise.errors import BadInput
from equipoise.measure.distances import (
    distances,
    jensen_shannon,
    representativeness,
    total_variation,
)
from equipoise.measure.units import sheets
from tests.measure.synthetic import codes, gss, gss_laws


@pytest.mark.parametrize("seed", range(20))
def test_each_question_against_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(2, 8))
    a, p = rng.dirichlet(np.ones(width)), rng.dirichlet(np.full(width, 0.3))
    steps = np.arange(width)
    one = representativeness(a[None], p[None], [width])[0]
    assert one == pytest.approx(1 - wasserstein_distance(steps, steps, a, p) / (width - 1))
    assert jensen_shannon(a[None], p[None])[0] == pytest.approx(jensenshannon(a, p, base=2))
    assert total_variation(a[None], p[None])[0] == pytest.approx(np.abs(a - p).sum() / 2)


def test_padding_changes_nothing() -> None:
    a, p = np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])
    one, two = (np.pad(x, ((0, 0), (0, 3))) for x in (a, p))
    assert representativeness(one, two, [2]) == pytest.approx(representativeness(a, p, [2]))
    assert jensen_shannon(one, two) == pytest.approx(jensen_shannon(a, p))


def test_the_correction_takes_the_noise_off() -> None:
    """Answers of liberals themselves: the plain distance is noise, the corrected one near 0."""
    laws = gss_laws(3)
    table = codes(laws, [1.0, 0.0, 0.0], 200, np.random.default_rng(1))
    found = distances(gss(3), sheets(table), draws=200)
    own = found.total_variation["liberal"]
    assert found.plain["total_variation"]["liberal"] > 0.015
    assert own.value < found.plain["total_variation"]["liberal"]
    assert own.low < 0.02
    assert found.total_variation["conservative"].low > own.high
    assert found.representativeness["liberal"].value > found.representativeness["moderate"].value


def test_intervals_hold_the_distance_between_laws() -> None:
    """Witness: the distance of the laws that the answers were drawn from, to the people's own."""
    laws, w = gss_laws(3), [0.0, 0.0, 1.0]
    true = total_variation(laws.shares[2], gss(3).answers.shares[0]).mean()
    held = 0
    for seed in range(60):
        table = codes(laws, w, 150, np.random.default_rng([3, seed]))
        e = distances(gss(3), sheets(table), draws=150).total_variation["liberal"]
        held += e.low <= true <= e.high
    assert held >= 51


def test_exact_scores_are_not_resampled() -> None:
    laws = gss_laws(3)
    found = distances(gss(3), laws.mixed([0.5, 0.5, 0.0]), draws=100)
    assert found.questions == 18
    e = found.jensen_shannon["liberal"]
    assert e.low <= e.value <= e.high


def test_bad_scores_are_refused() -> None:
    with pytest.raises(BadInput, match="shape"):
        distances(gss(3), np.zeros((2, 3)))
    with pytest.raises(BadInput, match="no question"):
        distances(gss(3), np.full((18, 3), np.nan))
