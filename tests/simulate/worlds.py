"""Made-up worlds: surveys of people who do not exist, and games of very different kinds on them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import equipoise as eq
from equipoise.panels import AnswerTable, Panel, SurveyDesign
from equipoise.panels.respondents import Respondents
from equipoise.simulate.outcome import Simulation
from equipoise.simulate.simulation import Setup, simulate

FloatArray = NDArray[np.float64]

MOST_ATTRACTION = 30.0
"""Beyond it a game is decided by differences of appeal that take millions of readings to see."""


def panel_of(
    group: NDArray[np.int64], codes: NDArray[np.int64], weights: FloatArray, options: int
) -> Panel:
    """Return a panel of these respondents; -1 is no answer."""
    k, q = int(group.max()) + 1, codes.shape[1]
    people = Respondents(group, codes, [options] * q, SurveyDesign(weights), {})
    tallies = people.tallies()
    labels = tuple(f"g{j + 1}" for j in range(k))
    questions = tuple(f"q{j + 1}" for j in range(q))
    table = AnswerTable(
        labels, questions, tuple(tuple(f"o{c}" for c in range(options)) for _ in range(q)),
        questions, tallies.shares, people.counts()[1], tallies.n_eff,
    )  # fmt: skip
    shares = dict(zip(labels, tallies.group_shares.tolist(), strict=True))
    return Panel(
        "made up", "people who do not exist", eq.Groups(shares), group.size, table, "", "", "", {},
        bool(np.ptp(weights)), people,
    )  # fmt: skip


def survey(rng: np.random.Generator, k: int, q: int, options: int) -> Panel:
    """Draw a survey: group laws around common ones, some answers missing, weights or none."""
    common = rng.dirichlet(np.full(options, 3.0), q)
    spread = rng.uniform(3.0, 12.0)
    laws = np.array([[rng.dirichlet(spread * one) for one in common] for _ in range(k)])
    sizes = rng.integers(60, 300, k)
    group = np.repeat(np.arange(k), sizes)
    luck = rng.random((group.size, q, 1))
    codes = (luck >= laws[group].cumsum(axis=-1)[..., :-1]).sum(axis=-1)
    codes[rng.random(codes.shape) < rng.uniform(0.0, 0.2)] = -1
    weights = rng.uniform(0.5, 2.0, group.size) if rng.random() < 0.5 else np.ones(group.size)
    return panel_of(group, codes, weights, options)


def random_game(rng: np.random.Generator, panel: Panel, agents: int) -> eq.AlignmentGame:
    """Draw weights and anchors; the game is measured on the panel, as a study does."""
    k = len(panel.groups)
    appeal = panel.appeal()
    each = rng.random() < 0.5
    beta: Any = rng.uniform(0.6, 1.6, agents) if each else 1.0
    alpha = min(rng.uniform(0.1, 0.9) / max(float(np.ptp(appeal)), 1e-3), MOST_ATTRACTION)
    anchor = rng.dirichlet(np.full(k, 4.0), agents) if each else rng.dirichlet(np.full(k, 4.0))
    held = eq.KLConsistency if rng.random() < 0.25 else eq.Consistency
    terms: list[Any] = [eq.Attractiveness(appeal, alpha), held(anchor, beta)]
    kind = rng.choice(["alone", "panel", "identity"], p=[0.3, 0.5, 0.2])
    if kind == "panel":
        terms.append(eq.Diversity(rng.uniform(0.0, 4.0), kernel=panel.kernel()))
    elif kind == "identity":
        terms.append(eq.Diversity(rng.uniform(0.0, 0.8)))
    if rng.random() < 0.3:
        terms.append(eq.Subsidy(rng.uniform(0.0, 0.2, k)))
    return eq.AlignmentGame(panel.groups, agents, terms)


def perturbed(game: eq.AlignmentGame, factor: float) -> eq.AlignmentGame:
    """Return the game with another attractiveness: a wrong theory of the same loop."""
    term = game.term(eq.Attractiveness)
    assert term is not None
    return game.replace(eq.Attractiveness(term.values, term.weight * factor))


@dataclass(frozen=True)
class World:
    """A panel and a game whose equilibrium is proved to be the only one."""

    panel: Panel
    game: eq.AlignmentGame
    redrawn: int


def world(seed: int, agents: int | None = None) -> World:
    """Draw a world; games whose equilibrium is not proved to be the only one are drawn again."""
    for attempt in range(20):
        rng = np.random.default_rng([2026, seed, attempt])
        n = agents or round(float(np.exp(rng.uniform(np.log(4), np.log(1000)))))
        k, q, c = (int(rng.integers(*span)) for span in ((2, 7), (4, 21), (2, 6)))
        panel = survey(rng, k, q, c)
        game = random_game(rng, panel, n)
        if eq.solve(game, starts=0).certificate.uniqueness.verdict == "proved":
            return World(panel, game, attempt)
    raise AssertionError("no unique game in 20 draws")


def played(
    one: World, *, learning: str = "mirror", most: int = 64_000, seed: int = 0, **more: Any
) -> Simulation:
    """Play a world, twice as long each time, until its bands are narrow enough.

    Small populations get more replicates: they cost nothing.
    """
    small = one.game.agents.total <= 100
    replicates = more.pop("replicates", 16 if small else 8)
    setup = Setup(one.game, one.panel, learning=learning, seed=seed, replicates=replicates, **more)
    rounds = 1000 if small else 500
    with tempfile.TemporaryDirectory() as folder:
        while True:
            found = simulate(setup, rounds, log=Path(folder) / "log.sqlite")
            if found.rounds_needed() is None or 2 * rounds > most:
                return found
            rounds *= 2
