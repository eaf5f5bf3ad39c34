"""Text of a game file: JSON and TOML in both directions, floats exact.

Reading gives plain dicts, lists, texts and finite numbers, or one sentence that says where the
text is wrong. Writing is restricted to what a game file can hold, so the TOML emitter stays
short enough to read.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput

__all__ = ["MAX_BYTES", "parse", "read_text", "to_json", "to_toml"]

MAX_BYTES = 64 * 2**20
"""A larger game file is refused before it is read: its arrays belong in .npy files beside it."""

LARGEST = 1.7976931348623157e308


class _Twice:
    """Stands where a JSON object repeats a key, until its place is known."""

    def __init__(self, key: str) -> None:
        self.key = key


def read_text(path: Path) -> str:
    """Return the text of a file, or raise `BadInput` saying why it cannot be read.

    Raises
    ------
    BadInput
        No such file, a folder or device, above `MAX_BYTES`, not readable, not UTF-8.
    """
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; give the file itself")
        if not path.exists():
            raise BadInput(f"{path}: there is no such file; check the name")
        if not path.is_file():
            raise BadInput(f"{path} is not a regular file; save it to disk first")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(
                f"{path}: {size / 2**20:.0f} MB is above the limit of {MAX_BYTES // 2**20} MB; "
                "put its arrays in .npy files beside it"
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); check its name") from None
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        if isinstance(error, UnicodeDecodeError):
            raise BadInput(
                f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text"
            ) from None
        raise BadInput(f"{str(path)!r} is not a file name; check it") from None


def parse(text: str, kind: str) -> Any:
    """Return the plain value a JSON or TOML text stands for.

    Parameters
    ----------
    text : str
        The whole file.
    kind : str
        ".json" or ".toml".

    Raises
    ------
    BadInput
        Not that format (with the line), a key twice, NaN or an infinity (with the path), a
        number too large for a float, nesting without end.

    Examples
    --------
    >>> parse("agents = 2", ".toml")
    {'agents': 2}
    """
    try:
        value = (
            tomllib.loads(text) if kind == ".toml" else json.loads(text, object_pairs_hook=_once)
        )
    except json.JSONDecodeError as error:
        raise BadInput(
            f"line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}); "
            "mend the text there"
        ) from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(
            r"^(.*) \(at (?:line (\d+), column (\d+)|(end of document))\)$", str(error)
        )
        what, line, column, _ = found.groups() if found else (str(error), None, None, None)
        where = f"line {line}, column {column}" if line else "at the end"
        raise BadInput(f"{where}: this is not TOML ({what}); mend the text there") from None
    except RecursionError:
        raise BadInput("the text is nested too deeply; a game file has three levels") from None
    except ValueError:
        raise BadInput("a whole number has thousands of digits; write a shorter one") from None
    try:
        return _plain(value, "")
    except RecursionError:
        raise BadInput("the text is nested too deeply; a game file has three levels") from None


def _once(pairs: list[tuple[str, Any]]) -> Any:
    out = dict(pairs)
    if len(out) == len(pairs):
        return out
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _Twice(key)
        seen.add(key)
    return out


def _plain(value: Any, where: str) -> Any:
    """Check a parsed value down to its leaves; dates become ISO text."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput(f"{where or 'file'}: {value} is not a finite number; replace it")
        return value
    if isinstance(value, dict):
        for key in value:
            _readable(key, where)
        return {
            key: _plain(item, f"{where}.{key}" if where else key) for key, item in value.items()
        }
    if isinstance(value, list):
        if set(map(type, value)) == {float} and math.isfinite(sum(value)):
            return value  # the long lists of a file, kept cheap
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, str):
        return _readable(value, where)
    if isinstance(value, _Twice):
        prefix = f"{where}: " if where else ""
        raise BadInput(f'{prefix}the key "{value.key}" stands twice; keep one of them')
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        raise BadInput(f"{where}: the number is too large; the largest is 1.8e308")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value


def _readable(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(
            f"{where or 'file'}: {text!r} holds half of a character; write whole characters"
        ) from None
    return text


def to_json(data: Mapping[str, Any]) -> str:
    """Return a game's dictionary as JSON, one key of the top level per line."""
    lines = [f"{_json(key)}: {_json(value)}" for key, value in data.items()]
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def to_toml(data: Mapping[str, Any]) -> str:
    """Return a game's dictionary as TOML: plain keys first, then one table per section.

    Raises
    ------
    BadInput
        A null inside `about`: TOML has none.

    Examples
    --------
    >>> print(to_toml({"groups": {"left wing": 1.0}, "agents": 2}), end="")
    agents = 2
    <BLANKLINE>
    [groups]
    "left wing" = 1.0
    """
    plain = [f"{_key(k)} = {_toml(v, k)}\n" for k, v in data.items() if not isinstance(v, Mapping)]
    tables = []
    for name, table in data.items():
        if isinstance(table, Mapping):
            rows = [f"{_key(k)} = {_toml(v, f'{name}.{k}')}\n" for k, v in table.items()]
            tables.append(f"[{_key(name)}]\n" + "".join(rows))
    return "\n".join(["".join(plain), *tables] if plain else tables)


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    return _json(text).replace("\x7f", "\\u007f")


def _toml(value: Any, where: str) -> str:
    if value is None:
        raise BadInput(f"{where}: TOML has no null; save the game as .json, or leave it out")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, Mapping):
        items = [f"{_key(k)} = {_toml(v, f'{where}.{k}')}" for k, v in value.items()]
        return "{" + ", ".join(items) + "}"
    return "[" + ", ".join(_toml(v, f"{where}[{i}]") for i, v in enumerate(value)) + "]"
