"""Populations that answer by a known mixture of groups, and how often intervals hold the truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.mixture import MixtureEstimate
from equipoise.measure.units import Units
from equipoise.panels import Panel, load_panel

FloatArray = NDArray[np.float64]


@cache
def gss(groups: int) -> Panel:
    return load_panel("gss2018", groups=groups)


def gss_laws(groups: int) -> AnswerLaws:
    return AnswerLaws.from_table(gss(groups).answers)


def codes(
    laws: AnswerLaws,
    weights: ArrayLike,
    n: int,
    rng: np.random.Generator,
    *,
    unparsed: float = 0.0,
    sticky: bool = True,
) -> NDArray[np.int64]:
    """Answers (n, Q) of n questionnaires; a group per row, or per answer where not sticky."""
    w = np.asarray(weights, dtype=np.float64)
    q = len(laws.questions)
    group = rng.choice(w.size, size=(n, 1 if sticky else q), p=w)
    group = np.broadcast_to(group, (n, q))
    cumulative = laws.shares.cumsum(axis=-1)[group, np.arange(q)]
    option = (rng.random((n, q, 1)) > cumulative[..., :-1]).sum(axis=-1)
    option = np.minimum(option, [len(o) - 1 for o in laws.options])
    return np.where(rng.random((n, q)) < unparsed, -1, option)


def single_answers(laws: AnswerLaws, weights: ArrayLike, n: int, rng: np.random.Generator) -> Units:
    """n answers, each from a group drawn afresh, to a question drawn at random."""
    w = np.asarray(weights, dtype=np.float64)
    question = rng.integers(0, len(laws.questions), n)
    group = rng.choice(w.size, size=n, p=w)
    cumulative = laws.shares.cumsum(axis=-1)[group, question]
    option = (rng.random((n, 1)) > cumulative[:, :-1]).sum(axis=-1)
    return Units(np.arange(n), question, option)


def coverage(
    make: Callable[[np.random.Generator], MixtureEstimate],
    weights: ArrayLike,
    repetitions: int,
    seed: int,
) -> dict[str, list[float] | float]:
    """How often intervals and bands hold the true weights."""
    w = np.asarray(weights, dtype=np.float64)
    held = np.zeros(w.size)
    joint = band = 0.0
    for i in range(repetitions):
        found = make(np.random.default_rng([seed, i]))
        inside = (found.low <= w) & (w <= found.high)
        held += inside
        joint += bool(inside.all())
        band += bool(((found.band_low <= w) & (w <= found.band_high)).all())
    return {
        "per_weight": (held / repetitions).tolist(),
        "all_at_once": joint / repetitions,
        "band": band / repetitions,
    }


def by_slsqp(
    loss: Callable[[FloatArray], float],
    start: FloatArray,
    more: Callable[[FloatArray], float] | None = None,
) -> FloatArray:
    """SciPy's answer on the simplex, where `more` (if any) has to be >= 0."""
    from scipy import optimize

    constraints: Any = [{"type": "eq", "fun": lambda x: x.sum() - 1.0}]
    if more is not None:
        constraints.append({"type": "ineq", "fun": more})
    minimize: Any = optimize.minimize
    x = minimize(
        loss,
        start,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * start.size,
        constraints=constraints,
        options={"maxiter": 500, "ftol": 1e-13},
    ).x
    return np.asarray(np.maximum(x, 0.0) / np.maximum(x, 0.0).sum())
