"""Reading a survey file: CSV, Parquet, Stata or SPSS, with its labels and missing codes.

Before a byte is read the path is checked: it exists, is a file, has a known ending and is not
larger than the limit. Only the columns asked for are read. Whatever a library says about a
broken file becomes one sentence. SPSS and Stata files are read by a child process, because a
damaged one can crash the C library that reads them.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import BadInput, MissingExtra, nearest
from equipoise.panels.coding import Level, RawTable

__all__ = ["MAX_BYTES", "column_names", "read_table"]

MAX_BYTES = 500_000_000
CHILD_SECONDS = 900.0
CHILD = Path(__file__).with_name("labelled_child.py")
BLANKS = ("", "NA", "N/A", "#N/A", "NaN", "nan")
ENDINGS = (".csv", ".tsv", ".parquet", ".sav", ".zsav", ".dta")
NEEDS = {".parquet": "pyarrow", ".sav": "pyreadstat", ".zsav": "pyreadstat", ".dta": "pyreadstat"}


def read_table(
    path: str | Path,
    columns: Mapping[str, str],
    *,
    user_missing: bool = True,
    max_bytes: int = MAX_BYTES,
) -> RawTable:
    """Read the named columns of a survey file.

    Parameters
    ----------
    path : str or Path
        A .csv or .tsv (UTF-8), .parquet, .sav or .zsav (SPSS), .dta (Stata) file.
    columns : mapping of column to role
        What to read, and what for (used in messages).
    user_missing : bool
        Whether SPSS user-missing values (and Stata's .a to .z) count as missing.
    max_bytes : int
        Largest file that is opened.

    Returns
    -------
    RawTable.

    Raises
    ------
    BadInput
        No such file, a directory, too large, unknown ending, not UTF-8, corrupted, a column
        that does not exist.
    MissingExtra
        The library for this kind of file is not installed.
    """
    path = Path(path)
    kind = _kind(path, max_bytes)
    if kind in (".csv", ".tsv"):
        return _read_csv(path, columns)
    if kind == ".parquet":
        return _read_parquet(path, columns)
    return _read_labelled(path, kind, columns, user_missing)


def column_names(path: str | Path) -> list[str]:
    """Return the names of a survey file's columns, in its order.

    Raises
    ------
    BadInput
        The file cannot be read.
    MissingExtra
        The library for this kind of file is not installed.
    """
    path = Path(path)
    kind = _kind(path, MAX_BYTES)
    if kind in (".csv", ".tsv"):
        try:
            return _csv_head(path)[1]
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
        except (ValueError, OSError, OverflowError) as error:
            raise _broken(path, "CSV", error) from None
    if kind == ".parquet":
        import pyarrow
        import pyarrow.parquet

        try:
            return [str(c) for c in pyarrow.parquet.read_schema(path).names]
        except (ValueError, OSError, OverflowError, TypeError, pyarrow.ArrowException) as error:
            raise _broken(path, "Parquet", error) from None
    return [str(name) for name in _ask_child(path, kind, [])["names"]]


def _kind(path: Path, max_bytes: int) -> str:
    """Return the file's kind once it and the library for it are there."""
    kind = _check(path, max_bytes)
    for needed in ("pandas", NEEDS.get(kind, "pandas")):
        if find_spec(needed) is None:
            raise MissingExtra(f"reading {kind} files", "data")
    return kind


def _check(path: Path, max_bytes: int) -> str:
    """Return the file's kind after looking at it from outside."""
    if path.is_dir():
        raise BadInput(f'file: "{path}" is a directory; name one file in it')
    kind = path.suffix.lower()
    if not path.exists():
        inside = path.parent.iterdir() if path.parent.is_dir() else ()
        beside = sorted(p.name for p in inside if p.suffix.lower() in ENDINGS)
        hint = f"; {nearest(path.name, beside)}" if 0 < len(beside) <= 50 else ""
        raise BadInput(f'file: there is no file "{path}"{hint or "; check the path"}')
    if kind not in ENDINGS:
        raise BadInput(
            f'file: "{path.name}" ends in "{kind}", which is not read; save it as one of '
            f"{', '.join(ENDINGS)}"
        )
    if not path.is_file():
        raise BadInput(f'file: "{path}" is not an ordinary file; give a file on disk')
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            handle.read(1)
    except OSError as error:
        raise BadInput(f'file: "{path}" cannot be opened ({error.strerror}); check it') from None
    if size > max_bytes:
        raise BadInput(
            f'file: "{path.name}" has {size:,} bytes, more than the limit of {max_bytes:,}; is it '
            "the right file? If so, raise `max_bytes`"
        )
    if size == 0:
        raise BadInput(f'file: "{path.name}" is empty; give the file with the answers')
    return kind


def _need(columns: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Return the columns to read, once each, after looking them all up."""
    for column, role in columns.items():
        if column not in names:
            raise BadInput(f'{role}: there is no column "{column}"; {nearest(str(column), names)}')
        if list(names).count(column) > 1:
            raise BadInput(f'{role}: the column "{column}" stands twice in the file; rename one')
    return list(columns)


def _broken(path: Path, what: str, error: Exception) -> BadInput:
    said = " ".join(str(error).split())[:120]
    return BadInput(f'file: "{path.name}" cannot be read as {what} ({said}); save it again')


def _csv_head(path: Path) -> tuple[str, list[str]]:
    """Return the separator of a CSV file and the names of its columns."""
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as handle:
        head = handle.readline(1_000_000)
    separator = max(",;\t", key=head.count) if path.suffix.lower() == ".csv" else "\t"
    names = pd.read_csv(path, sep=separator, nrows=0, encoding="utf-8-sig").columns
    return separator, [str(c) for c in names]


def _not_utf8(path: Path) -> BadInput:
    return BadInput(
        f'file: "{path.name}" is not UTF-8 text; save it as UTF-8 (in a spreadsheet: '
        '"CSV UTF-8"), or give the .sav, .dta or .parquet file'
    )


def _read_csv(path: Path, columns: Mapping[str, str]) -> RawTable:
    import pandas as pd

    try:
        separator, names = _csv_head(path)
        needed = _need(columns, names)
        frame = pd.read_csv(
            path,
            sep=separator,
            usecols=needed,
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=list(BLANKS),
            low_memory=False,
        )
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except BadInput:
        raise
    except (ValueError, OSError, OverflowError) as error:  # pandas' parser errors are ValueErrors
        raise _broken(path, "CSV", error) from None
    return RawTable(frame)


def _read_parquet(path: Path, columns: Mapping[str, str]) -> RawTable:
    import pandas as pd
    import pyarrow
    import pyarrow.parquet

    try:
        names = [str(c) for c in pyarrow.parquet.read_schema(path).names]
        read = pyarrow.parquet.read_table(path, columns=_need(columns, names))
        # Column by column: the file's own pandas notes are not needed and may be damaged.
        frame = pd.DataFrame({name: read.column(name).to_pandas() for name in columns})
    except BadInput:
        raise
    except (ValueError, OSError, OverflowError, TypeError, pyarrow.ArrowException) as error:
        raise _broken(path, "Parquet", error) from None
    return RawTable(frame)


def _read_labelled(
    path: Path, kind: str, columns: Mapping[str, str], user_missing: bool
) -> RawTable:
    """SPSS and Stata: codes with value labels; their missing codes are kept and marked."""
    import pandas as pd

    found = _ask_child(path, kind, list(columns))
    _need(columns, found["names"])
    data = {}
    for name, packed in found["columns"].items():
        codes = np.frombuffer(base64.b64decode(packed["codes"]), dtype="<i4")
        levels = np.array([*packed["levels"], None], dtype=object)
        data[name] = pd.Series(levels[codes], dtype=object)
    labels = {c: {_bare(v): t for v, t in pairs} for c, pairs in found["labels"].items()}
    marks = {}
    if user_missing:
        for c in data:
            ranges = [[_bare(low), _bare(high)] for low, high in found["ranges"].get(c, [])]
            letters = set(found["letters"].get(c, []))
            if ranges or letters:
                marks[c] = _mark(ranges, letters)
    return RawTable(pd.DataFrame(data), labels, found["wording"], marks)


def _ask_child(path: Path, kind: str, columns: list[str]) -> dict[str, Any]:
    """Run the C reader in a process that may crash without taking this one along."""
    what = "Stata" if kind == ".dta" else "SPSS"
    try:
        child = subprocess.run(
            [sys.executable, "-P", str(CHILD), str(path.resolve()), kind, json.dumps(columns)],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            timeout=CHILD_SECONDS,
            check=False,
        )
        found: dict[str, Any] = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise _broken(path, what, error) from None
    except ValueError:
        last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        why = f"the reader broke down on it: {(last or ['no message'])[0]}"
        raise _broken(path, what, OSError(why)) from None
    if "error" in found:
        raise _broken(path, what, OSError(found["error"]))
    return found


def _bare(value: Level) -> Level:
    """Texts of a fixed width are padded with blanks."""
    return value.strip() if isinstance(value, str) else value


def _mark(ranges: list[list[Any]], letters: set[str]) -> Callable[[Level], bool]:
    def is_missing(level: Level) -> bool:
        if level in letters:
            return True
        for low, high in ranges:
            if isinstance(level, str) != isinstance(low, str):
                continue
            if low <= level <= high:
                return True
        return False

    return is_missing
