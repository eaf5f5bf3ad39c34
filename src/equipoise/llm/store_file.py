"""The file under a store: opened, brought up to date, refused; SQLite's words as sentences."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from equipoise.llm.failures import StoreFailed

__all__ = [
    "APPLICATION",
    "MIGRATIONS",
    "opened_to_read",
    "opened_to_write",
    "reserve_of",
    "sentences",
]

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

RESERVE = 1 << 20
"""Bytes kept beside the store and given up when the disk is full, so that answers in flight fit."""

PATIENCE = 60.0
"""Seconds another process may hold the file."""


def reserve_of(path: Path) -> Path:
    """Return the file beside a store that is given up when the disk is full."""
    return path.with_name(path.name + "-reserve")


def opened_to_write(path: Path) -> sqlite3.Connection:
    """Open a store, made or brought up to date where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        _patiently(db, "PRAGMA journal_mode = WAL")
        # A kill loses nothing; a power cut may lose the last answers, never the file.
        db.execute("PRAGMA synchronous = NORMAL")
        _migrate(db, path)
        if not reserve_of(path).exists():
            with contextlib.suppress(OSError):
                reserve_of(path).write_bytes(bytes(RESERVE))
    except BaseException:
        db.close()
        raise
    return db


def opened_to_read(path: Path) -> sqlite3.Connection:
    """Open a store of this version without changing it."""
    if not path.is_file():
        raise StoreFailed(f"{path}: there is no such file; check the name")
    db = _reading(path, "mode=ro")
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        db.close()
        # On a read-only disk there can be no lock: then the file must be taken as it is.
        db = _reading(path, "immutable=1")
    try:
        version = _pragma(db, "user_version")
        if version != len(MIGRATIONS) or _pragma(db, "application_id") != APPLICATION:
            raise _not_ours(path, version)
    except BaseException:
        db.close()
        raise
    return db


def _reading(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?{mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    done = len(MIGRATIONS)
    if _pragma(db, "user_version") == done and _pragma(db, "application_id") == APPLICATION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _pragma(db, "user_version")
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        ours = _pragma(db, "application_id") == APPLICATION
        if version > done or (tables and not ours):
            raise _not_ours(path, version)
        for step in MIGRATIONS[version:]:
            for statement in filter(str.strip, step.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {done}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _not_ours(path: Path, version: int) -> StoreFailed:
    if version > len(MIGRATIONS):
        return StoreFailed(
            f"{path}: it was written by a newer equipoise (version {version} of the file, known "
            f"is {len(MIGRATIONS)}); update equipoise"
        )
    return StoreFailed(
        f"{path}: it is not a store of answers of this version; choose another file, or open it "
        "once for writing so that it is brought up to date"
    )


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn SQLite's words about a file into sentences with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailed(f"{path}: {_remedy(error)}") from None
    except OSError as error:
        raise StoreFailed(
            f"{path}: it cannot be written ({error.strerror}); choose another place"
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
