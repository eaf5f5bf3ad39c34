"""From a file's columns to a `Panel`: one path for the bundled surveys and for a user's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.groups import Groups
from equipoise.panels.answers import AnswerTable
from equipoise.panels.coding import (
    DONT_KNOW_LABEL,
    CodedColumn,
    DontKnow,
    RawTable,
    Recode,
    code_column,
    numbers,
)
from equipoise.panels.design import LonelyPsu, SurveyDesign
from equipoise.panels.grouping import Cells, SmallCells, group_cells
from equipoise.panels.panel import Panel
from equipoise.panels.respondents import Respondents

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["About", "Layout", "build_panel"]

FloatArray = NDArray[np.float64]
Bool = NDArray[np.bool_]

MIN_ANSWERS = 2


@final
@dataclass(frozen=True)
class About:
    """Where a panel comes from."""

    name: str
    title: str
    source: str
    licence: str
    citation: str


@final
@dataclass(frozen=True)
class Layout:
    """Which column is what, and what to do with codes and small cells; see `read_panel`."""

    group: tuple[str, ...]
    questions: tuple[str, ...]
    weight: str | None = None
    strata: str | None = None
    cluster: str | None = None
    ratings: Mapping[str, str] = field(default_factory=dict)
    missing: Sequence[Any] = ()
    dont_know: DontKnow = "missing"
    dont_know_codes: Sequence[Any] = ()
    min_cell: int = 10
    small_cells: SmallCells = "refuse"
    order: Sequence[str] = ()
    lonely_psu: LonelyPsu = "refuse"
    group_cuts: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    option_labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    wording: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `BadInput` for what is wrong before any file is read."""
        if not self.group:
            raise BadInput(
                "group: no column is named; write the column (or columns) that make groups"
            )
        if not self.questions:
            raise BadInput("questions: the list is empty; name at least one question column")
        for role, names in (("group", self.group), ("questions", self.questions)):
            twice = [c for c, k in Counter(names).items() if k > 1]
            if twice:
                raise BadInput(f'{role}: "{twice[0]}" stands twice; name every column once')
        both = set(self.group) & set(self.questions)
        if both:
            raise BadInput(
                f'questions: "{min(both)}" already makes the groups; leave it out of the questions'
            )
        if self.dont_know not in ("missing", "option"):
            raise BadInput(
                f'dont_know: "{self.dont_know}" is not known; write "missing" or "option"'
            )


def build_panel(table: RawTable, layout: Layout, about: About) -> Panel:
    """Build a panel; every rule of `read_panel` is applied here.

    Raises
    ------
    BadInput
        Everything `read_panel` lists except what concerns the file itself.
    """
    layout.check()
    dropped: Counter[str] = Counter()
    cells = _groups(table, layout, dropped)
    weights, keep = _weights(table, layout, cells.group >= 0, dropped)
    people = cells.group[keep]
    _refuse_emptied(people, cells, layout)
    kept, used = _only(table, keep), people >= 0
    answering = _only(kept, used)
    coded = _questions(answering, layout, dropped)
    strata, cluster = (_design_column(kept, c, r) for c, r in _design_roles(layout))
    design = SurveyDesign(
        weights[keep],
        strata,
        () if cluster is None else (cluster,),
        lonely_psu=layout.lonely_psu,
    )
    ratings = {target: np.full(used.size, np.nan) for target in layout.ratings}
    for target, column in layout.ratings.items():
        ratings[target][used] = _rating(answering, column, people[used], cells, layout)
    codes = np.full((used.size, len(coded)), -1)
    codes[used] = np.stack([c.codes for c in coded], axis=1)
    rows = Respondents(people, codes, [len(c.options) for c in coded], design, ratings)
    tallies = rows.tallies()
    n = rows.counts()[1]
    _refuse_empty_cells(n, cells.labels, layout.questions)
    wording = {q: layout.wording.get(q) or table.wording.get(q) or q for q in layout.questions}
    return Panel(
        about.name,
        about.title,
        Groups(dict(zip(cells.labels, tallies.group_shares.tolist(), strict=True))),
        rows.n,
        AnswerTable(
            cells.labels,
            layout.questions,
            tuple(c.options for c in coded),
            tuple(wording[q] for q in layout.questions),
            tallies.shares,
            n,
            tallies.n_eff,
        ),
        about.source,
        about.licence,
        about.citation,
        MappingProxyType(dict(dropped)),
        layout.weight is not None,
        rows,
        merged=cells.merged,
    )


def _groups(table: RawTable, layout: Layout, dropped: Counter[str]) -> Cells:
    if len(table.frame) == 0:
        raise BadInput("the file has column names but no row; give the file with the answers")
    columns = [
        code_column(table, c, "group", Recode(layout.missing, cuts=layout.group_cuts.get(c)))
        for c in layout.group
    ]
    for column in columns:
        dropped.update({f"group {why}": k for why, k in column.dropped.items()})
    return group_cells(
        columns,
        min_cell=layout.min_cell,
        small_cells=layout.small_cells,
        order=layout.order,
    )


def _weights(
    table: RawTable, layout: Layout, grouped: Bool, dropped: Counter[str]
) -> tuple[FloatArray, Bool]:
    """Return weights and whose row is kept: a positive weight, and in a group.

    Under strata or clusters people without a group are kept too: the groups are a domain of
    the whole design, whose clusters all take part in the standard error.
    """
    designed = layout.strata is not None or layout.cluster is not None
    if layout.weight is None:
        return np.ones(grouped.size), grouped | designed
    w = numbers(table, layout.weight, "weight")
    name = layout.weight
    used = w[grouped]
    if np.isnan(used).any() or np.isinf(used).any():
        k = int((~np.isfinite(used)).sum())
        raise BadInput(
            f'weight: "{name}" is blank or not finite for {k} respondents; fill it in or drop them'
        )
    if (used < 0.0).any():
        k = int((used < 0.0).sum())
        raise BadInput(
            f'weight: "{name}" is negative for {k} respondents; choose the weight column'
        )
    zero = grouped & (w == 0.0)
    if zero.any():
        dropped[f"weight {name}: zero"] += int(zero.sum())
    if not (grouped & (w > 0.0)).any():
        raise BadInput(f'weight: "{name}" is zero for everybody; choose another column')
    return w, (grouped | designed) & (w > 0.0) & np.isfinite(w)


def _refuse_emptied(group: NDArray[np.int64], cells: Cells, layout: Layout) -> None:
    n = np.bincount(group[group >= 0], minlength=len(cells.labels))
    if (n < MIN_ANSWERS).any():
        label = cells.labels[int(np.argmin(n))]
        raise BadInput(
            f'group: "{label}" has {int(n.min())} respondents with a positive weight; merge it '
            f'with another, or check the weights in "{layout.weight}"'
        )


def _questions(table: RawTable, layout: Layout, dropped: Counter[str]) -> list[CodedColumn]:
    coded = [
        code_column(
            table,
            name,
            "questions",
            Recode(
                layout.missing,
                layout.dont_know,
                layout.dont_know_codes,
                layout.option_labels.get(name),
            ),
        )
        for name in layout.questions
    ]
    for column in coded:
        dropped.update({f"answer {why}": k for why, k in column.dropped.items()})
    if layout.dont_know == "option" and not any(DONT_KNOW_LABEL in c.options for c in coded):
        raise BadInput(
            'dont_know: "option" was asked for, but no answer says that it is a don\'t-know; name '
            'its codes in `dont_know_codes` ("" is a blank)'
        )
    return coded


def _refuse_empty_cells(
    n: NDArray[np.int64], labels: tuple[str, ...], questions: tuple[str, ...]
) -> None:
    """All pairs of groups must average the same questions, so no cell may be empty."""
    if (n >= MIN_ANSWERS).all():
        return
    k, q = np.unravel_index(int(np.argmin(n)), n.shape)
    answers = "no answer" if n[k, q] == 0 else "a single answer"
    raise BadInput(
        f'questions: the group "{labels[k]}" gave {answers} to "{questions[q]}"; leave the '
        "question out, or merge the group with another"
    )


def _design_roles(layout: Layout) -> list[tuple[str | None, str]]:
    return [(layout.strata, "strata"), (layout.cluster, "cluster")]


def _design_column(table: RawTable, name: str | None, role: str) -> NDArray[np.intp] | None:
    import pandas as pd

    if name is None:
        return None
    codes = pd.factorize(table.column(name, role), use_na_sentinel=True)[0]
    if (codes < 0).any():
        k = int((codes < 0).sum())
        raise BadInput(f'{role}: "{name}" is blank for {k} respondents; fill it in or drop them')
    return codes.astype(np.intp)


def _rating(
    table: RawTable, column: str, group: NDArray[np.int64], cells: Cells, layout: Layout
) -> FloatArray:
    scores = numbers(table, column, "ratings", [*layout.missing, *layout.dont_know_codes])
    for k, label in enumerate(cells.labels):
        if np.isfinite(scores[group == k]).sum() < MIN_ANSWERS:
            raise BadInput(
                f'ratings: fewer than two people of "{label}" rated "{column}"; leave the '
                "rating out"
            )
    return scores


def _only(table: RawTable, keep: Bool) -> RawTable:
    frame: pd.DataFrame = table.frame.loc[keep]
    return RawTable(frame, table.labels, table.wording, table.is_missing)
