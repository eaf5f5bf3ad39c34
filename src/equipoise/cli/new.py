"""`equipoise new game|study FILE`: a commented file to start from."""

from __future__ import annotations

import json as json_module
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json
from equipoise.errors import BadInput

__all__ = ["game", "study"]

GAME_TOML = """\
# A game file of equipoise. Solve it with: equipoise solve FILE
# What would bring everyone in: equipoise steer FILE --share 0.5 --lever all
# Its keys: equipoise schema game

# Who plays: labels, a number (agents = 1000), or types with counts (a table, [agents]).
agents = ["model-a", "model-b"]

# Human groups and their shares of the public; shares sum to 1.
[groups]
urban = 0.50
suburban = 0.35
rural = 0.15

# How well content made for each group is received; one row, or one row per agent.
[attractiveness]
values = [0.50, 0.35, 0.15]
weight = 1.0

# The mixture each agent is held to; form = "quadratic" or "kl".
[consistency]
anchor = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]
weight = 1.0
form = "quadratic"

# Cost of serving the same groups as the others; a negative weight is herding.
[diversity]
weight = 0.3

# Free text, kept and never interpreted.
[about]
source = "an invented example"
"""

GAME_JSON = {
    "groups": {"urban": 0.5, "suburban": 0.35, "rural": 0.15},
    "agents": ["model-a", "model-b"],
    "attractiveness": {"values": [0.5, 0.35, 0.15], "weight": 1.0},
    "consistency": {
        "anchor": [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]],
        "weight": 1.0,
        "form": "quadratic",
    },
    "diversity": {"weight": 0.3},
    "about": {"source": "an invented example"},
}

BUNDLED = """\
# What humans said: a panel of `equipoise panel list`.
[panel]
name = "gss2018"
# Or your own survey, in place of `name` (equipoise new study FILE --file survey.csv fills it in):
# file = "survey.csv"                  # beside this file; also .parquet, .sav, .dta
# group = ["party"]                    # who belongs together; several columns are crossed
# questions = ["taxes", "climate"]     # columns with answers; compared as categories
# weight = "weight"                    # survey weights; also strata, cluster
# missing = [-9, -8]                   # codes that mean no answer
# small_cells = "merge"                # merge a group under min_cell = 10 people; else "refuse"
"""

STUDY_TOML = f"""\
# A study file of equipoise. Run it with: equipoise study run FILE --out DIR
# Its keys: docs/study-file.md, or equipoise schema study

{BUNDLED}
# The game made of it. `per` is "all" (one game over all questions) or "question".
[game]
agents = ["model-a", "model-b"]
attractiveness = 10.0
consistency = 1.0
diversity = 0.0
anchor = "uniform"
kernel = "panel"
per = "all"

[solve]
tol = 1e-9
seed = 0

# Verdicts come from joint bootstrap draws of the respondents.
[uncertainty]
draws = 1000
level = 0.95
seed = 0

# A group is excluded when its largest weight over agents is below this (0: when it is 0).
[exclusion]
below = 0.0

# A map: who is left out when incentives change, in every joint draw. As many as you like.
# [[map]]
# x = "attractiveness=0:50:51"
# y = "diversity=0:5:21"

# A goal: the least change after which every group gets at least a tenth of the weight its size
# would bring it, in 95 % of the draws; "all" tries every lever alone. As many as you like.
# [[steer]]
# lever = "all"                        # or prices, anchors, diversity, caps, audience, entry
# share = 0.1                          # or floor = 0.05, or floor = {{rural = 0.05}}
# sure = 0.95

# The closed loop of `equipoise simulate FILE`: agents post, these people react, agents adapt.
# [simulate]
# rounds = 4000
# learning = "mirror"                  # or "best-response", "bandit"
# plan = "steer"                       # switch on the plan of the first [[steer]] halfway

[report]
title = "Who is left out"
"""

OWN = """\
# What humans said: your own survey. CHECK the lines marked "guessed".
[panel]
file = {file}
# Its columns, and how many different values each has:
{columns}
# Who belongs together; several columns are crossed.
{group}
# Columns with answers, compared as categories.
{questions}
# Survey weights; also strata, cluster.
{weight}
# Codes that mean no answer.
{missing}
# A group under min_cell = 10 people: "refuse" stops, "merge" joins it with its nearest.
# small_cells = "merge"
"""

ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]


def game(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write: .toml (commented) or .json.")],
    *,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a small game to start from."""
    settings = Settings.read(context, json=json, quiet=quiet)
    match file.suffix.lower():
        case ".toml":
            text = GAME_TOML
        case ".json":
            text = json_module.dumps(GAME_JSON, indent=2) + "\n"
        case _:
            raise BadInput(f"{file}: a game file ends in .toml or .json; rename it")
    _write(file, text, force=force, settings=settings, then=f"equipoise solve {file}")


def study(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write: .toml.")],
    *,
    survey: Annotated[
        Path | None,
        typer.Option(
            "--file", help="Your survey (.csv, .parquet, .sav, .dta): its columns are suggested."
        ),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a commented study to start from; with --file for your own survey."""
    settings = Settings.read(context, json=json, quiet=quiet)
    if file.suffix.lower() != ".toml":
        raise BadInput(f"{file}: a study file ends in .toml; rename it")
    text, then = STUDY_TOML, f"equipoise study run {file}"
    if survey is not None:
        text = text.replace(BUNDLED, _own(survey, file.parent))
        then = f'check the lines marked "guessed", then {then}'
    _write(file, text, force=force, settings=settings, then=then)


def _own(survey: Path, folder: Path) -> str:
    """Return the `[panel]` of a survey file, with guesses for a person to check."""
    from equipoise.panels.columns import find_columns, guess

    found = find_columns(survey)
    guessed = guess(found)
    shown = [f"{_text(column.name)} ({column.levels})" for column in found]
    return OWN.format(
        file=_text(_seen_from(folder, survey)),
        columns=textwrap.fill(
            ", ".join(shown), 96, initial_indent="#   ", subsequent_indent="#   ",
            break_long_words=False, break_on_hyphens=False,
        ),
        group=_line("group", f"[{_text(guessed.group)}]", guessed.group),
        questions=_line("questions", _list(guessed.questions), guessed.questions),
        weight=_line("weight", _text(guessed.weight or "weight"), guessed.weight),
        missing=_line("missing", str(list(guessed.missing or (-9, -8))), guessed.missing),
    )  # fmt: skip


def _line(key: str, value: str, known: object) -> str:
    return f"{key} = {value}  # guessed" if known else f"# {key} = {value}"


def _list(names: Sequence[str]) -> str:
    if len(names) <= 4:
        return "[" + ", ".join(map(_text, names)) + "]"
    return "[\n" + "".join(f"    {_text(name)},\n" for name in names) + "]"


def _text(text: str) -> str:
    """Return a text as TOML."""
    return json_module.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _seen_from(folder: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return file.resolve().as_posix()


def _write(file: Path, text: str, *, force: bool, settings: Settings, then: str) -> None:
    if not file.parent.is_dir():
        raise BadInput(f"{file}: there is no folder {file.parent}; make it first")
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
    except FileExistsError:
        raise BadInput(f"{file}: it exists; choose another name, or add --force") from None
    if settings.json:
        say_json({"written": str(file)})
    else:
        say(f"Written: {file}. Next: {then}")
