"""From the columns of a file to coded answers: levels, labels, missing codes, don't-knows.

Every column is reduced to its distinct values first; all rules work on these few levels.
Whatever is not used is counted in a ledger under a reason a reader understands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CodedColumn", "Recode", "RawTable", "code_column", "numbers"]

FloatArray = NDArray[np.float64]
Level = Any  # a number or a text, as the file has it
DontKnow = Literal["missing", "option"]

MAX_LEVELS = {"questions": 50, "group": 1000}
DONT_KNOW_LABEL = "don't know"
DONT_KNOW = re.compile(
    r"^\W*(do(n['’]?t| not) know|dk|unsure|not sure|can(['’]?t|not) (choose|say)|no opinion)\b",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True)
class RawTable:
    """A file as read.

    Parameters
    ----------
    frame : DataFrame
        The columns.
    labels : mapping of column to {value: label}
        Value labels (SPSS, Stata).
    wording : mapping of column to text
        Variable labels.
    is_missing : mapping of column to a test of a value
        The file's own missing codes (SPSS user-missing, Stata .a to .z).
    """

    frame: pd.DataFrame = field(repr=False)
    labels: Mapping[str, Mapping[Level, str]] = field(default_factory=dict)
    wording: Mapping[str, str] = field(default_factory=dict)
    is_missing: Mapping[str, Callable[[Level], bool]] = field(default_factory=dict)

    def column(self, name: str, role: str) -> pd.Series[Any]:
        """Return one column; `BadInput` names the role and suggests the nearest."""
        names = [str(c) for c in self.frame.columns]
        if names.count(name) > 1:
            raise BadInput(f'{role}: the column "{name}" stands twice in the file; rename one')
        if name not in names:
            raise BadInput(f'{role}: there is no column "{name}"; {nearest(str(name), names)}')
        return self.frame.iloc[:, names.index(name)]


@final
@dataclass(frozen=True)
class Recode:
    """How the values of one column become options.

    Parameters
    ----------
    missing : sequence
        Codes that count as no answer.
    dont_know : "missing" or "option"
        What becomes of a don't-know: left out, or the last option.
    dont_know_codes : sequence
        Codes that mean don't-know, besides texts and value labels that say so; "" is a blank.
    cuts : mapping of value to label, optional
        Collapse the levels to these labels, in this order; other values are an error.
    """

    missing: Sequence[Level] = ()
    dont_know: DontKnow = "missing"
    dont_know_codes: Sequence[Level] = ()
    cuts: Mapping[Level, str] | None = None


@final
@dataclass(frozen=True)
class CodedColumn:
    """A coded column: option numbers (-1 = none), option labels, what was left out.

    `ordered` says that neighbouring options are neighbours in meaning.
    """

    codes: NDArray[np.int64]
    options: tuple[str, ...]
    ordered: bool
    dropped: Counter[str]


def code_column(table: RawTable, name: str, role: str, recode: Recode) -> CodedColumn:
    """Code one categorical column.

    Parameters
    ----------
    table : RawTable
        The file.
    name, role : str
        The column and what it is for ("group", "questions"), for messages.
    recode : Recode
        Missing codes and don't-knows.

    Returns
    -------
    CodedColumn, options in natural order: by code, by category order, else alphabetical; a
    kept don't-know is last.

    Raises
    ------
    BadInput
        Unknown column, values that are not numbers or texts, nobody left, too many options.
    """
    import pandas as pd

    series = table.column(name, role)
    try:
        raw, values = pd.factorize(series, use_na_sentinel=True)
    except TypeError:
        raise BadInput(
            f'{role}: the column "{name}" holds lists or records; give one number or text per '
            "person"
        ) from None
    levels = [_plain(v) for v in values]
    fate = _apart([_fate(level, table, name, recode) for level in levels], levels, recode)
    dropped: Counter[str] = Counter()
    counts = np.bincount(raw[raw >= 0], minlength=len(levels))
    for why, count in zip(fate, counts, strict=True):
        if why.startswith("!"):
            dropped[f"{name}: {why[1:]}"] += int(count)
    blanks = int((raw < 0).sum())
    keep_blank = blanks > 0 and recode.dont_know == "option" and "" in recode.dont_know_codes
    if blanks and not keep_blank:
        dropped[f"{name}: blank"] += blanks
    kept = _in_order([i for i, f in enumerate(fate) if not f.startswith("!")], levels, series)
    found = list(dict.fromkeys(fate[i] for i in kept))
    if recode.cuts is not None:
        found = [o for o in dict.fromkeys(recode.cuts.values()) if o in found]
    options = [o for o in found if o != DONT_KNOW_LABEL]
    if keep_blank or len(options) < len({fate[i] for i in kept}):
        options.append(DONT_KNOW_LABEL)
    if not options:
        raise BadInput(f'{role}: every value of "{name}" is missing; choose another column')
    if len(options) > MAX_LEVELS[role]:
        raise BadInput(
            f'{role}: "{name}" has {len(options)} different values, more than {MAX_LEVELS[role]}; '
            "bin it first, or list a score under `ratings`"
        )
    number = {label: i for i, label in enumerate(options)}
    lookup = np.array([-1 if f.startswith("!") else number[f] for f in fate] + [-1], dtype=np.int64)
    if keep_blank:
        lookup[-1] = number[DONT_KNOW_LABEL]
    ordered = isinstance(series.dtype, pd.CategoricalDtype) or all(_number(v) for v in levels)
    return CodedColumn(lookup[raw], tuple(options), ordered, dropped)


def numbers(table: RawTable, name: str, role: str, missing: Sequence[Level] = ()) -> FloatArray:
    """Return a numeric column; what counts as no answer becomes NaN."""
    import pandas as pd

    series = table.column(name, role)
    raw, values = pd.factorize(series, use_na_sentinel=True)
    levels = [_plain(v) for v in values]
    result = np.empty(len(levels) + 1)
    result[-1] = np.nan
    for i, level in enumerate(levels):
        if _fate(level, table, name, Recode(missing)).startswith("!"):
            result[i] = np.nan
            continue
        try:
            result[i] = float(level)
        except ValueError:
            raise BadInput(
                f'{role}: "{level}" in the column "{name}" is not a number; mend the column or '
                "list the code under `missing`"
            ) from None
    return result[raw]


def _fate(level: Level, table: RawTable, name: str, recode: Recode) -> str:
    """Return the option a value belongs to, or "!" and the reason why it is left out."""
    label = _label(level, table.labels.get(name, {}))
    if DONT_KNOW.match(label) or any(_same(level, c) for c in recode.dont_know_codes):
        return DONT_KNOW_LABEL if recode.dont_know == "option" else "!don't know"
    own = table.is_missing.get(name)
    if own is not None and own(level):
        return f"!missing in the file ({label})"
    if any(_same(level, m) for m in recode.missing):
        return f"!missing code {label}"
    if isinstance(level, str) and not level.strip():
        return "!blank"
    if recode.cuts is None:
        return label
    for value, cut in recode.cuts.items():
        if _same(level, value):
            return cut
    return f"!not a listed code ({label})"


def _apart(fate: list[str], levels: list[Level], recode: Recode) -> list[str]:
    """Two codes with one label stay two options: nothing is lumped together silently."""
    if recode.cuts is not None:
        return fate
    twice = {f for f, c in Counter(fate).items() if c > 1 and not f.startswith("!")} - {
        DONT_KNOW_LABEL
    }
    return [
        f"{f} ({_label(v, {})})" if f in twice else f for f, v in zip(fate, levels, strict=True)
    ]


def _in_order(kept: list[int], levels: list[Level], series: pd.Series[Any]) -> list[int]:
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        place = {_plain(c): i for i, c in enumerate(series.cat.categories)}
        return sorted(kept, key=lambda i: place[levels[i]])
    return sorted(kept, key=lambda i: _natural(levels[i]))


def _natural(level: Level) -> tuple[int, float, str]:
    """Numbers (also written as text) by size, then texts alphabetically."""
    value = _as_number(level)
    return (1, 0.0, str(level)) if value is None else (0, value, "")


def _plain(value: Any) -> Level:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, int | float) else str(value).strip()


def _number(level: Level) -> bool:
    return _as_number(level) is not None


def _as_number(level: Level) -> float | None:
    try:
        value = float(level)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _same(level: Level, code: Level) -> bool:
    """Compare a value with a code that somebody wrote: -9, -9.0 and "-9" are one code."""
    a, b = _as_number(level), None if isinstance(code, bool) else _as_number(str(code))
    if a is not None and b is not None:
        return a == b
    return str(level) == str(code).strip()


def _label(level: Level, labels: Mapping[Level, str]) -> str:
    text = labels.get(level)
    if text is not None and text.strip():
        return text.strip()
    value = _as_number(level)
    if value is not None:
        return str(int(value)) if value == int(value) else repr(value)
    return str(level)
