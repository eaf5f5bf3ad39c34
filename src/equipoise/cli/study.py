"""`equipoise study run STUDY`: one file, the whole path from people to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    part,
    say,
    say_json,
)
from equipoise.errors import BadInput

__all__ = ["run"]


def run(
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="A study file, .toml.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results [default: out/<name>].")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> None:
    """Run a study; what was done before in the same folder is not done again."""
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    if not study.is_file():
        raise BadInput(f"{study}: there is no such file; start with: equipoise new study {study}")
    run_study = part("equipoise.study", "run_study")
    folder = out or Path("out") / study.stem
    run_study(study, folder, seed=settings.seed, progress=settings.note)
    if settings.json:
        say_json({"study": str(study), "out": str(folder)})
    else:
        say(f"The results are in {folder}.")
