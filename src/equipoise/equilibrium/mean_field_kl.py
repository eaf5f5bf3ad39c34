r"""KL consistency among agents who meet everybody: Newton's method on the coverage (R8, R10).

An agent's answer to the others is :math:`x_i \propto c_i \odot e^{(s_i - \gamma_i S o_i)/\beta_i}`
(R8) with :math:`o_i = (N m - x_i)/(N-1)`, so agents meet only through the coverage m: K unknowns
instead of N K. Its own weight in m makes the answer implicit; a few rounds settle it where N is
large or diversity weak. Where they do not, this method gives up and another is tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import Attractiveness, Diversity, KLConsistency, Subsidy

__all__ = ["solve_kl"]

FloatArray = NDArray[np.float64]

STEPS, ROUNDS, HALVINGS = 60, 60, 12
STILL = 1e-15


@final
@dataclass(frozen=True, eq=False)
class _Meeting:
    """Scores over β plus log c, (rows, groups); γ over β, (rows, 1); S; shares of types; N."""

    level: FloatArray
    pull: FloatArray
    kernel: FloatArray
    part: FloatArray
    total: int

    def answers(self, m: FloatArray, x: FloatArray) -> FloatArray | None:
        """Return every row's answer to coverage m, found from the guess x; None: not settled."""
        n = self.total
        met = self.level - self.pull * (n / (n - 1.0)) * (m @ self.kernel)
        own = self.pull / (n - 1.0)
        for _ in range(ROUNDS):
            exponent = met + own * (x @ self.kernel)
            weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            fresh = weight / weight.sum(axis=1, keepdims=True)
            moved = float(np.abs(fresh - x).max())
            x = fresh
            if moved <= STILL:
                return x
        return x if moved <= 1e-13 else None

    def slope(self, x: FloatArray) -> FloatArray:
        """Return the derivative of the mean answer by m, own weight aside, (groups, groups)."""
        n = self.total
        w = self.part[:, None] * self.pull * (n / (n - 1.0))
        spread = np.diag((w * x).sum(axis=0)) - (w * x).T @ x
        return np.asarray(-spread @ self.kernel)


def solve_kl(game: AlignmentGame, start: FloatArray | None) -> tuple[FloatArray, int] | None:
    """Return mixtures and Newton steps, or None where the method does not apply or settle.

    Parameters
    ----------
    game : AlignmentGame
        KL consistency with positive weights and diversity on the default network; beside them
        only attractiveness and subsidy.
    start : (rows, groups) array or None
        First guess.
    """
    meeting = _read(game)
    if meeting is None:
        return None
    shape = meeting.level.shape
    x = np.full(shape, 1.0 / shape[1]) if start is None else start
    m = meeting.part @ x
    found = meeting.answers(m, x)
    steps = 0
    while found is not None and steps < STEPS:
        x = found
        away = meeting.part @ x - m
        size = float(np.abs(away).max())
        if size <= STILL:
            break
        step = np.linalg.solve(np.eye(shape[1]) - meeting.slope(x), away)
        steps += 1
        for half in range(HALVINGS):
            trial = m + step / 2**half
            found = meeting.answers(trial, x)
            if found is None or float(np.abs(meeting.part @ found - trial).max()) < size:
                break
        else:
            # Rounding is reached: nothing comes nearer.
            return (x, steps) if size <= 1e-12 else None
        m = trial
    return None if found is None else (x, steps)


def _read(game: AlignmentGame) -> _Meeting | None:
    live, kl, met = game.live, game.term(KLConsistency), game.term(Diversity)
    known = (KLConsistency, Diversity, Attractiveness, Subsidy)
    if kl is None or met is None or not all(isinstance(t, known) for t in live):
        return None
    if met.network is not None or game.agents.total < 2 or not np.all(kl.weight > 0):
        return None
    shape = (len(game.agents), len(game.groups))
    scores = np.zeros(shape)
    for term in live:
        if isinstance(term, Attractiveness | Subsidy):
            scores = scores + term.own_gradient(scores, game.groups, game.agents)
    beta = np.broadcast_to(kl.weight, shape[:1])[:, None]
    gamma = np.broadcast_to(met.weight, shape[:1])[:, None]
    with np.errstate(divide="ignore"):
        level = scores / beta + np.log(np.broadcast_to(kl.anchor, shape))
    kernel = np.eye(shape[1]) if met.kernel is None else met.kernel
    part = game.agents.counts / game.agents.total
    return _Meeting(level, gamma / beta, kernel, part, game.agents.total)
