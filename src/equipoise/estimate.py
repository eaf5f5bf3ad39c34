"""Numbers that come from people or from a model: a value, an interval, and how it was got.

Intervals are percentile intervals of *joint* bootstrap draws: one draw changes everything
measured on the same respondents together, so that what is computed from several measured
numbers keeps their dependence. `simultaneous_band` widens a set of such intervals until
all of them hold together with the stated probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput

__all__ = ["Estimate", "counted_quantiles", "percentile_interval", "simultaneous_band"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate(Tabled):
    """A measured number with its interval.

    Parameters
    ----------
    value : float
        The point estimate, in the unit of what was measured.
    low, high : float
        The ends of the interval, same unit; infinite where the data give no bound.
    n : int
        How many respondents (or answers) stand behind it.
    how : str
        How the interval was made, e.g. "bootstrap over respondents, 95 %".

    Examples
    --------
    >>> print(Estimate(0.013, 0.004, 0.031, 1800, "bootstrap over respondents, 95 %"))
    0.013 [0.004, 0.031] (n=1800, bootstrap over respondents, 95 %)
    """

    value: float
    low: float
    high: float
    n: int
    how: str

    def __post_init__(self) -> None:
        if math.isnan(self.value) or not self.low <= self.high:
            raise BadInput(
                f"an estimate needs a number and low <= high, got {self.value} "
                f"[{self.low}, {self.high}]; check the draws it was made from"
            )

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}] (n={self.n}, {self.how})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values (infinite ends become null)."""

        def plain(x: float) -> float | None:
            return float(x) if math.isfinite(x) else None

        return {
            "value": plain(self.value),
            "low": plain(self.low),
            "high": plain(self.high),
            "n": self.n,
            "how": self.how,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return its only row."""
        return [{"value": self.value, "low": self.low, "high": self.high, "n": self.n,
                 "how": self.how}]  # fmt: skip


def percentile_interval(draws: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    r"""Give the pointwise percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : (draws, ...) array
        One joint draw per row. Infinite values are allowed (an incentive that never bites).
    level : float
        Probability content of the interval, in (0, 1).

    Returns
    -------
    low, high : (...) arrays
        The :math:`(1 \mp level)/2` quantiles, taken at order statistics (never interpolated
        between a finite and an infinite draw).

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(1000.0))
    >>> float(low), float(high)
    (24.0, 975.0)
    """
    array = _checked(draws, level)
    tail = (1.0 - level) / 2.0
    low = np.quantile(array, tail, axis=0, method="lower")
    high = np.quantile(array, 1.0 - tail, axis=0, method="higher")
    return np.asarray(low), np.asarray(high)


def simultaneous_band(draws: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    r"""Give intervals that hold for all columns together with probability `level`.

    Every draw gets a depth: the smallest, over the columns, of its rank counted from the
    nearer end. The band is the range, column by column, of the deepest draws that make up
    a share `level` of all draws (the rank envelope of Besag, Green, Higdon and Mengersen,
    *Bayesian computation and stochastic systems*, Statistical Science 10, 1995, section 6.3).

    Parameters
    ----------
    draws : (draws, columns) array
        One joint draw per row; infinite values are allowed.
    level : float
        Joint probability content, in (0, 1).

    Returns
    -------
    low, high : (columns,) arrays
        Never narrower than needed for joint content among these draws; with one column the
        band is the percentile interval up to one order statistic.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> low, high = simultaneous_band(rng.normal(size=(4000, 7)))
    >>> bool(np.all(low < -2.2) and np.all(high > 2.2))
    True
    """
    array = _checked(draws, level)
    if array.ndim != 2:
        raise BadInput(f"a band needs draws of shape (draws, columns), got {array.shape}")
    n = array.shape[0]
    ordered = np.sort(array, axis=0)
    columns = range(array.shape[1])
    below = np.stack(
        [np.searchsorted(ordered[:, j], array[:, j], side="right") for j in columns], 1
    )
    above = np.stack(
        [n - np.searchsorted(ordered[:, j], array[:, j], side="left") for j in columns], 1
    )
    depth = np.minimum(below, above).min(axis=1)
    # The k-th smallest depth such that at least `level` of the draws are at least that deep.
    cut = int(np.sort(depth)[math.floor(n * (1.0 - level))])
    return ordered[cut - 1], ordered[n - cut]


def counted_quantiles(
    values: FloatArray, counts: NDArray[np.int64], parts: ArrayLike
) -> FloatArray:
    """Give quantiles of values each of which stands for many: the least with enough below it.

    Parameters
    ----------
    values : (n,) array
    counts : (n,) array of int
        How often each value counts.
    parts : (q,) array
        Shares of the whole, in [0, 1].

    Returns
    -------
    (q,) array
        Values of the array, never between two of them.

    Examples
    --------
    >>> counted_quantiles(np.array([3.0, 1.0]), np.array([1, 3]), [0.5, 0.75, 0.9]).tolist()
    [1.0, 1.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order]) / counts.sum()
    # A share that is met but for rounding is met.
    at = np.searchsorted(reached, np.asarray(parts) - 1e-12)
    return np.asarray(values[order][np.minimum(at, values.size - 1)])


def _checked(draws: ArrayLike, level: float) -> FloatArray:
    array = np.asarray(draws, dtype=np.float64)
    if not 0.0 < level < 1.0:
        raise BadInput(f"level must lie strictly between 0 and 1, got {level}; write 0.95")
    if array.ndim == 0 or array.shape[0] < 2:
        raise BadInput("an interval needs at least 2 draws; raise `draws`")
    if np.isnan(array).any():
        raise BadInput("the draws contain NaN; look at the statistic that made them")
    return array
