"""What was asked of the groups and what their people said: `laws.json` beside a realisation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.law_joint import law_sizes
from equipoise.measure.questions import Question

__all__ = ["LAWS", "Surveyed", "law_row", "read_surveyed"]

FloatArray = NDArray[np.float64]

LAWS = "laws.json"
"""The file in which the measured answer laws of a realisation lie."""

MOST_BYTES = 64 * 2**20
LEAST = 1e-3
"""Where the file alone says what people answered, no option is rarer than this."""

SLACK = 1e-3
"""How far a row may be from summing to 1: what rounding by hand explains."""


@final
@dataclass(frozen=True, eq=False)
class Surveyed:
    """The questions of a realisation and its people.

    Parameters
    ----------
    groups : tuple of str
        Labels.
    questions : tuple of Question
        What can be asked.
    people : AnswerLaws
        How the groups' people answered.
    sizes : (K, Q) array or None
        Effective number of people behind each law; None where only shares are known.
    trained : tuple of str
        Questions the models were taught.
    models : (K, Q, C) array or None
        What the groups' models answer, as it was measured when they were trained; NaN where the
        letters covered too little to be read.
    """

    groups: tuple[str, ...]
    questions: tuple[Question, ...]
    people: AnswerLaws
    sizes: FloatArray | None
    trained: tuple[str, ...]
    models: FloatArray | None = None

    def only(self, names: tuple[str, ...]) -> Surveyed:
        """Return the same with some of the questions, in their order."""
        kept = [q for q, one in enumerate(self.questions) if one.name in names]
        if not kept:
            raise BadInput("questions: none of them is in laws.json; leave them out to ask all")
        questions = tuple(self.questions[q] for q in kept)
        options = tuple(self.people.options[q] for q in kept)
        shares = self.people.shares[:, kept, : max(map(len, options))]
        people = AnswerLaws(self.groups, tuple(q.name for q in questions), options, shares)
        sizes = None if self.sizes is None else self.sizes[:, kept]
        models = None if self.models is None else self.models[:, kept, : shares.shape[2]]
        return Surveyed(self.groups, questions, people, sizes, self.trained, models)


def read_surveyed(path: str | Path) -> Surveyed:
    """Read a laws.json.

    Parameters
    ----------
    path : str or Path
        As `equipoise realise train` writes it. Where it names a bundled panel with the same
        groups and questions, the people behind every share are counted from that panel.

    Raises
    ------
    BadInput
        It cannot be read, or a part is missing or does not fit.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: a file of more than {MOST_BYTES:,} bytes is not read")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(
            f"{path}: it cannot be read ({error.strerror}); run equipoise realise train first"
        ) from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: it is not JSON; run equipoise realise train again") from None
    try:
        return _surveyed(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise BadInput(
            f"{path}: it needs groups, questions (key, text, options) and people (groups x "
            "questions x options); run equipoise realise train again"
        ) from None


def _surveyed(data: dict[str, Any]) -> Surveyed:
    groups = tuple(str(g) for g in data["groups"])
    questions = tuple(
        Question(str(q["key"]), (str(q["text"]),), tuple(str(o) for o in q["options"]))
        for q in data["questions"]
    )
    options = tuple(q.options for q in questions)
    laws = data.get("laws")
    names = tuple(q.name for q in questions)
    shares = _shares(data["people"], "people", groups, names, options)
    rows = None if laws is None else [laws[g] for g in groups]
    models = None if rows is None else _shares(rows, "laws", groups, names, options)
    people, sizes = AnswerLaws(groups, names, options, shares), None
    known = _panel(str(data.get("panel", "")), groups, names)
    if known is not None:
        people, sizes = known
    trained = tuple(str(q) for q in data.get("trained", names))
    return Surveyed(groups, questions, people, sizes, trained, models)


def _shares(
    nested: Any, key: str, groups: tuple[str, ...], names: tuple[str, ...],
    options: tuple[tuple[str, ...], ...],
) -> FloatArray:  # fmt: skip
    """Return nested lists as an array (K, Q, C), no option quite impossible; NaN for null."""
    if [len(rows) for rows in nested] != [len(options)] * len(groups):
        raise ValueError("shape")
    shares = np.zeros((len(groups), len(options), max(map(len, options))))
    for k, rows in enumerate(nested):
        for q, row in enumerate(rows):
            if key == "laws" and row and all(p is None for p in row):
                shares[k, q, : len(options[q])] = np.nan
                continue
            given = law_row(row, len(options[q]), f'{key}, "{groups[k]}", "{names[q]}"')
            kept = np.maximum(given, LEAST)
            shares[k, q, : len(options[q])] = kept / kept.sum()
    return shares


def law_row(given: Any, options: int, where: str) -> FloatArray:
    """Return the probabilities of one question's options; rounding in their sum is taken out.

    Raises
    ------
    BadInput
        Not so many numbers, a negative one, a sum that is not 1; the sentence begins with `where`.

    Examples
    --------
    >>> law_row([0.25, 0.75], 2, "laws").tolist()
    [0.25, 0.75]
    """
    try:
        row = np.array([float(p) for p in given])
    except (TypeError, ValueError):
        raise BadInput(
            f"{where}: it does not give a number for each of the {options} options; measure again"
        ) from None
    if row.size != options or not np.isfinite(row).all() or (row < 0.0).any():
        raise BadInput(f"{where}: write one probability >= 0 per option")
    total = float(row.sum())
    if abs(total - 1.0) > SLACK:
        raise BadInput(f"{where}: the probabilities sum to {total:.6g}, not to 1")
    return np.asarray(row / total)


def _panel(
    name: str, groups: tuple[str, ...], names: tuple[str, ...]
) -> tuple[AnswerLaws, FloatArray] | None:
    """Return the laws and sizes of a bundled panel with just these groups and questions."""
    from equipoise.errors import MissingExtra
    from equipoise.panels.sources import SOURCES, load_panel

    if name not in SOURCES:
        return None
    try:
        panel = load_panel(name, groups=len(groups))
    except (BadInput, MissingExtra):
        return None
    table = panel.answers
    if table.groups != groups or table.questions != names:
        return None
    return AnswerLaws.from_table(table), law_sizes(panel)
