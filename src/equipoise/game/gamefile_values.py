"""Kinds of values in a game file: each checks what it is given and says what to write instead.

Whether lengths and values make a game is said by the classes of the game themselves. A value
that does not fit raises `BadInput` inside its own check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from equipoise.errors import BadInput

__all__ = [
    "About",
    "AgentRows",
    "DrawsPath",
    "Links",
    "Matrix",
    "Prices",
    "Rows",
    "Shares",
    "Weight",
    "said",
]

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


Shares = Annotated[
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
AgentRows = Annotated[
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
Links = Annotated[Any, BeforeValidator(_links), _one_of({"type": "array", "items": _LINK})]
DrawsPath = Annotated[
    Any, BeforeValidator(_draws_path), WithJsonSchema({"type": "string", "pattern": r"\.npz$"})
]
About = Annotated[
    dict[str, Any],
    BeforeValidator(_about),
    WithJsonSchema(
        {
            "anyOf": [{"type": "object"}, {"type": "string"}],
            "description": "where the numbers come from: a text, or a table of texts; kept "
            "and never interpreted",
        }
    ),
]
