r"""Many prompts computed at once, what they have in common only once.

The prompts of a survey begin alike: the same introduction, the same question, then the options in
one order or another. Here they are laid out as one prefix that all share, then one block a
question; inside a block equal beginnings share their nodes. A node attends to the prefix, to
itself and to its ancestors in its block, and stands at the position its depth says. The numbers
are those of the prompts one by one (up to rounding), for a third of the work on GSS 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["PromptTree", "beginnings"]

IntArray = NDArray[np.int64]
Tokens = Sequence[int]


@final
@dataclass(frozen=True, eq=False)
class PromptTree:
    """Prompts as one prefix and blocks of equal length.

    Attributes
    ----------
    prefix : (P,) array of int
        Tokens every prompt begins with.
    tokens, depths : (B, L) arrays of int
        Token and position of every node of a block; parents stand before their children, padding
        last.
    sees : (B, L, L) bool array
        Which node (row) attends to which (column) of its block: itself and its ancestors.
    ends : (prompts,) array of int
        The node each prompt ends at: a position in prefix and blocks, one after another.
    owners : (B, L) array of int
        The first prompt each node belongs to; of padding, the first of its block.

    Examples
    --------
    >>> tree = PromptTree.of([[[5, 6, 7], [5, 6, 8]], [[5, 9]]])
    >>> tree.prefix.tolist(), tree.tokens.tolist(), tree.depths.tolist(), tree.ends.tolist()
    ([5], [[6, 7, 8], [9, 0, 0]], [[1, 2, 2], [1, 1, 1]], [2, 3, 4])
    >>> tree.sees[0].astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """

    prefix: IntArray
    tokens: IntArray
    depths: IntArray
    sees: NDArray[np.bool_]
    ends: IntArray
    owners: IntArray

    @classmethod
    def of(cls, blocks: Sequence[Sequence[Tokens]]) -> PromptTree:
        """Lay prompts out, block by block; every prompt needs a token of its own block."""
        every = [prompt for block in blocks for prompt in block]
        if not blocks or not all(blocks) or not all(len(p) for p in every):
            raise BadInput("prompts: there is none, or one without a token")
        shared = _shared(every)
        found = [_block(block, shared) for block in blocks]
        length = max(len(tokens) for tokens, _, _ in found)
        sizes = (len(found), length)
        tokens, depths = np.zeros(sizes, dtype=np.int64), np.full(sizes, shared, dtype=np.int64)
        sees = np.zeros((*sizes, length), dtype=bool)
        sees[:, np.arange(length), np.arange(length)] = True
        ends: list[int] = []
        owners = np.zeros(sizes, dtype=np.int64)
        for i, (nodes, parents, last) in enumerate(found):
            tokens[i, : len(nodes)] = nodes
            owners[i] = len(ends)
            for node, parent in enumerate(parents):
                if parent >= 0:
                    sees[i, node] |= sees[i, parent]
                    depths[i, node] = depths[i, parent] + 1
            for number in reversed(range(len(last))):
                owners[i, sees[i, last[number]]] = len(ends) + number
            ends += [shared + i * length + node for node in last]
        prefix = np.array(every[0][:shared], dtype=np.int64)
        return cls(prefix, tokens, depths, sees, np.array(ends), owners)

    def __len__(self) -> int:
        return self.prefix.size + self.tokens.size

    def path(self, prompt: int) -> IntArray:
        """Return the nodes of a prompt, from its first token to its last."""
        p, length = self.prefix.size, self.tokens.shape[1]
        block, node = divmod(int(self.ends[prompt]) - p, length)
        inside = p + block * length + np.flatnonzero(self.sees[block, node])
        return np.concatenate([np.arange(p), inside])

    @property
    def sequence(self) -> IntArray:
        """Tokens of prefix and blocks, one after another."""
        return np.concatenate([self.prefix, self.tokens.ravel()])

    @property
    def positions(self) -> IntArray:
        """Their positions."""
        return np.concatenate([np.arange(self.prefix.size), self.depths.ravel()])


def beginnings(tokens: Tokens, first: int) -> list[list[list[int]]]:
    """Return all beginnings of a text, from `first` tokens on, as one block.

    A prompt ends at each of its tokens: as a tree they are the text itself, computed once.
    """
    return [[list(tokens[:i]) for i in range(first, len(tokens))]]


def _shared(prompts: Sequence[Tokens]) -> int:
    """Length of the longest common beginning that leaves every prompt a token."""
    first, last = min(map(list, prompts)), max(map(list, prompts))
    n = 0
    while n < min(len(first), len(last)) and first[n] == last[n]:
        n += 1
    return min(n, min(map(len, prompts)) - 1)


def _block(prompts: Sequence[Tokens], shared: int) -> tuple[list[int], list[int], list[int]]:
    """Return tokens and parents of a block's nodes, and where each prompt ends."""
    known: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    ends = []
    for prompt in prompts:
        node = -1
        for token in list(prompt)[shared:]:
            key = (node, int(token))
            if key not in known:
                known[key] = len(tokens)
                tokens.append(int(token))
                parents.append(node)
            node = known[key]
        ends.append(node)
    return tokens, parents, ends
