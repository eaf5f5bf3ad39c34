"""One step of each dynamics, for a batch of profiles (starts, rows, groups) at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.closed_form import log_linear
from equipoise.equilibrium.simplex import maximise, project
from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.parameters import tangent
from equipoise.game.terms import AudienceShare, Consistency, KLConsistency, Variety

__all__ = ["Step", "step_of"]

FloatArray = NDArray[np.float64]
Step = Callable[[FloatArray], FloatArray]


def step_of(game: AlignmentGame, kind: str, size: float) -> Step:
    """Return the map from one batch of profiles to the next."""
    if kind == "best-response":
        answer = _answer(game)
        return lambda x: answer(x) if size == 1 else (1.0 - size) * x + size * answer(x)
    slope = _slope(game)
    if kind == "gradient":
        if game.term(KLConsistency) is not None:
            raise BadInput("kind: KL consistency has no gradient at weight 0; use replicator")
        shape = (-1, len(game.groups))

        def climb(x: FloatArray) -> FloatArray:
            moved = (x + size * slope(x)).reshape(shape)
            return project(moved, np.ones(len(moved))).reshape(x.shape)

        return climb

    def replicate(x: FloatArray) -> FloatArray:
        v = slope(x)
        best = np.where(x > 0, v, -np.inf).max(axis=2, keepdims=True)
        with np.errstate(invalid="ignore", over="ignore"):
            grown = np.where(x > 0, x * np.exp(size * (v - best)), 0.0)
        return np.asarray(grown / grown.sum(axis=2, keepdims=True))

    return replicate


def _met(form: AffineForm, x: FloatArray) -> FloatArray:
    """Return γ_i S o_i for a batch of profiles."""
    if not form.coupled:
        return np.zeros_like(x)
    if form.network is not None:
        flat = form.network.average(np.moveaxis(x, 0, 1).reshape(form.n_rows, -1))
        others = np.moveaxis(flat.reshape(form.n_rows, len(x), -1), 1, 0)
    else:
        mass = np.einsum("r,brk->bk", form.agents.counts, x)
        others = (mass[:, None, :] - x) / (form.agents.total - 1)
    return np.asarray(form.gamma[:, None] * (others @ form.kernel_matrix()))


def _slope(game: AlignmentGame) -> Step:
    """Return the pseudo-gradient of a batch of profiles."""
    form = game.affine
    if form is not None:
        scalar, n = form.scalar_curvature, form.n_groups
        h = np.zeros((0, n, n)) if scalar is not None else form.curvature_matrices()

        def affine(x: FloatArray) -> FloatArray:
            own = scalar[:, None] * x if scalar is not None else np.einsum("rkl,brl->brk", h, x)
            return np.asarray(form.scores - own - _met(form, x))

        return affine

    def general(x: FloatArray) -> FloatArray:
        v = np.stack([game.gradients(game.profile(one)) for one in x])
        if not np.isfinite(v[x > 0]).all() or np.isposinf(v).any():
            raise BadInput("start: a payoff has no slope there; start with every group served")
        return np.where(np.isfinite(v), v, 0.0)

    return general


def _answer(game: AlignmentGame) -> Step:
    """Return every agent's best response to the others, for a batch of profiles."""
    form, n = game.affine, len(game.groups)
    if form is None:
        return _answer_in_nats(game)
    scalar = form.scalar_curvature
    h = np.zeros((0, n, n)) if scalar is not None else form.curvature_matrices()
    if scalar is None:
        basis = tangent(n)
        low = np.linalg.eigvalsh(np.einsum("ka,ikl,lb->iab", basis, h, basis))[:, 0]
        if not (low > 0).all():
            raise BadInput("kind: an agent without curvature has many best responses; use gradient")

    def affine(x: FloatArray) -> FloatArray:
        tilted = (form.scores - _met(form, x)).reshape(-1, n)
        if scalar is None:
            return maximise(tilted, np.tile(h, (len(x), 1, 1)))[0].reshape(x.shape)
        own = np.tile(scalar, len(x))
        pure = np.eye(n)[tilted.argmax(axis=1)]
        curved = np.where(own[:, None] > 0, project(tilted, np.where(own > 0, own, 1.0)), pure)
        return np.asarray(curved.reshape(x.shape))

    return affine


def _answer_in_nats(game: AlignmentGame) -> Step:
    """KL consistency and no other curvature: the formula of R8."""
    kl = game.term(KLConsistency)
    bent = [t for t in game.terms if isinstance(t, Consistency | Variety | AudienceShare)]
    if kl is None or any(np.any(t.weight) for t in bent) or not np.all(kl.weight > 0):
        raise BadInput("kind: best responses of this game have no formula; use replicator")
    shape = (len(game.agents), len(game.groups))
    anchor, weight = np.broadcast_to(kl.anchor, shape), np.broadcast_to(kl.weight, shape[:1])
    linear = [t for t in game.terms if not isinstance(t, KLConsistency | AudienceShare)]

    def answer(x: FloatArray) -> FloatArray:
        out = np.empty_like(x)
        for number, one in enumerate(x):
            slope = np.zeros(shape)
            for term in linear:
                slope = slope + term.own_gradient(one, game.groups, game.agents)
            out[number] = log_linear(slope, anchor, weight)
        return out

    return answer
