"""The seam to compiled code: when it is used, on which threads, in which order sums are made.

Arrays are cut into chunks of fixed size and partial sums are added in chunk order, so a result
does not depend on the number of threads. Nothing here is imported for games below `ROWS`.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHUNK", "ROWS", "announced", "available", "each_chunk", "readable"]

FloatArray = NDArray[np.float64]

ROWS = 10_000
"""Fewer rows than this never compile anything."""

CHUNK = 1 << 15


@functools.cache
def available() -> bool:
    """Whether numba is installed (extra "fast"); without it NumPy does the same work."""
    return importlib.util.find_spec("numba") is not None


@functools.cache
def _threads() -> ThreadPoolExecutor:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ThreadPoolExecutor(count or 1, thread_name_prefix="equipoise")


def readable(array: FloatArray) -> FloatArray:
    """Return a read-only C-contiguous view (a copy only if it has to be): one compiled type."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


_compiled: set[object] = set()
"""Code of the work done before in this process."""


def each_chunk(rows: int, work: Callable[[int, int, int], None], size: int | None = None) -> None:
    """Call `work(chunk number, low, high)` for every chunk of rows, on all threads."""
    size = CHUNK if size is None else size
    chunks = -(-rows // size)
    first = min(size, rows)
    code = getattr(work, "__code__", None)
    if code in _compiled:
        work(0, 0, first)
    else:
        # The notice needs a thread of its own: only where something may be compiled.
        with announced():
            work(0, 0, first)
        _compiled.add(code)
    if chunks == 1:
        return
    list(_threads().map(lambda c: work(c, c * size, min(rows, (c + 1) * size)), range(1, chunks)))


class announced:
    """Say on the log that code is being compiled, if that takes long enough to notice."""

    def __enter__(self) -> None:
        self.timer = threading.Timer(
            0.8,
            logging.getLogger("equipoise").warning,
            ("compiling for this machine (once, a few seconds) …",),
        )
        self.timer.daemon = True
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()
