"""The tests of R2 (d) and (e) and R9: KL consistency and audience share."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.uniqueness_affine import affine_uniqueness
from equipoise.equilibrium.uniqueness_statement import Uniqueness, verdict
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import AudienceShare, Consistency, Diversity, KLConsistency, Variety

__all__ = ["curved_uniqueness"]

FloatArray = NDArray[np.float64]


def curved_uniqueness(game: AlignmentGame) -> Uniqueness:
    """KL (d) and audience share (e); R9 for audience share alone."""
    kl, share = game.term(KLConsistency), game.term(AudienceShare)
    diversity = game.term(Diversity)
    rows = len(game.agents)
    gamma = np.broadcast_to(diversity.weight, (rows,)) if diversity else np.zeros(rows)
    beta = np.broadcast_to(kl.weight, (rows,)) if kl else np.zeros(rows)
    theta = np.broadcast_to(share.weight, (rows,)) if share else np.zeros(rows)
    own = [t for t in game.terms if isinstance(t, Consistency | Variety) and np.any(t.weight)]
    coupled = bool(np.any(gamma != 0)) and game.agents.total > 1
    if theta.any():
        return _audience(game, gamma, beta, theta, coupled)
    if not coupled:
        if (beta > 0).all():
            test = "no interaction and KL consistency: smallest weight"
            return Uniqueness("proved", float(beta.min()), test, float(beta.min()), np.ones(rows))
        return _kl_bounded(game, beta)
    if own or diversity is None or diversity.network is not None:
        return _kl_bounded(game, beta)
    answer = _kl(game, diversity, gamma, beta)
    return answer if answer.verdict == "proved" else _kl_bounded(game, beta)


def _kl_bounded(game: AlignmentGame, beta: FloatArray) -> Uniqueness:
    """Bound KL's curvature β/x from below by β and use the affine tests."""
    rest = AlignmentGame(
        game.groups, game.agents, [t for t in game.terms if not isinstance(t, KLConsistency)]
    ).affine
    assert rest is not None
    answer = affine_uniqueness(
        dataclasses.replace(rest, curvatures=(*rest.curvatures, (beta, None))), None
    )
    if answer.verdict != "proved" or answer.test.startswith(("R2(f)", "no interaction: lead")):
        return Uniqueness("unknown", answer.margin, f"KL bounded by β·I fails {answer.test}")
    return dataclasses.replace(answer, test=f"KL's curvature bounded below by β·I; {answer.test}")


def _kl(
    game: AlignmentGame, diversity: Diversity, gamma: FloatArray, beta: FloatArray
) -> Uniqueness:
    """(d): β_i/γ_i > D_S/(4(N−1)); identical agents with S = I also −2β < γ < 2β(N−1)."""
    kl = game.term(KLConsistency)
    assert kl is not None
    n, k = game.agents.total, len(game.groups)
    s = np.eye(k) if diversity.kernel is None else diversity.kernel
    spread = float((np.diag(s)[:, None] + np.diag(s)[None, :] - 2 * s).max())
    if (gamma >= 0).all() and (beta > 0).all():
        active = gamma > 0
        margin = float((beta[active] / gamma[active]).min()) - spread / (4 * (n - 1))
        test = "R2(d): smallest β_i/γ_i − D_S/(4(N−1)) (rows divided by γ_i)"
        top = float(np.linalg.eigvalsh(s)[-1]) / (n - 1)
        crude = float((beta[active] / gamma[active]).min()) - top
        weights = 1.0 / gamma if active.all() and crude > 0 else None
        return verdict(
            margin,
            max(1.0, spread),
            test,
            modulus=crude if weights is not None else None,
            weights=weights,
        )
    same = bool(np.ptp(gamma) == 0 and np.ptp(beta) == 0) and kl.anchor.ndim == 1
    if same and diversity.kernel is None and beta[0] > 0 and _same_scores(game):
        margin = float(2 * beta[0] - abs(gamma[0]))
        return verdict(margin, float(beta[0]), "R2(d): 2β − |γ|, identical agents, S = I")
    return Uniqueness("unknown", None, "R2(d) needs γ ≥ 0, or identical agents with S = I")


def _same_scores(game: AlignmentGame) -> bool:
    """Whether every remaining term is the same for all agents."""
    zero = np.zeros((len(game.agents), len(game.groups)))
    for term in game.terms:
        if isinstance(term, Diversity | KLConsistency | AudienceShare):
            continue
        rows = term.own_gradient(zero, game.groups, game.agents)
        if np.any(rows != rows[:1]):
            return False
    return True


def _audience(
    game: AlignmentGame,
    gamma: FloatArray,
    beta: FloatArray,
    theta: FloatArray,
    coupled: bool,
) -> Uniqueness:
    """(e) and R9: audience share is monotone at a common θ, so strict terms stay decisive."""
    if (theta > 0).all() and game.agents.total > 1 and len(game.live) == 1:
        low = float(theta.min())
        return verdict(low, low, "R9: audience share alone, smallest θ_i")
    kept = [t for t in game.terms if not isinstance(t, AudienceShare)]
    rest = AlignmentGame(game.groups, game.agents, kept)
    affine = rest.affine
    inner = curved_uniqueness(rest) if affine is None else affine_uniqueness(affine, None)
    need = "a common θ_i/γ_i > 0 (θ_i d_i/γ_i on a network)" if coupled else "a common θ"
    # The sum of monotone maps is monotone only under the weights that make the rest so.
    ratio = theta * inner.weights if inner.weights is not None else np.array([0.0, 1.0])
    common = bool(np.ptp(ratio) <= 1e-12 * ratio.max())
    strict = inner.modulus is not None and inner.modulus > 0
    if common and inner.verdict == "proved" and strict:
        test = f"R2(e): audience share is monotone at {need}, on top of {inner.test}"
        return Uniqueness("proved", inner.margin, test, inner.modulus, inner.weights)
    return Uniqueness("unknown", None, f"R2(e) needs {need} and a strictly monotone rest")
