r"""How far the answers of a model or a corpus are from each group's people.

Three numbers per group, each the mean over the questions answered:

* representativeness :math:`1 - W_1(a_q, p_{kq}) / (C_q - 1)`, the 1-Wasserstein distance between
  options in their order, one step apart (Santurkar et al. 2023); 1 is the same answers;
* Jensen–Shannon distance, the square root of the divergence to base 2, in [0, 1];
* total variation :math:`\tfrac12 \sum_c |a_{qc} - p_{kqc}|`, in [0, 1].

Two samples of one law are some distance apart, so plain distances are biased upwards. Draws say by
how much: the bootstrap doubles the noise, so the value shown is
:math:`2\hat\theta - \bar\theta^*` with the basic bootstrap interval around it, cut at the ends
of the scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled, estimate_rows
from equipoise.errors import BadInput
from equipoise.estimate import Estimate
from equipoise.measure.units import Units
from equipoise.panels.panel import Panel

__all__ = [
    "Distances",
    "distances",
    "jensen_shannon",
    "representativeness",
    "total_variation",
]

FloatArray = NDArray[np.float64]

DRAWS = 500


def representativeness(answers: FloatArray, people: FloatArray, widths: ArrayLike) -> FloatArray:
    """One minus the 1-Wasserstein distance over its maximum, per question.

    Parameters
    ----------
    answers, people : (..., Q, C) arrays
        Distributions over ordered options, padding 0; leading axes broadcast.
    widths : (Q,) array of int
        Number of options of each question, 2 or more.

    Returns
    -------
    (..., Q) array in [0, 1].

    Examples
    --------
    >>> representativeness(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]), [3])
    array([0.])
    """
    steps = np.abs(np.cumsum(answers - people, axis=-1)).sum(axis=-1)
    return np.asarray(1.0 - steps / (np.asarray(widths, dtype=np.float64) - 1.0))


def jensen_shannon(answers: FloatArray, people: FloatArray) -> FloatArray:
    """Jensen–Shannon distance to base 2, per question; shapes as in `representativeness`.

    Examples
    --------
    >>> jensen_shannon(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    array([1.])
    """
    middle = (answers + people) / 2.0

    def divergence(p: FloatArray) -> FloatArray:
        safe = np.where(p > 0.0, p / np.where(middle > 0.0, middle, 1.0), 1.0)
        return np.asarray((p * np.log2(safe)).sum(axis=-1))

    both = (divergence(answers) + divergence(people)) / 2.0
    return np.sqrt(np.maximum(both, 0.0))


def total_variation(answers: FloatArray, people: FloatArray) -> FloatArray:
    """Half the sum of absolute differences, per question; shapes as in `representativeness`.

    Examples
    --------
    >>> total_variation(np.array([[0.7, 0.3]]), np.array([[0.5, 0.5]])).round(12)
    array([0.2])
    """
    return np.asarray(np.abs(answers - people).sum(axis=-1) / 2.0)


@final
@dataclass(frozen=True, eq=False)
class Distances(Tabled):
    """Distances to each group's people.

    Attributes
    ----------
    representativeness, jensen_shannon, total_variation : mapping of label to Estimate
        Bias-corrected values with basic bootstrap intervals.
    plain : mapping of measure to mapping of label to float
        The same without the correction, as other tools print them.
    questions : int
        Questions averaged.
    """

    representativeness: dict[str, Estimate]
    jensen_shannon: dict[str, Estimate]
    total_variation: dict[str, Estimate]
    plain: dict[str, dict[str, float]]
    questions: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        measures = ("representativeness", "jensen_shannon", "total_variation")
        shown = {m: {g: e.to_dict() for g, e in getattr(self, m).items()} for m in measures}
        return {**shown, "plain": self.plain, "questions": self.questions}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per measure and group."""
        measures = ("representativeness", "jensen_shannon", "total_variation")
        return [
            {"measure": name, **row}
            for name in measures
            for row in estimate_rows("group", getattr(self, name))
        ]

    def __repr__(self) -> str:
        near = min(self.total_variation, key=lambda g: self.total_variation[g].value)
        return f"Distances({self.questions} questions; nearest in total variation: {near})"


def distances(
    panel: Panel,
    answers: Units | ArrayLike,
    *,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Distances:
    """Measure how far answers are from every group's people.

    Parameters
    ----------
    panel : Panel
        The people; its respondents are resampled with their design.
    answers : Units or (Q, C) array
        Answers (units are resampled too), or a model's exact option probabilities, which are not;
        NaN rows were not scored.
    draws, seed : int
        Bootstrap draws.
    level : float
        Content of each interval.

    Returns
    -------
    Distances. Not guaranteed: nominal coverage at distance 0, where every estimate of a distance
    is one-sided; there the interval tends to end at 0.

    Raises
    ------
    BadInput
        Scores of the wrong shape; no question answered.
    """
    table = panel.answers
    observed, resampled, n = _answers(table.shares.shape[1:], answers, draws, seed)
    asked = observed.sum(axis=1) > 0.0
    asked &= np.all(resampled.sum(axis=2) > 0.0, axis=0)
    if not asked.any():
        raise BadInput("answers: no question of the panel was answered; check the questions")
    widths = np.array([len(o) for o in table.options])[asked]
    people = table.shares[:, asked]
    drawn = panel.draws(draws, seed).answers[:, :, asked]
    mine = _shares(observed[asked])
    theirs = _shares(resampled[:, asked])[:, None]

    def wasserstein(a: FloatArray, p: FloatArray) -> FloatArray:
        return representativeness(a, p, np.maximum(widths, 2))

    found: dict[str, dict[str, Estimate]] = {}
    plain: dict[str, dict[str, float]] = {}
    measures: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
        "representativeness": wasserstein,
        "jensen_shannon": jensen_shannon,
        "total_variation": total_variation,
    }
    for name, measure in measures.items():
        value = measure(mine, people).mean(axis=-1)
        noisy = measure(theirs, drawn).mean(axis=-1)
        found[name] = _estimates(table.groups, value, noisy, n, level)
        plain[name] = dict(zip(table.groups, value.tolist(), strict=True))
    return Distances(
        found["representativeness"],
        found["jensen_shannon"],
        found["total_variation"],
        plain,
        int(asked.sum()),
    )


def _answers(
    shape: tuple[int, ...], answers: Units | ArrayLike, draws: int, seed: int
) -> tuple[FloatArray, FloatArray, int]:
    """Give counts (Q, C), resampled counts (draws, Q, C) and n."""
    if not isinstance(answers, Units):
        scores = np.array(answers, dtype=np.float64)
        if scores.shape != shape:
            raise BadInput(f"scores need shape (questions, options) = {shape}, got {scores.shape}")
        scores = np.where(np.isnan(scores).any(axis=1, keepdims=True), 0.0, scores)
        return scores, scores[None], int((scores.sum(axis=1) > 0).sum())
    from scipy.sparse import csr_array

    rng = np.random.default_rng([seed, 1])
    size = int(np.prod(shape))
    cell = answers.question * shape[1] + answers.option
    weight = answers.scaled[answers.unit]
    chosen: Any = csr_array((weight, (answers.unit, cell)), shape=(len(answers), size))
    plain = np.bincount(cell, weights=weight, minlength=size).astype(np.float64).reshape(shape)
    n = len(answers)
    resampled = np.empty((draws, size))
    for i in range(draws):
        times = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        resampled[i] = np.asarray(chosen.T @ times)
    return plain, resampled.reshape(draws, *shape), n


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _estimates(
    groups: tuple[str, ...], value: FloatArray, noisy: FloatArray, n: int, level: float
) -> dict[str, Estimate]:
    """Correct values and intervals for the noise that every draw adds once more."""
    tail = (1.0 - level) / 2.0
    low = np.quantile(noisy, tail, axis=0, method="lower")
    high = np.quantile(noisy, 1.0 - tail, axis=0, method="higher")
    how = f"bootstrap over people and answers, bias-corrected, {100 * level:g} %"
    corrected = np.clip(2.0 * value - noisy.mean(axis=0), 0.0, 1.0)
    lower = np.minimum(np.clip(2.0 * value - high, 0.0, 1.0), corrected)
    upper = np.maximum(np.clip(2.0 * value - low, 0.0, 1.0), corrected)
    return {
        g: Estimate(float(corrected[k]), float(lower[k]), float(upper[k]), n, how)
        for k, g in enumerate(groups)
    }
