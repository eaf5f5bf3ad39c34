"""The study file: TOML text to a checked `StudyModel`, or one sentence with the field's path."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from equipoise.errors import BadInput, nearest
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import parse, read_text
from equipoise.game.gamefile_values import said
from equipoise.inclusion.map_axes import axis
from equipoise.study.agent_models import check_agents
from equipoise.study.file_models import MapTable, StudyModel
from equipoise.study.simulate_models import check_simulate
from equipoise.study.steer_models import at_table, check_steer

__all__ = ["MANY", "fewest_draws", "plain_study", "read_study", "schema", "study_from_dict"]

ONLY_NAME = ("year", "groups")
ONLY_FILE = ("weight", "strata", "cluster", "ratings", "missing", "user_missing",
             "dont_know_codes", "order", "lonely_psu")  # fmt: skip
MANY = ("map", "steer", "agents")
"""Tables in two brackets, of which a study has several."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a study file.

    Examples
    --------
    >>> sorted(schema()["properties"])[:5]
    ['agents', 'exclusion', 'game', 'map', 'measure']
    """
    out = StudyModel.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **out}


def read_study(path: str | os.PathLike[str], *, seed: int | None = None) -> StudyModel:
    """Return the checked content of a study file.

    Parameters
    ----------
    path : path
        A file that ends in .toml.
    seed : int, optional
        Takes the place of every seed in the file.

    Returns
    -------
    StudyModel
        Every default filled in. Not checked here: that files and columns exist.

    Raises
    ------
    BadInput
        One sentence: the file, the path of the field, what is wrong, what to write instead.
    """
    path = Path(path)
    if path.suffix.lower() != ".toml":
        raise BadInput(f"{path}: a study file ends in .toml; rename it")
    text = read_text(path)
    with at_field(path.name):
        study = study_from_dict(parse(text, ".toml"))
    if seed is None:
        return study
    return study.model_copy(
        update={
            "solve": study.solve.model_copy(update={"seed": seed}),
            "uncertainty": study.uncertainty.model_copy(update={"seed": seed}),
        }
    )


def study_from_dict(data: Any) -> StudyModel:
    """Return the study of a dictionary with the tables of a study file.

    Raises
    ------
    BadInput
        As `read_study`.

    Examples
    --------
    >>> study_from_dict({"panel": {"name": "gss2018"}}).uncertainty.draws
    1000
    """
    if not isinstance(data, Mapping):
        raise BadInput(f"got {said(data)}; a study file has tables such as [panel] and [game]")
    try:
        study = StudyModel.model_validate(data)
    except ValidationError as error:
        raise BadInput(_sentence(error)) from None
    _check(study, data)
    return study


def plain_study(study: StudyModel) -> dict[str, Any]:
    """Return a study as plain values; of a file only its name, so that folders do not matter."""
    data: dict[str, Any] = study.model_dump(mode="json", exclude_none=True)
    for table in ("panel", "game"):
        if "file" in data.get(table, {}):
            data[table]["file"] = Path(data[table]["file"]).name
    for table in MANY:
        if not data[table]:
            del data[table]
    return data


def _check(study: StudyModel, data: Mapping[str, Any]) -> None:
    """Apply the rules that need more than one key."""
    panel, game = study.panel, study.game
    if game.file is not None:
        extra = sorted(set(data["game"]) - {"file"})
        if extra:
            raise BadInput(
                f'game.{extra[0]}: the game file says everything about the game; leave "{extra[0]}"'
                " out, or leave out game.file"
            )
        if panel is not None:
            raise BadInput(
                "panel: a study with game.file takes its people from the file's draws; leave the "
                "table out"
            )
    elif panel is None:
        raise BadInput(
            'panel: it is missing; write [panel] with name = "gss2018", or [game] with file = '
            '"game.json"'
        )
    if panel is not None:
        _check_panel({key: value for key, value in panel if value is not None})
    _check_numbers(study)
    check_agents(study.agents, measured=game.anchor == "measured", per=game.per,
                 named="agents" in data.get("game", {}), file=game.file is not None)  # fmt: skip
    for number, one in enumerate(study.map, start=1):
        with at_field(f"[[map]] {number}"):
            _check_names(one)
    for number, goal in enumerate(study.steer, start=1):
        with at_table(number):
            check_steer(goal)
    if study.simulate is not None:
        check_simulate(study.simulate, len(study.steer))


def _check_names(table: MapTable) -> None:
    """Refuse a map that has one axis twice."""
    names = [axis(text).name for text in (table.x, table.y, table.z) if text is not None]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"the axis {name} stands twice; choose two different incentives")


def _check_panel(given: dict[str, Any]) -> None:
    if ("name" in given) == ("file" in given):
        raise BadInput('panel: write either name = "gss2018" or file = "mine.sav", not both')
    kind, other = ("name", "file") if "name" in given else ("file", "name")
    for key in ONLY_FILE if kind == "name" else ONLY_NAME:
        if key in given:
            raise BadInput(
                f'panel.{key}: it goes with panel.{other}, not with panel.{kind}; leave "{key}" out'
            )
    for key in ("group", "questions"):
        if kind == "file" and key not in given:
            raise BadInput(f"panel.{key}: it is missing; name the column or columns of the file")


def _check_numbers(study: StudyModel) -> None:
    least = fewest_draws(study.uncertainty.level)
    if study.game.file is None and study.uncertainty.draws < least:
        raise BadInput(
            f"uncertainty.draws: {study.uncertainty.draws} draws cannot show an interval of "
            f"{100 * study.uncertainty.level:g} %; write at least {least}, better 1000"
        )
    game = study.game
    if game.file is None and game.consistency == 0.0 and game.diversity <= 0.0:
        raise BadInput(
            "game.consistency: without it agents have no curvature and serve one group only; "
            "write a number > 0"
        )
    if game.form == "kl" and game.consistency == 0.0:
        raise BadInput('game.consistency: form = "kl" needs a weight > 0; write e.g. 1.0')


def fewest_draws(level: float) -> int:
    """Return how many draws it takes for one to lie in each tail of an interval.

    Examples
    --------
    >>> fewest_draws(0.95)
    40
    """
    return math.ceil(round(2.0 / (1.0 - level), 6))


def _sentence(error: ValidationError) -> str:
    """Turn pydantic's first error into a sentence of ours; unknown keys come first."""
    errors = error.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    table, brackets, rest = path[0], f"[{path[0]}]", path[1:]
    if rest and rest[0].isdigit():
        table, rest = f"[[{path[0]}]] {int(rest[0]) + 1}", rest[1:]
        brackets = f"[[{path[0]}]]"
    where = ", ".join([table, *rest[:1]]) if table != path[0] else ".".join(path[:2])
    if first["type"] == "extra_forbidden":
        inside = f"{table}: " if rest else ""
        return f'{inside}there is no key "{path[-1]}"; {nearest(path[-1], _known(path[:-1]))}'
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}"
    if first["type"] == "missing":
        example = "model-a" if path[-1] == "name" else "attractiveness=0:50:101"
        return f'{where}: it is missing; write e.g. {path[-1]} = "{example}"'
    return f"{where}: got {said(first['input'])}; write a table, {brackets}"


def _known(path: list[str]) -> list[str]:
    if not path:
        return list(StudyModel.model_fields)
    annotation: Any = StudyModel.model_fields[path[0]].annotation
    for option in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return list(option.model_fields)
    return []
