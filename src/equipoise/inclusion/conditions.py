r"""The equilibrium conditions of an affine game as linear constraints in (setting, mixtures).

:math:`s + Lz - Ax = \lambda - \mu` with :math:`x, \mu \ge 0` and :math:`\mu_{ik}x_{ik} = 0`: all
but the last is linear, so what a lever can reach is a union of polytopes, one per set of groups
served. Identical agents whose lever acts alike on all are one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import stacked
from equipoise.equilibrium.uniqueness import uniqueness
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.lever import Lever

__all__ = ["Conditions", "conditions"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Conditions:
    """An affine game and a lever that moves its scores, stacked row by row."""

    bend: FloatArray
    """A, (rows·groups, rows·groups): own curvature and coupling."""
    scores: FloatArray
    """s, (rows·groups,)."""
    shift: FloatArray
    """L, (rows·groups, d)."""
    low: FloatArray
    high: FloatArray
    """The box of the setting, (d,)."""
    balanced: FloatArray
    """Rows r with r·z = 0."""
    counts: FloatArray
    """Agents per row."""
    groups: int

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.counts.size

    @property
    def share(self) -> FloatArray:
        """Return each row's share of the agents."""
        return np.asarray(self.counts / self.counts.sum())

    def coverage_matrix(self) -> FloatArray:
        """Return C with coverage = C x, (groups, rows·groups)."""
        return np.asarray(np.kron(self.share[None, :], np.eye(self.groups)), dtype=np.float64)


def conditions(game: AlignmentGame, lever: Lever) -> Conditions | None:
    """Return the conditions of a game under a lever, or None where they are not linear in it.

    Parameters
    ----------
    game : AlignmentGame
        Small: the stacked conditions are dense.
    lever : Lever
        One whose settings move scores linearly.
    """
    base = lever.base(game)
    form, shift = base.affine, lever.score_shift(game)
    if form is None or shift is None:
        return None
    low, high = lever.box(game)
    high = np.where(np.isfinite(high), high, _enough(base))
    alike = form.identical and form.network is None and bool(np.all(shift == shift[:1]))
    # Where they may specialise, identical agents need not play the same.
    alike = alike and uniqueness(base).verdict == "proved"
    n = form.n_groups
    if alike:
        bend = form.curvature_matrix(0)
        if form.coupled:
            bend = bend + form.gamma[0] * form.kernel_matrix()
        scores, moved = form.scores[0], shift[0]
        counts = np.array([float(base.agents.total)])
    else:
        bend, scores = stacked(form)
        moved, counts = shift.reshape(form.n_rows * n, -1), base.agents.counts.astype(np.float64)
    return Conditions(
        bend, np.asarray(scores), np.asarray(moved), low, high, lever.balanced(game), counts, n
    )


def _enough(game: AlignmentGame) -> float:
    """Return a price above which nobody need go (R12: (K−1) times the range of payoffs)."""
    form = game.affine
    assert form is not None
    spread = float(np.ptp(form.scores, axis=1).max())
    own = sum(
        float(np.abs(w).max()) * (1.0 if m is None else float(np.ptp(m)))
        for w, m in form.curvatures
    )
    met = float(np.abs(form.gamma).max()) * float(np.ptp(form.kernel_matrix()))
    return max(1, form.n_groups - 1) * (spread + own + met) * 1.01 + 1e-9
