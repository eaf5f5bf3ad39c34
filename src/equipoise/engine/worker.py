"""What a worker does with a piece: import the function, call it, give back bytes or a sentence.

Both engines answer through `answer`. `serve` is the whole life of a local worker process: lines
of JSON in, framed bytes out; it ends when its parent does.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any

import equipoise.errors
from equipoise.engine.store import pack
from equipoise.errors import BadInput, EquipoiseError

__all__ = ["FRAME", "ONE_THREAD", "PieceFailed", "answer", "failure", "serve", "told"]

FRAME = struct.Struct(">?Q")
"""Before every answer: whether it is a result, and its length."""

ONE_THREAD = {
    f"{library}_THREADS": "1"
    for library in ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "BLIS_NUM", "NUMBA_NUM", "VECLIB_MAXIMUM")
}
"""One thread a worker: as many workers as cores, and sums in one order everywhere."""


class PieceFailed(EquipoiseError, RuntimeError):
    """A piece of work failed or lost its worker; the message names it and what to do."""


def work_function(name: str) -> Callable[..., Mapping[str, Any]]:
    """Return the function of an import path "module:function"."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Mapping[str, Any]] = getattr(importlib.import_module(module), attribute)
    return found


def answer(name: str, arguments: str) -> tuple[bool, bytes]:
    """Run one piece; return (True, .npz bytes), or (False, JSON of what went wrong)."""
    try:
        found = work_function(name)(**json.loads(arguments))
        if not isinstance(found, Mapping):
            raise TypeError(f"it returned {type(found).__name__}; return arrays by name")
        return True, pack(found)
    except Exception as error:  # noqa: BLE001  # carried to the caller as a sentence
        return False, told(error)


def told(error: Exception) -> bytes:
    """Return an exception as JSON: its class, its sentence, where it came from."""
    parts = {
        "kind": type(error).__name__,
        "ours": isinstance(error, EquipoiseError),
        "text": str(error),
        "trace": "".join(traceback.format_exception(error)),
    }
    return json.dumps(parts).encode()


def failure(name: str, number: int, content: bytes) -> EquipoiseError:
    """Return the exception for a failed piece: of its own class where that is one of ours."""
    parts = json.loads(content)
    kind = getattr(equipoise.errors, parts["kind"], None) if parts["ours"] else None
    if isinstance(kind, type) and issubclass(kind, EquipoiseError):
        error = kind.__new__(kind)
        error.args = (parts["text"],)
    else:
        text = f"{parts['kind']}: {parts['text']}" if parts["text"] else parts["kind"]
        error = PieceFailed(f"piece {number} of {name} failed: {text}")
    error.add_note(f"In the worker of piece {number} of {name}:\n{parts['trace']}")
    return error


def serve() -> None:
    """Answer pieces on the standard streams until the input ends (one local worker)."""
    # Ctrl-C reaches the whole terminal group; what to do about it is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name = sys.argv[1]
    channel = os.fdopen(os.dup(1), "wb")
    # Whatever the work prints belongs on stderr, not between two frames.
    os.dup2(2, 1)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    while True:
        done, content = answer(name, asked.get().decode())
        channel.write(FRAME.pack(done, len(content)) + content)
        channel.flush()


def _listen(stream: IO[bytes], asked: queue.SimpleQueue[bytes]) -> None:
    for line in stream:
        asked.put(line)
    # The parent is gone, perhaps in the middle of a piece nobody waits for any more.
    os._exit(0)


def importable(work: object) -> str:
    """Return the import path of a module-level function.

    Raises
    ------
    BadInput
        A lambda, a method, a function inside another, or one of the script being run.
    """
    module, name = getattr(work, "__module__", None), getattr(work, "__qualname__", "")
    if not callable(work) or not module or not name.isidentifier():
        raise BadInput(
            f"engine: {work!r} cannot be found by another process; give a function defined at "
            "the top of a module"
        )
    if module == "__main__":
        raise BadInput(
            f"engine: {name} stands in the script being run; move it into a module of its own"
        )
    if getattr(sys.modules.get(module), name, None) is not work:
        raise BadInput(f"engine: {module}.{name} is another object; give the function itself")
    return f"{module}:{name}"
