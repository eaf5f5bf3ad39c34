"""The shape of a study file as pydantic models; every sentence about a wrong value is ours.

A value that does not fit raises `BadInput` inside its own check, so that pydantic's messages
are never shown. The tables that later versions will read are known by name only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_models import said
from equipoise.inclusion.map_axes import axis
from equipoise.study.agent_models import AgentsTable, AgentsTables, MeasureTable
from equipoise.study.key_texts import KEYS, TABLES

__all__ = [
    "LATER",
    "AgentsTable",
    "ExclusionTable",
    "GameTable",
    "MapTable",
    "MeasureTable",
    "PanelTable",
    "ReportTable",
    "SolveTable",
    "StudyModel",
    "UncertaintyTable",
]

LATER = ("steer", "simulate")
"""Tables of the study format that this version does not read."""

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


def _whole(low: int, high: int, example: str) -> Callable[[Any], Any]:
    span = f"from {low} to {high}" if high < 1000 else f"from {low} on"

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadInput(f"got {said(value)}; write a whole number {span}, e.g. {example}")
        return value

    return check


def _real(low: float, high: float, remedy: str, *, open_: bool = False) -> Callable[[Any], Any]:
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


def _anchor(value: Any) -> Any:
    if value not in ("uniform", "shares", "measured"):
        hint = 'write "uniform" (all groups alike), "shares" (by their size) or "measured"'
        if isinstance(value, list | dict):
            hint += "; for an anchor of your own write a game file and name it in game.file"
        raise BadInput(f"got {said(value)}; {hint}")
    return value


def _agents(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | list):
        raise BadInput(f"got {said(value)}; write a number, or a list of labels")
    if isinstance(value, int):
        if not 1 <= value <= 10**15:
            raise BadInput(f"got {said(value)}; write a number of agents, at least 1")
        return value
    if not value:
        raise BadInput("the list is empty; name at least one agent")
    for i, label in enumerate(value):
        if not isinstance(label, str) or not label.strip():
            raise BadInput(f"entry {i} is {said(label)}; write a label in quotes")
    return tuple(value)


def _axis(value: Any) -> Any:
    if not isinstance(value, str):
        raise BadInput(f'got {said(value)}; write a text, e.g. "attractiveness=0:50:101"')
    try:
        axis(value)
    except BadInput as error:
        raise BadInput(str(error).removeprefix("axis: ")) from None
    return value


def _maps(value: Any) -> Any:
    if isinstance(value, dict):
        raise BadInput("[map] is one table; write [[map]], in two brackets, once for every map")
    if not isinstance(value, list | tuple):
        raise BadInput(f"got {said(value)}; write a table, [[map]]")
    return tuple(value)


def _one_of(*options: str) -> tuple[Any, Any]:
    return BeforeValidator(_choice(*options)), _schema(enum=list(options))


def _schema(**kind: Any) -> WithJsonSchema:
    return WithJsonSchema(kind)


Text = Annotated[str, BeforeValidator(_text), _schema(type="string", minLength=1)]
Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    _schema(
        anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    ),
]
Codes = Annotated[
    tuple[Any, ...],
    BeforeValidator(_codes),
    _schema(type="array", items={"type": ["number", "string"]}),
]
Flag = Annotated[bool, BeforeValidator(_flag), _schema(type="boolean")]
Count = Annotated[int, BeforeValidator(_whole(1, 10**9, "10")), _schema(type="integer", minimum=1)]
Seed = Annotated[
    int, BeforeValidator(_whole(0, 2**63 - 1, "0")), _schema(type="integer", minimum=0)
]
Weight = Annotated[
    float,
    BeforeValidator(_real(0.0, 1e300, "a number >= 0")),
    _schema(type="number", minimum=0),
]
Signed = Annotated[float, BeforeValidator(_real(-1e300, 1e300, "a number")), _schema(type="number")]


def _described(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Add to a schema what every key means."""
    texts = KEYS.get(model.__name__.removesuffix("Table").lower(), TABLES)
    for key, part in schema["properties"].items():
        part["description"] = texts[key]


class _Table(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=False, frozen=True, json_schema_extra=_described
    )


class PanelTable(_Table):
    """What humans said: a bundled panel by name, or the user's own survey file."""

    name: Text | None = None
    file: Text | None = None
    year: Count | None = None
    groups: Count | None = None
    group: Texts | None = None
    questions: Texts | None = None
    weight: Text | None = None
    strata: Text | None = None
    cluster: Text | None = None
    ratings: Texts | None = None
    missing: Codes | None = None
    user_missing: Flag | None = None
    dont_know: Annotated[str, *_one_of("missing", "option")] | None = None
    dont_know_codes: Codes | None = None
    min_cell: Count | None = None
    small_cells: Annotated[str, *_one_of("refuse", "merge")] | None = None
    order: Texts | None = None
    lonely_psu: Annotated[str, *_one_of("refuse", "average", "centre")] | None = None


class GameTable(_Table):
    """The game made of the panel, or a game file."""

    file: Text | None = None
    agents: Annotated[
        Any,
        BeforeValidator(_agents),
        _schema(
            anyOf=[
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        ),
    ] = ("model-a", "model-b")
    attractiveness: Weight = 1.0
    consistency: Weight = 1.0
    diversity: Signed = 0.0
    anchor: Annotated[
        str, BeforeValidator(_anchor), _schema(enum=["uniform", "shares", "measured"])
    ] = "uniform"
    kernel: Annotated[str, *_one_of("panel", "identity")] = "panel"
    form: Annotated[str, *_one_of("quadratic", "kl")] = "quadratic"
    per: Annotated[str, *_one_of("all", "question")] = "all"


class SolveTable(_Table):
    """How the equilibrium is sought."""

    tol: Annotated[
        float,
        BeforeValidator(_real(0.0, 1.0, "a tolerance between 0 and 1, e.g. 1e-9", open_=True)),
        _schema(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
    ] = 1e-9
    starts: (
        Annotated[int, BeforeValidator(_whole(0, 10**6, "8")), _schema(type="integer", minimum=0)]
        | None
    ) = None
    seed: Seed = 0


class UncertaintyTable(_Table):
    """Joint bootstrap draws of the respondents."""

    draws: Annotated[
        int,
        BeforeValidator(_whole(2, MAX_DRAWS, "1000")),
        _schema(type="integer", minimum=2, maximum=MAX_DRAWS),
    ] = 1000
    level: Annotated[
        float,
        BeforeValidator(_real(0.0, 1.0, "a level between 0 and 1, e.g. 0.95", open_=True)),
        _schema(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
    ] = 0.95
    seed: Seed = 0


class ExclusionTable(_Table):
    """From which top weight on a group counts as served."""

    below: Annotated[
        float,
        BeforeValidator(_real(0.0, math.nextafter(1.0, 0.0), "a weight from 0 up to 1")),
        _schema(type="number", minimum=0, exclusiveMaximum=1),
    ] = 0.0


AxisText = Annotated[
    str,
    BeforeValidator(_axis),
    _schema(type="string", pattern=r"^.+=[^:]+:[^:]+:[^:]+$"),
]


class MapTable(_Table):
    """Who is left out over two or three incentives; one table per map, as many as wanted."""

    x: AxisText
    y: AxisText
    z: AxisText | None = None
    draws: (
        Annotated[
            int,
            BeforeValidator(_whole(0, MAX_DRAWS, "200")),
            _schema(type="integer", minimum=0, maximum=MAX_DRAWS),
        ]
        | None
    ) = None
    refine: Annotated[
        int, BeforeValidator(_whole(0, 16, "3")), _schema(type="integer", minimum=0, maximum=16)
    ] = 0


class ReportTable(_Table):
    """What stands at the head of the report."""

    title: Text | None = None
    authors: Texts = ()


class StudyModel(_Table):
    """A study file of equipoise."""

    panel: PanelTable | None = None
    game: GameTable = Field(default_factory=GameTable)
    solve: SolveTable = Field(default_factory=SolveTable)
    uncertainty: UncertaintyTable = Field(default_factory=UncertaintyTable)
    exclusion: ExclusionTable = Field(default_factory=ExclusionTable)
    map: Annotated[tuple[MapTable, ...], BeforeValidator(_maps)] = ()
    agents: AgentsTables = ()
    measure: MeasureTable | None = None
    report: ReportTable = Field(default_factory=ReportTable)
