r"""From what agents do to what they want: incentives recovered from observed mixtures (R12b).

At an equilibrium :math:`v_{ik}` is the same for all groups an agent serves, and no larger for
the others. With the weights as unknowns these are linear: the weights are identified up to scale
iff the stacked, centred columns of the terms have rank (number of weights − 1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.estimate import Estimate
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Diversity, Term
from equipoise.inclusion.inverse_noise import fit_noisy
from equipoise.inclusion.inverse_programme import (
    Round,
    best_weights,
    cone,
    free_directions,
    observe,
    stacked,
    weight_names,
)

__all__ = ["Inference", "infer"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Inference(Tabled):
    r"""What observed mixtures say about incentives.

    Attributes
    ----------
    names : tuple of str
        The weights looked for, in this order: those of the game's terms.
    ratios : mapping of name to Estimate
        Each weight over the consistency weight (the scale itself is never identified), where it
        is identified; with noise a 95 % interval.
    identified : bool
        Whether all ratios are.
    free : tuple of mapping
        Directions in which weights may change together without changing any equilibrium
        condition; empty when identified.
    low, high : mapping of name to float
        The cone of consistent incentives: least and largest ratio that explains the mixtures
        about as well (within the tolerance); infinite where nothing bounds it.
    gap : float
        Total Frank–Wolfe gap at the best weights (consistency weight 1), utility units: an
        upper bound on all regrets, 0 at an equilibrium.
    at_equilibrium : bool
        Without noise: whether the gap is 0 to rounding. With noise: whether the test does not
        reject at 5 %.
    p_value : float
        Of the test "this population is at an equilibrium of these terms"; NaN without noise.
    words : str
        What can be said, in a sentence.
    """

    names: tuple[str, ...]
    ratios: dict[str, Estimate]
    identified: bool
    free: tuple[dict[str, float], ...]
    low: dict[str, float]
    high: dict[str, float]
    gap: float
    at_equilibrium: bool
    p_value: float
    words: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the JSON object of `equipoise infer`."""
        return {
            "names": list(self.names),
            "ratios": {
                name: {"value": e.value, "low": e.low, "high": e.high, "n": e.n, "how": e.how}
                for name, e in self.ratios.items()
            },
            "identified": self.identified,
            "free": [dict(direction) for direction in self.free],
            "low": dict(self.low),
            "high": dict(self.high),
            "gap": self.gap,
            "at_equilibrium": self.at_equilibrium,
            "p_value": self.p_value,
            "words": self.words,
        }

    def __repr__(self) -> str:
        return f"Inference({self.words})"

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per weight: its ratio to consistency and the cone around it."""
        return [
            {
                "weight": name,
                "ratio": self.ratios[name].value if name in self.ratios else None,
                "low": self.low.get(name),
                "high": self.high.get(name),
                "identified": name in self.ratios,
            }
            for name in self.names
        ]


def infer(
    game: AlignmentGame,
    profiles: Profile | Sequence[Profile],
    *,
    games: Sequence[AlignmentGame] = (),
    answers: int = 0,
    tol: float = 1e-7,
    level: float = 0.95,
) -> Inference:
    r"""Recover common incentives from observed mixtures, or say which are not identified (R12b).

    Minimises :math:`\sum_i (\max_k v_{ik} - \langle v_i, x_i\rangle)` over weights :math:`\ge 0`
    (diversity: any sign) with the consistency weight fixed at 1: a linear programme whose
    optimum is a bound on the regret of everybody.

    Parameters
    ----------
    game : AlignmentGame
        Its terms say which weights are looked for, and give values, anchors and kernels; its own
        weights are ignored, except for ratios between agents, which are kept.
    profiles : Profile or sequence of Profile
        Observed mixtures, one per round.
    games : sequence of AlignmentGame, optional
        The game of each round, where values or anchors changed between rounds.
    answers : int
        Mixtures estimated from this many independent answers per agent and round; 0: exact.
    tol : float
        Without noise: relative gap per agent that still counts as an equilibrium.
    level : float
        Content of intervals.

    Returns
    -------
    Inference
        Not guaranteed: that agents have the terms given; the test can only reject that.

    Raises
    ------
    BadInput
        No consistency term (no scale), profiles of other groups or agents, or no weight at all.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> found = eq.infer(game("toy"), eq.solve(game("toy")).profile)
    >>> round(found.ratios["diversity"].value, 6)
    0.3
    """
    seen = [profiles] if isinstance(profiles, Profile) else list(profiles)
    if not seen:
        raise BadInput("profiles: there is none; give at least one observed profile")
    if games and len(games) != len(seen):
        raise BadInput(f"games: {len(games)} games for {len(seen)} rounds; give one per round")
    if answers < 0:
        raise BadInput(f"answers: {answers} per agent; write 0 for exact mixtures")
    played = list(games) if games else [game] * len(seen)
    for one, profile in zip(played, seen, strict=True):
        profile.same_shape_as(one.groups, one.agents)
    names = weight_names(game)
    rounds = [observe(one, profile, names) for one, profile in zip(played, seen, strict=True)]
    if answers:
        found = _noisy(played, seen, names, rounds, answers, level)
    else:
        found = _exact(names, rounds, tol, sum(len(r.x) for r in rounds))
    if not _only_sum(names, found.free):
        return found
    # Consistency and diversity can be traded one for one: with diversity at 0 their sum is left.
    plain = [AlignmentGame(g.groups, g.agents, _others(g)) for g in played]
    rest = infer(plain[0], seen, games=plain, answers=answers, tol=tol, level=level)
    ratios = {f"{name} / (consistency + diversity)": e for name, e in rest.ratios.items()}
    return dataclasses.replace(found, ratios=ratios, words=_sum_words(ratios, found.at_equilibrium))


def _others(game: AlignmentGame) -> list[Term]:
    return [term for term in game.terms if not isinstance(term, Diversity)]


def _exact(names: tuple[str, ...], rounds: list[Round], tol: float, n: int) -> Inference:
    weights, gap, scale = best_weights(names, rounds)
    free = free_directions(names, stacked(rounds))
    allowed = gap + tol * scale
    low, high = cone(names, rounds, allowed)
    at = gap <= tol * scale
    identified = not free
    ratios = {}
    for j, name in enumerate(names):
        if name != "consistency" and _pinned(names, free, weights, j):
            how = "linear programme on the equilibrium conditions (R12b)"
            value = float(weights[j])
            ratios[name] = Estimate(value, low[name], high[name], n, how)
    words = _words(names, ratios, free, low, high, at)
    return Inference(names, ratios, identified, free, low, high, gap, at, float("nan"), words)


def _pinned(
    names: tuple[str, ...], free: tuple[dict[str, float], ...], weights: FloatArray, j: int
) -> bool:
    """Whether one ratio is the same along every free direction."""
    moved = [abs(u[names[j]] - weights[j] * u["consistency"]) for u in free]
    return max(moved, default=0.0) <= 1e-7 * (1 + abs(float(weights[j])))


def _noisy(
    games: list[AlignmentGame],
    profiles: list[Profile],
    names: tuple[str, ...],
    rounds: list[Round],
    answers: int,
    level: float,
) -> Inference:
    weights, gap, _ = best_weights(names, rounds)

    def free_at(predicted: Sequence[Profile]) -> tuple[dict[str, float], ...]:
        there = [observe(g, p, names) for g, p in zip(games, predicted, strict=True)]
        return free_directions(names, stacked(there))

    fit = fit_noisy(games, profiles, names, weights, answers, level, free_at=free_at)
    n = sum(int(r.counts.sum()) for r in rounds) * answers
    how = f"least squares on predicted equilibria, {answers} answers per agent and round"
    free = free_at(fit.predicted)
    ratios = {
        name: Estimate(fit.value[name], fit.low[name], fit.high[name], n, how)
        for name in names
        if name != "consistency" and not free
    }
    low = {**fit.low, "consistency": 1.0}
    high = {**fit.high, "consistency": 1.0}
    at = fit.p_value >= 0.05
    words = _words(names, ratios, free, low, high, at)
    return Inference(names, ratios, not free, free, low, high, gap, at, fit.p_value, words)


def _words(
    names: tuple[str, ...],
    ratios: dict[str, Estimate],
    free: tuple[dict[str, float], ...],
    low: dict[str, float],
    high: dict[str, float],
    at: bool,
) -> str:
    """Say what is identified, what is not, and whether the mixtures are an equilibrium."""
    start = _start(at)
    known = ", ".join(
        f"{name} {e.value:.6g} times consistency{_interval(e)}" for name, e in ratios.items()
    )
    if not free:
        return f"{start}: {known}" if known else start
    ranges = ", ".join(
        f"{name} from {low[name]:.4g} to {high[name]:.4g}"
        for name in names
        if name != "consistency" and name not in ratios
    )
    return f"{start}; not identified: {ranges} times consistency" + (f"; {known}" if known else "")


def _start(at: bool) -> str:
    if at:
        return "the mixtures are an equilibrium of these terms"
    return "no weights make these mixtures an equilibrium of these terms"


def _interval(e: Estimate) -> str:
    exact = e.high - e.low <= 1e-5 * (1 + abs(e.value))
    return "" if exact else f" [{e.low:.4g}, {e.high:.4g}]"


def _sum_words(ratios: dict[str, Estimate], at: bool) -> str:
    known = ", ".join(f"{name} = {e.value:.6g}{_interval(e)}" for name, e in ratios.items())
    return (
        f"{_start(at)}; only {known} is identified: agents that are alike and anchored evenly "
        "cannot tell the pull of their target from keeping apart"
    )


def _only_sum(names: tuple[str, ...], free: tuple[dict[str, float], ...]) -> bool:
    """Whether consistency and diversity can be traded one for one."""
    if len(free) != 2 or not {"consistency", "diversity"} <= set(names) or len(names) < 3:
        return False
    trade = np.array([{"consistency": 1.0, "diversity": -1.0}.get(name, 0.0) for name in names])
    basis = np.array([[direction[name] for name in names] for direction in free])
    rest = trade - basis.T @ np.linalg.lstsq(basis.T, trade, rcond=None)[0]
    return bool(np.abs(rest).max() < 1e-6)
