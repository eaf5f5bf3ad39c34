"""The shape of a study file as pydantic models; every sentence about a wrong value is ours.

A value that does not fit raises `BadInput` inside its own check, so that pydantic's messages
are never shown.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from equipoise.errors import BadInput
from equipoise.game.gamefile_values import said
from equipoise.inclusion.map_axes import axis
from equipoise.study.agent_models import AgentsTable, AgentsTables, MeasureTable
from equipoise.study.fields import (
    MAX_DRAWS,
    Codes,
    Count,
    Flag,
    Seed,
    Signed,
    StudyTable,
    Text,
    Texts,
    Weight,
    one_of,
    real,
    schema_of,
    whole,
)
from equipoise.study.simulate_models import SimulateTable
from equipoise.study.steer_models import SteerTable

__all__ = [
    "AgentsTable",
    "ExclusionTable",
    "GameTable",
    "MapTable",
    "MeasureTable",
    "PanelTable",
    "ReportTable",
    "SimulateTable",
    "SolveTable",
    "SteerTable",
    "StudyModel",
    "UncertaintyTable",
]


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


def _many(name: str, what: str) -> Any:
    """Return a check for tables in two brackets, of which a study has several."""

    def check(value: Any) -> Any:
        if isinstance(value, dict):
            raise BadInput(
                f"[{name}] is one table; write [[{name}]], in two brackets, once for every {what}"
            )
        if not isinstance(value, list | tuple):
            raise BadInput(f"got {said(value)}; write a table, [[{name}]]")
        return tuple(value)

    return BeforeValidator(check)


class PanelTable(StudyTable):
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
    dont_know: Annotated[str, *one_of("missing", "option")] | None = None
    dont_know_codes: Codes | None = None
    min_cell: Count | None = None
    small_cells: Annotated[str, *one_of("refuse", "merge")] | None = None
    order: Texts | None = None
    lonely_psu: Annotated[str, *one_of("refuse", "average", "centre")] | None = None


class GameTable(StudyTable):
    """The game made of the panel, or a game file."""

    file: Text | None = None
    agents: Annotated[
        Any,
        BeforeValidator(_agents),
        schema_of(
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
        str, BeforeValidator(_anchor), schema_of(enum=["uniform", "shares", "measured"])
    ] = "uniform"
    kernel: Annotated[str, *one_of("panel", "identity")] = "panel"
    form: Annotated[str, *one_of("quadratic", "kl")] = "quadratic"
    per: Annotated[str, *one_of("all", "question")] = "all"


class SolveTable(StudyTable):
    """How the equilibrium is sought."""

    tol: Annotated[
        float,
        BeforeValidator(real(0.0, 1.0, "a tolerance between 0 and 1, e.g. 1e-9", open_=True)),
        schema_of(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
    ] = 1e-9
    starts: (
        Annotated[int, BeforeValidator(whole(0, 10**6, "8")), schema_of(type="integer", minimum=0)]
        | None
    ) = None
    seed: Seed = 0


class UncertaintyTable(StudyTable):
    """Joint bootstrap draws of the respondents."""

    draws: Annotated[
        int,
        BeforeValidator(whole(2, MAX_DRAWS, "1000")),
        schema_of(type="integer", minimum=2, maximum=MAX_DRAWS),
    ] = 1000
    level: Annotated[
        float,
        BeforeValidator(real(0.0, 1.0, "a level between 0 and 1, e.g. 0.95", open_=True)),
        schema_of(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
    ] = 0.95
    seed: Seed = 0


class ExclusionTable(StudyTable):
    """From which top weight on a group counts as served."""

    below: Annotated[
        float,
        BeforeValidator(real(0.0, math.nextafter(1.0, 0.0), "a weight from 0 up to 1")),
        schema_of(type="number", minimum=0, exclusiveMaximum=1),
    ] = 0.0


AxisText = Annotated[
    str,
    BeforeValidator(_axis),
    schema_of(type="string", pattern=r"^.+=[^:]+:[^:]+:[^:]+$"),
]


class MapTable(StudyTable):
    """Who is left out over two or three incentives; one table per map, as many as wanted."""

    x: AxisText
    y: AxisText
    z: AxisText | None = None
    draws: (
        Annotated[
            int,
            BeforeValidator(whole(0, MAX_DRAWS, "200")),
            schema_of(type="integer", minimum=0, maximum=MAX_DRAWS),
        ]
        | None
    ) = None
    refine: Annotated[
        int, BeforeValidator(whole(0, 16, "3")), schema_of(type="integer", minimum=0, maximum=16)
    ] = 0


class ReportTable(StudyTable):
    """What stands at the head of the report."""

    title: Text | None = None
    authors: Texts = ()


class StudyModel(StudyTable):
    """A study file of equipoise."""

    panel: PanelTable | None = None
    game: GameTable = Field(default_factory=GameTable)
    solve: SolveTable = Field(default_factory=SolveTable)
    uncertainty: UncertaintyTable = Field(default_factory=UncertaintyTable)
    exclusion: ExclusionTable = Field(default_factory=ExclusionTable)
    map: Annotated[tuple[MapTable, ...], _many("map", "map")] = ()
    steer: Annotated[tuple[SteerTable, ...], _many("steer", "goal")] = ()
    agents: AgentsTables = ()
    measure: MeasureTable | None = None
    simulate: SimulateTable | None = None
    report: ReportTable = Field(default_factory=ReportTable)
