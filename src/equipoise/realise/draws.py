r"""Which group answers: one draw a conversation, a function of seed, agent and conversation (R13).

Routing draws the group of a response from the agent's mixture. Sticky routing draws it once for a
whole conversation, so that the model's own earlier turns come from the same group:

.. math:: u = h(\text{seed}, \text{agent}, \text{conversation}) \in [0, 1), \qquad
          k = \min\{k : x_1 + \dots + x_k > u\}

with a hash whose values on different conversations are uniform and independent for any practical
purpose. No state is kept: the same conversation gets the same group after a restart, and when
the plan changes only as many conversations change their group as the mixtures differ.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, final

import numpy as np

from equipoise.errors import BadInput
from equipoise.realise.targets import Targets

__all__ = ["Served", "conversation_key", "uniform"]

SCALE = 2.0**-53


def conversation_key(agent: str, conversation: bytes) -> bytes:
    """Return the 16 bytes that stand for one agent's part in a conversation."""
    name = agent.encode("utf-8", "surrogatepass")
    return blake2b(struct.pack("<I", len(name)) + name + conversation, digest_size=16).digest()


def uniform(seed: int, key: bytes) -> float:
    """Return the draw of a conversation, in [0, 1).

    Examples
    --------
    >>> uniform(0, conversation_key("a", b"1")) == uniform(0, conversation_key("a", b"1"))
    True
    >>> uniform(0, conversation_key("a", b"1")) == uniform(1, conversation_key("a", b"1"))
    False
    """
    mixed = blake2b(key, digest_size=8, key=seed.to_bytes(8, "little")).digest()
    return float((int.from_bytes(mixed, "little") >> 11) * SCALE)


@final
@dataclass(frozen=True, eq=False)
class Served:
    """One plan as it is served: never changed, only replaced as a whole.

    Parameters
    ----------
    targets : Targets
        The mixtures.
    revision : int
        1 for the first plan, and one more for each that replaced it.

    Examples
    --------
    >>> served = Served(Targets(("left", "right"), ("a",), [[0.25, 0.75]]))
    >>> [served.group("a", "", u) for u in (0.0, 0.2499, 0.25, 0.9999)]
    ['left', 'left', 'right', 'right']
    """

    targets: Targets
    revision: int = 1
    agents: frozenset[str] = field(init=False, repr=False)
    steps: dict[tuple[str, str], tuple[list[float], list[str]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "agents", frozenset(self.targets.agents))
        steps = {}
        for topic in ("", *self.targets.topics):
            rows = self.targets.topics[topic] if topic else self.targets.mixtures
            for agent, row in zip(self.targets.agents, rows, strict=True):
                steps[agent, topic] = _steps(row, self.targets.groups)
        object.__setattr__(self, "steps", steps)

    def topic(self, wanted: str) -> str:
        """Return the topic whose mixtures are used: the wanted one, or "" for the default."""
        return wanted if wanted in self.targets.topics else ""

    def group(self, agent: str, topic: str, u: float) -> str:
        """Return the group of a draw; `topic` as `topic()` returned it."""
        ends, groups = self.steps[agent, topic]
        return groups[bisect_right(ends, u)]


def _steps(row: np.ndarray[Any, np.dtype[np.float64]], groups: tuple[str, ...]) -> Any:
    """Return inner ends of the parts of [0, 1) and whose they are; a share of 0 has no part."""
    kept = [k for k in range(len(groups)) if row[k] > 0.0]
    if not kept:
        raise BadInput("a mixture has no weight at all")
    return np.cumsum(row[kept])[:-1].tolist(), [groups[k] for k in kept]
