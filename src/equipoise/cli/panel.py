"""`equipoise panel list` and `equipoise panel show NAME`: what humans said."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from equipoise.cli.terminal import (
    JsonOption,
    QuietOption,
    Settings,
    one_line,
    say,
    say_json,
    table,
)

__all__ = ["list_", "show"]


def list_(context: typer.Context, *, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the survey panels that come with equipoise."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.panels.sources import list_panels

    panels = list_panels()
    if settings.json:
        say_json({"panels": panels})
        return
    rows = [
        (
            panel["name"],
            panel["title"],
            f"{panel['n']}",
            f"{len(panel['groups'])}",
            f"{len(panel['questions'])}",
        )
        for panel in panels
    ]
    say(table("Panels", ("name", "title", "people", "groups", "questions"), rows, left=2))
    settings.note("Licence and citation of one: equipoise panel show NAME")


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name of `panel list`.")],
    *,
    year: Annotated[int | None, typer.Option(help="The year, where a panel has several.")] = None,
    groups: Annotated[
        int | None, typer.Option(help="How many groups, where a panel offers it.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show a panel: groups, shares, questions, respondents, licence and citation."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.panels.sources import load_panel

    summary = load_panel(name, year=year, groups=groups).summary()
    if settings.json:
        say_json(summary)
        return
    say(_text(summary))


def _text(summary: dict[str, Any]) -> str:
    appeal = summary.get("appeal") or [math.nan] * len(summary["groups"])
    rows = [
        (
            label,
            f"{group['n']}",
            f"{group['share']:.3f}",
            f"{group['low']:.3f} to {group['high']:.3f}",
            f"{appeal[k]:.4f}",
        )
        for k, (label, group) in enumerate(summary["groups"].items())
    ]
    level = f"{summary['intervals']['level']:.0%}"
    lines = [
        table(summary["title"], ("group", "people", "share", level, "appeal"), rows),
        "",
        f"{summary['n']} people, {'weighted' if summary['weights'] else 'unweighted'}; "
        f"questions: {', '.join(summary['questions'])}",
    ]
    lines += [f"{key}: {summary[key]}" for key in ("source", "licence", "citation")]
    return "\n".join(one_line(line) if i > 0 else line for i, line in enumerate(lines))
