"""`equipoise map GAME --x … --y …`: who is excluded over two or three incentives."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.engine_options import (
    AddressOption,
    EngineOption,
    EngineSettings,
    ResumeOption,
    keeping,
)
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    say,
    say_json,
    table,
)
from equipoise.errors import BadInput, MissingExtra

if TYPE_CHECKING:
    from equipoise.engine import Engine
    from equipoise.game.alignment_game import AlignmentGame
    from equipoise.inclusion.map_result import PhaseMap

__all__ = ["map_"]

MANY_CELLS = 2000
"""From here on cells of agents that differ are solved by all cores, if no engine is named."""


def map_(
    context: typer.Context,
    game: Annotated[Path, typer.Argument(help="A game file, .json or .toml.")],
    *,
    x: Annotated[
        str,
        typer.Option(
            "--x",
            help="NAME=start:stop:points, both ends in. NAME is attractiveness, consistency, "
            "diversity, variety, share:GROUP, value:GROUP or anchor:GROUP.",
        ),
    ],
    y: Annotated[str, typer.Option("--y", help="The other axis, in the same form.")],
    z: Annotated[str | None, typer.Option("--z", help="A third axis: one plane a value.")] = None,
    below: Annotated[
        float,
        typer.Option(
            help="A group is excluded when its top weight is below this; 0: when nobody serves it."
        ),
    ] = 0.0,
    refine: Annotated[
        int,
        typer.Option(
            min=0, help="Agents that differ: start 2^N times coarser, refine where sets change."
        ),
    ] = 0,
    draws: Annotated[
        bool, typer.Option("--draws", help="Map every joint draw of the game file, too.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of arrays, table and figure [default: out/NAME-map]."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
    engine: EngineOption = None,
    address: AddressOption = None,
    resume: ResumeOption = False,
) -> int:
    """Say over a grid of incentives which groups are excluded, every cell an equilibrium.

    A weight replaces a common weight and scales weights per agent to that mean. A share changes
    the public only, so agents answer to it only through audience share. Exit code 1 when some
    cell was not certified. Agents that differ, and draws, are mapped in chunks: an interrupted
    map goes on with --resume, and files are the same with every engine.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    where = EngineSettings.read(context, engine=engine, address=address, resume=resume)
    runs_on = where.engine()
    if not 0 <= below < 1:
        raise BadInput(f"--below: got {below:g}; write a weight from 0 up to 1, e.g. 0.02")
    from equipoise.game.gamefile import load_draws, load_game
    from equipoise.inclusion.phase_map import phase_map
    from equipoise.report.files import make_folder, write_whole
    from equipoise.report.map_files import cells_csv

    loaded = load_game(game)
    drawn = load_draws(game) if draws else None
    if draws and not drawn:
        raise BadInput(f"--draws: {game} has no draws; add them to the file, or leave --draws out")
    folder = out or Path("out") / f"{game.stem}-map"
    runs_on = runs_on or _workers(loaded, [x, y, z], refine)
    with keeping(folder, _key(game, x, y, z, refine), resume=where.resume) as store:
        found = phase_map(
            loaded, x, y, z, below=below, draws=drawn, refine=refine,
            progress=settings.progress(), engine=runs_on, store=store,
        )  # fmt: skip
    make_folder(folder)
    arrays, rows, figure = folder / "map.npz", folder / "map.csv", folder / "map.png"
    write_whole(arrays, found.to_npz())
    write_whole(rows, cells_csv(found).encode())
    drawing: Path | None = figure
    try:
        from equipoise.report.map_plots import map_figure

        write_whole(figure, map_figure(found))
    except MissingExtra as error:
        drawing = None
        settings.note(str(error))
    answer = _answer(found, arrays, rows, drawing)
    if settings.json:
        say_json(answer)
    else:
        say(_text(found, answer))
    return 0 if answer["status"]["failed"] == 0 else 1


def _workers(game: AlignmentGame, axes: list[str | None], refine: int) -> Engine | None:
    """Return workers of this machine where starting them costs less than they save."""
    from equipoise.engine import Local
    from equipoise.inclusion.map_axes import axis
    from equipoise.inclusion.map_cells import family

    cells = math.prod(len(axis(one)) for one in axes if one is not None)
    return Local() if refine == 0 and cells >= MANY_CELLS and family(game) is None else None


def _key(game: Path, *asked: object) -> str:
    """Return the folder name of a map's chunks; what a chunk is, its own name says."""
    return hashlib.sha256(repr((game.name, *asked)).encode()).hexdigest()[:12]


def _answer(found: PhaseMap, arrays: Path, rows: Path, figure: Path | None) -> dict[str, Any]:
    """Return the JSON object of `map`; its keys are a contract (design section 4)."""
    summary = found.summary()
    answer = {
        "axes": [
            {
                "name": one.name,
                "start": float(one.values[0]),
                "stop": float(one.values[-1]),
                "points": len(one),
            }
            for one in found.axes
        ],
        "groups": list(found.groups),
        "below": found.below,
        "cells": found.cells,
        "certified": found.certified,
        "status": summary["status"],
        "max_relative_gap": found.max_relative_gap,
        "any_excluded": summary["any"].to_dict(),
        "excluded_share": {label: e.to_dict() for label, e in summary["groups"].items()},
        "draws": None,
        "boundaries": sorted({curve.group for curve in found.boundaries}),
        "notes": list(found.notes),
        "seconds": round(found.seconds, 3),
        "arrays": str(arrays),
        "csv": str(rows),
        "figure": None if figure is None else str(figure),
    }
    if found.drawn is not None:
        answer["draws"] = {
            "count": found.drawn.count,
            "max_relative_gap": found.drawn.max_relative_gap,
            "failed": found.drawn.failed,
        }
    return answer


def _text(found: PhaseMap, answer: dict[str, Any]) -> str:
    summary = found.summary()
    rows = [
        (label, f"{e.value:.1%}", f"{e.low:.1%} to {e.high:.1%}" if found.drawn else "")
        for label, e in [("any group", summary["any"]), *summary["groups"].items()]
    ]
    sides = " × ".join(f"{one.name} ({len(one)})" for one in found.axes)
    lines = [
        table(f"Share of the map on which a group is excluded: {sides}",
              ("group", "share of the map", "95 % of draws"), rows),
        "",
        f"{found.certified} of {found.cells} cells certified, largest relative gap "
        f"{found.max_relative_gap:.1e}; {found.seconds:.2g} s.",
    ]  # fmt: skip
    if found.status.any():
        counts = {name: n for name, n in summary["status"].items() if n and name != "unique"}
        lines += [f"{n} cells: {_sentence(name)}." for name, n in counts.items()]
    lines += found.notes[:-1]
    lines += [f"written: {answer[key]}" for key in ("arrays", "csv", "figure") if answer[key]]
    return "\n".join(lines)


def _sentence(name: str) -> str:
    from equipoise.inclusion.map_status import Status

    return Status[name].sentence
