r"""The exam of a profile, from the game alone: how much could any agent gain by moving alone?

This file imports no solver and no projection: the examiner is not the candidate. The headline
is the Frank–Wolfe gap of R3, :math:`g_i = \max_k v_{ik} - \langle v_i, x_i\rangle`, which needs
the gradient only and bounds the regret from above for every differentiable concave term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.exact import ExactCertificate, certify_exactly
from equipoise.equilibrium.uniqueness import Uniqueness, uniqueness
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Variety,
)

__all__ = ["Certificate", "certify"]

FloatArray = NDArray[np.float64]

ROUNDING = 8 * float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class Certificate:
    r"""What is known about a profile, agent by agent (rows of the game).

    Attributes
    ----------
    gap : (rows,) array
        Frank–Wolfe gap :math:`g_i \ge r_i`, utility units: no agent can gain more than this by
        moving alone. Infinite where an agent sits at 0 on a group its anchor needs (KL), or
        where nobody serves a group that pays a share of attention.
    regret : (rows,) array
        Exact regret where it has a formula (no own curvature; KL alone), else the sharpest
        upper bound known, at most `gap`.
    utility_range : (rows,) array
        Spread of :math:`U_i(\cdot, x_{-i})` over the vertices and :math:`x_i`.
    rounding : (rows,) array
        Size of the rounding error in `gap` itself; a gap below it counts as 0 in
        `relative_gap`.
    relative_gap : (rows,) array
        `gap / utility_range`, with 0/0 = 0.
    uniqueness : Uniqueness
        Whether this is proved to be the only equilibrium.
    distance : float or None
        Where uniqueness is proved with a modulus: a bound on the Euclidean distance
        :math:`\sqrt{\sum_i n_i \|x_i - x_i^*\|^2}` to the equilibrium.
    assumed : tuple of str
        What the certificate rests on.
    exact : ExactCertificate or None
        The rational certificate, when asked for.
    """

    gap: FloatArray
    regret: FloatArray
    utility_range: FloatArray
    rounding: FloatArray
    uniqueness: Uniqueness
    distance: float | None
    assumed: tuple[str, ...]
    exact: ExactCertificate | None = None

    @property
    def max_gap(self) -> float:
        """Return the largest gap over agents, utility units."""
        return float(self.gap.max())

    @property
    def relative_gap(self) -> FloatArray:
        """Return each gap over the agent's utility range, (rows,)."""
        counted = np.where(self.gap <= self.rounding, 0.0, self.gap)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(counted == 0.0, 0.0, counted / self.utility_range)

    @property
    def max_relative_gap(self) -> float:
        """Return the largest relative gap over agents; `solved` means at most the tolerance."""
        return float(self.relative_gap.max())

    def __repr__(self) -> str:
        near = "" if self.distance is None else f", within {self.distance:.1e} of it"
        return (
            f"Certificate(max gap {self.max_gap:.2e}, relative {self.max_relative_gap:.2e}; "
            f"uniqueness {self.uniqueness.verdict}{near})"
        )


def certify(game: AlignmentGame, profile: Profile, *, exact: bool = False) -> Certificate:
    r"""Examine anybody's profile of a game (R3); no solver takes part.

    Parameters
    ----------
    game : AlignmentGame
        Any game.
    profile : Profile
        Mixtures (rows, groups), in the game's order of groups and agents.
    exact : bool
        Also confirm the equilibrium in rational arithmetic (small affine games only).

    Returns
    -------
    Certificate
        Gaps, regrets, uniqueness and, where proved, the distance to the equilibrium. A small
        gap does *not* say that a weight of 1e-6 is a true zero: regret is second order in the
        error, so a gap of 1e-9 fixes weights only to about 3e-5.

    Raises
    ------
    LabelMismatch
        The profile speaks of other groups or agents than the game.
    BadInput
        `exact` for a game that is too large or not affine.

    Examples
    --------
    >>> import equipoise as eq
    >>> game = eq.AlignmentGame(eq.Groups(["left", "right"]), ["a"], [
    ...     eq.Attractiveness([0.3, 0.1]), eq.Consistency([0.5, 0.5])])
    >>> certify(game, game.profile([[0.6, 0.4]])).max_gap < 1e-15
    True
    >>> round(certify(game, game.profile([[0.5, 0.5]])).max_gap, 12)
    0.1
    """
    if not isinstance(profile, Profile):
        raise BadInput("certify: give a Profile, e.g. game.profile([[0.5, 0.5], …])")
    profile.same_shape_as(game.groups, game.agents)
    x = profile.array
    v, size = _incentives(game, x)
    gap = _gap(v, x)
    rounding = ROUNDING * (1 + x.shape[1]) * size
    spread = _range(game, profile)
    statement = uniqueness(game, profile)
    return Certificate(
        gap=gap,
        regret=np.minimum(gap, _regret(game, profile, v, gap)),
        utility_range=spread,
        rounding=rounding,
        uniqueness=statement,
        distance=_distance(statement, gap + rounding, game),
        assumed=_assumed(game),
        exact=certify_exactly(game, profile) if exact else None,
    )


def _incentives(game: AlignmentGame, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return v up to a constant per agent, and the size of its parts, (rows, groups), (rows,).

    A payoff that is the same for every group changes nobody's choice. Each part is measured
    from its own best group before the parts are added, so that such a constant, however
    large, neither costs digits nor widens what counts as rounding.
    """
    v, size = np.zeros(x.shape), np.zeros(len(x))
    for term in game.terms:
        if isinstance(term, Attractiveness):
            weight = term.weight[:, None] if term.weight.ndim else term.weight
            part = np.broadcast_to(
                weight * (term.values - term.values.max(axis=-1, keepdims=True)), x.shape
            )
            rounded = part
        else:
            slope = term.own_gradient(x, game.groups, game.agents)
            best = slope.max(axis=1, keepdims=True, where=np.isfinite(slope), initial=-np.inf)
            part = slope - np.where(np.isfinite(best), best, 0.0)
            # Prices are exact; other slopes carry the rounding of the mixtures themselves.
            rounded = part if isinstance(term, Subsidy) else slope
        # A group the agent may never serve stays forbidden, whatever else it pays.
        with np.errstate(invalid="ignore"):
            v = np.where(np.isneginf(v) | np.isneginf(part), -np.inf, v + part)
        size = size + np.abs(rounded).max(axis=1, where=np.isfinite(rounded), initial=0.0)
    return v, size


def _gap(v: FloatArray, x: FloatArray) -> FloatArray:
    # Summing x·(max v − v) instead of max v − ⟨v, x⟩: no cancellation, never negative.
    best = v.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        parts = np.where(x > 0, x * (best - v), 0.0)
    out = parts.sum(axis=1)
    return np.where(np.isfinite(best[:, 0]) & ~np.isnan(out), out, np.inf)


def _range(game: AlignmentGame, profile: Profile) -> FloatArray:
    at = np.column_stack([game.vertex_utilities(profile), game.utilities(profile)])
    finite = np.isfinite(at)
    high = np.where(finite, at, -np.inf).max(axis=1)
    low = np.where(finite, at, np.inf).min(axis=1)
    return np.where(finite.any(axis=1), high - low, 0.0)


def _regret(game: AlignmentGame, profile: Profile, v: FloatArray, gap: FloatArray) -> FloatArray:
    """Exact for agents without own curvature (the gap itself) and for KL alone; else a bound."""
    kinds = {type(t) for t in game.terms if np.any(getattr(t, "weight", 1.0))}
    if KLConsistency in kinds and not kinds & {Consistency, Variety, AudienceShare}:
        return _regret_kl(game, profile, gap)
    affine = game.affine
    if affine is None or affine.scalar_curvature is None:
        return gap
    return _regret_scalar(v, profile.array, affine.scalar_curvature, gap)


def _regret_scalar(v: FloatArray, x: FloatArray, h: FloatArray, gap: FloatArray) -> FloatArray:
    r"""Bound regret for curvature :math:`hI` by weak duality, any level :math:`\lambda`.

    :math:`\sup_y \langle v, y-x\rangle - \tfrac h2\|y-x\|^2 \le \lambda + \sum_k
    (g_k-\lambda)_+^2/(2h) - \langle g, x\rangle + \tfrac h2 \|x\|^2` with :math:`g = v + hx`.
    Every level gives a true bound; Newton steps on the dual make it sharp.
    """
    safe = np.where(h > 0, h, 1.0)[:, None]
    g = v + safe * x
    level = g.max(axis=1, keepdims=True) - safe
    for _ in range(min(12, g.shape[1])):
        on = g > level
        level = (np.where(on, g, 0.0).sum(axis=1, keepdims=True) - safe) / on.sum(
            axis=1, keepdims=True
        )
    # With g − λ split into served and unserved parts the bound is a sum of squares.
    step = np.maximum(g - level, 0.0) / safe - x
    bound = (step * (g - level) - 0.5 * safe * (step**2 + 2 * step * x)).sum(axis=1)
    return np.where(h > 0, np.maximum(bound, 0.0), gap)


def _regret_kl(game: AlignmentGame, profile: Profile, gap: FloatArray) -> FloatArray:
    r"""Return :math:`\beta \log\sum_k c_k e^{g_k/\beta} - U_i(x)`: the log-sum-exp of R8."""
    term = game.term(KLConsistency)
    assert term is not None
    linear = np.zeros(profile.array.shape)
    for other in game.terms:
        if other is not term and not isinstance(other, Consistency | Variety | AudienceShare):
            linear = linear + other.own_gradient(profile.array, game.groups, game.agents)
    beta = np.broadcast_to(term.weight, gap.shape)
    safe = np.where(beta > 0, beta, 1.0)[:, None]
    with np.errstate(divide="ignore"):
        exponent = linear / safe + np.log(np.broadcast_to(term.anchor, linear.shape))
    top = exponent.max(axis=1, keepdims=True)
    best = safe[:, 0] * (top[:, 0] + np.log(np.exp(exponent - top).sum(axis=1)))
    here = game.utilities(profile)
    return np.where(beta > 0, np.maximum(best - here, 0.0), gap)


def _distance(statement: Uniqueness, gap: FloatArray, game: AlignmentGame) -> float | None:
    if statement.verdict != "proved" or statement.modulus is None or statement.weights is None:
        return None
    if not statement.modulus > 0:
        return None
    total = float((game.agents.counts * statement.weights * gap).sum())
    return float(np.sqrt(total / statement.modulus))


def _assumed(game: AlignmentGame) -> tuple[str, ...]:
    notes = ["the game is as stated: weights, anchors, values and kernel are taken as exact"]
    if game.term(AudienceShare) is not None:
        notes.append("audience share is concave; its jump where nobody serves a group counts")
    diversity = game.term(Diversity)
    if diversity is not None and game.agents.typed:
        notes.append("agents of one type play the same mixture")
    return tuple(notes)
