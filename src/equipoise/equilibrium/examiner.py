r"""The exam of R3 over many agents, compiled: gap, regret bound, utility range, row by row.

It reads the terms' own parameters and the profile and shares nothing with the solvers: no
projection, no level of theirs. One pass, blocks of 64 agents with groups outermost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.jit import SAFE_MATH, Floats, jit

__all__ = ["exam_pass", "general_exam_pass"]

BLOCK = 64


@jit(fastmath=SAFE_MATH)
def exam_pass(
    values: Floats, alpha: Floats, pull: Floats, beta: Floats, common: Floats, met_total: Floats,
    met_factor: float, met_count: float, gamma: Floats, own: Floats, profile: Floats, low: int,
    high: int, full: bool, gap: Floats, regret: Floats, spread: Floats, size: Floats, off: Floats,
) -> None:  # fmt: skip
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
    alphas, betas, pushes = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    many_values, many_pull = values.shape[0] > 1, pull.shape[0] > 1
    many_alpha, many_beta, many_gamma = alpha.size > 1, beta.size > 1, gamma.size > 1
    many_own = own.size > 1
    i = low
    while i < high:
        n = min(BLOCK, high - i)
        # Views that start at 0: no test for a negative index stands in the inner loops.
        rows = values[i : i + n] if many_values else values
        anchors = pull[i : i + n] if many_pull else pull
        mine, gaps, sizes = profile[i : i + n], gap[i : i + n], size[i : i + n]
        for b in range(n, BLOCK):
            alphas[b], betas[b], pushes[b], h[b] = 0.0, 0.0, 0.0, 1.0
        for b in range(n):
            alphas[b] = alpha[i + b] if many_alpha else alpha[0]
            betas[b] = beta[i + b] if many_beta else beta[0]
            pushes[b] = gamma[i + b] if many_gamma else gamma[0]
            h[b] = own[i + b] if many_own else own[0]
        for k in range(k_count):
            if many_values:
                for b in range(n):
                    g[k, b] = rows[b, k]
            else:
                for b in range(n):
                    g[k, b] = rows[0, k]
            for b in range(n):
                x[k, b] = mine[b, k]
            for b in range(n, BLOCK):
                x[k, b] = 0.0
                g[k, b] = 0.0
        for b in range(BLOCK):
            top[b] = g[0, b]
            bottom[b] = g[0, b]
        for k in range(1, k_count):
            for b in range(BLOCK):
                top[b] = g[k, b] if g[k, b] > top[b] else top[b]
                bottom[b] = g[k, b] if g[k, b] < bottom[b] else bottom[b]
        for b in range(n):
            sizes[b] = (
                alphas[b] * (top[b] - bottom[b]) + h[b] + abs(pushes[b]) * met_factor * met_count
            )
        for k in range(k_count):
            if many_pull:
                for b in range(n):
                    sums[b] = anchors[b, k]
            else:
                for b in range(BLOCK):
                    sums[b] = anchors[0, k]
            for b in range(BLOCK):
                hold = betas[b] * sums[b] if b < n else 0.0
                push = common[k] - pushes[b] * met_total[k] + pushes[b] * met_factor * x[k, b]
                g[k, b] = alphas[b] * (g[k, b] - top[b]) + (hold + push)
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
            gaps[b] = lost[b]
            # NaN compares false: a row that is not a number must not pass.
            if not abs(sums[b] - 1.0) <= off[0]:
                off[0] = abs(sums[b] - 1.0) if sums[b] == sums[b] else np.inf
            off[1] = least[b] if least[b] < off[1] else off[1]
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


@jit(fastmath=SAFE_MATH)
def general_exam_pass(
    values: Floats, alpha: Floats, pull: Floats, prices: Floats, beta: Floats, rho: Floats,
    gamma: Floats, matrices: Floats, dense: NDArray[np.bool_], met: Floats, profile: Floats,
    others: float, low: int, high: int, full: bool, gap: Floats, regret: Floats, spread: Floats,
    size: Floats, off: Floats,
) -> None:  # fmt: skip
    r"""Examine agents low..high of an affine game with any matrices, default network.

    :math:`v_i = \alpha_i a_i + \beta_i(Bc_i - Bx_i) - \rho_i Rx_i + r - \gamma_i S(T-x_i)/(N-1)`
    with `pull` :math:`Bc_i`, `matrices` :math:`(B, R, S)`, `dense` whether each is not I, `met`
    :math:`ST` and `others` :math:`N-1`. Writes per row the gap, the size of the parts that
    rounding acts on and, when `full`, the spread of utilities over vertices and :math:`x_i`, and
    the regret (weak duality) where the agent's curvature is a multiple of I, else the gap;
    `off` (2,) keeps the worst row sum error and the lowest weight of these rows.
    """
    n = prices.size
    v, image = np.empty(n), np.empty((3, n))
    for i in range(low, high):
        a = alpha[i if alpha.size > 1 else 0]
        b = beta[i if beta.size > 1 else 0]
        r = rho[i if rho.size > 1 else 0]
        w = gamma[i if gamma.size > 1 else 0]
        at = values[i if values.shape[0] > 1 else 0]
        by = pull[i if pull.shape[0] > 1 else 0]
        x = profile[i]
        for j in range(3):
            if not dense[j]:
                for k in range(n):
                    image[j, k] = x[k]
                continue
            for k in range(n):
                image[j, k] = 0.0
            for p in range(n):
                if x[p] != 0.0:
                    row = matrices[j, p]
                    for k in range(n):
                        image[j, k] += x[p] * row[k]
        first, last = at[0], at[0]
        for k in range(1, n):
            first = at[k] if at[k] > first else first
            last = at[k] if at[k] < last else last
        held, bent, seen, total, least, best = 0.0, 0.0, 0.0, 0.0, x[0], -np.inf
        for k in range(n):
            hold = b * (by[k] - image[0, k])
            bend = r * image[1, k]
            see = w * (met[k] - image[2, k]) / others
            v[k] = a * (at[k] - first) + hold + prices[k] - bend - see
            best = v[k] if v[k] > best else best
            held = abs(hold) if abs(hold) > held else held
            bent = abs(bend) if abs(bend) > bent else bent
            seen = abs(see) if abs(see) > seen else seen
            total += x[k]
            least = x[k] if x[k] < least else least
        size[i] = abs(a) * (first - last) + held + bent + seen
        lost = 0.0
        for k in range(n):
            lost += x[k] * (best - v[k])
        gap[i] = lost
        # NaN compares false: a row that is not a number must not pass.
        if not abs(total - 1.0) <= off[0]:
            off[0] = abs(total - 1.0) if total == total else np.inf
        off[1] = least if least < off[1] else off[1]
        if full:
            here, top, bottom = 0.0, -np.inf, np.inf
            for k in range(n):
                bend = b * image[0, k] + r * image[1, k]
                g = v[k] + bend
                here += x[k] * (g - 0.5 * bend)
                vertex = g - 0.5 * (b * matrices[0, k, k] + r * matrices[1, k, k])
                top = vertex if vertex > top else top
                bottom = vertex if vertex < bottom else bottom
            spread[i] = max(top, here) - min(bottom, here)
            regret[i] = lost
            h = b + r
            if not dense[0] and not dense[1] and h > 0.0:
                # Any level gives a true bound; Newton steps on the dual make it sharp.
                level = best
                for k in range(n):
                    level = max(level, v[k] + h * x[k])
                level -= h
                for _ in range(12):
                    rest, count = -h, 0.0
                    for k in range(n):
                        g = v[k] + h * x[k] - level
                        rest += g if g > 0.0 else 0.0
                        count += 1.0 if g > 0.0 else 0.0
                    if count == 0.0 or rest == 0.0:
                        break
                    level += rest / count
                bound = 0.0
                for k in range(n):
                    g = v[k] + h * x[k] - level
                    step = (g if g > 0.0 else 0.0) / h - x[k]
                    bound += step * g - 0.5 * h * step * (step + 2.0 * x[k])
                regret[i] = min(lost, max(bound, 0.0))
