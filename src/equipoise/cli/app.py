"""`equipoise app [STUDY_DIR|GAME]`: the dashboard, in the browser, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json

__all__ = ["app"]


def app(
    context: typer.Context,
    what: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY_DIR|GAME]",
            help="A folder of `study run`, a study file or a game file; without it an example.",
        ),
    ] = None,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port [default: a free one].")
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open a browser; only print the address.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Move incentives and shares in the browser and see at once who is left out.

    It works offline and listens on this machine alone; Ctrl-C ends it. With --host other machines
    can reach it, and there is no password.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.app.server import serve

    def ready(address: str) -> None:
        if settings.json:
            say_json({"address": address})
        else:
            say(f"equipoise app: {address}")
        settings.note("Ctrl-C ends it.")

    serve(what, host=host, port=port, ready=ready, browser=not no_open)
    return 0
