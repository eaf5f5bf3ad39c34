"""The life of a child process that serves one model file with llama.cpp.

It writes its address as one line of JSON, then serves until its parent is gone: when standard
input ends, or when it has been handed to another parent. It has no other way to be stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from typing import Any

__all__ = ["serve"]

HTTP_THREADS = 72


def serve() -> None:
    """Read settings from the command line, serve, and end with the parent."""
    settings = json.loads(sys.argv[1])
    out = os.dup(sys.stdout.fileno())
    # llama.cpp may write anywhere: only our one line reaches the parent.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _die_with_parent(settings["parent"])
    threading.Thread(target=_watch, args=(settings["parent"],), daemon=True).start()
    try:
        address = _started(settings)
        line = json.dumps({"address": address})
    except Exception as error:  # noqa: BLE001  # carried to the parent as a sentence
        line = json.dumps({"failed": f"{type(error).__name__}: {error}"})
    os.write(out, line.encode() + b"\n")
    os.close(out)
    while True:
        time.sleep(3600)


def _started(settings: dict[str, Any]) -> str:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    # A connection that is kept open holds a thread: more than we ever have in flight.
    params.n_threads_http = HTTP_THREADS
    # With flash attention what a model says depends more on what is asked at the same moment.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.ui = False
    params.offline = True
    params.endpoint_slots = False
    params.verbosity = 1
    if settings["adapters"]:
        # A request that names none gets none: llama.cpp's own default would be all of them.
        params.lora_adapters = [
            xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]
        ]
    global _server
    _server = xllamacpp.Server(params)
    return str(_server.listening_address)


_server: Any = None
"""Kept: llama.cpp serves as long as this object lives."""


def _watch(parent: int) -> None:
    """End the process when standard input ends or the parent is another."""

    def ended() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        os._exit(0)

    threading.Thread(target=ended, daemon=True).start()
    while os.name == "nt" or os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _die_with_parent(parent: int) -> None:
    """Ask Linux to end us with the parent, also while a model is being loaded."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)
