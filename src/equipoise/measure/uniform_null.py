r"""Can a model be told from random answering? A test, and what it could have seen.

Counts: under random answering every option of a question is equally likely, so Pearson's
:math:`X^2 = \sum_q \sum_c (n_{qc} - n_q/C_q)^2 / (n_q/C_q)` is about :math:`\chi^2` on
:math:`\sum_q (C_q - 1)` degrees of freedom; with few answers its law is simulated. A test that
rejects nothing may simply be blind, so its power is stated: the smallest mean total variation from
uniform that it finds four times in five, in the shape hardest to see.

Scores are exact, so no sampling error hides a departure: there the mean total variation itself is
compared with a margin, with an interval over the questions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.estimate import Estimate

__all__ = ["UniformTest", "uniform_counts_test", "uniform_scores_test"]

FloatArray = NDArray[np.float64]

LEVEL = 0.05
POWER = 0.8
MARGIN = 0.05
FEW = 5.0
SIMULATED = 4000

RANDOM = "cannot be told from random answering"
NOT_RANDOM = "does not answer at random"
OPEN = "undecided: too few answers or questions"


@final
@dataclass(frozen=True)
class UniformTest(Tabled):
    """Whether answers can be told from random ones.

    Attributes
    ----------
    verdict : str
        "cannot be told from random answering", "does not answer at random" or "undecided: …".
    distance : Estimate
        Mean total variation from uniform; for counts the part that chance explains is taken off.
    p_value : float
        Of random answering (counts); NaN for scores, which have no sampling error.
    seen : float
        Mean total variation that the test finds with probability 0.8; 0 for scores.
    answers : int
        Answers, or questions scored.
    """

    verdict: str
    distance: Estimate
    p_value: float
    seen: float
    answers: int

    @property
    def random(self) -> bool:
        """Whether the verdict is "cannot be told from random answering"."""
        return self.verdict == RANDOM

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "distance": self.distance.to_dict(),
            "p_value": None if math.isnan(self.p_value) else self.p_value,
            "seen": self.seen,
            "answers": self.answers,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return its only row."""
        row = {"verdict": self.verdict, "distance": self.distance.value, "low": self.distance.low,
               "high": self.distance.high, "p_value": self.p_value, "seen": self.seen,
               "answers": self.answers}  # fmt: skip
        return [row]


def uniform_counts_test(
    counts: ArrayLike, widths: ArrayLike, *, margin: float = MARGIN, seed: int = 0
) -> UniformTest:
    """Test answer counts for random answering.

    Parameters
    ----------
    counts : (Q, C) array of whole numbers
        Times each option was chosen, over balanced orders of the options; padding 0.
    widths : (Q,) array of int
        Number of options of each question.
    margin : float
        Mean total variation that matters: a test that does not reject says "random" only if it
        would have seen this much, else "undecided".
    seed : int
        Of the simulation with few answers.

    Returns
    -------
    UniformTest. Answers to one question must be independent draws.

    Raises
    ------
    BadInput
        Negative or fractional counts, an option beyond its question, no answer.

    Examples
    --------
    >>> uniform_counts_test([[340, 330, 330]] * 20, [3] * 20).verdict
    'cannot be told from random answering'
    >>> uniform_counts_test([[6, 0, 0]] * 2, [3] * 2).verdict
    'does not answer at random'
    >>> uniform_counts_test([[3, 2, 1]] * 2, [3] * 2).verdict
    'undecided: too few answers or questions'
    """
    n, real, width = _checked(counts, widths)
    total = n.sum(axis=1)
    used = (total > 0) & (width > 1)
    if not used.any():
        raise BadInput("counts: there is no answer to a question with two options or more")
    n, real, width, total = n[used], real[used], width[used], total[used]
    expected = np.where(real, (total / width)[:, None], 1.0)
    statistic = float((np.where(real, n - expected, 0.0) ** 2 / expected).sum())
    freedom = int((width - 1).sum())
    p = _p_value(statistic, freedom, total, width, seed)
    seen = _smallest_seen(total, width, freedom)
    distance = _count_distance(n, real, width, total, seed)
    if p < LEVEL:
        verdict = NOT_RANDOM
    else:
        verdict = RANDOM if seen <= margin or distance.high <= margin else OPEN
    return UniformTest(verdict, distance, p, seen, int(total.sum()))


def uniform_scores_test(
    scores: ArrayLike,
    widths: ArrayLike,
    *,
    margin: float = MARGIN,
    draws: int = 2000,
    seed: int = 0,
) -> UniformTest:
    """Compare exact option probabilities, averaged over balanced orders, with random answering.

    Parameters
    ----------
    scores : (Q, C) array
        Option probabilities, each question summing to 1; rows of NaN were not scored.
    widths : (Q,) array of int
        Number of options of each question.
    margin : float
        Mean total variation below which answering counts as random.
    draws, seed : int
        Bootstrap over questions.

    Returns
    -------
    UniformTest: "cannot be told from random answering" if the whole interval of the mean total
    variation lies below the margin, "does not answer at random" if it lies above.

    Examples
    --------
    >>> uniform_scores_test([[0.34, 0.33, 0.33]] * 9, [3] * 9).verdict
    'cannot be told from random answering'
    """
    s = np.array(scores, dtype=np.float64)
    width = np.asarray(widths, dtype=np.int64)
    if s.ndim != 2 or width.shape != (len(s),):
        raise BadInput("scores need one row per question and widths one number per question")
    used = ~np.isnan(s).any(axis=1) & (width > 1)
    if used.sum() < 2:
        raise BadInput("scores: fewer than two questions were scored; ask more questions")
    s, width = s[used], width[used]
    if (s < 0.0).any() or np.abs(s.sum(axis=1) - 1.0).max() > 1e-6:
        raise BadInput("scores: every question needs probabilities that sum to 1")
    real = np.arange(s.shape[1]) < width[:, None]
    away = np.abs(s - real / width[:, None]).sum(axis=1) / 2.0
    rng = np.random.default_rng(seed)
    drawn = away[rng.integers(0, away.size, (draws, away.size))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = float(away.mean())
    how = "bootstrap over questions, 95 %"
    distance = Estimate(value, min(float(low), value), max(float(high), value), away.size, how)
    verdict = RANDOM if high < margin else NOT_RANDOM if low > margin else OPEN
    return UniformTest(verdict, distance, math.nan, 0.0, away.size)


def _checked(
    counts: ArrayLike, widths: ArrayLike
) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.int64]]:
    n = np.array(counts, dtype=np.float64)
    width = np.asarray(widths, dtype=np.int64)
    if n.ndim != 2 or width.shape != (len(n),) or (width > n.shape[1]).any():
        raise BadInput("counts need shape (questions, options) and widths one number per question")
    real = np.arange(n.shape[1]) < width[:, None]
    if (n < 0).any() or (n != np.rint(n)).any() or (n[~real] != 0).any():
        raise BadInput("counts: give whole numbers of answers, 0 beyond a question's options")
    return n, np.asarray(real), width


def _p_value(
    statistic: float, freedom: int, total: FloatArray, width: NDArray[np.int64], seed: int
) -> float:
    from scipy.special import chdtrc

    if (total / width).min() >= FEW:
        return float(chdtrc(freedom, statistic))
    rng = np.random.default_rng(seed)
    simulated = np.zeros(SIMULATED)
    for n, c in zip(total.astype(int), width, strict=True):
        drawn = rng.multinomial(n, np.full(c, 1.0 / c), size=SIMULATED)
        simulated += ((drawn - n / c) ** 2).sum(axis=1) * c / n
    # The observed table is one of those that random answering could have given.
    return float((1 + (simulated >= statistic * (1.0 - 1e-12)).sum()) / (SIMULATED + 1))


def _smallest_seen(total: FloatArray, width: NDArray[np.int64], freedom: int) -> float:
    """Mean total variation found with probability 0.8, the departure spread evenly."""
    from scipy.special import chdtri, chndtr

    cut = float(chdtri(freedom, LEVEL))
    up = width // 2
    # Half the options up and half down is the least chi-square for a given total variation.
    effect = float((total * width * (1.0 / up + 1.0 / (width - up))).sum())
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2.0
        if 1.0 - float(chndtr(cut, freedom, effect * middle**2)) >= POWER:
            high = middle
        else:
            low = middle
    return high


def _count_distance(
    n: FloatArray, real: NDArray[np.bool_], width: NDArray[np.int64], total: FloatArray, seed: int
) -> Estimate:
    """Mean total variation from uniform, less the part that resampling adds once more."""
    uniform = real / width[:, None]
    share = n / total[:, None]
    value = float((np.abs(share - uniform).sum(axis=1) / 2.0).mean())
    rng = np.random.default_rng([seed, 1])
    drawn = rng.multinomial(total.astype(int), share, size=(1000, len(n))) / total[:, None]
    noisy = (np.abs(drawn - uniform).sum(axis=2) / 2.0).mean(axis=1)
    corrected = float(np.clip(2.0 * value - noisy.mean(), 0.0, 1.0))
    low, high = (
        float(np.clip(2.0 * value - q, 0.0, 1.0)) for q in np.quantile(noisy, [0.975, 0.025])
    )
    how = "bootstrap over answers, bias-corrected, 95 %"
    return Estimate(corrected, min(low, corrected), max(high, corrected), int(total.sum()), how)
