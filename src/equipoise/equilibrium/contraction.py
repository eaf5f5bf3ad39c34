r"""R2(c) with a weight for every agent: a proof of uniqueness for large and directed networks.

An agent's best response moves by at most :math:`\|x_i - x_i'\| \le \sum_j C_{ij}\|x_j - x_j'\|`
with :math:`C_{ij} = |\gamma_i|\,\lambda_{\max}(S|T)\,W_{ij}/\lambda_{\min}(H_i|T)`. When
:math:`Cz < z` for some :math:`z > 0`, best responses contract in the norm
:math:`\max_i \|x_i\|/z_i`: there is one equilibrium, whatever the signs and directions. R2(c) is
the case `z = 1`; here agents above its limit are allowed if those they meet are well below it.
Cost: a few products with the links. No solver and no projection is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.curvature import kernel_defect, kernel_spectrum, lowest_curvature
from equipoise.game.affine import AffineForm

__all__ = ["Contraction", "weighted_contraction"]

FloatArray = NDArray[np.float64]

MOST_PRODUCTS = 200


@final
@dataclass(frozen=True, eq=False)
class Contraction:
    r"""A norm in which best responses contract, if one was found.

    Attributes
    ----------
    ratio : float
        :math:`\max_i (Cz)_i/z_i`, rounded up; below 1 proves that there is one equilibrium.
    weights : (rows,) array
        :math:`z_i`.
    lowest : (rows,) array
        :math:`\lambda_{\min}(H_i|T)`.
    """

    ratio: float
    weights: FloatArray
    lowest: FloatArray

    @property
    def proved(self) -> bool:
        """Whether there is one equilibrium."""
        return bool(self.ratio < 1.0)

    def distance(self, gap: FloatArray) -> float | None:
        r"""Bound :math:`\sqrt{\sum_i\|x_i - x_i^*\|^2}` from the gaps (rows,) of a profile.

        :math:`g_i \ge r_i \ge \tfrac12\lambda_{\min}(H_i|T)\,\|x_i - b_i\|^2` with :math:`b_i`
        the best response, and :math:`\max_i\|x_i - x_i^*\|/z_i \le \max_i(\|x_i -
        b_i\|/z_i)/(1 - \mathrm{ratio})`. None when nothing is proved.
        """
        if not self.proved:
            return None
        off = np.sqrt(2.0 * gap / self.lowest) / self.weights
        return float(off.max() / (1.0 - self.ratio) * np.linalg.norm(self.weights))


def weighted_contraction(form: AffineForm) -> Contraction:
    r"""Look for weights under which best responses contract (R2 c).

    Parameters
    ----------
    form : AffineForm
        Any network, any signs, any number of agents.

    Returns
    -------
    Contraction
        `z` is :math:`\sum_{m<n} C^m 1` for an `n` of at most 200 that works. It finds weights
        wherever :math:`\rho(C) < 1`, given products enough. Not found does not refute anything.

    Examples
    --------
    >>> import equipoise as eq
    >>> line = eq.Network(3, [(0, 1, 1.0), (1, 2, 1.0)])
    >>> game = eq.AlignmentGame(eq.Groups(["a", "b"]), 3, [
    ...     eq.Consistency([0.5, 0.5]), eq.Diversity([0.5, 1.5, 0.5], network=line)])
    >>> found = weighted_contraction(game.affine)
    >>> found.proved, round(found.ratio, 3)
    (True, 0.9)
    """
    low, _ = lowest_curvature(form)
    rows = form.n_rows
    top = max(float(kernel_spectrum(form)[0].max(initial=0.0)), kernel_defect(form))
    pull = np.abs(form.gamma) * top
    met = _met(form, np.ones(rows))
    alone = (pull == 0) | (met == 0)
    if (low <= 0).any():
        return Contraction(np.inf, np.ones(rows), low)
    factor = np.where(alone, 0.0, pull / low)
    # A row sums up to so many products: what rounding can have taken off it.
    longest = 1 if form.network is None else int(np.diff(form.network.starts).max(initial=1))
    safety = 1.0 + 4.0 * np.finfo(np.float64).eps * (longest + 8)
    z = np.ones(rows)
    best = Contraction(np.inf, z, low)
    left = MOST_PRODUCTS
    while left > 0:
        left -= 1
        image = factor * _met(form, z)
        ratio = float((image / z).max() * safety)
        if ratio < best.ratio:
            best = Contraction(ratio, z, low)
        if not np.isfinite(image).all() or image.max() > 1e12:
            break
        if ratio < 1.0:
            # Proved; a few more products sharpen the ratio, and with it the distance bound.
            left = min(left, 8)
        z = 1.0 + image
    return best


def _met(form: AffineForm, z: FloatArray) -> FloatArray:
    """Return W z, with W >= 0 as agents meet."""
    if form.network is not None:
        return form.network.average(z[:, None])[:, 0]
    if form.agents.total == 1:
        return np.zeros_like(z)
    return np.asarray((form.agents.counts @ z - z) / (form.agents.total - 1))
