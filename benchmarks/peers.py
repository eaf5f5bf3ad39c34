"""The same affine game handed to other solvers, each built before the clock starts.

Every maker returns a function without arguments that solves and gives the profile, or None when
the peer is not installed or its data would not fit. Nothing here is tuned against a peer: nashopt
runs its fastest solver, Clarabel and OSQP get the sparse potential of R2(a).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.equilibrium.simplex import maximise
from equipoise.game.affine import AffineForm

FloatArray = NDArray[np.float64]
Solver = Callable[[], FloatArray]

MEMORY = 2 * 2**30
"""A peer whose data alone would take more bytes than this is left out of a size."""


def form_of(game: eq.AlignmentGame) -> AffineForm:
    assert game.affine is not None
    return game.affine


def by_equipoise(game: eq.AlignmentGame) -> Solver:
    """With its certificate and its statement on uniqueness."""
    return lambda: eq.solve(game).profile.array


def stacked(game: eq.AlignmentGame) -> tuple[FloatArray, FloatArray]:
    form = form_of(game)
    n, k = form.n_rows, form.n_groups
    a = np.kron(form.gamma[:, None] * form.meeting_matrix(), form.kernel_matrix())
    for i in range(n):
        a[i * k : (i + 1) * k, i * k : (i + 1) * k] += form.curvature_matrix(i)
    return a, np.asarray(form.scores).reshape(-1)


def by_nashopt(game: eq.AlignmentGame) -> Solver | None:
    size = len(game.agents) * len(game.groups)
    if importlib.util.find_spec("nashopt") is None or len(game.agents) * size**2 * 8 > MEMORY:
        return None
    from nashopt import GNEP_LQ

    a, s = stacked(game)
    n, k = len(game.agents), len(game.groups)
    q, c = [], []
    for i in range(n):
        rows = slice(i * k, (i + 1) * k)
        square = np.zeros((n * k, n * k))
        square[rows] = a[rows]
        # nashopt symmetrises Q_i: the cross blocks must stand on both sides.
        square[:, rows] = a[rows].T
        square[rows, rows] = a[rows, rows]
        q.append(square)
        linear = np.zeros(n * k)
        linear[rows] = -s[rows]
        c.append(linear)
    equal = np.kron(np.eye(n), np.ones((1, k)))
    problem = GNEP_LQ(
        [k] * n, q, c, lb=np.zeros(n * k), ub=np.ones(n * k), Aeq=equal, beq=np.ones(n),
        variational=True, solver="dr_daqp",
    )  # fmt: skip
    return lambda: np.asarray(problem.solve().x).reshape(n, k)


def by_lemke(game: eq.AlignmentGame) -> Solver | None:
    if importlib.util.find_spec("quantecon") is None:
        return None
    from quantecon.optimize import lcp_lemke

    a, s = stacked(game)
    n, k = len(game.agents), len(game.groups)
    size = n * k + 2 * n
    m = np.zeros((size, size))
    equal = np.kron(np.eye(n), np.ones((1, k)))
    m[: n * k, : n * k] = a
    m[: n * k, n * k :] = np.hstack([-equal.T, equal.T])
    m[n * k :, : n * k] = np.vstack([equal, -equal])
    q = np.concatenate([-s, -np.ones(n), np.ones(n)])
    return lambda: np.asarray(lcp_lemke(m, q).z)[: n * k].reshape(n, k)


def potential(game: eq.AlignmentGame):  # type: ignore[no-untyped-def]  # SciPy sparse matrices
    """Sparse potential with the coverage as extra variables: N·K + K unknowns."""
    from scipy import sparse

    form = form_of(game)
    n, k = form.n_rows, form.n_groups
    gamma, met = form.gamma, n - 1
    s = form.kernel_matrix()
    blocks = [form.curvature_matrix(i) / gamma[i] - s / met for i in range(n)]
    p = sparse.block_diag([*blocks, s / met], format="csc")
    sums = sparse.kron(sparse.eye(n), np.ones((1, k)))
    total = sparse.kron(np.ones((1, n)), sparse.eye(k))
    a = sparse.bmat([[sums, None], [total, -sparse.eye(k)]], format="csc")
    q = np.concatenate([-(np.asarray(form.scores) / gamma[:, None]).reshape(-1), np.zeros(k)])
    return p, q, a, np.concatenate([np.ones(n), np.zeros(k)])


def by_clarabel(game: eq.AlignmentGame) -> Solver | None:
    if importlib.util.find_spec("clarabel") is None:
        return None
    import clarabel
    from scipy import sparse

    p, q, a, b = potential(game)
    n, k = len(game.agents), len(game.groups)
    positive = sparse.hstack([-sparse.eye(n * k), sparse.csc_matrix((n * k, k))])
    stack = sparse.vstack([a, positive], format="csc")
    right = np.concatenate([b, np.zeros(n * k)])
    cones = [clarabel.ZeroConeT(n + k), clarabel.NonnegativeConeT(n * k)]
    options = clarabel.DefaultSettings()
    options.verbose = False
    upper = sparse.triu(p, format="csc")
    return lambda: np.asarray(
        clarabel.DefaultSolver(upper, q, stack, right, cones, options).solve().x
    )[: n * k].reshape(n, k)


def by_osqp(game: eq.AlignmentGame) -> Solver | None:
    if importlib.util.find_spec("osqp") is None:
        return None
    import osqp
    from scipy import sparse

    p, q, a, b = potential(game)
    n, k = len(game.agents), len(game.groups)
    bounds = sparse.hstack([sparse.eye(n * k), sparse.csc_matrix((n * k, k))])
    stack = sparse.vstack([a, bounds], format="csc")
    low = np.concatenate([b, np.zeros(n * k)])
    high = np.concatenate([b, np.full(n * k, np.inf)])

    def run() -> FloatArray:
        problem = osqp.OSQP()
        problem.setup(
            sparse.triu(p, format="csc"), q, stack, low, high, verbose=False,
            eps_abs=1e-9, eps_rel=1e-9, max_iter=100_000, polishing=True,
        )  # fmt: skip
        return np.asarray(problem.solve().x)[: n * k].reshape(n, k)

    return run


def by_best_responses(game: eq.AlignmentGame) -> Solver:
    """What one would write in an afternoon: agents answer in turn until nothing moves."""
    form = form_of(game)

    def run() -> FloatArray:
        n, k = form.n_rows, form.n_groups
        x = np.full((n, k), 1.0 / k)
        s = form.kernel_matrix()
        for _ in range(1000):
            moved = 0.0
            for i in range(n):
                met = (x.sum(axis=0) - x[i]) / max(1, n - 1)
                score = form.scores[i] - form.gamma[i] * (s @ met)
                new = maximise(score[None], form.curvature_matrix(i))[0][0]
                moved, x[i] = max(moved, float(np.abs(new - x[i]).max())), new
            if moved < 1e-12:
                break
        return x

    return run


MAKERS = {
    "equipoise": by_equipoise,
    "nashopt dr_daqp": by_nashopt,
    "QuantEcon Lemke": by_lemke,
    "Clarabel on the potential": by_clarabel,
    "OSQP on the potential": by_osqp,
    "best responses in turn": by_best_responses,
}
