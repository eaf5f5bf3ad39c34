"""The `[[map]]` tables of a study: maps of its game and its joint draws, and their few numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import Engine
from equipoise.estimate import Estimate
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile_sections import at_field
from equipoise.inclusion.map_axes import Axis, axis, check_axes
from equipoise.inclusion.map_first import first_out
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.phase_map import phase_map
from equipoise.report.files import make_folder, write_whole
from equipoise.study.drawn_file import FileSource
from equipoise.study.file_models import MapTable, StudyModel
from equipoise.study.people import PanelSource
from equipoise.study.workspace import Workspace

__all__ = ["check_maps", "make_maps"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]
Progress = Callable[[int, int, str], None]
Source = PanelSource | FileSource


def check_maps(study: StudyModel, source: Source) -> None:
    """Refuse axes that set something the study's game does not have."""
    for number, table in enumerate(study.map, start=1):
        with at_field(f"[[map]] {number}"):
            check_axes(_game(table, source), _axes(table))


def make_maps(
    study: StudyModel,
    source: Source,
    drawn: Chunk | None,
    workspace: Workspace,
    out: Path,
    *,
    engine: Engine | None,
    tell: Progress,
) -> list[dict[str, Any]]:
    """Make every map of a study, write its arrays, and return what `result.json` says of it.

    Parameters
    ----------
    study, source : as of `make_result`
    drawn : dict of arrays or None
        All joint draws of the study.
    workspace : Workspace
        Keeps finished chunks, so that a killed study goes on.
    out : Path
        The folder of the results; arrays go to `arrays/map_N.npz` in it.
    engine : Local, Ray or None
    tell : callable (done, total, what)
    """
    rows = []
    for number, table in enumerate(study.map, start=1):
        name = f"map_{number}"
        with at_field(f"[[map]] {number}"):
            found = _made(table, source, drawn, workspace, name, engine, tell)
        content = found.to_npz()
        write_whole(make_folder(out / "arrays") / f"{name}.npz", content)
        digest = hashlib.sha256(content).hexdigest()
        rows.append({"name": name, **_row(found, study.uncertainty.level), "sha256": digest})
    return rows


def _axes(table: MapTable) -> list[Axis]:
    return [axis(text) for text in (table.x, table.y, table.z) if text is not None]


def _game(table: MapTable, source: Source) -> AlignmentGame:
    kinds = [one.kind for one in _axes(table)]
    return source.map_game(diversity="diversity" in kinds)


def _made(
    table: MapTable,
    source: Source,
    drawn: Chunk | None,
    workspace: Workspace,
    name: str,
    engine: Engine | None,
    tell: Progress,
) -> PhaseMap:
    game = _game(table, source)
    draws = None
    if drawn is not None and table.draws != 0:
        draws = {key: a[: table.draws] for key, a in source.map_draws(drawn, game).items()}
    spoken = name.replace("_", " ")
    tell(0, 0, spoken)
    return phase_map(
        game, *_axes(table),
        below=source.study.exclusion.below,
        draws=draws,
        refine=table.refine,
        progress=lambda done, total, what: tell(done, total, f"{what} of {spoken}"),
        engine=engine,
        store=workspace.store_of(name),
    )  # fmt: skip


def _row(found: PhaseMap, level: float) -> dict[str, Any]:
    """Return the few numbers of a map, as plain JSON values."""
    said = found.summary(level)
    first, surely = first_out(found), found.surely
    drawn = found.drawn
    return {
        "axes": [
            {"name": one.name, "start": float(one.values[0]), "stop": float(one.values[-1]),
             "points": len(one)}
            for one in found.axes
        ],
        "below": found.below,
        "cells": found.cells,
        "certified": found.certified,
        "status": said["status"],
        "max_relative_gap": found.max_relative_gap,
        "any": {
            **_estimate(said["any"]),
            "surely": None if surely is None else float((surely == 1).any(axis=-1).mean()),
        },
        "groups": [
            {
                "group": label,
                **_estimate(said["groups"][label]),
                "surely": None if surely is None else float((surely[..., k] == 1).mean()),
                "undecided": None if surely is None else float((surely[..., k] == 0).mean()),
            }
            for k, label in enumerate(found.groups)
        ],
        "first": {
            "axis": first.axis,
            "rising": first.rising,
            "lines": first.lines,
            "begun": first.begun,
            "dropped": first.dropped,
            "groups": [
                {"group": label, "lines": lines, "least": low, "most": high}
                for label, lines, low, high in first.groups
            ],
        },
        "draws": 0 if drawn is None else drawn.count,
        "drawn_max_relative_gap": None if drawn is None else drawn.max_relative_gap,
        "drawn_failed": 0 if drawn is None else drawn.failed,
        "boundaries": sorted({curve.group for curve in found.boundaries}),
        "notes": list(found.notes),
    }  # fmt: skip


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"share": one.value, "low": one.low, "high": one.high}
