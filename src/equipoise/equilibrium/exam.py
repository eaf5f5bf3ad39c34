r"""What could any agent gain by moving alone? Gaps, regrets and ranges, agent by agent (R3).

Computed from the game and the profile alone: no solver, no projection. Affine games with
curvature and kernel multiples of the identity have a short form, compiled for many agents;
every other game is examined term by term.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import ROW_TOLERANCE, Profile
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

ROUNDING = 8 * float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class Exam:
    """One number per row each; see `Certificate` for what they mean.

    Gaps are known at once; regrets and ranges are worked out when they are read.
    """

    gap: FloatArray
    rounding: FloatArray
    work: Callable[[], tuple[FloatArray, FloatArray]]
    """Regret and utility range."""

    @cached_property
    def _more(self) -> tuple[FloatArray, FloatArray]:
        return self.work()

    @property
    def regret(self) -> FloatArray:
        """Return regrets or upper bounds, (rows,)."""
        return self._more[0]

    @property
    def utility_range(self) -> FloatArray:
        """Return the spreads of utilities, (rows,)."""
        return self._more[1]


def examine(game: AlignmentGame, profile: Profile) -> Exam:
    """Examine every agent of a profile; the profile must fit the game."""
    form = game.affine
    if (
        form is not None
        and form.network is None
        and form.own_weight is not None
        and form.kernel_scale is not None
    ):
        if form.n_rows >= compiled.ROWS and compiled.available():
            return _compiled(form, form.own_weight, form.kernel_scale, profile)
        return _scalar(form, form.own_weight, form.kernel_scale, profile.array)
    x = profile.array
    v, size = _incentives(game, x)
    gap = _gap(v, x)
    return Exam(
        gap,
        ROUNDING * (1 + x.shape[1]) * size,
        lambda: (np.minimum(gap, _regret(game, profile, v, gap)), _range(game, profile)),
    )


def _scalar(form: AffineForm, h: FloatArray, sigma: float, x: FloatArray) -> Exam:
    r"""Examine an affine game with :math:`H_i = h_i I`, :math:`S = \sigma I`, default network.

    With :math:`g_i = s_i - \gamma_i\sigma o_i` the gradient is :math:`v_i = g_i - h_i x_i`, a
    vertex is worth :math:`g_{ik} - h_i/2` and :math:`x_i` is worth :math:`\langle g_i, x_i\rangle
    - h_i|x_i|^2/2`, up to the same constant. Regret is bounded by weak duality at the level
    :math:`\max_k v_{ik}`: true for any level, sharp at an equilibrium.
    """
    g = form.leads
    if form.coupled:
        factor = form.weight * (sigma / (form.agents.total - 1))
        g = g - factor[:, None] * (form.agents.counts @ x - x)
    bent = h[:, None] * x
    v = g - bent
    best = v.max(axis=1, keepdims=True)
    gap = np.einsum("ik,ik->i", x, best - v)
    rounding = ROUNDING * (1 + x.shape[1]) * form.incentive_size

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
        _sharpen(regret, gap, spread, lambda rows: (v[rows], x[rows], _rows(h, rows)))
        return regret, spread

    return Exam(gap, np.broadcast_to(rounding, gap.shape), more)


def _sharpen(
    regret: FloatArray,
    gap: FloatArray,
    spread: FloatArray,
    rows_of: Callable[[NDArray[np.intp]], tuple[FloatArray, FloatArray, FloatArray]],
) -> None:
    """Replace regret by its exact value in rows that are far from equilibrium."""
    far = np.flatnonzero(regret > 1e-9 * spread)
    if far.size:
        v, x, h = rows_of(far)
        regret[far] = np.minimum(gap[far], _regret_scalar(v, x, h, gap[far]))


def _rows(array: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    return array[rows] if len(array) > 1 else np.repeat(array, rows.size, axis=0)


def _compiled(form: AffineForm, h: FloatArray, sigma: float, profile: Profile) -> Exam:
    """Do the same in one compiled pass over many rows, which also checks the rows themselves."""
    from equipoise.equilibrium.examiner import exam_pass

    read, x = compiled.readable, profile.array
    rows, k = x.shape
    chunks = -(-rows // compiled.CHUNK)
    counts = form.agents.counts.astype(np.float64) if form.agents.typed else None
    total = np.zeros((chunks, k))
    run: Callable[..., None] = exam_pass

    def add(chunk: int, low: int, high: int) -> None:
        part = x[low:high]
        total[chunk] = np.ones(high - low) @ part if counts is None else counts[low:high] @ part

    met = max(1, form.agents.total - 1)
    if form.coupled:
        compiled.each_chunk(rows, add)
    prices = form.common - form.common.max()
    given = [read(a) for a in (form.values, form.alpha, form.pull, form.beta, prices)]
    weight = form.weight if form.coupled else np.zeros(1)
    met_total = read(total.sum(axis=0) * (sigma / met))
    own = [read(a) for a in (weight, h, x)]

    def examined(full: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        gap, size = np.empty(rows), np.empty(rows)
        regret, spread = (np.empty(rows if full else 1) for _ in range(2))
        off = np.zeros((chunks, 2))

        def work(chunk: int, low: int, high: int) -> None:
            run(
                *given, met_total, sigma / met, float(met), *own, low, high, full,
                gap, regret, spread, size, off[chunk],
            )  # fmt: skip

        compiled.each_chunk(rows, work)
        if off[:, 0].max() > ROW_TOLERANCE or off[:, 1].min() < 0:
            raise BadInput("profile: a row is off the simplex; divide it by its sum")
        return gap, regret, spread, size

    def some(rows: NDArray[np.intp]) -> tuple[FloatArray, FloatArray, FloatArray]:
        g = _rows(form.alpha, rows)[:, None] * _rows(form.values, rows) + prices
        g = g + _rows(form.beta, rows)[:, None] * _rows(form.pull, rows)
        g -= _rows(weight, rows)[:, None] * (met_total - x[rows] * (sigma / met))
        return g - _rows(h, rows)[:, None] * x[rows], x[rows], _rows(h, rows)

    def more() -> tuple[FloatArray, FloatArray]:
        _, regret, spread, _ = examined(True)
        _sharpen(regret, gap, spread, some)
        return regret, spread

    gap, _, _, size = examined(False)
    size += float(np.ptp(form.common))
    size *= ROUNDING * (1 + k)
    return Exam(gap, size, more)


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
