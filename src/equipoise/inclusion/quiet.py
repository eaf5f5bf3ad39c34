"""Keep what compiled code prints out of the program's own output, e.g. out of JSON."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator

__all__ = ["without_lines"]


@contextlib.contextmanager
def without_lines(start: str) -> Iterator[None]:
    """Take lines that begin with `start` out of what is written to file descriptor 1 meanwhile.

    HiGHS prints a debugging line past all its settings when it repairs a solution. Everything
    else that is written meanwhile, by other threads too, appears afterwards. Where there is no
    such descriptor, nothing is done.
    """
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 1)
        try:
            yield
        finally:
            with contextlib.suppress(OSError, AttributeError, TypeError):
                ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not line.startswith(start.encode()):
                    os.write(1, line)
