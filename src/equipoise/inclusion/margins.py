r"""How far each group is from the edge of being served, in score units (R6).

The signed score margin of group k at a threshold :math:`\varepsilon` is how far every agent's
score of k may fall (> 0) or must rise (< 0) until the top weight of k is exactly
:math:`\varepsilon`. At :math:`\varepsilon = 0` it is :math:`\max_i (v_{ik} - \lambda_i)` in the
equilibrium of the game in which nobody may serve k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.simplex import maximise
from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.profile import Profile
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Term,
    Variety,
)

__all__ = ["score_margins", "symmetric_margins", "symmetric_profiles"]

FloatArray = NDArray[np.float64]


def symmetric_profiles(scores: FloatArray, curvature: FloatArray) -> FloatArray:
    r"""Return the symmetric equilibrium of identical agents for many games at once (R4).

    Parameters
    ----------
    scores : (draws, groups) array
        :math:`s` of each game.
    curvature : (draws, groups, groups) or (groups, groups) array
        :math:`\beta B + \rho R + \gamma S`, positive definite on the tangent space.

    Returns
    -------
    (draws, groups) array
        Mixtures; zeros are exact.
    """
    return maximise(scores, curvature)[0]


def symmetric_margins(scores: FloatArray, curvature: FloatArray, below: float = 0.0) -> FloatArray:
    r"""Return the score margins of identical agents for many games at once (R6).

    :math:`\mathrm{margin}_k = s_k - [\lambda^{(-k)} + G_{kk}\varepsilon + G_{k,-k} x^{(-k)}]`,
    where :math:`(x, \lambda)^{(-k)}` solves the game with :math:`x_k` held at
    :math:`\varepsilon` and :math:`G = \beta B + \rho R + \gamma S`.

    Parameters
    ----------
    scores : (draws, groups) array
        :math:`s` of each game.
    curvature : (draws, groups, groups) or (groups, groups) array
        :math:`G`, positive definite on the tangent space.
    below : float
        Threshold :math:`\varepsilon` in [0, 1).

    Returns
    -------
    (draws, groups) array
        Score units; infinite for the only group.

    Examples
    --------
    >>> symmetric_margins(np.array([[0.6, 0.3, 0.1]]), np.eye(3)).round(12)
    array([[0.9 , 0.45, 0.15]])
    """
    draws, n = scores.shape
    if n == 1:
        return np.full((draws, 1), np.inf)
    g = np.broadcast_to(curvature, (draws, n, n))
    out = np.empty((draws, n))
    for k in range(n):
        rest = np.delete(np.arange(n), k)
        inner = g[:, rest[:, None], rest]
        tilt = scores[:, rest] - below * g[:, rest, k]
        # With budget b = 1 − ε: x = b·y turns the programme into one on the simplex.
        budget = 1.0 - below
        y = maximise(tilt / budget, inner)[0]
        slope = tilt - budget * np.einsum("dij,dj->di", inner, y)
        level = (slope * y).sum(axis=1)
        pull = below * g[:, k, k] + budget * np.einsum("dj,dj->d", g[:, k, rest], y)
        out[:, k] = scores[:, k] - level - pull
    return out


def score_margins(equilibrium: Equilibrium, below: float = 0.0) -> FloatArray:
    """Return the signed score margin of every group at an equilibrium (R6).

    Parameters
    ----------
    equilibrium : Equilibrium
        A certified equilibrium.
    below : float
        Exclusion threshold on top weight, in [0, 1).

    Returns
    -------
    (groups,) array
        Score units. Minus infinity: excluded by every agent's anchor, no price can lift it
        (R8). Plus infinity: no fall of its score drops it (KL or audience share at threshold
        0, or the only group). NaN: undefined, the game that was re-solved has another kind of
        equilibrium (several exist; herding). Where the equilibrium is not proved unique the
        margin of a served group belongs to the one that `solve` finds once the group is barred.
    """
    game = equilibrium.game
    n = len(game.groups)
    if n == 1:
        return np.full(1, np.inf)
    form = game.affine
    if form is not None and _symmetric(form, equilibrium):
        g = form.curvature_matrix(0)
        if form.coupled:
            g = g + float(form.gamma[0]) * form.kernel_matrix()
        if _definite(g):
            return np.asarray(symmetric_margins(np.asarray(form.scores[:1]), g, below)[0])
    forbidden = _forbidden(game)
    margins = np.empty(n)
    for k in range(n):
        if forbidden[k]:
            margins[k] = -np.inf
        elif below == 0.0 and form is None and _always_served(game):
            margins[k] = np.inf
        elif below == 0.0:
            margins[k] = _barred_margin(equilibrium, k)
        else:
            margins[k] = _threshold_margin(equilibrium, k, below)
    return _consistent(equilibrium, margins, below)


def _consistent(equilibrium: Equilibrium, margins: FloatArray, below: float) -> FloatArray:
    """Give no margin whose sign contradicts what agents do: it belongs to another equilibrium."""
    if equilibrium.certificate.uniqueness.verdict == "proved":
        return margins
    top = equilibrium.profile.top_weight
    served = top >= below if below > 0 else top > 1e-9
    clear = np.abs(margins) > 1e-9 * _scale(equilibrium)
    return np.where(clear & ((margins > 0) != served), np.nan, margins)


def _symmetric(form: AffineForm, equilibrium: Equilibrium) -> bool:
    meets = form.network is None or bool((form.network.degrees > 0).all())
    x = equilibrium.profile.array
    return form.identical and meets and bool(np.all(np.ptp(x, axis=0) <= 1e-9))


def _definite(g: FloatArray) -> bool:
    basis = np.eye(len(g))[:, :-1] - np.eye(len(g))[:, 1:]
    values = np.linalg.eigvalsh(basis.T @ g @ basis)
    return bool(values[0] > 1e-12 * values[-1])


def _forbidden(game: AlignmentGame) -> NDArray[np.bool_]:
    """Find groups on which no agent may ever put weight: KL anchors at 0 for everybody."""
    kl = game.term(KLConsistency)
    if kl is None:
        return np.zeros(len(game.groups), dtype=bool)
    weight = np.broadcast_to(kl.weight, (len(game.agents),))
    anchor = np.broadcast_to(kl.anchor, (len(game.agents), len(game.groups)))
    return np.asarray(((anchor == 0) & (weight > 0)[:, None]).all(axis=0))


def _always_served(game: AlignmentGame) -> bool:
    """Whether no fall of scores can drop a group at threshold 0."""
    kl, share = game.term(KLConsistency), game.term(AudienceShare)
    if kl is not None and np.any(kl.weight > 0):
        return True
    if share is None:
        return False
    weight = np.broadcast_to(share.weight, (len(game.agents),))
    # Even a lone contender takes a sliver of a group nobody else serves, at any price.
    return bool((weight > 0).any())


def _shifted(game: AlignmentGame, group: int, by: float) -> AlignmentGame:
    old = game.term(Subsidy)
    prices = np.zeros(len(game.groups)) if old is None else np.array(old.prices)
    prices[group] += by
    return game.replace(Subsidy(prices))


def _scale(equilibrium: Equilibrium) -> float:
    """Size of the game's payoffs: no agent serves a group whose score is this much worse."""
    game = equilibrium.game
    vertices = game.vertex_utilities(equilibrium.profile)
    finite = np.where(np.isfinite(vertices), vertices, 0.0)
    v = game.gradients(equilibrium.profile)
    slopes = np.where(np.isfinite(v), np.abs(v), 0.0)
    size = float(np.ptp(finite, axis=1).max() + 2.0 * slopes.max())
    form = game.affine
    if form is not None:
        size += 4.0 * float(
            max((np.abs(w).max() * (1.0 if m is None else np.abs(m).max())
                 for w, m in form.curvatures), default=0.0)
        )  # fmt: skip
        size += 4.0 * float(np.abs(form.gamma).max() * np.abs(form.kernel_matrix()).max())
    return max(size, 1e-300)


def _barred_margin(equilibrium: Equilibrium, k: int) -> float:
    """Bar group k and ask how near its best agent comes to entering."""
    game = equilibrium.game
    if equilibrium.profile.top_weight[k] == 0.0:
        return _lead(game, equilibrium.profile, k)
    form = game.affine
    if form is not None:
        without = _solved(_without(game, form, k), game, k).profile.array
        return _lead(game, game.profile(np.insert(without, k, 0.0, axis=1)), k)
    # Other terms: a price that nobody accepts.
    fine = 16.0 * _scale(equilibrium)
    barred = _shifted(game, k, -fine)
    return _lead(barred, _solved(barred, game, k).profile, k) + fine


def _solved(barred: AlignmentGame, game: AlignmentGame, k: int) -> Equilibrium:
    try:
        return solve(barred, starts=0)
    except NotSolved as error:
        raise NotSolved(
            f'the margin of "{game.groups.labels[k]}" cannot be told, because the game without '
            f"that group was not solved: {error}"
        ) from None


def _without(game: AlignmentGame, form: AffineForm, k: int) -> AlignmentGame:
    """Return the game on the other groups: the same scores, curvature and coupling there."""
    rest = np.delete(np.arange(form.n_groups), k)

    def cut(matrix: FloatArray | None) -> FloatArray | None:
        return None if matrix is None else matrix[np.ix_(rest, rest)]

    values = np.array(form.scores[:, rest])
    terms: list[Term] = []
    variety, consistency = game.term(Variety), game.term(Consistency)
    if variety is not None:
        terms.append(Variety(variety.weight, cut(variety.matrix)))
    if consistency is not None:
        # A uniform anchor adds a score of its own; take it off the values again.
        anchor = np.full(rest.size, 1.0 / rest.size)
        held = Consistency(anchor, consistency.weight, cut(consistency.metric))
        terms.append(held)
        pull = anchor if held.metric is None else anchor @ held.metric
        values -= (held.weight[:, None] if held.weight.ndim else held.weight) * pull
    diversity = game.term(Diversity)
    if diversity is not None:
        terms.append(Diversity(diversity.weight, cut(diversity.kernel), diversity.network))
    labels = [game.groups.labels[j] for j in rest]
    return AlignmentGame(Groups(labels), game.agents, [Attractiveness(values), *terms])


def _lead(game: AlignmentGame, profile: Profile, k: int) -> float:
    """Return max_i (v_ik − λ_i), the level λ_i taken on the other groups."""
    v = game.gradients(profile)
    served = profile.array > 0
    served[:, k] = False
    level = np.where(served, v, -np.inf).max(axis=1)
    return float((v[:, k] - level).max())


def _threshold_margin(equilibrium: Equilibrium, k: int, below: float) -> float:
    """Find the common change of score k at which its top weight is exactly `below`."""
    game = equilibrium.game

    def excess(shift: float) -> float:
        try:
            return float(solve(_shifted(game, k, shift), starts=0).profile.top_weight[k]) - below
        except NotSolved:
            return np.nan

    here = float(equilibrium.profile.top_weight[k]) - below
    if here == 0.0:
        return 0.0
    step = np.copysign(max(_scale(equilibrium) / 16.0, 1e-12), -here)
    near, f_near = 0.0, here
    for _ in range(60):
        far = near + step
        f_far = excess(far)
        if np.isnan(f_far) or f_far * here <= 0:
            break
        near, f_near, step = far, f_far, 2 * step
    else:
        return float(np.copysign(np.inf, here))
    return -_root(excess, near, far, f_near, f_far)


def _root(f: object, a: float, b: float, fa: float, fb: float) -> float:
    """Regula falsi (Illinois): bracketing, superlinear on piecewise smooth functions."""
    assert callable(f)
    side = 0
    for _ in range(80):
        if fb == 0.0 or np.isnan(fb) or abs(b - a) <= 1e-13 * (abs(a) + abs(b)):
            return b
        c = b - fb * (b - a) / (fb - fa)
        fc = float(f(c))
        if abs(fc) <= 1e-13 or np.isnan(fc):
            return c
        if fc * fb < 0:
            a, fa, side = b, fb, 0
        else:
            fa, side = (fa / 2 if side else fa), 1
        b, fb = c, fc
    return b
