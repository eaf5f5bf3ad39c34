r"""Incentives from estimated mixtures: fit the predicted equilibrium, not the conditions.

The equilibrium conditions hold for true mixtures; put estimated ones in, and the noise on both
sides biases the weights. So the weights are chosen whose *predicted equilibrium* is nearest to
what was seen, in the metric of multinomial sampling (Pearson's); the least distance tests "this
population is at an equilibrium of these terms".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.errors import EquipoiseError, NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Subsidy, Term

__all__ = ["NoisyFit", "fit_noisy", "with_ratios"]

FloatArray = NDArray[np.float64]

STEPS = 40


@final
@dataclass(frozen=True, eq=False)
class NoisyFit:
    """The weights over the consistency weight that predict what was seen best."""

    value: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    distance: float
    """Pearson's chi-squared of the residual."""
    p_value: float
    predicted: list[Profile]


def with_ratios(game: AlignmentGame, names: Sequence[str], ratios: FloatArray) -> AlignmentGame:
    """Return the game with these mean weights, ratios between agents kept as they are."""
    wanted = dict(zip(names, ratios.tolist(), strict=True))
    fresh: list[Term] = []
    for term in game.terms:
        weight = getattr(term, "weight", None)
        if isinstance(term, Subsidy) and term.field in wanted:
            fresh.append(Subsidy(term.prices * wanted[term.field]))
        elif term.field in wanted and weight is not None:
            scaled = np.asarray(weight) / float(np.abs(weight).mean()) * wanted[term.field]
            changed = copy.copy(term)
            object.__setattr__(changed, "weight", scaled)
            fresh.append(changed)
    return game.replace(*fresh)


def fit_noisy(
    games: Sequence[AlignmentGame],
    profiles: Sequence[Profile],
    names: Sequence[str],
    start: FloatArray,
    answers: int,
    level: float,
    *,
    free_at: Callable[[Sequence[Profile]], tuple[dict[str, float], ...]],
) -> NoisyFit:
    r"""Minimise :math:`\sum_{t,i,k} n\,(\hat x_{ik} - x_{ik}(\theta))^2 / x_{ik}(\theta)`.

    Parameters
    ----------
    games, profiles
        One of each per round; profiles are shares of answers.
    names : sequence of str
        Weights, the consistency weight among them, held at 1.
    start : (weights,) array
        First guess.
    answers : int
        Independent answers per agent and round.
    level : float
        Content of the intervals (normal, from the information at the fit).
    free_at : function
        Directions in which weights are free at given profiles: with any, no interval is given.

    Returns
    -------
    NoisyFit
        Intervals are infinite where the weights are not identified.
    """
    at = list(names).index("consistency")
    others = np.array([j for j in range(len(names)) if j != at])
    lower = np.array([-np.inf if names[j] == "diversity" else 0.0 for j in others])
    seen = np.concatenate([p.array.ravel() for p in profiles])
    repeat = np.concatenate([np.repeat(g.agents.counts, len(g.groups)) for g in games])

    def predict(theta: FloatArray) -> tuple[FloatArray, list[Profile]] | None:
        full = np.ones(len(names))
        full[others] = theta
        out = []
        for game in games:
            try:
                out.append(solve(with_ratios(game, names, full), starts=0).profile)
            except EquipoiseError:
                return None
        return np.concatenate([p.array.ravel() for p in out]), out

    theta = np.maximum(start[others], lower)
    found = predict(theta)
    if found is None:
        theta = np.maximum(np.full(others.size, 0.1), lower)
        found = predict(theta)
    if found is None:
        raise NotSolved("infer: the game with the weights first guessed could not be solved")
    floor = 0.5 / answers

    def distance(x: FloatArray, weight: FloatArray) -> float:
        return float((weight * (seen - x) ** 2).sum())

    slope = np.zeros((seen.size, others.size))
    weight = repeat * answers / np.maximum(found[0], floor)
    for _ in range(STEPS):
        slope = _slope(predict, theta, found[0], lower)
        # Metric at the current prediction, as in scoring.
        weight = repeat * answers / np.maximum(found[0], floor)
        step = np.linalg.lstsq(
            np.sqrt(weight)[:, None] * slope, np.sqrt(weight) * (seen - found[0]), rcond=1e-8
        )[0]
        now, t, moved = distance(found[0], weight), 1.0, None
        while t > 1e-4:
            there = np.maximum(theta + t * step, lower)
            moved = predict(there)
            if moved is not None and distance(moved[0], weight) <= now:
                break
            moved, t = None, t / 3
        if moved is None:
            break
        change = float(np.abs(there - theta).max())
        theta, found = there, moved
        if change <= 1e-9 * (1 + float(np.abs(theta).max())):
            break
    information = slope.T @ (weight[:, None] * slope)
    spread = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information)), 0.0))
    z = _normal_quantile(0.5 + level / 2)
    cells = found[0] > floor
    rows = sum(int(g.agents.total) for g in games)
    used = int(repeat[cells].sum()) - rows
    chi = distance(found[0], repeat * answers / np.maximum(found[0], floor))
    p_value = _chi_squared_tail(chi, max(1, used - others.size))
    loose = bool(free_at(found[1]))
    value, low, high = {}, {}, {}
    for j, theta_j, s, least in zip(others, theta, spread, lower, strict=True):
        name = names[j]
        value[name] = float(theta_j)
        low[name] = float(max(least, theta_j - z * s)) if not loose else float(least)
        high[name] = float(theta_j + z * s) if not loose else math.inf
    return NoisyFit(value, low, high, chi, p_value, found[1])


def _slope(
    predict: Callable[[FloatArray], tuple[FloatArray, list[Profile]] | None],
    theta: FloatArray,
    here: FloatArray,
    lower: FloatArray,
) -> FloatArray:
    """Return the derivative of the predicted mixtures by central differences."""
    out = np.zeros((here.size, theta.size))
    for j in range(theta.size):
        h = 1e-5 * (1 + abs(float(theta[j])))
        up, down = theta.copy(), theta.copy()
        up[j] += h
        down[j] = max(lower[j], theta[j] - h)
        high, low = predict(up), predict(down)
        if high is None:
            continue
        base = here if low is None else low[0]
        out[:, j] = (high[0] - base) / (h if low is None else up[j] - down[j])
    return out


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def _chi_squared_tail(value: float, freedom: int) -> float:
    """Return P(χ² ≥ value)."""
    import scipy.special

    return float(scipy.special.gammaincc(freedom / 2, value / 2))
