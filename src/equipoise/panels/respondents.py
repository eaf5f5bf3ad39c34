"""The rows of a panel: private to this room, never shown, never exported, never pickled.

Rows are sorted by group, so that one matrix product per group turns resampling weights
into answer tallies. Only tallies over cells leave this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels.design import SurveyDesign

__all__ = ["Respondents", "Tallies"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BLOCK_CELLS = 4_000_000  # entries of one block of resampling weights: 32 MB
ATTEMPTS = 200


@final
@dataclass(frozen=True, eq=False)
class Tallies:
    """Weighted tallies of one or many resamples.

    Parameters
    ----------
    size : (..., K) array
        Total weight of each group.
    answers : (..., K, Q, C) array
        Weight of those who chose each option.
    squares : (..., K, Q) array
        Sum of squared weights of those who answered.
    """

    size: FloatArray
    answers: FloatArray
    squares: FloatArray

    @property
    def answered(self) -> FloatArray:
        """Weight of those who answered, (..., K, Q)."""
        return np.asarray(self.answers.sum(axis=-1))

    @property
    def n_eff(self) -> FloatArray:
        """Kish's effective number of answers, (..., K, Q); 0 where nobody answered."""
        weight = self.answered
        result: FloatArray = np.divide(
            weight**2, self.squares, out=np.zeros_like(weight), where=self.squares > 0
        )
        return result

    @property
    def shares(self) -> FloatArray:
        """Answer shares, (..., K, Q, C)."""
        return np.asarray(self.answers / self.answered[..., None])

    @property
    def group_shares(self) -> FloatArray:
        """Shares of the groups, (..., K)."""
        return np.asarray(self.size / self.size.sum(axis=-1, keepdims=True))


@final
class Respondents:
    """Coded answers of the people of a panel.

    Parameters
    ----------
    group : (n,) array of int
        Group of each respondent, 0 ... K-1, each occurring; -1: in no group, part of the
        design only.
    codes : (n, Q) array of int
        Option chosen, -1 where there is no answer.
    options : sequence of int
        Number of options of each question.
    design : SurveyDesign
        Weights, strata and clusters.
    ratings : mapping of target to (n,) array
        Scores given, NaN where there is none.
    """

    __slots__ = ("_design", "_options", "_order", "_ratings", "_rows", "_scaled", "_starts")

    def __init__(
        self,
        group: IntArray,
        codes: IntArray,
        options: Sequence[int],
        design: SurveyDesign,
        ratings: dict[str, FloatArray],
    ) -> None:
        order = np.argsort(group, kind="stable")
        k = int(group.max()) + 1
        self._order = order
        self._starts = np.searchsorted(group[order], np.arange(k + 1))
        self._rows = codes[order].astype(np.int16)
        self._options = tuple(options)
        self._design = design
        self._ratings = ratings
        self._scaled = _Resampler(design)

    def __repr__(self) -> str:
        return f"<the rows of {self.n} respondents, not shown>"

    def __reduce__(self) -> NoReturn:
        raise BadInput(
            "a panel holds respondents' answers and is never written or pickled; pass on its "
            "summary() or its draws() instead"
        )

    @property
    def n(self) -> int:
        """Number of respondents who belong to a group."""
        return int(self._starts[-1] - self._starts[0])

    @property
    def design(self) -> SurveyDesign:
        """Weights, strata and clusters, in the order given."""
        return self._design

    @property
    def rating_targets(self) -> tuple[str, ...]:
        """What was rated."""
        return tuple(self._ratings)

    def rating(self, target: str) -> FloatArray:
        """Scores of one target, in the order given."""
        return self._ratings[target]

    def members(self, group: int) -> NDArray[np.bool_]:
        """Who belongs to a group, in the order given."""
        inside = np.zeros(len(self._order), dtype=bool)
        inside[self._order[self._starts[group] : self._starts[group + 1]]] = True
        return inside

    def counts(self) -> tuple[IntArray, IntArray]:
        """Return people per group (K,) and answers per group and question (K, Q)."""
        blocks = [self._rows[a:b] >= 0 for a, b in self._spans()]
        return np.diff(self._starts), np.stack([b.sum(axis=0) for b in blocks])

    def tallies(self) -> Tallies:
        """Tally the answers as they are."""
        w = self._design.weights[None, :]
        tallies = self._tally(w, w**2)
        return Tallies(tallies.size[0], tallies.answers[0], tallies.squares[0])

    def resample(self, n: int, seed: int, start: int) -> Tallies:
        """Tally draws `start` ... `start + n - 1` of the bootstrap.

        Draw `i` depends only on (seed, i): blocks have a fixed size and fixed places, so
        that even the rounding of a draw does not depend on how the draws were asked for.
        """
        block = int(np.clip(BLOCK_CELLS // len(self._order), 8, 256))
        parts = []
        for b in range(start // block, (start + n - 1) // block + 1):
            tallies = self._block(seed, b * block, block)
            cut = slice(max(start - b * block, 0), min(start + n - b * block, block))
            parts.append(Tallies(tallies.size[cut], tallies.answers[cut], tallies.squares[cut]))
        return Tallies(
            np.concatenate([p.size for p in parts]),
            np.concatenate([p.answers for p in parts]),
            np.concatenate([p.squares for p in parts]),
        )

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self._starts[:-1], self._starts[1:], strict=True))

    def _block(self, seed: int, first: int, size: int) -> Tallies:
        """One block of draws; a draw that leaves a cell without two answers is drawn again."""
        counts = np.stack([self._scaled.counts(seed, first + i, 0) for i in range(size)])
        for attempt in range(1, ATTEMPTS):
            w = counts * self._scaled.weight
            tallies = self._tally(w, w * self._scaled.weight)
            # A cell of one person has n_eff 1: agreement within it is undefined.
            bad = (tallies.n_eff <= 1.0 + 1e-9).any(axis=(1, 2))
            if not bad.any():
                return tallies
            for i in np.flatnonzero(bad):
                counts[i] = self._scaled.counts(seed, first + int(i), attempt)
        raise BadInput(
            "a group has so few answers to a question that resamples keep losing it; raise "
            '`min_cell` with small_cells = "merge", or leave the question out'
        )

    def _tally(self, w: FloatArray, w_squared: FloatArray) -> Tallies:
        """Sum weights (draws, n) over cells, one matrix product per group."""
        shape = (len(w), len(self._starts) - 1, len(self._options))
        width = max(self._options)
        size, squares = np.empty(shape[:2]), np.empty(shape)
        answers = np.zeros((*shape[:2], shape[2] * width))
        # One column per option that exists; padded options are not multiplied.
        question = np.repeat(np.arange(shape[2]), self._options)
        option = np.concatenate([np.arange(c) for c in self._options])
        for k, (a, b) in enumerate(self._spans()):
            mine = self._order[a:b]
            chosen = (self._rows[a:b, question] == option).astype(np.float64)
            answered = (self._rows[a:b] >= 0).astype(np.float64)
            size[:, k] = w[:, mine].sum(axis=1)
            answers[:, k, question * width + option] = w[:, mine] @ chosen
            squares[:, k] = w_squared[:, mine] @ answered
        return Tallies(size, answers.reshape(*shape, width), squares)


@final
class _Resampler:
    """How often each respondent is drawn.

    Without strata and clusters: `n` respondents out of `n`. With them: in every stratum
    `n_h - 1` of its `n_h` clusters, weights times `n_h/(n_h - 1)` (Rao and Wu 1988; Rao, Wu and
    Yue 1992), which reproduces the linearised variance of a total drawn with replacement.
    Strata of one cluster, where the design's policy allows them, are resampled together.
    """

    def __init__(self, design: SurveyDesign) -> None:
        self._n = design.weights.size
        self.weight = design.weights
        self._units: IntArray | None = None
        if design.strata is None and not design.clusters:
            return
        first, self._psu, strata = _nested(design)
        sets = _pooled(strata[first])
        self._units = np.concatenate(sets)  # clusters, stratum after stratum
        sizes = np.array([s.size for s in sets])
        draws = sizes - 1
        self._width = np.repeat(sizes, draws)  # per pick: clusters in its stratum ...
        self._offset = np.repeat(np.cumsum(sizes) - sizes, draws)  # ... and where they begin
        scale = np.empty(self._units.size)
        scale[self._units] = np.repeat(sizes / draws, sizes)
        self.weight = design.weights * scale[self._psu]

    def counts(self, seed: int, draw: int, attempt: int) -> FloatArray:
        """How often each respondent is drawn in one draw, (n,) whole numbers."""
        rng = np.random.default_rng([seed, draw, attempt])
        if self._units is None:
            picked = rng.integers(0, self._n, self._n)
            return np.bincount(picked, minlength=self._n).astype(np.float64)
        picked = self._units[self._offset + rng.integers(0, self._width)]
        times = np.bincount(picked, minlength=self._units.size)
        return np.asarray(times[self._psu], dtype=np.float64)


def _nested(design: SurveyDesign) -> tuple[Any, Any, Any]:
    """Return each cluster's first respondent, each respondent's cluster and stratum."""
    n = design.weights.size
    strata = np.zeros(n, dtype=np.intp) if design.strata is None else design.strata
    strata = np.unique(strata, return_inverse=True)[1]
    cluster = design.clusters[0] if design.clusters else np.arange(n)
    cluster = np.unique(cluster, return_inverse=True)[1]
    _, first, psu = np.unique(
        strata * (cluster.max() + 1) + cluster, return_index=True, return_inverse=True
    )
    return first, psu, strata


def _pooled(stratum_of_unit: Any) -> list[Any]:
    """Units per stratum; strata of one unit are put together, or to the smallest other one."""
    sets = [np.flatnonzero(stratum_of_unit == h) for h in np.unique(stratum_of_unit)]
    lonely = [s for s in sets if s.size == 1]
    rest = sorted((s for s in sets if s.size > 1), key=len)
    if len(lonely) == 1 and rest:
        rest[0] = np.concatenate([rest[0], lonely[0]])
    elif lonely:
        rest.append(np.concatenate(lonely))
    if any(s.size < 2 for s in rest):
        raise BadInput("cluster: there is a single cluster; without a second one no error is known")
    return rest
