"""Arrays that lie beside a game file: .npy files, shards of them, and .npz draws.

Nothing outside the file's own folder is ever opened (symbolic links are followed first), and
nothing is unpickled. A single .npy file is memory-mapped.
"""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["beside", "read_arrays", "read_draws_file"]

FloatArray = NDArray[np.float64]

MAX_DRAWS_BYTES = 4 * 2**30


def beside(folder: Path | None, name: str) -> list[Path]:
    """Return the files `name` stands for in `folder`, a pattern's in name order.

    Parameters
    ----------
    folder : Path or None
        Where the game file lies; None when the game did not come from a file.
    name : str
        A relative path; `*` in its last part means all matching files.

    Raises
    ------
    BadInput
        A path that leaves the folder, also through a symbolic link; no such file.
    """
    if folder is None:
        raise BadInput(f'"{name}" is a path, but there is no file it lies beside; give the numbers')
    root = folder.resolve()
    *parts, last = name.split("/")
    if os.path.isabs(name) or ".." in parts or "\\" in name or "\0" in name or ":" in name:
        raise BadInput(f'"{name}" leaves the folder of the game file; write a path inside it')
    parent = root.joinpath(*parts)
    if "*" in last:
        pattern = glob.escape(last).replace("[*]", "*")
        found = sorted(parent.glob(pattern), key=lambda path: path.name)
    else:
        found = [parent / last]
    if not found:
        raise BadInput(f'no file matches "{name}" beside the game file; check the pattern')
    for path in found:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise BadInput(f'there is no file "{name}" beside the game file; check it') from None
        if not real.is_relative_to(root):
            raise BadInput(f'"{name}" leaves the folder of the game file; write a path inside it')
        if not real.is_file():
            raise BadInput(f'"{name}" is not a file; write the path of a .npy file')
    return found


def read_arrays(folder: Path | None, name: str) -> tuple[FloatArray, tuple[int, ...]]:
    """Return the numbers of a .npy file or of all shards, and the rows of each shard.

    A single file is memory-mapped; shards are concatenated along their rows in memory.
    """
    pieces = [_read_npy(path) for path in beside(folder, name)]
    if len(pieces) == 1 and "*" not in name:
        return pieces[0], ()
    shapes = {piece.shape[1:] for piece in pieces}
    if len(shapes) > 1 or pieces[0].ndim == 0:
        raise BadInput(f'the files of "{name}" have rows of different shapes; write them alike')
    return np.concatenate(pieces), tuple(len(piece) for piece in pieces)


def _read_npy(path: Path) -> FloatArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError):
        raise BadInput(
            f'"{path.name}" is not a plain .npy file of numbers; write it with numpy.save'
        ) from None
    if not isinstance(array, np.ndarray):
        raise BadInput(f'"{path.name}" is an archive; write one array with numpy.save')
    return _numeric(array, path.name)


def _numeric(array: NDArray[np.generic], name: str) -> FloatArray:
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise BadInput(f'"{name}" holds {array.dtype}, not real numbers; save it as float64')
    # A map stays a map (asarray copies nothing when the type is float64 already).
    return np.asarray(array, dtype=np.float64)


def read_draws_file(folder: Path | None, name: str, known: Sequence[str]) -> dict[str, FloatArray]:
    """Return the arrays of an .npz file of joint draws, keyed by field path.

    Raises
    ------
    BadInput
        Not a plain .npz, an unknown key, a number that is not finite, unequal numbers of draws.
    """
    (path,) = beside(folder, name)[:1]
    out: dict[str, FloatArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MAX_DRAWS_BYTES:
            raise BadInput(f'"{name}" unpacks to {size / 2**30:.1f} GB; keep fewer draws')
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                if key not in known:
                    raise BadInput(f'"{name}" holds "{key}"; known are: {", ".join(known)}')
                out[key] = _numeric(arrays[key], f"{name}/{key}")
    except BadInput:
        raise
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, zipfile.BadZipFile):
        raise BadInput(
            f'"{name}" is not a plain .npz file of numbers; write it with numpy.savez'
        ) from None
    lengths = {key: len(array) if array.ndim else 0 for key, array in out.items()}
    if not out or len(set(lengths.values())) > 1 or min(lengths.values()) < 1:
        listed = ", ".join(f"{key} {n}" for key, n in lengths.items()) or "none"
        raise BadInput(f'"{name}" needs one number of draws for all arrays, got {listed}')
    for key, array in out.items():
        if not np.isfinite(array).all():
            raise BadInput(f'"{name}": {key} holds a number that is not finite; replace it')
    return out
