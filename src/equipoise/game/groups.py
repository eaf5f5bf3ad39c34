"""The human side of a game: labelled groups of people and their shares of the public.

The order of the labels is the order of every array of the library that has a groups axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput, LabelMismatch, nearest

__all__ = ["Groups"]

SHARES_TOLERANCE = 1e-9


@final
@dataclass(frozen=True, init=False, eq=False)
class Groups:
    r"""Labelled human subpopulations with their shares :math:`m_k > 0`, :math:`\sum_k m_k = 1`.

    Parameters
    ----------
    shares : mapping of label to share, or sequence of labels
        Shares are fractions of the public. A sequence of labels means equal shares.

    Raises
    ------
    BadInput
        No group, an empty or repeated label, a share that is not a positive finite number,
        or shares that do not sum to 1 within 1e-9.

    Examples
    --------
    >>> groups = Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
    >>> groups.labels
    ('urban', 'suburban', 'rural')
    >>> groups.shares
    array([0.5 , 0.35, 0.15])
    >>> groups.index("rural")
    2
    """

    labels: tuple[str, ...]
    shares: NDArray[np.float64]

    def __init__(self, shares: Mapping[str, float] | Sequence[str]) -> None:
        if isinstance(shares, str):
            raise BadInput(f'groups: got the single text "{shares}"; write {{"label": share, ...}}')
        if isinstance(shares, Mapping):
            labels = tuple(shares)
            values: ArrayLike = list(shares.values())
        else:
            labels = tuple(shares)
            values = np.full(len(labels), 1.0 / max(1, len(labels)))
        if not labels:
            raise BadInput("groups: there is no group; name at least one, with its share")
        for label in labels:
            if not isinstance(label, str) or not label.strip():
                raise BadInput(f"groups: {label!r} is not a label; write a non-empty text")
        if len(set(labels)) < len(labels):
            twice = next(x for x in labels if labels.count(x) > 1)
            raise BadInput(f'groups: "{twice}" stands twice; give every group its own name')
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise BadInput("groups: every share must be a number, e.g. 0.25") from None
        for label, share in zip(labels, array, strict=True):
            if not np.isfinite(share) or share <= 0.0:
                raise BadInput(
                    f'groups: the share of "{label}" is {share:g}; write a positive number'
                )
        total = float(array.sum())
        if abs(total - 1.0) > SHARES_TOLERANCE:
            raise BadInput(
                f"groups: the shares sum to {total:.10g}, which is {total - 1.0:+.3g} off 1; "
                "divide each by their sum"
            )
        if abs(total - 1.0) > len(labels) * np.finfo(np.float64).eps:
            array /= total  # not for rounding: shares that were divided once keep their bits
        array.setflags(write=False)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "shares", array)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Groups):
            return NotImplemented
        return self.labels == other.labels and np.array_equal(self.shares, other.shares)

    def __hash__(self) -> int:
        return hash((self.labels, self.shares.tobytes()))

    def index(self, label: str) -> int:
        """Return the position of a label.

        Raises
        ------
        LabelMismatch
            No group has this name; the nearest one is suggested.
        """
        try:
            return self.labels.index(label)
        except ValueError:
            raise LabelMismatch(
                f'there is no group "{label}"; {nearest(str(label), self.labels)}'
            ) from None

    def same_labels(self, labels: Sequence[str]) -> None:
        """Raise `LabelMismatch`, naming both orders, unless `labels` are these labels in order."""
        if tuple(labels) != self.labels:
            raise LabelMismatch(
                f"the groups are {list(self.labels)}, but got {list(labels)}; use one order"
            )

    def to_dict(self) -> dict[str, float]:
        """Return label -> share."""
        return {label: float(s) for label, s in zip(self.labels, self.shares, strict=True)}
