"""Outside solvers, each fed from the definition of the game (theory section 1), not from `affine`.

Nothing here calls the library's algebra: parameters are read off the terms one by one, the
pseudo-gradient, the complementarity problem and the potential are written down again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import clarabel
import numpy as np
import osqp
import scipy.optimize
import scipy.sparse as sp
from numpy.typing import NDArray
from quantecon.optimize import lcp_lemke

import equipoise as eq

FloatArray = NDArray[np.float64]

minimize: Any = scipy.optimize.minimize
minimize_scalar: Any = scipy.optimize.minimize_scalar
linprog: Any = scipy.optimize.linprog


@dataclass(frozen=True, eq=False)
class Stated:
    """v_i(X) = s_i − H_i x_i − γ_i S Σ_j W_ij x_j, row by row."""

    scores: FloatArray
    curvature: list[FloatArray]
    gamma: FloatArray
    kernel: FloatArray
    meets: FloatArray
    counts: FloatArray
    links: FloatArray
    """Symmetric w with w_ij = d_i W_ij, or directed w."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and groups."""
        n, k = self.scores.shape
        return n, k

    def incentives(self, x: FloatArray) -> FloatArray:
        """Return v(X)."""
        met = self.meets @ x @ self.kernel
        own = np.stack([h @ row for h, row in zip(self.curvature, x, strict=True)])
        return np.asarray(self.scores - own - self.gamma[:, None] * met)

    def gap(self, x: FloatArray) -> FloatArray:
        """Return max_k v_ik − ⟨v_i, x_i⟩ by its definition."""
        v = self.incentives(x)
        return np.asarray((x * (v.max(axis=1, keepdims=True) - v)).sum(axis=1))

    def jacobian(self) -> FloatArray:
        """Return −dv/dX as one dense matrix."""
        n, k = self.shape
        out = np.kron(np.diag(self.gamma) @ self.meets, self.kernel)
        for i, h in enumerate(self.curvature):
            out[i * k : (i + 1) * k, i * k : (i + 1) * k] += h
        return np.asarray(out)

    def utility(self, i: int, y: FloatArray, x: FloatArray) -> float:
        """Return U_i(y, x_−i) for a single agent (rows that stand for one agent)."""
        met = self.kernel @ (self.meets[i] @ x - self.meets[i, i] * x[i])
        inside = self.gamma[i] * self.meets[i, i] * (self.kernel @ x[i]) @ y
        h = self.curvature[i]
        return float(self.scores[i] @ y - 0.5 * y @ h @ y - self.gamma[i] * met @ y - inside)


def stated(game: eq.AlignmentGame) -> Stated:
    """Read an affine game off its terms."""
    n, k = len(game.agents), len(game.groups)
    scores = np.zeros((n, k))
    curvature = [np.zeros((k, k)) for _ in range(n)]
    gamma, kernel = np.zeros(n), np.eye(k)
    network: eq.Network | None = None
    for term in game.terms:
        weight = np.broadcast_to(getattr(term, "weight", 1.0), (n,))
        match term:
            case eq.Attractiveness():
                scores += weight[:, None] * np.broadcast_to(term.values, (n, k))
            case eq.Consistency():
                metric = np.eye(k) if term.metric is None else term.metric
                anchor = np.broadcast_to(term.anchor, (n, k))
                for i in range(n):
                    scores[i] += weight[i] * metric @ anchor[i]
                    curvature[i] += weight[i] * metric
            case eq.Variety():
                matrix = np.eye(k) if term.matrix is None else term.matrix
                for i in range(n):
                    curvature[i] += weight[i] * matrix
            case eq.Diversity():
                gamma = np.array(weight)
                kernel = np.eye(k) if term.kernel is None else np.asarray(term.kernel)
                network = term.network
            case eq.Subsidy():
                scores += term.prices
            case eq.KLConsistency() | eq.AudienceShare() if not weight.any():
                pass
            case _:
                raise AssertionError(f"not affine: {term!r}")
    counts = game.agents.counts.astype(np.float64)
    total = int(game.agents.total)
    meets, links = np.zeros((n, n)), np.zeros((n, n))
    if network is not None:
        for i in range(n):
            row = slice(int(network.starts[i]), int(network.starts[i + 1]))
            links[i, network.ends[row]] = network.weights[row]
            if links[i].sum() > 0:
                meets[i] = links[i] / links[i].sum()
    elif total > 1:
        links = np.tile(counts, (n, 1)) - np.eye(n)
        meets = links / (total - 1)
    return Stated(scores, curvature, gamma, kernel, meets, counts, links)


def by_quantecon(game: eq.AlignmentGame) -> FloatArray | None:
    """Lemke's method of QuantEcon on w = Mz + q, z = (x, λ ≥ 0), all payoffs made positive.

    Rows of agent i are divided by |γ_i|, so that the matrix is monotone where R2 says so.
    """
    form = stated(game)
    n, k = form.shape
    weight = np.where(form.gamma != 0, np.abs(form.gamma), 1.0)
    jacobian = form.jacobian() / np.repeat(weight, k)[:, None]
    scores = form.scores / weight[:, None]
    scores = scores - scores.min(axis=1, keepdims=True)
    scale = max(float(np.abs(jacobian).max()), float(scores.max()), 1e-300)
    jacobian, scores = jacobian / scale, scores / scale
    scores = scores + np.abs(jacobian).reshape(n, k, n, k).max(axis=3).sum(axis=2) + 1.0
    rows = np.kron(np.eye(n), np.ones((k, 1)))
    m = np.block([[jacobian, rows], [-rows.T, np.zeros((n, n))]])
    q = np.concatenate([-scores.reshape(-1), np.ones(n)])
    found = lcp_lemke(m, q)
    if not found.success:
        return None
    return refined(form, found.z[: n * k].reshape(n, k))


def potential(form: Stated) -> tuple[sp.csc_matrix, FloatArray] | None:
    """Return (P, q) of min ½XᵀPX + qᵀX, R2(a)'s −Φ; None where the game has no potential.

    A type of count n_i stands for n_i equal rows, so its part is multiplied by n_i and its
    links with itself are n_i (n_i − 1).
    """
    n, k = form.shape
    sign = np.sign(form.gamma)
    links = form.counts[:, None] * form.links
    if (sign == 0).any() or np.ptp(sign) != 0 or not np.allclose(links, links.T, atol=0):
        return None
    degrees = links.sum(axis=1)
    own = np.where(degrees > 0, degrees, 1.0) / np.abs(form.gamma)
    p = sign[0] * sp.kron(sp.csc_matrix(links), sp.csc_matrix(form.kernel))
    p = p + sp.block_diag([c * h for c, h in zip(own, form.curvature, strict=True)])
    return sp.csc_matrix(p), -(own[:, None] * form.scores).reshape(-1)


def by_clarabel(game: eq.AlignmentGame) -> FloatArray | None:
    """Interior-point solution of the sparse potential, on the simplex rows."""
    form = stated(game)
    n, k = form.shape
    built = potential(form)
    if built is None:
        return None
    p, q = built
    size = max(float(abs(p).max()), float(np.ptp(q)), 1e-300)
    rows = sp.kron(sp.eye(n), np.ones((1, k)))
    a = sp.csc_matrix(sp.vstack([rows, -sp.eye(n * k)]))
    b = np.concatenate([np.ones(n), np.zeros(n * k)])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-13
    cones = [clarabel.ZeroConeT(n), clarabel.NonnegativeConeT(n * k)]
    upper = sp.csc_matrix(sp.triu(p / size))
    found = clarabel.DefaultSolver(upper, q / size, a, b, cones, settings).solve()
    if "Solved" not in str(found.status):
        return None
    return refined(form, np.array(found.x).reshape(n, k))


def by_osqp(game: eq.AlignmentGame) -> FloatArray | None:
    """Operator-splitting solution of the sparse potential, polished by OSQP itself."""
    form = stated(game)
    n, k = form.shape
    built = potential(form)
    if built is None:
        return None
    p, q = built
    size = max(float(abs(p).max()), float(np.ptp(q)), 1e-300)
    rows = sp.kron(sp.eye(n), np.ones((1, k)))
    a = sp.csc_matrix(sp.vstack([rows, sp.eye(n * k)]))
    low = np.concatenate([np.ones(n), np.zeros(n * k)])
    high = np.concatenate([np.ones(n), np.full(n * k, np.inf)])
    solver = osqp.OSQP()
    try:
        solver.setup(
            sp.csc_matrix(sp.triu(p / size)), q / size, a, low, high,
            verbose=False, eps_abs=1e-9, eps_rel=1e-9, max_iter=40_000, polishing=True,
        )  # fmt: skip
    except (ValueError, osqp.OSQPException):
        return None  # "seems to be non-convex": its own rounding at the edge of convexity
    found = solver.solve(raise_error=False)
    if found.info.status_val not in (1, 2):
        return None
    return refined(form, np.asarray(found.x).reshape(n, k))


def refined(form: Stated, x: FloatArray, rounds: int = 10) -> FloatArray | None:
    """Turn a witness's approximate answer into one exact to rounding, or None.

    Served groups are read off the answer, the linear conditions on them solved, and
    the signs of weights and slacks followed until they agree.
    """
    n, k = form.shape
    jacobian, scores = form.jacobian(), form.scores.reshape(-1)
    owner = np.repeat(np.arange(n), k)
    size = max(float(np.abs(jacobian).max()), float(np.ptp(scores)), 1e-300)
    x = np.maximum(x, 0.0)
    x = x / x.sum(axis=1, keepdims=True)
    v = form.incentives(x)
    slack = (v * x).sum(axis=1, keepdims=True) - v
    served = (x > np.minimum(np.maximum(slack, 0.0) / size, 1e-6)).reshape(-1)
    for _ in range(rounds):
        on = np.flatnonzero(served)
        if np.bincount(owner[on], minlength=n).min() == 0:
            return None
        system = np.zeros((on.size + n, on.size + n))
        system[: on.size, : on.size] = jacobian[np.ix_(on, on)] / size
        system[np.arange(on.size), on.size + owner[on]] = 1.0
        system[on.size + owner[on], np.arange(on.size)] = 1.0
        right = np.concatenate([scores[on] / size, np.ones(n)])
        try:
            found = np.linalg.solve(system, right)
        except np.linalg.LinAlgError:
            return None
        y: FloatArray = np.zeros(n * k)
        y[on] = found[: on.size]
        v = form.incentives(y.reshape(n, k)).reshape(-1)
        level = np.repeat(found[on.size :] * size, k)
        leave, enter = y < -1e-13, ~served & (v - level > 1e-12 * size)
        if not leave.any() and not enter.any():
            kept = np.maximum(y, 0.0).reshape(n, k)
            return np.asarray(kept / kept.sum(axis=1, keepdims=True))
        served = (served & ~leave) | enter
    return None


def best_deviation(form: Stated, i: int, x: FloatArray) -> float:
    """Return how much SciPy finds agent i can gain alone: a lower bound of its regret.

    A linear programme where the agent has no curvature, else SLSQP from its row and from the
    best vertex.
    """
    k = form.shape[1]
    here = form.utility(i, x[i], x)
    bend = form.curvature[i]
    if not bend.any():
        slope = form.incentives(x)[i]
        found = linprog(-slope, A_eq=np.ones((1, k)), b_eq=[1.0], bounds=(0, 1))
        return float(slope @ found.x - slope @ x[i])
    best = 0.0
    vertex = np.eye(k)[int(np.argmax([form.utility(i, e, x) for e in np.eye(k)]))]
    for start in (x[i], vertex, np.full(k, 1.0 / k)):
        found = minimize(
            lambda y: -form.utility(i, y, x),
            start,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * k,
            constraints=[{"type": "eq", "fun": lambda y: y.sum() - 1.0}],
            options={"ftol": 1e-13, "maxiter": 300},
        )
        y = np.maximum(found.x, 0.0)
        best = max(best, form.utility(i, y / y.sum(), x) - here)
    return best
