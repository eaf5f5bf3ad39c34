r"""Laws that are themselves estimates: the likelihood of panel and corpus together.

The people of a panel are answers whose group is known, those of a corpus are answers whose group
is not. Both together have the likelihood

.. math:: \ell(w, p) = \sum_i v_i \log \sum_k w_k \prod_{q \in i} p_{kq}(y_{iq})
          + \sum_{kqc} N_{kqc} \log p_{kqc}

with the (effective, smoothed) counts `N` of the panel. Profiling it over the laws gives intervals
that contain the panel's sampling error and correct for what it does to the estimate: noise pushes
the laws of alike groups apart, and an audit that takes them as exact is too sure and biased. Draws
of the panel do not mend that, they add the same noise once more (see docs/design/audit.md).

Given the laws the weights are found as ever; given the weights the laws improve by EM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.mixture_ends import region_ends
from equipoise.measure.mixture_fit import fit_mixture
from equipoise.measure.units import Units
from equipoise.panels.panel import Panel

__all__ = ["JointFit", "fit_jointly", "law_sizes"]

FloatArray = NDArray[np.float64]

ROUNDS = 200
END_ROUNDS = 60
SETTLED = 1e-6
NEAR = 1e-4
LAW_STEPS = 3


@final
@dataclass(frozen=True, eq=False)
class JointFit:
    """Weights and laws that are together most likely.

    Attributes
    ----------
    weights : (K,) array
        The mixture.
    laws : AnswerLaws
        The laws, moved by what the corpus shows.
    """

    weights: FloatArray
    laws: AnswerLaws
    _data: _Data

    def ends(self, wanted: FloatArray, drops: FloatArray) -> FloatArray:
        """Give the lower and upper ends (m, 2) of sums of weights.

        Parameters
        ----------
        wanted : (m, K) array
            Indicators of the groups to sum.
        drops : (m,) array
            How far twice the joint log-likelihood may fall.
        """
        data, m = self._data, len(wanted)
        d = np.concatenate([-wanted, wanted])
        floor = data.value(self.weights[None], data.flat(self.laws)[None])[0]
        floor = floor - np.concatenate([drops, drops]) / 2.0
        laws = np.repeat(data.flat(self.laws)[None], 2 * m, axis=0)
        w = np.repeat(self.weights[None], 2 * m, axis=0)
        reached = (d * w).sum(axis=1)
        going = np.arange(2 * m)
        for _ in range(END_ROUNDS):
            w[going], laws[going] = data.outward(
                w[going], laws[going], d[going], floor[going], self.weights
            )
            now = (d[going] * w[going]).sum(axis=1)
            moved = now - reached[going]
            reached[going] = now
            going = going[moved > NEAR]
            if going.size == 0:
                break
        return np.stack([-reached[:m], reached[m:]], axis=1)


def law_sizes(panel: Panel, *, draws: int = 200, seed: int = 0) -> FloatArray:
    r"""Count the people behind each law of a panel, less what their answers depend on each other.

    A person who leans one way does so on many questions, so the laws of a group err together; and a
    survey may come in clusters. Kish's numbers know neither. They are divided by the factor by
    which the joint draws of the panel vary more than independent answers would, along the direction
    in which the groups differ most (the first singular vector of their log laws); never multiplied.

    Parameters
    ----------
    panel : Panel
        The people.
    draws, seed : int
        Joint draws of the panel that the factor is taken from.

    Returns
    -------
    (K, Q) array.
    """
    table = panel.answers
    logs = np.log(AnswerLaws.from_table(table).shares.clip(1e-300))
    logs[:, ~AnswerLaws.from_table(table).real_options] = 0.0
    k = len(table.groups)
    centred = (logs - logs.mean(axis=0)).reshape(k, -1)
    score = np.linalg.svd(centred, full_matrices=False)[2][0].reshape(table.shares.shape[1:])
    mean = (table.shares * score).sum(axis=2)
    variance = (table.shares * score**2).sum(axis=2) - mean**2
    expected = (variance / table.n_eff).sum(axis=1)
    drawn = (panel.draws(draws, seed).answers * score).sum(axis=(2, 3)).var(axis=0, ddof=1)
    factor = np.where(expected > 0.0, drawn / np.where(expected > 0.0, expected, 1.0), 1.0)
    return np.asarray(table.n_eff / np.maximum(factor, 1.0)[:, None])


def fit_jointly(laws: AnswerLaws, sizes: FloatArray, units: Units) -> JointFit:
    """Find the weights and laws that make panel and corpus together most likely.

    Parameters
    ----------
    laws : AnswerLaws
        The panel's laws, smoothed.
    sizes : (K, Q) array
        Effective number of people behind each law.
    units : Units
        The corpus.

    Returns
    -------
    JointFit. The likelihood is concave in the weights and in the laws, not in both: it is climbed
    from the panel's own laws, to the maximum next to them.
    """
    data = _Data.of(laws, sizes, units)
    flat = data.flat(laws)[None]
    w = np.full(len(laws.groups), 1.0 / len(laws.groups))
    for _ in range(ROUNDS):
        before = w
        likelihoods, _ = data.likelihoods(flat)
        w = fit_mixture(likelihoods[0], data.v, start=w)
        flat = data.improved(w[None], flat)
        if np.abs(w - before).max() < SETTLED:
            break
    return JointFit(w, laws.with_shares(data.shaped(flat[0])), data)


@final
@dataclass(frozen=True, eq=False)
class _Data:
    """Corpus and panel as arrays; laws are (m, Q C, K), one table per interval end."""

    chosen: Any  # sparse (n, Q C): how often each unit chose each option
    v: FloatArray
    counts: FloatArray  # (Q C, K)
    question: NDArray[np.int64]  # of each option
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, laws: AnswerLaws, sizes: FloatArray, units: Units) -> _Data:
        chosen, v = units.chosen(laws)
        k, q, c = laws.shares.shape
        counts = (laws.shares * sizes[:, :, None]).reshape(k, -1).T
        real = np.flatnonzero(laws.real_options.ravel())
        return cls(chosen[:, real], v, counts[real], real // c, (k, q, c))

    def flat(self, laws: AnswerLaws) -> FloatArray:
        k = self.shape[0]
        return np.asarray(laws.shares.reshape(k, -1).T[laws.real_options.ravel()])

    def shaped(self, flat: FloatArray) -> FloatArray:
        k, q, c = self.shape
        place = np.concatenate([np.arange(n) for n in np.bincount(self.question, minlength=q)])
        out = np.zeros((k, q, c))
        out[:, self.question, place] = flat.T
        return out

    def likelihoods(self, flat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Relative likelihoods (m, n, K), and the log-likelihood (m,) that was divided out."""
        m, options, k = flat.shape
        logs = self.chosen @ np.swapaxes(np.log(flat), 0, 1).reshape(options, m * k)
        logs = np.swapaxes(logs.reshape(-1, m, k), 0, 1)
        largest = logs.max(axis=2)
        return np.exp(logs - largest[:, :, None]), largest @ self.v

    def panel(self, flat: FloatArray) -> FloatArray:
        """Log-likelihood of the panel, (m,)."""
        return np.asarray((self.counts * np.log(flat)).sum(axis=(1, 2)))

    def value(self, w: FloatArray, flat: FloatArray) -> FloatArray:
        """Joint log-likelihood, (m,)."""
        likelihoods, offset = self.likelihoods(flat)
        mixed = (likelihoods @ w[:, :, None])[:, :, 0]
        return np.asarray(np.log(mixed) @ self.v + offset + self.panel(flat))

    def improved(self, w: FloatArray, flat: FloatArray) -> FloatArray:
        """Take some steps of EM in the laws at fixed weights; the joint likelihood never falls."""
        q = self.shape[1]
        for _ in range(LAW_STEPS):
            likelihoods, _ = self.likelihoods(flat)
            part = likelihoods * w[:, None, :]
            part *= (self.v / part.sum(axis=2))[:, :, None]
            m, n, k = part.shape
            seen = self.chosen.T @ np.swapaxes(part, 0, 1).reshape(n, m * k)
            total = self.counts + np.swapaxes(seen.reshape(-1, m, k), 0, 1)
            sums = np.zeros((m, q, k))
            for j in range(q):
                sums[:, j] = total[:, self.question == j].sum(axis=1)
            flat = total / sums[:, self.question]
        return flat

    def outward(
        self, w: FloatArray, flat: FloatArray, d: FloatArray, floor: FloatArray, centre: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Let the laws give way, then move each sum of weights as far as its floor allows."""
        flat = self.improved(w, flat)
        likelihoods, offset = self.likelihoods(flat)
        level = floor - offset - self.panel(flat)
        inside = self._between(likelihoods, w, centre, level)
        return region_ends(likelihoods, self.v, inside, d, level, gap=NEAR / 10.0), flat

    def _between(
        self, likelihoods: FloatArray, w: FloatArray, centre: FloatArray, level: FloatArray
    ) -> FloatArray:
        """Give a mixture inside each region: halfway to the centre where that is higher."""
        middle = (w + centre) / 2.0
        values = [np.log((likelihoods @ x[:, :, None])[:, :, 0]) @ self.v for x in (w, middle)]
        return np.where((values[1] > values[0])[:, None], middle, w)
