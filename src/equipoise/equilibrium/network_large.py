r"""Large networks: sparse links only, nothing of size agents × agents (R11).

With curvature :math:`h_i I`, :math:`h_i > 0`, agents answer one after another in one compiled
sweep: it raises the potential where there is one, and contracts wherever R2(c) or its weighted
form holds, directed links and mixed signs included. Elsewhere, without a potential, Korpelevich's
extragradient method is tried; it converges in monotone games, and only the certificate says
whether it did. Agents without neighbours answer once and for all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.equilibrium.curvature import kernel_spectrum, lowest_curvature
from equipoise.equilibrium.simplex import maximise, project
from equipoise.game.affine import AffineForm

__all__ = ["answer_network", "incentives"]

FloatArray = NDArray[np.float64]

STILL = 1e-13
"""No weight moves by more: the answers have come to rest."""

PATIENCE = 60
"""Sweeps in which the largest change has to halve, or the method is given up."""


def answer_network(
    form: AffineForm, start: FloatArray, max_steps: int
) -> tuple[FloatArray, int] | None:
    """Return a profile at rest and the number of sweeps or steps, or the best found.

    Parameters
    ----------
    form : AffineForm
        With a network.
    start : (rows, groups) array
        First guess.
    max_steps : int
        Limit of sweeps and of steps.

    Returns
    -------
    (profile, steps) or None
        None where the accelerated climb of `network.py` fits: a potential, and curvature that
        is no multiple of I, or no numba. Nothing is certified here.
    """
    network = form.network
    assert network is not None
    x, steps, still = start.copy(), 0, False
    own = form.scalar_curvature
    swept = own is not None and bool((own > 0).all())
    if swept and form.n_rows >= compiled.ROWS and compiled.available():
        x, steps, still = _sweep(form, x, max_steps)
        if still:
            return x, steps
    signs = form.gamma[network.degrees > 0]
    one_sign = bool((signs >= 0).all() or (signs <= 0).all())
    if one_sign and network.symmetric:
        # Slow sweeps up a potential are still the best that is known.
        return (x, steps) if steps else None
    y, more, calm = _extragradient(form, x if steps else start, max_steps)
    return (y, steps + more) if calm or not steps else (_calmer(form, x, y), steps + more)


def _sweep(form: AffineForm, x: FloatArray, max_sweeps: int) -> tuple[FloatArray, int, bool]:
    """Let agents answer in turn until none moves, or until the movement does not die out."""
    from equipoise.equilibrium.network_kernels import sweep

    network = form.network
    assert network is not None
    scale = form.kernel_scale
    kernel = form.kernel_matrix() if scale is None else np.full((1, 1), scale)
    ready = np.ascontiguousarray
    given = [network.starts, network.ends, network.weights, network.degrees]
    given += [ready(form.scores), ready(form.gamma), ready(kernel), ready(form.scalar_curvature)]
    run: Callable[..., float] = sweep
    mark, marked = np.inf, 0
    for number in range(1, max_sweeps + 1):
        with compiled.announced() if number == 1 else contextlib.nullcontext():
            moved = float(run(*given, x))
        if moved <= STILL:
            return x, number, True
        if moved <= 0.5 * mark:
            mark, marked = moved, number
        elif number - marked > PATIENCE and moved < 1e-11:
            # Rounding keeps it moving.
            return x, number, True
        elif number - marked > PATIENCE and not _potential(form):
            return x, number, False
    return x, max_sweeps, False


def _potential(form: AffineForm) -> bool:
    assert form.network is not None
    one_sign = bool((form.gamma >= 0).all() or (form.gamma <= 0).all())
    return one_sign and form.network.symmetric


def _extragradient(
    form: AffineForm, start: FloatArray, max_steps: int
) -> tuple[FloatArray, int, bool]:
    r"""Step with the incentives one step ahead, in the metric of each agent's own scale.

    :math:`y = P(x + \tau v(x))`, then :math:`x \leftarrow P(x + \tau v(y))`. The common factor
    of the steps shrinks until :math:`\tau\|v(y) - v(x)\| \le 0.9\|y - x\|` (Khobotov 1987), so
    no bound on the norm of `W` is needed.
    """
    network = form.network
    assert network is not None
    x = _lone(form, start)
    _, high = lowest_curvature(form)
    length = high + np.abs(form.gamma) * float(kernel_spectrum(form)[0].max(initial=0.0))
    length = np.where(length > 0, length, max(1.0, float(np.ptp(form.scores))))
    linked = np.flatnonzero(network.degrees > 0)
    factor, mark, marked = 1.0, np.inf, 0
    for step in range(1, max_steps + 1):
        v = incentives(form, x)
        while True:
            scale = length / factor
            y = x.copy()
            y[linked] = project((v + scale[:, None] * x)[linked], scale[linked])
            ahead = incentives(form, y)
            turned = float((((ahead - v)[linked]) ** 2 / scale[linked, None]).sum())
            gone = float((((y - x)[linked]) ** 2 * scale[linked, None]).sum())
            if turned <= 0.81 * gone or factor < 1e-6:
                break
            factor *= 0.7
        new = x.copy()
        new[linked] = project((ahead + scale[:, None] * x)[linked], scale[linked])
        moved = float(np.abs(new - x).max())
        x = new
        if moved <= STILL:
            return x, step, True
        if moved <= 0.5 * mark:
            mark, marked = moved, step
        elif step - marked > 10 * PATIENCE:
            return x, step, moved < 1e-11
        factor = min(1.0, 1.02 * factor)
    return x, max_steps, False


def _lone(form: AffineForm, start: FloatArray) -> FloatArray:
    """Return the profile with every agent that meets nobody at its own best (R4)."""
    assert form.network is not None
    x = start.copy()
    low, _ = lowest_curvature(form)
    lone = np.flatnonzero((form.network.degrees == 0) & (low > 0))
    if lone.size:
        matrices = sum(
            weight[lone, None, None] * (np.eye(form.n_groups) if matrix is None else matrix)
            for weight, matrix in form.curvatures
        )
        x[lone] = maximise(form.scores[lone], np.asarray(matrices))[0]
    return x


def _calmer(form: AffineForm, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the profile at which the worst-placed agent can gain less."""

    def worst(z: FloatArray) -> float:
        v = incentives(form, z)
        return float((v.max(axis=1) - (v * z).sum(axis=1)).max())

    return x if worst(x) < worst(y) else y


def incentives(form: AffineForm, x: FloatArray) -> FloatArray:
    r"""Return :math:`v_i = s_i - H_i x_i - \gamma_i S o_i`, (rows, groups)."""
    if form.network is not None:
        met = form.network.average(x)
    else:
        met = (form.agents.counts @ x - x) / max(1, form.agents.total - 1)
    if form.kernel is not None:
        met = met @ form.kernel
    v = form.scores - form.gamma[:, None] * met
    for weight, matrix in form.curvatures:
        v = v - weight[:, None] * (x if matrix is None else x @ matrix)
    return np.asarray(v)
