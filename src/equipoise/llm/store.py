"""Answers on the disk: one SQLite file, named by what was asked, shared by several processes.

An answer's name is the sha256 of the canonical JSON of its request (with the identity of what was
asked) and the number of the draw. The first answer stored under a name stays; a failed call is
never stored. Calls, tokens, cost and seconds add up in the same file, whatever becomes of the
process.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from equipoise.errors import BadInput
from equipoise.llm.failures import StoreFailed
from equipoise.llm.ledger import Spent
from equipoise.llm.requests import canonical, fingerprint
from equipoise.llm.store_file import opened_to_read, opened_to_write, reserve_of, sentences

__all__ = ["Store", "Stored"]

INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)"


@final
@dataclass(frozen=True)
class Stored:
    """One answer as kept: what was asked, which draw, what came back; all plain JSON."""

    request: dict[str, Any]
    draw: int
    answer: dict[str, Any]


@final
class Store:
    """A file of answers.

    Parameters
    ----------
    path : Path
        Made when it does not exist.
    read_only : bool
        Only read: a result can be replayed from a file on a read-only disk.

    Raises
    ------
    StoreFailed
        The file is not ours, was made by a newer version, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with Store(Path(tempfile.mkdtemp()) / "answers.sqlite") as store:
    ...     kept = store.put({"ask": "tea?"}, 0, {"said": "yes"})
    ...     again = store.put({"ask": "tea?"}, 0, {"said": "no"})
    ...     kept, again, store.get({"ask": "tea?"}, 0), store.get({"ask": "tea?"}, 1)
    ({'said': 'yes'}, {'said': 'yes'}, {'said': 'yes'}, None)
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._guard = threading.RLock()
        self._unsaved: dict[str, Spent] = {}
        with sentences(self.path):
            self._db = opened_to_read(self.path) if read_only else opened_to_write(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, request: Mapping[str, Any] | str, draw: int) -> dict[str, Any] | None:
        """Return the answer to a draw of a request (or of its canonical text), or None."""
        name = fingerprint(_text(request))
        with self._guard, sentences(self.path):
            row = self._db.execute(
                "SELECT answer FROM answers WHERE name = ? AND draw = ?", (name, draw)
            ).fetchone()
        return None if row is None else _object(row[0], self.path)

    def put(
        self, request: Mapping[str, Any] | str, draw: int, answer: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Keep an answer, with what was spent since the last; return the one that is kept.

        Where another process was first its answer is the one that is kept and returned.

        Raises
        ------
        StoreFailed
            The disk is full: the answer was still kept, from the reserve. Or it could not be.
        """
        text = _text(request)
        row = (fingerprint(text), draw, text, canonical(answer), time.time())
        with self._guard, sentences(self.path):
            try:
                self._write(row)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                reserve_of(self.path).unlink(missing_ok=True)
                self._write(row)
                raise StoreFailed(
                    f"{self.path}: the disk is full; everything answered so far is kept. Free "
                    "some space, then run the same command again"
                ) from None
            found = self._db.execute(
                "SELECT answer FROM answers WHERE name = ? AND draw = ?", row[:2]
            ).fetchone()
        return _object(found[0], self.path)

    def put_many(self, rows: Iterable[Stored]) -> tuple[int, int]:
        """Keep many answers in one transaction, all or none; return how many were new, and old."""
        before, count = len(self), 0
        with self._guard, sentences(self.path):
            self._begin()
            try:
                for row in rows:
                    text = canonical(row.request)
                    self._db.execute(
                        INSERT,
                        (fingerprint(text), row.draw, text, canonical(row.answer), time.time()),
                    )
                    count += 1
                self._db.execute("COMMIT")
            except BaseException:
                self._back()
                raise
        new = len(self) - before
        return new, count - new

    def note(self, label: str, spent: Spent) -> None:
        """Add to what was spent; written with the next answer, or when the store is closed."""
        with self._guard:
            self._unsaved[label] = self._unsaved.get(label, Spent()) + spent

    def spent(self, label: str | None = None) -> Spent:
        """Return what was spent under a label, or in all, since the file was made."""
        where, values = ("WHERE label = ?", (label,)) if label is not None else ("", ())
        with self._guard, sentences(self.path):
            row = self._db.execute(
                "SELECT sum(calls), sum(prompt_tokens), sum(completion_tokens), sum(cost), "
                f"sum(seconds) FROM spent {where}",
                values,
            ).fetchone()
            kinds = self._db.execute(
                f"SELECT kind, sum(calls) FROM failures {where} GROUP BY kind ORDER BY kind", values
            ).fetchall()
            calls, prompt, completion, cost, seconds = (x or 0 for x in row)
            total = Spent(calls, prompt, completion, cost, seconds, dict(kinds))
            for name, part in self._unsaved.items():
                if label in (None, name):
                    total += part
        return total

    def labels(self) -> list[str]:
        """Return the labels under which something was spent."""
        with self._guard, sentences(self.path):
            rows = self._db.execute("SELECT label FROM spent ORDER BY label").fetchall()
        return sorted({label for (label,) in rows} | set(self._unsaved))

    def __len__(self) -> int:
        with self._guard, sentences(self.path):
            (count,) = self._db.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    def answers(self) -> Iterator[Stored]:
        """Yield every answer, in the order of their names: the same order in every file."""
        with self._guard, sentences(self.path):
            rows = self._db.execute(
                "SELECT request, draw, answer FROM answers ORDER BY name, draw"
            ).fetchall()
        for request, draw, answer in rows:
            yield Stored(_object(request, self.path), draw, _object(answer, self.path))

    def flush(self) -> None:
        """Write what was spent but not yet written."""
        with self._guard, sentences(self.path):
            if self._unsaved and not self.read_only:
                self._write(None)

    def close(self) -> None:
        """Write what is left and let go of the file."""
        with self._guard:
            try:
                self.flush()
            finally:
                self._db.close()

    def _write(self, row: tuple[Any, ...] | None) -> None:
        """One transaction: an answer, if there is one, and what was spent."""
        self._begin()
        try:
            if row is not None:
                self._db.execute(INSERT, row)
            for label, part in self._unsaved.items():
                self._add(label, part)
            self._db.execute("COMMIT")
        except BaseException:
            self._back()
            raise
        self._unsaved.clear()

    def _begin(self) -> None:
        if self.read_only:
            raise StoreFailed(f"{self.path}: it is open for reading only; nothing can be added")
        self._db.execute("BEGIN IMMEDIATE")

    def _back(self) -> None:
        # SQLite itself rolls back when the disk is full.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _add(self, label: str, part: Spent) -> None:
        self._db.execute(
            "INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (label) DO UPDATE SET "
            "calls = calls + excluded.calls, "
            "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
            "completion_tokens = completion_tokens + excluded.completion_tokens, "
            "cost = cost + excluded.cost, seconds = seconds + excluded.seconds",
            (label, part.calls, part.prompt_tokens, part.completion_tokens, part.cost,
             part.seconds),
        )  # fmt: skip
        self._db.executemany(
            "INSERT INTO failures VALUES (?, ?, ?) ON CONFLICT (label, kind) DO UPDATE SET "
            "calls = calls + excluded.calls",
            [(label, kind, n) for kind, n in part.failures.items()],
        )


def _text(request: Mapping[str, Any] | str) -> str:
    return request if isinstance(request, str) else canonical(request)


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(f"{path}: an answer in it is damaged; import an export into a new file")
    return found
