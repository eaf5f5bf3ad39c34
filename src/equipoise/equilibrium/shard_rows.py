"""Rows of one parameter that lie in shards: memory-mapped .npy files or Parquet."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, MissingExtra

__all__ = ["BLOCK", "Rows", "mapped"]

FloatArray = NDArray[np.float64]
Take = Callable[[int, int], Any]

BLOCK = 1 << 18
"""Rows handled at once; fewer where every row needs matrices of its own."""


@final
@dataclass(frozen=True)
class Rows:
    """One parameter of a sharded game: files cut into rows, or numbers for everybody.

    Attributes
    ----------
    field : str
        Its path in the game file.
    files : tuple of Path
        The shards in name order; empty for numbers given once.
    common : array or float or None
        Numbers that are the same for every agent.
    columns : tuple of str
        Group labels, the columns of a Parquet file; empty for one number an agent.
    """

    field: str
    files: tuple[Path, ...]
    common: Any
    columns: tuple[str, ...]

    def lengths(self) -> tuple[int, ...]:
        """Return the number of rows of every shard."""
        return tuple(self._length(path) for path in self.files)

    def _length(self, path: Path) -> int:
        if path.suffix == ".parquet":
            return int(_parquet(path).metadata.num_rows)
        array = mapped(path)
        width = (len(self.columns),) if self.columns else ()
        if array.shape[1:] != width:
            raise BadInput(
                f"{self.field}: {path.name} has rows of shape {array.shape[1:]}; write {width}"
            )
        return len(array)

    def open(self, shard: int) -> Take:
        """Return a function that reads rows low..high of a shard, in rising order."""
        if not self.files:
            return lambda low, high: self.common
        path = self.files[shard]
        if path.suffix == ".parquet":
            return _ParquetRows(path, self.columns).take
        array = mapped(path)
        return lambda low, high: np.asarray(array[low:high], dtype=np.float64)


def mapped(path: Path) -> NDArray[Any]:
    """Return a .npy file of real numbers as a memory map.

    Raises
    ------
    BadInput
        It is something else.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError):
        raise BadInput(
            f'"{path.name}" is not a plain .npy file of numbers; write it with numpy.save'
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim < 1:
        raise BadInput(f'"{path.name}" is not an array of real numbers; save it as float64')
    return array


def _parquet(path: Path) -> Any:
    try:
        module = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise MissingExtra("reading Parquet", "data") from None
    try:
        return module.ParquetFile(path)
    except (OSError, ValueError):
        raise BadInput(f'"{path.name}" is not a Parquet file; write it again') from None


class _ParquetRows:
    """Rows of a Parquet file in rising order; only what is being read is in memory."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        file = _parquet(path)
        names = tuple(file.schema_arrow.names)
        self.columns = columns or names
        if not set(self.columns) <= set(names) or (not columns and len(names) > 1):
            wanted = ", ".join(columns) or "one number"
            raise BadInput(f'"{path.name}" has the columns {", ".join(names)}; write {wanted}')
        self.flat = not columns
        self.batches = file.iter_batches(batch_size=BLOCK // 4, columns=list(self.columns))
        self.waiting = np.zeros((0, len(self.columns)))

    def take(self, low: int, high: int) -> FloatArray:
        """Return the next high − low rows."""
        parts, have = [self.waiting], len(self.waiting)
        while have < high - low:
            batch = next(self.batches)
            found = [batch.column(name).to_numpy(zero_copy_only=False) for name in self.columns]
            parts.append(np.column_stack(found).astype(np.float64))
            have += len(parts[-1])
        whole = np.concatenate(parts)
        self.waiting = whole[high - low :].copy()
        taken = whole[: high - low]
        return taken[:, 0] if self.flat else np.ascontiguousarray(taken)
