r"""The mixture nearest to a model's own option probabilities: no answers are drawn, nothing is n.

Where an endpoint gives the probability :math:`s_{qc}` of every option, the default alignment is
the mixture whose answers are nearest to them in Kullback–Leibler divergence,

.. math:: \hat w = \arg\min_{w \in \Delta} \frac1Q \sum_q \mathrm{KL}(s_q \,\|\, p_{w,q})
          = \arg\max_w \sum_q \sum_c s_{qc} \log \sum_k w_k p_{kqc},

which is what the most likely mixture of endless single answers tends to. The scores are exact, so
their uncertainty is not sampling of answers: it is that other questions would have given another
mixture. Questions are taken as a sample: the likelihood ratio is scaled by the sandwich factor
:math:`\lambda_k = (H^- V H^-)_{kk} / (H^-)_{kk}`, `V` the spread of the questions' gradients, and
compared with the square of Student's t on Q − 1 degrees of freedom. Draws of the panel's laws can
be added as for counts. Scores identify what single answers identify, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled, estimate_rows
from equipoise.errors import BadInput
from equipoise.estimate import Estimate
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.identify import same_laws
from equipoise.measure.law_noise import spread_ends
from equipoise.measure.mixture_ends import interval_ends
from equipoise.measure.mixture_exam import MixtureExam, examine_mixture
from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods

__all__ = ["ScoreMixture", "mixture_from_scores"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class ScoreMixture(Tabled):
    """The mixture nearest to exact option probabilities.

    Attributes
    ----------
    estimates : mapping of label to Estimate
        Weights; `n` is the number of questions.
    sums : mapping of tuple of labels to Estimate
        Total of groups with the same law.
    divergence : float
        Mean Kullback–Leibler divergence that is left, nats: 0 if the model answers exactly like a
        mixture of the groups.
    distance : float
        Mean total variation between the scores and the nearest mixture.
    exam : MixtureExam
        The KKT conditions.
    """

    estimates: dict[str, Estimate]
    sums: dict[tuple[str, ...], Estimate]
    divergence: float
    distance: float
    exam: MixtureExam

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "weights": {g: e.to_dict() for g, e in self.estimates.items()},
            "sums": [{"groups": list(g), **e.to_dict()} for g, e in self.sums.items()],
            "divergence": self.divergence,
            "distance": self.distance,
            "gap": self.exam.gap,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: its weight with interval."""
        return estimate_rows("group", self.estimates)

    def __repr__(self) -> str:
        parts = [f"{group} {e.value:.3f}" for group, e in self.estimates.items()]
        return f"ScoreMixture({', '.join(parts)}; {self.distance:.3f} from the nearest mixture)"


def mixture_from_scores(
    laws: AnswerLaws,
    scores: ArrayLike,
    *,
    law_draws: FloatArray | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> ScoreMixture:
    """Find the mixture whose answers are nearest to a model's option probabilities.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    scores : (Q, C) array
        Probability of every option, each question summing to 1, padding 0; a question that could
        not be scored is a row of NaN and is left out.
    law_draws : (B, K, Q, C) array, optional
        Joint draws of the laws.
    level : float
        Content of the intervals.
    seed : int
        Of the way draws and levels are paired.

    Returns
    -------
    ScoreMixture. Not guaranteed: coverage when the questions are few or depend on each other.

    Raises
    ------
    BadInput
        Wrong shape, scores that are no probabilities, fewer than two questions.

    Examples
    --------
    >>> half = [[[0.9, 0.1]] * 3, [[0.1, 0.9]] * 3]
    >>> laws = AnswerLaws(("a", "b"), ("x", "y", "z"), (("no", "yes"),) * 3, half)
    >>> found = mixture_from_scores(laws, [[0.7, 0.3]] * 3)
    >>> round(found.estimates["a"].value, 9), round(found.divergence, 12)
    (0.75, 0.0)
    """
    from scipy.special import stdtrit

    s, asked = _checked(laws, scores)
    q = int(asked.sum())
    rows, columns = np.nonzero(s > 0.0)
    v = s[rows, columns]

    def answered(given: AnswerLaws) -> tuple[FloatArray, FloatArray]:
        return np.log(given.shares[:, rows, columns].T), v

    def scale(likelihoods: FloatArray, v: FloatArray, best: FloatArray) -> FloatArray:
        t = float(stdtrit(q - 1, (1.0 + level) / 2.0)) / 1.959963984540054
        return t**2 * _sandwich(likelihoods, v, best, rows, wanted)

    likelihoods = relative_likelihoods(answered(laws)[0])
    w = fit_mixture(likelihoods, v)
    same = same_laws(laws)
    for names in same:
        inside = np.array([g in names for g in laws.groups])
        w[inside] = w[inside].mean()
    sets = [(g,) for g in laws.groups] + list(same)
    wanted = np.array([[float(g in some) for g in laws.groups] for some in sets])
    tail = (1.0 - level) / 2.0
    if law_draws is None:
        drops = float(stdtrit(q - 1, 1.0 - tail)) ** 2 * _sandwich(likelihoods, v, w, rows, wanted)
        both = np.concatenate([-wanted, wanted]), np.concatenate([drops, drops])
        points = interval_ends(likelihoods, v, w, *both)
        low, high = (np.abs(both[0]) * points).sum(axis=1).reshape(2, -1)
    else:
        low, high = spread_ends(answered, laws, law_draws, wanted, [tail], seed, scale=scale)[0].T
    how = f"questions as a sample, {100 * level:g} %" + (
        "" if law_draws is None else f", {len(law_draws)} draws of the panel"
    )
    found = {
        some: _estimate(float(wanted[i] @ w), float(low[i]), float(high[i]), q, how)
        for i, some in enumerate(sets)
    }
    divergence, distance = _left(s, laws.mixed(w), asked)
    return ScoreMixture(
        {g: found[(g,)] for g in laws.groups},
        {some: found[some] for some in same},
        divergence,
        distance,
        examine_mixture(likelihoods, v, w),
    )


def _estimate(value: float, low: float, high: float, n: int, how: str) -> Estimate:
    """Set ends within rounding of 0 and 1 to it; the value lies in its interval."""
    low, high = (0.0 if e < 1e-6 else 1.0 if e > 1.0 - 1e-6 else e for e in (low, high))
    return Estimate(value, min(low, value), max(high, value), n, how)


def _left(s: FloatArray, mixed: FloatArray, asked: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean divergence and total variation that the mixture leaves."""
    ratio = np.where(s > 0.0, s, 1.0) / np.where(s > 0.0, mixed, 1.0)
    divergence = (s * np.log(ratio)).sum(axis=1)[asked].mean()
    distance = np.abs(s - mixed).sum(axis=1)[asked].mean() / 2.0
    return max(0.0, float(divergence)), float(distance)


def _sandwich(
    likelihoods: FloatArray, v: FloatArray, w: FloatArray, rows: Any, wanted: FloatArray
) -> FloatArray:
    """Factor (m,) by which the likelihood ratio of each sum of weights is too small or large."""
    k = w.size
    inner = 0.9 * w + 0.1 / k  # off the boundary, where every direction is seen
    gradient = likelihoods / (likelihoods @ inner)[:, None] * v[:, None]
    questions = np.unique(rows)
    per = np.stack([gradient[rows == j].sum(axis=0) for j in questions])
    centred = per - per.mean(axis=0)
    spread = centred.T @ centred * len(per) / max(1, len(per) - 1)
    curvature = gradient.T @ (likelihoods / (likelihoods @ inner)[:, None])
    tangent = np.eye(k) - 1.0 / k
    inverse = np.linalg.pinv(tangent @ curvature @ tangent, rcond=1e-10, hermitian=True)
    robust = np.einsum("mj,jk,kl,ln,mn->m", wanted, inverse, spread, inverse, wanted)
    plain = np.einsum("mj,jk,mk->m", wanted, inverse, wanted)
    factor = np.where(plain > 1e-12, robust / np.where(plain > 1e-12, plain, 1.0), 1.0)
    return np.asarray(np.maximum(factor, 1e-9))


def _checked(laws: AnswerLaws, scores: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    s = np.array(scores, dtype=np.float64)
    if s.shape != laws.shares.shape[1:]:
        raise BadInput(
            f"scores need shape (questions, options) = {laws.shares.shape[1:]}, got {s.shape}"
        )
    asked = np.asarray(~np.isnan(s).any(axis=1))
    s[~asked] = 0.0
    if asked.sum() < 2:
        raise BadInput("scores: fewer than two questions were scored; ask more questions")
    fine = (s >= 0.0).all() and np.abs(s[asked].sum(axis=1) - 1.0).max() <= 1e-6
    if not fine or (s[~laws.real_options] != 0.0).any():
        raise BadInput("scores: every question needs probabilities that sum to 1 over its options")
    return s, asked
