"""Which method fits which game: closed forms first, then the cheapest that can certify."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium import (
    affine_vi,
    closed_form,
    compiled,
    mean_field,
    monotone,
    network,
)
from equipoise.equilibrium.few import few_agents
from equipoise.equilibrium.mean_field_kl import solve_kl
from equipoise.equilibrium.solvers import (
    AnyOf,
    ClosedForm,
    InteriorPoint,
    Lemke,
    MeanFieldNewton,
    PotentialAscent,
)
from equipoise.game.affine import AffineForm
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import AudienceShare, Consistency, Diversity, KLConsistency, Variety

__all__ = ["Attempt", "attempts", "further"]

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Attempt:
    """One method's answer."""

    profile: Profile
    solver: str
    reason: str
    start: str
    steps: int


def _attempt(
    game: AlignmentGame,
    answer: tuple[FloatArray, int],
    solver: str,
    reason: str,
    start: str = "none needed",
) -> Attempt:
    large = len(game.agents) >= compiled.ROWS
    profile = (Profile.unchecked if large else Profile)(game.groups, game.agents, answer[0])
    return Attempt(profile, solver, reason, start, answer[1])


def attempts(game: AlignmentGame, solver: AnyOf | None, start: Profile | None) -> Iterator[Attempt]:
    """Yield answers lazily, the method that fits the structure best first."""
    form = game.affine
    if solver is None or isinstance(solver, ClosedForm):
        yield from _closed(game, form)
    if form is not None:
        yield from _affine(game, form, solver, start)
    elif solver is None or isinstance(solver, MeanFieldNewton):
        newton = solve_kl(game, None if start is None else start.array)
        if newton is not None:
            reason = "KL consistency, and everybody meets everybody"
            begin = "equal weights" if start is None else "given profile"
            yield _attempt(game, newton, "mean-field Newton (R8, R10)", reason, begin)
    if solver is None or isinstance(solver, InteriorPoint):
        yield from _interior(game, solver, start)


def _affine(
    game: AlignmentGame, form: AffineForm, solver: AnyOf | None, start: Profile | None
) -> Iterator[Attempt]:
    first = None if start is None else start.array
    begin = "equal weights" if start is None else "given profile"
    if (solver is None or isinstance(solver, MeanFieldNewton)) and mean_field.applies(form):
        guess = None if start is None else start.coverage
        reason = "everybody meets everybody and each agent's programme is strictly concave"
        few = few_agents(form) if form.n_rows < compiled.ROWS else None
        quick = None if few is None else few.solve(guess)
        if quick is not None:
            yield _attempt(game, quick, "mean-field Newton (R10)", reason, begin)
        newton = mean_field.solve_mean_field(form, guess)
        if newton is not None:
            yield _attempt(game, newton, "mean-field Newton (R10)", reason, begin)
    if solver is None or isinstance(solver, Lemke):
        pivoted = affine_vi.solve_lemke(form)
        if pivoted is not None:
            reason = "a small affine game outside the closed forms"
            yield _attempt(game, pivoted, "complementary pivoting (Lemke)", reason)
    if form.coupled and (solver is None or isinstance(solver, PotentialAscent)):
        x0 = first if first is not None else np.full(form.scores.shape, 1.0 / form.n_groups)
        symmetric = form.network is None or form.network.symmetric
        reason = (
            "symmetric links: equilibria are stationary points of a potential"
            if symmetric
            else "directed links: damped answers, no potential"
        )
        yield _attempt(game, _climb(form, x0, solver), "potential ascent (R11)", reason, begin)


def _interior(
    game: AlignmentGame, solver: AnyOf | None, start: Profile | None
) -> Iterator[Attempt]:
    limit = solver.max_steps if isinstance(solver, InteriorPoint) else 200
    first = None if start is None else start.array
    reason = "terms of several kinds" if game.affine is None else "no simpler method certified"
    followed = monotone.solve_interior(game, first, max_steps=limit)
    if followed is not None:
        begin = "equal weights" if start is None else "given profile"
        yield _attempt(game, followed, "interior point", reason, begin)
    # Outside monotone games the path can stall from one start and not from another.
    for seed in range(6):
        x0 = np.random.default_rng(seed).dirichlet(np.ones(len(game.groups)), len(game.agents))
        followed = monotone.solve_interior(game, x0, max_steps=limit)
        if followed is not None:
            yield _attempt(game, followed, "interior point", "restarted", "random")


def _climb(form: AffineForm, x0: FloatArray, solver: AnyOf | None = None) -> tuple[FloatArray, int]:
    limit = solver.max_steps if isinstance(solver, PotentialAscent) else 3000
    if form.n_rows <= network.TURN_LIMIT:
        return network.answer_in_turn(form, x0, min(400, limit))
    directed = form.network is not None and not form.network.symmetric
    return network.step_together(form, x0, limit, share=0.5 if directed else 1.0)


def _closed(game: AlignmentGame, form: AffineForm | None) -> Iterator[Attempt]:
    found: tuple[FloatArray | None, str, str] = (None, "", "")
    if len(game.groups) == 1:
        found = (np.ones((len(game.agents), 1)), "closed form", "one group")
    elif form is None:
        found = _closed_curved(game)
    elif not form.coupled:
        reason = "no agent looks at the others"
        found = (closed_form.alone(form), "closed form (R4, water-filling)", reason)
    else:
        meets = form.network is None or bool((form.network.degrees > 0).all())
        if form.identical and meets:
            found = (closed_form.identical(form), "closed form (R4)", "identical agents")
        if found[0] is None and form.common_weights and len(game.agents) < compiled.ROWS:
            reason = "common weights, everybody served by everybody"
            found = (closed_form.interior(form), "closed form (R5)", reason)
    if found[0] is not None:
        yield _attempt(game, (found[0], 0), found[1], found[2])


def _closed_curved(game: AlignmentGame) -> tuple[FloatArray | None, str, str]:
    kl, share = game.term(KLConsistency), game.term(AudienceShare)
    live = game.live
    kinds = {type(t) for t in live}
    shape = (len(game.agents), len(game.groups))
    if kinds == {AudienceShare} and share is not None and game.agents.total > 1:
        if np.all(share.weight > 0):
            x = np.array(np.broadcast_to(game.groups.shares, shape))
            return x, "closed form (R9)", "audience share alone"
        return None, "", ""
    alone = game.agents.total == 1 or Diversity not in kinds
    if kl is None or not alone or kinds & {Consistency, Variety, AudienceShare}:
        return None, "", ""
    if not np.all(kl.weight > 0):
        return None, "", ""
    linear = np.zeros(shape)
    for term in live:
        if not isinstance(term, KLConsistency):
            linear = linear + term.own_gradient(linear, game.groups, game.agents)
    anchor, weight = np.broadcast_to(kl.anchor, shape), np.broadcast_to(kl.weight, shape[:1])
    x = closed_form.log_linear(linear, anchor, weight)
    return x, "closed form (R8)", "KL consistency and no interaction"


def further(game: AlignmentGame, count: int, seed: int) -> Iterator[Attempt]:
    """Yield answers from other starts, for games whose equilibrium is not proved unique."""
    form = game.affine
    shape = (len(game.agents), len(game.groups))
    if form is None:
        for j in range(count):
            x0 = np.random.default_rng([seed, j]).dirichlet(np.full(shape[1], 0.5), shape[0])
            followed = monotone.solve_interior(game, x0)
            if followed is not None:
                yield _attempt(game, followed, "interior point", "another start", "random")
        return
    if not form.coupled:
        yield from _other_ties(game, form, count)
        return
    one_sign = bool((form.gamma >= 0).all() or (form.gamma <= 0).all())
    if one_sign and (form.network is None or form.network.symmetric):
        # A start that has not come to rest after so many answers is given up.
        quick = form.scalar_curvature is not None and form.kernel_scale is not None
        answers = 5000 if quick else 20_000 // max(20, shape[1])
        brief = PotentialAscent(max_steps=max(25, answers // shape[0]))
        for x0 in network.random_starts(form, count, seed):
            climbed = _climb(form, x0, brief if shape[0] <= network.TURN_LIMIT else None)
            yield _attempt(game, climbed, "potential ascent (R11)", "another start", "random")
        return
    for j in range(count):
        cover = np.random.default_rng([seed, j]).uniform(0.05, 1.0, shape[0] * (shape[1] + 1))
        pivoted = affine_vi.solve_lemke(form, cover)
        if pivoted is not None:
            name, reason = "complementary pivoting (Lemke)", "another covering vector"
            yield _attempt(game, pivoted, name, reason, "random")


def _other_ties(game: AlignmentGame, form: AffineForm, count: int) -> Iterator[Attempt]:
    """Break ties of agents without curvature: other mixtures of their best groups."""
    x = closed_form.alone(form)
    scalar = form.scalar_curvature
    if x is None or scalar is None:
        return
    for j in range(min(count, 2)):
        other = x.copy()
        for i in np.flatnonzero(scalar == 0):
            best = np.flatnonzero(x[i] > 0)
            other[i] = 0.0
            other[i, best[-1 if j else 0]] = 1.0
        yield _attempt(game, (other, 0), "closed form (R4)", "a tie broken")
