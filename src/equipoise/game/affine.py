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

FEW = 10_000
"""Fewer rows than this are kept group by group."""


@final
@dataclass(frozen=True, eq=False)
class AffineForm:
    r"""Arrays of an affine game, per row of the game.

    Scores are kept as they were given, :math:`s_i = \alpha_i a_i + \beta_i (Bc_i) + r`, and
    added up on demand: a compiled pass over millions of rows never needs the sum in memory.

    Attributes
    ----------
    agents : Agents
        Rows and their counts.
    values, pull : (rows or 1, groups) arrays
        :math:`a_i` and :math:`B c_i`; one row when common.
    alpha, beta : (rows or 1,) arrays
        Weights of the two.
    common : (groups,) array
        :math:`r`: prices, the same for everybody.
    curvatures : tuple of (weight (rows,), matrix (groups, groups) or None)
        The summands of :math:`H_i`; None is the identity.
    weight : (rows or 1,) array
        Diversity weights :math:`\gamma_i`.
    kernel : (groups, groups) array or None
        :math:`S`; None is the identity.
    network : Network or None
        None is the default network.
    """

    agents: Agents
    values: FloatArray
    alpha: FloatArray
    pull: FloatArray
    beta: FloatArray
    common: FloatArray
    curvatures: tuple[tuple[FloatArray, FloatArray | None], ...]
    weight: FloatArray
    kernel: FloatArray | None
    network: Network | None

    @cached_property
    def scores(self) -> FloatArray:
        r"""Return :math:`s_i`, (rows, groups); a broadcast view when common."""
        total = self.alpha[:, None] * self.values + self.beta[:, None] * self.pull + self.common
        return np.broadcast_to(total, (self.n_rows, self.n_groups))

    @cached_property
    def leads(self) -> FloatArray:
        r"""Return scores with values and prices counted from the best ones, (rows, groups).

        A payoff common to all groups changes no choice; taken off first, it costs no digits.
        """
        values = self.values - self.values.max(axis=1, keepdims=True)
        prices = self.common - self.common.max()
        total = self.alpha[:, None] * values + self.beta[:, None] * self.pull + prices
        if self.n_rows < FEW:
            # Sums over groups are then additions of whole columns.
            total = np.asfortranarray(total)
        return np.broadcast_to(total, (self.n_rows, self.n_groups))

    @cached_property
    def incentive_size(self) -> FloatArray:
        r"""Return the size of what rounding acts on in :math:`v_i`, (rows or 1,): scalar games."""
        own, sigma = self.own_weight, self.kernel_scale
        assert own is not None
        assert sigma is not None
        spread = self.values.max(axis=1) - self.values.min(axis=1)
        prices = float(np.ptp(self.common))
        return np.asarray(self.alpha * spread + own + np.abs(self.weight) * sigma + prices)

    @cached_property
    def answer_curvature(self) -> FloatArray | None:
        r"""Return :math:`\gamma_i D_i = h_i - \gamma_i\sigma/(N-1)` (R10), (rows or 1,), or None.

        None when :math:`H_i` or :math:`S` is no multiple of the identity.
        """
        own, sigma = self.own_weight, self.kernel_scale
        if own is None or sigma is None:
            return None
        return np.asarray(own - self.weight * (sigma / (self.agents.total - 1)))

    @cached_property
    def definite_answers(self) -> bool | None:
        r"""Whether every :math:`\gamma_i D_i` is positive beyond rounding (R10), or None."""
        own = self.answer_curvature
        return None if own is None else bool(own.min() > 1e-13 * np.abs(self.weight).max())

    @cached_property
    def gamma(self) -> FloatArray:
        r"""Return :math:`\gamma_i`, (rows,)."""
        return np.broadcast_to(self.weight, (self.n_rows,))

    @property
    def n_groups(self) -> int:
        """Return K."""
        return int(self.common.size)

    @property
    def n_rows(self) -> int:
        """Return the number of rows (types)."""
        return len(self.agents)

    @cached_property
    def coupled(self) -> bool:
        """Whether any agent's choice depends on the others'."""
        return bool(self.agents.total > 1 and np.any(self.weight != 0))

    @cached_property
    def own_weight(self) -> FloatArray | None:
        r"""Return :math:`h_i`, (rows or 1,), when every :math:`H_i = h_i I`, else None."""
        total = np.zeros(1)
        for weight, matrix in self.curvatures:
            scale = scalar_of(matrix)
            if scale is None:
                if np.any(weight != 0):
                    return None
                continue
            total = total + _once(weight) * scale
        return total

    @cached_property
    def scalar_curvature(self) -> FloatArray | None:
        r"""Return :math:`h_i` (rows,) when :math:`H_i = h_i I` for every agent, else None."""
        own = self.own_weight
        return None if own is None else np.broadcast_to(own, (self.n_rows,))

    @cached_property
    def kernel_scale(self) -> float | None:
        r"""Return :math:`\sigma` when :math:`S = \sigma I`, else None."""
        return scalar_of(self.kernel)

    @cached_property
    def identical(self) -> bool:
        """Whether all agents have the same scores, curvature and diversity weight."""
        arrays = [self.values, self.alpha, self.pull, self.beta, self.weight]
        arrays += [_once(weight) for weight, _ in self.curvatures]
        # The last row differs from the first in almost every game whose rows differ at all.
        return all(np.array_equal(a[0], a[-1]) for a in arrays) and all(
            bool(np.all(a[1:] == a[:1])) for a in arrays if len(a) > 2
        )

    @cached_property
    def common_weights(self) -> bool:
        """Whether all agents have the same curvature hI and the same diversity weight."""
        own = self.own_weight
        return own is not None and bool(
            np.all(own == own[0]) and np.all(self.weight == self.weight[0])
        )

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


def _once(weight: FloatArray) -> FloatArray:
    """Return one entry of a weight that is the same for all rows by construction."""
    return weight[:1] if weight.strides == (0,) else weight


def affine_form(terms: tuple[Term, ...], n_groups: int, agents: Agents) -> AffineForm | None:
    """Assemble the affine form, or return None when a term is not quadratic."""
    row, zero = np.zeros((1, n_groups)), np.zeros(1)
    values, alpha, pull, beta, common = row, zero, row, zero, row[0]
    curvatures: list[tuple[FloatArray, FloatArray | None]] = []
    weight, kernel, network = zero, None, None

    def per_row(weight: FloatArray) -> FloatArray:
        return np.broadcast_to(weight, (len(agents),))

    for term in terms:
        match term:
            case Attractiveness():
                values, alpha = np.atleast_2d(term.values), np.atleast_1d(term.weight)
            case Consistency():
                anchor = np.atleast_2d(term.anchor)
                pull = anchor if term.metric is None else anchor @ term.metric
                beta = np.atleast_1d(term.weight)
                curvatures.append((per_row(beta), term.metric))
            case Variety():
                curvatures.append((per_row(term.weight), term.matrix))
            case Diversity():
                weight, kernel = np.atleast_1d(term.weight), term.kernel
                network = term.network
            case Subsidy():
                common = term.prices
            case _ if not np.any(getattr(term, "weight", 1.0)):
                continue
            case _:
                return None
    return AffineForm(
        agents, values, alpha, pull, beta, common, tuple(curvatures), weight, kernel, network
    )
