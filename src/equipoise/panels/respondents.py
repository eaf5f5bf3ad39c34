"""The rows of a panel: private to this room, never shown, never exported, never pickled.

Sparse matrices sum resampling weights over the cells of group, question and option; only
such tallies leave this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels.audience import Audience
from equipoise.panels.design import SurveyDesign
from equipoise.panels.resampling import Resampler

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

    def put(self, draws: NDArray[np.int64], others: Tallies) -> None:
        """Replace some draws by others."""
        self.size[draws] = others.size
        self.answers[draws] = others.answers
        self.squares[draws] = others.squares

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

    __slots__ = (
        "_answered",
        "_chosen",
        "_codes",
        "_design",
        "_group",
        "_options",
        "_people",
        "_ratings",
        "_resampler",
    )

    def __init__(
        self,
        group: IntArray,
        codes: IntArray,
        options: Sequence[int],
        design: SurveyDesign,
        ratings: dict[str, FloatArray],
    ) -> None:
        self._group = group
        self._codes = codes
        self._options = tuple(options)
        self._design = design
        self._ratings = ratings
        self._resampler = Resampler(design)
        k, q = int(group.max()) + 1, len(self._options)
        person, question = np.nonzero((codes >= 0) & (group >= 0)[:, None])
        cell = group[person] * q + question
        width = max(self._options)
        grouped = np.flatnonzero(group >= 0)
        self._people = _indicator(group[grouped], grouped, (k, group.size))
        self._answered = _indicator(cell, person, (k * q, group.size))
        self._chosen = _indicator(
            cell * width + codes[person, question], person, (k * q * width, group.size)
        )

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
        return int((self._group >= 0).sum())

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
        return np.asarray(self._group == group)

    def counts(self) -> tuple[IntArray, IntArray]:
        """Return people per group (K,) and answers per group and question (K, Q)."""
        people = np.bincount(self._group[self._group >= 0])
        answers = np.asarray(self._answered.sum(axis=1), dtype=np.int64)
        return people, answers.reshape(people.size, -1)

    def audience(self, shares: FloatArray) -> Audience:
        """Return those who belong to a group as readers."""
        return Audience(self._group, self._codes, self._design.weights, shares)

    def tallies(self) -> Tallies:
        """Tally the answers as they are."""
        w = self._design.weights[:, None]
        tallies = self._tally(w, w**2)
        return Tallies(tallies.size[0], tallies.answers[0], tallies.squares[0])

    def tally_parts(self, inside: NDArray[np.bool_]) -> Tallies:
        """Tally parts of the people: who belongs to each is a column, (n, parts)."""
        w = self._design.weights[:, None] * inside
        return self._tally(w, w**2)

    def count_parts(self, inside: NDArray[np.bool_]) -> IntArray:
        """Count the answers of each part per group and question, (parts, K, Q)."""
        found = np.asarray(self._answered @ inside.astype(np.float64), dtype=np.int64)
        return found.T.reshape(inside.shape[1], -1, len(self._options))

    def resample(self, n: int, seed: int, start: int) -> Tallies:
        """Tally draws `start` ... `start + n - 1` of the bootstrap.

        Draw `i` depends only on (seed, i). Its sums run over people in one order, whatever is
        drawn beside it: the bytes do not depend on how the draws were asked for.
        """
        block = int(np.clip(BLOCK_CELLS // self._group.size, 1, 256))
        parts = [
            self._block(seed, np.arange(b, min(b + block, start + n)))
            for b in range(start, start + n, block)
        ]
        return Tallies(
            np.concatenate([p.size for p in parts]),
            np.concatenate([p.answers for p in parts]),
            np.concatenate([p.squares for p in parts]),
        )

    def _block(self, seed: int, draws: NDArray[np.int64]) -> Tallies:
        """Tally some draws; one that leaves a cell without two answers is drawn again."""
        weight = self._resampler.weight[:, None]
        found: Tallies | None = None
        bad = np.arange(draws.size)
        for attempt in range(ATTEMPTS):
            counts = np.stack(
                [self._resampler.counts(seed, int(draws[i]), attempt) for i in bad], axis=1
            )
            w = counts * weight
            tallies = self._tally(w, w * weight)
            if found is None:
                found = tallies
            else:
                found.put(bad, tallies)
            # A cell of one person has n_eff 1: agreement within it is undefined.
            bad = bad[(tallies.n_eff <= 1.0 + 1e-9).any(axis=(1, 2))]
            if bad.size == 0:
                return found
        raise BadInput(
            "a group has so few answers to a question that resamples keep losing it; raise "
            '`min_cell` with small_cells = "merge", or leave the question out'
        )

    def _tally(self, w: FloatArray, w_squared: FloatArray) -> Tallies:
        """Sum weights (n, draws) over cells.

        The products are sparse: their sums have one order on every machine, and no BLAS
        threads compete with those of other work.
        """
        draws = w.shape[1]
        k, q = self._answered.shape[0] // len(self._options), len(self._options)
        answers = (self._chosen @ w).T.reshape(draws, k, q, -1)
        squares = (self._answered @ w_squared).T.reshape(draws, k, q)
        return Tallies(*map(np.ascontiguousarray, ((self._people @ w).T, answers, squares)))


def _indicator(rows: Any, columns: Any, shape: tuple[int, int]) -> Any:
    """Sparse 0/1 matrix whose product with weights sums them over cells."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
