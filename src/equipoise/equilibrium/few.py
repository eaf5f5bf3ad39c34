r"""R10 for a few agents, curvature and kernel multiples of I, in as few operations as it takes.

In small games the time goes into calling NumPy, not into arithmetic. Here groups run along the
first axis (sums over groups are then vector operations), everything that depends on the game alone
is made once, and a step starts from the groups served in the last one. Steps are full Newton steps;
where one would have to be shortened, or nothing is gained, the caller's safeguarded iteration
starts over. Nothing is certified here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equipoise.game.affine import AffineForm

__all__ = ["FewAgents", "few_agents"]

FloatArray = NDArray[np.float64]

STEPS = 8
"""More full steps than this are a case for the line search."""

FLAT = 1e3
"""Scores further apart than this times the curvature lose digits unless measured from the best."""


@final
@dataclass(frozen=True, eq=False)
class FewAgents:
    r"""What depends on the game alone; arrays (groups, rows) or (rows,)."""

    base: FloatArray
    """Scores measured from each agent's best value, (groups, rows)."""
    tilt: FloatArray
    r""":math:`\gamma'_i\sigma`, (rows,)."""
    own: FloatArray
    r""":math:`h_i - \gamma_i\sigma/(N-1)`, (rows,)."""
    inverse: FloatArray
    """1 / own, (groups, rows)."""
    share: FloatArray
    """n_i/N over own."""
    pull: FloatArray
    """share · tilt: the weight of P_i in Qσ."""
    means: FloatArray
    """(groups, groups): row q averages the q best of sorted scores."""
    spent: FloatArray
    """own / q, (groups, rows)."""
    ones: FloatArray
    """(groups,)."""
    floor: float
    """F cannot be told from zero below this."""

    def best(self, t: FloatArray) -> FloatArray:
        """Return the levels λ of water-filling (R4), by sorting."""
        order = t.copy()
        order.sort(axis=0)
        sums = self.means.dot(order)
        sums -= self.spent
        level: FloatArray = np.maximum.reduce(sums, axis=0)
        return level

    def solve(self, start: FloatArray | None) -> tuple[FloatArray, int] | None:
        """Return the profile (rows, groups) and the steps, or None where full steps do not do.

        `start` is a first guess of the coverage; equal weights press on all groups alike and
        move nobody.
        """
        ones, pull = self.ones, self.pull
        m = ones / ones.size if start is None else start
        t = self.base if start is None else self.base - m[:, None] * self.tilt
        lead = t - self.best(t)
        on = lead > 0.0
        excess = np.maximum(lead, 0.0).dot(self.share) - m
        for step in range(1, STEPS + 1):
            served = on.astype(np.float64)
            count = ones.dot(served)
            matrix = (served * (pull / count)).dot(served.T)
            np.negative(matrix, out=matrix)
            diagonal = matrix.ravel()[:: ones.size + 1]
            diagonal += served.dot(pull) + 1.0
            try:
                direction = np.linalg.solve(matrix, excess)
            except np.linalg.LinAlgError:
                return None
            m = m + direction
            t = self.base - m[:, None] * self.tilt
            # On the groups served before: one Newton step on every level. If the signs agree,
            # that is the answer, and F, linear along the step, is zero up to rounding.
            lead = t - (ones.dot(served * t) - self.own) / count
            now = lead > 0.0
            if now.tobytes() == on.tobytes():
                return (np.maximum(lead, 0.0) * self.inverse).T, step
            lead = t - self.best(t)
            on, before = lead > 0.0, excess
            top = np.maximum(lead, 0.0)
            excess = top.dot(self.share) - m
            if max(map(abs, excess.tolist())) <= self.floor:
                return (top * self.inverse).T, step
            if not excess.dot(direction) >= -0.5 * abs(before.dot(direction)):
                return None
        return None


_known: WeakKeyDictionary[AffineForm, FewAgents | None] = WeakKeyDictionary()


def few_agents(form: AffineForm) -> FewAgents | None:
    """Prepare a game whose D_i are positive (R10), or None where this file does not fit it."""
    if form not in _known:
        _known[form] = _prepare(form)
    return _known[form]


def _prepare(form: AffineForm) -> FewAgents | None:
    sigma, answer = form.kernel_scale, form.answer_curvature
    if answer is None or sigma is None:
        return None
    n, k, total = form.n_rows, form.n_groups, form.agents.total
    own = np.array(np.broadcast_to(answer, (n,)))
    base = np.ascontiguousarray(form.leads.T)
    tilt = form.gamma * (sigma * total / (total - 1))
    if not np.ptp(base) + np.abs(tilt).max() < FLAT * own.min():
        return None
    share = form.agents.counts / (total * own)
    q = np.arange(1.0, k + 1.0)
    # Sorted upwards, the q best are the last q.
    means = (np.arange(k)[::-1] < q[:, None]) / q[:, None]
    return FewAgents(
        base=base,
        tilt=tilt,
        own=own,
        inverse=np.tile(1.0 / own, (k, 1)),
        share=share,
        pull=share * tilt,
        means=means,
        spent=own / q[:, None],
        ones=np.ones(k),
        floor=4e-16 * (1.0 + float((np.abs(tilt) / own).max())),
    )
