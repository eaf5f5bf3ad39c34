"""`equipoise schema KIND`: the JSON Schema of a file, for editors and other programs."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json
from equipoise.errors import BadInput, nearest

__all__ = ["schema"]

KINDS = ("game", "study", "plan", "realisation")


def schema(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="game, study, plan or realisation.")],
    *,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Print the JSON Schema of a kind of file."""
    settings = Settings.read(context, json=json, quiet=quiet)
    match kind:
        case "game":
            from equipoise.game import gamefile

            data = gamefile.schema()
        case "study":
            from equipoise import study

            data = study.schema()
        case "plan":
            from equipoise.realise import targets

            data = targets.schema()
        case "realisation":
            from equipoise.realise import realisation_file

            data = realisation_file.schema()
        case _:
            raise BadInput(f'schema: there is no "{kind}"; {nearest(kind, KINDS)}')
    if settings.json:
        say_json(data)
    else:
        say(json_module.dumps(data, indent=2, ensure_ascii=False))
