"""The summands of an agent's utility (theory section 1): one equation per class.

A term knows its value, its gradient and curvature in the agent's own mixture, its value at
every vertex of the simplex, and nothing else. Gradients and curvatures are *own*: the others'
mixtures are held fixed. The forms are this project's own; the source of the idea (Wang et
al., arXiv 2602.06836) was available to us as an abstract only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.parameters import (
    check_length,
    read_array,
    read_matrix,
    read_mixtures,
    read_psd,
    read_rows,
    read_weight,
    tangent,
)

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


class Term(ABC):
    """One summand of every agent's utility.

    Every method takes `mixtures`, the (rows, groups) array of all agents' mixtures, and the
    `groups` and `agents` of the game. `own`, when given, is what each agent plays instead of
    its row, one at a time, while the others keep `mixtures`.
    """

    field: ClassVar[str]
    """The key of this term in a game file."""

    @abstractmethod
    def check(self, groups: Groups, agents: Agents) -> None:
        """Raise `BadInput` unless all lengths fit this game."""

    @abstractmethod
    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        """Return the term's part of each agent's utility, (rows,), utility units."""

    @abstractmethod
    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return the derivative of `value` in the agent's own mixture, (rows, groups)."""

    @abstractmethod
    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return the second derivative in the own mixture, (rows, groups, groups), ⪯ 0."""

    @abstractmethod
    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        """Return `value` at each pure mixture, the others fixed, (rows, groups)."""


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
        _check_rows("attractiveness.values", self.values, groups, agents)
        _check_weight("attractiveness.weight", self.weight, agents)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        return np.asarray(self.weight * _dot(self.values, mixtures if own is None else own))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return np.broadcast_to(_column(self.weight) * self.values, mixtures.shape)

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
        _check_rows("consistency.anchor", self.anchor, groups, agents)
        _check_weight("consistency.weight", self.weight, agents)
        _check_matrix("consistency.metric", self.metric, groups)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        gap = (mixtures if own is None else own) - self.anchor
        return np.asarray(-0.5 * self.weight * _dot(gap, _times(gap, self.metric)))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return _column(self.weight) * _times(self.anchor - mixtures, self.metric)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return _spread(-self.weight, self.metric, mixtures)

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        image = _times(self.anchor, self.metric)
        diagonal = np.ones(mixtures.shape[1]) if self.metric is None else np.diag(self.metric)
        at = diagonal - 2.0 * image + _dot(self.anchor, image)[..., None]
        return np.broadcast_to(-0.5 * _column(self.weight) * at, mixtures.shape)


@final
@dataclass(frozen=True, init=False, eq=False)
class KLConsistency(Term):
    r"""Holds an agent near its target in nats: :math:`-\beta_i\,\mathrm{KL}(x_i \,\|\, c_i)`.

    RLHF's own penalty on the pair (group, response) (R8). A group with :math:`c_{ik} = 0` can
    never be served by agent `i`: the utility is :math:`-\infty` there.

    Parameters
    ----------
    anchor : (groups,) or (rows, groups) array
        Anchors :math:`c_i`, mixtures.
    weight : float or (rows,) array
        :math:`\beta_i \ge 0`, utility per nat.
    """

    field: ClassVar[str] = "consistency"
    anchor: FloatArray
    weight: FloatArray

    def __init__(self, anchor: ArrayLike, weight: ArrayLike = 1.0) -> None:
        object.__setattr__(self, "anchor", read_mixtures("consistency.anchor", anchor))
        object.__setattr__(self, "weight", read_weight("consistency.weight", weight))

    def check(self, groups: Groups, agents: Agents) -> None:
        _check_rows("consistency.anchor", self.anchor, groups, agents)
        _check_weight("consistency.weight", self.weight, agents)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        x = mixtures if own is None else own
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(x > 0, x * (np.log(x) - np.log(self.anchor)), 0.0)
            total = parts.sum(axis=1)
            return np.asarray(np.where(self.weight > 0, -self.weight * total, 0.0))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            log_ratio = np.log(mixtures) - np.log(self.anchor)
            slope = np.where(self.anchor > 0, -log_ratio - 1.0, -np.inf)
            weight = _column(self.weight)
            return np.where(weight > 0, weight * slope, 0.0)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        out = np.zeros((*mixtures.shape, mixtures.shape[1]))
        k = np.arange(mixtures.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.broadcast_to(_column(self.weight), mixtures.shape)
            out[:, k, k] = np.where(weight > 0, -weight / mixtures, 0.0)
        return out

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = _column(self.weight)
            at = np.where(weight > 0, weight * np.log(self.anchor), 0.0)
        return np.broadcast_to(at, mixtures.shape)


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
        _check_weight("diversity.weight", self.weight, agents)
        _check_matrix("diversity.kernel", self.kernel, groups)
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
        met = _times(others_average(mixtures, agents, self.network), self.kernel)
        return np.asarray(-self.weight * _dot(mixtures if own is None else own, met))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        met = _times(others_average(mixtures, agents, self.network), self.kernel)
        return -_column(self.weight) * met

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
        _check_weight("variety.weight", self.weight, agents)
        _check_matrix("variety.matrix", self.matrix, groups)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        x = mixtures if own is None else own
        return np.asarray(-0.5 * self.weight * _dot(x, _times(x, self.matrix)))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return -_column(self.weight) * _times(mixtures, self.matrix)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        return _spread(-self.weight, self.matrix, mixtures)

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        diagonal = np.ones(mixtures.shape[1]) if self.matrix is None else np.diag(self.matrix)
        return np.broadcast_to(-0.5 * _column(self.weight) * diagonal, mixtures.shape)


@final
@dataclass(frozen=True, init=False, eq=False)
class AudienceShare(Term):
    r"""Pays a share of each group's attention: :math:`\theta_i \sum_k m_k x_{ik} / \sum_j x_{jk}`.

    Where nobody serves a group its attention is split evenly, :math:`\theta_i m_k / N`. The
    utility jumps there (R1), so the gradient given is :math:`+\infty` on such a group.

    Parameters
    ----------
    weight : float or (rows,) array
        :math:`\theta_i \ge 0`.
    """

    field: ClassVar[str] = "audience_share"
    weight: FloatArray

    def __init__(self, weight: ArrayLike) -> None:
        object.__setattr__(self, "weight", read_weight("audience_share.weight", weight))

    def check(self, groups: Groups, agents: Agents) -> None:
        _check_weight("audience_share.weight", self.weight, agents)

    def value(
        self, mixtures: FloatArray, groups: Groups, agents: Agents, own: FloatArray | None = None
    ) -> FloatArray:
        x = mixtures if own is None else own
        total = x + _others_total(mixtures, agents)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(total > 0, x / total, 1.0 / agents.total)
        return np.asarray(self.weight * (part @ groups.shares))

    def own_gradient(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        others = _others_total(mixtures, agents)
        total = mixtures + others
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(total > 0, others / total / total, np.inf)
            weight = _column(self.weight)
            return np.where(weight > 0, weight * groups.shares * slope, 0.0)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        out = np.zeros((*mixtures.shape, mixtures.shape[1]))
        k = np.arange(mixtures.shape[1])
        others = _others_total(mixtures, agents)
        total = mixtures + others
        with np.errstate(divide="ignore", invalid="ignore"):
            bend = np.where(total > 0, -2.0 * others / total / total / total, 0.0)
        out[:, k, k] = _column(self.weight) * groups.shares * bend
        return out

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        others = _others_total(mixtures, agents)
        idle = np.where(others > 0, 0.0, groups.shares / agents.total)
        served = groups.shares / (1.0 + others)
        return np.asarray(_column(self.weight) * (served + idle.sum(axis=1, keepdims=True) - idle))


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


def _others_total(mixtures: FloatArray, agents: Agents) -> FloatArray:
    """Sum over the *other* agents per row and group; exact zeros stay exact zeros."""
    repeat = agents.counts @ (mixtures > 0)
    alone = (mixtures > 0) & (repeat == 1)
    rest = agents.counts @ mixtures - mixtures
    return np.where(alone | (repeat == 0), 0.0, np.maximum(rest, 0.0))


def _column(weight: FloatArray) -> FloatArray:
    return weight[:, None] if weight.ndim else weight


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray((a * b).sum(axis=-1))


def _times(rows: FloatArray, matrix: FloatArray | None) -> FloatArray:
    return rows if matrix is None else rows @ matrix


def _spread(weight: FloatArray, matrix: FloatArray | None, like: FloatArray) -> FloatArray:
    square = np.eye(like.shape[1]) if matrix is None else matrix
    per_row = np.broadcast_to(weight, like.shape[:1])
    return np.asarray(per_row[:, None, None] * square)


def _check_rows(field: str, rows: FloatArray, groups: Groups, agents: Agents) -> None:
    check_length(field, rows, -1, len(groups), "groups")
    if rows.ndim == 2:
        check_length(field, rows, 0, len(agents), "agents")


def _check_weight(field: str, weight: FloatArray, agents: Agents) -> None:
    if weight.ndim:
        check_length(field, weight, 0, len(agents), "agents")


def _check_matrix(field: str, matrix: FloatArray | None, groups: Groups) -> None:
    if matrix is not None:
        check_length(field, matrix, 0, len(groups), "groups")
