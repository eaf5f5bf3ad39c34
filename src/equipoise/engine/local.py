"""Pieces on this machine: one process a worker, spoken to through pipes.

A worker that dies costs the piece it had and nothing else: it is started again and the piece
retried. Workers never re-import the caller's script, so no `if __name__ == "__main__"` is needed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from equipoise.engine.worker import FRAME, ONE_THREAD, PieceFailed, failure, told
from equipoise.errors import BadInput

__all__ = ["Local", "LocalCrew", "usable_cores"]

RETRIES = 2
"""How often a piece is given to a fresh worker after its worker died."""

MOST_WORKERS = 512


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@final
@dataclass(frozen=True)
class Local:
    """Run pieces on this machine.

    Parameters
    ----------
    workers : int, optional
        Processes at once; default one a usable core. Results do not depend on it.

    Raises
    ------
    BadInput
        Not a whole number from 1 to 512.

    Examples
    --------
    >>> Local(workers=2)
    Local(workers=2)
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        given = self.workers
        whole = isinstance(given, int) and not isinstance(given, bool)
        if given is not None and not (whole and 1 <= given <= MOST_WORKERS):
            raise BadInput(f"workers: {given!r}; write a whole number from 1 to {MOST_WORKERS}")

    @contextlib.contextmanager
    def crew(self, work: str, pieces: int) -> Iterator[LocalCrew]:
        """Hold the workers while the block runs; they are ended with it."""
        crew = LocalCrew(work, min(self.workers or usable_cores(), max(1, pieces)))
        try:
            yield crew
        finally:
            crew.end()


class LocalCrew:
    """Worker processes, a thread each that speaks to one of them."""

    def __init__(self, work: str, size: int) -> None:
        self.work = work
        self.size = size
        self._ended = False
        self._guard = threading.Lock()
        self._living: set[subprocess.Popen[bytes]] = set()
        self._asked: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._answered: queue.Queue[tuple[int, bool, bytes]] = queue.Queue()
        self._threads = [threading.Thread(target=self._speak, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def give(self, number: int, arguments: str) -> None:
        """Hand out one piece."""
        self._asked.put((number, arguments))

    def take(self, *, wait: bool = True) -> tuple[int, bytes] | None:
        """Return a finished piece, whichever comes first; None if none is ready and not `wait`.

        Raises
        ------
        PieceFailed
            The worker died on it three times, or the work itself failed (then the error may be
            another of `equipoise.errors`).
        """
        while True:
            try:
                # A bounded wait: on Windows Ctrl-C does not wake an unbounded one.
                number, done, content = self._answered.get(wait, 0.5)
                break
            except queue.Empty:
                if not wait:
                    return None
        if done:
            return number, content
        raise failure(self.work, number, content) if content else self._lost(number)

    def end(self) -> None:
        """End all workers at once; what they were doing is dropped."""
        with self._guard:
            self._ended = True
            for process in self._living:
                process.kill()
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()

    def processes(self) -> list[int]:
        """Return the process numbers of the workers now alive."""
        with self._guard:
            return sorted(process.pid for process in self._living)

    def _lost(self, number: int) -> PieceFailed:
        return PieceFailed(
            f"piece {number} of {self.work} ended its worker process {RETRIES + 1} times; it may "
            "need more memory than there is: use fewer workers or smaller pieces"
        )

    def _speak(self) -> None:
        """Pass pieces to one process, and to a fresh one when it has died."""
        process: subprocess.Popen[bytes] | None = None
        try:
            while (asked := self._asked.get()) is not None and not self._ended:
                number, arguments = asked
                answer: tuple[bool, bytes] | None = None
                for _ in range(RETRIES + 1):
                    try:
                        process = process or self._start()
                    except OSError as error:
                        answer = (False, told(error))
                        break
                    if process is None:
                        return
                    answer = _ask(process, arguments)
                    if answer is not None or self._ended:
                        break
                    self._stop(process)
                    process = None
                self._answered.put((number, *(answer or (False, b""))))
        finally:
            if process is not None:
                self._stop(process)

    def _start(self) -> subprocess.Popen[bytes] | None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        code = "from equipoise.engine.worker import serve; serve()"
        with self._guard:
            if self._ended:
                return None
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, self.work],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
            )
            self._living.add(process)
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        with self._guard:
            self._living.discard(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _ask(process: subprocess.Popen[bytes], arguments: str) -> tuple[bool, bytes] | None:
    """Return the answer of a worker, or None when it died."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(arguments.encode() + b"\n")
        process.stdin.flush()
        head = process.stdout.read(FRAME.size)
        if len(head) < FRAME.size:
            return None
        done, size = FRAME.unpack(head)
        content = process.stdout.read(size)
    except (OSError, ValueError):
        return None
    return (done, content) if len(content) == size else None
