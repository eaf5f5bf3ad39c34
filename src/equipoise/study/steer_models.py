"""The `[[steer]]` table of a study file: its keys, their checks, and what must fit together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_values import said
from equipoise.study.fields import MAX_DRAWS, StudyTable, Texts, real, schema_of, whole

__all__ = ["LEAST_DRAWS", "LEVERS", "SteerTable", "at_table", "check_steer"]

LEVERS = ("prices", "anchors", "diversity", "audience", "caps", "entry")

LEAST_DRAWS = 40
"""Half of them find a plan, half say how often it holds: 20 each."""

_floor = real(0.0, 1.0, "a number above 0 and up to 1, e.g. 0.05")
_price = real(0.0, 1e300, "a largest price, a number >= 0")
_any = real(-1e300, 1e300, "a number")
_least = real(0.0, 1.0, "a least multiple from 0 to 1, e.g. 0.5")
_most = real(1.0, 1e6, "a largest multiple of at least 1, e.g. 2")


def _levers(value: Any) -> Any:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise BadInput(f'got {said(value)}; write a lever, e.g. "prices", a list of them, or "all"')
    for name in names:
        if not isinstance(name, str):
            raise BadInput(f"{said(name)} is no lever; write texts in quotes")
        if name not in (*LEVERS, "all"):
            raise BadInput(f'there is no lever "{name}"; {nearest(name, [*LEVERS, "all"])}')
        if list(names).count(name) > 1:
            raise BadInput(f'"{name}" stands twice; name each lever once')
    if "all" in names and len(names) > 1:
        raise BadInput('"all" tries every lever alone; leave the others out')
    return tuple(names)


def _floors(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _above_zero(value)
    if not value:
        raise BadInput('the table is empty; write e.g. {"rural" = 0.05}')
    out = {}
    for group, floor in value.items():
        try:
            out[group] = _above_zero(floor)
        except BadInput as error:
            raise BadInput(f'"{group}": {error}') from None
    return out


def _above_zero(value: Any) -> Any:
    floor = _floor(value)
    if floor == 0.0:
        raise BadInput("a floor of 0 asks for nothing; write a number above 0, e.g. 0.05")
    return floor


def _pair(value: Any, first: Any, second: Any, example: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise BadInput(f"got {said(value)}; write the least and the largest, e.g. {example}")
    low, high = first(value[0]), second(value[1])
    if low > high:
        raise BadInput(f"the least, {low:g}, is above the largest, {high:g}; swap them")
    return low, high


def _bounds(value: Any) -> Any:
    if not isinstance(value, Mapping) or not value:
        raise BadInput(f"got {said(value)}; write limits by lever, e.g. {{prices = 0.5}}")
    out: dict[str, Any] = {}
    for lever, limit in value.items():
        try:
            match lever:
                case "prices" if isinstance(limit, Mapping):
                    out[lever] = {group: _price(price) for group, price in limit.items()}
                case "prices":
                    out[lever] = _price(limit)
                case "diversity":
                    out[lever] = _pair(limit, _any, _any, "[0.0, 5.0]")
                case "caps":
                    out[lever] = real(0.0, 1e300, "the least weight of attractiveness, >= 0")(limit)
                case "audience":
                    out[lever] = _pair(limit, _least, _most, "[0.5, 2.0]")
                case "anchors" | "entry":
                    raise BadInput("targets stay mixtures and have no other limit; leave it out")
                case _:
                    raise BadInput(f"there is no such lever; {nearest(lever, LEVERS)}")
        except BadInput as error:
            raise BadInput(f'"{lever}": {error}') from None
    return out


_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_BY_GROUP = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
_UP_TO_1 = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


class SteerTable(StudyTable):
    """The least change after which a goal holds; one table per goal."""

    lever: Annotated[
        tuple[str, ...],
        BeforeValidator(_levers),
        schema_of(anyOf=[{"enum": [*LEVERS, "all"]},
                         {"type": "array", "items": {"enum": list(LEVERS)}, "minItems": 1}]),
    ] = ("prices",)  # fmt: skip
    floor: (
        Annotated[Any, BeforeValidator(_floors), schema_of(anyOf=[_UP_TO_1, _BY_GROUP])] | None
    ) = None
    share: (
        Annotated[
            float,
            BeforeValidator(real(0.0, 1.0, "a fraction above 0 and up to 1, e.g. 0.25")),
            schema_of(**_UP_TO_1),
        ]
        | None
    ) = None
    served_by: (
        Annotated[
            int,
            BeforeValidator(whole(1, 10**9, "1")),
            schema_of(type="integer", minimum=1),
        ]
        | None
    ) = None
    weight: (
        Annotated[
            float,
            BeforeValidator(real(1e-12, 1.0, "a weight above 0 and up to 1, e.g. 0.01")),
            schema_of(**_UP_TO_1),
        ]
        | None
    ) = None
    max_distance: (
        Annotated[
            float,
            BeforeValidator(real(0.0, 2.0, "an L1 distance from 0 to 2, e.g. 0.5")),
            schema_of(type="number", minimum=0, maximum=2),
        ]
        | None
    ) = None
    sure: (
        Annotated[
            float,
            BeforeValidator(real(0.0, 0.9999, "a share of draws below 1, e.g. 0.95, or 0")),
            schema_of(type="number", minimum=0, exclusiveMaximum=1),
        ]
        | None
    ) = None
    draws: (
        Annotated[
            int,
            BeforeValidator(whole(LEAST_DRAWS, MAX_DRAWS, "400")),
            schema_of(type="integer", minimum=LEAST_DRAWS, maximum=MAX_DRAWS),
        ]
        | None
    ) = None
    within: (
        Annotated[
            float,
            BeforeValidator(real(0.0, 1.0, "a share between 0 and 1, e.g. 0.1", open_=True)),
            schema_of(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
        ]
        | None
    ) = None
    who: Texts | None = None
    budget: (
        Annotated[
            float,
            BeforeValidator(real(0.0, 1e300, "a number >= 0")),
            schema_of(type="number", minimum=0),
        ]
        | None
    ) = None
    bounds: (
        Annotated[
            Any,
            BeforeValidator(_bounds),
            schema_of(
                type="object",
                additionalProperties=False,
                properties={
                    "prices": {"anyOf": [{"type": "number", "minimum": 0}, _BY_GROUP]},
                    "diversity": _NUMBERS,
                    "caps": {"type": "number", "minimum": 0},
                    "audience": _NUMBERS,
                },
            ),
        ]
        | None
    ) = None


@contextlib.contextmanager
def at_table(number: int) -> Iterator[None]:
    """Name the table in a sentence that begins with its key: `[[steer]] 1, floor: …`."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"[[steer]] {number}, {error}") from None


def check_steer(table: SteerTable) -> None:
    """Apply the rules of one table that need more than one key.

    Raises
    ------
    BadInput
        One sentence that begins with the key.
    """
    levers, everything = table.lever, table.lever == ("all",)
    asked = (table.floor, table.share, table.served_by, table.max_distance)
    if all(value is None for value in asked):
        raise BadInput("floor: nothing is asked for; write e.g. share = 0.25, or floor = 0.05")
    if table.share == 0.0:
        raise BadInput("share: 0 asks for nothing; write a fraction above 0, e.g. 0.25")
    if table.weight is not None and table.served_by is None:
        raise BadInput("weight: it says what counts as served; add served_by, e.g. 1")
    if table.who is not None and not everything and "anchors" not in levers:
        raise BadInput('who: it says whose targets may move; add the lever "anchors"')
    if table.budget is not None and len(levers) < 2:
        raise BadInput("budget: it limits several levers together; name at least two in lever")
    for lever in table.bounds or {}:
        if not everything and lever not in levers:
            raise BadInput(f'bounds: "{lever}" is not among the levers; add it there')
    if table.within is not None and table.sure:
        raise BadInput("within: it takes the place of draws; leave out sure, or within")
    if table.draws is not None and (table.sure == 0.0 or table.within is not None):
        raise BadInput("draws: this table uses none; leave it out, or write sure = 0.95")
