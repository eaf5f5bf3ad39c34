"""Whether bands hold what they say they hold, on processes whose end is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.simulate.bands import band, noise_of

FloatArray = NDArray[np.float64]


def walks(rng: np.random.Generator, blocks: int, replicates: int, k: int) -> FloatArray:
    """Return running means of white noise: as autocorrelated as what averaging agents do."""
    steps = rng.normal(size=(blocks, replicates, k))
    return steps.cumsum(axis=0) / np.arange(1, blocks + 1)[:, None, None]


def held(
    bias: float, power: float, repetitions: int = 400, falls: float = 0.5
) -> tuple[float, float]:
    """Return how often noise alone, and noise + drift, hold the limit 0 in all of 4 columns."""
    rng = np.random.default_rng(3)
    noise = full = 0
    for _ in range(repetitions):
        path = walks(rng, 200, 8, 4)
        path = path + bias * (np.arange(1, 201)[:, None, None] / 200) ** -power
        found = band(path, np.ones(200), falls=falls)
        noise += bool((np.abs(found.mean) <= found.noise).all())
        full += bool(found.holds(np.zeros(4)).all())
    return noise / repetitions, full / repetitions


def test_the_noise_of_autocorrelated_replicates_is_calibrated() -> None:
    """Nominal 95 % for all columns together; Student's t over replicates, known truth."""
    share, with_drift = held(0.0, 0.5)
    assert 0.93 <= share <= 0.985
    assert with_drift >= share


def test_blocks_taken_for_independent_would_be_far_too_sure() -> None:
    """Planted: the error of a mean of one run's blocks as if they were independent."""
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        late = walks(rng, 200, 1, 1)[100:, 0, 0]
        hits += abs(late.mean()) <= 1.98 * late.std(ddof=1) / np.sqrt(100)
    assert hits / 300 < 0.5


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_drift_covers_what_all_replicates_have_in_common(power: float) -> None:
    """An error of one sign that falls as rounds^-power: noise alone misses it."""
    noise, full = held(0.12, power)
    assert noise < 0.5
    assert full >= 0.93


def test_an_error_that_falls_more_slowly_needs_its_own_exponent() -> None:
    """Planted: the band for rounds^-1/2 misses what falls as rounds^-1/4 too often."""
    _, right = held(0.3, 0.25, falls=0.25)
    _, wrong = held(0.3, 0.25, falls=0.5)
    assert right >= 0.93
    assert wrong < 0.5


def test_an_error_that_does_not_fall_is_not_covered() -> None:
    """The limit of what a band can know: a constant error shows no drift."""
    _, full = held(0.3, 0.0)
    assert full < 0.05


def test_one_replicate_and_short_phases_are_refused() -> None:
    with pytest.raises(BadInput, match="at least 2"):
        noise_of(np.zeros((1, 3)), 0.95)
    with pytest.raises(BadInput, match="too short"):
        band(np.zeros((8, 4, 3)), np.ones(8))
