"""Random steering problems on small games, each lever beside its outside twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.levers import (
    Anchors,
    AttractivenessCap,
    Audience,
    DiversityWeight,
    Entry,
    Prices,
)
from tests.equilibrium.random_games import random_game
from tests.inclusion import outside
from tests.inclusion.outside import Outside

FloatArray = NDArray[np.float64]

KINDS = (
    "prices",
    "anchors",
    "common anchors",
    "our own anchors",
    "audience",
    "cap",
    "caps each",
    "entry",
    "diversity",
)
STYLES = (
    "plain", "identical", "common", "general kernel", "herding", "network", "types", "metric",
    "directed", "near ties", "no curvature",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Case:
    """A game, a lever with its twin, a goal."""

    game: eq.AlignmentGame
    lever: Lever
    twin: Outside
    goal: eq.Goal
    kind: str
    style: str
    several: bool
    """Whether the game may have several equilibria."""


def drawn(seed: int, kind: str) -> Case | None:
    """Draw one problem; None where the goal holds already or the lever does not fit the game."""
    rng = np.random.default_rng([17, seed, KINDS.index(kind)])
    style = STYLES[seed % len(STYLES)]
    n, k = int(rng.integers(1, 4)), int(rng.integers(1, 4)) if seed % 7 == 0 else 3
    if kind == "diversity":
        style, n = "identical", max(2, n)
    if kind in ("cap", "entry") and style in ("network", "directed", "types"):
        style = "identical"
    game = random_game(rng, n, k, style)
    game = _tamed(game, rng, several=style == "identical" and kind != "diversity")
    if kind == "cap":
        term = game.term(eq.Attractiveness)
        assert term is not None
        game = game.replace(eq.Attractiveness(term.values, 1.3))
    now = eq.solve(game, starts=0, on_failure="return")
    several = now.certificate.uniqueness.verdict != "proved"
    if several and n * k > 6:
        return None
    kept = game.term(eq.Consistency)
    if kind == "our own anchors" and kept is not None and np.ravel(kept.weight)[0] == 0:
        return None
    goal = _goal(game, now.profile, rng, only_floors=kind in ("prices", "diversity"))
    if goal is None or goal.met(game, now.profile):
        return None
    lever, twin = _lever(game, kind, rng)
    return Case(game, lever, twin, goal, kind, style, several)


def _tamed(game: eq.AlignmentGame, rng: np.random.Generator, *, several: bool) -> eq.AlignmentGame:
    """Drop what the twins do not know of, and make half of the identical games specialise."""
    terms = [t for t in game.terms if not isinstance(t, eq.Variety)]
    apart = next(t for t in terms if isinstance(t, eq.Diversity))
    if several and rng.random() < 0.5 and len(game.agents) > 1:
        kept = next(t for t in terms if isinstance(t, eq.Consistency))
        more = 1.2 * float(np.max(kept.weight)) * (len(game.agents) - 1)
        fresh = eq.Diversity(np.full(len(game.agents), more), apart.kernel, apart.network)
        terms[terms.index(apart)] = fresh
    return eq.AlignmentGame(game.groups, _agents(game), terms)


def _agents(game: eq.AlignmentGame) -> int | dict[str, int]:
    if not game.agents.typed:
        return len(game.agents)
    # Few of each: the twin lists every agent.
    return {name: 1 + j for j, name in enumerate(game.agents.labels())}


def _goal(
    game: eq.AlignmentGame, now: eq.Profile, rng: np.random.Generator, *, only_floors: bool
) -> eq.Goal | None:
    k, cover = len(game.groups), now.coverage
    if k == 1:
        return None
    kind = 0 if only_floors else int(rng.integers(4))
    match kind:
        case 2:
            return eq.Goal(served_by=1, weight=round(float(rng.uniform(0.02, 0.2)), 3))
        case 3:
            away = float(np.abs(cover - game.groups.shares).sum())
            return eq.Goal(max_distance=away * float(rng.uniform(0.5, 0.95)))
        case _:
            low = int(cover.argmin())
            raised = min(0.4, float(cover[low]) + float(rng.uniform(0.02, 0.15)))
            floors = {game.groups.labels[low]: raised}
            if rng.random() < 0.4 and k > 2:
                other = int(cover.argsort()[1])
                floors[game.groups.labels[other]] = float(cover[other]) * 0.98
            return eq.Goal(floors)


def _lever(game: eq.AlignmentGame, kind: str, rng: np.random.Generator) -> tuple[Lever, Outside]:
    k = len(game.groups)
    match kind:
        case "prices":
            return Prices(), outside.prices(game, 4.0)
        case "anchors":
            return Anchors(), outside.anchors(game)
        case "common anchors":
            return Anchors(common=True), outside.anchors(game, common=True)
        case "our own anchors":
            return Anchors([0]), outside.anchors(game, [0])
        case "audience":
            agreement = rng.uniform(0, 1, (k, k)) + np.eye(k)
            return Audience(agreement), outside.audience(game, agreement)
        case "cap":
            return AttractivenessCap(), outside.caps(game, common=True)
        case "caps each":
            return AttractivenessCap(common=False), outside.caps(game, common=False)
        case "entry":
            return Entry(), outside.entry(game)
        case _:
            return DiversityWeight(), outside.diversity(game, 8.0)
