"""Files of a report: each whole or absent, and on the disk when the function returns."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from equipoise.errors import BadInput

__all__ = ["make_folder", "unwritable", "write_whole"]


def make_folder(path: Path) -> Path:
    """Make a folder and return it.

    Raises
    ------
    BadInput
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BadInput(f"{path}: it is a file; choose a folder") from None
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step or not at all, and flushed to the disk.

    Raises
    ------
    BadInput
        It cannot be written: disk full, no permission, not a folder.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> BadInput:
    """Return the sentence for a file or folder that cannot be written."""
    return BadInput(
        f"{path}: it cannot be written ({error.strerror or error}); free some space or choose "
        "another folder with --out, then run the same command again: finished work is kept"
    )
