r"""How many answers are needed, before anything is asked (R14).

From the information of one unit follows the standard error of n of them,
:math:`\sqrt{(J^{-1} - ww^\top)_{kk}/n}`, and so the n that a standard error of 0.05 needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.identify import identify
from equipoise.measure.information import Asked

__all__ = ["Power", "power"]

FloatArray = NDArray[np.float64]

TARGET = 0.05


@final
@dataclass(frozen=True, eq=False)
class Power(Tabled):
    """What an audit of n units can see.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    asked : Asked
        The unit.
    reference : (K,) array
        The mixture it was worked out at.
    one : (K,) array
        Standard error of each weight from a single unit; of n units it is this over sqrt(n).
    """

    groups: tuple[str, ...]
    asked: Asked
    reference: FloatArray
    one: FloatArray

    def standard_errors(self, n: int) -> FloatArray:
        """Give the standard error of every weight, (K,), from n units."""
        return np.asarray(self.one / math.sqrt(n))

    def needed(self, target: float = TARGET) -> dict[str, int | None]:
        """Units needed for this standard error, per group; None where no number is enough."""
        if not target > 0.0:
            raise BadInput(f"target: a standard error is above 0, got {target}; write 0.05")
        return {
            g: math.ceil((e / target) ** 2) if math.isfinite(e) else None
            for g, e in zip(self.groups, self.one.tolist(), strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "unit": self.asked.words,
            "standard_error_of_one": dict(zip(self.groups, self.one.tolist(), strict=True)),
            "target": TARGET,
            "needed": self.needed(),
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: units for a standard error of 0.05."""
        needed = self.needed()
        return [
            {"group": g, "weight": float(w), "standard_error_of_one": float(e), "needed": needed[g]}
            for g, w, e in zip(self.groups, self.reference, self.one, strict=True)
        ]

    def __repr__(self) -> str:
        return f"Power({self.asked.words}; needed: {self.needed()})"


def power(
    laws: AnswerLaws, items: int, *, weights: ArrayLike | None = None, seed: int = 0
) -> Power:
    """Work out how precise an audit will be.

    Parameters
    ----------
    laws : AnswerLaws
        How the groups answer.
    items : int
        Questions per unit: 1 for single answers, more for sheets answered by one draw of the
        group.
    weights : (K,) array, optional
        The mixture expected; even weights by default. The result changes little with it.
    seed : int
        Of the simulation of sheets.

    Returns
    -------
    Power. Not guaranteed: that real sheets are independent given the group, or that the panel's
    laws are exact; both make real errors larger.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> power(laws, 1).needed(0.05)
    {'a': 157, 'b': 157}
    """
    found = identify(laws, Asked(items), 1, weights=weights, seed=seed)
    k = len(laws.groups)
    reference = np.full(k, 1.0 / k) if weights is None else np.asarray(weights, np.float64)
    return Power(laws.groups, found.asked, reference, found.standard_errors)
