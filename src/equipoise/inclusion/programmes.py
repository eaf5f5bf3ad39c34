"""SciPy's optimisers, imported when first used: `solve` and the command line never load them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["optimisers", "sparse"]


def optimisers() -> Any:
    """Return `scipy.optimize`: HiGHS for linear and mixed-integer programmes, SLSQP."""
    import scipy.optimize as module

    return _any(module)


def sparse() -> Any:
    """Return `scipy.sparse`."""
    import scipy.sparse as module

    return _any(module)


def _any(module: ModuleType) -> Any:
    return module
