"""Design-based estimates: weighted means and totals of a sample survey, with honest errors.

A survey is drawn in strata and clusters; its standard errors follow from how much the totals
of the clusters (primary sampling units) vary within the strata. The estimator is linearised
(Taylor): a mean is replaced by its influence values, whose total has a known variance. The
definitions are those of R's `survey` package (Lumley 2010), against which they are tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.estimate import Estimate

__all__ = ["DesignEstimate", "LonelyPsu", "SurveyDesign", "kish_n_eff"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
LonelyPsu = Literal["refuse", "average", "centre"]


def kish_n_eff(weights: ArrayLike) -> float:
    r"""Kish's effective number of respondents :math:`(\sum w)^2 / \sum w^2`.

    Examples
    --------
    >>> kish_n_eff([1.0, 1.0, 2.0])
    2.6666666666666665
    """
    w = np.asarray(weights, dtype=np.float64)
    return float(w.sum() ** 2 / (w**2).sum())


@final
@dataclass(frozen=True)
class DesignEstimate:
    """A number from a survey with its linearised standard error.

    Parameters
    ----------
    value, se : float
        Estimate and standard error, in the unit of what was asked.
    df : int
        Clusters minus strata among those that touch the domain.
    n : int
        Respondents behind it.
    """

    value: float
    se: float
    df: int
    n: int

    def estimate(self, level: float = 0.95, *, share: bool = False) -> Estimate:
        r"""Give a Student interval; of a share, on the logit scale, so that it stays in [0, 1].

        With a share of 0 or 1, or no degree of freedom, no standard error says anything: the
        interval is then [0, 1], or infinite.
        """
        from scipy.special import stdtrit

        how = f"linearised standard error, {100 * level:g} %"
        low, high = (0.0, 1.0) if share else (-np.inf, np.inf)
        if self.df >= 1:
            t = float(stdtrit(self.df, (1.0 + level) / 2.0))
            if not share:
                low, high = self.value - t * self.se, self.value + t * self.se
            elif 0.0 < self.value < 1.0:
                logit = np.log(self.value / (1.0 - self.value))
                half = t * self.se / (self.value * (1.0 - self.value))
                low, high = (float(1.0 / (1.0 + np.exp(-x))) for x in (logit - half, logit + half))
        return Estimate(self.value, low, high, self.n, how)


@final
@dataclass(frozen=True, eq=False)
class SurveyDesign:
    r"""How respondents were drawn: weights, strata, clusters in one or more stages.

    .. math:: \widehat V = \sum_h (1-f_h)\frac{n_h}{n_h-1}\sum_i (z_{hi}-\bar z_h)^2
              + \sum_h f_h \sum_i \widehat V_{hi}

    with :math:`z_{hi}` the total of the influence values in cluster `i` of stratum `h`, sampling
    fraction :math:`f_h = n_h/N_h` (0 without `fpc`) and :math:`\widehat V_{hi}` the same formula
    one stage down.

    Parameters
    ----------
    weights : (n,) array
        Positive finite weights (inverse inclusion probabilities up to a constant; means do not
        depend on the constant, totals do).
    strata : (n,) array of int, optional
        First-stage strata.
    clusters : tuple of (n,) arrays of int
        Cluster of each stage, nested in the stage above (and in the stratum). Empty: every
        respondent is their own cluster.
    fpc : tuple of (n,) arrays
        Per stage the number of clusters there are (in the stratum, or in the cluster above), or
        the sampling fraction when at most 1. Empty: drawn with replacement.
    lonely_psu : "refuse", "average" or "centre"
        What to do with a stratum of one cluster, whose variance cannot be known: refuse;
        take the average of the other strata; or compare with the grand mean (R's "adjust").
    calibration : (n,) and (n, p) arrays, optional
        Design weights and dummy columns of the margins the weights were calibrated to;
        influence values are then replaced by their residuals. Set by `post_stratify` and `rake`.

    Raises
    ------
    BadInput
        Lengths differ, a weight is not positive, a stratum has one cluster under "refuse".

    Examples
    --------
    >>> design = SurveyDesign(np.ones(4), strata=np.array([0, 0, 1, 1]))
    >>> result = design.mean(np.array([1.0, 3.0, 10.0, 14.0]))
    >>> result.value, round(result.se, 6), result.df
    (7.0, 1.118034, 2)
    """

    weights: FloatArray
    strata: IntArray | None = None
    clusters: tuple[IntArray, ...] = ()
    fpc: tuple[FloatArray, ...] = ()
    lonely_psu: LonelyPsu = "refuse"
    calibration: tuple[FloatArray, FloatArray] | None = None

    def __post_init__(self) -> None:
        w = np.asarray(self.weights, dtype=np.float64)
        object.__setattr__(self, "weights", w)
        if w.ndim != 1 or w.size == 0 or not np.isfinite(w).all() or (w <= 0.0).any():
            raise BadInput(
                "weights: every weight must be a positive finite number; mend the column"
            )
        if self.lonely_psu not in ("refuse", "average", "centre"):
            raise BadInput(
                f'lonely_psu: "{self.lonely_psu}" is not "refuse", "average" or "centre"'
            )
        columns: list[ArrayLike] = [*self.clusters, *self.fpc]
        columns += [] if self.strata is None else [self.strata]
        if any(np.shape(c) != w.shape for c in columns):
            raise BadInput(f"strata, clusters and fpc each need one entry per weight ({w.size})")
        self._variance(np.zeros(w.size))  # refuses lonely clusters at once

    @property
    def n_eff(self) -> float:
        """Kish's effective number of respondents."""
        return kish_n_eff(self.weights)

    @property
    def deff_weights(self) -> float:
        """Kish's design effect of unequal weighting, `n / n_eff` (1 without weights)."""
        return self.weights.size / self.n_eff

    def post_stratify(self, column: ArrayLike, totals: Mapping[str, float]) -> SurveyDesign:
        """Scale the weights to known totals of one margin; see `calibrate.rake`.

        Parameters
        ----------
        column : (n,) labels
            The post-stratum of each respondent.
        totals : mapping of label to total
            How many there are, for every label that occurs.
        """
        return self.rake([(column, totals)])

    def rake(self, margins: Sequence[tuple[ArrayLike, Mapping[str, float]]]) -> SurveyDesign:
        """Scale the weights to known totals of several margins; see `calibrate.rake`."""
        from equipoise.panels.calibrate import rake

        weights, dummies = rake(self.weights, margins)
        return replace(self, weights=weights, calibration=(self.weights, dummies))

    def mean(self, values: ArrayLike, domain: ArrayLike | None = None) -> DesignEstimate:
        r"""Estimate a weighted mean; NaN values are left out, as is who is outside `domain`.

        Parameters
        ----------
        values : (n,) array
            Any unit. NaN marks a missing answer.
        domain : (n,) array of bool, optional
            A subgroup. Its standard error uses the whole design: the size of a subgroup is
            itself an outcome of the draw.

        Returns
        -------
        DesignEstimate in the unit of `values`.
        """
        y, inside, w = self._domain(values, domain)
        size = float(w.sum())
        value = float((w * y).sum() / size)
        return self._result(value, w * (y - value) / size, inside)

    def total(self, values: ArrayLike, domain: ArrayLike | None = None) -> DesignEstimate:
        """Estimate a weighted total, in the unit of `values`; arguments as in `mean`."""
        y, inside, w = self._domain(values, domain)
        return self._result(float((w * y).sum()), w * y, inside)

    def _domain(
        self, values: ArrayLike, domain: ArrayLike | None
    ) -> tuple[FloatArray, NDArray[np.bool_], FloatArray]:
        y = np.asarray(values, dtype=np.float64)
        if y.shape != self.weights.shape:
            raise BadInput(f"values: got shape {y.shape}, the design has {self.weights.shape}")
        inside = ~np.isnan(y)
        if domain is not None:
            inside &= np.asarray(domain, dtype=bool)
        if not inside.any():
            raise BadInput("nobody in the domain answered; choose another domain or question")
        return np.where(inside, y, 0.0), inside, np.where(inside, self.weights, 0.0)

    def _result(self, value: float, z: FloatArray, inside: NDArray[np.bool_]) -> DesignEstimate:
        strata, psus = _codes(self.strata, z.size), self._psus()
        df = np.unique(psus[inside]).size - np.unique(strata[inside]).size
        if self.calibration is not None:
            root, dummies = np.sqrt(self.calibration[0]), self.calibration[1]
            target = root * z / self.weights
            fit = np.linalg.lstsq(root[:, None] * dummies, target, rcond=None)[0]
            z = z - self.weights * (dummies @ fit)
        se = float(np.sqrt(max(0.0, self._variance(z))))
        return DesignEstimate(value, se, int(df), int(inside.sum()))

    def _psus(self) -> IntArray:
        if not self.clusters:
            return np.arange(self.weights.size)
        return _pairs(_codes(self.strata, self.weights.size), self.clusters[0])

    def _variance(self, z: FloatArray) -> float:
        """Sum the stages: between clusters within strata, then within clusters."""
        outer = _codes(self.strata, z.size)  # what the units of this stage are nested in
        keep = np.ones(z.size)  # product of the sampling fractions of the stages above
        total = 0.0
        for stage in range(max(1, len(self.clusters))):
            units = _pairs(outer, self.clusters[stage]) if self.clusters else np.arange(z.size)
            fpc = self.fpc[stage] if stage < len(self.fpc) else None
            part, fraction = self._stage(z, outer, units, fpc, keep)
            total += part
            if fpc is None:
                break  # with replacement: the first stage already holds all the variance
            keep, outer = keep * fraction, units
        return total

    def _stage(
        self,
        z: FloatArray,
        outer: IntArray,
        units: IntArray,
        fpc: FloatArray | None,
        keep: FloatArray,
    ) -> tuple[float, FloatArray]:
        """One stage's variance and each respondent's sampling fraction at it."""
        _, first, unit = np.unique(units, return_index=True, return_inverse=True)
        block = _codes(outer, z.size)
        of_unit = block[first]
        sums = np.bincount(unit, weights=z)
        count = np.asarray(np.bincount(of_unit), dtype=np.float64)
        if fpc is None:
            fraction = np.zeros(count.size)
        else:
            size = np.zeros(count.size)
            size[block] = fpc
            fraction = np.where(size <= 1.0, size, count / np.maximum(size, 1e-300))
            if (fraction > 1.0 + 1e-9).any() or (fraction <= 0.0).any():
                raise BadInput("fpc: a stratum has fewer clusters than were drawn from it")
        centre = np.bincount(of_unit, weights=sums) / count
        lonely = (count == 1) & (fraction < 1.0)
        spread = np.bincount(of_unit, weights=(sums - centre[of_unit]) ** 2)
        squares = np.asarray(np.bincount(of_unit, weights=sums**2), dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            between = np.where(count > 1, spread * count / (count - 1.0), 0.0)
        if lonely.any():
            between = self._lonely(between, lonely, squares)
        above = np.zeros(count.size)
        above[block] = keep
        return float((above * (1.0 - fraction) * between).sum()), fraction[block]

    def _lonely(
        self, between: FloatArray, lonely: NDArray[np.bool_], squares: FloatArray
    ) -> FloatArray:
        if self.lonely_psu == "refuse":
            raise BadInput(
                f"strata: {int(lonely.sum())} of {lonely.size} strata have a single cluster, so "
                'their variance is unknown; merge them, or choose lonely_psu = "average" or '
                '"centre"'
            )
        if self.lonely_psu == "centre":
            return np.where(lonely, squares, between)
        if lonely.all():
            raise BadInput(
                "strata: every stratum has a single cluster; there is nothing to average"
            )
        return np.where(lonely, between[~lonely].mean(), between)


def _codes(column: ArrayLike | None, n: int) -> IntArray:
    """Give numbers to the distinct entries: 0, 1, ...; all 0 when there is no column."""
    if column is None:
        return np.zeros(n, dtype=np.intp)
    return np.unique(np.asarray(column), return_inverse=True)[1].astype(np.intp)


def _pairs(outer: IntArray, inner: ArrayLike) -> IntArray:
    """Give numbers to the distinct (outer, inner) pairs; ids may repeat in another stratum."""
    codes = _codes(inner, len(outer))
    return _codes(_codes(outer, len(outer)) * (codes.max() + 1) + codes, len(outer))
