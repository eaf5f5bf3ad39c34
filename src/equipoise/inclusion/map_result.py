"""What a phase map says: arrays over its cells, a few summary numbers, a table, a file."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput
from equipoise.estimate import Estimate, percentile_interval
from equipoise.inclusion.map_axes import Axis
from equipoise.inclusion.map_boundaries import Boundary
from equipoise.inclusion.map_status import Status

__all__ = ["SURE", "DrawnMap", "PhaseMap"]

FloatArray = NDArray[np.float64]

SURE = 0.975
"""A verdict is given when it holds in this share of joint draws (design section 3)."""


@final
@dataclass(frozen=True, eq=False)
class DrawnMap:
    """The maps of joint bootstrap draws, taken together.

    Attributes
    ----------
    count : int
        Number of draws.
    probability : (…, y, x, groups) array
        Share of draws in which a group is excluded in a cell.
    share : (draws, groups) array
        Share of the map on which a group is excluded, draw by draw.
    anywhere : (draws,) array
        Share of the map on which any group is excluded.
    max_relative_gap : float
        Largest over all draws and cells.
    failed : int
        Cells of draws without a certified equilibrium.
    """

    count: int
    probability: FloatArray
    share: FloatArray
    anywhere: FloatArray
    max_relative_gap: float
    failed: int


@final
@dataclass(frozen=True, eq=False)
class PhaseMap(Tabled):
    """Who is excluded over a grid of incentives.

    Attributes
    ----------
    axes : tuple of Axis
        x, y and perhaps z. Arrays have them in the order (z,) y, x.
    groups : tuple of str
    below : float
        Exclusion threshold on top weight.
    excluded : (…, y, x, groups) bool array
        False in cells without a certified equilibrium.
    top_weight, coverage : (…, y, x, groups) arrays
        NaN in cells that were inferred or failed.
    relative_gap : (…, y, x) array
        Largest over agents; NaN in inferred cells.
    status : (…, y, x) uint8 array
        Values of `Status`.
    boundaries : tuple of Boundary
        Exact curves (R6), for identical agents.
    drawn : DrawnMap or None
    notes : tuple of str
    seconds : float
    """

    axes: tuple[Axis, ...]
    groups: tuple[str, ...]
    below: float
    excluded: NDArray[np.bool_]
    top_weight: FloatArray
    coverage: FloatArray
    relative_gap: FloatArray
    status: NDArray[np.uint8]
    boundaries: tuple[Boundary, ...]
    drawn: DrawnMap | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.status.size)

    @property
    def certified(self) -> int:
        """Number of cells with a certified equilibrium; inferred cells never count."""
        return int((self.status <= Status.certified).sum())

    @property
    def max_relative_gap(self) -> float:
        """Largest relative gap of any solved cell."""
        return float(np.nanmax(self.relative_gap))

    @property
    def surely(self) -> NDArray[np.int8] | None:
        """Verdict of each group in each cell, (…, y, x, groups); None without draws.

        1 excluded in at least 97.5 % of draws, -1 in at most 2.5 %, 0 undecided.
        """
        chance = self.probability
        if chance is None:
            return None
        return (chance >= SURE).astype(np.int8) - (chance <= 1.0 - SURE).astype(np.int8)

    @property
    def probability(self) -> FloatArray | None:
        """Share of draws in which a group is excluded, cell by cell; None without draws."""
        return None if self.drawn is None else self.drawn.probability

    def __repr__(self) -> str:
        sides = " × ".join(f"{one.name} ({len(one)})" for one in self.axes)
        return f"PhaseMap({sides}; {self.certified} of {self.cells} cells certified)"

    def summary(self, level: float = 0.95) -> dict[str, Any]:
        """Return the share of the map with any exclusion and per group, with intervals.

        Parameters
        ----------
        level : float
            Content of the percentile intervals over draws, pointwise.

        Returns
        -------
        dict
            `any` and `groups` (label -> `Estimate`), counts of cells by status, the largest
            relative gap. The shares are of grid cells: they depend on the ranges chosen.
        """
        flat = self.excluded.reshape(-1, len(self.groups))
        point, anywhere = flat.mean(axis=0), float(flat.any(axis=1).mean())
        if self.drawn is None:
            low, high = point, point
            ends = (anywhere, anywhere)
            count, how = 0, "no draws: the point map"
        elif self.drawn.count < 2:
            low, high = self.drawn.share[0], self.drawn.share[0]
            ends = (float(self.drawn.anywhere[0]),) * 2
            count, how = 1, "one draw"
        else:
            low, high = percentile_interval(self.drawn.share, level)
            one, two = percentile_interval(self.drawn.anywhere, level)
            ends = (float(one), float(two))
            count, how = self.drawn.count, f"joint draws, {100 * level:g} %"
        return {
            "any": Estimate(anywhere, *ends, count, how),
            "groups": {
                label: Estimate(float(p), float(a), float(b), count, how)
                for label, p, a, b in zip(self.groups, point, low, high, strict=True)
            },
            "cells": self.cells,
            "certified": self.certified,
            "status": {one.name: int((self.status == one).sum()) for one in Status},
            "max_relative_gap": self.max_relative_gap,
        }

    def sets(self) -> tuple[list[tuple[str, ...]], NDArray[np.intp]]:
        """Return the distinct excluded sets, and the number of its set for every cell."""
        flat = self.excluded.reshape(-1, len(self.groups))
        packed = np.packbits(flat, axis=1)
        _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        names = [
            tuple(g for g, out in zip(self.groups, flat[i], strict=True) if out) for i in first
        ]
        return names, which.reshape(self.status.shape)

    def to_columns(self) -> dict[str, list[Any]]:
        """Return the table of cells column by column; see `to_rows`."""
        names, which = self.sets()
        grids = np.meshgrid(*(one.values for one in reversed(self.axes)), indexing="ij")
        sides = zip(self.axes, reversed(grids), strict=True)
        out: dict[str, list[Any]] = {one.name: grid.ravel().tolist() for one, grid in sides}
        number = which.ravel().tolist()
        texts, kinds = ["; ".join(name) for name in names], [one.name for one in Status]
        out["n_excluded"] = [len(names[i]) for i in number]
        out["excluded"] = [texts[i] for i in number]
        out["status"] = [kinds[i] for i in self.status.ravel().tolist()]
        out["relative_gap"] = self.relative_gap.ravel().tolist()
        if self.drawn is not None:
            chance = self.drawn.probability.reshape(-1, len(self.groups)).T
            for label, column in zip(self.groups, chance, strict=True):
                out[f"probability {label}"] = column.tolist()
        return out

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per cell: axes, how many groups and which are excluded, status.

        With draws also the probability of exclusion per group, `probability LABEL`.
        """
        columns = self.to_columns()
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all arrays to an .npz file (no pickles); labels stand in `groups` and `axes`."""
        with open(path, "wb") as handle:
            handle.write(self.to_npz())

    def to_npz(self) -> bytes:
        """Return the content of the .npz file."""
        arrays: dict[str, Any] = {
            "axes": np.array([one.name for one in self.axes]),
            "groups": np.array(self.groups),
            "below": np.array(self.below),
            "excluded": self.excluded,
            "top_weight": self.top_weight,
            "coverage": self.coverage,
            "relative_gap": self.relative_gap,
            "status": self.status,
            "status_names": np.array([one.name for one in Status]),
        }
        for name, one in zip("xyz", self.axes, strict=False):
            arrays[name] = one.values
        for number, curve in enumerate(self.boundaries):
            arrays[f"boundary_{number}"] = curve.points
        arrays["boundary_groups"] = np.array([curve.group for curve in self.boundaries], dtype=str)
        heights = [np.nan if curve.z is None else curve.z for curve in self.boundaries]
        arrays["boundary_z"] = np.array(heights, dtype=np.float64)
        arrays["notes"] = np.array(self.notes, dtype=str)
        if self.drawn is not None:
            arrays |= {
                "probability": self.drawn.probability,
                "drawn_share": self.drawn.share,
                "drawn_anywhere": self.drawn.anywhere,
                "drawn_max_relative_gap": np.array(self.drawn.max_relative_gap),
                "drawn_failed": np.array(self.drawn.failed),
            }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> PhaseMap:
        """Return the map of an .npz file that `to_npz` made; `seconds` is 0.

        Raises
        ------
        BadInput
            It is not the file of a map, or was made by a version that kept less.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return _read({name: arrays[name] for name in arrays.files})
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            raise BadInput("it is not the file of a map; make the map again") from None


def _read(arrays: Mapping[str, NDArray[Any]]) -> PhaseMap:
    heights = [None if np.isnan(z) else float(z) for z in arrays["boundary_z"]]
    named = enumerate(zip(arrays["boundary_groups"].tolist(), heights, strict=True))
    axes = [
        Axis(name, arrays[at]) for name, at in zip(arrays["axes"].tolist(), "xyz", strict=False)
    ]
    drawn = None
    if "probability" in arrays:
        drawn = DrawnMap(
            len(arrays["drawn_anywhere"]),
            arrays["probability"],
            arrays["drawn_share"],
            arrays["drawn_anywhere"],
            float(arrays["drawn_max_relative_gap"]),
            int(arrays["drawn_failed"]),
        )
    return PhaseMap(
        axes=tuple(axes),
        groups=tuple(arrays["groups"].tolist()),
        below=float(arrays["below"]),
        excluded=arrays["excluded"],
        top_weight=arrays["top_weight"],
        coverage=arrays["coverage"],
        relative_gap=arrays["relative_gap"],
        status=arrays["status"],
        boundaries=tuple(Boundary(label, arrays[f"boundary_{n}"], z) for n, (label, z) in named),
        drawn=drawn,
        notes=tuple(arrays["notes"].tolist()),
        seconds=0.0,
    )
