r"""What agents answer to a coverage: the inner problem of R10, for NumPy and for compiled passes.

Each plays :math:`x_i(m) = \arg\max_{x\in\Delta} \langle s_i - \gamma'_i S m, x\rangle -
\tfrac12 x^\top (H_i - \gamma_i S/(N-1))\,x` with :math:`\gamma'_i = \gamma_i N/(N-1)`; the
answers come with their mean's derivative (R7), all the outer iteration needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import compiled
from equipoise.equilibrium.curvature import lowest_programme
from equipoise.equilibrium.passes import Blend, answer_general, answer_rows, blend, definite
from equipoise.equilibrium.simplex import maximise, project
from equipoise.game.affine import AffineForm
from equipoise.game.parameters import tangent

__all__ = ["Answer", "AnyProblem", "Problem", "applies", "build", "build_plain", "pressure"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """What the agents answer to a coverage m."""

    excess: FloatArray
    """F(m), (groups,)."""
    jacobian: Callable[[], FloatArray]
    """Q at m, on demand."""
    profile: FloatArray | None
    """x_i(m), where it was written."""
    steepest: float
    """Largest |γ'_i| over the agent's curvature: F cannot be told below its rounding."""


@final
@dataclass(frozen=True, eq=False)
class Problem:
    """The aggregative game as the iteration sees it, answered by NumPy."""

    scores: FloatArray
    own: FloatArray
    """Curvature γ_i D_i: (rows,) multiples of I, or (rows, groups, groups)."""
    gamma: FloatArray
    """γ'_i = γ_i N/(N−1), (rows,)."""
    kernel: FloatArray | float
    share: FloatArray
    """n_i / N, (rows,)."""
    warm: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def respond(self, m: FloatArray) -> FloatArray:
        """Return x_i(m), (rows, groups)."""
        tilted = self.scores - self.tilt * pressure(self.kernel, m)
        if self.own.ndim == 1:
            return project(tilted, self.own)
        x, self.warm["served"] = maximise(tilted, self.own, served=self.warm.get("served"))
        return x

    def evaluate(self, m: FloatArray, near: bool) -> Answer:
        """Answer coverage m; `near` changes nothing here."""
        x = self.respond(m)
        return Answer(self.share @ x - m, lambda: self.jacobian(x > 0), x, self.steepest)

    @cached_property
    def steepest(self) -> float:
        """Return the largest |γ'_i| over the agent's curvature."""
        own = self.own if self.own.ndim == 1 else np.abs(self.own).max(axis=(1, 2))
        return float((np.abs(self.gamma) / own).max())

    def jacobian(self, served: NDArray[np.bool_]) -> FloatArray:
        r"""Return :math:`Q = \sum_i (n_i/N)\,\gamma'_i P_i` (R7), (groups, groups)."""
        if self.own.ndim == 1:
            on = served.astype(np.float64)
            out: FloatArray = (on.T * (self.pull / on.sum(axis=1))) @ on
            np.negative(out, out=out)
            out.flat[:: out.shape[0] + 1] += self.pull @ on
            return out
        weight = self.share * self.gamma
        return np.asarray(np.einsum("i,ijk->jk", weight, self.sensitivity(served)[0]))

    @cached_property
    def tilt(self) -> FloatArray:
        """Return γ'_i as a column."""
        return self.gamma[:, None]

    @cached_property
    def pull(self) -> FloatArray:
        """Return (n_i/N) γ'_i over the curvature, (rows,)."""
        return np.asarray(self.share * self.gamma / self.own)

    def sensitivity(self, served: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        r"""Return (P_i, x_i at zero scores) on the groups served: :math:`x_i = P_i g + x_i^0`.

        By the bordered inverse: exact also where the curvature is definite only on T.
        """
        on = served.astype(np.float64)
        n = on.shape[1]
        k = np.arange(n)
        border = np.zeros((len(on), n + 1, n + 1))
        matrices = self.own if self.own.ndim == 3 else self.own[:, None, None] * np.eye(n)
        border[:, :n, :n] = matrices * on[:, :, None] * on[:, None, :]
        border[:, k, k] += 1.0 - on
        border[:, :n, n] = on
        border[:, n, :n] = on
        inverse = np.linalg.inv(border)
        both = on[:, :, None] * on[:, None, :]
        return np.asarray(inverse[:, :n, :n] * both), np.asarray(inverse[:, :n, n] * on)


@final
@dataclass(frozen=True, eq=False)
class CompiledProblem:
    """The same for curvature and kernel multiples of I, by compiled passes over the rows."""

    form: AffineForm
    kernel: float
    extra: float
    level: FloatArray
    """λ_i of the last answer, (rows,): where the next one starts."""
    asked: list[bool] = field(default_factory=list)

    def evaluate(self, m: FloatArray, near: bool) -> Answer:
        """Answer coverage m in one pass; close to the end (`near`) write the profile, too."""
        form = self.form
        profile = np.empty((form.n_rows, form.n_groups)) if near else None
        done = answer_rows(
            form,
            m,
            total=form.agents.total,
            level=self.level,
            warm=bool(self.asked),
            profile=profile,
            extra=self.extra,
        )
        self.asked.append(True)
        return Answer(done.mean - m, lambda: done.jacobian, profile, done.steepest)


@final
@dataclass(frozen=True, eq=False)
class GeneralProblem:
    """The same for any curvature and kernel, by compiled passes with an active set a row."""

    form: AffineForm
    kernel: FloatArray | float
    extra: float
    parts: Blend
    served: NDArray[np.uint8]
    """Whom each row served in the last answer, (rows, groups): where the next one starts."""
    asked: list[bool] = field(default_factory=list)

    def evaluate(self, m: FloatArray, near: bool) -> Answer:
        """Answer coverage m in one pass; close to the end (`near`) write the profile, too."""
        profile = np.empty(self.served.shape) if near else None
        done = answer_general(
            self.form,
            self.parts,
            m,
            total=self.form.agents.total,
            served=self.served,
            warm=bool(self.asked),
            profile=profile,
            extra=self.extra,
        )
        self.asked.append(True)
        return Answer(done.mean - m, lambda: done.jacobian, profile, done.steepest)


AnyProblem = Problem | CompiledProblem | GeneralProblem


def pressure(kernel: FloatArray | float, m: FloatArray) -> FloatArray:
    """Return S m."""
    return kernel * m if isinstance(kernel, float) else kernel @ m


def build(form: AffineForm, extra: float = 0.0, *, many: bool | None = None) -> AnyProblem:
    """Assemble the problem, with `extra` curvature added; `many` overrules the number of rows."""
    own_weight, sigma = form.own_weight, form.kernel_scale
    large = form.n_rows >= compiled.ROWS if many is None else many
    if large and compiled.available():
        if own_weight is not None and sigma is not None:
            return CompiledProblem(form, sigma, extra, np.empty(form.n_rows))
        kernel = form.kernel_matrix() if sigma is None else sigma
        served = np.empty((form.n_rows, form.n_groups), dtype=np.uint8)
        return GeneralProblem(form, kernel, extra, blend(form, form.agents.total), served)
    if form.answer_curvature is None or extra:
        return build_plain(form, extra)
    if form not in _built:
        _built[form] = build_plain(form)
    return _built[form]


_built: WeakKeyDictionary[AffineForm, Problem] = WeakKeyDictionary()
"""Small problems with curvature multiples of I, which keep no state between solves."""


def build_plain(form: AffineForm, extra: float = 0.0, total: int | None = None) -> Problem:
    """Assemble the problem for NumPy; `total` agents when the rows are only a part of them."""
    total = form.agents.total if total is None else total
    scalar, sigma = form.scalar_curvature, form.kernel_scale
    if scalar is not None and sigma is not None:
        own = scalar - form.gamma * sigma / (total - 1) + extra
    else:
        own = form.curvature_matrices()
        own -= (form.gamma / (total - 1))[:, None, None] * form.kernel_matrix()
        own += extra * np.eye(form.n_groups)
    return Problem(
        scores=np.asarray(form.scores),
        own=own,
        gamma=form.gamma * total / (total - 1),
        kernel=sigma if sigma is not None else form.kernel_matrix(),
        share=form.agents.counts / total,
    )


def applies(form: AffineForm) -> bool:
    r"""Whether every agent's programme in R10 is strictly concave: :math:`D_i \succ 0` on T."""
    if form.network is not None or not form.coupled:
        return False
    if form.definite_answers is not None:
        return form.definite_answers
    if form.n_groups == 1:
        return True
    if form.n_rows >= compiled.ROWS and compiled.available():
        size = np.abs(form.gamma).max() * np.abs(form.kernel_matrix()).max()
        if (lowest_programme(form, form.agents.total) > 1e-12 * size).all():
            return True
        return definite(blend(form, form.agents.total), form.n_rows)
    basis = tangent(form.n_groups)
    low = np.linalg.eigvalsh(basis.T @ build_plain(form).own @ basis)
    return bool((low[:, 0] > 1e-13 * np.abs(low).max()).all())
