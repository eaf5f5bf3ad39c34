"""Numbers as JSON has them: read strictly, and written short."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equipoise.errors import BadInput

__all__ = ["number", "or_word", "rounded"]


def number(name: str, given: Any) -> float:
    """Return a number a page or a link sent.

    Parameters
    ----------
    name : str
        Of the field, as it begins the sentence about it.
    given : Any
        What JSON read: it knows NaN, Infinity and integers larger than any float.

    Raises
    ------
    BadInput
        It is not a finite number.

    Examples
    --------
    >>> number("x", 2)
    2.0
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadInput(f"{name}: it is not a number; write one, e.g. 1.5")
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise BadInput(f"{name}: write a finite number, e.g. 1.5")
    return value


def rounded(array: Any, digits: int = 6) -> Any:
    """Return numbers as plain values with a few digits."""
    return np.round(np.asarray(array, dtype=np.float64), digits).tolist()


def or_word(value: float) -> float | str:
    """Return a number as JSON has it; infinite and undefined ones as words."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
