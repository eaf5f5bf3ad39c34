r"""Many prompts computed at once, what they have in common only once.

The prompts of a survey begin alike: the same introduction, the same question, then the options in
one order or another. Laid out as a tree of tokens, every prefix is one chain of nodes; a node
attends to itself and its ancestors and stands at the position its depth says. The numbers are
those of the prompts one by one (up to rounding), for a third of the work on GSS 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["PromptTree"]

IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class PromptTree:
    """Prompts as one tree of tokens.

    Attributes
    ----------
    tokens, positions : (n,) arrays of int
        Token and depth of every node; parents stand before their children.
    parents : (n,) array of int
        The node before; -1 for the first of a prompt.
    ends : (prompts,) array of int
        The node each prompt ends at.

    Examples
    --------
    >>> tree = PromptTree.of([[5, 6, 7], [5, 6, 8], [5, 6]])
    >>> tree.tokens.tolist(), tree.positions.tolist(), tree.ends.tolist()
    ([5, 6, 7, 8], [0, 1, 2, 2], [2, 3, 1])
    >>> tree.sees().astype(int).tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]
    """

    tokens: IntArray
    positions: IntArray
    parents: IntArray
    ends: IntArray

    @classmethod
    def of(cls, prompts: Sequence[Sequence[int]]) -> PromptTree:
        """Lay prompts out; equal prefixes share their nodes."""
        if not prompts or not all(len(p) for p in prompts):
            raise BadInput("prompts: there is none, or one without a token")
        known: dict[tuple[int, int], int] = {}
        tokens: list[int] = []
        positions: list[int] = []
        parents: list[int] = []
        ends = []
        for prompt in prompts:
            node = -1
            for depth, token in enumerate(prompt):
                key = (node, int(token))
                if key not in known:
                    known[key] = len(tokens)
                    tokens.append(int(token))
                    positions.append(depth)
                    parents.append(node)
                node = known[key]
            ends.append(node)
        return cls(*(np.array(x, dtype=np.int64) for x in (tokens, positions, parents, ends)))

    def __len__(self) -> int:
        return self.tokens.size

    def sees(self) -> NDArray[np.bool_]:
        """Which node (row) attends to which (column), (n, n): itself and its ancestors."""
        n = len(self)
        seen = np.zeros((n, n), dtype=bool)
        for node, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen
