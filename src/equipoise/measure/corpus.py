"""Reading a corpus of survey answers: JSONL or CSV rows to units, nothing guessed.

JSONL has one object per line with "question" and "answer"; CSV has the same two columns (long
form) or one column per question (wide form). An answer is matched to an option by its label
(spaces and capitals aside) or by the panel's code for it. What does not match is counted.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from equipoise.errors import BadInput, nearest
from equipoise.measure.units import Units
from equipoise.panels.answers import AnswerTable

__all__ = ["Corpus", "read_corpus"]

MAX_BYTES = 500_000_000
BLANKS = ("", "na", "n/a", "null", "none", "nan")

Codes = Mapping[str, Mapping[str, str]]


@final
@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus matched to a panel's questions.

    Attributes
    ----------
    units : Units
        The answers that match.
    rows : int
        Answers in the file, blanks included.
    blank : int
        Answers left empty.
    unknown_answers : mapping of text to count
        Answers that are no option of their question (the most frequent twenty).
    unknown_questions : mapping of text to count
        Questions the panel does not have (the most frequent twenty).
    unparsed : int
        All answers that are not used.
    """

    units: Units
    rows: int
    blank: int
    unknown_answers: dict[str, int]
    unknown_questions: dict[str, int]

    @property
    def unparsed(self) -> int:
        """Answers in the file that are not used."""
        return self.units.unparsed


def read_corpus(
    path: str | Path,
    table: AnswerTable,
    *,
    id_column: str | None = None,
    codes: Codes | None = None,
) -> Corpus:
    """Read a corpus and match it to the questions and options of a panel.

    Parameters
    ----------
    path : str or Path
        A .jsonl (or .ndjson) or .csv file, UTF-8.
    table : AnswerTable
        The panel's `answers`.
    id_column : str, optional
        Column (or JSONL key) that says which answers belong to one questionnaire; without it
        every answer is its own unit.
    codes : mapping of question to {code: label}, optional
        Codes that stand for options, beside their labels.

    Returns
    -------
    Corpus.

    Raises
    ------
    BadInput
        No such file, not JSONL or CSV, a row without question or answer, an id that is missing,
        no answer that matches.
    """
    path = Path(path)
    rows = _rows(path, table, id_column)
    match = _Matcher(table, codes or {})
    unit_of: dict[str, int] = {}
    unit, question, option = [], [], []
    lost: Counter[str] = Counter()
    strange: dict[str, Counter[str]] = {"answer": Counter(), "question": Counter()}
    for n, (asked, answer, name) in enumerate(rows):
        lost["rows"] += 1
        q = match.question(asked)
        if q is None:
            strange["question"][asked[:80]] += 1
            continue
        if _is_blank(answer):
            lost["blank"] += 1
            continue
        c = match.option(q, answer)
        if c is None:
            strange["answer"][str(answer)[:80]] += 1
            continue
        unit.append(unit_of.setdefault(f"{n}" if name is None else f"id {name}", len(unit_of)))
        question.append(q)
        option.append(c)
    if not unit:
        raise BadInput(_nothing(path, lost, strange, table))
    unparsed = lost["rows"] - len(unit)
    units = Units(np.array(unit), np.array(question), np.array(option), unparsed=unparsed)
    return Corpus(
        units,
        lost["rows"],
        lost["blank"],
        dict(strange["answer"].most_common(20)),
        dict(strange["question"].most_common(20)),
    )


Row = tuple[str, Any, str | None]


def _rows(path: Path, table: AnswerTable, id_column: str | None) -> Iterator[Row]:
    if path.is_dir() or not path.exists():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise BadInput(f'file: "{path}" {what}; give a .jsonl or .csv file with the answers')
    kind = path.suffix.lower()
    if kind not in (".jsonl", ".ndjson", ".csv"):
        raise BadInput(f'file: "{path.name}" ends in "{kind}"; give a .jsonl or a .csv file')
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f'file: "{path.name}" has more than {MAX_BYTES:,} bytes; split it')
    try:
        if kind == ".csv":
            yield from _csv_rows(path, table, id_column)
        else:
            yield from _jsonl_rows(path, id_column)
    except UnicodeDecodeError:
        raise BadInput(f'file: "{path.name}" is not UTF-8 text; save it as UTF-8') from None
    except csv.Error as error:
        raise BadInput(
            f'file: "{path.name}" cannot be read as CSV ({error}); save it again'
        ) from None


def _jsonl_rows(path: Path, id_column: str | None) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            where = f'file: "{path.name}" line {number}'
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise BadInput(f"{where} is not a JSON object; write one object per line") from None
            if not isinstance(row, dict) or "question" not in row or "answer" not in row:
                raise BadInput(f'{where} needs the keys "question" and "answer"')
            if not isinstance(row["question"], str):
                raise BadInput(f"{where}: question must be a text")
            name = None
            if id_column is not None:
                name = row.get(id_column)
                if name is None or isinstance(name, dict | list):
                    raise BadInput(
                        f'{where} has no "{id_column}"; give every line one, or drop --id'
                    )
            yield row["question"], row["answer"], None if name is None else str(name)


def _csv_rows(path: Path, table: AnswerTable, id_column: str | None) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        names = [str(n) for n in reader.fieldnames or ()]
        if not names:
            raise BadInput(f'file: "{path.name}" is empty; give the file with the answers')
        if id_column is not None and id_column not in names:
            raise BadInput(f'id: there is no column "{id_column}"; {nearest(id_column, names)}')
        long = "question" in names and "answer" in names
        asked = [n for n in names if n in table.questions]
        if not long and not asked:
            raise BadInput(
                f'file: "{path.name}" has neither the columns "question" and "answer" nor a column '
                f'named like a question of the panel, e.g. "{table.questions[0]}"'
            )
        for number, row in enumerate(reader, start=2):
            name = None if id_column is None else (row[id_column] or "").strip()
            if name == "":
                raise BadInput(f'id: "{id_column}" is empty in line {number}; fill it in')
            if long:
                yield row["question"] or "", row["answer"], name
            else:
                for q in asked:
                    yield q, row[q], name


def _is_blank(answer: Any) -> bool:
    if isinstance(answer, float) and math.isnan(answer):
        return True
    return answer is None or (isinstance(answer, str) and answer.strip().casefold() in BLANKS)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


class _Matcher:
    """Texts and codes to positions; a text that fits two options fits none."""

    def __init__(self, table: AnswerTable, codes: Codes) -> None:
        self._questions = {_plain(w): i for i, w in enumerate(table.wording)}
        if len(self._questions) < len(table.wording):
            self._questions = {}
        self._questions |= {_plain(q): i for i, q in enumerate(table.questions)}
        self._options = []
        for question, options in zip(table.questions, table.options, strict=True):
            labels: dict[str, int | None] = {}
            for c, label in enumerate(options):
                key = _plain(label)
                labels[key] = None if key in labels else c
            for code, label in codes.get(question, {}).items():
                if label in options:
                    labels.setdefault(_number(code), options.index(label))
            self._options.append(labels)

    def question(self, text: str) -> int | None:
        return self._questions.get(_plain(text))

    def option(self, question: int, answer: Any) -> int | None:
        if isinstance(answer, bool) or not isinstance(answer, str | int | float):
            return None
        labels = self._options[question]
        text = _plain(str(answer))
        return labels[text] if text in labels else labels.get(_number(text))


def _number(text: str) -> str:
    """Return one spelling of a number: 1, "1" and "1.0" are the same code."""
    try:
        value = float(text)
    except ValueError:
        return _plain(text)
    return str(int(value)) if value.is_integer() else str(value)


def _nothing(
    path: Path, lost: Counter[str], strange: dict[str, Counter[str]], table: AnswerTable
) -> str:
    if lost["rows"] == 0:
        return f'file: "{path.name}" has no answer; give the file with the answers'
    if strange["question"] and not strange["answer"] and not lost["blank"]:
        first = strange["question"].most_common(1)[0][0]
        return f'question: the panel has no question "{first}"; {nearest(first, table.questions)}'
    if not strange["answer"]:
        return f'file: "{path.name}" has only blank answers to the panel\'s questions; check it'
    first = strange["answer"].most_common(1)[0][0]
    return f'answer: "{first}" is no option; those of "{table.questions[0]}" are ' + ", ".join(
        f'"{o}"' for o in table.options[0]
    )
