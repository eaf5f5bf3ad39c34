"""The target mixtures a population of agents is to act on: read from a plan.

A plan is the JSON object that `equipoise solve --json` or `equipoise steer --json` prints. A
steering plan's targets are the mixtures *after* the change. A plan may add `topics`: for each
topic a whole profile of its own, used for requests on that topic; the others get the default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import shortened
from equipoise.errors import BadInput, nearest
from equipoise.game.agents import Agents

__all__ = ["Targets", "read_targets", "schema", "targets_from"]

FloatArray = NDArray[np.float64]

MOST_BYTES = 64 * 2**20
MOST_AGENTS = 10_000
SLACK = 1e-6
"""How far a row may be from summing to 1: what rounding in a file explains."""


@final
@dataclass(frozen=True, eq=False)
class Targets:
    r"""One mixture over the groups per agent, and per topic where topics differ.

    Parameters
    ----------
    groups : tuple of str
        Labels of the columns.
    agents : tuple of str
        Labels of the rows; a type of many identical agents is one row.
    mixtures : (N, K) array
        Shares, each row summing to 1.
    topics : mapping of str to (N, K) array
        Mixtures for requests on a topic.
    digest : str
        Of the plan's content: which plan a request was served under.

    Raises
    ------
    BadInput
        Shapes or labels that do not fit, a negative share, a row that does not sum to 1.

    Examples
    --------
    >>> targets = Targets(("left", "right"), ("a",), [[0.25, 0.75]], {"tax": [[1.0, 0.0]]})
    >>> targets.row("a"), targets.row("a", "tax"), targets.row("a", "war")
    (array([0.25, 0.75]), array([1., 0.]), array([0.25, 0.75]))
    """

    groups: tuple[str, ...]
    agents: tuple[str, ...]
    mixtures: FloatArray
    topics: Mapping[str, FloatArray] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        for what, labels in (("groups", self.groups), ("agents", self.agents)):
            if not labels or len(set(labels)) < len(labels):
                raise BadInput(f"{what}: give at least one label, each once")
        shape = (len(self.agents), len(self.groups))
        object.__setattr__(self, "mixtures", _checked(self.mixtures, shape, "profile"))
        topics = {
            name: _checked(rows, shape, f'topics: "{shortened(name)}"')
            for name, rows in self.topics.items()
        }
        object.__setattr__(self, "topics", topics)

    def row(self, agent: str, topic: str = "") -> FloatArray:
        """Return the mixture (K,) of an agent on a topic; a topic without its own has the default.

        Raises
        ------
        BadInput
            There is no such agent.
        """
        if agent not in self.agents:
            raise BadInput(f'agent: there is no "{agent}"; {nearest(agent, self.agents)}')
        return np.asarray(self.topics.get(topic, self.mixtures)[self.agents.index(agent)])


def read_targets(path: str | Path) -> Targets:
    """Read the target mixtures of a plan file.

    Parameters
    ----------
    path : str or Path
        JSON as printed by `equipoise solve --json` or `equipoise steer --json`.

    Returns
    -------
    Targets.

    Raises
    ------
    BadInput
        It cannot be read, is no plan, or its parts do not fit; the sentence names the key.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: a plan of more than {MOST_BYTES:,} bytes is not read")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: the plan cannot be read ({error.strerror}); write it with "
            "equipoise steer GAME --json > plan.json"
        ) from None
    try:
        return targets_from(content)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def targets_from(content: bytes) -> Targets:
    """Read the target mixtures from the bytes of a plan; the errors are those of `read_targets`.

    Examples
    --------
    >>> targets_from(b'{"groups": ["l", "r"], "agents": 1, "profile": [[0.5, 0.5]]}').agents
    ('agent-1',)
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise BadInput("it is not JSON; write what equipoise steer --json printed") from None
    if not isinstance(data, dict):
        raise BadInput("it is not a JSON object; write what equipoise steer --json printed")
    if "plans" in data and "agents" not in data:
        raise BadInput("it holds the plans of all levers; print one with steer --lever NAME --json")
    steered = "after" in data
    side = data["after"] if steered else data
    if not isinstance(side, dict):
        raise BadInput("after: write an object with a profile")
    rows = side.get("profile")
    if not isinstance(rows, list):
        raise BadInput(
            f"{'after.' if steered else ''}profile: there is none in it; print the plan again "
            "with this version (a profile of very many agents is not in the JSON: serve types)"
        )
    groups = _labels(data, "groups")
    agents = _agents(data)
    given = data.get("topics", {})
    if not isinstance(given, dict):
        raise BadInput("topics: write an object, topic -> rows like those of profile")
    digest = hashlib.sha256(content).hexdigest()
    # As they stand: `Targets` makes arrays of them and says what does not fit.
    raw: dict[str, Any] = {"mixtures": rows, "topics": given}
    return Targets(groups, agents, **raw, digest=digest)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the part of a plan that is served; other keys are let stand.

    Examples
    --------
    >>> schema()["required"]
    ['groups', 'agents']
    """
    label = {"type": "string", "minLength": 1}
    rows = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "array", "items": {"type": "number", "minimum": -SLACK}},
        "description": "a mixture over the groups per agent, each summing to 1",
    }
    side = {"type": "object", "required": ["profile"], "properties": {"profile": rows}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "equipoise plan",
        "type": "object",
        "required": ["groups", "agents"],
        "anyOf": [{"required": ["profile"]}, {"required": ["after"]}],
        "properties": {
            "groups": {"type": "array", "items": label, "minItems": 1, "uniqueItems": True},
            "agents": {
                "description": "labels, a number, or types with counts",
                "anyOf": [
                    {"type": "array", "items": label, "minItems": 1, "uniqueItems": True},
                    {"type": "integer", "minimum": 1, "maximum": MOST_AGENTS},
                    {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
                ],
            },
            "profile": rows,
            "after": {**side, "description": "of a steering plan: what is served"},
            "topics": {
                "type": "object",
                "additionalProperties": rows,
                "description": "topic -> a profile used for requests on it",
            },
        },
    }


def _labels(data: dict[str, Any], key: str) -> tuple[str, ...]:
    given = data.get(key)
    if not isinstance(given, list) or not all(isinstance(x, str) and x.strip() for x in given):
        raise BadInput(f"{key}: a list of labels is needed")
    return tuple(given)


def _agents(data: dict[str, Any]) -> tuple[str, ...]:
    given = data.get("agents")
    if not isinstance(given, list | dict | int):
        raise BadInput("agents: labels, a number, or types with counts are needed")
    if isinstance(given, int) and given > MOST_AGENTS:
        raise BadInput(f"agents: at most {MOST_AGENTS:,} rows can be served; use types")
    return Agents(given).labels()


def _checked(rows: ArrayLike, shape: tuple[int, int], where: str) -> FloatArray:
    """Return rows as an array of mixtures; rounding in a row's sum is taken out."""
    try:
        array = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"{where}: rows of numbers of one length are needed") from None
    if array.shape != shape:
        raise BadInput(
            f"{where}: {shape[0]} rows (agents) of {shape[1]} numbers (groups) are needed, "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all() or array.min() < -SLACK:
        raise BadInput(f"{where}: a weight is negative or no number; write shares from 0 to 1")
    sums = array.sum(axis=1)
    if np.abs(sums - 1.0).max() > SLACK:
        row = int(np.abs(sums - 1.0).argmax())
        raise BadInput(f"{where}: row {row} sums to {sums[row]:.6g}; write shares that sum to 1")
    array = np.maximum(array, 0.0)
    array /= array.sum(axis=1, keepdims=True)
    array.setflags(write=False)
    return array
