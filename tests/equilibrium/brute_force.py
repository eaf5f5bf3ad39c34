"""Every equilibrium of a tiny affine game, by solving the conditions on every set of supports."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from tests.equilibrium.witnesses import Stated

FloatArray = NDArray[np.float64]


def all_equilibria(form: Stated) -> tuple[list[FloatArray], bool]:
    """Return the isolated equilibria, and whether some support gave a singular system."""
    n, k = form.shape
    jacobian, scores = form.jacobian(), form.scores.reshape(-1)
    size = float(np.abs(jacobian).max() + np.ptp(scores))
    supports = [c for r in range(1, k + 1) for c in itertools.combinations(range(k), r)]
    found: list[FloatArray] = []
    singular = False
    for combination in itertools.product(supports, repeat=n):
        on = np.array([i * k + j for i, served in enumerate(combination) for j in served])
        owner = on // k
        m = on.size
        system = np.zeros((m + n, m + n))
        system[:m, :m] = jacobian[np.ix_(on, on)] / size
        system[np.arange(m), m + owner] = 1.0
        system[m + owner, np.arange(m)] = 1.0
        if np.linalg.svd(system, compute_uv=False)[-1] < 1e-12:
            singular = True
            continue
        answer = np.linalg.solve(system, np.r_[scores[on] / size, np.ones(n)])[:m]
        if (answer < -1e-10).any():
            continue
        x: FloatArray = np.zeros(n * k)
        x[on] = np.maximum(answer, 0.0)
        rows = x.reshape(n, k)
        known = any(np.abs(rows - other).max() < 1e-7 for other in found)
        if not known and form.gap(rows).max() < 1e-11 * size:
            found.append(rows)
    return found, singular
