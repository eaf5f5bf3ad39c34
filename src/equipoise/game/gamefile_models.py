"""The shape of a game file as pydantic models, and our own sentences for what does not fit.

The models say which keys there are and make the JSON Schema. No message here is pydantic's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_key_texts import described
from equipoise.game.gamefile_values import (
    About,
    AgentRows,
    DrawsPath,
    Links,
    Matrix,
    Prices,
    Rows,
    Shares,
    Weight,
    said,
)

__all__ = ["GameModel", "read_model", "schema"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AttractivenessModel(_Section):
    """Appeal of content made for each group."""

    values: Rows
    weight: Weight = 1.0


class ConsistencyModel(_Section):
    """Pull towards an alignment target."""

    anchor: Rows
    weight: Weight = 1.0
    form: Literal["quadratic", "kl"] = "quadratic"
    metric: Matrix | None = None


class DiversityModel(_Section):
    """Cost of overlap with the agents one meets; a negative weight is herding."""

    weight: Weight
    kernel: Matrix | None = None
    network: Links | None = None
    directed: bool = False


class VarietyModel(_Section):
    """Reward of an agent's own breadth."""

    matrix: Matrix | None = None
    weight: Weight


class AudienceShareModel(_Section):
    """Reward of an agent's share of each group's attention."""

    weight: Weight


class SubsidyModel(_Section):
    """Payment per unit of weight on a group."""

    prices: Prices


class GameModel(_Section):
    """A game file of equipoise."""

    groups: Shares
    agents: AgentRows
    attractiveness: AttractivenessModel | None = None
    consistency: ConsistencyModel | None = None
    diversity: DiversityModel | None = None
    variety: VarietyModel | None = None
    audience_share: AudienceShareModel | None = None
    subsidy: SubsidyModel | None = None
    draws: DrawsPath | None = None
    about: About = Field(default_factory=dict)


_EXAMPLES = {
    "groups": '"groups": {"urban": 0.6, "rural": 0.4}',
    "agents": '"agents": ["model-a", "model-b"]',
    "attractiveness.values": "one number per group",
    "consistency.anchor": "one mixture over the groups, or one per agent",
    "subsidy.prices": "one number per group",
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a game file.

    Examples
    --------
    >>> schema()["required"]
    ['groups', 'agents']
    """
    out = described(GameModel.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **out}


def read_model(data: Any) -> GameModel:
    """Return the parsed dictionary of a game file as a model, null keys counted as absent.

    Raises
    ------
    BadInput
        One sentence about the first thing that does not fit, with its path.
    """
    if not isinstance(data, Mapping):
        raise BadInput(f"got {said(data)}; a game file is a table with groups and agents")
    present = {
        key: {k: v for k, v in value.items() if v is not None}
        if key in _SECTIONS and isinstance(value, Mapping)
        else value
        for key, value in data.items()
        if value is not None
    }
    try:
        return GameModel.model_validate(present)
    except ValidationError as error:
        raise BadInput(_sentence(error)) from None


_SECTIONS = frozenset(GameModel.model_fields) - {"groups", "agents", "draws", "about"}


def _known(path: list[str]) -> list[str]:
    if not path:
        return list(GameModel.model_fields)
    section = GameModel.model_fields[path[0]].annotation
    for option in getattr(section, "__args__", ()):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return list(option.model_fields)
    return []


def _sentence(error: ValidationError) -> str:
    """Turn pydantic's first error into a sentence of ours; unknown keys come first."""
    errors = error.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    where = ".".join(path[:2])
    match first["type"]:
        case "extra_forbidden":
            inside = f"{path[0]}: " if len(path) > 1 else ""
            return f'{inside}there is no key "{path[-1]}"; {nearest(path[-1], _known(path[:-1]))}'
        case "missing":
            example = _EXAMPLES.get(where, "a number, or one per agent")
            return f"{where}: it is missing; write {example}"
        case "literal_error":
            return f'{where}: got {said(first["input"])}; write "quadratic" or "kl"'
        case "bool_type":
            return f"{where}: got {said(first['input'])}; write true or false"
        case "value_error":
            said_by_us = str(first["ctx"]["error"])
            return where + ("" if said_by_us.startswith("[") else ": ") + said_by_us
        case _:
            return f"{where}: got {said(first['input'])}; write a table"
