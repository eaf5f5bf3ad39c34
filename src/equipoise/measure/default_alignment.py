r"""The mixture of groups an agent speaks for by default: its anchor `c_i` in the game (R14).

The point and its interval come from `scores.mixture_from_scores` (exact option probabilities) or
`mixture.estimate_mixture` (counted answers); this file feeds them, and draws anchors jointly with
the people for the game's verdicts: each draw takes the people's answers of bootstrap draw `b` and
the agent's answers drawn anew, and fits the mixture again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.answer_sheets import Answers, CountedAnswers
from equipoise.measure.law_joint import law_sizes
from equipoise.measure.mixture import estimate_mixture
from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods
from equipoise.measure.scores import mixture_from_scores
from equipoise.measure.units import Units
from equipoise.panels.panel import Panel

__all__ = ["anchor_draws", "counted_units", "default_alignment"]

FloatArray = NDArray[np.float64]


def default_alignment(
    panel: Panel,
    laws: AnswerLaws,
    answers: Answers,
    questions: list[int],
    table: FloatArray,
    law_draws: FloatArray,
    *,
    seed: int = 0,
) -> tuple[dict[str, Estimate], dict[str, Any]]:
    """Estimate an agent's default alignment, with an interval a group.

    Parameters
    ----------
    panel : Panel
        The people.
    laws : AnswerLaws
        How its groups answer its questions.
    answers : ScoredAnswers or CountedAnswers
        The agent's; its first condition is the default.
    questions : list of int
        The sheets that can be used.
    table : (Q, C) array
        The agent's balanced shares by question of the panel, NaN where there are none.
    law_draws : (B, K, Q, C) array
        Joint draws of the laws.
    seed : int

    Returns
    -------
    label -> Estimate, and the whole finding as plain JSON values (how far the agent is from every
    mixture of groups among them). Not guaranteed: that the agent is such a mixture.
    """
    if isinstance(answers, CountedAnswers):
        units = counted_units(panel, answers, questions)
        found = estimate_mixture(laws, units, sizes=law_sizes(panel), seed=seed)
        return found.estimates, found.to_dict()
    near = mixture_from_scores(laws, table, law_draws=law_draws, seed=seed)
    return near.estimates, near.to_dict()


def counted_units(panel: Panel, answers: CountedAnswers, questions: list[int]) -> Units:
    """Every text that named an option, as a unit of its own: each prompt was answered afresh."""
    question, option = [], []
    for q in questions:
        counts = answers.counts[0][q].sum(axis=0)
        at = panel.answers.question_index(answers.sheets[q].question)
        option.append(np.repeat(np.arange(len(counts)), counts))
        question.append(np.full(int(counts.sum()), at))
    asked, chosen = np.concatenate(question), np.concatenate(option)
    dropped = sum(
        int(a[0][q].sum()) for a in (answers.unparsed, answers.refused) for q in questions
    )
    return Units(np.arange(len(asked)), asked, chosen, unparsed=dropped)


def anchor_draws(
    law_draws: FloatArray, questions: list[int], share_draws: FloatArray
) -> FloatArray:
    """Fit the mixture again in every joint draw, (B, K).

    Parameters
    ----------
    law_draws : (B, K, Q, C) array
        Joint draws of the people's laws, all questions of the panel.
    questions : list of int
        Positions of those the agent answered.
    share_draws : (B, len(questions), C) array
        The agent's shares, drawn.

    Examples
    --------
    >>> laws = np.tile([[[0.9, 0.1]], [[0.1, 0.9]]], (2, 1, 1, 1))
    >>> anchor_draws(laws, [0], np.array([[[0.5, 0.5]], [[0.9, 0.1]]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    out = np.empty((len(law_draws), law_draws.shape[1]))
    for b, (laws, shares) in enumerate(zip(law_draws, share_draws, strict=True)):
        mine = laws[:, questions, : shares.shape[-1]].reshape(len(laws), -1)
        seen = (shares.ravel() > 0.0) & (mine > 0.0).all(axis=0)
        logs = np.log(mine[:, seen].T)
        out[b] = fit_mixture(relative_likelihoods(logs), shares.ravel()[seen])
    return out
