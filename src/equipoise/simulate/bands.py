r"""Bands of a simulated number: how far the replicates scatter, and how far it still moves.

Replicates draw random numbers of their own, so their means over the last half of a phase are
independent whatever the autocorrelation within each, and Student's t with R − 1 degrees of freedom
gives the *noise* of their mean, all groups together (Bonferroni). That says nothing of what all
replicates have in common: agents that still learn err to one side, most near a group's exclusion.
An error that falls as rounds^-r is 4^r times as large in an equal window four times earlier, so
late + (late − early)/(4^r − 1) is where it ends; an error that falls faster ends in between.
The band is the hull of two t intervals, of the late mean and of that end. It holds what errors
that fall at least as rounds^-r lead to, and is wider than 95 % asks for where nothing drifts.
How slowly errors fall at the boundary of an exclusion is the learner's (`Learner.falls`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["Band", "band", "noise_of", "window"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e-12

WHOLE = 16
"""Least number of blocks of a phase: the early window is then one to two of them."""


@final
@dataclass(frozen=True, eq=False)
class Band:
    """A mean over replicates with its band, one entry per group.

    Attributes
    ----------
    mean, low, high : (K,) arrays
    noise : (K,) array
        Half the t interval of the mean alone.
    drift : (K,) array
        How far the mean would still move if its error falls as rounds^-r.
    replicates : int
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    noise: FloatArray
    drift: FloatArray
    replicates: int

    @property
    def half(self) -> FloatArray:
        """Half the width of the band, (K,)."""
        return np.asarray((self.high - self.low) / 2.0)

    def holds(self, value: FloatArray) -> NDArray[np.bool_]:
        """Whether the band holds a value, group by group."""
        return np.asarray((self.low - ROUNDING <= value) & (value <= self.high + ROUNDING))


def window(blocks: int, share_from: float, share_to: float) -> slice:
    """Return the blocks between two shares of a phase, at least one."""
    first = round(blocks * share_from)
    return slice(first, max(first + 1, round(blocks * share_to)))


def noise_of(values: FloatArray, level: float) -> FloatArray:
    """Return half the joint t band of the mean of independent rows (replicates, K).

    Raises
    ------
    BadInput
        Fewer than two replicates.
    """
    n, k = values.shape
    if n < 2:
        raise BadInput("replicates: one run alone has no band; write at least 2, better 8")
    from scipy.stats import t as student

    quantile = float(student.ppf(1.0 - (1.0 - level) / (2.0 * k), n - 1))
    return np.asarray(quantile * values.std(axis=0, ddof=1) / np.sqrt(n))


def band(path: FloatArray, weights: FloatArray, level: float = 0.95, *, falls: float = 0.5) -> Band:
    """Return the band of what a phase ends at.

    Parameters
    ----------
    path : (blocks, replicates, K) array
        Means over blocks of rounds, in time order.
    weights : (blocks,) or (blocks, replicates, K) array
        Rounds of each block (or readings behind each mean).
    level : float
        Joint content of the noise over the K groups.
    falls : float
        The exponent r: errors fall at least as rounds^-r.
    """
    blocks = len(path)
    if blocks < WHOLE:
        raise BadInput(f"rounds: a phase of {blocks} blocks is too short; simulate more rounds")
    weight = weights if weights.ndim == 3 else weights[:, None, None]

    def over(part: slice) -> FloatArray:
        total = np.broadcast_to(weight[part], path[part].shape).sum(axis=0)
        return np.asarray((path[part] * weight[part]).sum(axis=0) / total)

    late, early = over(window(blocks, 0.5, 1.0)), over(window(blocks, 0.125, 0.25))
    ahead = late + (late - early) / (4.0**falls - 1.0)
    mean, noise = late.mean(axis=0), noise_of(late, level)
    end, unsure = ahead.mean(axis=0), noise_of(ahead, level)
    low, high = np.minimum(mean - noise, end - unsure), np.maximum(mean + noise, end + unsure)
    return Band(mean, low, high, noise, end - mean, len(late))
