r"""Plans that hold in most joint draws of what was measured, not only at the point.

Half of the draws are used to find the plan, the other half to say how often it holds. One knob:
the draws' own intervals of it are counted exactly. Several knobs: floors are raised by a margin
in units of the draws' own spread, the smallest that holds often enough.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, EquipoiseError, Infeasible
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    KLConsistency,
    Term,
)
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.plan import Leastness
from equipoise.inclusion.settle import Settled, settle
from equipoise.inclusion.trial import Bench

__all__ = ["Robust", "fit_to_box", "fit_to_draws", "held_share"]

FloatArray = NDArray[np.float64]

LEAST_DRAWS = 20


@final
@dataclass(frozen=True, eq=False)
class Robust:
    """A setting fitted on draws, and how often the goal holds in others."""

    settled: Settled
    fitted: float
    """Share of the draws it was fitted on."""
    fresh: float
    """Share of draws it was not fitted on."""
    low: float
    high: float
    """95 % interval of `fresh` (Wilson)."""
    n: int
    """Number of fresh draws."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {
            "fitted": self.fitted,
            "fresh": self.fresh,
            "low": self.low,
            "high": self.high,
            "n": self.n,
        }


def held_share(lever: Lever, goal: Goal, games: list[AlignmentGame], setting: FloatArray) -> float:
    """Return the share of drawn games in which a setting reaches the goal."""
    tried = [Bench(game, lever, goal).at(setting) for game in games]
    return float(np.mean([trial is not None and trial.met for trial in tried]))


def fit_to_draws(
    game: AlignmentGame,
    lever: Lever,
    goal: Goal,
    draws: list[AlignmentGame],
    *,
    sure: float,
    seed: int,
) -> Robust:
    """Find a cheap setting at which the goal holds in the share `sure` of draws.

    Raises
    ------
    BadInput
        Fewer than 20 draws, or draws of another game.
    Infeasible
        No setting within the lever's limits was found that holds so often.
    """
    if len(draws) < LEAST_DRAWS:
        raise BadInput(f"draws: {len(draws)} games; give at least {LEAST_DRAWS}")
    if any(one.groups.labels != game.groups.labels for one in draws):
        raise BadInput("draws: a drawn game has other groups than the game")
    order = np.random.default_rng(seed).permutation(len(draws))
    half = len(draws) // 2
    fit = [draws[j] for j in order[:half]]
    fresh = [draws[j] for j in order[half:]]
    # Aim above the target by what the size of the fitting half leaves open (99 % one-sided).
    aim = min(1.0, sure + 2.326 * math.sqrt(sure * (1 - sure) / half))
    return _fit(game, lever, goal, fit, fresh, aim, f"{half} draws", seed)


def fit_to_box(
    game: AlignmentGame, lever: Lever, goal: Goal, *, within: float, seed: int
) -> Robust:
    r"""Find a cheap setting at which the goal holds when incentives are off by ± `within`.

    Fitted on the corners of the box of attractiveness, consistency and diversity weights and on
    points inside, checked on other points inside. Not a proof: coverage need not be extreme at
    a corner.

    Raises
    ------
    BadInput
        `within` outside (0, 1).
    Infeasible
        No setting within the lever's limits was found that holds at all of them.
    """
    if not 0 < within < 1:
        raise BadInput(f"within: {within:g}; write a share between 0 and 1, e.g. 0.1 for ±10 %")
    rng = np.random.default_rng(seed)
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    fit = [_scaled(game, 1 + within * corner) for corner in corners]
    fit += [_scaled(game, 1 + within * rng.uniform(-1, 1, 3)) for _ in range(24)]
    fresh = [_scaled(game, 1 + within * rng.uniform(-1, 1, 3)) for _ in range(200)]
    where = f"{len(fit)} points of the box, its corners among them"
    return _fit(game, lever, goal, [game, *fit], fresh, 1.0, where, seed)


def _scaled(game: AlignmentGame, factors: FloatArray) -> AlignmentGame:
    """Return the game with attractiveness, consistency and diversity weights multiplied."""
    kinds: tuple[Any, ...] = (Attractiveness, (Consistency, KLConsistency), Diversity)
    fresh: list[Term] = []
    for term in game.terms:
        for kind, factor in zip(kinds, factors.tolist(), strict=True):
            if isinstance(term, kind):
                changed: Any = copy.copy(term)
                object.__setattr__(changed, "weight", changed.weight * factor)
                fresh.append(changed)
    return game.replace(*fresh)


def _fit(
    game: AlignmentGame,
    lever: Lever,
    goal: Goal,
    fit: list[AlignmentGame],
    fresh: list[AlignmentGame],
    aim: float,
    where: str,
    seed: int,
) -> Robust:
    if lever.box(game)[0].size == 1:
        setting = _one_knob(game, lever, goal, fit, aim)
    else:
        setting = _by_margin(game, lever, goal, fit, aim, seed)
    share = held_share(lever, goal, fresh, setting)
    low, high = _wilson(share, len(fresh))
    why = f"the cheapest found that holds in {aim:.1%} of {where}; no proof that it is least"
    fitted = held_share(lever, goal, fit, setting)
    settled = Settled(setting, Leastness(False, 0.0, why))
    return Robust(settled, fitted, share, low, high, len(fresh))


def _one_knob(
    game: AlignmentGame, lever: Lever, goal: Goal, fit: list[AlignmentGame], aim: float
) -> FloatArray:
    """Return the change nearest to none that holds often enough: a scan over the one knob."""
    low, high = (float(end[0]) for end in lever.box(game))
    ratio = np.geomspace(1e-3, 1.0, 40)
    knob = np.unique(np.concatenate([low * ratio, high * ratio, [0.0]]))
    knob = knob[np.argsort(np.abs(knob), kind="stable")]
    best = (-1.0, 0.0)
    for j, z in enumerate(knob):
        share = held_share(lever, goal, fit, np.array([z]))
        best = max(best, (share, float(z)))
        if share >= aim:
            # Back towards no change as far as it still holds often enough.
            same = [y for y in knob[:j] if y * z >= 0]
            bad, good = (float(same[-1]) if same else 0.0), float(z)
            for _ in range(12):
                middle = 0.5 * (bad + good)
                if held_share(lever, goal, fit, np.array([middle])) >= aim:
                    good = middle
                else:
                    bad = middle
            return np.array([good])
    raise Infeasible(_too_unsure(lever, goal, game, aim, best[0]))


def _by_margin(
    game: AlignmentGame, lever: Lever, goal: Goal, fit: list[AlignmentGame], aim: float, seed: int
) -> FloatArray:
    """Raise the floors by a multiple of the draws' spread until the goal holds often enough."""
    first = settle(game, lever, goal, seed=seed)
    if first is None:
        raise Infeasible(_too_unsure(lever, goal, game, aim, 0.0))
    setting, share = first.setting, held_share(lever, goal, fit, first.setting)
    low, high, best = 0.0, math.inf, share
    if share >= aim:
        return setting
    good: FloatArray | None = None
    multiple = 1.0
    for _ in range(16):
        spread = _spread(lever, goal, fit, setting)
        trial = _settled_with(game, lever, goal, multiple * spread, seed)
        share = 0.0 if trial is None else held_share(lever, goal, fit, trial)
        best = max(best, share)
        if trial is not None and share >= aim:
            good, high, setting = trial, multiple, trial
        else:
            if trial is None:
                high = min(high, multiple)
            else:
                low = multiple
                if good is None:
                    setting = trial
        if math.isinf(high):
            multiple *= 2
        elif high - low < 0.05 * high:
            break
        else:
            multiple = 0.5 * (low + high)
    if good is None:
        raise Infeasible(_too_unsure(lever, goal, game, aim, best))
    return good


def _spread(lever: Lever, goal: Goal, fit: list[AlignmentGame], setting: FloatArray) -> FloatArray:
    """Return the standard deviation of coverage over the draws at a setting, (groups,)."""
    tried = [Bench(one, lever, goal).at(setting) for one in fit]
    coverage = np.array([trial.profile.coverage for trial in tried if trial is not None])
    return np.asarray(coverage.std(axis=0)) if len(coverage) > 1 else np.full(1, 0.01)


def _settled_with(
    game: AlignmentGame, lever: Lever, goal: Goal, margin: FloatArray, seed: int
) -> FloatArray | None:
    try:
        more = goal.tightened(game, margin)
        more.check(lever.base(game))
        found = settle(game, lever, more, seed=seed)
    except EquipoiseError:
        return None
    return None if found is None else found.setting


def _too_unsure(lever: Lever, goal: Goal, game: AlignmentGame, aim: float, best: float) -> str:
    return (
        f"{lever.name}: no setting was found that reaches {goal.words(game)} in {aim:.1%} of the "
        f"tried (at best in {best:.1%}); ask for less, allow more change, or take another lever"
    )


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share of n."""
    z = 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
