r"""What a model thinks of what is written for whom: appeal by model judges, and its kernel.

As a person of group `j` a model answers by :math:`\pi_j`. As a judge it agrees with an answer that
a person of group `k` would give with probability

.. math:: E^{\text{model}}_{jk} = \frac1Q \sum_q \sum_c \pi_{jqc}\, p_{kqc},

which stands beside the people's own :math:`E_{jk}` (theory section 7). What it writes for two
groups overlaps by :math:`S^{\text{model}}_{kl} = \frac1Q \sum_q \sum_c \sqrt{\pi_{kqc} \pi_{lqc}}`.
Both use answers that are measured anyway; no further question is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.estimate import Estimate, percentile_interval
from equipoise.panels.agreement import agreement, kernel

__all__ = ["Judging", "judging"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Judging:
    """Appeal by a model's judges beside appeal by people, and the model's kernel.

    Parameters
    ----------
    groups : tuple of str
    agreement, agreement_low, agreement_high : (K, K) arrays
        Judge `j` on what people of `k` say; pointwise 95 %.
    people : (K, K) array
        The people's own agreement, plug-in on both sides so that the two compare.
    appeal, people_appeal : mapping of group to Estimate
        Mean over judges, weighted by the groups' shares.
    kernel, kernel_low, kernel_high : (K, K) arrays
        Overlap of what the model says as persons of two groups.
    people_kernel : (K, K) array
    """

    groups: tuple[str, ...]
    agreement: FloatArray
    agreement_low: FloatArray
    agreement_high: FloatArray
    people: FloatArray
    appeal: dict[str, Estimate]
    people_appeal: dict[str, Estimate]
    kernel: FloatArray
    kernel_low: FloatArray
    kernel_high: FloatArray
    people_kernel: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "groups": list(self.groups),
            "agreement": self.agreement.tolist(),
            "agreement_interval": [self.agreement_low.tolist(), self.agreement_high.tolist()],
            "people_agreement": self.people.tolist(),
            "appeal": {g: e.to_dict() for g, e in self.appeal.items()},
            "people_appeal": {g: e.to_dict() for g, e in self.people_appeal.items()},
            "kernel": self.kernel.tolist(),
            "kernel_interval": [self.kernel_low.tolist(), self.kernel_high.tolist()],
            "people_kernel": self.people_kernel.tolist(),
        }


def judging(
    groups: tuple[str, ...],
    personas: FloatArray,
    persona_draws: FloatArray,
    people: FloatArray,
    people_draws: FloatArray,
    shares: FloatArray,
    share_draws: FloatArray,
    n: int,
) -> Judging:
    """Let a model judge as a person of every group.

    Parameters
    ----------
    groups : tuple of str
    personas, persona_draws : (K, Q, C), (B, K, Q, C) arrays
        The model's answers as a person of each group.
    people, people_draws : (K, Q, C), (B, K, Q, C) arrays
        The people's.
    shares, share_draws : (K,), (B, K) arrays
        Of the groups among people.
    n : int
        The model's answers behind it.

    Examples
    --------
    >>> p = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> even, ones = np.array([0.5, 0.5]), np.ones((40, 1))
    >>> found = judging(("a", "b"), p, p * ones[..., None, None], p, p * ones[..., None, None],
    ...                 even, even * ones, 12)
    >>> found.agreement
    array([[0.82, 0.18],
           [0.18, 0.82]])
    """

    def agreed(judges: FloatArray, said: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("...jqc,...kqc->...jk", judges, said) / said.shape[-2])

    pairs, drawn = agreed(personas, people), agreed(persona_draws, people_draws)
    low, high = percentile_interval(drawn)
    own, own_drawn = agreement(people), agreement(people_draws)
    overlap, overlap_drawn = kernel(personas), kernel(persona_draws)
    k_low, k_high = percentile_interval(overlap_drawn)
    how = f"{people.shape[1]} questions; other prompts and other people, 95 %"

    def appeal(e: FloatArray, e_draws: FloatArray) -> dict[str, Estimate]:
        value = shares @ e
        draws = np.einsum("bj,bjk->bk", share_draws, e_draws)
        below, above = percentile_interval(draws)
        return {
            g: Estimate(float(v), float(min(a, v)), float(max(b, v)), n, how)
            for g, v, a, b in zip(groups, value, below, above, strict=True)
        }

    return Judging(
        groups, pairs, np.minimum(low, pairs), np.maximum(high, pairs), own,
        appeal(pairs, drawn), appeal(own, own_drawn),
        overlap, np.minimum(k_low, overlap), np.maximum(k_high, overlap), kernel(people),
    )  # fmt: skip
