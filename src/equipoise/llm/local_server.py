"""A llama.cpp server of our own: one model file, one child process, one loopback address.

llama.cpp comes prebuilt (`xllamacpp`, the extra `local`). It runs in a child because it cannot be
stopped and writes to standard error; the child ends with this process, also when this process is
killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, final

from equipoise.display import shortened
from equipoise.errors import BadInput, EquipoiseError, MissingExtra
from equipoise.llm.backend import Capabilities
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP

__all__ = ["LocalServer", "ServerFailed", "gguf_digest"]

ALTERNATIVES = 100
"""Alternatives a token: more than any scale has points, cheap to send on loopback."""


class ServerFailed(EquipoiseError, RuntimeError):
    """The local server did not start, or ended; the message has its last words."""


def gguf_digest(path: Path) -> str:
    """Return the sha256 of a model file.

    Raises
    ------
    BadInput
        No such file, or not GGUF.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise BadInput(f"{path}: it is not a GGUF file; convert the model first")
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: it cannot be read ({error.strerror}); check the name") from None


@final
class LocalServer:
    """A model file served on this machine while the block runs.

    Parameters
    ----------
    model : Path
        A GGUF file.
    slots : int
        Requests worked on at once. One gives the same numbers whatever else is asked; several are
        faster where long texts are sampled (not where options are scored), but what a model says
        then moves a little with what is asked beside it. Which it was is part of the identity.
    context : int
        Tokens a request may have, prompt and answer together.
    threads : int
        Threads that compute; 0 means one a usable core. On a machine that is busy with other work
        fewer are faster: they wait for one another.
    log : Path, optional
        Where llama.cpp's messages go; default nowhere.
    patience : float
        Seconds the model may take to load.
    digest : str
        The file's sha256 where it is known; default: read it.

    Raises
    ------
    MissingExtra
        `xllamacpp` is not installed.
    ServerFailed
        The model cannot be loaded.
    """

    def __init__(
        self,
        model: Path,
        *,
        slots: int = 1,
        context: int = 2048,
        threads: int = 0,
        log: Path | None = None,
        patience: float = 300.0,
        digest: str = "",
    ) -> None:
        if not 1 <= slots <= 64 or context < 16:
            raise BadInput("local server: slots lie between 1 and 64, context is at least 16")
        self.model = model
        self.slots = slots
        self.context = context
        if not threads:
            # Imported late: the child process needs nothing of it.
            from equipoise.engine.local import usable_cores

            threads = usable_cores()
        self.threads = threads
        self.log = log
        self.patience = patience
        self.digest = digest or gguf_digest(model)
        self.address = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("a local model", "local")
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def identity(self) -> dict[str, Any]:
        """What is asked: the file, not the port; known before the server runs."""
        return {
            "kind": "llama.cpp",
            "sha256": self.digest,
            "at_once": "one" if self.slots == 1 else "several",
        }

    @property
    def capabilities(self) -> Capabilities:
        """What llama.cpp can be asked."""
        return Capabilities(
            chat=True,
            completions=True,
            chat_scores=ALTERNATIVES,
            completion_scores=ALTERNATIVES,
            free=True,
        )

    def backend(self) -> OpenAIHTTP:
        """Return the backend that asks this server."""
        return OpenAIHTTP(
            Endpoint(f"{self.address}/v1", "local", flavour="llama.cpp"),
            capabilities=self.capabilities,
            identity=self.identity,
        )

    @property
    def pid(self) -> int:
        """The child's process number."""
        assert self._process is not None
        return self._process.pid

    def end(self) -> None:
        """End the child at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        if self._words is not None:
            self._words.close()
            self._words = None

    def _start(self) -> None:
        self._words = self.log.open("ab") if self.log else tempfile.TemporaryFile()  # noqa: SIM115  # open while the child lives
        settings = {
            "model": str(self.model.resolve()),
            "slots": self.slots,
            "context": self.context,
            "threads": self.threads,
            "parent": os.getpid(),
        }
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        code = "from equipoise.llm.local_child import serve; serve()"
        keyless = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**keyless, "PYTHONPATH": path},
        )
        said = self._first_line(self._process)
        if "address" not in said:
            raise ServerFailed(
                f"{self.model.name}: the local server did not start "
                f"({said.get('failed', 'it ended')}); its last words: {self._last_words()}"
            )
        self.address = said["address"]

    def _first_line(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        assert process.stdout is not None
        reader = process.stdout
        threading.Thread(target=lambda: lines.put(reader.readline()), daemon=True).start()
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            try:
                # A bounded wait: on Windows Ctrl-C does not wake an unbounded one.
                line = lines.get(timeout=0.5)
            except queue.Empty:
                continue
            try:
                said = json.loads(line)
            except ValueError:
                return {}
            return said if isinstance(said, dict) else {}
        return {"failed": f"not ready after {self.patience:g} s"}

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            file = self.log.open("rb") if self.log else self._words
            assert file is not None
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 400))
            words = file.read().decode("utf-8", "replace")
            if self.log:
                file.close()
            return shortened(words[-300:], 300) or "none"
        return "none"
