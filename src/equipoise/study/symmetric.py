r"""Identical agents, thousands of drawn games at once: profiles, margins, and their exam.

Affine games use R4 and R6; KL consistency without coupling has the closed form of R8. The
exam is the Frank–Wolfe gap of R3 from the gradient alone, the same for every draw as what
`certify` would say of it, without building a million games.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.inclusion.exclusion import unserved
from equipoise.inclusion.margins import score_margins, symmetric_margins, symmetric_profiles

__all__ = ["AffineBatch", "KLBatch", "definite", "drawn_margins"]

FloatArray = NDArray[np.float64]

ROUNDING = 8 * float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class AffineBatch:
    r"""Drawn affine games of identical agents: :math:`v(x) = s - Hx - \gamma S x`.

    Parameters
    ----------
    scores : (draws, groups) array
        :math:`s`, score units.
    own : (groups, groups) or (draws, groups, groups) array
        :math:`H = \beta B + \rho R`.
    met : (groups, groups) or (draws, groups, groups) array
        :math:`\gamma S`; zeros where agents meet nobody.
    """

    scores: FloatArray
    own: FloatArray
    met: FloatArray

    def profiles(self) -> FloatArray:
        """Return the symmetric equilibrium of every draw, (draws, groups)."""
        return symmetric_profiles(self.scores, self.own + self.met)

    def margins(self, profiles: FloatArray, below: float) -> FloatArray:
        """Return the score margins of every draw (R6), (draws, groups)."""
        return symmetric_margins(self.scores, self.own + self.met, below)

    def gaps(self, profiles: FloatArray) -> tuple[FloatArray, FloatArray]:
        r"""Return the Frank–Wolfe gap, and the gap over the utility range, (draws,) each (R3).

        An agent's utility against the others' mixture x is
        :math:`\langle s - \gamma S x, y\rangle - \tfrac12 y^\top H y` up to a constant.
        """
        x = profiles
        linear = self.scores - _times(self.met, x)
        pull = _times(self.own, x)
        diagonal = np.diagonal(self.own, axis1=-2, axis2=-1)
        at_vertices = linear - 0.5 * diagonal
        here = (linear * x).sum(axis=1) - 0.5 * (pull * x).sum(axis=1)
        return _gaps(linear - pull, x, at_vertices, here)


@final
@dataclass(frozen=True, eq=False)
class KLBatch:
    r"""Drawn games of agents that meet nobody, held in nats: :math:`x \propto c\,e^{s/\beta}` (R8).

    Parameters
    ----------
    scores : (draws, groups) array
        :math:`s = \alpha a`.
    anchor : (draws, groups) or (groups,) array
        :math:`c > 0`.
    beta : float
        :math:`\beta > 0`, utility per nat.
    """

    scores: FloatArray
    anchor: FloatArray
    beta: float

    def profiles(self) -> FloatArray:
        """Return the equilibrium of every draw, (draws, groups)."""
        exponent = self.scores / self.beta + np.log(self.anchor)
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    def margins(self, profiles: FloatArray, below: float) -> FloatArray:
        r"""Return :math:`\beta[\mathrm{logit}\,x_k - \mathrm{logit}\,\varepsilon]`.

        That is the fall of score k at which its weight is the threshold; infinite at 0: no
        fall of a score takes the last weight away.
        """
        if below == 0.0:
            return np.full_like(profiles, np.inf)
        with np.errstate(divide="ignore"):
            odds = np.log(profiles) - np.log1p(-profiles)
        return np.asarray(self.beta * (odds - np.log(below / (1.0 - below))))

    def gaps(self, profiles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the Frank–Wolfe gap, and the gap over the utility range, (draws,) each (R3)."""
        x, log_c = profiles, np.log(self.anchor)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(x) - log_c
            parts = np.where(x > 0, x * ratio, 0.0)
        v = self.scores - self.beta * (ratio + 1.0)
        at_vertices = self.scores + self.beta * log_c
        here = (self.scores * x).sum(axis=1) - self.beta * parts.sum(axis=1)
        return _gaps(v, x, at_vertices, here)


def drawn_margins(equilibrium: Equilibrium, below: float) -> FloatArray:
    """Return the score margins of one draw; an undefined one is infinite, signed by service."""
    margins = score_margins(equilibrium, below)
    out = unserved(equilibrium.profile.top_weight, margins, below)
    return np.where(np.isnan(margins), np.where(out, -np.inf, np.inf), margins)


def _times(matrix: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...ij,...j->...i", matrix, x))


def _gaps(
    v: FloatArray, x: FloatArray, at_vertices: FloatArray, here: FloatArray
) -> tuple[FloatArray, FloatArray]:
    # Summing x·(max v − v): no cancellation, never negative.
    gap = np.where(x > 0, x * (v.max(axis=1, keepdims=True) - v), 0.0).sum(axis=1)
    finite = np.where(np.isfinite(v), np.abs(v), 0.0)
    rounding = ROUNDING * (1 + x.shape[1]) * finite.max(axis=1)
    every = np.column_stack([at_vertices, here])
    spread = np.ptp(every, axis=1)
    counted = np.where(gap <= rounding, 0.0, gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        return gap, np.where(counted == 0.0, 0.0, counted / spread)


def definite(matrices: FloatArray) -> bool:
    """Whether every (groups, groups) matrix is positive definite on the tangent space."""
    n = matrices.shape[-1]
    if n == 1:
        return True
    basis = np.eye(n)[:, :-1] - np.eye(n)[:, 1:]
    values = np.linalg.eigvalsh(basis.T @ matrices @ basis)
    return bool(np.all(values[..., 0] > 1e-12 * values[..., -1]))
