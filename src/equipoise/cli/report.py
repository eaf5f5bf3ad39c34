"""`equipoise report DIR`: write the page of a finished study again, and print it to a PDF."""

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
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Print it to FILE.pdf, with a browser found here.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the HTML report of a study from its results.

    With --pdf a Chromium, Chrome or Edge on this machine prints it; the
    environment variable EQUIPOISE_BROWSER may name another.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    if not directory.is_dir():
        raise BadInput(f"{directory}: there is no such folder; run the study first")
    from equipoise.report.page import write_report

    page = write_report(directory)
    if pdf is not None:
        from equipoise.report.pdf import write_pdf

        settings.note("printing")
        write_pdf(page, pdf)
    if settings.json:
        say_json({"report": str(page)} | ({"pdf": str(pdf)} if pdf else {}))
        return
    say(f"The report is {page}: open it in a browser.")
    if pdf is not None:
        say(f"The PDF is {pdf}.")
