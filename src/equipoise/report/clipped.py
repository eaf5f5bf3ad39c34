"""Texts of a result cut to a length a page can show; the files beside it keep them whole."""

from __future__ import annotations

import hashlib
from typing import Any

__all__ = ["LONGEST", "clipped"]

LONGEST = 1000
"""Characters of a text on the page. A survey may hold a label of a hundred thousand."""


def clipped(value: Any) -> Any:
    """Return plain data with every text, keys too, of at most `LONGEST` characters.

    A cut text ends with an ellipsis and four characters of its digest, so that texts that differ
    stay different.

    Examples
    --------
    >>> clipped({"group": "rural", "weights": [0.1]})
    {'group': 'rural', 'weights': [0.1]}
    >>> short = clipped("x" * 100_000)
    >>> len(short), short[-6:-4] == "x…", clipped("x" * 100_001) == short
    (1000, True, False)
    """
    if isinstance(value, str):
        if len(value) <= LONGEST:
            return value
        mark = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:4]
        return f"{value[: LONGEST - 5]}…{mark}"
    if isinstance(value, dict):
        return {clipped(key): clipped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(clipped(item) for item in value)
    return value
