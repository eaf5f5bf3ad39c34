"""The folder of a study: one writer at a time, every file whole or absent, work kept for later.

`DIR/.work/` holds the lock and, in a folder named by the study's key, one file per finished
chunk of draws. A study that differs in anything has another key and never reads them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

from equipoise.engine import ChunkStore
from equipoise.errors import BadInput
from equipoise.report.files import unwritable

__all__ = ["Workspace"]


@final
@dataclass(frozen=True)
class Workspace:
    """Finished chunks of one study in one folder.

    Parameters
    ----------
    out : Path
        The folder of the results.
    key : str
        Hash of everything the chunks depend on.
    """

    out: Path
    key: str

    @property
    def folder(self) -> Path:
        """Where the chunks of this study are."""
        return self.out / ".work" / self.key[:32]

    @classmethod
    @contextlib.contextmanager
    def opened(cls, out: Path, key: str) -> Iterator[Workspace]:
        """Hold the folder for this process while the block runs.

        Raises
        ------
        BadInput
            Another process holds it, or it cannot be written.
        """
        with contextlib.ExitStack() as stack:
            try:
                (out / ".work").mkdir(parents=True, exist_ok=True)
                handle = stack.enter_context((out / ".work" / "lock").open("a+b"))
                one = cls(out, key)
                one.folder.mkdir(exist_ok=True)
            except FileExistsError:
                raise BadInput(f"{out}: it is a file; choose a folder with --out") from None
            except OSError as error:
                raise unwritable(out, error) from None
            _lock(handle, out)
            yield one

    @property
    def store(self) -> ChunkStore:
        """Where finished chunks of draws wait."""
        return ChunkStore(self.folder)

    def store_of(self, name: str) -> ChunkStore:
        """Return where the finished chunks of one map wait."""
        return ChunkStore(self.folder / name)

    def forget_others(self) -> None:
        """Remove what earlier, different studies and kills left in this folder."""
        for path in self.folder.parent.iterdir():
            if path.is_dir() and path != self.folder:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.rglob(".*.part"):
            # A kill in the middle of a write leaves one.
            path.unlink(missing_ok=True)


def _lock(handle: IO[bytes], out: Path) -> None:
    """Take the lock, which the system itself drops when its holder dies: never stale."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(2**30)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        holder = handle.read(20).decode("ascii", "replace")
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise BadInput(
            f"{out}: {who} is running a study there now; wait for it, or choose another folder "
            "with --out"
        ) from None
    handle.seek(0)
    handle.truncate()
    handle.write(str(os.getpid()).encode())
    handle.flush()
