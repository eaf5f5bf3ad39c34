r"""The affine form of a game: scores, curvature and coupling, when every term is quadratic.

:math:`v_i(X) = s_i - H_i x_i - \gamma_i S o_i` with :math:`s_i = \alpha_i a_i + \beta_i B c_i +
\delta` and :math:`H_i = \beta_i B + \rho_i R` (theory section 1). Solvers and uniqueness tests
read this; certificates do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.agents import Agents
from equipoise.game.network import Network
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    Subsidy,
    Term,
    Variety,
)

__all__ = ["AffineForm", "affine_form"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class AffineForm:
    r"""Arrays of an affine game, per row of the game.

    Attributes
    ----------
    scores : (rows, groups) array
        :math:`s_i`; a row repeated for all agents is stored once (a broadcast view).
    curvatures : tuple of (weight (rows,), matrix (groups, groups) or None)
        The summands of :math:`H_i`; None is the identity.
    gamma : (rows,) array
        Diversity weights :math:`\gamma_i`.
    kernel : (groups, groups) array or None
        :math:`S`; None is the identity.
    network : Network or None
        None is the default network.
    agents : Agents
        Rows and their counts.
    """

    scores: FloatArray
    curvatures: tuple[tuple[FloatArray, FloatArray | None], ...]
    gamma: FloatArray
    kernel: FloatArray | None
    network: Network | None
    agents: Agents

    @property
    def n_groups(self) -> int:
        """Return K."""
        return int(self.scores.shape[1])

    @property
    def n_rows(self) -> int:
        """Return the number of rows (types)."""
        return int(self.scores.shape[0])

    @cached_property
    def coupled(self) -> bool:
        """Whether any agent's choice depends on the others'."""
        return bool(self.agents.total > 1 and np.any(self.gamma != 0))

    @cached_property
    def scalar_curvature(self) -> FloatArray | None:
        r"""Return :math:`h_i` (rows,) when :math:`H_i = h_i I` for every agent, else None."""
        total = np.zeros(self.n_rows)
        for weight, matrix in self.curvatures:
            scale = scalar_of(matrix)
            if scale is None and np.any(weight != 0):
                return None
            total += weight * (scale or 0.0)
        return total

    @cached_property
    def kernel_scale(self) -> float | None:
        r"""Return :math:`\sigma` when :math:`S = \sigma I`, else None."""
        return scalar_of(self.kernel)

    @cached_property
    def identical(self) -> bool:
        """Whether all agents have the same scores, curvature and diversity weight."""
        arrays = [self.scores, self.gamma, *(weight for weight, _ in self.curvatures)]
        return all(bool(np.all(a[1:] == a[:1])) for a in arrays)

    def curvature_matrix(self, row: int) -> FloatArray:
        r"""Return :math:`H_i` of one row, (groups, groups)."""
        out = np.zeros((self.n_groups, self.n_groups))
        for weight, matrix in self.curvatures:
            out += weight[row] * (np.eye(self.n_groups) if matrix is None else matrix)
        return out

    def curvature_matrices(self) -> FloatArray:
        r"""Return all :math:`H_i`, (rows, groups, groups)."""
        out = np.zeros((self.n_rows, self.n_groups, self.n_groups))
        for weight, matrix in self.curvatures:
            square = np.eye(self.n_groups) if matrix is None else matrix
            out += weight[:, None, None] * square
        return out

    def kernel_matrix(self) -> FloatArray:
        """Return S, (groups, groups)."""
        return np.eye(self.n_groups) if self.kernel is None else self.kernel

    def meeting_matrix(self) -> FloatArray:
        r"""Return :math:`W` with :math:`o = W X`, (rows, rows); small games only.

        With types, row i meets :math:`(n_j - [i=j])/(N-1)` of row j.
        """
        if self.network is not None:
            degrees = np.where(self.network.degrees > 0, self.network.degrees, 1.0)
            return np.asarray(self.network.dense() / degrees[:, None])
        if self.agents.total == 1:
            return np.zeros((1, 1))
        counts = np.broadcast_to(self.agents.counts, (self.n_rows, self.n_rows))
        return np.asarray((counts - np.eye(self.n_rows)) / (self.agents.total - 1))


def scalar_of(matrix: FloatArray | None) -> float | None:
    """Return the factor when a matrix is a multiple of the identity (None: 1), else None."""
    if matrix is None:
        return 1.0
    scale = float(matrix[0, 0])
    return scale if np.array_equal(matrix, scale * np.eye(len(matrix))) else None


def affine_form(terms: tuple[Term, ...], n_groups: int, agents: Agents) -> AffineForm | None:
    """Assemble the affine form, or return None when a term is not quadratic."""
    rows = len(agents)
    scores: FloatArray = np.zeros((1, n_groups))
    curvatures: list[tuple[FloatArray, FloatArray | None]] = []
    gamma, kernel, network = np.zeros(rows), None, None

    def per_row(weight: FloatArray) -> FloatArray:
        return np.broadcast_to(weight, (rows,))

    def column(weight: FloatArray) -> FloatArray:
        return weight[:, None] if weight.ndim else weight

    for term in terms:
        match term:
            case Attractiveness():
                scores = scores + column(term.weight) * term.values
            case Consistency():
                pull = term.anchor if term.metric is None else term.anchor @ term.metric
                scores = scores + column(term.weight) * pull
                curvatures.append((per_row(term.weight), term.metric))
            case Variety():
                curvatures.append((per_row(term.weight), term.matrix))
            case Diversity():
                gamma, kernel, network = per_row(term.weight), term.kernel, term.network
            case Subsidy():
                scores = scores + term.prices
            case _ if not np.any(getattr(term, "weight", 1.0)):
                continue
            case _:
                return None
    return AffineForm(
        np.broadcast_to(scores, (rows, n_groups)),
        tuple(curvatures),
        gamma,
        kernel,
        network,
        agents,
    )
