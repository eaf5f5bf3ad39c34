"""The `[[steer]]` tables of a study: its levers, its goal, and a plan by every lever.

A piece of work is one lever of one table. It carries its study as JSON; a worker reads the
people itself and draws them again, so that bytes do not depend on where it runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.engine import Engine, Here, Local, run
from equipoise.engine.store import pack
from equipoise.errors import BadInput, EquipoiseError
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games
from equipoise.inclusion.advice import UNITS, advice
from equipoise.inclusion.goals import Goal
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.plan_path import plan_path
from equipoise.inclusion.steer import steer
from equipoise.report.files import make_folder, write_whole
from equipoise.study.drawn_file import FileSource
from equipoise.study.draws import given_source, lent_source, source_of
from equipoise.study.file_models import StudyModel
from equipoise.study.people import PanelSource
from equipoise.study.steer_levers import levers_of
from equipoise.study.steer_models import LEAST_DRAWS, SteerTable, at_table
from equipoise.study.workspace import Workspace

__all__ = ["check_steers", "make_steers", "point_plan", "steer_piece"]

Progress = Callable[[int, int, str], None]
Source = PanelSource | FileSource

DRAWS = 400
"""Joint draws a table uses unless it says otherwise: half to find a plan, half to check it."""

MANY_DRAWS = 100
"""From here on levers are tried by all cores, if no engine is named."""

POINTS = 41
"""Points of the way from no change to a plan."""

LISTED = 1000
"""Agents whose changes are listed; beyond, only how many change."""


def check_steers(study: StudyModel, source: Source) -> None:
    """Refuse goals that no mixtures meet, groups, agents and levers the game does not have."""
    for number, table in enumerate(study.steer, start=1):
        with at_table(number):
            _surely(table, source)
            for lever in _levers(table, source):
                game, names = _game(table, source, lever.name), table.bounds or {}
                for group in table.floor if isinstance(table.floor, dict) else ():
                    with _key("floor"):
                        game.groups.index(group)
                with _key("bounds" if lever.name in names else "lever"):
                    lever.box(game)
                with _key("floor"):
                    _goal(table).check(lever.base(game))


def make_steers(
    study: StudyModel,
    source: Source,
    folder: Path,
    workspace: Workspace,
    out: Path,
    *,
    engine: Engine | None,
    tell: Progress,
) -> list[dict[str, Any]]:
    """Find the plans of every table, write their ways, and return what `result.json` says of them.

    Parameters
    ----------
    study, source : as of `make_result`
    folder : Path
        Where the study lies; workers read its people from there.
    workspace : Workspace
        Keeps finished levers, so that a killed study goes on.
    out : Path
        The folder of the results; ways go to `arrays/steer_N.npz` in it.
    engine : Local, Ray or None
        None: this process, or all cores where that is quicker.
    tell : callable (done, total, what)
    """
    rows = []
    given = given_source(source, folder)
    for number, table in enumerate(study.steer, start=1):
        name = f"steer_{number}"
        levers = _levers(table, source)
        pieces: list[dict[str, Any]] = [
            {"study": given[0], "folder": given[1], "digest": source.digest, "table": number - 1,
             "lever": i}
            for i in range(len(levers))
        ]  # fmt: skip
        with lent_source(given, source):
            answers = run(
                engine or _workers(levers=len(levers), draws=_surely(table, source)[1]),
                steer_piece, pieces,
                store=workspace.store_of(name), names=[lever.name for lever in levers],
                progress=lambda done, total, what: tell(done, total, what),
                what=f"levers of {name.replace('_', ' ')}",
            )  # fmt: skip
            made = [arrays for _, arrays in answers]
        rows.append({"name": name, **_row(table, source, levers), **_kept(name, made, out)})
    return rows


def point_plan(table: SteerTable, source: Source, game: AlignmentGame | None = None) -> Plan:
    """Return the plan of a table's first lever for the point values alone.

    Parameters
    ----------
    table : SteerTable
    source : PanelSource or FileSource
    game : AlignmentGame, optional
        Takes the place of the source's game, e.g. one that was measured.
    """
    if game is None:
        lever = _levers(table, source)[0]
        game = _game(table, source, lever.name)
    else:
        lever = levers_of(table, game, _agreement(source))[0]
    return steer(game, lever, goal=_goal(table), seed=source.study.solve.seed)


def _workers(*, levers: int, draws: int) -> Engine:
    """Return workers of this machine where starting them costs less than they save."""
    return Local() if levers > 1 and draws >= MANY_DRAWS else Here()


def steer_piece(study: str, folder: str, digest: str, table: int, lever: int) -> dict[str, Any]:
    """Find the plan of one lever: what `result.json` says of it as JSON bytes, and its way."""
    source = source_of(study, folder, digest)
    asked = source.study.steer[table]
    one = _levers(asked, source)[lever]
    answer, way = _found(asked, source, one)
    text = json.dumps(answer, ensure_ascii=False)
    return {"answer": np.frombuffer(text.encode(), dtype=np.uint8), **way}


def _found(
    table: SteerTable, source: Source, lever: Lever
) -> tuple[dict[str, Any], dict[str, Any]]:
    game, goal = _game(table, source, lever.name), _goal(table)
    sure, count = _surely(table, source)
    seed, within = source.study.solve.seed, table.within or 0.0
    draws = list(drawn_games(game, source.joint_draws(game, count))) if count else []
    try:
        plan = steer(game, lever, goal=goal, draws=draws, sure=sure or 0.95, within=within,
                     seed=seed)  # fmt: skip
    except EquipoiseError as error:
        refused = {"lever": lever.name, "reason": str(error), "point": None}
        if not count and not within:
            return refused, {}
        # What the point values alone allow says how far away the goal is.
        try:
            near = steer(game, lever, goal=goal, seed=seed)
        except EquipoiseError as nearer:
            return refused | {"reason": str(nearer)}, {}
        point = {"advice": advice(near), "cost": near.cost, "least": near.leastness.proved}
        return refused | {"point": point}, {}
    return _plain(plan), _way(plan)


def _plain(plan: Plan) -> dict[str, Any]:
    """Return a plan for `result.json`; long lists are cut, their lengths are not."""
    out = plan.to_dict()
    changes = out["change"]
    out["changes"] = len(changes)
    if len(changes) > LISTED:
        out["change"] = dict(list(changes.items())[:LISTED])
        out["setting"] = None
    return out | {"advice": advice(plan), "unit": UNITS[plan.lever.name]}


def _way(plan: Plan) -> dict[str, Any]:
    """Return coverage from no change to the plan; nothing where that could not be solved."""
    if not plan.setting.any():
        return {}
    try:
        path = plan_path(plan, POINTS)
    except EquipoiseError:
        return {}
    return {
        "share": path.share,
        "coverage": path.coverage,
        "top_weight": path.top_weight,
        "floors": path.floors,
        "cost": path.cost,
    }


def _kept(name: str, made: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    """Write the ways of all plans into one file and return the answers beside its sha256."""
    plans: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    ways: dict[str, Any] = {}
    for arrays in made:
        answer = json.loads(bytes(arrays.pop("answer")).decode())
        if "reason" in answer:
            refused.append(answer)
            continue
        plans.append(answer | {"way": bool(arrays)})
        ways |= {f"{answer['lever']}.{key}": array for key, array in arrays.items()}
    content = pack(ways)
    write_whole(make_folder(out / "arrays") / f"{name}.npz", content)
    digest = hashlib.sha256(content).hexdigest()
    return {"plans": plans, "refused": refused, "sha256": digest}


def _row(table: SteerTable, source: Source, levers: list[Lever]) -> dict[str, Any]:
    sure, count = _surely(table, source)
    game, goal = _game(table, source, levers[0].name), _goal(table)
    floors = goal.floor_array(game).tolist()
    return {
        "goal": goal.words(game),
        "floor": table.floor,
        "share": table.share,
        "served_by": table.served_by,
        "weight": None if table.served_by is None else goal.weight,
        "max_distance": table.max_distance,
        "floors": dict(zip(game.groups.labels, floors, strict=True)),
        "levers": [lever.name for lever in levers],
        "together": list(table.lever) if len(table.lever) > 1 else [],
        "budget": table.budget,
        "sure": sure,
        "draws": count,
        "within": table.within,
    }


def _goal(table: SteerTable) -> Goal:
    return Goal(
        table.floor,
        share=table.share,
        served_by=table.served_by or 0,
        weight=0.01 if table.weight is None else table.weight,
        max_distance=table.max_distance,
    )


def _levers(table: SteerTable, source: Source) -> list[Lever]:
    return levers_of(table, source.map_game(diversity=False), _agreement(source))


def _agreement(source: Source) -> Any:
    return source.measured(None).agreement if isinstance(source, PanelSource) else None


def _game(table: SteerTable, source: Source, lever: str) -> AlignmentGame:
    """Return the game; where diversity may change, groups overlap as in this study."""
    moves = lever == "diversity" or (lever == "together" and "diversity" in table.lever)
    return source.map_game(diversity=moves)


def _surely(table: SteerTable, source: Source) -> tuple[float, int]:
    """Return in what share of how many joint draws the goal has to hold; 0 and 0: point only."""
    if table.within is not None or table.sure == 0.0:
        return 0.0, 0
    count = min(table.draws or DRAWS, source.draws)
    if count >= LEAST_DRAWS:
        return 0.95 if table.sure is None else table.sure, count
    if table.sure is None and table.draws is None:
        return 0.0, 0
    key = "draws" if table.sure is None else "sure"
    raise BadInput(
        f"{key}: the study has {count} joint draws, and a plan that holds in most of them needs "
        f"at least {LEAST_DRAWS}; give it more, or write sure = 0"
    )


@contextlib.contextmanager
def _key(name: str) -> Iterator[None]:
    """Begin a sentence of the library with the key of the table it is about."""
    try:
        yield
    except BadInput as error:
        head, colon, rest = str(error).partition(": ")
        if colon and head in ("served_by", "max_distance", "who"):
            name, said = head, rest
        else:
            said = rest if head == "floors" else str(error)
        raise BadInput(f"{name}: {said}") from None
