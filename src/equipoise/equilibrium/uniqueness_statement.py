"""What is known about the number of equilibria, and how far a test must pass to prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Uniqueness", "verdict"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Uniqueness:
    r"""What is known about the number of equilibria.

    Attributes
    ----------
    verdict : str
        "proved", "refuted" or "unknown".
    margin : float or None
        By how much the deciding test passes (> 0) or the last one tried fails (<= 0), in the
        unit named in `test`; infinite where nothing can go wrong (one group).
    test : str
        The test, with its R2 letter and the scaling of its margin, as a sentence.
    modulus : float or None
        Strong-monotonicity modulus for the distance bound of R3, where the test gives one.
    weights : (rows,) array or None
        Weights of the gaps in that bound, :math:`1/|\gamma_i|` or 1.
    """

    verdict: str
    margin: float | None
    test: str
    modulus: float | None = None
    weights: FloatArray | None = None


def verdict(
    margin: float,
    scale: float,
    test: str,
    modulus: float | None = None,
    weights: FloatArray | None = None,
) -> Uniqueness:
    """Proved when the margin exceeds the rounding error of eigenvalues of this scale."""
    if margin > 1e-12 * scale:
        return Uniqueness("proved", margin, test, modulus, weights)
    return Uniqueness("unknown", margin, test)
