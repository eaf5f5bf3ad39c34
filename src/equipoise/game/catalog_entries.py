"""The games of the catalogue, each with its known answer and where that comes from.

Every answer was derived by hand (the derivation stands in `source`, in the notation of
`docs/theory.md`) or comes from elsewhere; none was computed by a solver of this library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Term,
    Variety,
)

__all__ = ["ENTRIES", "Entry"]

Count = Literal["one", "several"]


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """A game with its known answer.

    Attributes
    ----------
    name, title : str
        What to ask for, and what it shows.
    source : str
        Derivation or reference.
    rows : tuple of rows
        Weights of a known equilibrium, (rows, groups), exact up to rounding.
    excluded : tuple of str
        Groups no agent serves there, and would not after a small change of scores.
    boundary : tuple of str
        Groups whose margin is exactly 0.
    equilibria : "one" or "several"
        How many equilibria there are.
    others : tuple of profiles
        Further known equilibria.
    build : callable
        Makes the game; `game()` is the door.
    """

    name: str
    title: str
    source: str
    rows: tuple[tuple[float, ...], ...]
    build: Callable[[], AlignmentGame]
    excluded: tuple[str, ...] = ()
    boundary: tuple[str, ...] = ()
    equilibria: Count = "one"
    others: tuple[tuple[tuple[float, ...], ...], ...] = ()

    @property
    def game(self) -> AlignmentGame:
        """The game, made afresh."""
        return self.build()

    @property
    def profile(self) -> NDArray[np.float64]:
        """The known equilibrium, (rows, groups)."""
        return np.array(self.rows)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Coverage of each group at the known equilibrium, (groups,)."""
        agents = self.game.agents
        return np.asarray(agents.counts @ self.profile / agents.total)


def _toy(weight: float) -> AlignmentGame:
    groups = Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
    anchor = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]
    return AlignmentGame(
        groups,
        ["model-a", "model-b"],
        [Attractiveness([0.50, 0.35, 0.15], weight), Consistency(anchor), Diversity(0.3)],
    )


def _single(scores: list[float], curvature: float) -> Callable[[], AlignmentGame]:
    """One agent with H = hI: the law of exclusion, R6."""
    return _made("abc"[: len(scores)], 1, Attractiveness(scores), Variety(curvature))


def _made(labels: Any, agents: Any, *terms: Term) -> Callable[[], AlignmentGame]:
    return lambda: AlignmentGame(Groups(list(labels)), agents, terms)


GSS_COUNTS = {
    "extremely liberal": 122,
    "liberal": 278,
    "slightly liberal": 256,
    "moderate": 855,
    "slightly conservative": 283,
    "conservative": 354,
    "extremely conservative": 99,
}
"""People per ideology group in `stevedata/gss_spending` (GSS 2018), as `polviews` codes 1-7."""


def _herd() -> AlignmentGame:
    n = sum(GSS_COUNTS.values())
    shares = {label: count / n for label, count in GSS_COUNTS.items()}
    return AlignmentGame(
        Groups(shares),
        3,
        [
            Attractiveness(list(shares.values())),
            Consistency(np.full(7, 1 / 7)),
            Diversity(-0.5),
        ],
    )


def _line(labels: str, anchors: list[float], network: Network | None) -> Callable[..., Any]:
    """Two groups, beta = 1, gamma = 1/2; agent i is anchored at (c, 1 - c)."""
    rows = [[c, 1 - c] for c in anchors]
    return _made("lr", list(labels), Consistency(rows), Diversity(0.5, network=network))


_MANY = tuple(f"g{k:03d}" for k in range(200))
_THIRDS = ((1 / 3, 1 / 3, 1 / 3),)

_ALL = [
    Entry(
        "toy",
        "Two models squeeze rural voters to 1/78",
        "R5: the difference of the rows is (1/7, -1/7, 0), their sum (49, 28, 1)/39",
        ((191 / 273, 157 / 546, 1 / 78), (152 / 273, 235 / 546, 1 / 78)),
        lambda: _toy(1.0),
    ),
    Entry(
        "toy-boundary",
        "The toy at attractiveness weight 12/11: rural reaches exactly 0",
        "R5 with alpha = 12/11: difference (1/7, -1/7, 0), sum (183, 103, 0)/143",
        ((712 / 1001, 289 / 1001, 0.0), (569 / 1001, 432 / 1001, 0.0)),
        lambda: _toy(12 / 11),
        boundary=("rural",),
    ),
    Entry(
        "interior",
        "Curvature 1: everybody is served in proportion to the scores",
        "R6: h = 1 > h* = 0.7; lambda = 0",
        ((0.6, 0.3, 0.1),),
        _single([0.6, 0.3, 0.1], 1.0),
    ),
    Entry(
        "critical",
        "Curvature exactly h*: the lowest group has a margin of exactly 0",
        "R6: h = h* = (6 - 1) + (3 - 1) = 7, lambda = 1; whole numbers, so exact in floats",
        ((5 / 7, 2 / 7, 0.0),),
        _single([6.0, 3.0, 1.0], 7.0),
        boundary=("c",),
    ),
    Entry(
        "one-excluded",
        "Curvature 1/2: the lowest group is excluded",
        "R6: (.6 - .1) + (.3 - .1) >= .5 > .6 - .3; lambda = (.9 - .5)/2 = .2",
        ((0.8, 0.2, 0.0),),
        _single([0.6, 0.3, 0.1], 0.5),
        excluded=("c",),
    ),
    Entry(
        "two-excluded",
        "Curvature 1/5: only the top group is served",
        "R6: .6 - .3 >= .2",
        ((1.0, 0.0, 0.0),),
        _single([0.6, 0.3, 0.1], 0.2),
        excluded=("b", "c"),
    ),
    Entry(
        "ties",
        "Two groups tie at the top and share everything",
        "R4: lambda_2 = (.8 - .3)/2 = .25 > .2; x = (.4 - .25)/.3",
        ((0.5, 0.5, 0.0),),
        _single([0.4, 0.4, 0.2], 0.3),
        excluded=("c",),
    ),
    Entry(
        "linear",
        "No curvature at all: each agent serves its best group only",
        "a linear function on the simplex is largest at its best vertex",
        ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        _made("abc", 2, Attractiveness([[3, 2, 1], [1, 2, 4]])),
        excluded=("b",),
    ),
    Entry(
        "linear-tie",
        "No curvature and a tie: any split of the two best groups",
        "as `linear`",
        ((0.5, 0.5, 0.0),),
        _made("abc", 1, Attractiveness([2, 2, 1])),
        excluded=("c",),
        equilibria="several",
        others=(((1.0, 0.0, 0.0),), ((0.0, 1.0, 0.0),)),
    ),
    Entry(
        "nothing-at-stake",
        "All weights zero: every profile is an equilibrium",
        "the utility is 0",
        _THIRDS,
        _made("abc", 1, Attractiveness([3, 2, 1], 0.0), Consistency([1, 0, 0], 0.0)),
        equilibria="several",
        others=(((1.0, 0.0, 0.0),),),
    ),
    Entry(
        "one-agent",
        "One agent meets nobody: diversity is 0",
        "R4 with s = (.8, .6), h = 1: lambda = .2",
        ((0.6, 0.4),),
        _made("lr", 1, Attractiveness([0.3, 0.1]), Consistency([0.5, 0.5]), Diversity(5.0)),
    ),
    Entry(
        "one-group",
        "One group: there is nothing to choose",
        "the simplex is a point",
        ((1.0,), (1.0,)),
        _made("a", 2, Attractiveness([1.0]), Diversity(1.0)),
    ),
    Entry(
        "identical-groups",
        "Two groups that content cannot tell apart",
        "R4 with H = I + S/2: (p, p, 1 - 2p), .4 - 2p = .2 - 1.5(1 - 2p), so p = .34; unique by "
        "R2(b): D on T has the eigenvalues 2 and 2 - 4/3",
        ((0.34, 0.34, 0.32), (0.34, 0.34, 0.32)),
        _made(
            "abc",
            2,
            Attractiveness([0.4, 0.4, 0.2]),
            Consistency([1 / 3, 1 / 3, 1 / 3]),
            Diversity(0.5, [[1, 1, 0], [1, 1, 0], [0, 0, 1]]),
        ),
    ),
    Entry(
        "many-groups",
        "200 groups, 180 of them excluded",
        "R4: scores 199, 198, ..., h = 200; q(q-1)/2 < 200 gives q = 20, x_k = (19.5 - k)/200",
        (tuple((19.5 - k) / 200 if k < 20 else 0.0 for k in range(200)),) * 2,
        _made(_MANY, 2, Attractiveness(np.arange(199.0, -1, -1)), Variety(200.0)),
        excluded=_MANY[20:],
    ),
    Entry(
        "kl",
        "RLHF's own penalty, agents apart: best responses are softmax",
        "R8: x is proportional to c times (6, 3, 2); model-b's anchor has no third group",
        ((6 / 11, 3 / 11, 2 / 11), (2 / 3, 1 / 3, 0.0)),
        _made(
            "abc",
            ["model-a", "model-b"],
            Attractiveness([math.log(6), math.log(3), math.log(2)]),
            KLConsistency([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]]),
        ),
    ),
    Entry(
        "kl-anchor",
        "Excluded by the anchor: no price can bring the third group in",
        "R8, weight 2: x is proportional to c times (3, 1, .)",
        ((0.75, 0.25, 0.0),),
        _made("abc", 1, Attractiveness([math.log(9), 0, 100]), KLConsistency([0.5, 0.5, 0.0], 2.0)),
        excluded=("c",),
    ),
    Entry(
        "audience-share",
        "Competing for shares of attention represents everybody in proportion",
        "R9: x_i = m, whatever the weights",
        ((0.5, 0.3, 0.2),) * 3,
        lambda: AlignmentGame(
            Groups({"a": 0.5, "b": 0.3, "c": 0.2}), 3, [AudienceShare([1.0, 2.0, 0.5])]
        ),
    ),
    Entry(
        "chaser-avoider",
        "One agent seeks the other, who avoids it: only mixing is stable",
        "zero-sum with payoff diag(1, 2, 4): both mix inversely to it (checked with nashpy)",
        ((4 / 7, 2 / 7, 1 / 7),) * 2,
        _made("abc", ["avoider", "chaser"], Diversity([1.0, -1.0], np.diag([1.0, 2.0, 4.0]))),
    ),
    Entry(
        "specialists",
        "Beyond the uniqueness limit identical agents divide the groups among them",
        "R2(f) with gamma = 2 > beta(N - 1) = 1: at x = ((1,0),(0,1)) v_1 = (-.5, -1.5)",
        ((1.0, 0.0), (0.0, 1.0)),
        _made("lr", 2, Consistency([0.5, 0.5]), Diversity(2.0)),
        equilibria="several",
        others=(((0.0, 1.0), (1.0, 0.0)), ((0.5, 0.5), (0.5, 0.5))),
    ),
    Entry(
        "gss-herd",
        "Agents that follow one another leave out both ends of the GSS 2018 public",
        "R4 with h = beta + gamma = 1/2: q = 5, x_k = (2 n_k - 361)/2247; unique by R2(f)",
        ((0.0, *(x / 2247 for x in (195, 151, 1349, 205, 347)), 0.0),) * 3,
        _herd,
        excluded=("extremely liberal", "extremely conservative"),
    ),
    Entry(
        "types",
        "Five agents of two types",
        "with P = 2p - 1: .6 = 1.5 P_a + .5 P_b, -.6 = .75 P_a + 1.25 P_b; unique by R2(b)",
        ((0.85, 0.15), (0.05, 0.95)),
        _made("lr", {"a": 3, "b": 2}, Consistency([[0.8, 0.2], [0.2, 0.8]]), Diversity(1.0)),
    ),
    Entry(
        "network",
        "Three agents on a line: the middle one moves away from both",
        "with P = 2p - 1: P_1 + P_2/2 = .6, P_2 + (P_1 + P_3)/4 = 0, P_3 + P_2/2 = .3; R2(c)",
        ((0.875, 0.125), (0.35, 0.65), (0.725, 0.275)),
        _line("abc", [0.8, 0.5, 0.65], Network(3, [(0, 1, 1.0), (1, 2, 1.0)])),
    ),
    Entry(
        "directed",
        "Each agent sees only the next: solved backwards from the last",
        "with P = 2p - 1: P_c = .4, P_b = .2 - P_c/2, P_a = .1 - P_b/2",
        ((0.55, 0.45), (0.5, 0.5), (0.7, 0.3)),
        _line("abc", [0.55, 0.6, 0.7], Network(3, [(0, 1, 1.0), (1, 2, 1.0)], directed=True)),
    ),
]
ENTRIES = {each.name: each for each in _ALL}
