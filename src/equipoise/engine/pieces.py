"""Run pieces and give their results in order, whatever the engine and however many workers."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

import equipoise
from equipoise.engine.local import Local
from equipoise.engine.ray_cluster import Ray
from equipoise.engine.store import Arrays, ChunkStore, unpack
from equipoise.engine.worker import importable
from equipoise.errors import BadInput, EquipoiseError, nearest

__all__ = ["Crew", "Engine", "engine_named", "piece_name", "run"]

Progress = Callable[[int, int, str], None]


class Crew(Protocol):
    """Workers that are ready; both engines have one."""

    @property
    def size(self) -> int:
        """How many pieces run at once."""
        ...

    def give(self, number: int, arguments: str) -> None:
        """Hand out one piece."""
        ...

    def take(self, *, wait: bool = True) -> tuple[int, bytes] | None:
        """Return a finished piece, whichever comes first."""
        ...


class Engine(Protocol):
    """Where pieces run: settings only."""

    def crew(self, work: str, pieces: int) -> AbstractContextManager[Crew]:
        """Hold workers while the block runs."""
        ...


def engine_named(name: str, *, address: str | None = None, workers: int | None = None) -> Engine:
    """Return the engine of `--engine NAME [--address …]`.

    Parameters
    ----------
    name : "local" or "ray"
    address : str, optional
        Of a Ray cluster.
    workers : int, optional
        Processes on this machine.

    Raises
    ------
    BadInput
        Another name, or a setting that belongs to the other engine.

    Examples
    --------
    >>> engine_named("local", workers=2)
    Local(workers=2)
    """
    if name == "local":
        if address is not None:
            raise BadInput("--address: only the engine ray has one; add --engine ray")
        return Local(workers)
    if name == "ray":
        if workers is not None:
            raise BadInput("workers: a Ray cluster has its own; leave it out")
        return Ray(address)
    raise BadInput(f'--engine: there is no engine "{name}"; {nearest(name, ("local", "ray"))}')


def run(
    engine: Engine,
    work: Callable[..., Mapping[str, Any]],
    pieces: Sequence[Mapping[str, Any]],
    *,
    store: ChunkStore | None = None,
    progress: Progress | None = None,
    version: str = "",
    names: Sequence[str] | None = None,
    what: str = "pieces",
) -> Generator[tuple[int, Arrays], None, None]:
    """Run `work(**piece)` for every piece and yield (number, arrays) in the order of the pieces.

    Every piece runs in a process of its own with one thread for linear algebra, so bytes do
    not depend on the engine or the number of workers. With a store, results wait on the disk
    and finished ones are read instead of computed; without one, work stays a few pieces ahead
    of what has been taken. Either way only a few results are in memory at once.

    Parameters
    ----------
    engine : Local or Ray
        Where.
    work : function
        Defined at the top of an importable module; returns arrays by name.
    pieces : sequence of mappings
        Keyword arguments that can be written as JSON. Large inputs go by path.
    store : ChunkStore, optional
        Where finished pieces are kept. A piece is found again by its work, its arguments and
        `version`. Not in its name: the content of files it reads; put their digest into the
        arguments.
    progress : callable (done, total, what), optional
        Called in this thread whenever a piece is finished.
    version : str
        Anything else results depend on; the versions of equipoise and NumPy always count.
    names : sequence of str, optional
        What finished pieces are called in the store, instead of that hash; the caller then
        answers for it that a name never means another piece.
    what : str
        What pieces are called in `progress`.

    Yields
    ------
    (int, dict of str to array)

    Raises
    ------
    BadInput
        At once: work that cannot be imported, arguments that are not JSON.
    PieceFailed
        A piece raised, or ended its worker three times. Errors of `equipoise.errors` keep
        their class. Finished pieces are kept.
    KeyboardInterrupt
        Interrupted; its text says how much is kept.

    Examples
    --------
    >>> import statistics
    >>> run(Local(1), statistics.mean, [{"data": float("nan")}])
    Traceback (most recent call last):
    equipoise.errors.BadInput: piece 0: its arguments cannot be written as JSON (...
    """
    name = importable(work)
    texts = [_canonical(number, piece) for number, piece in enumerate(pieces)]
    names = names or [piece_name(name, text, version) for text in texts]
    return _Queue(engine, name, texts, names, store, progress, what).results()


def piece_name(work: str, arguments: str, version: str = "") -> str:
    """Return the name a piece has in a store: sha256 of everything it depends on."""
    parts = [work, arguments, version, equipoise.__version__, np.__version__]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _canonical(number: int, piece: object) -> str:
    if not isinstance(piece, Mapping):
        raise BadInput(f"piece {number}: it is {type(piece).__name__}; give keyword arguments")
    try:
        for key in piece:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not a text")
        return json.dumps(dict(piece), sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"piece {number}: its arguments cannot be written as JSON ({error}); use plain "
            "numbers, texts, lists and paths of files"
        ) from None


class _Queue:
    """What is still to do, what is under way, and what waits to be yielded."""

    def __init__(
        self,
        engine: Engine,
        work: str,
        texts: list[str],
        names: Sequence[str],
        store: ChunkStore | None,
        progress: Progress | None,
        what: str,
    ) -> None:
        self.engine, self.work, self.texts, self.names = engine, work, texts, names
        self.store, self.what = store, what
        self.tell: Progress = progress or (lambda done, total, what: None)
        self.todo = deque(
            number for number, name in enumerate(names) if store is None or not store.has(name)
        )
        self.missing = set(self.todo)
        self.under_way: set[int] = set()
        self.held: dict[int, bytes] = {}

    @property
    def done(self) -> int:
        return len(self.texts) - len(self.missing)

    def results(self) -> Generator[tuple[int, Arrays], None, None]:
        with contextlib.ExitStack() as stack:
            crew: Crew | None = None
            try:
                self.tell(self.done, len(self.texts), self.what)
                for number in range(len(self.texts)):
                    arrays = self._kept(number)
                    if arrays is None:
                        crew = crew or stack.enter_context(
                            self.engine.crew(self.work, len(self.todo))
                        )
                        arrays = self._waited(crew, number)
                    yield number, arrays
            except KeyboardInterrupt:
                self._rescue(crew)
                raise KeyboardInterrupt(self._interrupted()) from None
            except (GeneratorExit, EquipoiseError):
                self._rescue(crew)
                raise

    def _kept(self, number: int) -> Arrays | None:
        """Return a finished piece; a damaged file puts it back to be done first."""
        if number in self.missing:
            return None
        if self.store is None:
            return unpack(self.held.pop(number))
        arrays = self.store.load(self.names[number])
        if arrays is None:
            self.missing.add(number)
            self.todo.appendleft(number)
        return arrays

    def _waited(self, crew: Crew, number: int) -> Arrays:
        """Keep the crew busy until this piece is there."""
        while True:
            while self.todo and len(self.under_way) < 2 * crew.size:
                if self.store is None and self.todo[0] > number + 4 * crew.size:
                    break
                following = self.todo.popleft()
                self.under_way.add(following)
                crew.give(following, self.texts[following])
            taken = crew.take()
            assert taken is not None
            self._finished(*taken)
            if taken[0] == number:
                self.held.pop(number, None)
                return unpack(taken[1])

    def _finished(self, number: int, content: bytes) -> None:
        self.under_way.discard(number)
        if self.store is None:
            self.held[number] = content
        else:
            self.store.keep(self.names[number], content)
        self.missing.discard(number)
        self.tell(self.done, len(self.texts), self.what)

    def _rescue(self, crew: Crew | None) -> None:
        """Keep what workers have finished but nobody has taken."""
        with contextlib.suppress(EquipoiseError):
            while crew is not None and (taken := crew.take(wait=False)) is not None:
                self._finished(*taken)

    def _interrupted(self) -> str:
        total = len(self.texts)
        if self.store is None:
            return f"interrupted after {self.done} of {total} {self.what}; nothing was kept"
        return (
            f"interrupted after {self.done} of {total} {self.what}, which are kept; run the same "
            "command again to go on"
        )
