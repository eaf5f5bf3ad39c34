"""The front door of the loop: play it block by block, then hold theory against it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

import equipoise
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.panels.panel import Panel
from equipoise.simulate import learners
from equipoise.simulate.bands import WHOLE
from equipoise.simulate.comparison import compare
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.log import Log
from equipoise.simulate.loop import Phase, Society
from equipoise.simulate.outcome import Simulation
from equipoise.simulate.prediction import Change, rules_of

__all__ = ["BLOCK", "Setup", "simulate"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

BLOCK = 10
"""Rounds of a transaction."""

LEAST = BLOCK * WHOLE
"""Rounds a phase needs for a band."""

MOST_CELLS = 12_000_000
"""Agents × replicates × groups beyond this would not fit into memory with their posts."""

CODE = ("loop", "learners", "laws", "rules", "streams")


@final
@dataclass(frozen=True, eq=False)
class Setup:
    """What is simulated.

    Parameters
    ----------
    game : AlignmentGame
        The measured game, whose equilibrium is the prediction. The loop takes weights, anchors
        and prices from it and nothing else.
    panel : Panel
        Whose respondents read.
    laws : PostLaws, optional
        What posts say; default the panel's own answer shares.
    plan : Change, optional
        What is switched on at `plan_round`.
    plan_round : int, optional
        Its first round; default half of the rounds asked for.
    learning : str
        "mirror", "best-response" or "bandit".
    posts, readers, replicates, seed : int
    """

    game: AlignmentGame
    panel: Panel
    laws: PostLaws | None = None
    plan: Change | None = None
    plan_round: int | None = None
    learning: str = "mirror"
    posts: int = 8
    readers: int = 4
    replicates: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        learners.learner(self.learning)
        for name, least in (("posts", 1), ("readers", 1), ("replicates", 2)):
            if getattr(self, name) < least:
                raise BadInput(f"simulate.{name}: write a whole number >= {least}")
        size = self.game.agents.total * self.replicates * len(self.game.groups)
        if size * self.posts > MOST_CELLS:
            raise BadInput(
                f"simulate: {self.game.agents.total:,} agents × {self.replicates} replicates × "
                f"{self.posts} posts are too many at once; lower posts_per_round or replicates"
            )
        self.game.groups.same_labels(self.panel.groups.labels)
        self.spoken.same_questions(self.panel)

    @cached_property
    def spoken(self) -> PostLaws:
        """The laws posts are drawn from."""
        return PostLaws.of_table(self.panel.answers) if self.laws is None else self.laws

    def starts(self, rounds: int) -> list[int]:
        """Return the first round of each phase.

        Raises
        ------
        BadInput
            A phase too short for a band.
        """
        if self.plan is None:
            ends, starts = [rounds], [0]
        else:
            half = BLOCK * (rounds // (2 * BLOCK))
            starts = [0, half if self.plan_round is None else self.plan_round]
            ends = [starts[1], rounds]
        for start, end in zip(starts, ends, strict=True):
            if end - start < LEAST:
                where = "rounds" if self.plan is None else "plan_round"
                raise BadInput(
                    f"simulate.{where}: rounds {start} to {end} are too few for a band; every "
                    f"phase needs at least {LEAST}"
                )
        return starts

    def society(self, rounds: int) -> Society:
        """Return the agents and their audience."""
        phases = []
        for i, start in enumerate(self.starts(rounds)):
            plan = self.plan if i else None
            game, shares = (self.game, None) if plan is None else (plan.game, plan.audience)
            rules = rules_of(game, shares)
            phases.append(Phase(start, rules, self.panel.audience(rules.audience)))
        return Society(
            self.spoken, phases, learners.learner(self.learning), posts=self.posts,
            readers=self.readers, replicates=self.replicates, seed=self.seed,
        )  # fmt: skip

    def key(self, society: Society) -> str:
        """Return the sha256 of everything a round depends on, the code included."""
        digest = hashlib.sha256(
            f"{equipoise.__version__} {np.__version__} {society.learner!r} {self.posts} "
            f"{self.readers} {self.replicates} {self.seed} {BLOCK} {society.laws.digest}".encode()
        )
        for one in society.phases:
            digest.update(f"{one.start} {one.rules.digest} {one.audience.digest}".encode())
        for name in CODE:
            digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
        return digest.hexdigest()


def simulate(
    setup: Setup,
    rounds: int = 2000,
    *,
    log: Path | None = None,
    level: float = 0.95,
    width: float = 0.02,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Simulation:
    r"""Let agents post to real respondents and adapt, and compare with the equilibrium.

    Parameters
    ----------
    setup : Setup
    rounds : int
        In all; more rounds of the same setup go on where fewer stopped.
    log : Path, optional
        SQLite file; rounds that stand in it are not played again. Default: in memory.
    level : float
        Joint content of bands over groups.
    width : float
        Half-width of a band above which the verdict is "too short".
    progress : callable (done, total), optional
        In rounds.
    note : callable (text), optional
        Told what is not done again.

    Returns
    -------
    Simulation
        Equal byte for byte for equal setup, rounds, version and machine, however often the run
        was interrupted. Not guaranteed: the last digit on another processor or another NumPy;
        that agents settle where the game has several equilibria.

    Raises
    ------
    BadInput
        A setup that cannot be played, a log that cannot be used.
    KeyboardInterrupt
        Interrupted; its text says how far it is.

    Examples
    --------
    >>> from equipoise.panels import load_panel
    >>> import equipoise as eq
    >>> panel = load_panel("gss2018", groups=3)
    >>> game = eq.AlignmentGame(panel.groups, 4, [
    ...     eq.Attractiveness(panel.appeal(), 10.0), eq.Consistency([1/3, 1/3, 1/3])])
    >>> found = simulate(Setup(game, panel), rounds=200)
    >>> found.phases[0].groups
    ('liberal', 'moderate', 'conservative')
    """
    society = setup.society(rounds)
    names = setup.game.agents.labels()
    if len(names) < society.agents:  # types: one row stands for several
        names = tuple(f"agent-{i + 1}" for i in range(society.agents))
    with Log(log, setup.key(society), society.laws, names) as file:
        state = file.state() or society.begin()
        if state.round and note:
            note(f"{min(state.round, rounds):,} rounds of this setup are there already")
        try:
            while state.round < rounds:
                which = society.at(state.round)
                ends = [one.start for one in society.phases[which + 1 :]]
                stop = min([rounds, *ends, state.round + BLOCK])
                tally = society.advance(state, stop - state.round)
                file.keep(state, tally, which)
                if progress:
                    progress(state.round, rounds)
        except KeyboardInterrupt:
            file.undo()
            kept = file.state()
            where = "" if log is None else "; the same command goes on from there"
            raise KeyboardInterrupt(
                f"interrupted: {kept.round if kept else 0:,} of {rounds:,} rounds are kept{where}"
            ) from None
        return compare(
            setup.game, setup.plan, setup.panel, society, file, rounds=rounds, level=level,
            width=width,
        )  # fmt: skip
