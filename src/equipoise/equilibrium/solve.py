"""The only door to the solvers: choose by structure, say what was chosen, certify, or refuse."""

from __future__ import annotations

import dataclasses
import time
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equipoise import __version__
from equipoise.equilibrium.certificate import Certificate, certify
from equipoise.equilibrium.methods import Attempt, attempts, further
from equipoise.equilibrium.outcome import Equilibrium, Outcome, SolveRecord
from equipoise.equilibrium.solvers import AnyOf
from equipoise.errors import BadInput, NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Attractiveness, AudienceShare, KLConsistency, Subsidy, Term

__all__ = ["solve"]

FloatArray = NDArray[np.float64]

SAME = 1e-7
"""Profiles closer than this in every weight count as one equilibrium."""


def solve(
    game: AlignmentGame,
    solver: AnyOf | None = None,
    *,
    tol: float = 1e-9,
    starts: int | None = None,
    seed: int = 0,
    start: Profile | None = None,
    on_failure: Literal["raise", "return"] = "raise",
) -> Equilibrium:
    r"""Find a certified Nash equilibrium of a game, and several where one is not proved unique.

    The method is chosen by structure (see `Equilibrium.record`): closed forms (R4, R5, R8, R9),
    Newton's method on the coverage (R10), complementary pivoting for small affine games, the
    potential (R11), an interior-point method for everything else. Each answer is examined by
    `certify`, which shares no code with the methods; the next method is tried when one fails.

    Parameters
    ----------
    game : AlignmentGame
        The game.
    solver : ClosedForm, MeanFieldNewton, PotentialAscent, Lemke or InteriorPoint, optional
        Use this method only.
    tol : float
        Largest relative gap :math:`g_i/\mathrm{range}_i` that counts as solved (R3).
    starts : int, optional
        Further starts tried when uniqueness is not proved; default 8 in small games, 2 in
        large ones (rows × groups above 5,000), 0 for none.
    seed : int
        Seed of the random starts.
    start : Profile, optional
        First guess for the methods that take one.
    on_failure : "raise" or "return"
        Whether an uncertified profile raises, or is returned with its outcome.

    Returns
    -------
    Equilibrium
        Certified. Not guaranteed: that it is the only one (read `certificate.uniqueness`), nor,
        where it is not, that `others` holds all of them.

    Raises
    ------
    NotSolved
        No method reached the tolerance; the sentence gives the gap reached.
    BadInput
        `tol` or `starts` out of range, or a solver that does not fit the game.

    Examples
    --------
    >>> import equipoise as eq
    >>> groups = eq.Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
    >>> game = eq.AlignmentGame(groups, agents=["model-a", "model-b"], terms=[
    ...     eq.Attractiveness([0.50, 0.35, 0.15], weight=1.0),
    ...     eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], weight=1.0),
    ...     eq.Diversity(weight=0.3),
    ... ])
    >>> equilibrium = solve(game)
    >>> round(equilibrium["model-a"]["rural"], 6)
    0.012821
    """
    if not 0 < tol < 1:
        raise BadInput(f"tol: {tol} is not between 0 and 1; write e.g. 1e-9")
    if starts is not None and starts < 0:
        raise BadInput(f"starts: {starts} is negative; write 0 for none")
    if start is not None:
        start.same_shape_as(game.groups, game.agents)
    began = time.perf_counter()
    tried: list[str] = []
    best: tuple[Attempt, Certificate] | None = None
    plain = _without_level(game)
    for attempt in attempts(plain, solver, start):
        exam = certify(game, attempt.profile)
        if best is None or exam.max_relative_gap < best[1].max_relative_gap:
            best = (attempt, exam)
        if exam.max_relative_gap <= tol:
            break
        tried.append(attempt.solver)
    if best is None:
        raise BadInput(f"solver: {solver!r} does not fit this game; leave it out to choose one")
    attempt, exam = best
    outcome = _outcome(game, attempt.profile, exam, tol)

    def record(of: Attempt, begun: float) -> SolveRecord:
        return SolveRecord(
            solver=of.solver,
            reason=of.reason,
            settings={"tol": tol, "starts": count, "method": repr(solver) if solver else "chosen"},
            start=of.start,
            seed=seed,
            steps=of.steps,
            seconds=time.perf_counter() - begun,
            version=__version__,
            tried=tuple(name for name in tried if name != of.solver),
        )

    count = starts if starts is not None else (8 if exam.gap.size * len(game.groups) <= 5000 else 2)
    found = [(attempt, exam)]
    if outcome is Outcome.solved and exam.uniqueness.verdict != "proved" and count:
        for other in further(plain, count, seed):
            check = certify(game, other.profile)
            if check.max_relative_gap <= tol and not any(
                _same(game, other.profile, known.profile) for known, _ in found
            ):
                found.append((other, check))
        found = _refute(game, found)
    others = tuple(
        Equilibrium(game, of.profile, check, outcome, record(of, began)) for of, check in found[1:]
    )
    attempt, exam = found[0]
    equilibrium = Equilibrium(game, attempt.profile, exam, outcome, record(attempt, began), others)
    if outcome is not Outcome.solved and on_failure == "raise":
        raise NotSolved(_sentence(game, equilibrium, tol))
    return equilibrium


def _without_level(game: AlignmentGame) -> AlignmentGame:
    """Take a large constant that pays alike for every group out of the payoffs.

    It changes nobody's choice, and would cost the methods the digits that do. (Compiled passes
    measure every row from its best group themselves: there a look at some rows is enough.)
    """
    known = _levelled.get(game, game)
    if known is game:
        known = _levelled[game] = _take_off_level(game)
    return known or game


_levelled: WeakKeyDictionary[AlignmentGame, AlignmentGame | None] = WeakKeyDictionary()
"""Games already looked at; None where there was nothing to take off."""


def _take_off_level(game: AlignmentGame) -> AlignmentGame | None:
    fresh: list[Term] = []
    for term in (game.term(Attractiveness), game.term(Subsidy)):
        if term is None:
            continue
        values = term.values if isinstance(term, Attractiveness) else term.prices
        some = values[:: max(1, len(values) // 2000)] if values.ndim == 2 else values
        if (np.abs(some.max(axis=-1)) <= 100 * np.ptp(some, axis=-1)).all():
            continue
        top = values.max(axis=-1, keepdims=True)
        if isinstance(term, Attractiveness):
            fresh.append(Attractiveness(values - top, term.weight))
        else:
            fresh.append(Subsidy(values - top))
    return game.replace(*fresh) if fresh else None


def _same(game: AlignmentGame, one: Profile, two: Profile) -> bool:
    a, b = one.array, two.array
    form = game.affine
    if form is not None and form.identical and form.network is None:
        # Up to the order of agents.
        a, b = _sorted_rows(a), _sorted_rows(b)
    return bool(np.abs(a - b).max() <= SAME * 10)


def _sorted_rows(x: FloatArray) -> FloatArray:
    return np.asarray(x[np.lexsort(np.round(x, 6).T[::-1])])


def _refute(
    game: AlignmentGame, found: list[tuple[Attempt, Certificate]]
) -> list[tuple[Attempt, Certificate]]:
    """Two equilibria exact to rounding and far apart refute uniqueness (R2)."""
    exact = [attempt.profile.array for attempt, exam in found if _to_rounding(exam)]
    apart = 0.0
    for other in exact[1:]:
        away = float(np.abs(exact[0] - other).max())
        if away >= 1e-4 and not _flat_between(game, exact[0], other):
            apart = max(apart, away)
    if apart == 0.0:
        return found
    out = []
    for attempt, exam in found:
        statement = exam.uniqueness
        if statement.verdict == "unknown":
            statement = dataclasses.replace(
                statement,
                verdict="refuted",
                test=f"two equilibria certified to rounding, {apart:.2g} apart in some weight; "
                f"before that: {statement.test}",
            )
        out.append((attempt, dataclasses.replace(exam, uniqueness=statement)))
    return out


def _to_rounding(exam: Certificate) -> bool:
    return bool((exam.gap <= 4 * exam.rounding + 1e-14 * exam.utility_range).all())


def _flat_between(game: AlignmentGame, one: FloatArray, two: FloatArray) -> bool:
    """Whether the point halfway is as good: a valley, whose floor may slope by less than rounding.

    Exact ties of agents who look at nobody are no such valley.
    """
    if game.affine is not None and not game.affine.coupled:
        return False
    return _to_rounding(certify(game, game.profile((one + two) / 2)))


def _outcome(game: AlignmentGame, profile: Profile, exam: Certificate, tol: float) -> Outcome:
    share = game.term(AudienceShare) if game.affine is None else None
    if share is not None:
        weight = np.broadcast_to(share.weight, (len(game.agents),))
        lone = game.agents.total > 1 and int(game.agents.counts[weight > 0].sum()) == 1
        # A lone contender wants a sliver of every group nobody else serves, however thin,
        # unless its anchor forbids that group.
        kl = game.term(KLConsistency)
        idle = profile.coverage < 1e-9
        if lone and kl is not None:
            barred = (kl.anchor == 0) & ((kl.weight[:, None] if kl.weight.ndim else kl.weight) > 0)
            idle = idle & ~np.broadcast_to(barred, profile.array.shape)[int(weight.argmax())]
        if lone and idle.any():
            return Outcome.may_not_exist
    return Outcome.solved if exam.max_relative_gap <= tol else Outcome.not_certified


def _sentence(game: AlignmentGame, equilibrium: Equilibrium, tol: float) -> str:
    exam = equilibrium.certificate
    worst = int(exam.relative_gap.argmax())
    text = (
        f'not solved: agent "{game.agents.label(worst)}" could still gain up to '
        f"{exam.gap[worst]:.2e} ({exam.relative_gap[worst]:.2e} of its range, tolerance {tol:g}). "
        f"{equilibrium.outcome.value}"
    )
    form = game.affine
    if form is not None and form.scalar_curvature is not None:
        flat = np.flatnonzero(form.scalar_curvature == 0)
        if flat.size:
            text += (
                f' Agent "{game.agents.label(int(flat[0]))}" has no curvature at all: '
                "give it a consistency or variety weight."
            )
    return text
