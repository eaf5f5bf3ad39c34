"""Theory beside the log: solves the games, replays the loop without chance, and compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.game.alignment_game import AlignmentGame
from equipoise.panels.panel import Panel
from equipoise.simulate.bands import band, noise_of, window
from equipoise.simulate.exact import agreement_with, at_rest, expected_path
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.log import Log
from equipoise.simulate.loop import Society
from equipoise.simulate.outcome import PhaseOutcome, Simulation
from equipoise.simulate.prediction import Change

__all__ = ["compare"]

FloatArray = NDArray[np.float64]

SHOWN_POSTS = 8
"""So many of the latest posts stand in a result."""

COLUMNS = ("coverage", "top_weight", "readings", "agreed")


@final
@dataclass(frozen=True, eq=False)
class _Played:
    """What the log has of one phase, and the same phase without chance.

    Attributes
    ----------
    first, last : int
        Rounds.
    sizes : (blocks,) array
        Rounds of each block.
    columns : mapping of name to (blocks, replicates, K) array
    paid : (blocks, replicates) array
    mixtures : (blocks, replicates, agents, K) array
        Of small populations; otherwise no agents.
    expected : (rounds, K) array
    """

    first: int
    last: int
    sizes: FloatArray
    columns: Mapping[str, FloatArray]
    paid: FloatArray
    mixtures: FloatArray
    expected: FloatArray


def compare(
    game: AlignmentGame,
    change: Change | None,
    panel: Panel,
    society: Society,
    log: Log,
    *,
    rounds: int,
    level: float,
    width: float,
    theory: str,
) -> Simulation:
    """Read the log up to a round, solve the games, and put them side by side."""
    replicates, people = society.replicates, np.asarray(panel.answers.shares)
    ends, sizes, which = log.blocks(rounds)
    starts = [one.start for one in society.phases]
    stops = [*starts[1:], rounds]
    told = expected_path(
        society.learner, society.laws, people, [one.rules for one in society.phases],
        [stop - start for start, stop in zip(starts, stops, strict=True)],
    )  # fmt: skip
    columns = {name: log.column(name, rounds, replicates) for name in COLUMNS}
    paid = log.paid(rounds, replicates)
    mixtures = log.mixtures(rounds, replicates)
    own = society.laws if theory == "models" else PostLaws.of_table(panel.answers)
    phases = []
    for i, one in enumerate([game] if change is None else [game, change.game]):
        here = which == i
        part = {name: column[here] for name, column in columns.items()}
        played = _Played(
            starts[i], stops[i], sizes[here], part, paid[here], mixtures[here], told[i]
        )
        floors = {} if change is None or not i else dict(change.floors)
        phases.append(_phase(i, one, society, (people, own), played, floors, (level, width)))
    return Simulation(
        game.groups.labels, society.agents, tuple(phases), ends, columns["coverage"],
        columns["top_weight"], np.concatenate(told)[ends.astype(int) - 1],
        {
            "learning": society.learner.name,
            "posts_per_round": society.posts,
            "readers": society.readers,
            "replicates": replicates,
            "seed": society.seed,
            "laws": society.laws.source,
            "predicted_from": theory,
        },
        level, width, change, tuple(log.posts(rounds, SHOWN_POSTS)),
    )  # fmt: skip


def _phase(
    number: int, game: AlignmentGame, society: Society, answers: tuple[FloatArray, PostLaws],
    played: _Played,
    floors: Mapping[str, float], judged: tuple[float, float],
) -> PhaseOutcome:  # fmt: skip
    (level, width), (people, own) = judged, answers
    falls = society.learner.falls
    rules, laws = society.phases[number].rules, society.laws
    predicted = solve(game, seed=society.seed)
    x = predicted.profile
    each = np.repeat(x.array, game.agents.counts, axis=0)
    agreement = agreement_with(people, laws)
    late = window(len(played.sizes), 0.5, 1.0)
    first = int(played.sizes[: late.start].sum())
    read = played.columns["readings"]
    share = played.columns["agreed"] / np.maximum(read, 1)
    money = played.paid[late].sum(axis=0) / (played.sizes[late].sum() * society.posts)
    each_agent = np.average(played.mixtures[late], axis=0, weights=played.sizes[late])
    mean, spread = float(money.mean()), float(noise_of(money[:, None], level)[0])
    return PhaseOutcome(
        name="under the plan" if number else "as it is",
        first=played.first,
        last=played.last,
        groups=game.groups.labels,
        predicted=predicted,
        coverage=band(played.columns["coverage"], played.sizes, level, falls=falls),
        expected=played.expected[first:].mean(axis=0),
        at_rest=at_rest(laws, people, rules, each).mean(axis=0),
        at_rest_people=at_rest(own, people, rules, each).mean(axis=0),
        welfare=band(share, read, level, falls=falls),
        welfare_predicted=agreement @ x.coverage,
        welfare_proportional=agreement @ game.groups.shares,
        welfare_best=agreement.max(axis=1),
        paid=(mean, mean - spread, mean + spread),
        paid_predicted=society.agents * float(rules.prices @ x.coverage),
        floors=floors,
        mixtures=each_agent.mean(axis=0),
        width=width,
    )
