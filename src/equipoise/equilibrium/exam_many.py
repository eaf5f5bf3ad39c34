r"""The exam of R3 in compiled passes over many rows, and what all exams share.

Numbers come from the game's terms and the profile alone: no solver, no projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm, scalar_of
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import ROW_TOLERANCE, Profile
from equipoise.game.terms import Attractiveness, Consistency, Diversity, Subsidy, Variety

__all__ = [
    "ROUNDING",
    "Exam",
    "examine_any",
    "examine_multiples",
    "regret_bound",
    "rows_of",
    "sharpen",
]

FloatArray = NDArray[np.float64]

FEW = 1 << 13
"""Rows in a chunk of the exam of any matrices."""

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


def sharpen(
    regret: FloatArray,
    gap: FloatArray,
    spread: FloatArray,
    look: Callable[[NDArray[np.intp]], tuple[FloatArray, FloatArray, FloatArray]],
) -> None:
    """Replace regret by its exact value in rows that are far from equilibrium."""
    far = np.flatnonzero(regret > 1e-9 * spread)
    if far.size:
        v, x, h = look(far)
        regret[far] = np.minimum(gap[far], regret_bound(v, x, h, gap[far]))


def rows_of(array: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    """Return some rows of an array that may have one row for all."""
    return array[rows] if len(array) > 1 else np.repeat(array, rows.size, axis=0)


def examine_multiples(form: AffineForm, h: FloatArray, sigma: float, profile: Profile) -> Exam:
    """Examine curvature and kernel multiples of I in one pass, which also checks the rows."""
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
        g = rows_of(form.alpha, rows)[:, None] * rows_of(form.values, rows) + prices
        g = g + rows_of(form.beta, rows)[:, None] * rows_of(form.pull, rows)
        g -= rows_of(weight, rows)[:, None] * (met_total - x[rows] * (sigma / met))
        return g - rows_of(h, rows)[:, None] * x[rows], x[rows], rows_of(h, rows)

    def more() -> tuple[FloatArray, FloatArray]:
        _, regret, spread, _ = examined(True)
        sharpen(regret, gap, spread, some)
        return regret, spread

    gap, _, _, size = examined(False)
    size += float(np.ptp(form.common))
    size *= ROUNDING * (1 + k)
    return Exam(gap, size, more)


def regret_bound(v: FloatArray, x: FloatArray, h: FloatArray, gap: FloatArray) -> FloatArray:
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


class Read(NamedTuple):
    """An affine game's terms as the compiled exam takes them, (rows or 1, …) each."""

    values: FloatArray
    alpha: FloatArray
    pull: FloatArray
    prices: FloatArray
    beta: FloatArray
    rho: FloatArray
    gamma: FloatArray
    matrices: FloatArray
    """Metric, variety matrix, kernel: (3, groups, groups)."""
    dense: NDArray[np.bool_]
    """Whether each is not I (its multiple is in the weight)."""


def _read(game: AlignmentGame) -> Read:
    k = len(game.groups)
    zero, none = np.zeros(1), np.zeros((1, k))
    appeal, subsidy = game.term(Attractiveness), game.term(Subsidy)
    anchored, variety = game.term(Consistency), game.term(Variety)
    diversity = game.term(Diversity)
    squares = [
        None if anchored is None else anchored.metric,
        None if variety is None else variety.matrix,
        None if diversity is None else diversity.kernel,
    ]
    matrices, dense = np.stack([np.eye(k)] * 3), np.zeros(3, dtype=np.bool_)
    weights = [zero, zero, zero]
    for j, (term, matrix) in enumerate(zip((anchored, variety, diversity), squares, strict=True)):
        scale = scalar_of(matrix)
        if matrix is not None and not scale and term is not None and np.any(term.weight):
            matrices[j], dense[j] = matrix, True
        if term is not None and (term is not diversity or game.agents.total > 1):
            weights[j] = np.atleast_1d(term.weight) * (scale or 1.0)
    anchors = none if anchored is None else np.atleast_2d(anchored.anchor)
    return Read(
        none if appeal is None else np.atleast_2d(appeal.values),
        zero if appeal is None else np.atleast_1d(appeal.weight),
        anchors @ matrices[0] if dense[0] else anchors,
        none[0] if subsidy is None else subsidy.prices - subsidy.prices.max(),
        weights[0],
        weights[1],
        weights[2],
        matrices,
        dense,
    )


def examine_any(game: AlignmentGame, profile: Profile) -> Exam:
    """Examine an affine game with any metric, variety matrix and kernel, default network."""
    from equipoise.equilibrium.examiner import general_exam_pass

    terms, x = _read(game), profile.array
    rows, k = x.shape
    chunks = -(-rows // FEW)
    sums = np.zeros((chunks, k))
    counts = game.agents.counts.astype(np.float64) if game.agents.typed else None

    def add(chunk: int, low: int, high: int) -> None:
        part = x[low:high]
        sums[chunk] = np.ones(high - low) @ part if counts is None else counts[low:high] @ part

    compiled.each_chunk(rows, add, FEW)
    given: list[Any] = [compiled.readable(a) for a in terms[:-1]]
    met = terms.matrices[2] @ sums.sum(axis=0)
    given += [terms.dense, compiled.readable(met), compiled.readable(x)]
    given.append(float(max(1, game.agents.total - 1)))
    run: Callable[..., None] = general_exam_pass

    def examined(full: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        gap, size = np.empty(rows), np.empty(rows)
        regret, spread = (np.empty(rows if full else 1) for _ in range(2))
        off = np.zeros((chunks, 2))
        more = (full, gap, regret, spread, size)
        compiled.each_chunk(
            rows, lambda chunk, low, high: run(*given, low, high, *more, off[chunk]), FEW
        )
        if not off[:, 0].max() <= ROW_TOLERANCE or off[:, 1].min() < 0:
            raise BadInput("profile: a row is off the simplex; divide it by its sum")
        return gap, regret, spread, size

    gap, _, _, size = examined(False)
    size += float(np.ptp(terms.prices))
    return Exam(gap, ROUNDING * (1 + k) * size, lambda: examined(True)[1:3])
