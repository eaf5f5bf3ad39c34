r"""Many cells of a map at once, for identical agents: what each cell's incentives are.

A cell is a game of identical agents, so it is one concave programme (R4): :math:`\max_{x\in\Delta}
s^\top x - \tfrac12 x^\top G x` with :math:`s = \alpha a + \beta Bc + \delta` and :math:`G = \beta B
+ \rho R + \gamma S`. Arrays here have groups first and cells last, so that a step of arithmetic
runs along thousands of cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.parameters import tangent
from equipoise.game.terms import Attractiveness, Consistency, Diversity, Subsidy, Variety
from equipoise.inclusion.map_axes import moved

__all__ = ["Cells", "Family", "family", "link_range", "multiple", "tangent_range"]

FloatArray = NDArray[np.float64]

EXACT_LINKS = 1500
"""Up to this size the eigenvalues of a network's links are computed; beyond, bounded."""


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """Incentives of n cells.

    Attributes
    ----------
    alpha, beta, rho, gamma : (cells,) arrays
        Weights; gamma is 0 where agents meet nobody.
    values, anchor : (groups, cells or 1) arrays
        Appeal and anchor.
    prices : (groups, 1) array
    metric, breadth, kernel : (groups, groups) arrays
        B, R and S.
    """

    alpha: FloatArray
    beta: FloatArray
    rho: FloatArray
    gamma: FloatArray
    values: FloatArray
    anchor: FloatArray
    prices: FloatArray
    metric: FloatArray
    breadth: FloatArray
    kernel: FloatArray

    @property
    def scores(self) -> FloatArray:
        """Return s measured from the best group's appeal, (groups, cells)."""
        level = self.values - self.values.max(axis=0)
        total = self.alpha * level + self.beta * (self.metric @ self.anchor) + self.prices
        return np.asarray(total)

    @property
    def weights(self) -> FloatArray:
        """Return the weights of `matrices` in G, (3, cells)."""
        return np.stack([self.beta, self.rho, self.gamma])

    @property
    def matrices(self) -> FloatArray:
        """Return B, R and S, (3, groups, groups)."""
        return np.stack([self.metric, self.breadth, self.kernel])

    def __len__(self) -> int:
        return int(self.alpha.size)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Cells:
        def cut(array: FloatArray) -> FloatArray:
            return array[:, chosen] if array.shape[1] > 1 else array

        return Cells(
            self.alpha[chosen], self.beta[chosen], self.rho[chosen], self.gamma[chosen],
            cut(self.values), cut(self.anchor), self.prices, self.metric, self.breadth, self.kernel,
        )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class Family:
    """One game of identical agents, ready to be asked for any cell.

    Attributes
    ----------
    labels : tuple of str
    base : Cells
        The game itself, one cell.
    meets : bool
        Whether agents meet anybody.
    links : (float, float)
        Bounds of the eigenvalues of W.
    symmetric : bool
        Whether links go both ways.
    everybody : bool
        Whether everybody meets everybody alike.
    """

    labels: tuple[str, ...]
    base: Cells
    meets: bool
    links: tuple[float, float]
    symmetric: bool
    everybody: bool

    def cells(self, columns: Mapping[str, FloatArray]) -> Cells:
        """Return the cells with these values of the axes, (cells,) each."""
        n = len(next(iter(columns.values())))
        base = self.base

        def weight(kind: str, own: FloatArray) -> FloatArray:
            return columns[kind] if kind in columns else np.broadcast_to(own, (n,))

        gamma = weight("diversity", base.gamma) if self.meets else np.zeros(n)
        values, targets = base.values, self._targets("value", columns)
        if targets:
            values = np.repeat(values, n, axis=1)
            for k, column in targets.items():
                values[k] = column
        anchor, targets = base.anchor, self._targets("anchor", columns)
        if targets:
            anchor = moved(np.repeat(anchor, n, axis=1).T, targets).T
        return Cells(
            weight("attractiveness", base.alpha), weight("consistency", base.beta),
            weight("variety", base.rho), gamma, values, anchor, base.prices, base.metric,
            base.breadth, base.kernel,
        )  # fmt: skip

    def _targets(self, kind: str, columns: Mapping[str, FloatArray]) -> dict[int, FloatArray]:
        found = (name.partition(":") for name in columns)
        return {
            self.labels.index(label): columns[f"{word}:{label}"]
            for word, _, label in found
            if word == kind
        }


def family(game: AlignmentGame) -> Family | None:
    """Return the family of a game of identical agents with quadratic terms, else None."""
    form = game.affine
    if form is None or not form.identical:
        return None
    met = game.term(Diversity)
    network = None if met is None else met.network
    if network is not None and not (network.degrees > 0).all():
        return None
    n = len(game.groups)

    def first(array: FloatArray | None) -> FloatArray:
        if array is None:
            return np.zeros((n, 1))
        return np.array(np.atleast_2d(array)[:1].T)

    def weight(term: object) -> FloatArray:
        return np.atleast_1d(getattr(term, "weight", 0.0))[:1]

    def square(matrix: FloatArray | None) -> FloatArray:
        return np.eye(n) if matrix is None else matrix

    appeal, held, own = game.term(Attractiveness), game.term(Consistency), game.term(Variety)
    paid = game.term(Subsidy)
    meets = game.agents.total > 1
    base = Cells(
        alpha=weight(appeal), beta=weight(held), rho=weight(own),
        gamma=weight(met) if meets else np.zeros(1),
        values=first(None if appeal is None else appeal.values),
        anchor=first(None if held is None else held.anchor),
        prices=first(None if paid is None else paid.prices),
        metric=square(None if held is None else held.metric),
        breadth=square(None if own is None else own.matrix),
        kernel=square(None if met is None else met.kernel),
    )  # fmt: skip
    symmetric = network is None or network.symmetric
    return Family(game.groups.labels, base, meets, link_range(game), symmetric, network is None)


def link_range(game: AlignmentGame) -> tuple[float, float]:
    r"""Return bounds of the eigenvalues of W: :math:`-1/(N-1)` and 1 on the default network."""
    met, total = game.term(Diversity), game.agents.total
    network = None if met is None else met.network
    if network is None:
        return (-1.0 / max(1, total - 1), 1.0)
    if not network.symmetric or network.size > EXACT_LINKS:
        return (-1.0, 1.0)
    root = np.sqrt(network.degrees)
    values = np.linalg.eigvalsh(network.dense() / root[:, None] / root)
    return (float(values[0]), float(values[-1]))


def tangent_range(matrix: FloatArray) -> tuple[float, float]:
    """Return the least and the largest eigenvalue on vectors that sum to zero."""
    basis = tangent(len(matrix))
    values = np.linalg.eigvalsh(basis.T @ matrix @ basis)
    return (float(values[0]), float(values[-1]))


def multiple(matrix: FloatArray) -> float | None:
    """Return the factor when a matrix is a multiple of the identity, else None."""
    scale = float(matrix[0, 0])
    return scale if np.array_equal(matrix, scale * np.eye(len(matrix))) else None
