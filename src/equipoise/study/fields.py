"""Kinds of values in a study file: each checks what it is given and says what to write instead.

A value that does not fit raises `BadInput` inside its own check, so that pydantic's messages
are never shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_values import said
from equipoise.study.key_texts import KEYS, TABLES

__all__ = [
    "MAX_DRAWS",
    "Codes",
    "Count",
    "Flag",
    "Seed",
    "Signed",
    "StudyTable",
    "Text",
    "Texts",
    "Weight",
    "one_of",
    "real",
    "schema_of",
    "whole",
]

MAX_DRAWS = 1_000_000


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"got {said(value)}; write a text in quotes")
    return value


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return (_text(value),)
    if not isinstance(value, list) or not value:
        raise BadInput(f'got {said(value)}; write a text, or a list of texts, e.g. ["a", "b"]')
    for i, item in enumerate(value):
        if not isinstance(item, str):
            raise BadInput(f"entry {i} is {said(item)}; write a text in quotes")
    return tuple(value)


def _codes(value: Any) -> Any:
    if not isinstance(value, list):
        raise BadInput(f"got {said(value)}; write a list of codes, e.g. [-9, -8]")
    for i, item in enumerate(value):
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise BadInput(f"entry {i} is {said(item)}; write a number or a text")
    return tuple(value)


def _flag(value: Any) -> Any:
    if not isinstance(value, bool):
        raise BadInput(f"got {said(value)}; write true or false")
    return value


def whole(low: int, high: int, example: str) -> Callable[[Any], Any]:
    """Return a check for whole numbers of a range."""
    span = f"from {low} to {high}" if high < 1000 else f"from {low} on"

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadInput(f"got {said(value)}; write a whole number {span}, e.g. {example}")
        return value

    return check


def real(low: float, high: float, remedy: str, *, open_: bool = False) -> Callable[[Any], Any]:
    """Return a check for numbers of a range, with or without its ends."""

    def check(value: Any) -> Any:
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or not low <= value <= high or (open_ and value in (low, high)):
            raise BadInput(f"got {said(value)}; write {remedy}")
        return float(value)

    return check


def _choice(*options: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in options or not isinstance(value, str):
            hint = nearest(value, options) if isinstance(value, str) else f'write "{options[0]}"'
            raise BadInput(f"got {said(value)}; {hint}")
        return value

    return check


def one_of(*options: str) -> tuple[Any, Any]:
    """Return check and schema of a text that is one of a few."""
    return BeforeValidator(_choice(*options)), schema_of(enum=list(options))


def schema_of(**kind: Any) -> WithJsonSchema:
    """Return the JSON Schema of a kind of value."""
    return WithJsonSchema(kind)


Text = Annotated[str, BeforeValidator(_text), schema_of(type="string", minLength=1)]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    schema_of(
        anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    ),
]
Codes = Annotated[
    tuple[Any, ...],
    BeforeValidator(_codes),
    schema_of(type="array", items={"type": ["number", "string"]}),
]
Flag = Annotated[bool, BeforeValidator(_flag), schema_of(type="boolean")]
Count = Annotated[int, BeforeValidator(whole(1, 10**9, "10")), schema_of(type="integer", minimum=1)]
Seed = Annotated[
    int, BeforeValidator(whole(0, 2**63 - 1, "0")), schema_of(type="integer", minimum=0)
]
Weight = Annotated[
    float,
    BeforeValidator(real(0.0, 1e300, "a number >= 0")),
    schema_of(type="number", minimum=0),
]
Signed = Annotated[
    float, BeforeValidator(real(-1e300, 1e300, "a number")), schema_of(type="number")
]


def _described(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add to a schema what every key means."""
    said_of = KEYS.get(model.__name__.removesuffix("Table").lower(), TABLES)
    for key, part in schema["properties"].items():
        part["description"] = said_of[key]


class StudyTable(BaseModel):
    """A table of a study file: unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid", strict=False, frozen=True, json_schema_extra=_described
    )
