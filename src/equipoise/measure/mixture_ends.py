r"""Ends of likelihood intervals: how far a sum of weights can go before the data object.

The interval of :math:`d^\top w` by test inversion is
:math:`\{d^\top w : 2[\ell(\hat w) - \ell(w)] \le c,\ w \in \Delta\}`. The region is convex, so
each end is one convex programme,

.. math:: \max d^\top w \quad\text{s.t.}\quad \ell(w) \ge \ell(\hat w) - c/2,\ w \in \Delta.

All ends are found together by one primal–dual interior-point method over arrays. The ends are
examined elsewhere (`mixture_exam.outer_bound`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["interval_ends", "region_ends"]

FloatArray = NDArray[np.float64]

STEPS = 60
SHRINK = 0.15
GAP = 1e-8
HOLD = 1e-11
BLOCK = 2_000_000  # numbers in one block of likelihood ratios: 16 MB
LEAST_DROP = 1e-4


def interval_ends(
    likelihoods: FloatArray,
    v: FloatArray,
    best: FloatArray,
    directions: FloatArray,
    drops: FloatArray,
    *,
    gap: float = GAP,
) -> FloatArray:
    """Maximise each direction over its own likelihood region around the most likely mixture.

    Parameters
    ----------
    likelihoods : (n, K) array
        From `relative_likelihoods`.
    v : (n,) array
        Weights of the units.
    best : (K,) array
        The most likely mixture.
    directions : (m, K) array
        What to maximise; minus a group's indicator gives its lower end.
    drops : (m,) array
        The c of each region: how far twice the log-likelihood may fall. Below 1e-4 it is 1e-4.
    gap : float
        How far from the end a point may be, about.

    Returns
    -------
    (m, K) array: the mixtures at the ends, inside their regions.
    """
    level = float(v @ np.log(likelihoods @ best)) - np.maximum(drops, LEAST_DROP) / 2.0
    inside = np.broadcast_to(best, directions.shape)
    return region_ends(likelihoods, v, inside, directions, level, gap=gap)


def region_ends(
    likelihoods: FloatArray,
    v: FloatArray,
    inside: FloatArray,
    directions: FloatArray,
    level: FloatArray,
    *,
    gap: float = GAP,
) -> FloatArray:
    """Maximise each direction over a region where the log-likelihood is at least a level.

    Parameters
    ----------
    likelihoods : (n, K) or (m, n, K) array
        Common to all regions, or one table per region.
    v : (n,) array
        Weights of the units.
    inside : (m, K) array
        A mixture inside each region (weights of 0 allowed).
    directions : (m, K) array
        What to maximise.
    level : (m,) array
        Least log-likelihood of each region, nats.
    gap : float
        As in `interval_ends`.

    Returns
    -------
    (m, K) array.
    """
    n, k = likelihoods.shape[-2:]
    block = max(1, BLOCK // (n * k))
    parts = []
    for i in range(0, len(directions), block):
        some = slice(i, i + block)
        table = likelihoods if likelihoods.ndim == 2 else likelihoods[some]
        region = _Region(table, v, level[some])
        parts.append(_ends(region, inside[some], directions[some], gap))
    return np.concatenate(parts)


@final
@dataclass(frozen=True)
class _Region:
    """Likelihood regions, one or many."""

    likelihoods: FloatArray
    v: FloatArray
    level: FloatArray

    def only(self, rest: Any) -> _Region:
        table = self.likelihoods if self.likelihoods.ndim == 2 else self.likelihoods[rest]
        return _Region(table, self.v, self.level[rest])

    def mixed(self, w: FloatArray) -> FloatArray:
        """Likelihood of every unit under the mixtures, (m, n)."""
        if self.likelihoods.ndim == 2:
            return np.asarray(w @ self.likelihoods.T)
        return np.asarray((self.likelihoods @ w[:, :, None])[:, :, 0])

    def slack(self, mixed: FloatArray) -> FloatArray:
        """How far the log-likelihood is above its level, (m,)."""
        return np.asarray(np.log(mixed) @ self.v - self.level)

    def slope(self, mixed: FloatArray) -> FloatArray:
        """Gradient of the log-likelihood, (m, K)."""
        return np.asarray(((self.v / mixed)[:, None, :] @ self.likelihoods)[:, 0])


def _ends(region: _Region, inside: FloatArray, d: FloatArray, gap: float) -> FloatArray:
    k = inside.shape[1]
    w = found = _interior(region, inside)
    mixed = region.mixed(w)
    h, slope = region.slack(mixed), region.slope(mixed)
    going = np.arange(len(d))  # ends that are not yet sharp enough
    z, mu = 0.1 / k / w, 0.1 / h
    for _ in range(STEPS):
        spare = mu * h + (z * w).sum(axis=1)
        # What the multipliers do not yet balance: shrinking the barrier faster than it would
        # press the point against the edge of the region far from the end.
        tilt = np.ptp(d + mu[:, None] * slope + z, axis=1)
        rest = (spare >= gap) | (tilt >= 10.0 * gap)
        if not rest.any():
            break
        if not rest.all():
            region = region.only(rest)
            going, d, w, mixed, h, slope, z, mu, spare, tilt = (
                x[rest] for x in (going, d, w, mixed, h, slope, z, mu, spare, tilt)
            )
        shrink = np.where(tilt <= spare, SHRINK, np.where(tilt <= 10.0 * spare, 0.5, 1.0))
        tau = shrink * spare / (k + 1)
        dw = _direction(region, d, tau, (w, mixed, h, slope, z, mu))
        dz = (tau[:, None] - z * dw) / w - z
        dmu = (tau - mu * (slope * dw).sum(axis=1)) / h - mu
        w, mixed, h = _moved(region, w, dw, h, _room(w, dw))
        slope = region.slope(mixed)
        step = np.minimum(_room(z, dz), _room(mu[:, None], dmu[:, None]))
        z, mu = z + step[:, None] * dz, mu + step * dmu
        found[going] = w
    return found


def _direction(
    region: _Region, d: FloatArray, tau: FloatArray, at: tuple[FloatArray, ...]
) -> FloatArray:
    """Newton's steps in the weights."""
    w, mixed, h, slope, z, mu = at
    k = w.shape[1]
    ratio = region.likelihoods / mixed[:, :, None]
    weighted = np.swapaxes(ratio, 1, 2) * region.v
    matrix = mu[:, None, None] * (weighted @ ratio)
    matrix += (mu / h)[:, None, None] * slope[:, :, None] * slope[:, None, :]
    # Groups with the same law make the curvature singular: a step along them is held short.
    matrix[:, np.arange(k), np.arange(k)] += z / w + HOLD * np.abs(matrix).max(axis=(1, 2))[:, None]
    right = d + (tau / h)[:, None] * slope + tau[:, None] / w
    both = np.linalg.solve(matrix, np.stack([right, np.ones_like(right)], axis=2))
    spare = both[:, :, 0].sum(axis=1) - (1.0 - w.sum(axis=1))
    price = spare / both[:, :, 1].sum(axis=1)
    return np.asarray(both[:, :, 0] - price[:, None] * both[:, :, 1])


def _interior(region: _Region, inside: FloatArray) -> FloatArray:
    """Points with positive weights well inside the regions."""
    k = inside.shape[1]
    room = region.slack(region.mixed(inside))
    pull = np.full(len(inside), 0.5)
    while True:
        w = (1.0 - pull)[:, None] * inside + pull[:, None] / k
        short = region.slack(region.mixed(w)) < 0.5 * room
        if not short.any() or pull.min() < 1e-14:
            return np.asarray(w)
        pull[short] /= 2.0


def _room(x: FloatArray, dx: FloatArray) -> FloatArray:
    """Longest step that keeps x positive, less one per cent; at most 1."""
    with np.errstate(divide="ignore", over="ignore"):
        longest = np.where(dx < 0.0, -x / np.where(dx < 0.0, dx, 1.0), np.inf).min(axis=1)
    return np.asarray(np.minimum(1.0, 0.99 * longest))


def _moved(
    region: _Region, w: FloatArray, dw: FloatArray, h: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Take the step, halved until the point stays well inside the region."""
    short = np.zeros(step.shape, dtype=bool)
    for trials in range(31):
        step = np.where(short, step / 2.0 if trials < 30 else 0.0, step)
        trial = w + step[:, None] * dw
        mixed = region.mixed(trial)
        slack = region.slack(mixed)
        short = slack < 0.01 * h
        if not short.any():
            break
    return trial, mixed, slack
