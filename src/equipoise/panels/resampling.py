"""Which respondents a bootstrap draw takes: one by one, or by cluster within strata."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.panels.design import SurveyDesign

__all__ = ["Resampler"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
class Resampler:
    """How often each respondent is drawn.

    Without strata and clusters: `n` respondents out of `n`. With them: in every stratum
    `n_h - 1` of its `n_h` clusters, weights times `n_h/(n_h - 1)` (Rao and Wu 1988; Rao, Wu and
    Yue 1992), which reproduces the linearised variance of a total drawn with replacement.
    Strata of one cluster, where the design's policy allows them, are resampled together.
    """

    def __init__(self, design: SurveyDesign) -> None:
        self._n = design.weights.size
        self.weight = design.weights
        self._units: IntArray | None = None
        if design.strata is None and not design.clusters:
            return
        first, self._psu, strata = _nested(design)
        sets = _pooled(strata[first])
        self._units = np.concatenate(sets)  # clusters, stratum after stratum
        sizes = np.array([s.size for s in sets])
        draws = sizes - 1
        self._width = np.repeat(sizes, draws)  # per pick: clusters in its stratum ...
        self._offset = np.repeat(np.cumsum(sizes) - sizes, draws)  # ... and where they begin
        scale = np.empty(self._units.size)
        scale[self._units] = np.repeat(sizes / draws, sizes)
        self.weight = design.weights * scale[self._psu]

    def counts(self, seed: int, draw: int, attempt: int) -> FloatArray:
        """How often each respondent is drawn in one draw, (n,) whole numbers."""
        rng = np.random.default_rng([seed, draw, attempt])
        if self._units is None:
            picked = rng.integers(0, self._n, self._n)
            return np.bincount(picked, minlength=self._n).astype(np.float64)
        picked = self._units[self._offset + rng.integers(0, self._width)]
        times = np.bincount(picked, minlength=self._units.size)
        return np.asarray(times[self._psu], dtype=np.float64)


def _nested(design: SurveyDesign) -> tuple[Any, Any, Any]:
    """Return each cluster's first respondent, each respondent's cluster and stratum."""
    n = design.weights.size
    strata = np.zeros(n, dtype=np.intp) if design.strata is None else design.strata
    strata = np.unique(strata, return_inverse=True)[1]
    cluster = design.clusters[0] if design.clusters else np.arange(n)
    cluster = np.unique(cluster, return_inverse=True)[1]
    _, first, psu = np.unique(
        strata * (cluster.max() + 1) + cluster, return_index=True, return_inverse=True
    )
    return first, psu, strata


def _pooled(stratum_of_unit: Any) -> list[Any]:
    """Units per stratum; strata of one unit are put together, or to the smallest other one."""
    sets = [np.flatnonzero(stratum_of_unit == h) for h in np.unique(stratum_of_unit)]
    lonely = [s for s in sets if s.size == 1]
    rest = sorted((s for s in sets if s.size > 1), key=len)
    if len(lonely) == 1 and rest:
        rest[0] = np.concatenate([rest[0], lonely[0]])
    elif lonely:
        rest.append(np.concatenate(lonely))
    if any(s.size < 2 for s in rest):
        raise BadInput("cluster: there is a single cluster; without a second one no error is known")
    return rest
