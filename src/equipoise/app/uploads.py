"""Files that are given to the page: a game file is opened, a survey first shows its columns.

A survey stays in memory until its columns are chosen, at most one at a time and for ten minutes;
it is on the disk, in a private folder, only while it is read.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from equipoise.app.source import Source, open_game_text, open_panel_table
from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.game.gamefile_sections import at_field
from equipoise.panels.columns import find_columns, guess

__all__ = ["LARGEST", "Uploads"]

LARGEST = 32 * 2**20
"""Bytes of a file; a larger survey is opened with `equipoise app STUDY.toml`."""

LARGEST_GAME = 4 * 2**20

SURVEYS = (".csv", ".tsv", ".parquet", ".sav", ".zsav", ".dta")
GAMES = (".json", ".toml")
KEEP = 600.0


@final
@dataclass(frozen=True)
class _Waiting:
    ticket: str
    name: str
    content: bytes
    since: float


@final
class Uploads:
    """The survey that waits for its columns to be chosen."""

    def __init__(self) -> None:
        self._waiting: _Waiting | None = None
        self._lock = threading.Lock()

    def take(self, name: str, content: bytes) -> Source | dict[str, Any]:
        """Open a game file, or return the columns of a survey and a ticket to come back with.

        Raises
        ------
        BadInput
            An ending that is neither, an empty or a broken file.
        """
        name = _plain(name)
        kind = Path(name).suffix.lower()
        if kind not in (*GAMES, *SURVEYS):
            raise BadInput(
                f"{name}: its ending is not known; give a game (.json, .toml) or a survey "
                "(.csv, .tsv, .parquet, .sav, .zsav, .dta)"
            )
        if not content:
            raise BadInput(f"{name}: the file is empty; choose another")
        if kind in GAMES:
            return _game(name, kind, content)
        with _on_disk(name, content) as path, at_field(""):
            found = find_columns(path)
        waiting = _Waiting(secrets.token_urlsafe(12), name, content, time.monotonic())
        with self._lock:
            self._waiting = waiting
        return {"ticket": waiting.ticket, "name": name, **_columns(found)}

    def survey(self, ticket: Any, table: Any) -> Source:
        """Open the waiting survey with the columns that were chosen.

        Parameters
        ----------
        ticket : str
        table : dict
            Keys of `[panel]`: group, questions, weight, missing, small_cells. Columns by name.
        """
        with self._lock:
            waiting = self._waiting
        if waiting is None or waiting.ticket != ticket or time.monotonic() - waiting.since > KEEP:
            self.forget()
            raise BadInput("survey: it is not here any more; choose the file again")
        allowed = ("group", "questions", "weight", "missing", "small_cells", "min_cell")
        if not isinstance(table, dict) or not set(table) <= set(allowed):
            raise BadInput(f"survey: only {', '.join(allowed)} can be chosen here")
        given = {key: value for key, value in table.items() if value not in (None, "", [])}
        with _on_disk(waiting.name, waiting.content) as path:
            source = open_panel_table({"file": path.name, **given}, path.parent, waiting.name)
        self.forget()
        return source

    def forget(self) -> None:
        """Drop the waiting survey."""
        with self._lock:
            self._waiting = None


def _plain(name: str) -> str:
    """Return a file's name without folders and without characters that files have not."""
    last = re.split(r"[\\/]", shortened(name, 300))[-1]
    return re.sub(r"[^\w.\- ()]", "_", last)[-80:].lstrip(".") or "file"


def _game(name: str, kind: str, content: bytes) -> Source:
    if len(content) > LARGEST_GAME:
        raise BadInput(
            f"{name}: {len(content) / 2**20:.0f} MB is above the limit of "
            f"{LARGEST_GAME // 2**20} MB here; open it with `equipoise app {name}`"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{name}: byte {error.start} is not UTF-8; save the file as UTF-8 text"
        ) from None
    return open_game_text(text, kind, name)


@contextmanager
def _on_disk(name: str, content: bytes) -> Iterator[Path]:
    """Lay a survey into a private folder while it is read; sentences do not name that folder."""
    with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            yield path
        except BadInput as error:
            raise BadInput(str(error).replace(f"{path}", name).replace(folder, "")) from None


def _columns(found: list[Any]) -> dict[str, Any]:
    guessed = guess(found)
    return {
        "columns": [{"name": c.name, "shown": shortened(c.name, 60), "levels": c.levels}
                    for c in found if len(c.name) <= 300],
        "guess": {
            "group": guessed.group,
            "questions": list(guessed.questions),
            "weight": guessed.weight,
            "missing": list(guessed.missing),
        },
    }  # fmt: skip
