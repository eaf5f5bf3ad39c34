r"""What could any agent gain by moving alone? Gaps, regrets and ranges, agent by agent (R3).

Computed from the game and the profile alone: no solver, no projection. Affine games with
curvature and kernel multiples of the identity have a short form, compiled for many agents;
every other game is examined term by term.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.equilibrium.exam_many import (
    ROUNDING,
    Exam,
    examine_any,
    examine_multiples,
    regret_bound,
    rows_of,
    sharpen,
)
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    KLConsistency,
    Subsidy,
    Variety,
)

__all__ = ["Exam", "examine"]

FloatArray = NDArray[np.float64]


def examine(game: AlignmentGame, profile: Profile) -> Exam:
    """Examine every agent of a profile; the profile must fit the game."""
    form = game.affine
    if form is not None and form.network is None:
        many = form.n_rows >= compiled.ROWS and compiled.available()
        if form.own_weight is not None and form.kernel_scale is not None:
            examined = examine_multiples if many else _scalar
            return examined(form, form.own_weight, form.kernel_scale, profile)
        if many:
            return examine_any(game, profile)
    x = profile.array
    v, size = _incentives(game, x)
    gap = _gap(v, x)
    return Exam(
        gap,
        ROUNDING * (1 + x.shape[1]) * size,
        lambda: (np.minimum(gap, _regret(game, profile, v, gap)), _range(game, profile)),
    )


def _scalar(form: AffineForm, h: FloatArray, sigma: float, profile: Profile) -> Exam:
    r"""Examine an affine game with :math:`H_i = h_i I`, :math:`S = \sigma I`, default network.

    With :math:`g_i = s_i - \gamma_i\sigma o_i` the gradient is :math:`v_i = g_i - h_i x_i`, a
    vertex is worth :math:`g_{ik} - h_i/2` and :math:`x_i` is worth :math:`\langle g_i, x_i\rangle
    - h_i|x_i|^2/2`, up to the same constant. Regret is bounded by weak duality at the level
    :math:`\max_k v_{ik}`: true for any level, sharp at an equilibrium.
    """
    fixed = _fixed.get(form)
    if fixed is None:
        fixed = _fixed[form] = _constants(form, h, sigma)
    x = profile.array
    g = fixed.leads - fixed.factor * (fixed.counts.dot(x) - x)
    bent = fixed.own * x
    v = g - bent
    best = np.maximum.reduce(v, axis=1, keepdims=True)
    gap = (x * (best - v)).dot(fixed.ones)

    def more() -> tuple[FloatArray, FloatArray]:
        here = np.einsum("ik,ik->i", x, g - 0.5 * bent)
        half = 0.5 * h
        spread = np.maximum(g.max(axis=1) - half, here) - np.minimum(g.min(axis=1) - half, here)
        lead = g - best
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.maximum(lead, 0.0) / h[:, None]
            # ½h(y² + x²) − x·(g − λ), with hy = (g − λ)_+: each term keeps its digits.
            dual = np.einsum("ik,ik->i", y - x, lead - 0.5 * h[:, None] * (y + x))
        regret = np.where((h > 0) & (dual < gap), np.maximum(dual, 0.0), gap)
        sharpen(regret, gap, spread, lambda rows: (v[rows], x[rows], rows_of(h, rows)))
        return regret, spread

    return Exam(gap, fixed.rounding, more)


class _Fixed(NamedTuple):
    """What the exam reads off an affine game once."""

    leads: FloatArray
    factor: FloatArray
    r""":math:`\gamma_i\sigma/(N-1)`, (rows or 1, 1); 0 where nobody looks at the others."""
    own: FloatArray
    """h_i, (rows or 1, 1)."""
    counts: FloatArray
    ones: FloatArray
    """(groups,)."""
    rounding: FloatArray


_fixed: WeakKeyDictionary[AffineForm, _Fixed] = WeakKeyDictionary()


def _constants(form: AffineForm, h: FloatArray, sigma: float) -> _Fixed:
    met = max(1, form.agents.total - 1)
    factor = form.weight * (sigma / met) if form.coupled else np.zeros(1)
    rounding = ROUNDING * (1 + form.n_groups) * form.incentive_size
    return _Fixed(
        form.leads,
        factor[:, None],
        h[:, None],
        form.agents.counts.astype(np.float64),
        np.ones(form.n_groups),
        np.broadcast_to(rounding, (form.n_rows,)),
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
    kinds = {type(t) for t in game.live}
    if KLConsistency in kinds and not kinds & {Consistency, Variety, AudienceShare}:
        return _regret_kl(game, profile, gap)
    affine = game.affine
    if affine is None or affine.scalar_curvature is None:
        return gap
    return regret_bound(v, profile.array, affine.scalar_curvature, gap)


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
