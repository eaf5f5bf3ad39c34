"""The user's own survey: a CSV, Parquet, Stata or SPSS file read into a `Panel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput
from equipoise.panels.build import About, Layout, build_panel
from equipoise.panels.coding import DontKnow
from equipoise.panels.design import LonelyPsu
from equipoise.panels.grouping import SmallCells
from equipoise.panels.panel import Panel
from equipoise.panels.readers import MAX_BYTES, read_table

__all__ = ["read_panel"]


def read_panel(
    path: str | Path,
    *,
    group: str | Sequence[str],
    questions: str | Sequence[str],
    weight: str | None = None,
    strata: str | None = None,
    cluster: str | None = None,
    ratings: str | Sequence[str] = (),
    missing: Sequence[Any] = (),
    user_missing: bool = True,
    dont_know: DontKnow = "missing",
    dont_know_codes: Sequence[Any] = (),
    min_cell: int = 10,
    small_cells: SmallCells = "refuse",
    order: Sequence[str] = (),
    lonely_psu: LonelyPsu = "refuse",
    max_bytes: int = MAX_BYTES,
) -> Panel:
    r"""Read a survey file into a panel.

    (More arguments than elsewhere in this library: they are the keys of a study's `[panel]`.)

    Parameters
    ----------
    path : str or Path
        A .csv or .tsv (UTF-8), .parquet, .sav or .zsav (SPSS) or .dta (Stata) file.
    group : column or columns
        Who belongs together; several columns are crossed, "a / b". At most 60 groups.
    questions : column or columns
        Categorical answers, at most 50 options each; every group must have answered each.
    weight : column, optional
        Survey weights, 0 or above; people of weight 0 are left out.
    strata, cluster : column, optional
        First-stage strata and clusters. Cluster ids are taken within the stratum.
    ratings : column or columns
        Scores whose means by group are wanted too (thermometers).
    missing : sequence of codes
        Values of group, question and rating columns that mean no answer; -9, -9.0 and "-9" are
        the same code.
    user_missing : bool
        Whether values that the file itself declares missing (SPSS user-missing, Stata .a-.z)
        are missing. They are listed in `Panel.dropped` with their labels.
    dont_know : "missing" or "option"
        What becomes of a don't-know in a question: left out, or an option like others. It is
        recognised by its text or value label, or listed in `dont_know_codes` ("" is a blank).
        In a group column it is always missing.
    dont_know_codes : sequence of codes
        More codes that mean don't-know.
    min_cell : int
        Fewest respondents of a group.
    small_cells : "refuse" or "merge"
        What to do with a smaller group: stop, or merge it with its nearest (the neighbour in
        an ordered column, else the smallest that shares the most leading levels), which
        `Panel.merged` tells. Nothing is lumped together unless you ask for it.
    order : sequence of group labels, optional
        The order of the groups; default: by code, by category, or alphabetical.
    lonely_psu : "refuse", "average" or "centre"
        What to do with a stratum of a single cluster, see `SurveyDesign`.
    max_bytes : int
        Largest file that is opened, in bytes.

    Returns
    -------
    Panel. It estimates the public the sample was drawn from only as well as its weights do.

    Raises
    ------
    BadInput
        One sentence that names the argument and the remedy, for anything wrong with the file,
        its columns, codes, weights or cells.
    MissingExtra
        The extra "data" is not installed.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> _ = file.write_text("area,tax,w\n" + 12 * "town,more,1\ntown,less,2\nland,less,1\n")
    >>> panel = read_panel(file, group="area", questions="tax", weight="w")
    >>> panel.groups.to_dict()
    {'land': 0.25, 'town': 0.75}
    >>> panel.appeal().round(3)
    array([0.75 , 0.583])
    """
    path = Path(path)
    roles = {
        "group": _names(group),
        "questions": _names(questions),
        "ratings": _names(ratings),
        "weight": _names(weight),
        "strata": _names(strata),
        "cluster": _names(cluster),
    }
    columns: Mapping[str, str] = {c: role for role, names in roles.items() for c in names}
    layout = Layout(
        group=roles["group"],
        questions=roles["questions"],
        weight=weight,
        strata=strata,
        cluster=cluster,
        ratings={c: c for c in roles["ratings"]},
        missing=_codes(missing, "missing"),
        dont_know=dont_know,
        dont_know_codes=_codes(dont_know_codes, "dont_know_codes"),
        min_cell=min_cell,
        small_cells=small_cells,
        order=order,
        lonely_psu=lonely_psu,
    )
    layout.check()
    table = read_table(path, columns, user_missing=user_missing, max_bytes=max_bytes)
    return build_panel(table, layout, _about(path, layout))


def _about(path: Path, layout: Layout) -> About:
    title = f"{path.name}, by {' and '.join(layout.group)}"
    return About(path.stem, title, path.name, "as given by the owner of the file", "")


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _codes(given: Sequence[Any], role: str) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadInput(f"{role}: got {given!r}; write a list of codes, e.g. [-9, -8]")
    return tuple(given)
