r"""How near an agent's answers are to each group's: representativeness and Jensen-Shannon distance.

Representativeness is :math:`1 - \mathrm{WD}/\max\mathrm{WD}` on the options' natural order
(Santurkar et al., *Whose opinions do language models reflect?*, ICML 2023, section 3); similarity
by Jensen-Shannon *distance* (square root of the divergence, base 2) takes the options as
categories (Durmus et al., 2023). Both are means over questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate, percentile_interval

__all__ = ["Nearness", "jensen_shannon", "nearness", "representativeness"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Nearness:
    """How near an agent is to every group.

    Parameters
    ----------
    representativeness, jensen_shannon : mapping of group to Estimate
        Each in [0, 1]; the first is 1 and the second 0 for equal answers.
    """

    representativeness: dict[str, Estimate]
    jensen_shannon: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "representativeness": {g: e.to_dict() for g, e in self.representativeness.items()},
            "jensen_shannon": {g: e.to_dict() for g, e in self.jensen_shannon.items()},
        }


def representativeness(p: FloatArray, q: FloatArray, widths: list[int]) -> FloatArray:
    """Mean over questions of 1 − WD/max WD, options one unit apart; arrays (..., Q, C).

    Examples
    --------
    >>> float(representativeness(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]]), [3]))
    0.5
    """
    work = np.abs(np.cumsum(p, axis=-1) - np.cumsum(q, axis=-1)).sum(axis=-1)
    return np.asarray((1.0 - work / (np.array(widths) - 1.0)).mean(axis=-1))


def jensen_shannon(p: FloatArray, q: FloatArray) -> FloatArray:
    """Mean over questions of the Jensen-Shannon distance, base 2; arrays (..., Q, C).

    Examples
    --------
    >>> float(jensen_shannon(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])))
    1.0
    """
    middle = (p + q) / 2.0

    def bits(a: FloatArray) -> FloatArray:
        ratio = np.divide(a, middle, out=np.ones_like(a + middle), where=(a > 0) & (middle > 0))
        return np.asarray((a * np.log2(ratio)).sum(axis=-1))

    divergence = np.maximum((bits(p + 0 * q) + bits(q + 0 * p)) / 2.0, 0.0)
    return np.asarray(np.sqrt(divergence).mean(axis=-1))


def nearness(
    groups: tuple[str, ...],
    widths: list[int],
    agent: FloatArray,
    agent_draws: FloatArray,
    people: FloatArray,
    people_draws: FloatArray,
    n: int,
) -> Nearness:
    """Compare an agent's answers (Q, C) with those of every group (K, Q, C), with joint draws."""
    how = f"{len(widths)} questions; other prompts and other people, 95 %"
    out = []
    for value, drawn in (
        (representativeness(agent, people, widths),
         representativeness(agent_draws[:, None], people_draws, widths)),
        (jensen_shannon(agent[None], people), jensen_shannon(agent_draws[:, None], people_draws)),
    ):  # fmt: skip
        low, high = percentile_interval(drawn)
        out.append({
            g: Estimate(float(v), float(min(a, v)), float(max(b, v)), n, how)
            for g, v, a, b in zip(groups, value, low, high, strict=True)
        })  # fmt: skip
    return Nearness(*out)
