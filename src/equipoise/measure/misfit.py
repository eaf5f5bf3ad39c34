r"""Does any mixture of the groups answer like this? A test, and how far off.

A mixture is always found, also behind answers that no mixture of these groups would give (a
model that prefers the first option, say). So on every question the answers are compared with
those of the fitted mixture by Pearson's :math:`\chi^2`; within a question the answers of
different units are independent, and over questions the smallest p-value is multiplied by their
number (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.units import Units

__all__ = ["Misfit", "misfit"]

FloatArray = NDArray[np.float64]

FEW = 5.0


@final
@dataclass(frozen=True)
class Misfit:
    """How unlike the fitted mixture the answers are.

    Attributes
    ----------
    p_value : float
        Of "these answers come from the fitted mixture"; small: no mixture of these groups.
        1 where no question has enough answers for a test.
    distance : float
        Mean total variation between answers and fitted mixture over the questions tested, of
        which `noise` is expected from sampling alone.
    noise : float
        That expectation.
    question : str
        Where it fits worst.
    tested : int
        Questions with an expected 5 answers or more for every option.
    """

    p_value: float
    distance: float
    noise: float
    question: str
    tested: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "p_value": self.p_value,
            "distance": self.distance,
            "noise": self.noise,
            "question": self.question,
            "tested": self.tested,
        }


def misfit(
    laws: AnswerLaws, units: Units, weights: FloatArray, *, sizes: FloatArray | None = None
) -> Misfit:
    """Compare the answers with those of a mixture, question by question.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    units : Units
        The answers.
    weights : (K,) array
        The mixture.
    sizes : (K, Q) array, optional
        Effective number of people behind each law; the laws' own sampling noise is then allowed
        for. Without it they are taken as exact.

    Returns
    -------
    Misfit. The weights were fitted to the same answers, and p-values are not reduced for it: the
    test errs on the side of "fits".

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.6, 0.4]]])
    >>> units = Units(np.arange(100), np.zeros(100, int), np.ones(100, int))
    >>> misfit(laws, units, np.array([0.0, 1.0])).p_value < 1e-9
    True
    """
    from scipy.special import chdtrc

    counts = units.counts(laws)
    total = counts.sum(axis=1)
    expected = total[:, None] * laws.mixed(weights)
    real = laws.real_options
    enough = np.where(real, expected, np.inf).min(axis=1) >= FEW
    if not enough.any():
        return Misfit(1.0, 0.0, 0.0, laws.questions[0], 0)
    safe = np.where(real & enough[:, None], expected, 1.0)
    statistic = ((counts - expected) ** 2 / safe).sum(axis=1)
    # Answers and laws both err.
    wide = np.ones_like(total)
    if sizes is not None:
        wide += total * (weights[:, None] ** 2 / sizes).sum(axis=0)
    statistic /= wide
    p = np.where(enough, chdtrc(real.sum(axis=1) - 1, statistic), 1.0)
    worst = int(np.argmin(p))
    per = np.where(total > 0.0, total, 1.0)
    away = np.abs(counts - expected).sum(axis=1) / per / 2.0
    # E|N(0, s)| = s sqrt(2/pi), s = sqrt(n p (1-p)).
    share = expected / per[:, None]
    noise = np.sqrt(2.0 / np.pi * wide[:, None] * expected * (1.0 - share))
    noise = noise.sum(axis=1) / per / 2.0
    return Misfit(
        min(1.0, float(p[worst]) * int(enough.sum())),
        float(away[enough].mean()),
        float(noise[enough].mean()),
        laws.questions[worst],
        int(enough.sum()),
    )
