r"""What is my α? The least attractiveness weight at which each group drops out (R6).

For agents anchored at :math:`c` with curvature :math:`h = \beta + \rho + \gamma`, group k is
excluded iff :math:`\sum_l (s_l - s_k)_+ \ge h` with :math:`s = \alpha a + \beta c`. The left side
is convex in :math:`\alpha`, so there is one least ratio :math:`\alpha/\beta`, and it needs no
choice of :math:`\alpha` at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.estimate import Estimate, percentile_interval, simultaneous_band

__all__ = ["CriticalIncentives", "critical_incentives", "critical_ratio"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class CriticalIncentives(Tabled):
    r"""The least :math:`\alpha/\beta` at which each group drops out, with its interval.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    least : tuple of Estimate
        Ratio of weights (attractiveness per unit of consistency); infinite: at no ratio. The
        interval is the pointwise percentile interval of joint draws.
    band_low, band_high : (groups,) arrays
        Simultaneous band over all groups at the same level.
    """

    groups: tuple[str, ...]
    least: tuple[Estimate, ...]
    band_low: FloatArray
    band_high: FloatArray

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group, the first to drop out first."""
        rows: list[dict[str, Any]] = [
            {
                "group": group,
                "least": e.value,
                "low": e.low,
                "high": e.high,
                "band_low": float(low),
                "band_high": float(high),
                "n": e.n,
            }
            for group, e, low, high in zip(
                self.groups, self.least, self.band_low, self.band_high, strict=True
            )
        ]
        return sorted(rows, key=lambda row: float(row["least"]))


def critical_ratio(
    values: ArrayLike, anchor: ArrayLike, *, other_curvature: float = 0.0
) -> FloatArray:
    r"""Return the least :math:`\alpha/\beta` at which each group is excluded (R6).

    Parameters
    ----------
    values : (..., groups) array
        Appeal :math:`a`, any unit u; leading axes are draws.
    anchor : (..., groups) array
        Anchor :math:`c`, mixtures.
    other_curvature : float
        :math:`(\rho + \gamma)/\beta` for identical agents, :math:`R = S = I`.

    Returns
    -------
    (..., groups) array
        Ratio per unit u; infinite where the group never drops out; 0 where the anchor alone
        leaves it out.

    Examples
    --------
    Appeal (.5, .35, .15), uniform anchor: group 3 is out from 1/(.35 + .2) on.

    >>> critical_ratio([0.5, 0.35, 0.15], [1/3, 1/3, 1/3]).round(6)
    array([     inf, 6.666667, 1.818182])
    """
    a, c = np.broadcast_arrays(
        np.asarray(values, dtype=np.float64), np.asarray(anchor, dtype=np.float64)
    )
    if other_curvature <= -1:
        raise BadInput("other_curvature: β + ρ + γ must be positive")
    h = 1.0 + other_curvature
    slope = a[..., None, :] - a[..., :, None]
    shift = c[..., None, :] - c[..., :, None]
    rises = slope > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        # At this α the single group l alone makes the sum reach h: start Newton there.
        reach = np.where(rises, (h - shift) / slope, np.inf)
        alpha = np.maximum(reach.min(axis=-1), 0.0)
        for _ in range(a.shape[-1] + 2):
            height = np.where(np.isfinite(alpha)[..., None], alpha[..., None] * slope + shift, 0.0)
            on = height > 0
            total = np.where(on, height, 0.0).sum(axis=-1)
            rate = np.where(on, slope, 0.0).sum(axis=-1)
            step = np.where(rate > 0, (total - h) / rate, 0.0)
            alpha = np.where(np.isfinite(alpha), np.maximum(alpha - np.maximum(step, 0.0), 0.0),
                             alpha)  # fmt: skip
    out_at_zero = np.where(shift > 0, shift, 0.0).sum(axis=-1) >= h
    return np.where(out_at_zero, 0.0, alpha)


def critical_incentives(
    groups: tuple[str, ...],
    values: ArrayLike,
    anchor: ArrayLike,
    *,
    draws: tuple[ArrayLike, ArrayLike] | None = None,
    n: int = 0,
    level: float = 0.95,
    other_curvature: float = 0.0,
) -> CriticalIncentives:
    r"""Return the critical-incentive table of identical agents (R6).

    Parameters
    ----------
    groups : tuple of str
        Labels.
    values, anchor : (groups,) arrays
        Point values of appeal and anchor.
    draws : (values (draws, groups), anchor (draws, groups) or (groups,)), optional
        Joint bootstrap draws; without them the intervals have no width and say so.
    n : int
        Respondents behind the numbers.
    level : float
        Content of the intervals.
    other_curvature : float
        See `critical_ratio`.

    Returns
    -------
    CriticalIncentives
        Not guaranteed for a general kernel or metric: the law is R6's, for curvature hI.
    """
    point = critical_ratio(values, anchor, other_curvature=other_curvature)
    if draws is None:
        low = high = band_low = band_high = point
        how = "point value, no draws"
    else:
        drawn = critical_ratio(draws[0], draws[1], other_curvature=other_curvature)
        low, high = percentile_interval(drawn, level)
        band_low, band_high = simultaneous_band(drawn, level)
        how = f"bootstrap over respondents, {100 * level:g} %"
    least = tuple(
        Estimate(float(v), float(a), float(b), n, how)
        for v, a, b in zip(point, low, high, strict=True)
    )
    return CriticalIncentives(groups, least, np.asarray(band_low), np.asarray(band_high))
