r"""One compiled pass of R10 over the rows of a population (or of a part of it).

For curvature and kernel multiples of the identity: everything :math:`O(NK)` happens in
`kernels.answer_pass`, in chunks added in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.game.affine import AffineForm

__all__ = ["Pass", "answer_rows"]

FloatArray = NDArray[np.float64]


class Pass(NamedTuple):
    """What a pass returns."""

    mean: FloatArray
    """The part of the coverage that these rows answer, (groups,)."""
    jacobian: FloatArray
    """Their part of Q (R7), (groups, groups)."""
    least_curvature: float
    steepest: float
    r"""Largest :math:`|\gamma'_i|/h_i`."""


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
