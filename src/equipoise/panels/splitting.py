r"""Two parts of a panel's people, as answer tables: what is fitted to, and what is held out.

A model fitted to one part is judged by the other. How far two parts of one survey are from each
other anyway is the floor of that judgement,

.. math:: d_k = \frac1Q \sum_q \tfrac12 \sum_c |p^{(1)}_{kqc} - p^{(2)}_{kqc}| .
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.estimate import Estimate, percentile_interval
from equipoise.panels.answers import AnswerTable
from equipoise.panels.panel import Panel
from equipoise.panels.respondents import Respondents, Tallies

__all__ = ["split_noise", "split_people"]

FloatArray = NDArray[np.float64]
Bool = NDArray[np.bool_]

ATTEMPTS = 100


def split_people(panel: Panel, held_out: float, seed: int) -> tuple[AnswerTable, AnswerTable]:
    """Split a panel's people at random into those kept and those held out, group by group.

    Parameters
    ----------
    panel : Panel
    held_out : float
        Share of each group that is held out, in (0, 1); whole clusters where the survey has them.
    seed : int
        Of the split.

    Returns
    -------
    kept, held : AnswerTable
        Of the same groups, questions and options; no respondent is in both.

    Raises
    ------
    BadInput
        A share outside (0, 1), or a group with so few answers that a part has none.

    Examples
    --------
    >>> from equipoise.panels import load_panel
    >>> kept, held = split_people(load_panel("gss2018", groups=3), 0.2, seed=0)
    >>> [int(n) for n in (kept.n + held.n)[:, 0]] == [int(n) for n in kept.n[:, 0] + held.n[:, 0]]
    True
    """
    rows = panel._rows()
    for attempt in range(ATTEMPTS):
        out = _held_out(rows, len(panel.groups), held_out, np.random.default_rng([seed, attempt]))
        parts = rows.tally_parts(np.stack([~out, out], axis=1))
        counts = rows.count_parts(np.stack([~out, out], axis=1))
        if (counts > 0).all():
            kept, held = (_table(panel, parts, counts, i) for i in (0, 1))
            return kept, held
    raise BadInput(
        "held out: a group has so few answers to a question that a part of its people gave none; "
        "hold out another share, or leave the question out"
    )


def split_noise(
    panel: Panel,
    held_out: float = 0.5,
    *,
    splits: int = 200,
    seed: int = 0,
    questions: Sequence[str] | None = None,
) -> dict[str, Estimate]:
    """Return how far two parts of each group's people are from each other: sampling error alone.

    Parameters
    ----------
    panel : Panel
    held_out : float
        Share of the second part; 0.5 is the usual half-sample noise.
    splits : int
        Random splits to average over.
    seed : int
        Of the splits.
    questions : sequence of str, optional
        Average over these only.

    Returns
    -------
    group -> Estimate of the mean total variation over questions; the interval is where 95 % of
    single splits lie.

    Examples
    --------
    >>> from equipoise.panels import load_panel
    >>> noise = split_noise(load_panel("gss2018", groups=3), splits=50)
    >>> [round(e.value, 2) for e in noise.values()]
    [0.04, 0.03, 0.04]
    """
    rows = panel._rows()
    k = len(panel.groups)
    asked = panel.questions if questions is None else tuple(questions)
    chosen = [panel.answers.question_index(q) for q in asked]
    seen = []
    for i in range(splits):
        out = _held_out(rows, k, held_out, np.random.default_rng([seed, ATTEMPTS, i]))
        parts = rows.tally_parts(np.stack([~out, out], axis=1))
        with np.errstate(invalid="ignore"):
            gap = np.abs(parts.shares[0] - parts.shares[1]).sum(axis=-1) / 2.0
        seen.append(np.nanmean(gap[:, chosen], axis=-1))
    drawn = np.array(seen)
    low, high = percentile_interval(drawn)
    mean = drawn.mean(axis=0)
    how = f"{splits} splits of the people at {held_out:g}; 95 % of single splits"
    return {
        label: Estimate(
            float(mean[j]), float(min(low[j], mean[j])), float(max(high[j], mean[j])),
            int(panel.answers.n[j].min()), how,
        )
        for j, label in enumerate(panel.groups.labels)
    }  # fmt: skip


def _held_out(rows: Respondents, groups: int, share: float, rng: np.random.Generator) -> Bool:
    """Draw who is held out, (n,)."""
    if not 0.0 < share < 1.0:
        raise BadInput(f"held out: {share} is no share of people; write a number like 0.2")
    design = rows.design
    out = np.zeros(design.weights.size, dtype=bool)
    if design.clusters:
        strata = np.zeros(out.size, dtype=np.int64) if design.strata is None else design.strata
        for stratum in np.unique(strata):
            inside = strata == stratum
            clusters = np.unique(design.clusters[0][inside])
            chosen = rng.permutation(clusters)[: round(share * clusters.size)]
            out |= inside & np.isin(design.clusters[0], chosen)
        return out
    for k in range(groups):
        members = np.flatnonzero(rows.members(k))
        out[rng.permutation(members)[: round(share * members.size)]] = True
    return out


def _table(panel: Panel, parts: Tallies, counts: NDArray[np.int64], i: int) -> AnswerTable:
    whole = panel.answers
    return AnswerTable(
        whole.groups, whole.questions, whole.options, whole.wording,
        parts.shares[i].copy(), counts[i].copy(), parts.n_eff[i].copy(),
    )  # fmt: skip
