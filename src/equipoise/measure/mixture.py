r"""The mixture of groups behind answers: weights, intervals that are honest at 0, diagnostics.

Intervals come from inverting the likelihood-ratio test,
:math:`\{t : 2[\ell(\hat w) - \max_{w_k = t} \ell(w)] \le \chi^2_{1,.95}\}`, and not from a
bootstrap, which is inconsistent where a weight is at 0 (R14). Bands that hold for all groups
together use the same test at Bonferroni's level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.estimate import Estimate
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.identify import same_laws
from equipoise.measure.law_joint import fit_jointly
from equipoise.measure.law_widths import width_factor
from equipoise.measure.misfit import Misfit, misfit
from equipoise.measure.mixture_ends import interval_ends
from equipoise.measure.mixture_exam import MixtureExam, examine_mixture
from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods
from equipoise.measure.units import Units

__all__ = ["MixtureEstimate", "estimate_mixture"]

FloatArray = NDArray[np.float64]

LEVEL = 0.95


@final
@dataclass(frozen=True, eq=False)
class MixtureEstimate(Tabled):
    """A mixture with intervals.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    weights : (K,) array
        The most likely mixture; groups with the same law share their sum evenly.
    low, high : (K,) arrays
        Interval of each weight at `level`.
    band_low, band_high : (K,) arrays
        Intervals that hold for all groups together at `level` (Bonferroni).
    sums : mapping of tuple of labels to Estimate
        Total weight of groups that have the same law and cannot be told apart.
    units, answers, unparsed : int
        Units and answers used; answers that could not be used.
    unit : str
        "answer" or "sheet".
    level : float
        Content of the intervals.
    laws_exact : bool
        Whether the laws were taken as exact; else their uncertainty is in weights and intervals.
    needed : (K,) array
        Units for a standard error of 0.05, from the curvature of the log-likelihood.
    exam : MixtureExam
        The KKT conditions at the weights.
    misfit : Misfit
        Whether any mixture of these groups answers like this.
    """

    groups: tuple[str, ...]
    weights: FloatArray
    low: FloatArray
    high: FloatArray
    band_low: FloatArray
    band_high: FloatArray
    sums: dict[tuple[str, ...], Estimate]
    units: int
    answers: int
    unparsed: int
    unit: str
    level: float
    laws_exact: bool
    needed: FloatArray
    exam: MixtureExam
    misfit: Misfit

    @property
    def how(self) -> str:
        """How the intervals were made, in words."""
        laws = ", laws as exact" if self.laws_exact else ", laws as estimates"
        return f"likelihood ratio by {self.unit}, {100 * self.level:g} %{laws}"

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Label -> Estimate of the weight."""
        return {
            g: Estimate(float(w), float(lo), float(hi), self.units, self.how)
            for g, w, lo, hi in zip(self.groups, self.weights, self.low, self.high, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "weights": {g: e.to_dict() for g, e in self.estimates.items()},
            "band": {
                g: [float(lo), float(hi)]
                for g, lo, hi in zip(self.groups, self.band_low, self.band_high, strict=True)
            },
            "sums": [
                {"groups": list(names), **total.to_dict()} for names, total in self.sums.items()
            ],
            "units": self.units,
            "answers": self.answers,
            "unparsed": self.unparsed,
            "unit": self.unit,
            "level": self.level,
            "laws_exact": self.laws_exact,
            "gap": self.exam.gap,
            "misfit": self.misfit.to_dict(),
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: its weight with interval and band."""
        return [
            {
                "group": group,
                "weight": float(self.weights[k]),
                "low": float(self.low[k]),
                "high": float(self.high[k]),
                "band_low": float(self.band_low[k]),
                "band_high": float(self.band_high[k]),
            }
            for k, group in enumerate(self.groups)
        ]

    def __repr__(self) -> str:
        parts = [f"{g} {w:.3f}" for g, w in zip(self.groups, self.weights, strict=True)]
        return f"MixtureEstimate({', '.join(parts)}; {self.how})"


def estimate_mixture(
    laws: AnswerLaws,
    units: Units,
    *,
    sizes: FloatArray | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> MixtureEstimate:
    r"""Estimate the mixture of groups behind answers (R14).

    .. math:: \ell(w) = \sum_i v_i \log \sum_k w_k \prod_{q \in i} p_{kq}(y_{iq})

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    units : Units
        The answers; a unit is one draw of the group.
    sizes : (K, Q) array, optional
        Effective number of people behind each law (`law_sizes`): the laws' own uncertainty is then
        in the weights and intervals. Without it the laws are taken as exact.
    level : float
        Content of the intervals.
    seed : int
        Of the simulation that says how much wider estimated laws make the intervals.

    Returns
    -------
    MixtureEstimate. Not guaranteed: that answers of a sheet are independent given the group;
    that the group of a model is the group of people (`misfit` shows when no mixture fits).
    Within two standard errors of 0 the intervals cover more than `level`.

    Raises
    ------
    BadInput
        Answers that the laws do not have; a level outside (0, 1).

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> units = Units(np.arange(100), np.zeros(100, int), np.arange(100) % 2)
    >>> print(estimate_mixture(laws, units).estimates["a"])
    0.5 [0.379, 0.621] (n=100, likelihood ratio by answer, 95 %, laws as exact)
    """
    if not 0.0 < level < 1.0:
        raise BadInput(f"level must lie strictly between 0 and 1, got {level}; write 0.95")
    same = same_laws(laws)
    names = [(g,) for g in laws.groups] + list(same)
    wanted = np.array([[float(g in some) for g in laws.groups] for some in names])
    drops = _drops(level, len(laws.groups))
    if sizes is None:
        likelihoods, v = _likelihoods(laws, units)
        weights = _even(fit_mixture(likelihoods, v), laws.groups, same)
        ends = np.stack([_plain_ends(likelihoods, v, weights, wanted, c) for c in drops])
    else:
        sizes = _checked_sizes(laws, sizes)
        joint = fit_jointly(laws, sizes, units)
        factor = width_factor(laws, sizes, units, joint.weights, seed=seed)
        likelihoods, v = _likelihoods(joint.laws, units)
        weights = _even(joint.weights, laws.groups, same)
        ends = np.stack([joint.ends(wanted, np.full(len(wanted), c * factor)) for c in drops])
    ends = _around(ends, wanted @ weights)
    k = len(laws.groups)
    found = MixtureEstimate(
        laws.groups, weights, ends[0, :k, 0], ends[0, :k, 1], ends[1, :k, 0], ends[1, :k, 1],
        {}, len(units), units.answers, units.unparsed, "answer" if units.single else "sheet",
        level, sizes is None, _needed(likelihoods, v, weights, len(units)),
        examine_mixture(likelihoods, v, weights), misfit(laws, units, weights, sizes=sizes),
    )  # fmt: skip
    for i, some in enumerate(same, start=k):
        total = float(wanted[i] @ weights)
        low, high = ends[0, i]
        found.sums[some] = Estimate(total, float(low), float(high), found.units, found.how)
    return found


def _likelihoods(laws: AnswerLaws, units: Units) -> tuple[FloatArray, FloatArray]:
    logs, v = units.likelihoods(laws)
    return relative_likelihoods(logs), v


def _checked_sizes(laws: AnswerLaws, sizes: FloatArray) -> FloatArray:
    given = np.asarray(sizes, dtype=np.float64)
    if given.shape != laws.shares.shape[:2] or not np.all(given > 0.0):
        raise BadInput(
            f"sizes: give a positive number for each of {laws.shares.shape[:2]} groups and "
            "questions, e.g. law_sizes(panel)"
        )
    return given


def _drops(level: float, k: int) -> list[float]:
    """How far twice the log-likelihood may fall: for one group, and for all K together."""
    from scipy.special import ndtri

    return [float(ndtri((1.0 - level) / 2.0 / groups)) ** 2 for groups in (1, k)]


def _plain_ends(
    likelihoods: FloatArray, v: FloatArray, best: FloatArray, wanted: FloatArray, drop: float
) -> FloatArray:
    """Lower and upper ends (m, 2) with the laws taken as exact."""
    directions = np.concatenate([-wanted, wanted])
    points = interval_ends(likelihoods, v, best, directions, np.full(len(directions), drop))
    return np.asarray((np.abs(directions) * points).sum(axis=1).reshape(2, -1).T)


def _around(ends: FloatArray, values: FloatArray) -> FloatArray:
    """Set ends within rounding of 0 or 1 to it; the value lies in its interval."""
    ends = np.where(ends < 1e-6, 0.0, np.where(ends > 1.0 - 1e-6, 1.0, ends))
    ends[:, :, 0] = np.minimum(ends[:, :, 0], values)
    ends[:, :, 1] = np.maximum(ends[:, :, 1], values)
    return ends


def _even(
    weights: FloatArray, groups: tuple[str, ...], same: tuple[tuple[str, ...], ...]
) -> FloatArray:
    weights = weights.copy()
    for names in same:
        inside = np.array([g in names for g in groups])
        weights[inside] = weights[inside].mean()
    return weights


def _needed(likelihoods: FloatArray, v: FloatArray, weights: FloatArray, n: int) -> FloatArray:
    """Units for a standard error of 0.05; infinite where the curvature does not see a group."""
    k = weights.size
    # A little inside the simplex, where the curvature is that of all groups.
    w = 0.9 * weights + 0.1 / k
    ratio = likelihoods / (likelihoods @ w)[:, None]
    matrix = (ratio.T * v) @ ratio / v.sum()
    values, vectors = np.linalg.eigh(matrix)
    seen = values > 1e-9 * values[-1]
    hidden = np.abs(vectors[:, ~seen]).max(axis=1, initial=0.0) > 1e-6
    inverse = (vectors[:, seen] ** 2) @ (1.0 / values[seen])
    variance = np.maximum(inverse - w**2, 0.0) * n / v.sum()
    return np.where(hidden, np.inf, np.ceil(variance / 0.05**2))
