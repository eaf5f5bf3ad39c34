"""`equipoise store show|export|import`: the answers models gave, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json, table

__all__ = ["export", "import_", "show"]

StoreArgument = Annotated[Path, typer.Argument(help="A store of answers (.sqlite).")]


def show(
    context: typer.Context,
    store: StoreArgument,
    *,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show how many answers a store has, and what was spent, by label."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.store import Store

    with Store(store, read_only=True) as opened:
        count = len(opened)
        total = opened.spent()
        parts = {label: opened.spent(label) for label in opened.labels()}
    if settings.json:
        labels = {label: part.to_dict() for label, part in parts.items()}
        say_json({"answers": count, "spent": total.to_dict(), "labels": labels})
        return
    rows = [
        (
            label or "(no label)",
            f"{part.calls:,}",
            f"{sum(part.failures.values()):,}",
            f"{part.tokens:,}",
            f"{part.cost:.4f}",
            f"{part.seconds:,.1f}",
        )
        for label, part in [*parts.items(), ("all", total)]
    ]
    head = ("label", "calls", "failed", "tokens", "US$", "seconds waited")
    say(table(f"{count:,} answers", head, rows))
    for kind, n in total.failures.items():
        say(f"failed, {kind}: {n:,}")


def export(
    context: typer.Context,
    store: StoreArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where the lines of JSON go.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write all answers as lines of JSON: the same bytes however they came about."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.store import Store
    from equipoise.llm.store_lines import export_answers

    with Store(store, read_only=True) as opened:
        count = export_answers(opened, out)
    if settings.json:
        say_json({"answers": count, "out": str(out)})
    else:
        say(f"{count:,} answers written to {out}")


def import_(
    context: typer.Context,
    store: StoreArgument,
    answers: Annotated[Path, typer.Argument(help="Lines of JSON of `store export`.")],
    *,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Add exported answers to a store; those it has already stay as they are."""
    settings = Settings.read(context, json=json, quiet=quiet)
    from equipoise.llm.store import Store
    from equipoise.llm.store_lines import import_answers

    with Store(store) as opened:
        new, old = import_answers(opened, answers)
    if settings.json:
        say_json({"new": new, "known": old})
    else:
        say(f"{new:,} answers added, {old:,} were there already")
