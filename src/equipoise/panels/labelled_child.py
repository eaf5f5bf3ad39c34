"""Read an SPSS or Stata file in a process of its own: a damaged one can crash the C reader.

Run by `readers.py` as a script: `python -P labelled_child.py PATH KIND COLUMNS` with a JSON list
of columns. It imports nothing of equipoise. It writes one JSON object to stdout: the names of
the file's columns and, if it has all those asked for, each of them as its distinct values and
every person's index into them. Nothing is written to disk.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any


def answer(path: str, kind: str, columns: list[str]) -> dict[str, Any]:
    """Return the names of the columns, and those asked for with labels and missing codes."""
    import pyreadstat
    from pyreadstat._readstat_parser import PyreadstatError, ReadstatError

    read = pyreadstat.read_dta if kind == ".dta" else pyreadstat.read_sav
    try:
        names = [str(n) for n in read(path, metadataonly=True)[1].column_names]
        if not set(columns) <= set(names):
            return {"names": names}
        frame, meta = read(path, usecols=columns, user_missing=True)
    except (ReadstatError, PyreadstatError, ValueError, OSError, OverflowError) as error:
        return {"error": str(error)}
    declared: dict[Any, Any] = meta.missing_ranges or {}
    return {
        "names": names,
        "columns": {str(c): _packed(frame[c]) for c in frame.columns},
        "labels": {
            str(c): [[_plain(v), str(t)] for v, t in labels.items()]
            for c, labels in meta.variable_value_labels.items()
        },
        "wording": {str(c): str(t) for c, t in meta.column_names_to_labels.items() if t},
        "ranges": {
            str(c): [[_plain(r["lo"]), _plain(r["hi"])] for r in ranges]
            for c, ranges in declared.items()
        },
        "letters": {str(c): list(v) for c, v in (meta.missing_user_values or {}).items()},
    }


def _packed(series: Any) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    codes, levels = pd.factorize(series, use_na_sentinel=True)
    raw = base64.b64encode(np.asarray(codes, dtype="<i4").tobytes()).decode("ascii")
    return {"levels": [_plain(v) for v in levels], "codes": raw}


def _plain(value: Any) -> int | float | str:
    """Return a number or a text; infinities and dates become texts."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return value if abs(value) < float("inf") else str(value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
