"""Who belongs to which group: columns crossed, small cells merged or refused.

A cell is a combination of levels of the group columns; empty combinations do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, nearest
from equipoise.panels.coding import CodedColumn

__all__ = ["Cells", "Merged", "SmallCells", "group_cells"]

SmallCells = Literal["merge", "refuse"]

MAX_GROUPS = 60


@final
@dataclass(frozen=True)
class Merged:
    """A group that had too few respondents, and where they went.

    Parameters
    ----------
    group, into : str
        Label of the small group, and of the one it was merged into, as that was then.
    n, least : int
        Its respondents, and how many a group needs.
    """

    group: str
    n: int
    into: str
    least: int


@final
@dataclass(frozen=True)
class Cells:
    """Group of each respondent (-1: none), labels in natural order, what was merged."""

    group: NDArray[np.int64]
    labels: tuple[str, ...]
    merged: tuple[Merged, ...]


def group_cells(
    columns: Sequence[CodedColumn],
    *,
    min_cell: int,
    small_cells: SmallCells,
    order: Sequence[str] = (),
) -> Cells:
    """Cross the columns and see to it that every cell has at least `min_cell` people.

    Parameters
    ----------
    columns : sequence of CodedColumn
        One or several; a person who misses one belongs to no group.
    min_cell : int
        Fewest respondents of a group, at least 2.
    small_cells : "refuse" or "merge"
        Refuse a smaller cell, or merge the smallest one, again and again, with its nearest:
        the smaller neighbour in the order where the only column is ordered; otherwise the
        smallest cell that shares the most leading levels.
    order : sequence of str
        Labels in the order wanted; default: as the file orders the levels.

    Returns
    -------
    Cells.

    Raises
    ------
    BadInput
        A cell is too small under "refuse", fewer than two groups or more than 60 remain.
    """
    if min_cell < 2:
        raise BadInput(f"min_cell: got {min_cell}; a group needs at least 2 respondents, write 10")
    if small_cells not in ("merge", "refuse"):
        raise BadInput(f'small_cells: "{small_cells}" is not known; write "merge" or "refuse"')
    stacked = np.stack([c.codes for c in columns], axis=1)
    known = np.asarray((stacked >= 0).all(axis=1))
    if not known.any():
        raise BadInput("group: nobody has a value in every group column; choose other columns")
    keys, inverse = np.unique(stacked[known], axis=0, return_inverse=True)
    sizes = np.bincount(inverse.ravel())
    sets: list[list[int]] = [[i] for i in range(len(keys))]
    names = [" / ".join(c.options[v] for c, v in zip(columns, key, strict=True)) for key in keys]
    ordered = len(columns) == 1 and columns[0].ordered
    merged: list[Merged] = []
    while True:
        n = np.array([sizes[s].sum() for s in sets])
        small = int(np.argmin(n))
        if n[small] >= min_cell:
            break
        if small_cells == "refuse":
            raise BadInput(_too_small(names[sets[small][0]], int(n[small]), min_cell))
        if len(sets) == 1:
            break
        other = _nearest(small, sets, n, keys, ordered)
        merged.append(
            Merged(_label(sets[small], names), int(n[small]), _label(sets[other], names), min_cell)
        )
        sets[min(small, other)] = sorted(sets[small] + sets[other])
        del sets[max(small, other)]
    return _finish(known, inverse.ravel(), sets, names, merged, order)


def _finish(
    known: NDArray[np.bool_],
    inverse: NDArray[np.intp],
    sets: list[list[int]],
    names: list[str],
    merged: list[Merged],
    order: Sequence[str],
) -> Cells:
    labels = [_label(s, names) for s in sets]
    if len(sets) < 2:
        raise BadInput(
            f'group: there is only one group, "{labels[0]}"; choose a column with at least two '
            "levels of `min_cell` people each"
        )
    if len(sets) > MAX_GROUPS:
        raise BadInput(
            f"group: the columns make {len(sets)} groups, more than {MAX_GROUPS}; cross fewer "
            'columns, or raise `min_cell` with small_cells = "merge"'
        )
    place = _places(labels, order)
    of_key = np.empty(len(names), dtype=np.int64)
    for s, p in zip(sets, place, strict=True):
        of_key[s] = p
    group = np.full(known.size, -1, dtype=np.int64)
    group[known] = of_key[inverse]
    return Cells(group, tuple(labels[i] for i in np.argsort(place)), tuple(merged))


def _places(labels: list[str], order: Sequence[str]) -> list[int]:
    if not order:
        return list(range(len(labels)))
    wanted = [str(o) for o in order]
    for label in wanted:
        if label not in labels:
            raise BadInput(f'order: there is no group "{label}"; {nearest(label, labels)}')
    for label in labels:
        if wanted.count(label) != 1:
            raise BadInput(f'order: the group "{label}" must stand in it once; list every group')
    return [wanted.index(label) for label in labels]


def _nearest(
    small: int, sets: list[list[int]], n: NDArray[np.int64], keys: NDArray[np.int64], ordered: bool
) -> int:
    others = [i for i in range(len(sets)) if i != small]
    if ordered:
        others = [i for i in (small - 1, small + 1) if 0 <= i < len(sets)]

    def distance(i: int) -> tuple[int, int]:
        shared = max(_shared(keys[a], keys[b]) for a in sets[small] for b in sets[i])
        return -shared, int(n[i])

    return min(others, key=distance)


def _shared(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """How many leading levels two cells share."""
    differ = np.flatnonzero(a != b)
    return int(differ[0]) if differ.size else len(a)


def _label(members: list[int], names: list[str]) -> str:
    return " + ".join(names[i] for i in members)


def _too_small(name: str, n: int, min_cell: int) -> str:
    people = "1 respondent" if n == 1 else f"{n} respondents"
    return (
        f'group: "{name}" has {people}, fewer than min_cell = {min_cell}; write small_cells = '
        '"merge", lower `min_cell`, or list the code under `missing`'
    )
