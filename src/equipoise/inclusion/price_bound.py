r"""Are these the least prices? Two proofs, and a bound where neither applies (R12c).

At any priced equilibrium the budget :math:`N\langle\delta,\bar x\rangle` equals
:math:`f = \sum_i n_i[\lambda_i + \langle (Ax)_i - s_i, x_i\rangle]`. Dropping complementarity
leaves linear constraints, so where f is convex its linearisation at any point, minimised by one
linear programme, bounds the budget of *every* plan from below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.answers import applies
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.parameters import tangent
from equipoise.inclusion.conditions import Conditions
from equipoise.inclusion.programmes import optimisers, sparse

__all__ = ["LIMIT", "Relaxed", "gross_substitutes", "price_bound", "relaxed_prices"]

FloatArray = NDArray[np.float64]

LIMIT = 1200
"""Most rows × groups for which the bound is worked out."""


def gross_substitutes(game: AlignmentGame) -> bool:
    r"""Whether the game is in the class of R12c, where floor prices are componentwise least.

    :math:`S, B, R` diagonal, equal :math:`\gamma \ge 0`, default network, :math:`D_i \succ 0`:
    there no group gains from another's price.
    """
    form = game.affine
    if form is None or form.network is not None:
        return False
    if np.ptp(form.gamma) > 0 or form.gamma[0] < 0:
        return False
    matrices = [form.kernel, *(matrix for _, matrix in form.curvatures)]
    if any(m is not None and np.any(m - np.diag(np.diag(m)) != 0) for m in matrices):
        return False
    if form.coupled:
        return applies(form)
    scalar = form.scalar_curvature
    if scalar is not None:
        return bool((scalar > 0).all())
    if form.n_groups == 1:
        return True
    basis = tangent(form.n_groups)
    low = np.linalg.eigvalsh(basis.T @ form.curvature_matrices() @ basis)
    return bool((low[:, 0] > 1e-12 * np.abs(low).max()).all())


@final
@dataclass(frozen=True, eq=False)
class Relaxed:
    """The relaxed problem's best point: where an optimal plan may lie."""

    prices: FloatArray
    bound: float
    """No plan costs less than this."""


@final
@dataclass(frozen=True, eq=False)
class _Budget:
    """f and the constraints of the relaxed problem, in the columns (x, λ, δ)."""

    given: Conditions
    floors: FloatArray

    @property
    def weights(self) -> FloatArray:
        return np.repeat(self.given.counts, self.given.groups)

    def form(self) -> FloatArray:
        """Return the matrix of the quadratic form of f in x."""
        weighted = self.weights[:, None] * self.given.bend
        return np.asarray(weighted + weighted.T)

    def convex(self) -> bool:
        """Whether f is convex on mixtures: the form is positive semidefinite on T."""
        n, rows = self.given.groups, self.given.rows
        if n == 1:
            return True
        basis = np.kron(np.eye(rows), tangent(n))
        values = np.linalg.eigvalsh(basis.T @ self.form() @ basis)
        return bool(values[0] >= -1e-12 * max(1.0, float(np.abs(values).max())))

    def value(self, x: FloatArray, level: FloatArray) -> float:
        inner = x @ (self.weights * (self.given.bend @ x - self.given.scores))
        return float(self.given.counts @ level + inner)

    def slope(self, x: FloatArray) -> FloatArray:
        return np.asarray(self.form() @ x - self.weights * self.given.scores)

    def least_on(self, cost: FloatArray) -> FloatArray | None:
        """Minimise a linear cost over the relaxed constraints; return the columns."""
        sp, linprog = sparse(), optimisers().linprog

        g, size = self.given, self.given.rows * self.given.groups
        levels = sp.csr_matrix(np.kron(np.eye(g.rows), np.ones((g.groups, 1))))
        cover = sp.csr_matrix(g.coverage_matrix())
        none = sp.csr_matrix((g.groups, g.rows))
        upper = sp.bmat([
            [sp.csr_matrix(-g.bend), -levels, sp.csr_matrix(g.shift)],
            [-cover, none, sp.csr_matrix((g.groups, g.groups))],
        ])  # fmt: skip
        equal = sp.hstack([levels.T, sp.csr_matrix((g.rows, g.rows + g.groups))])
        found = linprog(
            cost,
            A_ub=upper.tocsr(),
            b_ub=np.concatenate([-g.scores, -self.floors]),
            A_eq=equal.tocsr(),
            b_eq=np.ones(g.rows),
            bounds=[(0, None)] * size + [(None, None)] * g.rows
            + [(0, float(h)) for h in g.high],
            method="highs",
        )  # fmt: skip
        return None if found.status != 0 else np.asarray(found.x)


def price_bound(given: Conditions, floors: FloatArray, x: FloatArray) -> float:
    r"""Return a lower bound on the budget of every plan that meets the floors (R12c).

    Parameters
    ----------
    given : Conditions
        The game under prices.
    floors : (groups,) array
        Least coverage.
    x : (rows·groups,) array
        Where f is linearised: any profile; the bound is tight at an optimal one.

    Returns
    -------
    float
        Utility units per round; −infinity where f is not convex or the game is too large.
    """
    budget = _Budget(given, floors)
    if given.rows * given.groups > LIMIT or not budget.convex():
        return -np.inf
    cost = np.concatenate([budget.slope(x), given.counts, np.zeros(given.groups)])
    found = budget.least_on(cost)
    if found is None:
        return -np.inf
    level = found[x.size : x.size + given.rows]
    # f(x₀, λ) + ⟨∇f, x − x₀⟩: the part linear in λ is exact.
    return budget.value(x, level) + float(budget.slope(x) @ (found[: x.size] - x))


def relaxed_prices(given: Conditions, floors: FloatArray, x: FloatArray) -> Relaxed | None:
    """Minimise f itself over the relaxed constraints, by cutting planes and line searches.

    Parameters
    ----------
    given, floors, x
        As in `price_bound`; `x` is where to start.

    Returns
    -------
    Relaxed or None
        None where f is not convex or the game is too large.
    """
    budget = _Budget(given, floors)
    if given.rows * given.groups > LIMIT // 4 or not budget.convex():
        return None
    size, best = x.size, -np.inf
    quadratic = budget.form()
    points: list[FloatArray] = []
    at: FloatArray | None = None
    for _ in range(60):
        here = x if at is None else at[:size]
        cost = np.concatenate([budget.slope(here), given.counts, np.zeros(given.groups)])
        corner = budget.least_on(cost)
        if corner is None:
            return None
        low = budget.value(here, corner[size : size + given.rows])
        best = max(best, low + float(budget.slope(here) @ (corner[:size] - here)))
        points.append(corner)
        fresh = _best_mix(points if at is None else [*points, at], budget, quadratic)
        value = budget.value(fresh[:size], fresh[size : size + given.rows])
        at = fresh
        if value - best <= 1e-10 * (1.0 + abs(value)):
            break
    assert at is not None
    # The largest prices these mixtures allow: exact where every group is served.
    level = np.repeat(at[size : size + given.rows], given.groups)
    room = (level + given.bend @ at[:size] - given.scores).reshape(given.rows, given.groups)
    return Relaxed(np.clip(room.min(axis=0), 0.0, given.high), best)


def _best_mix(points: list[FloatArray], budget: _Budget, quadratic: FloatArray) -> FloatArray:
    """Return the mixture of feasible points with the least f (fully corrective Frank–Wolfe)."""
    from equipoise.equilibrium.simplex import maximise

    if len(points) == 1:
        return points[0]
    stack = np.array(points)
    size, rows = quadratic.shape[0], budget.given.rows
    x, level = stack[:, :size], stack[:, size : size + rows]
    linear = level @ budget.given.counts - x @ (budget.weights * budget.given.scores)
    gram = x @ quadratic @ x.T
    gram += 1e-13 * max(1.0, float(np.abs(gram).max())) * np.eye(len(points))
    mix = maximise(-linear[None], gram)[0][0]
    return np.asarray(mix @ stack)
