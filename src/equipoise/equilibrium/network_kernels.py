r"""A compiled sweep over a network: agents answer one after another, each the others' latest rows.

One pass over the links and a projection a row; nothing is allocated. Compiled by numba on first
use and cached on disk.
"""

from __future__ import annotations

import numpy as np

from equipoise.equilibrium.jit import Floats, Places, jit

__all__ = ["sweep"]


@jit()
def sweep(
    starts: Places, ends: Places, weights: Floats, degrees: Floats, scores: Floats, gamma: Floats,
    kernel: Floats, own: Floats, x: Floats,
) -> float:  # fmt: skip
    r"""Let every agent maximise :math:`\langle s_i - \gamma_i S o_i, x\rangle - h_i\|x\|^2/2`.

    `starts`, `ends`, `weights`, `degrees` as in `Network`; `scores`, `x` (rows, groups), `gamma`
    and `own` (rows,), `kernel` (groups, groups), or (1, 1) for a multiple of I. Returns the
    largest change of any weight.
    """
    k_count = x.shape[1]
    met = np.empty(k_count)
    t = np.empty(k_count)
    moved = 0.0
    scalar = kernel.shape[0] == 1
    for i in range(x.shape[0]):
        for k in range(k_count):
            met[k] = 0.0
        for e in range(starts[i], starts[i + 1]):
            j = ends[e]
            w = weights[e]
            for k in range(k_count):
                met[k] += w * x[j, k]
        g = gamma[i] / degrees[i] if degrees[i] > 0.0 else 0.0
        top = -np.inf
        for k in range(k_count):
            if scalar:
                pull = kernel[0, 0] * met[k]
            else:
                pull = 0.0
                for j in range(k_count):
                    pull += kernel[k, j] * met[j]
            t[k] = scores[i, k] - g * pull
            top = max(top, t[k])
        # Water-filling (R4) by Michelot: drop what lies below the level until nothing does.
        # Measured from the best score, served entries are at most h in size: nothing cancels.
        h = own[i]
        level = -np.inf
        served = 0
        while True:
            total = -h
            count = 0
            for k in range(k_count):
                if t[k] - top > level:
                    total += t[k] - top
                    count += 1
            level = total / count
            if count == served:
                break
            served = count
        for k in range(k_count):
            new = max(t[k] - top - level, 0.0) / h
            change = abs(new - x[i, k])
            moved = max(moved, change)
            x[i, k] = new
    return moved
