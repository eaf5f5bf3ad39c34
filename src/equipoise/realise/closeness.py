r"""How far a model's answers are from a group's people, beside the answers anybody could give.

Total variation and Kullback-Leibler divergence, people first, mean over questions:

.. math:: d = \frac1Q \sum_q \tfrac12 \sum_c |p_{qc} - m_{qc}|, \qquad
          D = \frac1Q \sum_q \sum_c p_{qc} \log \frac{p_{qc}}{m_{qc}} .
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate, percentile_interval

__all__ = ["Closeness", "closeness", "divergence", "rivals", "variation"]

FloatArray = NDArray[np.float64]
Bool = NDArray[np.bool_]


def variation(people: FloatArray, model: FloatArray, questions: Bool) -> FloatArray:
    """Return the mean total variation over some questions, (...) from (..., Q, C)."""
    if not questions.any():
        return np.full(np.broadcast_shapes(people.shape, model.shape)[:-2], np.nan)
    gap = np.abs(people - model).sum(axis=-1) / 2.0
    return np.asarray(gap[..., questions].mean(axis=-1))


def divergence(people: FloatArray, model: FloatArray, questions: Bool) -> FloatArray:
    """Return the mean divergence of people (..., Q, C) from a model, in nats.

    Infinite where the model never gives an answer that people give.
    """
    if not questions.any():
        return np.full(np.broadcast_shapes(people.shape, model.shape)[:-2], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(people > 0.0, people * (np.log(people) - np.log(model)), 0.0)
    return np.asarray(terms.sum(axis=-1)[..., questions].mean(axis=-1))


@final
@dataclass(frozen=True)
class Closeness:
    """Distances of one kind of answers from one group's people.

    Parameters
    ----------
    kept, held : float
        Total variation to the people taught and to the people held out, on questions taught.
    all : Estimate
        The same to all of the group's people, with the interval of a bootstrap over them.
    kl : float
        Divergence of all people from the answers, on questions taught.
    new, new_kl : Estimate and float
        To all people on questions held out; NaN where none was.
    """

    kept: float
    held: float
    all: Estimate
    kl: float
    new: Estimate | None
    new_kl: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "trained_questions": {
                "to_people_taught": self.kept,
                "to_people_held_out": self.held,
                "to_all_people": self.all.to_dict(),
                "kl": self.kl if math.isfinite(self.kl) else None,
            },
            "held_out_questions": None if self.new is None else {
                "to_all_people": self.new.to_dict(),
                "kl": self.new_kl if math.isfinite(self.new_kl) else None,
            },
        }  # fmt: skip


def closeness(
    model: FloatArray,
    kept: FloatArray,
    held: FloatArray,
    people: FloatArray,
    draws: FloatArray,
    taught: Bool,
    n: int,
) -> Closeness:
    """Measure answers (Q, C) against one group's people.

    Parameters
    ----------
    model : (Q, C) array
    kept, held, people : (Q, C) arrays
        Shares of the people taught, held out, and all.
    draws : (B, Q, C) array
        Bootstrap draws of all people's shares.
    taught : (Q,) bool array
    n : int
        The group's people.

    Notes
    -----
    A distance from people who are a sample is larger than that from those they stand for: all
    these numbers err upwards, by about the sampling noise where a model is perfect.
    """

    def estimate(questions: Bool) -> Estimate:
        value = float(variation(people, model, questions))
        low, high = percentile_interval(variation(draws, model, questions))
        how = "bootstrap over respondents, 95 %"
        return Estimate(value, min(float(low), value), max(float(high), value), n, how)

    new = bool((~taught).any())
    return Closeness(
        float(variation(kept, model, taught)),
        float(variation(held, model, taught)),
        estimate(taught),
        float(divergence(people, model, taught)),
        estimate(~taught) if new else None,
        float(divergence(people, model, ~taught)) if new else math.nan,
    )


def rivals(
    kept: FloatArray, shares: FloatArray, widths: list[int], taught: Bool, group: int
) -> dict[str, FloatArray]:
    """Return answers that need no model, (Q, C) each: what a trained model should beat.

    Parameters
    ----------
    kept : (K, Q, C) array
        Shares of the people taught.
    shares : (K,) array
        Shares of the groups among them.
    widths : list of int
        Options a question.
    taught : (Q,) bool array
    group : int

    Returns
    -------
    "uniform"; "the group's mean answer": one law for every question, the mean of the group's over
    the questions taught (only where all questions have as many options); "the whole public": every
    question's own answers, but everybody's.
    """
    uniform = np.zeros(kept.shape[1:])
    for q, width in enumerate(widths):
        uniform[q, :width] = 1.0 / width
    out = {"uniform": uniform}
    if len(set(widths)) == 1:
        mean = kept[group][taught].mean(axis=0)
        out["the group's mean answer"] = np.broadcast_to(mean, uniform.shape).copy()
    out["the whole public"] = np.einsum("k,kqc->qc", shares, kept)
    return out
