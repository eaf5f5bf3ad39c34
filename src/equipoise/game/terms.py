"""The summands of an agent's utility (theory section 1): one equation per class.

A term knows its value, its gradient and curvature in the agent's own mixture, its value at
every vertex of the simplex, and nothing else. Gradients and curvatures are *own*: the others'
mixtures are held fixed. The forms are this project's own; the source of the idea (Wang et
al., arXiv 2602.06836) was available to us as an abstract only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.curved_terms import AudienceShare, KLConsistency
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.parameters import (
    check_length,
    check_matrix,
    check_rows,
    check_weight,
    read_array,
    read_matrix,
    read_mixtures,
    read_psd,
    read_rows,
    read_weight,
    tangent,
)
from equipoise.game.term import Term, column, dot, spread, times

__all__ = [
    "Attractiveness",
    "AudienceShare",
    "Consistency",
    "Diversity",
    "KLConsistency",
    "Subsidy",
    "Term",
    "Variety",
    "others_average",
]

FloatArray = NDArray[np.float64]


def others_average(
    mixtures: FloatArray, agents: Agents, network: Network | None = None
) -> FloatArray:
    r"""Return :math:`o_i = \sum_j W_{ij} x_j`, (rows, groups): whom agent i meets.

    Default network: :math:`o_i = (N \bar x - x_i)/(N-1)`, and 0 in a game of one agent.
    """
    if network is not None:
        return network.average(mixtures)
    if agents.total == 1:
        return np.zeros_like(mixtures)
    return np.asarray((agents.counts @ mixtures - mixtures) / (agents.total - 1))


@final
@dataclass(frozen=True, init=False, eq=False)
class Attractiveness(Term):
    r"""Rewards appeal to the audience: :math:`\alpha_i \langle a_i, x_i \rangle`.

    Parameters
    ----------
    values : (groups,) or (rows, groups) array
        Appeal :math:`a_i` of content made for each group, any unit.
    weight : float or (rows,) array
        :math:`\alpha_i \ge 0`.
    """

    field: ClassVar[str] = "attractiveness"
    values: FloatArray
    weight: FloatArray

    def __init__(self, values: ArrayLike, weight: ArrayLike = 1.0) -> None:
        object.__setattr__(self, "values", read_rows("attractiveness.values", values))
        object.__setattr__(self, "weight", read_weight("attractiveness.weight", weight))

    def check(self, groups: Groups, agents: Agents) -> None:
        check_rows("attractiveness.values", self.values, groups, agents)
        check_weight("attractiveness.weight", self.weight, agents)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        return np.asarray(self.weight * dot(self.values, mixtures if own is None else own))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.broadcast_to(column(self.weight) * self.values, mixtures.shape)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.zeros((*mixtures.shape, mixtures.shape[1]))

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return self.own_gradient(mixtures, groups, agents)


@final
@dataclass(frozen=True, init=False, eq=False)
class Consistency(Term):
    r"""Holds an agent near its alignment target: :math:`-(\beta_i/2)(x_i-c_i)^\top B (x_i-c_i)`.

    Parameters
    ----------
    anchor : (groups,) or (rows, groups) array
        Anchors :math:`c_i`, mixtures.
    weight : float or (rows,) array
        :math:`\beta_i \ge 0`.
    metric : (groups, groups) array, optional
        :math:`B`, symmetric, positive definite on the tangent space; default the identity.
    """

    field: ClassVar[str] = "consistency"
    anchor: FloatArray
    weight: FloatArray
    metric: FloatArray | None

    def __init__(
        self, anchor: ArrayLike, weight: ArrayLike = 1.0, metric: ArrayLike | None = None
    ) -> None:
        matrix = read_matrix("consistency.metric", metric)
        if matrix is not None and len(matrix) > 1:
            basis = tangent(len(matrix))
            low = float(np.linalg.eigvalsh(basis.T @ matrix @ basis)[0])
            if low <= 1e-12 * max(1.0, float(np.abs(matrix).max())):
                raise BadInput(
                    "consistency.metric: it must be positive definite on vectors that sum to "
                    f"zero, but has the eigenvalue {low:.6g} there; raise the diagonal"
                )
        object.__setattr__(self, "anchor", read_mixtures("consistency.anchor", anchor))
        object.__setattr__(self, "weight", read_weight("consistency.weight", weight))
        object.__setattr__(self, "metric", matrix)

    def check(self, groups: Groups, agents: Agents) -> None:
        check_rows("consistency.anchor", self.anchor, groups, agents)
        check_weight("consistency.weight", self.weight, agents)
        check_matrix("consistency.metric", self.metric, groups)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        gap = (mixtures if own is None else own) - self.anchor
        return np.asarray(-0.5 * self.weight * dot(gap, times(gap, self.metric)))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return column(self.weight) * times(self.anchor - mixtures, self.metric)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return spread(-self.weight, self.metric, mixtures)

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        image = times(self.anchor, self.metric)
        diagonal = np.ones(mixtures.shape[1]) if self.metric is None else np.diag(self.metric)
        at = diagonal - 2.0 * image + dot(self.anchor, image)[..., None]
        return np.broadcast_to(-0.5 * column(self.weight) * at, mixtures.shape)


@final
@dataclass(frozen=True, init=False, eq=False)
class Diversity(Term):
    r"""Costs an agent its overlap with those it meets: :math:`-\gamma_i \langle x_i, S o_i\rangle`.

    Parameters
    ----------
    weight : float or (rows,) array
        :math:`\gamma_i`; negative is herding.
    kernel : (groups, groups) array, optional
        :math:`S \succeq 0`, how alike content for two groups is; default the identity.
    network : Network, optional
        Who meets whom; default everybody equally, :math:`W_{ij} = 1/(N-1)`.
    """

    field: ClassVar[str] = "diversity"
    weight: FloatArray
    kernel: FloatArray | None
    network: Network | None

    def __init__(
        self,
        weight: ArrayLike,
        kernel: ArrayLike | None = None,
        network: Network | None = None,
    ) -> None:
        object.__setattr__(self, "weight", read_weight("diversity.weight", weight, signed=True))
        object.__setattr__(self, "kernel", read_psd("diversity.kernel", kernel))
        object.__setattr__(self, "network", network)

    def check(self, groups: Groups, agents: Agents) -> None:
        check_weight("diversity.weight", self.weight, agents)
        check_matrix("diversity.kernel", self.kernel, groups)
        if self.network is not None:
            if agents.typed:
                raise BadInput(
                    "diversity.network: types with counts exclude a network; list every agent"
                )
            if self.network.size != len(agents):
                raise BadInput(
                    f"diversity.network: it links {self.network.size} agents, "
                    f"but the game has {len(agents)}"
                )

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        met = times(others_average(mixtures, agents, self.network), self.kernel)
        return np.asarray(-self.weight * dot(mixtures if own is None else own, met))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        met = times(others_average(mixtures, agents, self.network), self.kernel)
        return -column(self.weight) * met

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.zeros((*mixtures.shape, mixtures.shape[1]))

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return self.own_gradient(mixtures, groups, agents)


@final
@dataclass(frozen=True, init=False, eq=False)
class Variety(Term):
    r"""Rewards an agent's own breadth: :math:`-(\rho_i/2)\, x_i^\top R x_i`.

    Parameters
    ----------
    weight : float or (rows,) array
        :math:`\rho_i \ge 0`.
    matrix : (groups, groups) array, optional
        :math:`R \succeq 0`; default the identity.
    """

    field: ClassVar[str] = "variety"
    weight: FloatArray
    matrix: FloatArray | None

    def __init__(self, weight: ArrayLike, matrix: ArrayLike | None = None) -> None:
        object.__setattr__(self, "weight", read_weight("variety.weight", weight))
        object.__setattr__(self, "matrix", read_psd("variety.matrix", matrix))

    def check(self, groups: Groups, agents: Agents) -> None:
        check_weight("variety.weight", self.weight, agents)
        check_matrix("variety.matrix", self.matrix, groups)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        x = mixtures if own is None else own
        return np.asarray(-0.5 * self.weight * dot(x, times(x, self.matrix)))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return -column(self.weight) * times(mixtures, self.matrix)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return spread(-self.weight, self.matrix, mixtures)

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        diagonal = np.ones(mixtures.shape[1]) if self.matrix is None else np.diag(self.matrix)
        return np.broadcast_to(-0.5 * column(self.weight) * diagonal, mixtures.shape)


@final
@dataclass(frozen=True, init=False, eq=False)
class Subsidy(Term):
    r"""Pays every agent per unit of weight on a group: :math:`\langle \delta, x_i \rangle`.

    Parameters
    ----------
    prices : (groups,) array
        :math:`\delta_k`, utility per unit of weight; any sign.
    """

    field: ClassVar[str] = "subsidy"
    prices: FloatArray

    def __init__(self, prices: ArrayLike) -> None:
        array = read_array("subsidy.prices", prices)
        if array.ndim != 1:
            raise BadInput("subsidy.prices: write one number per group")
        object.__setattr__(self, "prices", array)

    def check(self, groups: Groups, agents: Agents) -> None:
        check_length("subsidy.prices", self.prices, 0, len(groups), "groups")

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        return np.asarray((mixtures if own is None else own) @ self.prices)

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.broadcast_to(self.prices, mixtures.shape)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.zeros((*mixtures.shape, mixtures.shape[1]))

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.broadcast_to(self.prices, mixtures.shape)
