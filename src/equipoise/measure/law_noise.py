r"""The uncertainty of the laws themselves: joint draws of them, and intervals that contain it.

Laws come from a panel of a few hundred people a group, or from a calibration of a labelling
model. With `B` joint draws of the laws, draw `b` alone would give the confidence distribution
:math:`C_b(t) = \Phi(-r_b(t))`, `r_b` the signed root of its likelihood ratio. The intervals are
quantiles of the mean :math:`\frac1B\sum_b C_b`: where all is Gaussian, those of a normal
distribution with the sum of both variances; at 0 still those of a test. One end per draw, at a
level taken in turn from an even grid, gives a sample of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import SMOOTHING, AnswerLaws, smoothed
from equipoise.measure.mixture_ends import interval_ends
from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods
from equipoise.panels.panel import Panel

__all__ = ["panel_law_draws", "spread_ends"]

FloatArray = NDArray[np.float64]

NEAR = 1e-4
"""Accuracy of an end: far below the spread between draws."""


def panel_law_draws(panel: Panel, n: int, seed: int, *, smoothing: float = SMOOTHING) -> FloatArray:
    """Draw the answer laws of a panel jointly: its respondents resampled, with their design.

    Parameters
    ----------
    panel : Panel
        The people.
    n : int
        Number of draws.
    seed : int
        Draw `i` depends only on (seed, i).
    smoothing : float
        As in `AnswerLaws.from_table`.

    Returns
    -------
    (n, K, Q, C) array.
    """
    drawn = panel.draws(n, seed)
    widths = [len(o) for o in panel.answers.options]
    return smoothed(drawn.answers, drawn.answers_n_eff, widths, smoothing)


def spread_ends(
    answered: Callable[[AnswerLaws], tuple[FloatArray, FloatArray]],
    laws: AnswerLaws,
    draws: FloatArray,
    wanted: FloatArray,
    tails: list[float],
    seed: int,
    *,
    scale: Callable[[FloatArray, FloatArray, FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """Give interval ends (tails, m, 2) of sums of weights, law draws included.

    Parameters
    ----------
    answered : function of AnswerLaws
        Gives log-likelihoods (n, K) of the answers and weights (n,), e.g. `units.likelihoods`.
    laws : AnswerLaws
        Groups and questions; its shares are replaced by each draw's.
    draws : (B, K, Q, C) array
        Joint draws of the laws.
    wanted : (m, K) array
        Indicators of the groups to sum.
    tails : list of float
        Probability left out on each side.
    seed : int
        Of the pairing of draws with levels.
    scale : function of likelihoods, weights and best mixture, optional
        Gives (m,) factors by which the likelihood ratio of each sum is too large (`scores`).

    Raises
    ------
    BadInput
        Fewer draws than the smallest tail needs.
    """
    from scipy.special import ndtri

    b, m = len(draws), len(wanted)
    if b < 2 or b * min(tails) < 0.5:
        raise BadInput(
            f"law draws: {b} are too few for bands over {len(laws.groups)} groups; take "
            f"{int(np.ceil(1.0 / min(tails)))} or more"
        )
    rng = np.random.default_rng(seed)
    grid = (np.arange(b) + 0.5) / b
    levels = np.stack([rng.permutation(grid) for _ in range(m)], axis=1)
    reached = np.empty((b, m))
    for i, shares in enumerate(draws):
        logs, v = answered(laws.with_shares(shares))
        likelihoods = relative_likelihoods(logs)
        best = fit_mixture(likelihoods, v)
        directions = np.sign(levels[i] - 0.5)[:, None] * wanted
        drops = ndtri(levels[i]) ** 2
        if scale is not None:
            drops *= scale(likelihoods, v, best)
        points = interval_ends(likelihoods, v, best, directions, drops, gap=NEAR)
        reached[i] = (wanted * points).sum(axis=1)
    low = np.stack([np.quantile(reached, t, axis=0, method="lower") for t in tails])
    high = np.stack([np.quantile(reached, 1.0 - t, axis=0, method="higher") for t in tails])
    return np.stack([low, high], axis=2)
