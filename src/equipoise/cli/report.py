"""`equipoise report DIR`: write the page of a finished study again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json
from equipoise.errors import BadInput

__all__ = ["report"]


def report(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="The folder of a finished study.")],
    *,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the HTML report of a study from its results."""
    settings = Settings.read(context, json=json, quiet=quiet)
    if not directory.is_dir():
        raise BadInput(f"{directory}: there is no such folder; run the study first")
    from equipoise.report.page import write_report

    page = write_report(directory)
    if settings.json:
        say_json({"report": str(page)})
    else:
        say(f"The report is {page}: open it in a browser.")
