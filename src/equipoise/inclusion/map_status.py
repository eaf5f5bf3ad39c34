"""What is known about a cell of a map; the value is kept in arrays, the sentence shown."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Status", "left_out"]

FloatArray = NDArray[np.float64]


class Status(IntEnum):
    """How a cell was settled."""

    unique = 0
    certified = 1
    failed = 2
    inferred = 3

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.unique: "an equilibrium was certified and proved to be the only one",
    Status.certified: "an equilibrium was certified; others may exist",
    Status.failed: "no equilibrium was certified",
    Status.inferred: "not solved: the cells around it leave out the same groups",
}


def left_out(top_weight: FloatArray, below: float) -> NDArray[np.bool_]:
    """Whether each group is excluded at these top weights: 0, or below the threshold."""
    return np.asarray(top_weight < below if below > 0 else top_weight == 0.0)
