"""What the options of `steer` say: floors, levers, their bounds and prices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.terminal import one_line
from equipoise.errors import BadInput, nearest

if TYPE_CHECKING:
    from equipoise.game.alignment_game import AlignmentGame
    from equipoise.inclusion.lever import Lever

__all__ = [
    "LEVERS",
    "lever_names",
    "make_lever",
    "read_agreement",
    "read_bounds",
    "read_floors",
    "read_prices",
]

LEVERS = ("prices", "anchors", "diversity", "audience", "caps", "entry", "all")


def lever_names(lever: list[str] | None) -> list[str]:
    """Return the levers asked for, known ones only."""
    names = lever or ["prices"]
    for name in names:
        if name not in LEVERS:
            raise BadInput(f'--lever: there is no lever "{name}"; {nearest(name, LEVERS)}')
    if "all" in names and len(names) > 1:
        raise BadInput("--lever: all stands alone; leave the others out")
    return names


def read_floors(floor: list[str] | None, game: AlignmentGame) -> dict[str, float] | float | None:
    """Read the floors: one number for all, or GROUP=number."""
    if not floor:
        return None
    out: dict[str, float] = {}
    for text in floor:
        label, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise BadInput(
                f"--floor: got {text!r}; write a number for every group, e.g. 0.05, or e.g. "
                f"{game.groups.labels[-1]}=0.05"
            ) from None
        if not equals:
            if len(floor) > 1:
                raise BadInput("--floor: one number for all groups stands alone; name the groups")
            return value
        game.groups.index(label)
        out[label] = value
    return out


def read_agreement(path: Path) -> Any:
    """Read a square table of numbers; labels in the first row and column of a CSV are skipped."""
    import numpy as np

    from equipoise.game.gamefile_text import parse, read_text

    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"--agreement: {path}: {one_line(str(error))}") from None
    if path.suffix == ".json":
        data = parse(read_text(path), ".json")
        return data.get("agreement") if isinstance(data, dict) else data
    if path.suffix == ".csv":
        import csv

        rows = [row for row in csv.reader(read_text(path).splitlines()) if row]
        width = len(rows) - 1 if rows and not _is_number(rows[0][-1]) else len(rows)
        return [row[-width:] for row in rows[-width:]]
    raise BadInput(f"--agreement: {path} must end in .json, .npy or .csv; rename it")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_bounds(given: list[str] | None, chosen: list[str]) -> dict[str, tuple[float, float]]:
    """Read LEVER=low:high; an end that is left out is infinite."""
    out = {}
    for text in given or ():
        name, equals, span = text.partition("=")
        low, colon, high = span.partition(":")
        try:
            ends = (float(low or "-inf"), float(high or "inf"))
        except ValueError:
            colon = ""
        if not equals or not colon:
            raise BadInput(f"--bounds: got {text!r}; write LEVER=low:high, e.g. diversity=0:5")
        if name not in chosen or name in ("anchors", "entry"):
            raise BadInput(f'--bounds: "{name}" is not a lever asked for that has limits')
        out[name] = ends
    return out


def read_prices(given: list[str] | None, chosen: list[str]) -> dict[str, float]:
    """Read LEVER=number."""
    out = {}
    for text in given or ():
        name, _, number = text.partition("=")
        try:
            out[name] = float(number)
        except ValueError:
            raise BadInput(f"--price: got {text!r}; write LEVER=number, e.g. anchors=2") from None
        if name not in chosen:
            raise BadInput(f'--price: "{name}" is not a lever that was asked for')
    return out


def make_lever(
    names: list[str],
    who: list[str] | None,
    agreement: Any,
    budget: float | None,
    bounds: dict[str, tuple[float, float]],
    prices: dict[str, float],
) -> Lever:
    """Return one lever, or several together, as the options say."""
    from math import inf, isinf

    from equipoise.inclusion import levers

    made: list[Lever] = []
    for name in names:
        low, high = bounds.get(name, (-inf, inf))
        price = prices.get(name, 1.0)
        match name:
            case "prices":
                made.append(levers.Prices(high, price=price))
            case "anchors":
                made.append(levers.Anchors(who, price=price))
            case "diversity":
                ends = [None if isinf(end) else end for end in (low, high)]
                made.append(levers.DiversityWeight(*ends, price=price))
            case "caps":
                made.append(levers.AttractivenessCap(0.0 if isinf(low) else low, price=price))
            case "entry":
                made.append(levers.Entry(price=price))
            case _:
                if agreement is None:
                    raise BadInput(
                        "--lever audience: add --agreement FILE, how each group rates content "
                        "made for each (equipoise panel show --json has it)"
                    )
                limits = {"least": 0.5 if isinf(low) else low, "most": 2.0 if isinf(high) else high}
                made.append(levers.Audience(agreement, **limits, price=price))
    if who and "anchors" not in names:
        raise BadInput("--who: it says whose anchors may move; add --lever anchors")
    if len(made) == 1:
        if budget is None:
            return made[0]
        raise BadInput("--budget: it limits several levers together; add another --lever")
    return levers.Together(made, budget=inf if budget is None else budget)
