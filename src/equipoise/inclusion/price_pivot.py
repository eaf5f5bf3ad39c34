"""Floor prices by pivoting on the agents' conditions and a price player's together (R12).

For small affine games. It follows every equilibrium, also where they jump as prices rise.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import SIZE_LIMIT, pivot, polish, stacked
from equipoise.equilibrium.certificate import certify
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.equilibrium.sensitivity import coverage_line
from equipoise.equilibrium.solve import solve
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.priced_game import MET, Found, residual, with_prices

__all__ = ["by_pivoting", "certified"]

FloatArray = NDArray[np.float64]


def by_pivoting(game: AlignmentGame, floors: FloatArray) -> tuple[Found | None, int]:
    """Pivot on the agents' conditions and the price player's together (small affine games)."""
    form = game.affine
    rows, n = len(game.agents), len(game.groups)
    wanted = np.flatnonzero(floors > 0)
    if form is None or rows * (n + 1) + wanted.size > SIZE_LIMIT:
        return None, 0
    a, s = stacked(form)
    scale = max(float(np.abs(a).max()), float(np.ptp(s)), 1e-300)
    a, s = a / scale, s / scale
    size = rows * (n + 1) + wanted.size
    m, q = np.zeros((size, size)), np.zeros(size)
    row, level = np.arange(rows * n), rows * n + np.repeat(np.arange(rows), n)
    m[: rows * n, : rows * n] = a + (1.0 - a.min())
    m[row, level], m[level, row] = -1.0, 1.0
    q[: rows * n], q[rows * n : rows * (n + 1)] = s.max() - s, -1.0
    share = form.agents.counts / form.agents.total
    for j, k in enumerate(wanted):
        price = rows * (n + 1) + j
        m[k : rows * n : n, price] = -1.0
        m[price, k : rows * n : n] = share
        q[price] = -floors[k]
    for seed in range(6):
        cover = np.ones(size) if not seed else np.random.default_rng(seed).uniform(0.2, 1.0, size)
        found = pivot(m, q, cover)
        if found is None:
            continue
        prices = np.zeros(n)
        prices[wanted] = np.maximum(found[0][rows * (n + 1) :], 0.0) * scale
        x = np.maximum(found[0][: rows * n].reshape(rows, n), 0.0)
        if not (x.sum(axis=1) > 0.5).all():
            continue
        done = _exact(game, form, prices, x, floors)
        if done is not None:
            return done, seed + 1
    return None, 6


def _exact(
    game: AlignmentGame, form: AffineForm, prices: FloatArray, x: FloatArray, floors: FloatArray
) -> Found | None:
    """Set the paid groups exactly to their floors on the supports found, and solve afresh."""
    line = coverage_line(form, x > 1e-9)
    paid = prices > 1e-12 * (1.0 + float(prices.max()))
    if line is not None and paid.any():
        block = line.slope[np.ix_(paid, paid)]
        fresh = np.zeros_like(prices)
        fresh[paid] = np.linalg.lstsq(block, floors[paid] - line.at[paid], rcond=None)[0]
        if (fresh >= -1e-12).all() and np.abs(fresh - prices).max() <= 1e-6 * (1 + prices.max()):
            prices = np.maximum(fresh, 0.0)
    priced = with_prices(game, prices)
    assert priced.affine is not None
    after = certified(priced, polish(priced.affine, x / x.sum(axis=1, keepdims=True)))
    if after is None or residual(prices, after.profile.coverage, floors) > MET:
        return None
    return prices, after


def certified(game: AlignmentGame, x: FloatArray) -> Equilibrium | None:
    """Return a profile as an equilibrium, the others that `solve` finds beside it."""
    began = time.perf_counter()
    exam = certify(game, game.profile(x))
    if exam.max_relative_gap > MET:
        return None
    solved = solve(game, on_failure="return")
    others = tuple(
        one
        for one in solved.found
        if one.outcome is Outcome.solved and np.abs(one.profile.array - x).max() > 1e-6
    )
    if others and exam.uniqueness.verdict == "unknown":
        exam = dataclasses.replace(exam, uniqueness=others[0].certificate.uniqueness)
    record = dataclasses.replace(
        solved.record,
        solver="complementary pivoting (Lemke)",
        reason="the game and a price player together (R12)",
        seconds=time.perf_counter() - began,
    )
    return Equilibrium(game, exam.profile, exam, Outcome.solved, record, others)
