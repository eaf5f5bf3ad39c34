"""The `[panel]` table of a study file: a bundled panel by name, or the user's own file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput, nearest
from equipoise.panels.files import read_panel
from equipoise.panels.panel import Panel
from equipoise.panels.sources import load_panel

__all__ = ["panel_from_table"]


def panel_from_table(table: Mapping[str, Any], folder: str | Path = ".") -> Panel:
    """Open the panel that a study's `[panel]` table describes.

    Parameters
    ----------
    table : mapping
        Either `name` and the arguments of `load_panel` (year, groups, questions, ...), or
        `file` and the arguments of `read_panel` (group, questions, weight, ...).
    folder : str or Path
        Where the study file is; a relative `file` is looked for there.

    Returns
    -------
    Panel.

    Raises
    ------
    BadInput
        Both or neither of `name` and `file`, a key that does not fit, and whatever the two
        functions refuse.

    Examples
    --------
    >>> panel_from_table({"name": "anes", "year": 1978, "groups": 3})
    <Panel anes: 2269 people, 3 groups, 2 questions>
    """
    keys = dict(table)
    if ("name" in keys) == ("file" in keys):
        raise BadInput('panel: write either name = "gss2018" or file = "mine.csv", one of the two')
    bundled = "name" in keys
    known = list(inspect.signature(load_panel if bundled else read_panel).parameters)
    known[0] = "name" if bundled else "file"
    for key, value in keys.items():
        if key not in known:
            kind = "a bundled panel" if bundled else "a panel from a file"
            raise BadInput(f'panel: {kind} has no key "{key}"; {nearest(str(key), known)}')
        _check(key, value)
    if not bundled:
        for needed in ("group", "questions"):
            if needed not in keys:
                raise BadInput(f"panel: {needed} is not given; name the column or columns")
        return read_panel(Path(folder) / keys.pop("file"), **keys)
    return load_panel(keys.pop("name"), **keys)


WHOLE = ("year", "groups", "min_cell", "max_bytes")
TEXT = ("name", "file", "weight", "strata", "cluster", "dont_know", "small_cells", "lonely_psu")
LISTS = ("missing", "dont_know_codes", "order")


def _check(key: str, value: Any) -> None:
    """Refuse a value of the wrong kind, naming the key and how to write it."""
    fine = isinstance(value, bool) if key == "user_missing" else not isinstance(value, bool)
    how = "true or false"
    if key in WHOLE:
        fine, how = fine and isinstance(value, int), "a whole number"
    elif key in TEXT:
        fine, how = isinstance(value, str), "one text"
    elif key in LISTS:
        fine, how = isinstance(value, list | tuple), "a list"
    elif key != "user_missing":
        many = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        fine, how = isinstance(value, str) or many, "a column name or a list of them"
    if not fine:
        raise BadInput(f"panel: {key} = {value!r} does not fit; write {how}")
