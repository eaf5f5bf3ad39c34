r"""How far a persona prompt moves a model, and whether towards the people it names.

With :math:`d` the mean total variation over questions, :math:`m_0` the default answers,
:math:`m_k` those as a person of group `k`, and :math:`p_k` the group's people:

.. math:: \text{moved}_k = d(m_k, m_0), \qquad
          \text{towards}_k = d(m_0, p_k) - d(m_k, p_k).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.estimate import Estimate, simultaneous_band
from equipoise.measure.random_answers import variation

__all__ = ["MOVED", "Steerability", "steerability"]

FloatArray = NDArray[np.float64]

MOVED = 0.05
"""A persona that moves answers by less in total variation does not steer: half-samples of GSS 2018
differ by .037 from one another."""


@final
@dataclass(frozen=True)
class Steerability:
    """What persona prompts do to one agent.

    Parameters
    ----------
    moved, towards, left : mapping of group to Estimate
        How far the answers move, how much nearer they come to the group's people (negative:
        farther), and how far they still are. Bands over groups hold together.
    """

    moved: dict[str, Estimate]
    towards: dict[str, Estimate]
    left: dict[str, Estimate]

    def verdict_of(self, group: str) -> str:
        """Say of one persona whether the agent follows it, in a few words."""
        if self.moved[group].high <= MOVED:
            return "is there already" if self.left[group].value <= MOVED else "does not move"
        if self.moved[group].low <= MOVED:
            return "undecided"
        if self.towards[group].low > 0.0:
            return "follows"
        return "moves, but not towards them" if self.towards[group].high <= 0.0 else "undecided"

    @property
    def verdict(self) -> str:
        """One sentence on all personas."""
        found = [self.verdict_of(group) for group in self.moved]
        if "follows" in found and set(found) <= {"follows", "is there already"}:
            return "steerable by persona: it follows every group"
        if set(found) <= {"does not move", "is there already"}:
            return f"not steerable by persona: no persona moves its answers by {MOVED:g}"
        follows = [g for g in self.moved if self.verdict_of(g) == "follows"]
        if follows:
            return f"partly steerable by persona: it follows {', '.join(follows)}"
        return "not shown to be steerable by persona"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "groups": {
                g: {
                    "verdict": self.verdict_of(g),
                    "moved": self.moved[g].to_dict(),
                    "towards": self.towards[g].to_dict(),
                    "left": self.left[g].to_dict(),
                }
                for g in self.moved
            },
        }


def steerability(
    groups: tuple[str, ...],
    agent: FloatArray,
    agent_draws: FloatArray,
    people: FloatArray,
    people_draws: FloatArray,
    n: int,
) -> Steerability:
    """Measure what the personas of an agent do.

    Parameters
    ----------
    groups : tuple of str
        Labels.
    agent : (1 + K, Q, C) array
        Balanced shares: default first, then as a person of each group.
    agent_draws : (B, 1 + K, Q, C) array
        The same, drawn.
    people : (K, Q, C) array
        The groups' answer shares on the same questions.
    people_draws : (B, K, Q, C) array
        Joint draws of the people.
    n : int
        Answers behind it.

    Returns
    -------
    Steerability, with simultaneous 95 % bands over groups. A distance between noisy answers is
    larger than that between true ones: `moved` errs upwards.

    Examples
    --------
    >>> people = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    >>> agent = np.concatenate([np.full((1, 1, 2), 0.5), people])
    >>> draws = np.ones((50, 1, 1, 1))
    >>> found = steerability(("a", "b"), agent, agent * draws, people, people * draws, 12)
    >>> found.verdict, round(found.towards["a"].value, 3)
    ('steerable by persona: it follows every group', 0.4)
    """
    if agent.shape[0] != len(groups) + 1:
        raise BadInput("personas: give the default answers, then those of every group")

    def parts(a: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        default, personas = a[..., :1, :, :], a[..., 1:, :, :]
        moved = variation(personas, default).mean(axis=-1)
        left = variation(personas, p).mean(axis=-1)
        return moved, variation(default, p).mean(axis=-1) - left, left

    how = f"{agent.shape[1]} questions; other prompts and other people, joint 95 % band"
    out = []
    for value, drawn in zip(parts(agent, people), parts(agent_draws, people_draws), strict=True):
        low, high = simultaneous_band(drawn)
        low, high = np.minimum(low, value), np.maximum(high, value)
        out.append(
            {
                g: Estimate(float(value[k]), float(low[k]), float(high[k]), n, how)
                for k, g in enumerate(groups)
            }
        )
    return Steerability(*out)
