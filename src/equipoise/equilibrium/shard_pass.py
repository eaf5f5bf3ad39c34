r"""One pass over one shard: check its numbers, answer a coverage, write its profile (R10).

Each function here is a piece of work for an engine: it is found by its import path and its
arguments are JSON.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.equilibrium.answers import build_plain
from equipoise.equilibrium.curvature import lowest_programme
from equipoise.equilibrium.passes import answer_general, answer_rows, blend
from equipoise.equilibrium.shard_exam import profile_file
from equipoise.equilibrium.shards import opened
from equipoise.game.affine import AffineForm

__all__ = ["answer_shard", "survey_shard"]

FloatArray = NDArray[np.float64]


def survey_shard(game: str, shard: int) -> dict[str, Any]:
    """Check every number of a shard; return its lowest curvature (and whose) and its scales."""
    whole = opened(game)
    lowest, row, ratio, size = np.inf, 0, 0.0, 0.0
    for block in whole.blocks(shard, check=True):
        own = lowest_programme(block.form, whole.total)
        gamma = np.abs(block.form.gamma)
        if float(own.min()) < lowest:
            lowest, row = float(own.min()), block.low + int(own.argmin())
        if lowest > 0:
            ratio = max(ratio, float((gamma / own).max()) * whole.total / (whole.total - 1))
        size = max(size, float(gamma.max()))
    return {"lowest": lowest, "row": row, "ratio": ratio, "size": size}


def answer_shard(
    game: str, shard: int, coverage: list[float], extra: float, out: str | None = None
) -> dict[str, Any]:
    """Answer a coverage for one shard; return its sums, and write its profile into `out`."""
    whole = opened(game)
    m = np.array(coverage)
    mean, jacobian = np.zeros(m.size), np.zeros((m.size, m.size))
    place = None if out is None else profile_file(Path(out), shard)
    part = None if place is None else place.with_name(f".{place.name}.part")
    profile = None
    if part is not None:
        shape = (whole.lengths[shard], m.size)
        profile = np.lib.format.open_memmap(part, mode="w+", dtype=np.float64, shape=shape)
    for block in whole.blocks(shard):
        rows = None if profile is None else profile[block.low : block.high]
        more, q = _answer(block.form, whole.total, m, extra, rows)
        mean += more
        jacobian += q
    if profile is not None and part is not None and place is not None:
        profile.flush()
        del profile
        os.replace(part, place)
    return {"mean": mean, "jacobian": jacobian}


def _answer(
    form: AffineForm, total: int, m: FloatArray, extra: float, profile: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    own, sigma = form.own_weight, form.kernel_scale
    many = compiled.available() and total >= compiled.ROWS
    if many and (own is None or sigma is None):
        # Only the groups served by one block are kept, and dropped.
        served = np.empty((form.n_rows, m.size), dtype=np.uint8)
        done = answer_general(
            form, blend(form, total), m,
            total=total, served=served, warm=False, profile=profile, extra=extra,
        )  # fmt: skip
        return done.mean, done.jacobian
    if many:
        # Only their levels λ.
        level = np.empty(form.n_rows)
        done = answer_rows(
            form, m, total=total, level=level, warm=False, profile=profile, extra=extra
        )
        return done.mean, done.jacobian
    problem = build_plain(form, extra, total)
    x = problem.respond(m)
    if profile is not None:
        profile[:] = x
    return problem.share @ x, problem.jacobian(x > 0)
