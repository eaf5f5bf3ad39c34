"""Finished pieces on the disk: one .npz each, whole or absent, found again by what they are.

A piece's name is the hash of its work, its arguments and a version, so a different question
never reads an old answer. A damaged file counts as absent.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["Arrays", "ChunkStore", "pack", "unpack"]

Arrays = dict[str, NDArray[Any]]


def pack(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as the bytes of an .npz file: equal arrays, equal bytes.

    Raises
    ------
    TypeError
        Something is not an array of plain numbers or texts.

    Examples
    --------
    >>> unpack(pack({"x": np.arange(3)}))
    {'x': array([0, 1, 2])}
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            array = np.asanyarray(value)
            if not isinstance(name, str) or array.dtype.hasobject:
                raise TypeError(f"{name!r}: give arrays of numbers or texts by name")
            # A ZipInfo of our own carries no clock.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def unpack(content: bytes) -> Arrays:
    """Return the arrays of the bytes of an .npz file."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@final
@dataclass(frozen=True)
class ChunkStore:
    """Finished pieces in one folder.

    Several processes may share the folder: every file appears in one step. Files are small
    enough to hold in memory one at a time; nothing in them is ever unpickled.

    Parameters
    ----------
    folder : Path
        Made on the first save.

    Examples
    --------
    >>> import tempfile
    >>> store = ChunkStore(Path(tempfile.mkdtemp()) / "chunks")
    >>> store.save("first", {"gap": np.zeros(2)})
    >>> store.load("first")["gap"], store.load("second")
    (array([0., 0.]), None)
    """

    folder: Path

    def path(self, name: str) -> Path:
        """Return the file a piece of this name has, or would have.

        Raises
        ------
        BadInput
            A name that is not a plain file name.
        """
        if not name or name.startswith(".") or Path(name).name != name or "\\" in name:
            raise BadInput(f"chunk store: {name!r} is not a plain name; use letters and digits")
        return self.folder / f"{name}.npz"

    def has(self, name: str) -> bool:
        """Whether there is such a file; only `load` knows whether it can be read."""
        return self.path(name).is_file()

    def load(self, name: str) -> Arrays | None:
        """Return a finished piece, or None when there is none that can be read."""
        try:
            return unpack(self.path(name).read_bytes())
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            # Absent, or damaged on the disk: it is computed again.
            return None

    def save(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Keep a finished piece; an earlier one of this name is replaced."""
        self.keep(name, pack(arrays))

    def keep(self, name: str, content: bytes) -> None:
        """Keep the bytes of a finished piece, flushed to the disk.

        Raises
        ------
        BadInput
            The folder cannot be written.
        """
        place = self.path(name)
        # Two writers of one piece write the same bytes, each into a part of its own.
        part = place.with_name(f".{name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(part, place)
        except OSError as error:
            raise BadInput(
                f"{self.folder}: it cannot be written ({error.strerror or error}); free some "
                "space or choose another folder, then run the same command again: finished "
                "work is kept"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def keep_only(self, names: Collection[str]) -> None:
        """Remove every piece that is not named, and parts left by a kill."""
        kept = {f"{name}.npz" for name in names}
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            if path.suffix in (".npz", ".part") and path.name not in kept:
                path.unlink(missing_ok=True)
