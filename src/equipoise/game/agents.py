"""The LLM agents of a game: labels, a plain number, or types of many identical agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, LabelMismatch, nearest

__all__ = ["Agents"]

MAX_COUNT = 10**15


@final
@dataclass(frozen=True, init=False, eq=False)
class Agents:
    """Who plays: one row of every agents axis each, in this order.

    Parameters
    ----------
    agents : sequence of labels, int, or mapping of type label to count
        A number of agents gives rows without labels (10⁶ agents stay cheap). A mapping
        makes each type one row that stands for `count` identical agents.

    Attributes
    ----------
    names : tuple of str or None
        Labels, or None when only a number was given.
    counts : (rows,) int array
        How many agents each row stands for.
    total : int
        The number of agents, N of the theory.

    Examples
    --------
    >>> Agents({"model-a": 40000, "model-b": 7}).total
    40007
    >>> Agents(3).label(2)
    'agent-3'
    """

    names: tuple[str, ...] | None
    counts: NDArray[np.int64]
    total: int

    def __init__(self, agents: Sequence[str] | Mapping[str, int] | int) -> None:
        names: tuple[str, ...] | None
        if isinstance(agents, bool | str):
            raise BadInput(f"agents: got {agents!r}; write a list of labels, or a number")
        if isinstance(agents, int | np.integer):
            if agents < 1:
                raise BadInput(f"agents: got {agents}; a game needs at least one agent")
            names, counts = None, np.ones(int(agents), dtype=np.int64)
        elif isinstance(agents, Mapping):
            names = tuple(agents)
            for name, count in agents.items():
                if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
                    raise BadInput(
                        f'agents: type "{name}" has count {count!r}; write a whole number >= 1'
                    )
                if count > MAX_COUNT:
                    raise BadInput(
                        f'agents: type "{name}" has count {count:.3g}; the most is {MAX_COUNT:.0e}'
                    )
            counts = np.array(list(agents.values()), dtype=np.int64)
        else:
            names = tuple(agents)
            counts = np.ones(len(names), dtype=np.int64)
        if counts.size == 0:
            raise BadInput("agents: there is no agent; name at least one")
        if names is not None:
            for name in names:
                if not isinstance(name, str) or not name.strip():
                    raise BadInput(f"agents: {name!r} is not a label; write a non-empty text")
            if len(set(names)) < len(names):
                twice = Counter(names).most_common(1)[0][0]
                raise BadInput(f'agents: "{twice}" stands twice; give every agent its own name')
        counts.setflags(write=False)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "total", int(counts.sum()))

    def __len__(self) -> int:
        """Return the number of rows (types), not of agents."""
        return int(self.counts.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Agents):
            return NotImplemented
        return self.names == other.names and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.names, self.counts.tobytes()))

    @property
    def typed(self) -> bool:
        """Whether some row stands for more than one agent."""
        return self.total > len(self)

    def plain(self) -> list[str] | dict[str, int] | int:
        """Return what `Agents` takes, as plain JSON values.

        Examples
        --------
        >>> Agents({"model-a": 40000, "model-b": 7}).plain()
        {'model-a': 40000, 'model-b': 7}
        """
        if self.names is None:
            return self.total
        if self.typed:
            return dict(zip(self.names, self.counts.tolist(), strict=True))
        return list(self.names)

    def label(self, row: int) -> str:
        """Return the label of a row; unnamed agents are agent-1, agent-2, …"""
        return self.names[row] if self.names is not None else f"agent-{row + 1}"

    def labels(self) -> tuple[str, ...]:
        """Return all labels (makes them when only a number was given)."""
        return self.names or tuple(self.label(i) for i in range(len(self)))

    def index(self, agent: str | int) -> int:
        """Return the row of a label (or check a row number).

        Raises
        ------
        LabelMismatch
            There is no such agent; the nearest label is suggested.
        """
        if isinstance(agent, int | np.integer) and -len(self) <= agent < len(self):
            return int(agent) % len(self)
        if isinstance(agent, str):
            if self.names is None and agent.startswith("agent-") and agent[6:].isdigit():
                row = int(agent[6:]) - 1
                if 0 <= row < len(self):
                    return row
            elif self.names is not None and agent in self.names:
                return self.names.index(agent)
        known = self.names if self.names is not None else ("agent-1", f"agent-{len(self)}")
        raise LabelMismatch(f'there is no agent "{agent}"; {nearest(str(agent), known)}')
