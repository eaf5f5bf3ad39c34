"""How this room compiles: numba without the interpreter's lock, the result kept on disk.

Threads are ours (`compiled.each_chunk`), never numba's own. The decorator keeps a function's
declared types, which numba itself ignores: it compiles for the arrays that come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["SAFE_MATH", "Floats", "Marks", "Places", "jit"]

Floats = NDArray[np.float64]

Marks = NDArray[np.uint8]
"""Which groups are served: 0 or 1 each."""

Places = NDArray[np.integer[Any]]
"""Indices."""

F = TypeVar("F", bound=Callable[..., object])

SAFE_MATH = frozenset({"contract", "reassoc", "nsz"})
"""Sums in any order, but NaN and infinity keep their meaning."""


def jit(*, fastmath: bool | frozenset[str] = False) -> Callable[[F], F]:
    """Return the decorator that compiles a function on first use."""
    flags = set(fastmath) if isinstance(fastmath, frozenset) else fastmath

    def compiled(function: F) -> F:
        make = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=flags)
        return cast("F", make(function))

    return compiled
