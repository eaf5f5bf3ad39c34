"""Answers as lines of JSON: a result travels with its answers and is replayed without a model.

The file is the same, byte for byte, however the answers came about: sorted by name, without
times, and without what was spent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput
from equipoise.llm.answers import answer_from_dict
from equipoise.llm.requests import canonical
from equipoise.llm.store import Store, Stored

__all__ = ["export_answers", "import_answers"]

HEAD = {"equipoise_answers": 1}


def export_answers(store: Store, path: Path) -> int:
    """Write all answers of a store, one a line after a head line; return how many.

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with part.open("w", encoding="ascii", newline="\n") as file:
            file.write(canonical(HEAD) + "\n")
            for stored in store.answers():
                line = {"request": stored.request, "draw": stored.draw, "answer": stored.answer}
                file.write(canonical(line) + "\n")
                count += 1
        os.replace(part, path)
    except OSError as error:
        raise BadInput(
            f"{path}: it cannot be written ({error.strerror}); choose another place"
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return count


def import_answers(store: Store, path: Path) -> tuple[int, int]:
    """Add the answers of an export; return how many were new, and how many were there before.

    An answer that is there already stays as it is. One bad line, and none is added.

    Raises
    ------
    BadInput
        A line that is not an answer, with its number.
    """
    return store.put_many(
        Stored(line["request"], line["draw"], line["answer"]) for line in _lines(path)
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                line = _line(path, number, text)
                if number == 1:
                    if line != HEAD:
                        raise BadInput(f"{path}: it does not begin as an export of answers does")
                    continue
                if not (
                    line.keys() == {"request", "draw", "answer"}
                    and isinstance(line["request"], dict)
                    and type(line["draw"]) is int
                    and line["draw"] >= 0
                    and isinstance(line["answer"], dict)
                ):
                    raise BadInput(f"{path} line {number}: it is not an answer")
                answer_from_dict(line["answer"])
                yield line
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); check the name") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: it is not an export of answers") from None


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise BadInput(f"{path} line {number}: it is not a JSON object")
    return line
