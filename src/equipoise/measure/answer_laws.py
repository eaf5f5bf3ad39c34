r"""How each group answers, as probability laws: the known ends of the mixture behind a corpus.

A panel's answer shares are estimates, and some are 0 because few people were asked. A law must
allow every option, or one answer would prove that a group is absent. So every group is given
`smoothing` extra respondents who answer as everybody does:

.. math:: \tilde p_{kqc} = \frac{n_{kq}\, p_{kqc} + s\, \bar p_{qc}}{n_{kq} + s},
          \qquad \bar p_{qc} \propto \tfrac12 + \sum_k n_{kq}\, p_{kqc}

with Kish's effective numbers :math:`n_{kq}`. With s = 1 a share of a group of 100 people moves
by less than 0.01.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.panels.answers import AnswerTable

__all__ = ["AnswerLaws", "smoothed"]

FloatArray = NDArray[np.float64]

SMOOTHING = 1.0


@final
@dataclass(frozen=True, eq=False)
class AnswerLaws:
    """Answer laws of the groups: every option of every question has positive probability.

    Parameters
    ----------
    groups, questions : tuples of str
        Labels of the first and second axis.
    options : tuple of tuples of str
        Options of every question in their order.
    shares : (K, Q, C) array
        Probabilities, each (group, question) summing to 1; padding is 0.

    Raises
    ------
    BadInput
        Shapes do not fit, a probability is not positive, or a row does not sum to 1.

    Examples
    --------
    >>> laws = AnswerLaws(("a", "b"), ("q",), (("yes", "no"),), [[[0.9, 0.1]], [[0.2, 0.8]]])
    >>> laws.shares.shape
    (2, 1, 2)
    """

    groups: tuple[str, ...]
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    shares: FloatArray

    def __post_init__(self) -> None:
        shares = np.array(self.shares, dtype=np.float64)
        widths = [len(o) for o in self.options]
        shape = (len(self.groups), len(self.questions), max(widths, default=0))
        if shares.shape != shape or len(widths) != shape[1] or min(shape) < 1:
            raise BadInput(
                f"laws of {shape[0]} groups, {shape[1]} questions and {shape[2]} options need "
                f"shares of shape {shape}, got {shares.shape}"
            )
        real = self.real_options
        if not np.all(shares[:, real] > 0.0) or np.any(shares[:, ~real] != 0.0):
            raise BadInput(
                "shares: every option needs a positive probability (and padding 0); build the laws "
                "with AnswerLaws.from_table, which smooths them"
            )
        if np.abs(shares.sum(axis=-1) - 1.0).max() > 1e-9:
            raise BadInput("shares: the options of a question do not sum to 1; divide by their sum")
        shares.setflags(write=False)
        object.__setattr__(self, "shares", shares)

    @property
    def real_options(self) -> NDArray[np.bool_]:
        """Which cells are options and which padding, (Q, C)."""
        widths = np.array([len(o) for o in self.options])
        return np.asarray(np.arange(widths.max()) < widths[:, None])

    @classmethod
    def from_table(cls, table: AnswerTable, smoothing: float = SMOOTHING) -> AnswerLaws:
        """Build the laws of a panel's answer table, smoothed so that no option is impossible.

        Parameters
        ----------
        table : AnswerTable
            E.g. `panel.answers`.
        smoothing : float
            Extra respondents per group and question who answer as everybody does, above 0.

        Returns
        -------
        AnswerLaws.

        Examples
        --------
        >>> table = AnswerTable(
        ...     ("left", "right"), ("tax",), (("more", "less"),), ("Tax more or less?",),
        ...     np.array([[[1.0, 0.0]], [[0.5, 0.5]]]), np.array([[9], [10]]),
        ...     np.array([[9.0], [10.0]]))
        >>> AnswerLaws.from_table(table).shares[0, 0].round(4)
        array([0.9725, 0.0275])
        """
        shares = smoothed(table.shares, table.n_eff, [len(o) for o in table.options], smoothing)
        return cls(table.groups, table.questions, table.options, shares)

    def with_shares(self, shares: FloatArray) -> AnswerLaws:
        """Return the same questions with other probabilities, (K, Q, C)."""
        return AnswerLaws(self.groups, self.questions, self.options, shares)

    def mixed(self, weights: ArrayLike) -> FloatArray:
        """Answer probabilities (Q, C) of a mixture (K,) of the groups, answer by answer."""
        return np.asarray(np.einsum("k,kqc->qc", np.asarray(weights, np.float64), self.shares))


def smoothed(
    shares: FloatArray, n_eff: FloatArray, widths: list[int], smoothing: float
) -> FloatArray:
    """Return shares (..., K, Q, C) pulled towards everybody's by `smoothing` respondents."""
    if not smoothing > 0.0:
        raise BadInput(f"smoothing must be above 0, got {smoothing}; write 1")
    real = np.arange(shares.shape[-1]) < np.array(widths)[:, None]
    counts = shares * n_eff[..., None]
    everybody = (counts.sum(axis=-3, keepdims=True) + 0.5) * real
    everybody /= everybody.sum(axis=-1, keepdims=True)
    return np.asarray((counts + smoothing * everybody) / (n_eff[..., None] + smoothing))
