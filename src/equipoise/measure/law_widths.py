r"""How much wider intervals must be because the laws were estimated: a factor, by simulation.

The profile of the joint likelihood (`law_joint`) corrects the estimate, but its curvature is taken
at laws that sampling noise has pushed apart, so with a small panel and alike groups its intervals
are too narrow. The remedy is to see it happen: panel and corpus are simulated at laws whose
separation is *not* inflated (pulled together by as much as sampling noise adds, empirical Bayes),
the joint fit is repeated, and the ratio of its true to its claimed variance is the factor, averaged
over the groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.law_joint import fit_jointly
from equipoise.measure.units import Units

__all__ = ["pulled_together", "width_factor"]

FloatArray = NDArray[np.float64]

FITS = 40
ENDS = 12
CHI = 3.841458820694124


def pulled_together(laws: AnswerLaws, sizes: FloatArray) -> AnswerLaws:
    r"""Pull the laws towards their mean by as much as sampling noise has pushed them apart.

    The between-group share :math:`\varphi` of the variance is estimated by moments over all
    questions; each law then gets :math:`1/\varphi - 1` respondents who answer as everybody does.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.6, 0.4]], [[0.4, 0.6]]])
    >>> pulled_together(laws, np.full((2, 1), 50.0)).shares[:, 0, 0].round(3)
    array([0.576, 0.424])
    """
    k = len(laws.groups)
    mean = (laws.shares * sizes[:, :, None]).sum(axis=0) / sizes.sum(axis=0)[:, None]
    spread = (mean * (1.0 - mean)).sum(axis=1)
    freedom = 1.0 - 1.0 / k
    seen = ((laws.shares - mean) ** 2).sum()
    noise = freedom * (spread / sizes).sum()
    between = float(np.clip((seen - noise) / max(freedom * k * spread.sum(), 1e-300), 1e-3, 1.0))
    extra = 1.0 / between - 1.0
    counts = laws.shares * sizes[:, :, None] + extra * mean
    return laws.with_shares(counts / (sizes + extra)[:, :, None])


def width_factor(
    laws: AnswerLaws,
    sizes: FloatArray,
    units: Units,
    weights: FloatArray,
    *,
    seed: int = 0,
    fits: int = FITS,
) -> float:
    """Give the factor by which likelihood-ratio cut-offs must grow, at least 1.

    Parameters
    ----------
    laws : AnswerLaws
        The panel's laws.
    sizes : (K, Q) array
        Effective number of people behind each.
    units : Units
        The corpus; simulated ones have the same units, questions and gaps.
    weights : (K,) array
        The mixture found; simulations are taken at a point between it and even weights, so that
        the ends of the simplex do not cut the errors off.
    seed, fits : int
        Of the simulation.
    """
    rng = np.random.default_rng(seed)
    k = len(laws.groups)
    truth = pulled_together(laws, sizes)
    w = 0.8 * weights + 0.2 / k
    people = np.maximum(np.rint(sizes), 2.0).astype(np.int64)
    behind = people.astype(np.float64) + 1.0
    errors, halves = [], []
    for i in range(fits):
        corpus = _answered(truth, units, w, rng)
        panel = rng.multinomial(people, truth.shares).astype(np.float64)
        # One more respondent like everybody keeps every option possible, as `smoothed` does.
        mean = truth.shares.mean(axis=0)
        shares = (panel + mean) / behind[:, :, None]
        found = fit_jointly(laws.with_shares(shares), behind, corpus)
        errors.append(found.weights - w)
        if i < ENDS:
            ends = found.ends(np.eye(k), np.full(k, CHI))
            halves.append((ends[:, 1] - ends[:, 0]) / 2.0)
    true = (np.array(errors) ** 2).mean(axis=0)
    claimed = (np.array(halves) ** 2).mean(axis=0) / CHI
    return float(max(1.0, (true / np.maximum(claimed, 1e-12)).mean()))


def _answered(laws: AnswerLaws, units: Units, w: FloatArray, rng: np.random.Generator) -> Units:
    """Simulate the same units answering."""
    group = rng.choice(w.size, size=len(units), p=w)[units.unit]
    cumulative = laws.shares.cumsum(axis=2)[group, units.question]
    option = (rng.random(units.answers)[:, None] > cumulative[:, :-1]).sum(axis=1)
    widths = np.array([len(o) for o in laws.options])
    option = np.minimum(option, widths[units.question] - 1)
    return Units(units.unit, units.question, option, units.weights)
