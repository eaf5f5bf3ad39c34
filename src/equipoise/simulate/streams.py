"""Chance by counter: round t has a stream of its own, whatever was done before it."""

from __future__ import annotations

import numpy as np

__all__ = ["of_round"]

PURPOSE = 0x51B07A7E
"""Second word of the key: no other part of the library draws from these streams."""


def of_round(seed: int, number: int) -> np.random.Generator:
    """Return the generator of one round: a function of seed and number alone.

    Parameters
    ----------
    seed : int
        0 to 2⁶³ − 1.
    number : int
        Of the round, from 0.

    Examples
    --------
    >>> float(of_round(7, 3).random()) == float(of_round(7, 3).random())
    True
    >>> float(of_round(7, 3).random()) == float(of_round(7, 4).random())
    False
    """
    key = np.array([seed, PURPOSE], dtype=np.uint64)
    counter = np.array([0, 0, 0, number], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
