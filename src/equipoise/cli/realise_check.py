"""`equipoise realise check FOLDER`: do the mixers give the mixture that was meant?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from equipoise.realise.check import Checked

__all__ = ["check"]

WIDE = 0.5


def check(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with realisation.toml and laws.json.")],
    *,
    targets: Annotated[int, typer.Option(min=1, help="Random mixtures.")] = 20,
    sheets: Annotated[int, typer.Option(min=1, help="Questionnaires a mixture and route.")] = 100,
    route: Annotated[
        list[str] | None,
        typer.Option(
            help="routing, bayes, geometric, interpolation or persona routing; may be repeated "
            "[default: all that the folder can do]."
        ),
    ] = None,
    interpolated: Annotated[
        int, typer.Option(min=1, help="At most so many mixtures through interpolation: dear.")
    ] = 5,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the options a question.")] = 6,
    every_question: Annotated[
        bool, typer.Option("--every-question", help="Also questions that were not taught.")
    ] = False,
    sampled: Annotated[
        bool,
        typer.Option("--sampled", help="Let the models write every answer of routing: slow."),
    ] = False,
    recorded: Annotated[
        bool,
        typer.Option("--recorded", help="Start no model: take the laws measured by the training."),
    ] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: all cores.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw every interval to FILE, .png or .svg.")
    ] = None,
    people: Annotated[
        bool, typer.Option("--people", help="In the figure: audited against the people's laws.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    seed: SeedOption = None,
) -> None:
    """Take random mixtures through every route and audit the answers.

    Two audits: against the models' own laws (is the mixer right?) and against the people's (how
    well are people represented, and how much of the error is the models').
    """
    settings = Settings.read(context, json=json, quiet=quiet, seed=seed)
    from equipoise.realise.check import CheckSettings, check_folder
    from equipoise.realise.routes import ROUTES

    if figure is not None and figure.suffix not in (".png", ".svg"):
        raise BadInput(f"--figure: {figure} must end in .png or .svg; rename it")
    wanted = CheckSettings(
        targets=targets, sheets=sheets, routes=tuple(route or ROUTES),
        interpolated=interpolated, orders=orders,
        every_question=every_question, sampled=sampled, recorded=recorded,
        threads=threads, seed=settings.seed or 0,
    )  # fmt: skip
    found = check_folder(folder, wanted, on_step=settings.progress())
    if figure is not None:
        from equipoise.report.canvas import drawn
        from equipoise.report.files import write_whole
        from equipoise.report.realisation_plots import realisation

        image = drawn(lambda: realisation(found.fidelity, people=people), figure.suffix[1:])
        write_whole(figure, image)
        settings.note(f"written: {figure}")
    if settings.json:
        say_json(found.to_dict())
    else:
        say(_text(found))


def _text(found: Checked) -> str:
    rows, stand = found.fidelity.to_rows(), []
    mixers = []
    for row in rows:
        inside = ", ".join(f"{g} {n}" for g, n in row["inside"].items())
        if row["targets"] != found.settings.targets:
            inside += f" (of {row['targets']})"
        mixers.append((
            row["route"], inside, f"{row['jointly']}", f"{row['error']:.3f}",
            f"{row['interval']:.3f}", f"{row['distance']:.4f}", f"{row['calls']}",
        ))  # fmt: skip
        side = row.get("people")
        if side:
            stand.append((
                row["route"], f"{side['jointly']}", f"{side['error']:.3f}",
                f"{side['models_error']:.3f}", f"{side['distance']:.4f}",
                f"{side['models_distance']:.4f}",
            ))  # fmt: skip
    n = found.settings.targets
    lines = [
        table(
            f"Against the models' own laws: {n} targets, {found.settings.sheets} sheets of "
            f"{len(found.questions)} questions each",
            ("route", f"inside, of {n}", "jointly", "mean error", "interval", "distance", "calls"),
            mixers, left=2,
        ),
        "",
        "inside: targets whose weight lies in its 95 % interval; distance: mean total variation "
        "between the route's answers and the target mixture; calls: model calls a token.",
    ]  # fmt: skip
    if max(row["interval"] for row in rows) > WIDE:
        lines.append(
            f"An interval wider than {WIDE:g} says little; raise --sheets, or the groups' models "
            "answer too much alike."
        )
    if stand:
        lines += [
            "",
            table(
                "Against the people's laws",
                ("route", "jointly", "mean error", "of it the models'", "distance",
                 "of it the models'"), stand,
            ),
        ]  # fmt: skip
    for route in found.left_out:
        lines.append(f"{route} needs adapters and a running model; left out.")
    lines.append(f"{found.calls:,} model calls, {found.tokens:,} tokens.")
    return "\n".join(lines)
