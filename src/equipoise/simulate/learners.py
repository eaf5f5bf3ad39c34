r"""How agents adapt: what each learner sees, remembers and does with it.

All of them answer an estimate g of their linear payoffs with the mixture that is best given the
agent's own anchor, :math:`\arg\max_x \langle g, x\rangle - \beta R(x, c)`: they know :math:`c`,
:math:`\beta`, the tariff and their own answer laws, and estimate everything else from their own
rewards and the others' posts. Arrays have one row per agent, replicates below each other.

`Mirror` is stochastic mirror ascent in its lazy form (dual averaging; Nesterov 2009, Xiao 2010):
with the regulariser as its mirror map, step 1/t and composite prox, the mixture is the answer to
the plain average of all gradient estimates. Unlike the greedy form it keeps exact zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, nearest
from equipoise.simulate.laws import PostLaws

__all__ = ["LEARNERS", "Bandit", "BestResponse", "Held", "Learner", "Mirror", "Seen", "learner"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Memory = dict[str, FloatArray]


@final
@dataclass(frozen=True, eq=False)
class Held:
    """What an agent knows of itself and of the rules, (rows, …).

    Attributes
    ----------
    anchor : (rows, K) array
    pull, attraction, apart : (rows,) arrays
    prices : (K,) array
    form : str
    care : (rows,) array
        1 + |γ| λ/β: how much stronger than its own pull the others may be (λ of the kernel).
    laws : PostLaws
        The models it speaks through.
    """

    anchor: FloatArray
    pull: FloatArray
    attraction: FloatArray
    apart: FloatArray
    prices: FloatArray
    form: str
    care: FloatArray
    laws: PostLaws

    def payoff(self, appeal: FloatArray, crowd: FloatArray) -> FloatArray:
        """Return the linear payoffs of each group, (rows, K)."""
        return np.asarray(
            self.attraction[:, None] * appeal - self.apart[:, None] * crowd + self.prices
        )

    def answer(self, payoff: FloatArray) -> FloatArray:
        """Return the best mixture for linear payoffs, (rows, K), given the own anchor."""
        tilt = payoff / self.pull[:, None]
        if self.form == "quadratic":
            return nearest_mixture(self.anchor + tilt)
        with np.errstate(divide="ignore"):
            level = np.log(self.anchor) + tilt
        grown = np.exp(level - level.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """What a round shows each agent, (rows, …).

    Attributes
    ----------
    drawn : (rows, posts) array of int
        For which group each of its posts was made.
    cells : (rows, posts) array of int
        Which answer that was: question × options + option.
    rewards : (rows, posts) array
        Share of its readers who agreed.
    payoffs : (rows, posts) array
        What the platform paid for the post, all in all.
    crowd : (rows, K) array
        Mean reading of the others' posts (`PostLaws.reading`).
    played : (rows, K) array
        From which mixture the posts were drawn.
    """

    drawn: IntArray
    cells: IntArray
    rewards: FloatArray
    payoffs: FloatArray
    crowd: FloatArray
    played: FloatArray


class Learner(ABC):
    """One way of adapting."""

    name: ClassVar[str]

    @property
    def falls(self) -> float:
        """The exponent r: noise, and with it the error beside an exclusion, falls as rounds^-r."""
        return 0.5

    @abstractmethod
    def begin(self, rows: int, laws: PostLaws) -> Memory:
        """Return an empty memory."""

    def played(self, x: FloatArray, age: int) -> FloatArray:
        """Return the mixture that posts are drawn from."""
        return x

    def renew(self, memory: Memory, *, audience: bool) -> None:
        """Forget, in place, what new rules make void: the audience's taste only if it changed."""
        if audience:
            for array in memory.values():
                array[...] = 0.0

    @abstractmethod
    def learn(
        self, x: FloatArray, memory: Memory, seen: Seen, held: Held, age: int, heard: int
    ) -> FloatArray:
        """Return the next mixtures; the memory is changed in place.

        `age` counts rounds under these rules, `heard` rounds with this audience.
        """

    @abstractmethod
    def expect(
        self, x: FloatArray, memory: Memory, appeal: FloatArray, crowd: FloatArray, held: Held,
        age: int,
    ) -> FloatArray:  # fmt: skip
        """Return the next mixtures if every sample were its expectation: for comparison only."""


@final
@dataclass(frozen=True)
class Mirror(Learner):
    """Stochastic mirror ascent, lazy: answers the average of all gradient estimates.

    The gradient of agreement is estimated from its own rewards by how likely each group was to
    give the answer it gave: weights π_k(c|q)/π_x(c|q), rewards counted from their running mean.
    """

    name: ClassVar[str] = "mirror"

    def begin(self, rows: int, laws: PostLaws) -> Memory:
        k = len(laws.groups)
        return {"appeal": np.zeros((rows, k)), "crowd": np.zeros((rows, k)), "base": np.zeros(rows)}

    def learn(
        self, x: FloatArray, memory: Memory, seen: Seen, held: Held, age: int, heard: int
    ) -> FloatArray:
        said = held.laws.by_answer[seen.cells]
        mixed = np.einsum("npk,nk->np", said, seen.played)[..., None]
        # 0/0: a group of weight 0 that rounding let through, once in 10^16 posts.
        likely = said / np.maximum(mixed, 1e-12)
        fresh = np.einsum("npk,np->nk", likely, seen.rewards - memory["base"][:, None])
        memory["appeal"] += (fresh / seen.rewards.shape[1] - memory["appeal"]) / (heard + 1)
        memory["base"] += (seen.rewards.mean(axis=1) - memory["base"]) / (heard + 1)
        memory["crowd"] += (seen.crowd - memory["crowd"]) / (held.care + age)[:, None]
        return held.answer(held.payoff(memory["appeal"], memory["crowd"]))

    def expect(
        self, x: FloatArray, memory: Memory, appeal: FloatArray, crowd: FloatArray, held: Held,
        age: int,
    ) -> FloatArray:  # fmt: skip
        memory["crowd"] += (crowd - memory["crowd"]) / (held.care + age)[:, None]
        return held.answer(held.payoff(appeal, memory["crowd"]))


@final
@dataclass(frozen=True)
class BestResponse(Learner):
    """Best response with noise: to a reward model of its own and to what the others do lately.

    The reward model is a table, answer by answer, of how many readers agreed; the others are
    averaged with weights t^-fading, recent rounds first; each round the agent goes a share
    1/care of the way to its best response.
    """

    name: ClassVar[str] = "best-response"
    fading: float = 0.75

    @property
    def falls(self) -> float:
        """Rounds that count grow as t^fading."""
        return self.fading / 2.0

    def begin(self, rows: int, laws: PostLaws) -> Memory:
        k, cells = len(laws.groups), laws.flat.shape[1]
        return {"agreed": np.zeros((rows, cells)), "times": np.zeros((rows, cells)),
                "crowd": np.zeros((rows, k)), "base": np.zeros(rows)}  # fmt: skip

    def learn(
        self, x: FloatArray, memory: Memory, seen: Seen, held: Held, age: int, heard: int
    ) -> FloatArray:
        rows, cells = memory["agreed"].shape
        spot = (seen.cells + cells * np.arange(rows)[:, None]).ravel()
        memory["times"] += np.bincount(spot, minlength=rows * cells).reshape(rows, cells)
        memory["agreed"] += np.bincount(
            spot, weights=seen.rewards.ravel(), minlength=rows * cells
        ).reshape(rows, cells)
        memory["base"] += (seen.rewards.mean(axis=1) - memory["base"]) / (heard + 1)
        # An answer never tried is worth the average one.
        worth = (memory["agreed"] + memory["base"][:, None]) / (memory["times"] + 1.0)
        return self._move(x, memory, worth @ held.laws.flat.T, seen.crowd, held, age)

    def expect(
        self, x: FloatArray, memory: Memory, appeal: FloatArray, crowd: FloatArray, held: Held,
        age: int,
    ) -> FloatArray:  # fmt: skip
        return self._move(x, memory, appeal, crowd, held, age)

    def _move(
        self, x: FloatArray, memory: Memory, appeal: FloatArray, crowd: FloatArray, held: Held,
        age: int,
    ) -> FloatArray:  # fmt: skip
        weight = (held.care ** (1.0 / self.fading) + age) ** -self.fading
        memory["crowd"] += weight[:, None] * (crowd - memory["crowd"])
        best = held.answer(held.payoff(appeal, memory["crowd"]))
        return np.asarray(x + (best - x) / held.care[:, None])


@final
@dataclass(frozen=True)
class Bandit(Learner):
    """Sees for whom it spoke and what it was paid, nothing else: groups are arms.

    Payoffs are weighted by one over the probability of the group drawn; a share of posts that
    shrinks as t^-exploring is spread evenly over groups, so that none is forgotten.
    """

    name: ClassVar[str] = "bandit"
    exploring: float = 1.0 / 3.0

    @property
    def falls(self) -> float:
        """A group without weight is drawn t^-exploring of the time: so often it is heard of."""
        return (1.0 - self.exploring) / 2.0

    def begin(self, rows: int, laws: PostLaws) -> Memory:
        return {"worth": np.zeros((rows, len(laws.groups))), "base": np.zeros(rows)}

    def renew(self, memory: Memory, *, audience: bool) -> None:
        for array in memory.values():
            array[...] = 0.0

    def share(self, age: int) -> float:
        """Return the share of posts that explore."""
        return float(0.5 * (1.0 + age) ** -self.exploring)

    def played(self, x: FloatArray, age: int) -> FloatArray:
        share = self.share(age)
        return np.asarray((1.0 - share) * x + share / x.shape[1])

    def learn(
        self, x: FloatArray, memory: Memory, seen: Seen, held: Held, age: int, heard: int
    ) -> FloatArray:
        over = seen.payoffs - memory["base"][:, None]
        hit = seen.drawn[..., None] == np.arange(x.shape[1])
        fresh = np.einsum("npk,np->nk", hit, over) / (seen.drawn.shape[1] * seen.played)
        memory["worth"] += (fresh - memory["worth"]) / (held.care + age)[:, None]
        memory["base"] += (seen.payoffs.mean(axis=1) - memory["base"]) / (age + 1)
        return held.answer(memory["worth"])

    def expect(
        self, x: FloatArray, memory: Memory, appeal: FloatArray, crowd: FloatArray, held: Held,
        age: int,
    ) -> FloatArray:  # fmt: skip
        fresh = held.payoff(appeal, crowd)
        memory["worth"] += (fresh - memory["worth"]) / (held.care + age)[:, None]
        return held.answer(memory["worth"])


LEARNERS: dict[str, Learner] = {one.name: one for one in (Mirror(), BestResponse(), Bandit())}
"""Name in a study file -> learner."""


def learner(name: str) -> Learner:
    """Return a learner by name.

    Raises
    ------
    BadInput
        There is no such learner; the nearest is named.
    """
    if name not in LEARNERS:
        raise BadInput(f'learning: there is no "{name}"; {nearest(name, LEARNERS)}')
    return LEARNERS[name]


def nearest_mixture(points: FloatArray) -> FloatArray:
    """Return the nearest point of the simplex to each row, zeros exact.

    Examples
    --------
    >>> nearest_mixture(np.array([[2.0, 0.0], [0.25, 0.25]]))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    falling = np.sort(points, axis=1)[:, ::-1]
    levels = (np.cumsum(falling, axis=1) - 1.0) / np.arange(1.0, points.shape[1] + 1.0)
    return np.asarray(np.maximum(points - levels.max(axis=1, keepdims=True), 0.0))
