"""The shape of a game file as pydantic models, and our own sentences for what does not fit.

The models say which keys there are and make the JSON Schema; whether lengths and values make
a game is said by the classes of the game themselves. No message here is pydantic's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_key_texts import described

__all__ = ["GameModel", "read_model", "said", "schema"]

MAX_ROWS = 10**8

_NUMBER = {"type": "number"}
_PATH = {"type": "string", "pattern": r"\.npy$", "description": "a .npy file beside this file"}
_ROW = {"type": "array", "items": _NUMBER, "minItems": 1}
_ROWS = {"type": "array", "items": _ROW, "minItems": 1}
_LINK_END = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}
_LINK = {
    "type": "array",
    "prefixItems": [_LINK_END, _LINK_END, {"type": "number", "exclusiveMinimum": 0}],
    "minItems": 3,
    "maxItems": 3,
}


def said(value: Any) -> str:
    """Name a value of a file for a reader, in a few words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, int | float):
        return f"the number {value:.6g}"
    return "a table" if isinstance(value, Mapping) else "a list"


def _number(value: Any, start: str = "got ") -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return
    remedy = "write a number"
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            float(value)
            remedy = f"write {value.strip()} without quotes"
    raise BadInput(f"{start}{said(value)}; {remedy}")


def _nested(value: Any, depth: int, shape: str, at: str = "") -> None:
    """Check that `value` is a list `depth` levels deep, its ends numbers, its rows equal."""
    prefix = f"{at}: " if at else ""
    if isinstance(value, Mapping):
        raise BadInput(
            f"{prefix}got a table; write a list in the order of the groups, e.g. "
            + str([x for x in value.values() if isinstance(x, int | float)] or [0.5, 0.3])
        )
    if depth == 0:
        _number(value, f"{prefix}got ")
        return
    if not isinstance(value, list):
        raise BadInput(f"{prefix}got {said(value)}; write {shape}")
    if depth == 1 and set(map(type, value)) == {float}:
        return  # the common case, kept cheap
    for i, item in enumerate(value):
        _nested(item, depth - 1, shape, f"{at}[{i}]")
        if depth > 1 and len(item) != len(value[0]):
            raise BadInput(
                f"row {i} has {len(item)} entries, row 0 has {len(value[0])}; "
                "write rows of equal length"
            )


def _array(shape: str, *depths: int) -> BeforeValidator:
    """Return a check that a value is numbers nested to one of `depths`, or a path to some."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            if not value.endswith(".npy"):
                _number_or_path(value, shape)
            return value
        depth, inner = 0, value
        while isinstance(inner, list) and inner:
            depth, inner = depth + 1, inner[0]
        _nested(value, depth if depth in depths else max(depths), shape)
        return value

    return BeforeValidator(check)


def _number_or_path(value: str, shape: str) -> None:
    try:
        float(value)
    except ValueError:
        raise BadInput(f'got {said(value)}; write {shape}, or the path of a ".npy" file') from None
    _number(value)


def _one_of(*options: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [*options, _PATH]})


Weight = Annotated[Any, _array("one number, or one per agent", 0, 1), _one_of(_NUMBER, _ROW)]
Rows = Annotated[
    Any, _array("one row over the groups, or one row per agent", 1, 2), _one_of(_ROW, _ROWS)
]
Matrix = Annotated[Any, _array("a square matrix, one row per group", 2), _one_of(_ROWS)]
Prices = Annotated[Any, _array("one number per group", 1), _one_of(_ROW)]


def _shares(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise BadInput(f'got {said(value)}; write {{"label": share, ...}}')
    for label, share in value.items():
        _number(share, f'the share of "{label}" is ')
    return value


def _agents(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | list | Mapping):
        raise BadInput(f"got {said(value)}; write a list of labels, a number, or a table of counts")
    if isinstance(value, int) and value > MAX_ROWS:
        raise BadInput(
            f"{value:.3g} agents are too many rows; write types with counts, "
            f'e.g. {{"model-a": {min(value, 10**15)}}}'
        )
    if isinstance(value, Mapping):
        for label, count in value.items():
            if isinstance(count, bool) or not isinstance(count, int):
                raise BadInput(
                    f'type "{label}" has {said(count)} as count; write a whole number >= 1'
                )
    elif isinstance(value, list):
        for i, label in enumerate(value):
            if not isinstance(label, str):
                raise BadInput(f"entry {i} is {said(label)}; write a label in quotes")
    return value


def _links(value: Any) -> Any:
    if isinstance(value, str) and value.endswith(".npy"):
        return value
    if not isinstance(value, list):
        raise BadInput(f"got {said(value)}; write a list of links [agent, agent, weight]")
    for i, link in enumerate(value):
        if not isinstance(link, list) or len(link) != 3:
            raise BadInput(f"link {i} is not of the form [agent, agent, weight]; write three parts")
        for end in link[:2]:
            if isinstance(end, bool) or not isinstance(end, int | str):
                raise BadInput(f"link {i} names {said(end)}; write a label or a row number")
        _number(link[2], f"the weight of link {i} is ")
    return value


def _draws_path(value: Any) -> Any:
    if not isinstance(value, str) or not value.endswith(".npz"):
        raise BadInput(f'got {said(value)}; write the path of a ".npz" file beside this file')
    return value


def _about(value: Any) -> Any:
    """Wrap a text in a table, as its note."""
    if isinstance(value, str):
        return {"note": value}
    if not isinstance(value, Mapping):
        raise BadInput(f"got {said(value)}; write a text, or a table of texts")
    return dict(value)


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
    network: (
        Annotated[Any, BeforeValidator(_links), _one_of({"type": "array", "items": _LINK})] | None
    ) = None
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

    groups: Annotated[
        Any,
        BeforeValidator(_shares),
        WithJsonSchema(
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
                "description": "label -> share of the public; shares sum to 1",
            }
        ),
    ]
    agents: Annotated[
        Any,
        BeforeValidator(_agents),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    {"type": "integer", "minimum": 1, "maximum": MAX_ROWS},
                    {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": {"type": "integer", "minimum": 1},
                    },
                ],
                "description": "labels, a number, or types with counts",
            }
        ),
    ]
    attractiveness: AttractivenessModel | None = None
    consistency: ConsistencyModel | None = None
    diversity: DiversityModel | None = None
    variety: VarietyModel | None = None
    audience_share: AudienceShareModel | None = None
    subsidy: SubsidyModel | None = None
    draws: (
        Annotated[
            Any,
            BeforeValidator(_draws_path),
            WithJsonSchema({"type": "string", "pattern": r"\.npz$"}),
        ]
        | None
    ) = None
    about: Annotated[
        dict[str, Any],
        BeforeValidator(_about),
        WithJsonSchema(
            {
                "anyOf": [{"type": "object"}, {"type": "string"}],
                "description": "where the numbers come from: a text, or a table of texts; kept "
                "and never interpreted",
            }
        ),
    ] = Field(default_factory=dict)


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
