r"""Eigenvalue bounds behind the uniqueness tests of R2, on the tangent space T (sum zero)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.game.affine import AffineForm, scalar_of
from equipoise.game.parameters import tangent

__all__ = [
    "block_modulus",
    "contraction_margin",
    "lowest_curvature",
    "lowest_programme",
    "lowest_programme_exactly",
    "network_modulus",
]

FloatArray = NDArray[np.float64]

DENSE_LIMIT = 1500
"""Largest (agents × directions) matrix whose spectrum is computed whole."""

MANY_ROWS = 10_000
"""Above this many rows the smallest diagonal entry serves as the bound, where it is positive."""

PIECE = 1 << 12
"""Rows whose matrices are in memory at once."""


def tangent_curvatures(form: AffineForm, rows: NDArray[np.intp]) -> FloatArray:
    """Return H_i restricted to T, (len(rows), K−1, K−1)."""
    basis = tangent(form.n_groups)
    out = np.zeros((rows.size, form.n_groups - 1, form.n_groups - 1))
    for weight, matrix in form.curvatures:
        square = np.eye(form.n_groups - 1) if matrix is None else basis.T @ matrix @ basis
        out += weight[rows, None, None] * square
    return out


def lowest_curvature(form: AffineForm) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and largest eigenvalue of H_i|T for every row, (rows,) each.

    Two matrices or more and very many rows: sums of theirs, bounds on the safe side (Weyl).
    """
    scalar = form.scalar_curvature
    if scalar is not None:
        return scalar, scalar
    live = [(w, m) for w, m in form.curvatures if np.any(w != 0)]
    fixed = [m for _, m in live if m is not None and scalar_of(m) is None]
    if len(fixed) == 1:
        # Only one matrix is not a multiple of I: its eigenvalues move rigidly.
        basis = tangent(form.n_groups)
        values = np.linalg.eigvalsh(basis.T @ fixed[0] @ basis)
        shift = np.zeros(form.n_rows)
        scale = np.zeros(form.n_rows)
        for weight, matrix in live:
            factor = scalar_of(matrix)
            if factor is None:
                scale = scale + weight
            else:
                shift = shift + weight * factor
        return np.asarray(shift + scale * values[0]), np.asarray(shift + scale * values[-1])
    if form.n_rows > MANY_ROWS:
        return _summed_bounds(form, live)
    values = np.linalg.eigvalsh(tangent_curvatures(form, np.arange(form.n_rows)))
    return np.asarray(values[:, 0]), np.asarray(values[:, -1])


def _summed_bounds(
    form: AffineForm, live: list[tuple[FloatArray, FloatArray | None]]
) -> tuple[FloatArray, FloatArray]:
    basis = tangent(form.n_groups)
    low, high = np.zeros(form.n_rows), np.zeros(form.n_rows)
    for weight, matrix in live:
        square = np.eye(form.n_groups) if matrix is None else matrix
        values = np.linalg.eigvalsh(basis.T @ square @ basis)
        low, high = low + weight * values[0], high + weight * values[-1]
    return low, high


def lowest_programme(form: AffineForm, total: int) -> FloatArray:
    r"""Bound the curvature of every row's programme :math:`\gamma_iD_i` on T from below, (rows,).

    Exact for :math:`S = \sigma I`; `total` is N, also when the rows are only a part of it.
    """
    low, _ = lowest_curvature(form)
    spectrum = kernel_spectrum(form)[0] if form.n_groups > 1 else np.zeros(1)
    pull = np.where(form.gamma > 0, spectrum.max(initial=0.0), spectrum.min(initial=np.inf))
    return np.asarray(low - form.gamma * pull / (total - 1))


def lowest_programme_exactly(form: AffineForm, rows: NDArray[np.intp]) -> FloatArray:
    r"""Return the smallest eigenvalue of :math:`\gamma_iD_i|T` of some rows, (len(rows),)."""
    basis = tangent(form.n_groups)
    kernel = basis.T @ form.kernel_matrix() @ basis / (form.agents.total - 1)
    out = np.empty(rows.size)
    for low in range(0, rows.size, PIECE):
        part = rows[low : low + PIECE]
        own = tangent_curvatures(form, part) - form.gamma[part, None, None] * kernel
        out[low : low + PIECE] = np.linalg.eigvalsh(own)[:, 0]
    return out


def kernel_spectrum(form: AffineForm) -> tuple[FloatArray, FloatArray]:
    """Return eigenvalues (ascending) and eigenvectors of S|T."""
    n = form.n_groups
    if form.kernel_scale is not None:
        return np.full(n - 1, form.kernel_scale), np.eye(n - 1)
    basis = tangent(n)
    values, vectors = np.linalg.eigh(basis.T @ form.kernel_matrix() @ basis)
    return np.maximum(values, 0.0), np.asarray(vectors)


def kernel_defect(form: AffineForm) -> float:
    """Return how far S|T falls short of positive semidefinite: what `kernel_spectrum` cuts off.

    A kernel is accepted with a slightly negative eigenvalue; a proof must pay for it.
    """
    if form.kernel_scale is not None:
        return max(0.0, -form.kernel_scale)
    basis = tangent(form.n_groups)
    values = np.linalg.eigvalsh(basis.T @ form.kernel_matrix() @ basis)
    return max(0.0, -float(values[0]))


def contraction_margin(form: AffineForm) -> tuple[float, float]:
    """Return min_i λ_min(H_i|T) − |γ_i| λ_max(S|T) (R2 c) and the scale of its rounding."""
    low, high = lowest_curvature(form)
    top = max(float(kernel_spectrum(form)[0].max()), kernel_defect(form))
    met = np.abs(form.gamma)
    if form.network is not None:
        met = np.where(form.network.degrees > 0, met, 0.0)
    return float((low - met * top).min()), float((high + met * top).max())


def block_modulus(form: AffineForm, rows: NDArray[np.intp], sign: float) -> tuple[float, float]:
    r"""Return the smallest eigenvalue of one sign block of R2(b), and its scale.

    For γ > 0 the block is :math:`\mathrm{blkdiag}(D_i) + 11^\top\otimes S/(N-1)` with
    :math:`D_i = H_i/\gamma_i - S/(N-1)`; for γ < 0 both kernel signs turn. The shift at which
    the block stops being positive definite is bracketed by inertia: with :math:`S=FF^\top`,
    :math:`n_-(M) = \sum_i n_i n_-(D_i) - n_-((N-1)I + F^\top \sum_i n_i D_i^{-1} F)`.
    """
    met = form.agents.total - 1
    counts = form.agents.counts[rows].astype(np.float64)
    values, vectors = kernel_spectrum(form)
    scalar = form.scalar_curvature
    weight = np.abs(form.gamma[rows])
    if scalar is not None:
        # In the eigenbasis of S everything is diagonal: one scalar problem a direction.
        ratio = scalar[rows] / weight
        scale = float(ratio.max() + values.max() * (1 + counts.sum()) / met)
        low = min(
            _scalar_block(ratio - sign * float(value) / met, counts, sign * float(value) / met)
            for value in np.unique(values)
        )
        return low - kernel_defect(form), scale
    kernel_t = (vectors * values) @ vectors.T
    own_t = tangent_curvatures(form, rows) / weight[:, None, None] - sign * kernel_t / met
    factor = vectors * np.sqrt(values / met)
    low, scale = _matrix_block(own_t, counts, factor, sign)
    return low - kernel_defect(form), scale


def _scalar_block(own: FloatArray, counts: FloatArray, link: float) -> float:
    """Smallest eigenvalue of diag(own, repeated counts times) + link·11ᵀ, bracketed below."""
    if own.size > MANY_ROWS and link >= 0 and own.min() > 0:
        return float(own.min())
    order = np.argsort(own)
    own, counts = own[order], counts[order]
    lowest = float(own[0])
    if link == 0 or (link > 0 and counts[0] > 1):
        return lowest
    if link > 0:
        # Rank one added: the smallest eigenvalue lies between the two smallest entries.
        low = lowest
        high = float(own[1]) if own.size > 1 else lowest + link * float(counts[0])
        return _bracket(lambda t: 1 + link * float((counts / (own - t)).sum()) < 0, low, high)
    low = lowest + link * float(counts.sum())
    return _bracket(lambda t: 1 + link * float((counts / (own - t)).sum()) > 0, low, lowest)


def _bracket(below: object, low: float, high: float) -> float:
    """Largest t found in [low, high) with `below(t)`, a lower bound of the eigenvalue."""
    assert callable(below)
    start, end = low, high
    for _ in range(80):
        middle = 0.5 * (low + high)
        if middle in (start, end):
            break
        low, high = (middle, high) if below(middle) else (low, middle)
    return low


def _matrix_block(
    own: FloatArray, counts: FloatArray, factor: FloatArray, sign: float
) -> tuple[float, float]:
    r"""Smallest eigenvalue of blkdiag(own) + sign · 11ᵀ⊗FFᵀ, by inertia, bracketed below."""
    eye = np.eye(own.shape[1])
    ends = np.linalg.eigvalsh(own)
    gram = float(np.linalg.eigvalsh(factor.T @ factor)[-1]) * float(counts.sum())
    scale = float(np.abs(ends).max()) + gram

    def definite(shift: float) -> bool:
        moved = ends - shift
        negative = int((counts[:, None] * (moved < 0)).sum())
        if (moved == 0).any() or (negative > own.shape[1] if sign > 0 else negative > 0):
            return False
        try:
            inverse = np.linalg.inv(own - shift * eye)
        except np.linalg.LinAlgError:
            # The bisection has met an eigenvalue to the last bit: no claim there.
            return False
        middle = np.einsum("i,ijk->jk", counts, inverse)
        z = np.eye(factor.shape[1]) + sign * factor.T @ middle @ factor
        lost = int((np.linalg.eigvalsh((z + z.T) / 2) < 0).sum())
        return negative == lost if sign > 0 else lost == 0

    low = float(ends.min()) - (0.0 if sign > 0 else gram)
    high = float(ends.min()) + (gram if sign > 0 else 0.0)
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if definite(middle) else (low, middle)
    return low, scale


def network_modulus(form: AffineForm) -> tuple[float, float, bool]:
    r"""Return the smallest eigenvalue of R2(a)'s matrix, its scale, and whether it is exact.

    Agents with γ = 0 or without neighbours are constants for the others; the value is then the
    smaller of theirs and the rest's. Mixed signs: each sign block passes separately. Above
    `DENSE_LIMIT` a block-Gershgorin lower bound is used (a Lanczos value would prove nothing).
    """
    network = form.network
    assert network is not None
    low, high = lowest_curvature(form)
    idle = (form.gamma == 0) | (network.degrees == 0)
    margins = [float(low[idle].min())] if idle.any() else []
    scales = [float(high.max())]
    exact = True
    for sign in (1.0, -1.0):
        rows = np.flatnonzero(~idle & (sign * form.gamma > 0))
        if not rows.size:
            continue
        factor = network.degrees[rows] / np.abs(form.gamma[rows])
        top = float(kernel_spectrum(form)[0].max())
        scales.append(float((factor * high[rows]).max()) + float(network.degrees.max()) * top)
        value, sure = _network_block(form, rows, sign, factor, low)
        margins.append(value - kernel_defect(form) * float(network.degrees.max()))
        exact = exact and sure
    return min(margins), max(scales), exact


def _network_block(
    form: AffineForm,
    rows: NDArray[np.intp],
    sign: float,
    factor: FloatArray,
    low: FloatArray,
) -> tuple[float, bool]:
    network = form.network
    assert network is not None
    values, vectors = kernel_spectrum(form)
    scalar = form.scalar_curvature
    size = rows.size if scalar is not None else rows.size * values.size
    if size > DENSE_LIMIT:
        bound = factor * low[rows] - network.degrees[rows] * float(values.max())
        return float(bound.min()), False
    links = network.dense()[np.ix_(rows, rows)]
    if scalar is not None:
        own = np.diag(factor * scalar[rows])
        return min(
            float(np.linalg.eigvalsh(own + sign * float(value) * links)[0])
            for value in np.unique(values)
        ), True
    kernel_t = (vectors * values) @ vectors.T
    blocks = tangent_curvatures(form, rows) * factor[:, None, None]
    whole = sign * np.kron(links, kernel_t)
    n = values.size
    for i in range(rows.size):
        whole[i * n : (i + 1) * n, i * n : (i + 1) * n] += blocks[i]
    return float(np.linalg.eigvalsh(whole)[0]), True
