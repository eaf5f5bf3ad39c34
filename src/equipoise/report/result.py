"""The result of a study as a file: plain JSON, read back with every infinite number in place.

JSON has no infinity and no NaN, so they are written as the texts "Infinity", "-Infinity" and
"NaN", which JavaScript, R and Python turn into the number. Keys keep the order in which they
were made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput

__all__ = ["FORMAT", "read_result", "to_text"]

FORMAT = 2
"""Version of the layout of `result.json`."""

_WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_text(result: Mapping[str, Any]) -> str:
    """Return a result as the text of `result.json`.

    Examples
    --------
    >>> print(to_text({"least": math.inf, "n": 2}), end="")
    {
     "least": "Infinity",
     "n": 2
    }
    """
    return json.dumps(_written(result), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def read_result(directory: Path) -> dict[str, Any]:
    """Return the content of a finished study's `result.json`.

    Raises
    ------
    BadInput
        There is none, it is not one of ours, or it belongs to another version.
    """
    path = directory / "result.json"
    try:
        data = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such file, so the study has not finished; run the same "
            "`equipoise study run` again to go on"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); check it") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this is not the result of a study; run the study again") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BadInput(
            f"{path}: this version reads results of format {FORMAT}; run the study again"
        )
    return dict(_read(data))


def _written(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value


NUMBERS = frozenset(
    {"least", "low", "high", "band_low", "band_high", "margin", "margin_low", "margin_high",
     "max_gap", "max_relative_gap", "max_regret", "distance"}
)  # fmt: skip
"""Keys whose value may be infinite; a group *named* "Infinity" stays a text."""


def _read(value: Any, key: str = "") -> Any:
    if isinstance(value, str):
        return _WORDS.get(value, value) if key in NUMBERS else value
    if isinstance(value, dict):
        return {name: _read(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_read(item, key) for item in value]
    return value
