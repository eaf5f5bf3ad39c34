r"""Compiled passes of R10 for any curvature and kernel: exact active sets, agent by agent.

Agent i's curvature is :math:`A_i = d_i I + \sum_t w_{it} M_t` with a few matrices :math:`M_t`
common to all (metric, variety, kernel): no matrix per agent is kept. On the groups served one
group is the reference; the others' weights solve a system with :math:`Z^\top A_i Z`, positive
definite whenever :math:`A_i` is so on vectors that sum to zero (what the bordered system of R4
asks for). The groups served are remembered between passes, one byte each.
"""

from __future__ import annotations

import numpy as np

from equipoise.equilibrium.jit import SAFE_MATH, Floats, Marks, Places, jit

__all__ = ["definite_pass", "general_pass"]


@jit(fastmath=SAFE_MATH)
def factor(
    list_: Places, q: int, d: float, w: Floats, matrices: Floats, block: Floats, chol: Floats,
) -> bool:  # fmt: skip
    """Build A on the groups listed and factor it against the first; False if not definite.

    `block` receives A, `chol` the lower factor of Z'AZ with inverted diagonal.
    """
    for a in range(q):
        for b in range(a + 1):
            total = d if a == b else 0.0
            for t in range(w.size):
                total += w[t] * matrices[t, list_[a], list_[b]]
            block[a, b] = total
            block[b, a] = total
    for a in range(1, q):
        for b in range(1, a + 1):
            total = (block[a, b] - block[a, 0]) - (block[b, 0] - block[0, 0])
            size = abs(block[a, a]) + abs(block[0, 0])
            for c in range(1, b):
                total -= chol[a, c] * chol[b, c]
            if a == b:
                if not total > 1e-15 * size:
                    return False
                chol[a, a] = 1.0 / np.sqrt(total)
            else:
                chol[a, b] = total * chol[b, b]
    return True


@jit(fastmath=SAFE_MATH)
def stationary(t: Floats, list_: Places, q: int, block: Floats, chol: Floats, y: Floats) -> None:
    """Weights y of the groups listed that make their payoffs equal; their sum is 1."""
    rest = 1.0
    for a in range(1, q):
        y[a] = (t[list_[a]] - t[list_[0]]) - (block[a, 0] - block[0, 0])
        for c in range(1, a):
            y[a] -= chol[a, c] * y[c]
        y[a] *= chol[a, a]
    for a in range(q - 1, 0, -1):
        for c in range(a + 1, q):
            y[a] -= chol[c, a] * y[c]
        y[a] *= chol[a, a]
        rest -= y[a]
    y[0] = rest


@jit(fastmath=SAFE_MATH)
def payoffs(
    t: Floats, list_: Places, q: int, y: Floats, d: float, w: Floats, matrices: Floats, v: Floats,
) -> float:  # fmt: skip
    """Write v = t − A y for all groups; return the level of the groups listed."""
    n = t.size
    for k in range(n):
        v[k] = t[k]
    for a in range(q):
        v[list_[a]] -= d * y[a]
        for s in range(w.size):
            scale = w[s] * y[a]
            row = matrices[s, list_[a]]
            for k in range(n):
                v[k] -= scale * row[k]
    level = 0.0
    for a in range(q):
        level += v[list_[a]]
    return level / q


@jit(fastmath=SAFE_MATH)
def gather(on: Marks, list_: Places) -> int:
    """List the groups that are on."""
    q = 0
    for k in range(on.size):
        if on[k]:
            list_[q] = k
            q += 1
    return q


@jit(fastmath=SAFE_MATH)
def guess(t: Floats, h: float, on: Marks) -> None:
    """Serve what a multiple h of the identity would: water-filling, at most a few steps."""
    n = t.size
    level = -h if h > 0.0 else 0.0
    for _ in range(12):
        total = -h
        count = 0.0
        for k in range(n):
            total += t[k] - level if t[k] > level else 0.0
            count += 1.0 if t[k] > level else 0.0
        if count == 0.0 or abs(total) <= 1e-12 * h:
            break
        level += total / count
    some = False
    for k in range(n):
        on[k] = t[k] > level
        some = some or on[k]
    if not some:
        on[t.argmax()] = 1


@jit(fastmath=SAFE_MATH)
def switch(
    t: Floats, d: float, w: Floats, matrices: Floats, size: float, on: Marks, list_: Places,
    block: Floats, chol: Floats, y: Floats, v: Floats,
) -> int:  # fmt: skip
    """Let all groups with a wrong sign change sides at once; number served, or 0 (unsettled)."""
    n = t.size
    for _ in range(8 + n // 4):
        q = gather(on, list_)
        if not factor(list_, q, d, w, matrices, block, chol):
            return 0
        stationary(t, list_, q, block, chol, y)
        level = payoffs(t, list_, q, y, d, w, matrices, v)
        noise = 1e-13 * (size + abs(level))
        same = True
        for k in range(n):
            if not on[k] and v[k] - level > noise:
                on[k] = 2
                same = False
        for a in range(q):
            if y[a] < -1e-14:
                on[list_[a]] = 0
                same = False
        if same:
            return q
        some = False
        for k in range(n):
            on[k] = on[k] > 0
            some = some or on[k]
        if not some:
            on[t.argmax()] = 1
    return 0


@jit(fastmath=SAFE_MATH)
def climb(
    t: Floats, d: float, w: Floats, matrices: Floats, size: float, on: Marks, list_: Places,
    block: Floats, chol: Floats, y: Floats, v: Floats, x: Floats,
) -> int:  # fmt: skip
    """One group enters or leaves a step and the value rises: finite; number served, or 0.

    A group at weight zero leaves before another enters, so that every entry moves.
    """
    n = t.size
    best = 0
    top = -np.inf
    for k in range(n):
        own = d
        for s in range(w.size):
            own += w[s] * matrices[s, k, k]
        if t[k] - 0.5 * own > top:
            top = t[k] - 0.5 * own
            best = k
        on[k] = 0
        x[k] = 0.0
    on[best] = 1
    x[best] = 1.0
    for _ in range(50 * n + 50):
        q = gather(on, list_)
        if not factor(list_, q, d, w, matrices, block, chol):
            return 0
        stationary(t, list_, q, block, chol, y)
        reach = 1.0
        stop = -1
        for a in range(q):
            if y[a] < 0.0:
                to = x[list_[a]] / (x[list_[a]] - y[a])
                if stop < 0 or to < reach:
                    reach = to
                    stop = a
        if stop >= 0:
            for a in range(q):
                x[list_[a]] += reach * (y[a] - x[list_[a]])
            x[list_[stop]] = 0.0
            on[list_[stop]] = 0
            continue
        for a in range(q):
            x[list_[a]] = y[a]
            if y[a] == 0.0 and q > 1:
                on[list_[a]] = 0
        level = payoffs(t, list_, q, y, d, w, matrices, v)
        enter = -1
        most = 1e-13 * (size + abs(level))
        for k in range(n):
            if not on[k] and x[k] == 0.0 and v[k] - level > most:
                most = v[k] - level
                enter = k
        if enter < 0:
            q = gather(on, list_)
            if not factor(list_, q, d, w, matrices, block, chol):
                return 0
            stationary(t, list_, q, block, chol, y)
            return q
        on[enter] = 1
    return 0


@jit(fastmath=SAFE_MATH)
def slopes(
    list_: Places, q: int, chol: Floats, scale: float, inverse: Floats, jacobian: Floats,
) -> float:  # fmt: skip
    """Add scale·P (R7) on the groups listed to the Jacobian; return the largest P_kk."""
    # The inverse factor, row by row; then P = Z (L L')^{-1} Z'.
    for a in range(1, q):
        inverse[a, a] = chol[a, a]
        for b in range(1, a):
            total = 0.0
            for c in range(b, a):
                total += chol[a, c] * inverse[c, b]
            inverse[a, b] = -total * chol[a, a]
        total = 0.0
        for b in range(1, a + 1):
            total -= inverse[a, b]
        inverse[a, 0] = total
    most = 0.0
    for a in range(q):
        for b in range(a + 1):
            total = 0.0
            for c in range(max(a, 1), q):
                total += inverse[c, a] * inverse[c, b]
            jacobian[list_[a], list_[b]] += scale * total
            if a == b:
                most = total if total > most else most
            else:
                jacobian[list_[b], list_[a]] += scale * total
    return most


@jit(fastmath=SAFE_MATH)
def general_pass(
    values: Floats, alpha: Floats, pull: Floats, beta: Floats, common: Floats, pressure: Floats,
    gamma: Floats, own: Floats, weights: Floats, matrices: Floats, share: Floats, grow: float,
    extra: float, served: Marks, warm: bool, profile: Floats, write: bool, low: int, high: int,
    mean: Floats, jacobian: Floats, limits: Floats,
) -> None:  # fmt: skip
    r"""Answer coverage m for agents low..high: :math:`\arg\max \langle t_i,x\rangle - ½x^⊤A_i x`.

    :math:`t_i = \alpha_i a_i + \beta_i Bc_i + r - \gamma'_i S m`, :math:`A_i = (d_i + e)I +
    \sum_t w_{it}M_t` with `own` :math:`d_i` and `weights` (rows or 1, matrices), `extra` e.
    `served` (rows, groups) is read when `warm` and always written. `jacobian` collects
    :math:`\sum w\gamma' P`, `limits` (2,) the largest :math:`|\gamma'_i|P_{kk}` and the number of
    rows whose active set did not settle (their row of `profile` is a guess).
    """
    n = common.size
    t, v, x, y = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    base = np.empty(n)
    w = np.empty(matrices.shape[0])
    spread = np.empty(matrices.shape[0])
    largest = np.empty(matrices.shape[0])
    on = np.empty(n, dtype=np.uint8)
    list_ = np.empty(n, dtype=np.int64)
    block, chol, inverse = np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    for s in range(w.size):
        trace = 0.0
        for k in range(n):
            trace += matrices[s, k, k]
        spread[s] = (trace - matrices[s].sum() / n) / max(1, n - 1)
        largest[s] = np.abs(matrices[s]).max()
    for i in range(low, high):
        g = gamma[i if gamma.size > 1 else 0] * grow
        a = alpha[i if alpha.size > 1 else 0]
        c = beta[i if beta.size > 1 else 0]
        at = values[i if values.shape[0] > 1 else 0]
        by = pull[i if pull.shape[0] > 1 else 0]
        d = own[i if own.size > 1 else 0] + extra
        h, size = d, abs(d)
        for s in range(w.size):
            w[s] = weights[i if weights.shape[0] > 1 else 0, s]
            h += w[s] * spread[s]
            size += abs(w[s]) * largest[s]
        # From the row's best value: a payoff common to all groups costs no digits.
        first = at[0]
        for k in range(1, n):
            first = at[k] if at[k] > first else first
        top = -np.inf
        for k in range(n):
            base[k] = a * (at[k] - first)
            t[k] = base[k] + (c * by[k] + common[k] - g * pressure[k])
            top = t[k] if t[k] > top else top
        bottom = 0.0
        for k in range(n):
            t[k] -= top
            bottom = t[k] if t[k] < bottom else bottom
        size -= bottom
        if warm:
            for k in range(n):
                on[k] = served[i, k]
        else:
            guess(t, h, on)
        q = switch(t, d, w, matrices, size, on, list_, block, chol, y, v)
        if q == 0:
            q = climb(t, d, w, matrices, size, on, list_, block, chol, y, v, x)
        m = share[i if share.size > 1 else 0]
        if q == 0:
            limits[1] += 1.0
            for k in range(n):
                on[k] = 0
            list_[0] = t.argmax()
            on[list_[0]] = 1
            y[0] = 1.0
            q = 1
        total = 0.0
        for b in range(q):
            y[b] = y[b] if y[b] > 0.0 else 0.0
            total += y[b]
        for k in range(n):
            served[i, k] = on[k]
            if write:
                profile[i, k] = 0.0
        for b in range(q):
            y[b] /= total
            mean[list_[b]] += m * y[b]
            if write:
                profile[i, list_[b]] = y[b]
        steep = abs(g) * slopes(list_, q, chol, m * g, inverse, jacobian)
        limits[0] = steep if steep > limits[0] else limits[0]


@jit(fastmath=SAFE_MATH)
def definite_pass(
    own: Floats, weights: Floats, matrices: Floats, low: int, high: int, failed: Floats,
) -> None:  # fmt: skip
    """Count the agents low..high whose A_i is not positive definite on sum-zero vectors."""
    n = matrices.shape[1]
    list_ = np.arange(n)
    block, chol = np.empty((n, n)), np.empty((n, n))
    for i in range(low, high):
        d = own[i if own.size > 1 else 0]
        w = weights[i if weights.shape[0] > 1 else 0]
        if not factor(list_, n, d, w, matrices, block, chol):
            failed[0] += 1.0
