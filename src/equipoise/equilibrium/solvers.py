"""The methods `solve` may be told to use: settings only, one small frozen object each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["AnyOf", "ClosedForm", "InteriorPoint", "Lemke", "MeanFieldNewton", "PotentialAscent"]


@final
@dataclass(frozen=True)
class ClosedForm:
    """Formulas: agents alone and identical agents (R4), interior games (R5), KL (R8), R9."""


@final
@dataclass(frozen=True)
class MeanFieldNewton:
    """Newton's method on the coverage (R10): default network, any number of agents."""


@final
@dataclass(frozen=True)
class PotentialAscent:
    """Best responses in turn, or damped steps together, up the potential (R11)."""

    max_steps: int = 3000


@final
@dataclass(frozen=True)
class Lemke:
    """Complementary pivoting on the whole game: small affine games of any sign and network."""


@final
@dataclass(frozen=True)
class InteriorPoint:
    """Primal–dual path following: any mix of terms (KL, audience share)."""

    max_steps: int = 200


AnyOf = ClosedForm | MeanFieldNewton | PotentialAscent | Lemke | InteriorPoint
