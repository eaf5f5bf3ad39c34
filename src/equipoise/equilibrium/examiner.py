r"""The exam of R3 over many agents, compiled: gap, regret bound, utility range, row by row.

It reads the terms' own parameters and the profile and shares nothing with the solvers: no
projection, no level of theirs. One pass, blocks of 64 agents with groups outermost.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["exam_pass"]

BLOCK = 64


@numba.njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def exam_pass(  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    values, alpha, pull, beta, common, met_total, met_factor, met_count, gamma, own, profile,
    low, high, full, gap, regret, spread, size, off,
):  # fmt: skip
    r"""Examine agents low..high of an affine game with curvature :math:`h_i I`.

    :math:`g_i = \alpha_i a_i + \beta_i c_i + r - \gamma_i\sigma(T - x_i)/(N-1)` with
    `met_total` :math:`= \sigma T/(N-1)`, `met_factor` :math:`= \sigma/(N-1)` and `met_count`
    :math:`= N-1`; the gradient is
    :math:`v_i = g_i - h_i x_i`. Values count from the agent's best one: a payoff common to all
    groups costs no digits. Writes per row the gap and the size of the parts that rounding acts
    on and, when `full`, a weak-duality bound of the regret and the spread of utilities; `off`
    (2,) keeps the worst row sum error and the lowest weight of these rows.
    """
    k_count = common.size
    g = np.empty((k_count, BLOCK))
    x = np.empty((k_count, BLOCK))
    h = np.empty(BLOCK)
    best = np.empty(BLOCK)
    top = np.empty(BLOCK)
    bottom = np.empty(BLOCK)
    here = np.empty(BLOCK)
    sums = np.empty(BLOCK)
    lost = np.empty(BLOCK)
    dual = np.empty(BLOCK)
    least = np.empty(BLOCK)
    base = np.empty(k_count)
    many_values, many_pull = values.shape[0] > 1, pull.shape[0] > 1
    many_alpha, many_beta, many_gamma = alpha.size > 1, beta.size > 1, gamma.size > 1
    many_own = own.size > 1
    i = low
    while i < high:
        n = min(BLOCK, high - i)
        for b in range(n):
            row = i + b
            w = gamma[row] if many_gamma else gamma[0]
            a = alpha[row] if many_alpha else alpha[0]
            c = beta[row] if many_beta else beta[0]
            at = row if many_values else 0
            by = row if many_pull else 0
            f = w * met_factor
            for k in range(k_count):
                base[k] = common[k] - w * met_total[k] + c * pull[by, k]
            first, last = values[at, 0], values[at, 0]
            for k in range(1, k_count):
                first = values[at, k] if values[at, k] > first else first
                last = values[at, k] if values[at, k] < last else last
            for k in range(k_count):
                x[k, b] = profile[row, k]
                g[k, b] = a * (values[at, k] - first) + base[k] + f * profile[row, k]
            h[b] = own[row] if many_own else own[0]
            size[row] = a * (first - last) + h[b] + abs(w) * met_factor * met_count
        for b in range(n, BLOCK):
            h[b] = 1.0
            for k in range(k_count):
                x[k, b] = 0.0
                g[k, b] = 0.0
        for b in range(BLOCK):
            best[b] = g[0, b] - h[b] * x[0, b]
            sums[b] = 0.0
            least[b] = x[0, b]
            lost[b] = 0.0
        for k in range(k_count):
            for b in range(BLOCK):
                v = g[k, b] - h[b] * x[k, b]
                best[b] = v if v > best[b] else best[b]
                sums[b] += x[k, b]
                least[b] = x[k, b] if x[k, b] < least[b] else least[b]
        for k in range(k_count):
            for b in range(BLOCK):
                lost[b] += x[k, b] * (best[b] - (g[k, b] - h[b] * x[k, b]))
        for b in range(n):
            gap[i + b] = lost[b]
            off[0] = max(off[0], abs(sums[b] - 1.0))
            off[1] = min(off[1], least[b])
        if full:
            for b in range(BLOCK):
                top[b] = g[0, b]
                bottom[b] = g[0, b]
                here[b] = 0.0
                dual[b] = 0.0
            for k in range(k_count):
                for b in range(BLOCK):
                    top[b] = g[k, b] if g[k, b] > top[b] else top[b]
                    bottom[b] = g[k, b] if g[k, b] < bottom[b] else bottom[b]
                    here[b] += x[k, b] * (g[k, b] - 0.5 * h[b] * x[k, b])
                    # Weak duality at the level max v: a bound for any level, sharp at equilibrium.
                    d = g[k, b] - best[b]
                    d = d if d > 0.0 else 0.0
                    y = d / h[b] - x[k, b]
                    dual[b] += y * (g[k, b] - best[b]) - 0.5 * h[b] * y * (y + 2.0 * x[k, b])
            for b in range(n):
                r = dual[b] if dual[b] > 0.0 else 0.0
                regret[i + b] = r if r < lost[b] and h[b] > 0.0 else lost[b]
                high_u = max(top[b] - 0.5 * h[b], here[b])
                low_u = min(bottom[b] - 0.5 * h[b], here[b])
                spread[i + b] = high_u - low_u
        i += n
