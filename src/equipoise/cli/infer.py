"""`equipoise infer GAME --profile FILE`: from what agents do to what they want (R12b)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.certify import read_profile
from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    Settings,
    keyboard,
    one_line,
    say,
    say_json,
    table,
)
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.inclusion.inverse import Inference

__all__ = ["infer"]


def infer(
    context: typer.Context,
    game: Annotated[Path, typer.Argument(help="A game file: its terms are looked for.")],
    *,
    profile: Annotated[
        list[Path],
        typer.Option(help="Observed mixtures, as for certify; one per round, may be repeated."),
    ],
    answers: Annotated[
        int,
        typer.Option(min=0, help="Mixtures estimated from so many answers per agent; 0: exact."),
    ] = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Recover the incentives of observed mixtures, say which cannot be, test for equilibrium.

    Exit code 1 when the mixtures are no equilibrium of the game's terms, whatever their weights.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    if not profile:
        raise BadInput("--profile: give a file of observed mixtures")
    from equipoise.game.gamefile import load_game
    from equipoise.inclusion.inverse import infer as find

    loaded = load_game(game)
    found = find(loaded, [read_profile(path, loaded) for path in profile], answers=answers)
    if settings.json:
        say_json(found.to_dict())
    else:
        say(_text(found))
    return 0 if found.at_equilibrium else 1


def _text(found: Inference) -> str:
    rows = [
        (name, f"{e.value:.6g}", f"{e.low:.6g}", f"{e.high:.6g}")
        for name, e in found.ratios.items()
    ]
    said = one_line(found.words)
    lines = [said[:1].upper() + said[1:] + "."]
    if rows:
        head = ("weight", "over consistency", "low", "high")
        lines += ["", table("Identified", head, rows)]
    lines += [
        "",
        f"Total gap at the best weights: {max(0.0, found.gap):.2e} (consistency weight 1).",
    ]
    if found.p_value == found.p_value:
        lines.append(f"Test of equilibrium: p = {found.p_value:.3g}.")
    return keyboard("\n".join(lines))
