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
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, final

from equipoise.display import shortened
from equipoise.errors import BadInput, EquipoiseError, MissingExtra, nearest
from equipoise.llm.backend import Capabilities
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.stems import Stems

__all__ = ["LocalServer", "ServerFailed", "gguf_digest"]

ALTERNATIVES = 100
"""Alternatives a token: more than any scale has points, cheap to send on loopback."""


class ServerFailed(EquipoiseError, RuntimeError):
    """The local server did not start, or ended; the message has its last words."""


def gguf_digest(path: Path) -> str:
    """Return the sha256 of a model file or an adapter file.

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
    adapters : mapping of label to Path
        LoRA adapters in GGUF, made for this model. All are held beside one copy of the model; a
        request says which it wants (`backend`), and without saying so gets none.

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
        adapters: Mapping[str, Path] | None = None,
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
        self.adapters = dict(adapters or {})
        self.adapter_digests = {k: gguf_digest(path) for k, path in self.adapters.items()}
        self.address = ""
        self._stems = Stems() if slots == 1 else None
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
        """What can be asked: the files, not the port; known before the server runs."""
        adapters = {"adapters": dict(self.adapter_digests)} if self.adapters else {}
        return self._base | adapters

    @property
    def _base(self) -> dict[str, Any]:
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
            continuation=True,
            free=True,
        )

    def scales(self, adapter: str | Mapping[str, float] = "") -> tuple[float, ...]:
        """Return the scale of every adapter, in the order in which they were given.

        Parameters
        ----------
        adapter : str or mapping of label to float
            One adapter in full; several, each with its scale (their weight changes are added:
            interpolation of weights, which is no mixture of what the models say); "" for none.

        Raises
        ------
        BadInput
            An unknown label; a scale that is not a number.
        """
        chosen = {adapter: 1.0} if isinstance(adapter, str) else dict(adapter)
        chosen.pop("", None)
        for label, scale in chosen.items():
            if label not in self.adapters:
                known = nearest(label, tuple(self.adapters)) if self.adapters else "there are none"
                raise BadInput(f'adapter: there is no "{label}"; {known}')
            if not math.isfinite(scale):
                raise BadInput(f"adapter: the scale of {label} is {scale}; write a number")
        return tuple(float(chosen.get(label, 0.0)) for label in self.adapters)

    def identity_with(self, adapter: str | Mapping[str, float] = "") -> dict[str, Any]:
        """Return what is asked through `backend`: the model's file and the adapters in use.

        Without any it is that of the model file alone: an adapter at scale 0 changes no number.
        """
        used = {
            label: {"sha256": self.adapter_digests[label], "scale": scale}
            for label, scale in zip(self.adapters, self.scales(adapter), strict=True)
            if scale
        }
        return self._base | ({"adapters": used} if used else {})

    def backend(self, adapter: str | Mapping[str, float] = "") -> OpenAIHTTP:
        """Return the backend that asks this server, with adapters as `scales` takes them."""
        lora = self.scales(adapter)
        return OpenAIHTTP(
            Endpoint(f"{self.address}/v1", "local", flavour="llama.cpp", lora=lora),
            capabilities=self.capabilities,
            identity=self.identity_with(adapter),
            stems=self._stems,
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
            "adapters": [str(path.resolve()) for path in self.adapters.values()],
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
