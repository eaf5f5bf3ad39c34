r"""One compiled pass of R10 over the rows of a population (or of a part of it).

For curvature and kernel multiples of the identity everything :math:`O(NK)` happens in
`kernels.answer_pass`, for any other in `kernels_general.general_pass`; chunks are added in their
order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.game.affine import AffineForm, scalar_of

__all__ = ["Blend", "Pass", "answer_general", "answer_rows", "blend", "definite"]

FloatArray = NDArray[np.float64]

FEW = 1 << 12
"""Rows in a chunk where a row is a programme of its own."""


class Pass(NamedTuple):
    """What a pass returns."""

    mean: FloatArray
    """The part of the coverage that these rows answer, (groups,)."""
    jacobian: FloatArray
    """Their part of Q (R7), (groups, groups)."""
    least_curvature: float
    steepest: float
    r"""Largest :math:`|\gamma'_i|/h_i`, or :math:`|\gamma'_i|P_{kk}`."""
    unsettled: int = 0
    """Rows whose programme was given up: the exam will see them."""


def answer_rows(
    form: AffineForm,
    m: FloatArray,
    *,
    total: int,
    level: FloatArray,
    warm: bool,
    profile: FloatArray | None = None,
    extra: float = 0.0,
) -> Pass:
    r"""Let every row answer the coverage m; write the profile when given.

    Parameters
    ----------
    form : AffineForm
        Rows with curvature :math:`h_i I` and kernel :math:`\sigma I`, default network.
    m : (groups,) array
        Coverage.
    total : int
        Number of agents of the whole population, N.
    level : (rows,) array
        Written: the level of every row; read when `warm`.
    profile : (rows, groups) array, optional
        Written when given.
    extra : float
        Curvature added to every agent's (continuation).
    """
    from equipoise.equilibrium.kernels import answer_pass

    curvature, sigma = form.own_weight, form.kernel_scale
    assert curvature is not None
    assert sigma is not None
    rows, k = len(level), form.n_groups
    chunks = -(-rows // compiled.CHUNK)
    mean, parts = np.zeros((chunks, k)), np.zeros((chunks, k + 1, k))
    limits = np.tile([np.inf, 0.0], (chunks, 1))
    read = compiled.readable
    counts = form.agents.counts / total if form.agents.typed else np.array([1.0 / total])
    given = [read(a) for a in (form.values, form.alpha, form.pull, form.beta, form.common)]
    given += [read(sigma * m), read(form.weight), read(curvature), read(counts)]
    out = np.empty((1, k)) if profile is None else np.asarray(profile)
    run: Callable[..., None] = answer_pass

    def work(chunk: int, low: int, high: int) -> None:
        run(
            *given, sigma / (total - 1), total / (total - 1), extra, level, warm, out,
            profile is not None, low, high, mean[chunk], parts[chunk], limits[chunk],
        )  # fmt: skip

    compiled.each_chunk(rows, work)
    whole = parts.sum(axis=0)
    upper = np.triu(whole[:-1])
    outer = upper + upper.T - np.diag(np.diag(upper))
    return Pass(
        mean.sum(axis=0),
        np.diag(whole[-1]) - outer,
        float(limits[:, 0].min()),
        float(limits[:, 1].max()),
    )


class Blend(NamedTuple):
    r"""Curvatures :math:`A_i = d_i I + \sum_t w_{it} M_t` of R10's programmes, kept apart."""

    own: FloatArray
    """d_i, (rows or 1,)."""
    weights: FloatArray
    """w_it, (rows or 1, matrices)."""
    matrices: FloatArray
    """M_t, (matrices, groups, groups)."""


def blend(form: AffineForm, total: int) -> Blend:
    r"""Take :math:`H_i - \gamma_i S/(N-1)` apart into a multiple of I and shared matrices."""
    parts = [*form.curvatures, (form.weight / (1 - total), form.kernel)]
    own, weights, matrices = np.zeros(1), [], []
    for weight, matrix in parts:
        once = weight[:1] if weight.strides == (0,) else weight
        scale = scalar_of(matrix)
        if scale is not None:
            own = own + once * scale
        elif matrix is not None and np.any(once):
            weights.append(once)
            matrices.append(matrix)
    n = form.n_groups
    if not weights:
        return Blend(own, np.zeros((1, 0)), np.zeros((0, n, n)))
    rows = max(w.size for w in weights)
    table = np.stack([np.broadcast_to(w, (rows,)) for w in weights], axis=1)
    return Blend(own, table, np.stack(matrices))


def definite(parts: Blend, rows: int) -> bool:
    """Whether every row's curvature is positive definite on vectors that sum to zero."""
    from equipoise.equilibrium.kernels_general import definite_pass

    given = [compiled.readable(a) for a in parts]
    failed = np.zeros((-(-rows // FEW), 1))
    run: Callable[..., None] = definite_pass
    compiled.each_chunk(rows, lambda c, low, high: run(*given, low, high, failed[c]), FEW)
    return not failed.any()


def answer_general(
    form: AffineForm,
    parts: Blend,
    m: FloatArray,
    *,
    total: int,
    served: NDArray[np.uint8],
    warm: bool,
    profile: FloatArray | None = None,
    extra: float = 0.0,
) -> Pass:
    r"""Let every row answer the coverage m, for any metric, variety matrix and kernel.

    Parameters
    ----------
    form : AffineForm
        Rows on the default network.
    parts : Blend
        Their curvatures, from `blend`.
    m : (groups,) array
        Coverage.
    total : int
        Number of agents of the whole population, N.
    served : (rows, groups) array
        Written: which groups each row serves; read when `warm`.
    profile : (rows, groups) array, optional
        Written when given.
    extra : float
        Curvature added to every agent's (continuation).
    """
    from equipoise.equilibrium.kernels_general import general_pass

    rows, k = served.shape
    chunks = -(-rows // FEW)
    mean, slopes, limits = np.zeros((chunks, k)), np.zeros((chunks, k, k)), np.zeros((chunks, 2))
    read = compiled.readable
    counts = form.agents.counts / total if form.agents.typed else np.array([1.0 / total])
    pressure = m if form.kernel is None else form.kernel @ m
    given = [read(a) for a in (form.values, form.alpha, form.pull, form.beta, form.common)]
    given += [read(pressure), read(form.weight), *(read(a) for a in parts), read(counts)]
    out = np.empty((1, k)) if profile is None else np.asarray(profile)
    run: Callable[..., None] = general_pass

    def work(chunk: int, low: int, high: int) -> None:
        run(
            *given, total / (total - 1), extra, served, warm, out, profile is not None,
            low, high, mean[chunk], slopes[chunk], limits[chunk],
        )  # fmt: skip

    compiled.each_chunk(rows, work, FEW)
    steepest, lost = float(limits[:, 0].max()), int(limits[:, 1].sum())
    return Pass(mean.sum(axis=0), slopes.sum(axis=0), 0.0, steepest, lost)
