"""`equipoise schema game|study`: the JSON Schema of a file, for editors and other programs."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json
from equipoise.errors import BadInput, nearest

__all__ = ["schema"]


def schema(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="game or study.")],
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
            raise BadInput("schema: a plan has no schema in this version; write game or study")
        case _:
            raise BadInput(f'schema: there is no "{kind}"; {nearest(kind, ["game", "study"])}')
    if settings.json:
        say_json(data)
    else:
        say(json_module.dumps(data, indent=2, ensure_ascii=False))
