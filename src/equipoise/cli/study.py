"""`equipoise study run STUDY`: one file, the whole path from people to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    say,
    say_json,
    table,
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
    from equipoise.study import run_study

    folder = out or Path("out") / study.stem
    result = run_study(study, folder, seed=settings.seed, progress=settings.progress())
    if settings.json:
        say_json(result)
    else:
        say(_text(result, folder))


def _text(result: dict[str, Any], folder: Path) -> str:
    rows = [
        (
            row["group"],
            f"{row['share']:.3f}",
            f"{row['coverage']:.4f}",
            f"{row['top_weight']:.4f}",
            f"{row['margin']:+.3g}",
            f"{row['margin_low']:+.3g} to {row['margin_high']:+.3g}",
            row["verdict"],
        )
        for row in result["exclusion"]
    ]
    level = f"{result['uncertainty']['level']:.0%}"
    head = ("group", "share", "coverage", "top weight", "margin", level, "verdict")
    return "\n".join(
        [
            table(result["title"], head, rows),
            "",
            f"The report is {folder / 'report.html'}: open it in a browser.",
        ]
    )
