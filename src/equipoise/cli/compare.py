"""`equipoise compare A B`: two populations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.terminal import JsonOption, QuietOption, Settings, say, say_json, table
from equipoise.errors import BadInput

if TYPE_CHECKING:
    from equipoise.estimate import Estimate
    from equipoise.inclusion.compare import Comparison

__all__ = ["compare"]

SideArgument = typer.Argument(
    help="A game file, a study (.toml), or the folder of a study's results."
)


def compare(
    context: typer.Context,
    a: Annotated[Path, SideArgument],
    b: Annotated[Path, SideArgument],
    *,
    below: Annotated[
        float, typer.Option(help="A group is excluded when its top weight is below this.")
    ] = 0.0,
    x: Annotated[
        str, typer.Option("--x", help="First axis of the map, as for `equipoise map`.")
    ] = "attractiveness=0:20:11",
    y: Annotated[str, typer.Option("--y", help="The other axis.")] = "consistency=0.5:2:4",
    map_draws: Annotated[int, typer.Option(min=0, help="So many joint draws are mapped too.")] = 40,
    no_map: Annotated[bool, typer.Option("--no-map", help="Leave the maps out.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare whom two populations leave out, with intervals of the differences.

    Of two studies measured on the same people (the same models with and without reasoning, say)
    the joint draws go together, and the interval is that of the difference itself.
    """
    settings = Settings.read(context, json=json, quiet=quiet)
    if not 0 <= below < 1:
        raise BadInput(f"--below: got {below:g}; write a weight from 0 up to 1, e.g. 0.02")
    from equipoise.inclusion.compare import compare as set_side_by_side
    from equipoise.study.sides import side_of

    first, second = side_of(a), side_of(b)
    found = set_side_by_side(
        first, second, below=below, axes=None if no_map else (x, y), map_draws=map_draws,
        progress=settings.progress(),
    )  # fmt: skip
    if settings.json:
        say_json(found.to_dict())
    else:
        say(_text(found))


def _text(found: Comparison) -> str:
    one, two = found.reports
    rows = [
        (
            group,
            one.verdicts[k].value,
            two.verdicts[k].value,
            f"{one.coverage[k]:.4f}",
            f"{two.coverage[k]:.4f}",
            _said(found.coverage[group]),
            _said(found.top_weight[group]),
        )
        for k, group in enumerate(found.groups)
    ]
    head = ("group", found.names[0], found.names[1], "coverage", "coverage",
            "difference", "in top weight")  # fmt: skip
    lines = [table(f"A: {found.names[0]}   B: {found.names[1]}", head, rows, left=3)]
    if found.maps is not None:
        shares = [one.summary()["groups"] | {"any": one.summary()["any"]} for one in found.maps]
        rows_of_map = [
            (g, f"{shares[0][g].value:.3f}", f"{shares[1][g].value:.3f}", _said(difference))
            for g, difference in found.map_share.items()
        ]
        head_of_map = ("group", "A", "B", "difference")
        lines += ["", table("Share of the map with exclusion", head_of_map, rows_of_map)]
    only = [f"only {n} excludes: {', '.join(g)}" for n, g in zip(found.names, found.only,
                                                                strict=True) if g]  # fmt: skip
    lines += ["", *(only or ["No group is surely excluded by one and surely served by the other."])]
    lines.append(
        f"differences are B − A, from {found.draws:,} joint draws".replace("\u2212", "-")
        if found.draws
        else "no joint draws on both sides: differences are those of the points"
    )
    return "\n".join(lines)


def _said(e: Estimate) -> str:
    return f"{e.value:+.4f}" + (f" ({e.low:+.4f} to {e.high:+.4f})" if e.n else "")
