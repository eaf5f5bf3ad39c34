"""Which columns a survey file has, and which of them look like groups, questions and weights.

Names, numbers of distinct values and negative codes only; guesses are for a person to check.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from equipoise.panels.readers import column_names, read_table

__all__ = ["FoundColumn", "Guess", "find_columns", "guess"]

MOST = 300
"""So many columns are looked into; the others are left for the person to add."""

FEW, OPTIONS = 12, 10
"""Most levels of a column that is suggested as group, and as question."""

WEIGHTS = re.compile(r"^(w|wt|wgt|pw|.*weight.*|.*wgt.*|wt[a-z]*\d*|.*_wt)$", re.IGNORECASE)
GROUPS = re.compile(
    r"part(y|ei)|polviews|ideolog|region|group|country|province|state|camp|age|lrscale|pid\d*$",
    re.IGNORECASE,
)
IDS = re.compile(r"^(id|.*_id|caseid|respondent|serial|year|psu|strat.*|cluster.*)$", re.IGNORECASE)
CODE = re.compile(r"^ *-[0-9]{1,4} *$")


@final
@dataclass(frozen=True)
class FoundColumn:
    """A column of a survey file.

    Parameters
    ----------
    name : str
    levels : int
        How many distinct values it has, blanks not counted.
    negative : tuple of int
        Its negative whole numbers, if it has few levels: often codes for no answer.
    """

    name: str
    levels: int
    negative: tuple[int, ...]


@final
@dataclass(frozen=True)
class Guess:
    """What the columns may be; every part may be empty."""

    group: str
    questions: tuple[str, ...]
    weight: str
    missing: tuple[int, ...]


def find_columns(path: str | Path) -> list[FoundColumn]:
    r"""Return the columns of a survey file in its order, at most 300.

    Raises
    ------
    BadInput
        The file cannot be read.
    MissingExtra
        The extra "data" is not installed.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> _ = file.write_text("area,tax\ntown,1\nland,2\nland,-9\n")
    >>> find_columns(file)
    [FoundColumn(name='area', levels=2, negative=()), FoundColumn(name='tax', levels=3,
    negative=(-9,))]
    >>> _ = file.write_text("tax\nmore\n-9\n-1.5\n")
    >>> find_columns(file)
    [FoundColumn(name='tax', levels=3, negative=(-9,))]
    """
    names = column_names(path)[:MOST]
    frame = read_table(path, dict.fromkeys(names, "file")).frame
    found = []
    for name in names:
        levels = frame[name].dropna().unique().tolist()
        whole = {code for code in map(_negative, levels) if code is not None}
        few = len(levels) <= 2 * FEW
        found.append(FoundColumn(name, len(levels), tuple(sorted(whole)) if few else ()))
    return found


def _negative(level: object) -> int | None:
    """Return a negative whole number, also one written as a text among texts."""
    if isinstance(level, str):
        return int(level) if CODE.match(level) else None
    if isinstance(level, int | float) and level == int(level) and level < 0:
        return int(level)
    return None


def guess(columns: Sequence[FoundColumn]) -> Guess:
    """Guess from names and numbers of levels what each column is.

    Examples
    --------
    >>> guess([FoundColumn("party", 3, ()), FoundColumn("tax", 4, (-9,)),
    ...        FoundColumn("weight", 90, ())])
    Guess(group='party', questions=('tax',), weight='weight', missing=(-9,))
    """
    weight = next((c.name for c in columns if WEIGHTS.match(c.name)), "")
    rest = [c for c in columns if c.name != weight and not IDS.match(c.name) and c.levels >= 2]
    groups = [c for c in rest if c.levels - len(c.negative) <= FEW]
    named = [c for c in groups if GROUPS.search(c.name)]
    group = next((c.name for c in named or groups), "")
    asked = [
        c
        for c in rest
        if c.name != group and c not in named and c.levels - len(c.negative) <= OPTIONS
    ]
    missing = sorted({code for c in asked for code in c.negative})
    return Guess(group, tuple(c.name for c in asked), weight, tuple(missing))
