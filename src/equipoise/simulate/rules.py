"""The rules of the platform and of the agents themselves, while they hold: a phase of the loop."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput

__all__ = ["Rules"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Rules:
    r"""What agents are paid and held to. No appeal and no kernel: those are found in the loop.

    Parameters
    ----------
    attraction : (N,) array
        :math:`\alpha_i`, pay per unit of agreement.
    pull : (N,) array
        :math:`\beta_i > 0`, how strongly an agent is held to its own anchor.
    apart : (N,) array
        :math:`\gamma_i`, charge per unit of overlap with the others.
    anchor : (N, K) array
        :math:`c_i`, known to the agent itself.
    prices : (K,) array
        :math:`\delta_k`, paid per post spoken for group k: a public tariff.
    audience : (K,) array
        How much of the audience each group is.
    form : str
        "quadratic" or "kl": how leaving the anchor counts.
    marked : bool
        Whether posts say for whom they are made (groups then do not overlap, S = I); otherwise
        agents see answers only.
    """

    attraction: FloatArray
    pull: FloatArray
    apart: FloatArray
    anchor: FloatArray
    prices: FloatArray
    audience: FloatArray
    form: str = "quadratic"
    marked: bool = False

    def __post_init__(self) -> None:
        n, k = self.anchor.shape
        for name in ("attraction", "pull", "apart"):
            value = np.broadcast_to(np.asarray(getattr(self, name), np.float64), (n,))
            object.__setattr__(self, name, np.ascontiguousarray(value))
        if not (self.pull > 0).all():
            raise BadInput(
                "simulate: every agent needs a consistency weight above 0, which is what holds its "
                "mixture still; raise game.consistency"
            )
        if self.prices.shape != (k,) or self.audience.shape != (k,):
            raise BadInput(
                f"simulate: give one price and one audience share for each of {k} groups"
            )

    @property
    def meets(self) -> bool:
        """Whether agents mind each other at all."""
        return len(self.anchor) > 1 and bool(self.apart.any())

    @property
    def digest(self) -> str:
        """sha256 of everything here."""
        out = hashlib.sha256(f"{self.form} {self.marked}".encode())
        for name in ("attraction", "pull", "apart", "anchor", "prices", "audience"):
            out.update(np.ascontiguousarray(getattr(self, name), dtype=np.float64).tobytes())
        return out.hexdigest()
