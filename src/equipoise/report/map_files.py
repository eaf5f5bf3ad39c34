"""The maps of a finished study, read back from its folder, and their cells as CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput
from equipoise.inclusion.map_result import PhaseMap
from equipoise.report.tables import neutral

__all__ = ["cells_csv", "read_maps"]


def read_maps(result: Mapping[str, Any], folder: Path) -> dict[str, PhaseMap]:
    """Return every map of a study by name.

    Parameters
    ----------
    result : dict
        Content of `result.json`.
    folder : Path
        Where it lies; arrays are in `arrays/NAME.npz`.

    Raises
    ------
    BadInput
        A file is absent, or is not the one the result was written with.
    """
    out = {}
    for row in result.get("maps", ()):
        path = folder / "arrays" / f"{row['name']}.npz"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"{path}: it cannot be read ({error.strerror}); run the study again"
            ) from None
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise BadInput(f"{path}: it does not belong to this result; run the study again")
        out[row["name"]] = PhaseMap.from_npz(content)
    return out


def cells_csv(found: PhaseMap) -> str:
    """Return the table of a map's cells as CSV, one row a cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = found.to_columns()
    columns["excluded"] = [neutral(text) for text in columns["excluded"]]
    writer.writerow([neutral(name) for name in columns])
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()
