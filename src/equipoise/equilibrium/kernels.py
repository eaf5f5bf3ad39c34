r"""Compiled passes over many agents: best responses of R10 for curvature and kernel multiples of I.

One pass reads every agent's scores once and returns :math:`\sum_i w_i x_i(m)` and the Jacobian
:math:`\sum_i w_i\gamma'_i P_i`; nothing of size agents × groups is made but the profile itself.
Agents go through in blocks of 64 with groups outermost, so that the inner loops are vector
instructions. Compiled by numba on first use and cached on disk; threads are ours (`nogil`),
never numba's own, which abort when two Python threads meet in them.
"""

from __future__ import annotations

import numpy as np

from equipoise.equilibrium.jit import Floats, Places, jit

__all__ = ["answer_pass"]

BLOCK = 64

SCALAR = 12
"""About how many vectorised products an addition at scattered places costs."""


@jit(fastmath=True)
def add_pairs(on: Floats, weight: Floats, n: int, chosen: Places, jacobian: Floats) -> None:
    """Add weight·aa' of the first n columns of `on`, which are 0 or 1, to the upper triangle."""
    for b in range(n):
        q = 0
        for k in range(on.shape[0]):
            chosen[q] = k
            q += 1 if on[k, b] > 0.0 else 0
        for c in range(q):
            for d in range(c, q):
                jacobian[chosen[c], chosen[d]] += weight[b]


@jit(fastmath=True)
def answer_pass(
    values: Floats, alpha: Floats, pull: Floats, beta: Floats, common: Floats, pressure: Floats,
    gamma: Floats, curvature: Floats, weight: Floats, met: float, grow: float, extra: float,
    level: Floats, warm: bool, profile: Floats, write: bool, low: int, high: int, mean: Floats,
    jacobian: Floats, limits: Floats,
) -> None:  # fmt: skip
    r"""Answer coverage m for agents low..high: :math:`x_i = (t_i - \lambda_i)_+/h_i`.

    :math:`t_i = \alpha_i a_i + \beta_i c_i + r - \gamma'_i S m`. `values`, `pull` are (rows or
    1, groups); `alpha`, `beta`, `gamma`, `curvature`, `weight` are (rows or 1,); `met`
    :math:`= \sigma/(N-1)`, `grow` :math:`= N/(N-1)`: :math:`h_i` is the curvature plus `extra`
    less :math:`\gamma_i\sigma/(N-1)` and :math:`\gamma'_i = \gamma_i N/(N-1)`. `level` keeps
    :math:`\lambda`, counted from the row's best, between passes. `jacobian` (groups + 1, groups)
    collects the upper triangle of :math:`\sum w\gamma' a a^\top/(h|a|)` and, in its last row,
    :math:`\sum w\gamma' a/h`; `limits` (2,) keeps the least :math:`h_i` and the largest
    :math:`|\gamma'_i|/h_i`.
    """
    k_count = common.size
    t = np.empty((k_count, BLOCK))
    total = np.empty(BLOCK)
    served = np.empty(BLOCK)
    lam = np.empty(BLOCK)
    h = np.empty(BLOCK)
    scale, inverse = np.empty(BLOCK), np.empty(BLOCK)
    chosen = np.empty(k_count + 1, dtype=np.int64)
    alphas, betas, pushes = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    many_values, many_pull = values.shape[0] > 1, pull.shape[0] > 1
    many_alpha, many_beta, many_gamma = alpha.size > 1, beta.size > 1, gamma.size > 1
    many_own, many_weight = curvature.size > 1, weight.size > 1
    least, steep = limits[0], limits[1]
    i = low
    while i < high:
        n = min(BLOCK, high - i)
        # Views that start at 0: no test for a negative index stands in the inner loops.
        rows = values[i : i + n] if many_values else values
        anchors = pull[i : i + n] if many_pull else pull
        levels = level[i : i + n]
        for b in range(n, BLOCK):
            h[b], alphas[b], betas[b], pushes[b] = 1.0, 0.0, 0.0, 0.0
        for b in range(n):
            raw = gamma[i + b] if many_gamma else gamma[0]
            alphas[b] = alpha[i + b] if many_alpha else alpha[0]
            betas[b] = beta[i + b] if many_beta else beta[0]
            pushes[b] = raw * grow
            h[b] = (curvature[i + b] if many_own else curvature[0]) + extra - raw * met
        for b in range(n):
            least = h[b] if h[b] < least else least
            inverse[b] = 1.0 / h[b]
            e = abs(pushes[b]) * inverse[b]
            steep = e if e > steep else steep
        # Groups outermost: one strided read an entry, then vector instructions.
        for k in range(k_count):
            if many_values:
                for b in range(n):
                    t[k, b] = rows[b, k]
            else:
                for b in range(n):
                    t[k, b] = values[0, k]
            for b in range(n, BLOCK):
                t[k, b] = 0.0
        # From the row's best value: a payoff common to all groups costs no digits.
        for b in range(BLOCK):
            total[b] = t[0, b]
        for k in range(1, k_count):
            for b in range(BLOCK):
                total[b] = t[k, b] if t[k, b] > total[b] else total[b]
        for k in range(k_count):
            if many_pull:
                for b in range(n):
                    lam[b] = betas[b] * anchors[b, k]
                for b in range(n, BLOCK):
                    lam[b] = 0.0
            else:
                for b in range(BLOCK):
                    lam[b] = betas[b] * pull[0, k]
            for b in range(BLOCK):
                push = common[k] - pushes[b] * pressure[k]
                t[k, b] = alphas[b] * (t[k, b] - total[b]) + (push + lam[b])
        # Measured from the best, served entries are at most h in size: rows sum to 1 to the last
        # digits also where h is small beside the scores.
        for b in range(BLOCK):
            total[b] = t[0, b]
        for k in range(1, k_count):
            for b in range(BLOCK):
                total[b] = t[k, b] if t[k, b] > total[b] else total[b]
        for k in range(k_count):
            for b in range(BLOCK):
                t[k, b] -= total[b]
        # Newton on the level: from any start one step lands left of the root of the convex
        # piecewise-linear excess, and the steps after it are monotone and finite.
        for b in range(BLOCK):
            lam[b] = -h[b]
        if warm:
            for b in range(n):
                lam[b] = levels[b]
        for _ in range(3 * k_count + 20):
            for b in range(BLOCK):
                total[b] = 0.0
                served[b] = 0.0
            for k in range(k_count):
                for b in range(BLOCK):
                    d = t[k, b] - lam[b]
                    total[b] += d if d > 0.0 else 0.0
                    served[b] += 1.0 if d > 0.0 else 0.0
            off = 0.0
            for b in range(BLOCK):
                r = total[b] - h[b]
                e = abs(r) - 4e-16 * k_count * h[b]
                off = e if e > off else off
                lam[b] += r / served[b] if served[b] > 0.5 else r
            if off <= 0.0:
                break
        for b in range(n):
            levels[b] = lam[b]
        for b in range(n):
            scale[b] = (weight[i + b] if many_weight else weight[0]) * inverse[b]
        for b in range(n, BLOCK):
            scale[b] = 0.0
        for k in range(k_count):
            sum_k = 0.0
            for b in range(BLOCK):
                d = t[k, b] - lam[b]
                d = d if d > 0.0 else 0.0
                t[k, b] = d
                sum_k += d * scale[b]
            mean[k] += sum_k
        if write:
            out = profile[i : i + n]
            for b in range(n):
                for k in range(k_count):
                    out[b, k] = t[k, b] * inverse[b]
        for b in range(n):
            scale[b] *= grow * (gamma[i + b] if many_gamma else gamma[0])
        for b in range(BLOCK):
            total[b] = scale[b] / served[b]
        for k in range(k_count):
            sum_k = 0.0
            for b in range(BLOCK):
                on = 1.0 if t[k, b] > 0.0 else 0.0
                t[k, b] = on
                sum_k += on * scale[b]
            jacobian[k_count, k] += sum_k
        # Few groups served of many: pairs of them only, one addition each.
        pairs = 0.0
        for b in range(n):
            pairs += served[b] * (served[b] + 1.0)
        if SCALAR * pairs < BLOCK * k_count * (k_count + 1):
            add_pairs(t, total, n, chosen, jacobian)
        else:
            for k in range(k_count):
                for b in range(BLOCK):
                    lam[b] = t[k, b] * total[b]
                for j in range(k, k_count):
                    sum_k = 0.0
                    for b in range(BLOCK):
                        sum_k += lam[b] * t[j, b]
                    jacobian[k, j] += sum_k
        i += n
    limits[0], limits[1] = least, steep
