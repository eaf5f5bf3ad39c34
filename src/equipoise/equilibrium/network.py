r"""Climbing the potential (R11): networks, and games whose agents specialise.

With symmetric links and one sign of :math:`\gamma` the game has the potential :math:`\Phi` of
R2(a), and every equilibrium is a stationary point of it. Agents answer one after another
(small games) or all at once by a damped step (large ones); both raise :math:`\Phi` even where
it is not concave. Large networks, and links without a potential, are in `network_large.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.affine_vi import polish
from equipoise.equilibrium.curvature import kernel_spectrum, lowest_curvature
from equipoise.equilibrium.mean_field import settle
from equipoise.equilibrium.network_large import answer_network, incentives
from equipoise.equilibrium.simplex import maximise, project
from equipoise.game.affine import AffineForm

__all__ = ["answer_in_turn", "random_starts", "step_together"]

FloatArray = NDArray[np.float64]

TURN_LIMIT = 400
"""Up to this many rows agents answer one after another."""

OFTEN_LIMIT = 500
"""Up to this many weights the conditions are re-solved every 25 sweeps, however far they move."""


def random_starts(form: AffineForm, count: int, seed: int) -> list[FloatArray]:
    """Return `count` starting profiles: pure rows, common pure rows and uniform draws in turn."""
    rng = np.random.default_rng(seed)
    n, k = form.n_rows, form.n_groups
    starts = []
    for j in range(count):
        kind = j % 3
        if kind == 0:
            x = np.eye(k)[rng.integers(k, size=n)]
        elif kind == 1:
            x = np.broadcast_to(np.eye(k)[(j // 3) % k], (n, k)).copy()
        else:
            x = rng.dirichlet(np.ones(k), size=n)
        # Off the faces: a zero weight must be an answer, not an accident of the start.
        starts.append(0.99 * x + 0.01 / k)
    return starts


def answer_in_turn(
    form: AffineForm, start: FloatArray, max_sweeps: int = 400
) -> tuple[FloatArray, int]:
    """Let agents answer one after another until none moves; then re-solve on the supports.

    Returns the profile and the number of sweeps. Nothing is certified here.
    """
    x = start.copy()
    n, k = x.shape
    kernel = form.kernel_matrix()
    meeting = form.meeting_matrix()
    scalar = form.scalar_curvature if form.kernel_scale is not None else None
    own = [_own_curvature(form, i, meeting[i, i], kernel) for i in range(n)]
    matrices = np.stack([matrix for matrix, _ in own])
    slopes = np.array([gamma for _, gamma in own])
    # A little inertia where curvature is missing: the fixed points stay the same.
    inertia = _inertia(form, matrices)
    sweep = 0
    for sweep in range(1, max_sweeps + 1):
        moved = 0.0
        for i in range(n):
            met = meeting[i] @ x - slopes[i] * meeting[i, i] * x[i]
            score = form.scores[i] - form.gamma[i] * (kernel @ met) + inertia[i] * x[i]
            if scalar is not None:
                h = matrices[i, 0, 0] + inertia[i]
                new = project(score[None], np.array([h]))[0]
            else:
                guess = (x[i] > 0)[None]
                new = maximise(score[None], matrices[i] + inertia[i] * np.eye(k), served=guess)[0][
                    0
                ]
            moved = max(moved, float(np.abs(new - x[i]).max()))
            x[i] = new
        if moved < 1e-9 or (sweep % 25 == 0 and (moved < 1e-4 or n * k <= OFTEN_LIMIT)):
            settled = _finish(form, x)
            # A new profile came back only if every sign agrees: it is at rest.
            near = settled is not x and (n * k <= OFTEN_LIMIT or np.abs(settled - x).max() < 1e-3)
            if moved < 1e-9 or near:
                return settled, sweep
    return _finish(form, x), sweep


def step_together(
    form: AffineForm, start: FloatArray, max_steps: int = 3000, *, share: float = 1.0
) -> tuple[FloatArray, int]:
    """Move all agents at once by a projected gradient step with momentum and restarts.

    Large networks, and those without a potential, go to `answer_network`. `share` < 1 shortens
    the steps. Returns the profile and the number of
    steps. Nothing is certified here.
    """
    if form.network is not None:
        found = answer_network(form, start, max_steps)
        if found is not None:
            return _finish(form, found[0]), found[1]
    x = start.copy()
    _, high = lowest_curvature(form)
    top = float(kernel_spectrum(form)[0].max(initial=0.0))
    met = form.agents.total / max(1, form.agents.total - 1) if form.network is None else 1.0
    length = (high + np.abs(form.gamma) * top * met) / share
    length = np.where(length > 0, length, max(1.0, float(np.ptp(form.scores))))
    y, momentum = x, 1.0
    step = 0
    for step in range(1, max_steps + 1):
        new = project(incentives(form, y) + length[:, None] * y, length)
        moved = new - x
        if float(np.abs(moved).max()) < 1e-10:
            x = new
            break
        if float(((y - new) * moved).sum()) > 0:
            momentum, y = 1.0, new
        else:
            fresh = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
            y = new + (momentum - 1) / fresh * moved
            momentum = fresh
        x = new
        if step % 200 == 0:
            settled = _finish(form, x)
            if settled is not x and np.abs(settled - x).max() < 1e-3:
                return settled, step
    return _finish(form, x), step


def _finish(form: AffineForm, x: FloatArray) -> FloatArray:
    if form.network is None:
        return settle(form, x)
    return polish(form, x)


def _own_curvature(
    form: AffineForm, row: int, own_share: float, kernel: FloatArray
) -> tuple[FloatArray, float]:
    """Curvature of a row's answer; a type answers for all its members at once if it can."""
    matrix = form.curvature_matrix(row)
    together = matrix + form.gamma[row] * own_share * kernel
    if own_share > 0 and np.linalg.eigvalsh(together)[0] > 0:
        return together, 1.0
    return matrix, 0.0


def _inertia(form: AffineForm, matrices: FloatArray) -> FloatArray:
    low = np.linalg.eigvalsh(matrices)[:, 0]
    size = np.abs(matrices).max(axis=(1, 2)) + np.abs(form.gamma) + np.ptp(form.scores, axis=1)
    size = np.where(size > 0, size, 1.0)
    return np.asarray(np.where(low > 1e-6 * size, 0.0, 1e-2 * size))
