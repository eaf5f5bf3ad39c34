"""`equipoise panel list` and `equipoise panel show NAME`: what humans said."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json, table

__all__ = ["list_", "show"]


def list_(context: typer.Context, *, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the survey panels that come with equipoise."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.panels.sources import list_panels

    panels = list_panels()
    if settings.json:
        say_json({"panels": panels})
        return
    keys = list(panels[0]) if panels else ["name"]
    rows = [[_short(panel.get(key, "")) for key in keys] for panel in panels]
    say(table("Panels", keys, rows))


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
    say(table(name, ("", ""), [(key, _short(value)) for key, value in summary.items()]))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_short(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
