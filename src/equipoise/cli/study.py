"""`equipoise study run STUDY`: one file, the whole path from people to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from equipoise.cli.engine_options import (
    AddressOption,
    EngineOption,
    EngineSettings,
    ResumeOption,
)
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    SeedOption,
    Settings,
    keyboard,
    one_line,
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
    engine: EngineOption = None,
    address: AddressOption = None,
    resume: ResumeOption = False,
) -> int:
    """Run a study; what was done before in the same folder is not done again.

    That needs no option: --resume changes nothing. Files are the same with every engine. Exit
    code 0 when done, also when groups are excluded; 1 when a game or a cell of a map was not
    solved or not certified; 2 when the study, its data or the folder cannot be used.
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    where = EngineSettings.read(context, engine=engine, address=address, resume=resume)
    runs_on = where.engine()
    if study.is_dir():
        raise BadInput(f"{study} is a folder; give the study file in it, a .toml")
    if not study.is_file():
        raise BadInput(f"{study}: there is no such file; start with: equipoise new study {study}")
    from equipoise.study import run_study

    folder = out or Path("out") / study.stem
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"--out: {folder} is a file; name a folder, which is made if it is absent")
    result = run_study(
        study, folder, seed=settings.seed, progress=settings.progress(), note=settings.note,
        engine=runs_on,
    )  # fmt: skip
    if settings.json:
        say_json(result)
    else:
        say(_text(result, folder))
    failed = sum(row["status"]["failed"] for row in result["maps"])
    if failed:
        settings.note(f"cells of maps without a certified equilibrium: {failed:,}")
    return 1 if failed else 0


def _text(result: dict[str, Any], folder: Path) -> str:
    from equipoise.report.in_short import other_equilibria, thresholds
    from equipoise.report.map_words import map_summary
    from equipoise.report.phrases import merges, plain
    from equipoise.report.tables import interval, named, signed

    name = named(result)
    rows = [
        (
            name(row),
            f"{row['share']:.3f}",
            f"{row['coverage']:.4f}",
            f"{row['top_weight']:.4f}",
            keyboard(signed(row["margin"])),
            keyboard(interval(row["margin_low"], row["margin_high"], signed)),
            row["verdict"],
        )
        for row in result["exclusion"]
    ]
    level = f"{100 * result['uncertainty']['level']:g} % band"
    head = ("group", "share", "coverage", "top weight", "margin", level, "verdict")
    said = [*merges(result["people"]), *thresholds(result), *other_equilibria(result)]
    said += map_summary(result)
    return "\n".join(
        [
            *(one_line(keyboard(plain(sentence)).replace("\u00a0", " ")) for sentence in said),
            *([""] if said else []),
            table(result["title"], head, rows),
            "",
            f"The report is {folder / 'report.html'}: open it in a browser.",
        ]
    )
