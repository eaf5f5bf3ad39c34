"""Models by name: fetched, added, listed, opened.

What is known of a model is a small JSON file in the user's configuration; files fetched lie in the
user's cache. `EQUIPOISE_HOME` moves both into one folder. No key is ever in either: a model names
the environment variable that holds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from equipoise.errors import BadInput, nearest
from equipoise.llm.addresses import checked_url, host_of
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.local_server import LocalServer, gguf_digest
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP

__all__ = [
    "Known",
    "add_model",
    "cache_folder",
    "known_models",
    "local_server",
    "model_named",
    "open_model",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def cache_folder() -> Path:
    """Return where fetched files lie."""
    if home := os.environ.get("EQUIPOISE_HOME"):
        return Path(home) / "models"
    import platformdirs

    return platformdirs.user_cache_path("equipoise") / "models"


def _registry() -> Path:
    if home := os.environ.get("EQUIPOISE_HOME"):
        return Path(home) / "models.json"
    import platformdirs

    return platformdirs.user_config_path("equipoise") / "models.json"


@final
@dataclass(frozen=True)
class Known:
    """A model as it is known by name.

    Parameters
    ----------
    name : str
        Letters, digits, dots, hyphens.
    gguf : str
        Path of a model file, or "".
    sha256 : str
        Of that file.
    size : int
        Of that file, in bytes; when it has changed the file is another.
    url, model, key_env, flavour : str
        An address, as for `Endpoint`.
    licence : str
        Where it is known.
    found : mapping
        What `models doctor` found out: capabilities and when.
    """

    name: str
    gguf: str = ""
    sha256: str = ""
    size: int = 0
    url: str = ""
    model: str = ""
    key_env: str = ""
    flavour: str = "other"
    licence: str = ""
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The file, or the host a question (and a key) goes to."""
        return self.gguf or host_of(self.url)

    @property
    def capabilities(self) -> Capabilities | None:
        """What the doctor found, or None before it looked."""
        known = self.found.get("capabilities")
        return Capabilities(**known) if isinstance(known, dict) else None


def known_models() -> dict[str, Known]:
    """Return all models by name.

    Raises
    ------
    BadInput
        The file was damaged.
    """
    path = _registry()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: Known(name=name, **entry) for name, entry in sorted(data.items())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        raise BadInput(
            f"{path}: the list of models cannot be read; remove it and add them again"
        ) from None


def model_named(name: str) -> Known:
    """Return one model.

    Raises
    ------
    BadInput
        There is none of this name; the nearest is named.
    """
    models = known_models()
    if name not in models:
        known = f"; {nearest(name, models)}" if models else ""
        raise BadInput(
            f'models: there is no "{name}"{known}. Add one: equipoise models pull smollm2-135m, '
            "or equipoise models add NAME --gguf FILE | --url ADDRESS"
        )
    return models[name]


def add_model(
    name: str,
    *,
    gguf: Path | None = None,
    url: str = "",
    model: str = "",
    key_env: str = "",
    flavour: str = "other",
    licence: str = "",
) -> Known:
    """Remember a model under a name; one of the same name is replaced.

    Raises
    ------
    BadInput
        Not exactly one of a file and an address, or one that cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise BadInput("models: a name has letters, digits, dots and hyphens, at most 64")
    if (gguf is None) == (not url):
        raise BadInput("models: give --gguf FILE or --url ADDRESS, and not both")
    if gguf is not None:
        if model or key_env:
            raise BadInput("models: a file needs no --model and no --key-env")
        path = gguf.resolve()
        digest = gguf_digest(path)
        known = Known(
            name, gguf=str(path), sha256=digest, size=path.stat().st_size, licence=licence
        )
    else:
        url = url.rstrip("/")
        parts = checked_url(url, with_key=bool(key_env))
        url = url if parts.path else f"{url}/v1"
        Endpoint(url, model or "default", key_env, flavour)
        known = Known(name, url=url, model=model, key_env=key_env, flavour=flavour)
    remember(known)
    return known


def remember(known: Known) -> None:
    """Write one model into the list, in one step."""
    path = _registry()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        models = known_models() | {known.name: known}
        data = {n: {k: v for k, v in asdict(m).items() if k != "name"} for n, m in models.items()}
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(part, path)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process: two `models add` at once both count."""
    import sqlite3

    db = sqlite3.connect(path.with_name(path.name + "-lock"), timeout=30.0, isolation_level=None)
    try:
        db.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        db.close()


@contextlib.contextmanager
def open_model(
    name: str, *, slots: int = 1, context: int = 2048, threads: int = 0
) -> Iterator[Backend]:
    """Open a model by name: a local file is served while the block runs.

    Parameters
    ----------
    name : str
        A name of `known_models`.
    slots, context, threads : int
        As for `LocalServer`; of no effect for an address.

    Raises
    ------
    BadInput
        No such model, or its file has changed since it was added.
    """
    known = model_named(name)
    if known.url:
        yield OpenAIHTTP(endpoint_of(known), capabilities=known.capabilities)
        return
    with local_server(name, slots=slots, context=context, threads=threads) as server:
        yield server.backend()


def local_server(
    name: str,
    *,
    adapters: Mapping[str, Path] | None = None,
    slots: int = 1,
    context: int = 2048,
    threads: int = 0,
) -> LocalServer:
    """Return the server, not yet started, of a model whose file is on this machine.

    Parameters
    ----------
    name : str
        A name of `known_models`.
    adapters, slots, context, threads
        As for `LocalServer`.

    Raises
    ------
    BadInput
        No such model, it is an address, or its file has changed since it was added.
    """
    known = model_named(name)
    if not known.gguf:
        raise BadInput(f"model {name} is an address; adapters need a model file on this machine")
    path = Path(known.gguf)
    if not path.is_file():
        raise BadInput(f"{path}: the file of model {name} is gone; pull or add it again")
    if path.stat().st_size != known.size:
        raise BadInput(f"{path}: the file of model {name} has changed; add it again")
    return LocalServer(
        path, slots=slots, context=context, threads=threads, digest=known.sha256, adapters=adapters
    )


def endpoint_of(known: Known) -> Endpoint:
    """Return where a model with an address is asked."""
    return Endpoint(known.url, known.model or "default", known.key_env, known.flavour)
