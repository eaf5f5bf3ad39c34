"""The terms whose gradient is no affine function of the mixtures (theory section 1, R8, R9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.game.agents import Agents
from equipoise.game.groups import Groups
from equipoise.game.parameters import check_rows, check_weight, read_mixtures, read_weight
from equipoise.game.term import Term, column

__all__ = ["AudienceShare", "KLConsistency"]

FloatArray = NDArray[np.float64]


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
        check_rows("consistency.anchor", self.anchor, groups, agents)
        check_weight("consistency.weight", self.weight, agents)

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
            weight = column(self.weight)
            return np.where(weight > 0, weight * slope, 0.0)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        out = np.zeros((*mixtures.shape, mixtures.shape[1]))
        k = np.arange(mixtures.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.broadcast_to(column(self.weight), mixtures.shape)
            out[:, k, k] = np.where(weight > 0, -weight / mixtures, 0.0)
        return out

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = column(self.weight)
            at = np.where(weight > 0, weight * np.log(self.anchor), 0.0)
        return np.broadcast_to(at, mixtures.shape)


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
        check_weight("audience_share.weight", self.weight, agents)

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
            weight = column(self.weight)
            return np.where(weight > 0, weight * groups.shares * slope, 0.0)

    def own_curvature(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        out = np.zeros((*mixtures.shape, mixtures.shape[1]))
        k = np.arange(mixtures.shape[1])
        others = _others_total(mixtures, agents)
        total = mixtures + others
        with np.errstate(divide="ignore", invalid="ignore"):
            bend = np.where(total > 0, -2.0 * others / total / total / total, 0.0)
        out[:, k, k] = column(self.weight) * groups.shares * bend
        return out

    def vertex_values(self, mixtures: FloatArray, groups: Groups, agents: Agents) -> FloatArray:
        others = _others_total(mixtures, agents)
        idle = np.where(others > 0, 0.0, groups.shares / agents.total)
        served = groups.shares / (1.0 + others)
        return np.asarray(column(self.weight) * (served + idle.sum(axis=1, keepdims=True) - idle))


def _others_total(mixtures: FloatArray, agents: Agents) -> FloatArray:
    """Sum over the *other* agents per row and group; exact zeros stay exact zeros."""
    repeat = agents.counts @ (mixtures > 0)
    alone = (mixtures > 0) & (repeat == 1)
    rest = agents.counts @ mixtures - mixtures
    return np.where(alone | (repeat == 0), 0.0, np.maximum(rest, 0.0))
