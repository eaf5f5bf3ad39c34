r"""The exam of a profile in shards (R3): a pass for its coverage, a pass for its gaps.

It reads the game's numbers and the profile's files and nothing a solver computed. An agent's
gap needs the coverage and its own row only. This file imports no solver and no projection.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import Engine
from equipoise.equilibrium import compiled
from equipoise.equilibrium.curvature import kernel_defect, kernel_spectrum, lowest_curvature
from equipoise.equilibrium.shard_rows import mapped
from equipoise.equilibrium.shards import Progress, ShardedGame, each_shard, opened
from equipoise.equilibrium.uniqueness import Uniqueness
from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm

__all__ = ["ShardCertificate", "certify_shards", "profile_file"]

FloatArray = NDArray[np.float64]

ROUNDING = 8 * float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True, eq=False)
class ShardCertificate:
    r"""What is known about a profile in shards.

    Attributes
    ----------
    coverage, top_weight : (groups,) arrays
        Mean and largest weight of each group over all agents, from the files.
    max_gap : float
        Largest Frank–Wolfe gap of any agent, utility units: nobody can gain more by moving
        alone.
    max_relative_gap : float
        Largest gap over the agent's utility range; rounding is not forgiven.
    worst : int
        Row (from 0, all shards counted through) of that agent.
    uniqueness : Uniqueness
        By the sufficient tests of R2(b) and (c) alone, agent by agent; `weights` is left out.
    distance : float or None
        Where the test gives a modulus: a bound on :math:`\sqrt{\sum_i\|x_i-x_i^*\|^2}`.
    """

    coverage: FloatArray
    top_weight: FloatArray
    max_gap: float
    max_relative_gap: float
    worst: int
    uniqueness: Uniqueness
    distance: float | None

    def __repr__(self) -> str:
        near = "" if self.distance is None else f", within {self.distance:.1e} of it"
        return (
            f"ShardCertificate(max gap {self.max_gap:.2e}, relative {self.max_relative_gap:.2e}; "
            f"uniqueness {self.uniqueness.verdict}{near})"
        )


def profile_file(folder: Path, shard: int) -> Path:
    """Return where the profile of a shard lies."""
    return folder / f"profile-{shard:05d}.npy"


def certify_shards(
    game: ShardedGame,
    folder: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> ShardCertificate:
    r"""Examine the profile in `folder/profile-00000.npy`, … (R3); no solver takes part.

    Parameters
    ----------
    game : ShardedGame
    folder : path
        One (rows, groups) file a shard, rows on the simplex within 1e-9.
    engine, progress
        As in `solve_shards`.

    Returns
    -------
    ShardCertificate
        Not guaranteed: uniqueness where only the exact test of R2(b) would prove it.

    Raises
    ------
    BadInput
        A file is missing, has the wrong shape, or holds something that is no mixture.
    """
    where = Path(folder).resolve()
    tell: Progress = progress or (lambda done, total, what: None)
    more: dict[str, Any] = {"folder": str(where)}
    k = len(game.groups)
    total, top = np.zeros(k), np.zeros(k)
    for part in each_shard(game, sum_shard, more, engine, tell, "adding up"):
        total += part["total"]
        top = np.maximum(top, part["top"])
    more |= {"total": total.tolist()}
    parts = list(each_shard(game, examine_shard, more, engine, tell, "examining"))
    gaps = [float(part["relative"]) for part in parts]
    shard = int(np.argmax(gaps))
    statement, slack = _uniqueness(game, parts)
    distance = None
    if statement.modulus is not None:
        distance = math.sqrt(slack / statement.modulus)
    return ShardCertificate(
        coverage=total / game.total,
        top_weight=top,
        max_gap=max(float(part["gap"]) for part in parts),
        max_relative_gap=gaps[shard],
        worst=sum(game.lengths[:shard]) + int(parts[shard]["row"]),
        uniqueness=statement,
        distance=distance,
    )


def _profile(game: ShardedGame, folder: str, shard: int) -> FloatArray:
    path = profile_file(Path(folder), shard)
    array = mapped(path)
    shape = (game.lengths[shard], len(game.groups))
    if array.shape != shape or array.dtype != np.float64:
        raise BadInput(f"{path}: expected {shape} numbers of float64, got {array.shape}")
    return array


def sum_shard(game: str, shard: int, folder: str) -> dict[str, Any]:
    """Check that the rows of a shard's profile are mixtures; return their sum and largest."""
    whole = opened(game)
    x = _profile(whole, folder, shard)
    total, top = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    step = compiled.CHUNK
    for low in range(0, len(x), step):
        part = np.asarray(x[low : low + step])
        off = np.abs(part.sum(axis=1) - 1.0)
        if not part.min() >= 0 or not off.max() <= 1e-9:
            bad = ~((part >= 0).all(axis=1) & (off <= 1e-9))
            raise BadInput(
                f"{profile_file(Path(folder), shard)}: row {low + int(bad.argmax())} is no "
                "mixture; weights are >= 0 and sum to 1"
            )
        # A product with ones adds in blocks: fewer roundings than row by row.
        total += np.ones(len(part)) @ part
        top = np.maximum(top, part.max(axis=0))
    return {"total": total, "top": top}


def examine_shard(game: str, shard: int, folder: str, total: list[float]) -> dict[str, Any]:
    """Return a shard's largest gaps, whose they are, and its part of the tests of R2."""
    whole = opened(game)
    x = _profile(whole, folder, shard)
    worst: dict[str, Any] = {"gap": 0.0, "relative": -1.0, "row": 0, "slack": 0.0}
    least = {"lean": np.inf, "idle": np.inf, "contraction": np.inf, "gamma": np.inf}
    scale = 0.0
    for block in whole.blocks(shard):
        form, rows = block.form, np.asarray(x[block.low : block.high])
        gap, spread, steepest = _exam(form, whole.total, np.array(total), rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(gap == 0.0, 0.0, gap / spread)
        relative = np.where(np.isnan(relative), np.inf, relative)
        at = int(relative.argmax())
        if float(relative[at]) > worst["relative"]:
            worst |= {"relative": float(relative[at]), "row": block.low + at}
        worst["gap"] = max(worst["gap"], float(gap.max()))
        low, high = lowest_curvature(form)
        top = float(kernel_spectrum(form)[0].max(initial=0.0)) + kernel_defect(form)
        gamma = form.gamma
        on = gamma > 0
        rounding = ROUNDING * (1 + form.n_groups) * steepest
        if on.any():
            least["lean"] = min(least["lean"], float((low[on] / gamma[on]).min()))
            scale = max(scale, float((high[on] / gamma[on]).max()) + top)
            worst["slack"] += float(((gap + rounding)[on] / gamma[on]).sum())
        if (gamma == 0).any():
            least["idle"] = min(least["idle"], float(low[gamma == 0].min()))
        margin = low - np.abs(gamma) * top
        least["contraction"] = min(least["contraction"], float(margin.min()))
        least["gamma"] = min(least["gamma"], float(gamma.min()))
    return {**worst, **least, "scale": scale, "size": float(high.max() + np.abs(gamma).max())}


def _exam(
    form: AffineForm, total: int, met: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return gap, utility range and largest |v_ik| of some rows, by NumPy on all threads."""
    rows = len(x)
    gap, spread, steepest = np.empty(rows), np.empty(rows), np.empty(rows)

    def work(chunk: int, low: int, high: int) -> None:
        def some(array: FloatArray) -> FloatArray:
            part = array if len(array) == 1 else array[low:high]
            return part[:, None] if part.ndim == 1 else part

        own = x[low:high]
        others = (met - own) / (total - 1)
        if form.kernel is not None:
            others = others @ form.kernel
        linear = some(form.alpha) * some(form.values) + some(form.beta) * some(form.pull)
        linear = linear + form.common - some(form.weight) * others
        bend, diagonal = np.zeros(own.shape), np.zeros(own.shape)
        for weight, matrix in form.curvatures:
            bend += some(weight) * (own if matrix is None else own @ matrix)
            diagonal += some(weight) * (1.0 if matrix is None else np.diag(matrix))
        v = linear - bend
        # Summing x·(max v − v): no cancellation, never negative.
        gap[low:high] = (own * (v.max(axis=1, keepdims=True) - v)).sum(axis=1)
        here = (own * (linear - 0.5 * bend)).sum(axis=1)
        at = linear - 0.5 * diagonal
        top = np.maximum(at.max(axis=1), here)
        spread[low:high] = top - np.minimum(at.min(axis=1), here)
        steepest[low:high] = np.abs(v).max(axis=1)

    compiled.each_chunk(rows, work)
    return gap, spread, steepest


def _uniqueness(game: ShardedGame, parts: list[Mapping[str, Any]]) -> tuple[Uniqueness, float]:
    """(b) by the smallest D_i alone, or (c); with Σ g_i/γ_i for the distance bound."""
    if len(game.groups) == 1:
        return Uniqueness("proved", math.inf, "one group: every mixture is 1"), 0.0
    form = game.sample(1)
    top, defect = float(kernel_spectrum(form)[0].max()), kernel_defect(form)
    least = {
        key: min(float(part[key]) for part in parts)
        for key in ("lean", "idle", "contraction", "gamma")
    }
    scale = max(float(part["scale"]) for part in parts)
    size = max(float(part["size"]) for part in parts)
    bound = least["lean"] - (top + game.total * defect) / (game.total - 1)
    if least["gamma"] >= 0 and bound > 1e-12 * scale and least["idle"] > 1e-12 * size:
        test = (
            "R2(b): smallest λ_min(H_i|T)/γ_i − λ_max(S|T)/(N−1) over all agents (rows divided "
            "by γ_i)"
        )
        margin = min(bound, least["idle"])
        everybody = math.isfinite(least["lean"]) and math.isinf(least["idle"])
        slack = sum(float(part["slack"]) for part in parts)
        return Uniqueness("proved", margin, test, bound if everybody else None), slack
    test = "R2(c): smallest λ_min(H_i|T) − |γ_i| λ_max(S|T); best responses contract"
    proved = least["contraction"] > 1e-12 * size
    return Uniqueness("proved" if proved else "unknown", least["contraction"], test), 0.0
