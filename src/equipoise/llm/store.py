"""Answers on the disk: one SQLite file, named by what was asked, shared by several processes.

An answer's name is the sha256 of the canonical JSON of its request (with the identity of what was
asked) and the number of the draw. The first answer stored under a name stays; a failed call is
never stored. Calls, tokens, cost and seconds add up in the same file, whatever becomes of the
process.
"""

from __future__ import annotations

import contextlib
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

__all__ = ["Store", "Stored"]

APPLICATION = 0x45515041
"""Marks the file as ours ("EQPA")."""

MIGRATIONS = (
    """
    CREATE TABLE answers (
        name BLOB NOT NULL, draw INTEGER NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL,
        at REAL NOT NULL, PRIMARY KEY (name, draw)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE spent (
        label TEXT PRIMARY KEY, calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL, cost REAL NOT NULL, seconds REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE failures (
        label TEXT NOT NULL, kind TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (label, kind)
    ) WITHOUT ROWID;
    """,
)
"""Each brings a file from the version of its index to the next; never edited once released."""

INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)"

RESERVE = 1 << 20
"""Bytes kept beside the store and given up when the disk is full, so that answers in flight fit."""

PATIENCE = 60.0
"""Seconds another process may hold the file."""


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
        with self._sentences():
            self._db = self._open()

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
        with self._guard, self._sentences():
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
        with self._guard, self._sentences():
            try:
                self._write(row)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                self._reserve.unlink(missing_ok=True)
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
        with self._guard, self._sentences():
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
        with self._guard, self._sentences():
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
        with self._guard, self._sentences():
            rows = self._db.execute("SELECT label FROM spent ORDER BY label").fetchall()
        return sorted({label for (label,) in rows} | set(self._unsaved))

    def __len__(self) -> int:
        with self._guard, self._sentences():
            (count,) = self._db.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    def answers(self) -> Iterator[Stored]:
        """Yield every answer, in the order of their names: the same order in every file."""
        with self._guard, self._sentences():
            rows = self._db.execute(
                "SELECT request, draw, answer FROM answers ORDER BY name, draw"
            ).fetchall()
        for request, draw, answer in rows:
            yield Stored(_object(request, self.path), draw, _object(answer, self.path))

    def flush(self) -> None:
        """Write what was spent but not yet written."""
        with self._guard, self._sentences():
            if self._unsaved and not self.read_only:
                self._write(None)

    def close(self) -> None:
        """Write what is left and let go of the file."""
        with self._guard:
            try:
                self.flush()
            finally:
                self._db.close()

    @property
    def _reserve(self) -> Path:
        return self.path.with_name(self.path.name + "-reserve")

    def _open(self) -> sqlite3.Connection:
        if self.read_only:
            return self._checked(self._reading())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(
            self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            _patiently(db, "PRAGMA journal_mode = WAL")
            # A kill loses nothing; a power cut may lose the last answers, never the file.
            db.execute("PRAGMA synchronous = NORMAL")
            self._migrate(db)
            if not self._reserve.exists():
                with contextlib.suppress(OSError):
                    self._reserve.write_bytes(bytes(RESERVE))
        except BaseException:
            db.close()
            raise
        return db

    def _reading(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise StoreFailed(f"{self.path}: there is no such file; check the name")
        for mode in ("mode=ro", "immutable=1"):
            # On a read-only disk there can be no lock: then the file must be taken as it is.
            db = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?{mode}",
                uri=True,
                timeout=PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                db.close()
                if mode == "immutable=1":
                    raise
            else:
                return db
        raise AssertionError

    def _checked(self, db: sqlite3.Connection) -> sqlite3.Connection:
        version = _pragma(db, "user_version")
        if version != len(MIGRATIONS) or _pragma(db, "application_id") != APPLICATION:
            db.close()
            raise self._not_ours(version)
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        if (
            _pragma(db, "user_version") == len(MIGRATIONS)
            and _pragma(db, "application_id") == APPLICATION
        ):
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            version = _pragma(db, "user_version")
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            ours = _pragma(db, "application_id") == APPLICATION
            if version > len(MIGRATIONS) or (tables and not ours):
                raise self._not_ours(version)
            for step in MIGRATIONS[version:]:
                for statement in filter(str.strip, step.split(";")):
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _not_ours(self, version: int) -> StoreFailed:
        if version > len(MIGRATIONS):
            return StoreFailed(
                f"{self.path}: it was written by a newer equipoise (version {version} of the "
                f"file, known is {len(MIGRATIONS)}); update equipoise"
            )
        return StoreFailed(
            f"{self.path}: it is not a store of answers of this version; choose another file, or "
            "open it once for writing so that it is brought up to date"
        )

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

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn SQLite's words into sentences with a remedy."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreFailed(f"{self.path}: {_remedy(error)}") from None
        except OSError as error:
            raise StoreFailed(
                f"{self.path}: it cannot be written ({error.strerror}); choose another place"
            ) from None


def _remedy(error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return (
                "the disk is full and the last answers could not be kept; free some space, then "
                "run the same command again"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "it cannot be written; choose another place, or make it writable"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program held it for {PATIENCE:g} s; end that program and try again"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                "it is damaged or not a store of answers; restore a copy, or import an export "
                "into a new file"
            )
    return f"it cannot be used ({error}); choose another file"


def _text(request: Mapping[str, Any] | str) -> str:
    return request if isinstance(request, str) else canonical(request)


def _pragma(db: sqlite3.Connection, name: str) -> int:
    (value,) = db.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _patiently(db: sqlite3.Connection, statement: str) -> None:
    """Run a statement for which SQLite itself does not wait: turning on WAL."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _object(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(f"{path}: an answer in it is damaged; import an export into a new file")
    return found
