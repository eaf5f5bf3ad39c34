"""Joint bootstrap draws of a panel: what a game needs, measured again on people resampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels import agreement as alike
from equipoise.panels.respondents import Tallies

__all__ = ["PanelDraws", "measured_draws"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class PanelDraws:
    """Joint bootstrap draws of everything a game needs from a panel.

    Parameters
    ----------
    shares : (n, K) array
        Shares of the groups.
    agreement : (n, K, K) array
        Agreement with the unbiased diagonal.
    appeal : (n, K) array
        Appeal (plug-in).
    kernel : (n, K, K) array
        Bhattacharyya kernel.
    start : int
        Number of the first draw.
    """

    shares: FloatArray
    agreement: FloatArray
    appeal: FloatArray
    kernel: FloatArray
    start: int
    _questions: tuple[str, ...] = field(repr=False)
    _tallies: Tallies = field(repr=False)

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def answers(self) -> FloatArray:
        """Answer shares of the groups, (n, K, Q, C), in the order of the panel's answer table."""
        return self._tallies.shares

    @property
    def answers_n_eff(self) -> FloatArray:
        """Kish's effective number of answers behind them, (n, K, Q)."""
        return self._tallies.n_eff

    def for_question(self, question: str) -> PanelDraws:
        """Return the same draws measured on one question alone, without resampling.

        Raises
        ------
        BadInput
            The panel has no such question (or these draws were already cut to one).
        """
        if question not in self._questions:
            raise BadInput(
                f'these draws have no question "{question}"; they have {self._questions}'
            )
        q = self._questions.index(question)
        t = self._tallies
        one = Tallies(t.size, t.answers[:, :, [q]], t.squares[:, :, [q]])
        return measured_draws(one, (question,), self.start)


def measured_draws(tallies: Tallies, questions: tuple[str, ...], start: int) -> PanelDraws:
    """Return what a game needs, measured on each draw's tallies; `start` is the first's number."""
    p, m, n_eff = tallies.shares, tallies.group_shares, tallies.n_eff
    return PanelDraws(
        m,
        alike.agreement(p, n_eff),
        alike.appeal(p, m),
        alike.kernel(p),
        start,
        questions,
        tallies,
    )
