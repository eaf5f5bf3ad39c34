"""A search for a cheap setting where nothing better is known: local programmes, several starts.

Every point that is tried is an equilibrium solved afresh; gradients are differences. What comes
out meets the goal, and is the best found, not proved least.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inclusion.programmes import optimisers
from equipoise.inclusion.trial import Bench, Trial

__all__ = ["SECONDS", "search"]

FloatArray = NDArray[np.float64]

MARGIN = 2e-9
"""Aimed at beyond the goal, so that rounding does not miss it."""

SECONDS = 20.0


def search(
    bench: Bench,
    starts: Sequence[FloatArray] = (),
    *,
    seed: int = 0,
    seconds: float = SECONDS,
) -> Trial | None:
    """Look for the cheapest setting that meets the goal.

    Parameters
    ----------
    bench : Bench
        The game, the lever, the goal.
    starts : sequence of (d,) arrays
        Settings to start from, besides no change and random ones.
    seed : int
        Seed of the random starts.
    seconds : float
        No new start is taken after this.

    Returns
    -------
    Trial or None
        The cheapest that meets the goal, or None when none was found.
    """
    low, high = bench.lever.box(bench.game)
    scale = _scale(low, high)
    balanced = bench.lever.balanced(bench.game)
    best: Trial | None = None
    began = time.monotonic()
    for number, start in enumerate(_all_starts(bench, starts, low, high, seed)):
        if number and time.monotonic() - began > seconds:
            break
        local = _Local(bench, scale, began + 2 * seconds)
        first = np.concatenate([np.maximum(start, 0), np.maximum(-start, 0)]) / np.tile(scale, 2)
        bounds = [(0.0, max(0.0, h)) for h in high / scale]
        bounds += [(0.0, max(0.0, -b)) for b in low / scale]
        equal = []
        if len(balanced):
            rows = np.hstack([balanced * scale, -balanced * scale])
            equal = [{"type": "eq", "fun": lambda p, r=rows: r @ p, "jac": lambda p, r=rows: r}]
        inside = {"type": "ineq", "fun": local.slack, "jac": local.slack_slope}
        with contextlib.suppress(_OutOfTime):
            optimisers().minimize(
                local.cost, first, jac=local.cost_slope, bounds=bounds, method="SLSQP",
                constraints=[inside, *equal], options={"maxiter": 80, "ftol": 1e-12},
            )  # fmt: skip
        for trial in local.tried:
            if trial.met and (best is None or trial.cost < best.cost - 1e-15):
                best = trial
    return best


def _scale(low: FloatArray, high: FloatArray) -> FloatArray:
    widest = np.maximum(np.where(np.isfinite(high), high, 1.0), -low)
    return np.where(widest > 0, widest, 1.0)


def _all_starts(
    bench: Bench,
    given: Sequence[FloatArray],
    low: FloatArray,
    high: FloatArray,
    seed: int,
) -> Iterator[FloatArray]:
    """Yield the given starts, no change, and random settings."""
    yield from given
    yield np.zeros(low.size)
    rng = np.random.default_rng(seed)
    top = np.where(np.isfinite(high), high, np.maximum(1.0, -low))
    balanced = bench.lever.balanced(bench.game)
    for _ in range(4):
        z = rng.uniform(0, 0.6, low.size) * np.where(rng.random(low.size) < 0.5, low, top)
        if len(balanced):
            z = z - balanced.T @ np.linalg.lstsq(balanced.T, z, rcond=None)[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(z > 0, top / z, np.where(z < 0, low / z, np.inf))
            z = z * min(1.0, float(np.nanmin(room)))
        yield z


class _OutOfTime(Exception):
    pass


class _Local:
    """One local programme: functions of the scaled (z⁺, z⁻), and everything it tried."""

    def __init__(self, bench: Bench, scale: FloatArray, deadline: float) -> None:
        self.bench, self.scale, self.deadline = bench, scale, deadline
        self.tried: list[Trial] = []
        self.unit = bench.lever.per_unit(bench.game)
        base = bench.at(np.zeros(scale.size))
        self.count = 1 if base is None else base.slack.size

    def _at(self, p: FloatArray) -> Trial | None:
        if time.monotonic() > self.deadline:
            raise _OutOfTime
        d = self.scale.size
        trial = self.bench.at((p[:d] - p[d:]) * self.scale)
        if trial is not None:
            self.tried.append(trial)
        return trial

    def cost(self, p: FloatArray) -> float:
        if self.unit is not None:
            return float(np.tile(self.unit * self.scale, 2) @ p)
        trial = self._at(p)
        return 1e6 if trial is None else trial.cost

    def slack(self, p: FloatArray) -> FloatArray:
        trial = self._at(p)
        return np.full(self.count, -1.0) if trial is None else np.asarray(trial.slack - MARGIN)

    def cost_slope(self, p: FloatArray) -> FloatArray:
        if self.unit is not None:
            return np.tile(self.unit * self.scale, 2)
        return np.asarray(self._slope(p, lambda q: np.array([self.cost(q)]))[0])

    def slack_slope(self, p: FloatArray) -> FloatArray:
        return self._slope(p, self.slack)

    def _slope(self, p: FloatArray, function: Any) -> FloatArray:
        """Forward differences in z; the slope in z⁻ is the opposite."""
        d, h = self.scale.size, 1e-7
        base = function(p)
        out = np.empty((base.size, 2 * d))
        for j in range(d):
            moved = p.copy()
            moved[j] += h
            out[:, j] = (function(moved) - base) / h
            out[:, d + j] = -out[:, j]
        return out
