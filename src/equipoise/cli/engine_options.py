"""The options that say where dear work runs, in front of a verb or after it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.errors import BadInput, MissingExtra

if TYPE_CHECKING:
    from equipoise.engine import ChunkStore, Engine

__all__ = ["AddressOption", "EngineOption", "EngineSettings", "ResumeOption", "keeping"]

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="local|ray", help="Where dear work runs: this machine, or Ray."
    ),
]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="HOST:PORT of a Ray cluster, with --engine ray.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on where the same command was interrupted.")
]

_KEY = "equipoise.engine"


@dataclass(frozen=True)
class EngineSettings:
    """What those options came to."""

    name: str | None = None
    address: str | None = None
    resume: bool = False

    def keep(self, context: typer.Context) -> None:
        """Keep what stood in front of the verb."""
        context.meta[_KEY] = self

    @classmethod
    def read(
        cls,
        context: typer.Context,
        *,
        engine: str | None = None,
        address: str | None = None,
        resume: bool = False,
    ) -> EngineSettings:
        """Join the options after the verb with those in front of it; after the verb wins."""
        before = context.meta.get(_KEY, cls())
        return cls(engine or before.name, address or before.address, resume or before.resume)

    def engine(self) -> Engine | None:
        """Return the engine; None when none was asked for.

        Raises
        ------
        BadInput
            Another name, or an address without the engine ray.
        MissingExtra
            Ray is not installed.
        """
        if self.name is None and self.address is None:
            return None
        import importlib.util

        from equipoise.engine import engine_named

        found = engine_named(self.name or "local", address=self.address)
        if self.name == "ray" and importlib.util.find_spec("ray") is None:
            raise MissingExtra("the engine ray", "ray")
        return found


@contextlib.contextmanager
def keeping(out: Path, key: str, *, resume: bool) -> Iterator[ChunkStore]:
    """Hold the store of finished chunks `out`/.work/`key`; removed when all is done.

    Raises
    ------
    KeyboardInterrupt
        With the sentence how to go on.
    """
    from equipoise.engine import ChunkStore

    store = ChunkStore(out / ".work" / key)
    if not resume:
        _remove(store.folder)
    try:
        yield store
    except KeyboardInterrupt:
        kept = len(list(store.folder.glob("*.npz"))) if store.folder.is_dir() else 0
        raise KeyboardInterrupt(
            f"interrupted; {kept} finished chunks are kept: add --resume to the same command to "
            "go on"
            if kept
            else "interrupted; no chunk was finished yet"
        ) from None
    _remove(store.folder)
    with contextlib.suppress(OSError):
        store.folder.parent.rmdir()


def _remove(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise BadInput(
            f"{folder}: earlier chunks cannot be removed ({error.strerror}); choose another --out"
        ) from None
