"""The log of a simulation: one SQLite file, one transaction per block of rounds.

After a kill at any moment the file holds whole blocks only, and the state behind the last of
them: the run goes on from there and ends with the same rows. One process at a time writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.engine.store import pack, unpack
from equipoise.errors import BadInput
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.loop import State, Tally

__all__ = ["Log"]

FloatArray = NDArray[np.float64]

SHOWN_AGENTS = 20
"""Populations up to this size are logged agent by agent, too."""

TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  round INTEGER NOT NULL, heard INTEGER NOT NULL, arrays BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (last_round INTEGER PRIMARY KEY, rounds INTEGER NOT NULL,
  phase INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS path (last_round INTEGER, replicate INTEGER, group_name TEXT,
  coverage REAL NOT NULL, top_weight REAL NOT NULL, posts INTEGER NOT NULL,
  readings INTEGER NOT NULL, agreed INTEGER NOT NULL,
  PRIMARY KEY (last_round, replicate, group_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paid (last_round INTEGER, replicate INTEGER, paid REAL NOT NULL,
  PRIMARY KEY (last_round, replicate)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mixtures (last_round INTEGER, replicate INTEGER, agent TEXT,
  group_name TEXT, weight REAL NOT NULL,
  PRIMARY KEY (last_round, replicate, agent, group_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posts (last_round INTEGER, post INTEGER, agent TEXT NOT NULL,
  spoken_for TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, agreed REAL NOT NULL,
  PRIMARY KEY (last_round, post)) WITHOUT ROWID;
"""


@final
class Log:
    """One simulation on the disk, or in memory where no file is named.

    Parameters
    ----------
    path : Path or None
    key : str
        Of everything the rounds depend on. A file with another key is begun afresh.
    agents : sequence of str
        Labels.
    laws : PostLaws
        Gives posts their words.
    """

    def __init__(self, path: Path | None, key: str, laws: PostLaws, agents: Sequence[str]) -> None:
        self.path, self.groups, self.laws = path, laws.groups, laws
        self.agents = tuple(agents) if len(agents) <= SHOWN_AGENTS else ()
        try:
            self._file = sqlite3.connect(path or ":memory:", timeout=2.0, isolation_level=None)
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute("BEGIN IMMEDIATE")
            self._begin(key)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._refused(error) from None

    def _refused(self, error: sqlite3.Error) -> BadInput:
        if "locked" in str(error):
            return BadInput(
                f"{self.path}: another process is simulating there now; wait for it, or choose "
                "another folder with --out"
            )
        return BadInput(
            f"{self.path}: it cannot be used as a log ({error}); remove it, or choose another "
            "folder with --out"
        )

    def _begin(self, key: str) -> None:
        # Not executescript: it would end the transaction.
        for statement in TABLES.split(";"):
            self._file.execute(statement)
        known = self._file.execute("SELECT value FROM about WHERE key = 'key'").fetchone()
        if known is None or known[0] != key:
            for table in ("about", "state", "blocks", "path", "paid", "mixtures", "posts"):
                self._file.execute(f"DELETE FROM {table}")
            self._file.execute("INSERT INTO about VALUES ('key', ?)", (key,))

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._file.close()

    def undo(self) -> None:
        """Drop what an interruption left half-written."""
        if self._file.in_transaction:
            self._file.execute("ROLLBACK")

    def state(self) -> State | None:
        """Return the state behind the last whole block, or None at the beginning."""
        row = self._file.execute("SELECT round, heard, arrays FROM state").fetchone()
        if row is None:
            return None
        arrays = dict(unpack(row[2]))
        return State(row[0], row[1], arrays.pop("x"), arrays)

    def keep(self, state: State, tally: Tally, phase: int) -> None:
        """Write a block and the state behind it, both or neither."""
        last = state.round
        try:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.execute("INSERT INTO blocks VALUES (?, ?, ?)", (last, tally.rounds, phase))
            self._file.executemany("INSERT INTO path VALUES (?,?,?,?,?,?,?,?)",
                                   self._rows(last, tally))  # fmt: skip
            spent = [(last, r, p) for r, p in enumerate(tally.paid.tolist())]
            self._file.executemany("INSERT INTO paid VALUES (?, ?, ?)", spent)
            self._file.executemany("INSERT INTO mixtures VALUES (?, ?, ?, ?, ?)", [
                (last, r, agent, group, float(tally.mixtures[r, i, k]))
                for r in range(len(tally.mixtures))
                for i, agent in enumerate(self.agents)
                for k, group in enumerate(self.groups)
            ])  # fmt: skip
            self._file.executemany("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?)",
                                   self._posts(last, tally))  # fmt: skip
            self._file.execute(
                "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?)",
                (last, state.heard, pack({"x": state.x, **state.memory})),
            )
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._refused(error) from None

    def _rows(self, last: int, tally: Tally) -> list[tuple[Any, ...]]:
        return [
            (last, r, group, float(tally.coverage[r, k]), float(tally.top_weight[r, k]),
             int(tally.spoken[r, k]), int(tally.read[r, k]), int(tally.agreed[r, k]))
            for r in range(len(tally.coverage))
            for k, group in enumerate(self.groups)
        ]  # fmt: skip

    def _posts(self, last: int, tally: Tally) -> list[tuple[Any, ...]]:
        """Return a post of each agent in words; small populations only."""
        laws, rows = self.laws, tally.posts if self.agents else tally.posts[:0]
        return [
            (last, i, self.agents[int(a)], laws.groups[int(k)], laws.questions[int(q)],
             laws.options[int(q)][int(c)], float(agreed))
            for i, (a, k, q, c, agreed) in enumerate(rows)
        ]  # fmt: skip

    def posts(self, until: int, most: int) -> list[tuple[Any, ...]]:
        """Return the latest posts that are kept: agent, for whom, question, answer, agreed."""
        return self._file.execute(
            "SELECT agent, spoken_for, question, answer, agreed FROM posts WHERE last_round = "
            "(SELECT max(last_round) FROM posts WHERE last_round <= ?) ORDER BY post LIMIT ?",
            (until, most),
        ).fetchall()

    def blocks(self, until: int) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Return last round, rounds and phase of every block up to a round, (blocks,) each."""
        rows = self._file.execute(
            "SELECT last_round, rounds, phase FROM blocks WHERE last_round <= ? "
            "ORDER BY last_round", (until,),
        ).fetchall()  # fmt: skip
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return table[:, 0].astype(float), table[:, 1].astype(float), table[:, 2]

    def column(self, name: str, until: int, replicates: int) -> FloatArray:
        """Return one column of the path, (blocks, replicates, groups), in time order."""
        if name not in ("coverage", "top_weight", "posts", "readings", "agreed"):
            raise BadInput(f"log: there is no column {name!r}")
        found = self._file.execute(
            f"SELECT group_name, {name} FROM path WHERE last_round <= ? "
            "ORDER BY last_round, replicate", (until,),
        ).fetchall()  # fmt: skip
        place = {group: k for k, group in enumerate(self.groups)}
        out = np.empty((len(found) // len(self.groups), len(self.groups)))
        for i, (group, value) in enumerate(found):
            out[i // len(self.groups), place[group]] = value
        return out.reshape(-1, replicates, len(self.groups))

    def paid(self, until: int, replicates: int) -> FloatArray:
        """Return subsidies paid in every block, (blocks, replicates)."""
        found = self._file.execute(
            "SELECT paid FROM paid WHERE last_round <= ? ORDER BY last_round, replicate", (until,)
        ).fetchall()
        return np.array(found, dtype=np.float64).reshape(-1, replicates)

    def mixtures(self, until: int, replicates: int) -> FloatArray:
        """Return mean mixtures of small populations, (blocks, replicates, agents, groups)."""
        agents, groups = list(self.agents), list(self.groups)
        found = self._file.execute(
            "SELECT agent, group_name, weight FROM mixtures WHERE last_round <= ? "
            "ORDER BY last_round, replicate", (until,),
        ).fetchall()  # fmt: skip
        size = max(1, len(agents) * len(groups))
        out = np.zeros((len(found) // size, len(agents), len(groups)))
        for i, (agent, group, weight) in enumerate(found):
            out[i // size, agents.index(agent), groups.index(group)] = weight
        return out.reshape(-1, replicates, len(agents), len(groups))
