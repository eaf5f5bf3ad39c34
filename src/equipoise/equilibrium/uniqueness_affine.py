r"""The tests of R2 (a)–(c) and (f), for games whose gradients are affine.

Margins and moduli are smallest eigenvalues of the game's symmetrised curvature with agent i's
rows divided by :math:`|\gamma_i|` (by 1 where agents do not interact). A failed test refutes
nothing; identical agents that provably specialise do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.contraction import weighted_contraction
from equipoise.equilibrium.curvature import (
    MANY_ROWS,
    block_modulus,
    contraction_margin,
    kernel_defect,
    lowest_curvature,
    lowest_programme,
    lowest_programme_exactly,
    network_modulus,
)
from equipoise.equilibrium.uniqueness_statement import Uniqueness, verdict
from equipoise.game.affine import AffineForm
from equipoise.game.parameters import tangent
from equipoise.game.profile import Profile

__all__ = ["affine_uniqueness"]

FloatArray = NDArray[np.float64]

MANY_ENTRIES = 1 << 23
"""Largest (rows × directions × directions) array made for a proof."""


def affine_uniqueness(form: AffineForm, profile: Profile | None) -> Uniqueness:
    """Return what the first test that passes proves, else what the main one says."""
    if not form.coupled:
        return _uncoupled(form)
    if form.network is None:
        quick = _many(form)
        if quick is not None:
            return quick
    answers = [_contraction(form)]
    if not _heavy(form) and (answers[0].verdict != "proved" or answers[0].modulus is None):
        answers.insert(0, _network(form) if form.network is not None else _default(form))
    if form.identical and form.kernel_scale == 1.0 and form.scalar_curvature is not None:
        answers.append(_dominated(form))
    for answer in answers:
        if answer.verdict == "proved":
            return answer
    if form.network is not None:
        weighted = _weighted(form)
        if weighted is not None:
            return weighted
    if profile is not None:
        refuted = _specialises(form, profile)
        if refuted is not None:
            return refuted
    return answers[0]


def _heavy(form: AffineForm) -> bool:
    """Whether a matrix a row would be too much; with γ > 0 `_many` has then looked already."""
    size = form.n_rows * (form.n_groups - 1) ** 2
    return form.network is None and form.own_weight is None and size > MANY_ENTRIES


def _uncoupled(form: AffineForm) -> Uniqueness:
    """Each agent alone: unique iff its own programme has one maximiser."""
    low, high = lowest_curvature(form)
    rows = np.ones(form.n_rows)
    curved = low > 1e-12 * np.maximum(high, 1e-300)
    if curved.all():
        margin = float(low.min())
        test = "no interaction: smallest own curvature of any agent"
        return Uniqueness("proved", margin, test, margin, rows)
    flat = high == 0
    if (curved | flat).all():
        ordered = np.sort(form.scores[flat], axis=1)
        lead = ordered[:, -1] - ordered[:, -2]
        scale = float(np.abs(ordered).max())
        test = "no interaction: lead of the best group for agents without curvature (score units)"
        return verdict(float(lead.min()), scale, test)
    return Uniqueness("unknown", float(low.min()), "no interaction: smallest own curvature")


BLOCK_TEST = (
    "R2(b): smallest eigenvalue of blkdiag(H_i/|γ_i| − S/(N−1)) + 11ᵀ⊗S/(N−1), sign by sign "
    "(rows divided by |γ_i|)"
)


def _many(form: AffineForm) -> Uniqueness | None:
    """Test (b) for very many agents with γ > 0: every D_i positive, in one pass."""
    gamma = form.weight
    if form.n_rows < MANY_ROWS or gamma.min() <= 0:
        return None
    own, sigma = form.own_weight, form.kernel_scale
    if own is not None and sigma is not None:
        ratio = own / gamma
        margin, scale = float(ratio.min()) - sigma / (form.agents.total - 1), float(ratio.max())
        scale += sigma
    else:
        margin, scale = _many_programmes(form, gamma)
    if margin <= 1e-12 * scale:
        return None
    return Uniqueness("proved", margin, BLOCK_TEST, margin, np.broadcast_to(1 / gamma, form.n_rows))


def _many_programmes(form: AffineForm, gamma: FloatArray) -> tuple[float, float]:
    """Bound min_i λ_min(D_i|T) from below, row by row; exactly where the bound says nothing."""
    size = float((lowest_curvature(form)[1] / gamma).max())
    size += float(np.abs(form.kernel_matrix()).sum(axis=1).max())
    low = lowest_programme(form, form.agents.total)
    open_rows = np.flatnonzero(low <= 1e-12 * gamma * size)
    if open_rows.size:
        low[open_rows] = lowest_programme_exactly(form, open_rows)
    # A kernel is accepted with a slightly negative eigenvalue: met N times over N − 1.
    return float((low / gamma).min()) - 2 * kernel_defect(form), size


def _default(form: AffineForm) -> Uniqueness:
    """(b), extended to herding and to mixed signs: each sign block on its own."""
    low, high = lowest_curvature(form)
    idle = form.gamma == 0
    if (idle & (low <= 1e-12 * high)).any():
        return Uniqueness(
            "unknown", float(low[idle].min()), "R2: an agent that ignores others has no curvature"
        )
    moduli, scales = [], []
    for sign in (1.0, -1.0):
        block = np.flatnonzero(sign * form.gamma > 0)
        if block.size:
            modulus, scale = block_modulus(form, block, sign)
            moduli.append(modulus)
            scales.append(scale)
    margin, scale = min(moduli), max(scales)
    weights = None if idle.any() else 1.0 / np.abs(form.gamma)
    return verdict(
        margin,
        scale,
        BLOCK_TEST,
        modulus=margin if weights is not None else None,
        weights=weights,
    )


def _network(form: AffineForm) -> Uniqueness:
    """Test (a): symmetric w, one sign of γ or sign blocks; a strictly concave potential."""
    network = form.network
    assert network is not None
    if not network.symmetric:
        return Uniqueness("unknown", None, "directed network: no potential (R2 a does not apply)")
    margin, scale, exact = network_modulus(form)
    how = "smallest eigenvalue" if exact else "block-Gershgorin lower bound of the eigenvalues"
    test = f"R2(a): {how} of blkdiag(d_i H_i/|γ_i|) ± w⊗S (rows divided by |γ_i|/d_i)"
    idle = (form.gamma == 0) | (network.degrees == 0)
    if idle.any():
        return verdict(margin, scale, test)
    weights = network.degrees / np.abs(form.gamma)
    return verdict(margin, scale, test, modulus=margin, weights=weights)


def _contraction(form: AffineForm) -> Uniqueness:
    """(c): any network, any signs."""
    margin, scale = contraction_margin(form)
    test = "R2(c): smallest λ_min(H_i|T) − |γ_i| λ_max(S|T); best responses contract"
    return verdict(margin, scale, test)


def _weighted(form: AffineForm) -> Uniqueness | None:
    """Test (c) with a weight for every agent: those above the limit meet others well below it."""
    found = weighted_contraction(form)
    if not found.proved or 1.0 - found.ratio <= 1e-12:
        return None
    test = "R2(c) in the norm max ‖x_i‖/z_i: 1 minus the rate at which best responses contract"
    return Uniqueness("proved", 1.0 - found.ratio, test)


def _dominated(form: AffineForm) -> Uniqueness:
    """(f), beyond the limit: one group dominates, s_(1) − s_(2) ≥ β + γ."""
    assert form.scalar_curvature is not None
    ordered = np.sort(form.scores[0])
    need = float(form.scalar_curvature[0] + form.gamma[0])
    margin = float(ordered[-1] - ordered[-2]) - need
    test = "R2(f): lead of the best group over β + γ (score units)"
    if form.gamma[0] <= 0 or form.network is not None:
        return Uniqueness("unknown", margin, test)
    return verdict(margin, float(np.abs(ordered).max()) + need, test)


def _specialises(form: AffineForm, profile: Profile) -> Uniqueness | None:
    """Refute: identical agents whose symmetric equilibrium is not a maximum of the potential."""
    x = profile.array
    if not form.identical or form.network is not None or np.any(np.ptp(x, axis=0) > 1e-9):
        return None
    served = np.flatnonzero(x[0] > 1e-9)
    if served.size < 2:
        return None
    if not _symmetric_equilibrium(form, x[0], served):
        return None
    h = form.curvature_matrix(0)[np.ix_(served, served)]
    s = form.kernel_matrix()[np.ix_(served, served)]
    gamma, n = float(form.gamma[0]), form.agents.total
    # Directions in which agents part (γ > 0) or move together (γ < 0).
    d = h / abs(gamma) - (s / (n - 1) if gamma > 0 else s)
    basis = tangent(served.size)
    low = float(np.linalg.eigvalsh(basis.T @ d @ basis)[0])
    if low < -1e-9 * max(1.0, float(np.abs(d).max())):
        return Uniqueness(
            "refuted",
            low,
            "R2(b), identical agents: on the groups served here the potential bends up along "
            "differences between agents, so its maximum is another equilibrium (rows over |γ|)",
        )
    return None


def _symmetric_equilibrium(form: AffineForm, x: FloatArray, served: NDArray[np.intp]) -> bool:
    """Whether an exact symmetric equilibrium near `x` serves at least the groups served here."""
    whole = form.curvature_matrix(0) + float(form.gamma[0]) * form.kernel_matrix()
    s = form.scores[0] - form.scores[0].max()
    v = s - whole @ x
    size = float(np.abs(s).max() + np.abs(whole).max())
    noise = 1e-15 * (1 + x.size) * size
    gap = float((x * (v.max() - v)).sum())
    basis = tangent(served.size)
    if form.gamma[0] > 0:
        # One symmetric equilibrium, in a strongly concave programme: a ball around x holds it.
        whole_basis = tangent(x.size)
        modulus = float(np.linalg.eigvalsh(whole_basis.T @ whole @ whole_basis)[0])
        if modulus <= 1e-12 * size or gap > 1e-9 * size:
            return False
        return math.sqrt((gap + noise) / modulus) < float(x[served].min())
    # The conditions on the support are linear: a nearby solution exists when they are regular.
    part = basis.T @ whole[np.ix_(served, served)] @ basis
    steepest = float(np.abs(np.linalg.eigvalsh(part)).min())
    off = float(np.linalg.norm(v[served] - v[served].mean())) + noise
    if off >= steepest * float(x[served].min()):
        return False
    rest = np.delete(v, served)
    lost = float(v[served].mean()) - rest
    return bool((lost > noise + 2 * x.size * np.abs(whole).max() * off / steepest).all())
