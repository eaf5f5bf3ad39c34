r"""Many agents who meet everybody: Newton's method in the K unknowns of the coverage (R10).

Agents meet only through :math:`m = \bar x`. Each plays :math:`x_i(m) = \arg\max_{x\in\Delta}
\langle s_i - \gamma'_i S m, x\rangle - \tfrac12 x^\top (H_i - \gamma_i S/(N-1))\,x` with
:math:`\gamma'_i = \gamma_i N/(N-1)`, and the equilibrium is the zero of :math:`F(m) =
\sum_i (n_i/N) x_i(m) - m`. Time and memory are linear in the number of rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.equilibrium.answers import (
    Answer,
    AnyProblem,
    applies,
    build,
    build_plain,
    pressure,
)
from equipoise.game.affine import AffineForm
from equipoise.game.agents import Agents

__all__ = ["applies", "settle", "solve_mean_field"]

FloatArray = NDArray[np.float64]

MAX_STEPS = 80

PATIENCE = 12
"""Steps in which ‖F‖ has not halved before Newton's method gives way to continuation."""


def solve_mean_field(
    form: AffineForm, start: FloatArray | None = None
) -> tuple[FloatArray, int] | None:
    """Solve F(m) = 0 and return the profile and the number of Newton steps.

    Parameters
    ----------
    form : AffineForm
        Default network, with `applies(form)`.
    start : (groups,) array, optional
        First guess of the coverage; default uniform, and for many rows the coverage of a
        sample of them.

    Returns
    -------
    (profile, steps) or None
        None when neither the line search nor continuation in curvature settled. Nothing is
        certified here.
    """
    n = form.n_groups
    m = np.full(n, 1.0 / n) if start is None else start
    steps = 0
    if start is None and form.n_rows >= compiled.ROWS:
        m, steps = _sampled_start(form, m)
    x, _, more = _newton(build(form), m)
    steps += more
    if x is not None:
        return x, steps
    # Continuation: follow the answer while extra curvature σ falls to zero.
    size = float(np.abs(form.weight).max())
    for extra in [*(size * 4.0**-j for j in range(16)), 0.0]:
        x, m, more = _newton(build(form, extra), m)
        steps += more
        if x is None:
            return None
    return None if x is None else (x, steps)


def _sampled_start(form: AffineForm, m: FloatArray) -> tuple[FloatArray, int]:
    """Solve the game of every j-th row first: its coverage is near the whole's."""
    step = max(1, form.n_rows // 2000)
    rows = slice(None, None, step)

    def some(array: FloatArray) -> FloatArray:
        return array[rows] if len(array) == form.n_rows else array

    counts = form.agents.counts[rows]
    typed = {str(i): int(c) for i, c in enumerate(counts)} if form.agents.typed else counts.size
    sample = dataclasses.replace(
        form,
        agents=Agents(typed),
        values=some(form.values),
        alpha=some(form.alpha),
        pull=some(form.pull),
        beta=some(form.beta),
        curvatures=tuple((w[rows], matrix) for w, matrix in form.curvatures),
        weight=some(form.weight),
    )
    if not applies(sample):
        return m, 0
    x, found, steps = _newton(build(sample, many=True), m)
    return (m if x is None else found), steps


def _newton(problem: AnyProblem, m: FloatArray) -> tuple[FloatArray | None, FloatArray, int]:
    """Return (profile or None, coverage, steps)."""
    answer = problem.evaluate(m, False)
    floor = 4e-16 * (1.0 + answer.steepest)
    best, best_answer, best_size = m, answer, _size(answer)
    stalled = step = 0
    # ψ falls at every step, ‖F‖ need not: far from the end it may take several steps to.
    while (
        step < MAX_STEPS
        and best_size > floor
        and stalled < (3 if best_size <= 1e3 * floor else PATIENCE)
    ):
        step += 1
        direction = _direction(problem.kernel, answer)
        # Newton squares the error: the next answer may be the last.
        m, answer = _search(problem, m, answer, direction, best_size < 1e-6)
        size = _size(answer)
        stalled = 0 if size < 0.5 * best_size else stalled + 1
        if size < best_size:
            best, best_answer, best_size = m, answer, size
        if stalled and best_size <= 32 * floor:
            break
    if best_size > max(1e3 * floor, 1e-13):
        return None, best, step
    x = best_answer.profile
    return (problem.evaluate(best, True).profile if x is None else x), best, step


def _size(answer: Answer) -> float:
    """Return the largest |F_k|; NaN counts as infinite."""
    size = max(map(abs, answer.excess.tolist()))
    return size if size == size else float("inf")


def _direction(kernel: FloatArray | float, answer: Answer) -> FloatArray:
    """Newton's direction (I + QS)⁻¹F; plain F where herding makes the matrix singular."""
    value = answer.excess
    try:
        q = answer.jacobian()
        coupling = q * kernel if isinstance(kernel, float) else q @ kernel
        coupling.flat[:: value.size + 1] += 1.0
        return np.asarray(np.linalg.solve(coupling, value), dtype=np.float64)
    except np.linalg.LinAlgError:
        return value


def _search(
    problem: AnyProblem,
    m: FloatArray,
    answer: Answer,
    direction: FloatArray,
    near: bool,
) -> tuple[FloatArray, Answer]:
    r"""Take the full step unless :math:`\varphi'(1) > \tfrac12|\varphi'(0)|`; then bracket.

    :math:`\varphi'(t) = -F(m+td)^\top S d` is nondecreasing and piecewise linear for
    :math:`\gamma \ge 0`; its zero is approached until :math:`|\varphi'(t)| \le
    0.1|\varphi'(0)|`. The slope is used, not the value: no cancellation.
    """
    pull = pressure(problem.kernel, direction)
    slope0 = -float(answer.excess @ pull)
    point = m + direction
    answer = problem.evaluate(point, near)
    slope1 = -float(answer.excess @ pull)
    if slope0 >= 0 or slope1 <= 0.5 * abs(slope0):
        return point, answer
    low, high, f_low, f_high = 0.0, 1.0, slope0, slope1
    for _ in range(40):
        # Regula falsi, pulled towards the middle so that neither end can stick.
        t = low + (high - low) * min(0.9, max(0.1, -f_low / (f_high - f_low)))
        point = m + t * direction
        answer = problem.evaluate(point, near)
        slope = -float(answer.excess @ pull)
        if abs(slope) <= 0.1 * abs(slope0):
            break
        if slope > 0:
            high, f_high = t, slope
        else:
            low, f_low = t, slope
    return point, answer


def settle(form: AffineForm, x: FloatArray, rounds: int = 8) -> FloatArray:
    """Re-solve the equilibrium conditions on the groups served by `x`, until the signs agree.

    Works also where some D_i is not definite: only the linear system on the support counts.
    Returns `x` unchanged when the supports do not settle. Nothing is certified here.
    """
    problem = build_plain(form)
    served = x > 1e-9
    kernel = problem.kernel
    for _ in range(rounds):
        try:
            p, base = problem.sensitivity(served)
            fixed = np.einsum("ijk,ik->ij", p, problem.scores) + base
            q = np.einsum("i,ijk->jk", problem.share * problem.gamma, p)
            coupling = q * kernel if isinstance(kernel, float) else q @ kernel
            m = np.linalg.solve(np.eye(form.n_groups) + coupling, problem.share @ fixed)
        except np.linalg.LinAlgError:
            return x
        tilted = problem.scores - problem.gamma[:, None] * pressure(kernel, m)
        y = np.einsum("ijk,ik->ij", p, tilted) + base
        bend = (
            problem.own[:, None] * y
            if problem.own.ndim == 1
            else np.einsum("ijk,ik->ij", problem.own, y)
        )
        v = tilted - bend
        level = np.where(served, v, 0.0).sum(axis=1) / served.sum(axis=1)
        noise = 1e-12 * (np.abs(tilted).max(axis=1) + np.abs(bend).max(axis=1))
        leave = served & (y < -1e-13)
        enter = ~served & (v > (level + noise)[:, None])
        if not leave.any() and not enter.any():
            y = np.maximum(y, 0.0)
            return np.asarray(y / y.sum(axis=1, keepdims=True))
        served = (served & ~leave) | enter
        served |= ~served.any(axis=1, keepdims=True)
    return x
