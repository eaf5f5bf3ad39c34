"""One round of the loop: agents post, readers react, agents adapt; many replicates at once.

Nothing here knows a utility: rewards are what sampled respondents say, payments follow what was
posted, and overlap is read from the others' posts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.panels.audience import Audience
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.learners import Held, Learner, Memory, Seen
from equipoise.simulate.rules import Rules
from equipoise.simulate.streams import of_round

__all__ = ["Phase", "Society", "State", "Tally", "held_to", "overlap"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Phase:
    """Rules and the audience under them, from one round on.

    Attributes
    ----------
    start : int
        Its first round.
    rules : Rules
    audience : Audience
    """

    start: int
    rules: Rules
    audience: Audience


@dataclass
class State:
    """Where all replicates are: mixtures (replicates × agents, K) and memories.

    Attributes
    ----------
    round : int
        The next one.
    heard : int
        Rounds with this audience.
    """

    round: int
    heard: int
    x: FloatArray
    memory: Memory


@dataclass
class Tally:
    """What a block of rounds came to, one row per replicate.

    Attributes
    ----------
    rounds : int
    coverage, top_weight : (replicates, K) arrays
        Mean over rounds of mean and of largest weight over agents.
    spoken : (replicates, K) array of int
        Posts by the group they were made for.
    read, agreed : (replicates, K) arrays of int
        Readings by the reader's group, and those who agreed.
    paid : (replicates,) array
        Subsidies, all agents together.
    mixtures : (replicates, N, K) array
        Mean mixtures.
    posts : (N, 5) array
        One of each agent, of the first replicate in the first round: agent, group, question,
        option, share of readers who agreed.
    """

    rounds: int
    coverage: FloatArray
    top_weight: FloatArray
    spoken: IntArray
    read: IntArray
    agreed: IntArray
    paid: FloatArray
    mixtures: FloatArray = field(repr=False)
    posts: FloatArray = field(repr=False)


def overlap(laws: PostLaws, rules: Rules) -> FloatArray:
    """Return S, how much posts for two groups overlap under these rules, (K, K)."""
    return np.eye(len(laws.groups)) if rules.marked else laws.kernel()


def held_to(laws: PostLaws, rules: Rules, replicates: int) -> Held:
    """Return what agents know of themselves, once per replicate."""
    kernel = overlap(laws, rules)
    flat = np.eye(len(kernel)) - 1.0 / len(kernel)
    strongest = float(np.linalg.eigvalsh(flat @ kernel @ flat)[-1]) if rules.meets else 0.0
    care = 1.0 + np.abs(rules.apart) * max(strongest, 0.0) / rules.pull

    def again(array: FloatArray) -> FloatArray:
        return np.tile(array, (replicates, *([1] * (array.ndim - 1))))

    return Held(
        again(rules.anchor), again(rules.pull), again(rules.attraction), again(rules.apart),
        rules.prices, rules.form, again(care), laws,
    )  # fmt: skip


@final
class Society:
    """Agents, their laws and their audience, in several independent replicates.

    Parameters
    ----------
    laws : PostLaws
        What posts say.
    phases : list of Phase
        In order of their first rounds; the first starts at 0.
    learner : Learner
    posts : int
        Posts of an agent per round.
    readers : int
        Readers of a post.
    replicates : int
    seed : int
    """

    def __init__(
        self, laws: PostLaws, phases: list[Phase], learner: Learner, *, posts: int, readers: int,
        replicates: int, seed: int,
    ) -> None:  # fmt: skip
        self.laws, self.phases, self.learner = laws, phases, learner
        self.posts, self.readers, self.replicates, self.seed = posts, readers, replicates, seed
        self.agents, self.groups = phases[0].rules.anchor.shape
        self.rows = replicates * self.agents
        # From the last option on a draw stops, whatever rounding left of the sum.
        last = np.array([len(one) for one in laws.options])[:, None] - 1
        steps = laws.shares.cumsum(axis=-1)
        self._steps = np.where(np.arange(steps.shape[-1]) >= last, 2.0, steps)[..., :-1]
        self._held = [held_to(laws, one.rules, replicates) for one in phases]
        self._reading = [self._read_from(one.rules) for one in phases]

    def _read_from(self, rules: Rules) -> FloatArray | None:
        """Return what an answer (QC, K), or a mark (K, K), says of the overlap with groups."""
        if not rules.meets:
            return None
        kernel = overlap(self.laws, rules)
        if rules.marked:
            return kernel
        return self.laws.reading(kernel).reshape(-1, self.groups)

    def begin(self) -> State:
        """Return the state before round 0: every agent is at its anchor."""
        x = self._held[0].anchor.copy()
        return State(0, 0, x, self.learner.begin(self.rows, self.laws))

    def at(self, number: int) -> int:
        """Return which phase a round belongs to."""
        return max(i for i, one in enumerate(self.phases) if one.start <= number)

    def advance(self, state: State, rounds: int) -> Tally:
        """Play a block of rounds of one phase; the state is changed in place."""
        which = self.at(state.round)
        phase = self.phases[which]
        if state.round == phase.start > 0:
            before = self.phases[which - 1].audience
            fresh = before.digest != phase.audience.digest
            self.learner.renew(state.memory, audience=fresh)
            state.heard = 0 if fresh else state.heard
        shape = (self.replicates, self.groups)
        tally = Tally(
            rounds, np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64),
            np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(self.replicates),
            np.zeros((self.replicates, self.agents, self.groups)), np.zeros((0, 5)),
        )  # fmt: skip
        for _ in range(rounds):
            self._round(state, which, tally)
        for array in (tally.coverage, tally.top_weight, tally.mixtures):
            array /= rounds
        return tally

    def _round(self, state: State, which: int, tally: Tally) -> None:
        phase, held = self.phases[which], self._held[which]
        age = state.round - phase.start
        played = self.learner.played(state.x, age)
        drawn, question, option, luck = self._post(played, state.round)
        agreed, group = phase.audience.read(question, option, luck)
        cells = question * self.laws.shares.shape[-1] + option
        rewards = _counted(agreed) / self.readers
        crowd, charged = self._crowd(which, drawn, cells)
        if not len(tally.posts):
            tally.posts = self._shown(drawn, question, option, rewards)
        payoffs = held.attraction[:, None] * rewards + held.prices[drawn]
        payoffs -= held.apart[:, None] * charged
        seen = Seen(drawn, cells, rewards, payoffs, crowd, played)
        state.x = self.learner.learn(state.x, state.memory, seen, held, age, state.heard)
        state.round += 1
        state.heard += 1
        self._count(tally, state.x, drawn, agreed, group, held.prices)

    def _post(
        self, played: FloatArray, number: int
    ) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Draw groups, questions, answers (rows, posts) and luck for readers."""
        rng = of_round(self.seed, number)
        size = (self.rows, self.posts)
        drawn = _passed(rng.random(size), played.cumsum(axis=1)[:, None, :-1])
        question = rng.integers(0, len(self.laws.questions), size)
        option = _passed(rng.random(size), self._steps[drawn, question])
        return drawn, question, option, rng.random((*size, self.readers))

    def _crowd(self, which: int, drawn: IntArray, cells: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return what the others' posts are read as, (rows, K), and what each post is charged."""
        reading = self._reading[which]
        if reading is None:
            return np.zeros((self.rows, self.groups)), np.zeros(drawn.shape)
        source = drawn if self.phases[which].rules.marked else cells
        own = reading[source].mean(axis=1).reshape(self.replicates, self.agents, self.groups)
        others = (own.sum(axis=1, keepdims=True) - own) / (self.agents - 1)
        crowd = others.reshape(self.rows, self.groups)
        return crowd, np.take_along_axis(crowd, drawn, axis=1)

    def _shown(
        self, drawn: IntArray, question: IntArray, option: IntArray, rewards: FloatArray
    ) -> FloatArray:
        """Return one post of each agent of the first replicate."""
        n = self.agents
        parts = (drawn[:n, 0], question[:n, 0], option[:n, 0], rewards[:n, 0])
        return np.stack([np.arange(n), *parts], axis=1)

    def _count(
        self, tally: Tally, x: FloatArray, drawn: IntArray, agreed: NDArray[np.bool_],
        group: NDArray[np.int8], prices: FloatArray,
    ) -> None:  # fmt: skip
        k, r = self.groups, self.replicates
        each = x.reshape(r, self.agents, k)
        tally.coverage += each.mean(axis=1)
        tally.top_weight += each.max(axis=1)
        tally.mixtures += each
        lane = np.arange(r)[:, None] * k
        spoken = np.bincount((drawn.reshape(r, -1) + lane).ravel(), minlength=r * k).reshape(r, k)
        reader = (group.reshape(r, -1) + lane).ravel()
        tally.spoken += spoken
        tally.paid += spoken @ prices
        tally.read += np.bincount(reader, minlength=r * k).reshape(r, k)
        tally.agreed += np.bincount(reader[agreed.ravel()], minlength=r * k).reshape(r, k)


def _passed(luck: FloatArray, bounds: FloatArray) -> IntArray:
    """Return how many of the last axis' bounds each number has passed; few bounds, many numbers."""
    out = np.zeros(luck.shape, dtype=np.int64)
    for j in range(bounds.shape[-1]):
        out += luck >= bounds[..., j]
    return out


def _counted(agreed: NDArray[np.bool_]) -> IntArray:
    """Return the sum over the short last axis."""
    out = np.zeros(agreed.shape[:-1], dtype=np.int64)
    for j in range(agreed.shape[-1]):
        out += agreed[..., j]
    return out
