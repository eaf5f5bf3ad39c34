"""Who meets whom: weighted links between agents, each row divided by its sum (theory R2).

Kept in compressed rows made with NumPy alone; a solver may hand the three arrays to SciPy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["Network"]

MANY_LINKS = 20_000


@final
@dataclass(frozen=True, init=False, eq=False)
class Network:
    r"""Links :math:`w_{ij} > 0` of which agent `i` averages over :math:`W_{ij} = w_{ij}/d_i`.

    Parameters
    ----------
    size : int
        Number of agents.
    edges : (edges, 3) array or iterable of (i, j, w)
        Row numbers of the two agents and the weight of their link. Undirected unless
        `directed`; directed, `i` sees `j`.
    directed : bool
        Whether the links have a direction. Without a symmetric `w` the game has no potential.

    Attributes
    ----------
    starts, ends, weights : arrays
        Compressed rows: agent i sees `ends[starts[i]:starts[i+1]]` with the raw weights w_ij.
    degrees : (size,) array
        Row sums :math:`d_i`; 0 for an agent without neighbours, whose others' average is 0.

    Raises
    ------
    BadInput
        A row number outside the game, a link of an agent with itself, a weight that is not a
        positive finite number, the same link twice.

    Examples
    --------
    >>> line = Network(3, [(0, 1, 1.0), (1, 2, 3.0)])
    >>> line.average(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    array([[0.  , 1.  ],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """

    size: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: NDArray[np.float64]
    degrees: NDArray[np.float64]
    directed: bool

    def __init__(
        self,
        size: int,
        edges: Iterable[tuple[int, int, float]] | NDArray[np.float64],
        *,
        directed: bool = False,
    ) -> None:
        table = np.array(edges if isinstance(edges, np.ndarray) else list(edges), dtype=np.float64)
        table = table.reshape(-1, 3) if table.size == 0 else table
        if table.ndim != 2 or table.shape[1] != 3:
            raise BadInput("network: write a list of links [agent, agent, weight]")
        if not np.isfinite(table).all() or (table[:, 2] <= 0).any():
            raise BadInput("network: every link needs a positive finite weight")
        ends = table[:, :2]
        if (ends != np.floor(ends)).any() or ends.min(initial=0.0) < 0:
            raise BadInput("network: agents are given by label or by row number 0, 1, …")
        if ends.max(initial=-1.0) >= size:
            worst = int(ends.max())
            raise BadInput(f"network: a link names agent {worst}, but there are {size} agents")
        i, j = ends[:, 0].astype(np.int64), ends[:, 1].astype(np.int64)
        if (i == j).any():
            raise BadInput(f"network: agent {int(i[i == j][0])} is linked with itself; remove it")
        w = table[:, 2]
        if not directed:
            i, j, w = np.r_[i, j], np.r_[j, i], np.r_[w, w]
        # One sort of whole numbers; equal ones are refused below, so it need not be stable.
        order = np.argsort(i * np.int64(size) + j)
        i, j, w = i[order], j[order], w[order]
        twice = (np.diff(i) == 0) & (np.diff(j) == 0)
        if twice.any():
            at = int(np.argmax(twice))
            raise BadInput(
                f"network: the link between agents {i[at]} and {j[at]} stands twice; "
                "add the weights and write it once"
            )
        starts = np.zeros(size + 1, dtype=np.int64)
        np.cumsum(np.bincount(i, minlength=size), out=starts[1:])
        for name, value in (
            ("size", int(size)),
            ("starts", starts),
            ("ends", j),
            ("weights", w),
            ("degrees", np.bincount(i, weights=w, minlength=size).astype(np.float64)),
            ("directed", bool(directed)),
        ):
            object.__setattr__(self, name, value)

    @property
    def symmetric(self) -> bool:
        """Whether :math:`w_{ij} = w_{ji}` for all pairs (a directed list may still be so)."""
        if not self.directed:
            return True
        i, j, w = self.edges()
        order = np.lexsort((i, j))
        same = np.array_equal(i, j[order]) and np.array_equal(j, i[order])
        return bool(same and np.array_equal(w, w[order]))

    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return all stored links as (i, j, w), both directions of undirected ones."""
        i = np.repeat(np.arange(self.size, dtype=np.int64), np.diff(self.starts))
        return i, self.ends, self.weights

    def average(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""Return :math:`o_i = \sum_j W_{ij} x_j` for rows :math:`x_j` of shape (size, columns)."""
        out = np.zeros((self.size, rows.shape[1]))
        linked = np.flatnonzero(np.diff(self.starts))
        if self.ends.size > MANY_LINKS:
            # Column by column: the gathered numbers are summed where they lie, in cache.
            first, degrees = self.starts[linked], self.degrees[linked]
            for k, column in enumerate(np.ascontiguousarray(rows.T)):
                sums = np.add.reduceat(self.weights * column[self.ends], first)
                out[linked, k] = sums / degrees
        elif linked.size:
            sums = np.add.reduceat(
                self.weights[:, None] * rows[self.ends], self.starts[linked], axis=0
            )
            out[linked] = sums / self.degrees[linked, None]
        return out

    def dense(self) -> NDArray[np.float64]:
        """Return the raw weights :math:`w_{ij}` as a (size, size) array: for small games only."""
        out = np.zeros((self.size, self.size))
        i, j, w = self.edges()
        out[i, j] = w
        return out
