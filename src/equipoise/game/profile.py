"""A profile: one mixture over groups for every agent, with labels outside and an array inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput, LabelMismatch
from equipoise.game.agents import Agents
from equipoise.game.groups import Groups

__all__ = ["Mixture", "Profile"]

ROW_TOLERANCE = 1e-9


class Mixture(Mapping[str, float]):
    """One agent's weights over groups, read by label.

    Examples
    --------
    >>> Mixture(Groups(["left", "right"]), np.array([0.25, 0.75]))["right"]
    0.75
    """

    def __init__(self, groups: Groups, weights: NDArray[np.float64]) -> None:
        self._groups = groups
        self._weights = weights

    def __getitem__(self, label: str) -> float:
        return float(self._weights[self._groups.index(label)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __repr__(self) -> str:
        return "Mixture(" + ", ".join(f"{k}={v:.6g}" for k, v in self.items()) + ")"


@final
@dataclass(frozen=True, init=False, eq=False)
class Profile(Tabled):
    r"""All mixtures :math:`X \in \mathbb{R}^{N \times K}`, rows on the simplex.

    Parameters
    ----------
    groups : Groups
        The order of the columns.
    agents : Agents, or anything `Agents` accepts
        The order of the rows.
    array : (rows, groups) array
        Weights (shares of an agent's output): each row is nonnegative and sums to 1 within
        1e-9. Rows are *not* renormalised.

    Raises
    ------
    BadInput
        Wrong shape (both are named), a negative, NaN or infinite weight, a row off the simplex.

    Examples
    --------
    >>> profile = Profile(Groups(["left", "right"]), ["model-a"], [[0.25, 0.75]])
    >>> profile["model-a"]["right"]
    0.75
    >>> profile.coverage
    array([0.25, 0.75])
    """

    groups: Groups
    agents: Agents
    array: NDArray[np.float64]

    def __init__(
        self,
        groups: Groups,
        agents: Agents | Sequence[str] | Mapping[str, int] | int,
        array: ArrayLike,
    ) -> None:
        rows = agents if isinstance(agents, Agents) else Agents(agents)
        try:
            values = np.array(array, dtype=np.float64, copy=None)
        except (TypeError, ValueError):
            raise BadInput("profile: every weight must be a number") from None
        if values.shape != (len(rows), len(groups)):
            raise BadInput(
                f"profile: expected {len(rows)} agents × {len(groups)} groups, "
                f"got an array of shape {values.shape}"
            )
        _check_rows(values, rows, groups)
        if values.flags.writeable:
            values = values.view()
            values.setflags(write=False)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "agents", rows)
        object.__setattr__(self, "array", values)

    @classmethod
    def unchecked(cls, groups: Groups, agents: Agents, array: NDArray[np.float64]) -> Profile:
        """Wrap a large array of a solver without reading it; a certificate checks its rows."""
        profile = cls.__new__(cls)
        view = array.view()
        view.setflags(write=False)
        for name, value in (("groups", groups), ("agents", agents), ("array", view)):
            object.__setattr__(profile, name, value)
        return profile

    def __getitem__(self, agent: str | int) -> Mixture:
        return Mixture(self.groups, self.array[self.agents.index(agent)])

    def __len__(self) -> int:
        return len(self.agents)

    @property
    def coverage(self) -> NDArray[np.float64]:
        r"""Mean weight of each group, :math:`\bar x = \sum_i n_i x_i / N`, (groups,)."""
        return np.asarray(self.agents.counts @ self.array / self.agents.total)

    @property
    def top_weight(self) -> NDArray[np.float64]:
        """Largest weight of each group over agents, (groups,); exclusion thresholds act on it."""
        return np.asarray(self.array.max(axis=0))

    def top_agent(self) -> tuple[str, ...]:
        """Label of the agent with the largest weight on each group (the first, at ties)."""
        return tuple(self.agents.label(int(i)) for i in self.array.argmax(axis=0))

    def same_shape_as(self, groups: Groups, agents: Agents) -> None:
        """Raise `LabelMismatch`, naming both, unless groups and agents are those given."""
        if self.groups is groups and self.agents is agents:
            return
        self.groups.same_labels(groups.labels)
        if self.agents != agents:
            raise LabelMismatch(
                f"the profile speaks of {_some(self.agents)}, the game of {_some(agents)}; "
                "give one row per agent of the game, in its order"
            )

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per agent (or type) and group."""
        for i, row in enumerate(self.array):
            for group, weight in zip(self.groups.labels, row, strict=True):
                yield {"agent": self.agents.label(i), "group": group, "weight": float(weight)}


def _some(agents: Agents) -> str:
    shown = [agents.label(i) for i in range(min(3, len(agents)))]
    more = f" … ({agents.total} agents)" if len(agents) > 3 else ""
    return "[" + ", ".join(shown) + more + "]"


def _check_rows(values: NDArray[np.float64], agents: Agents, groups: Groups) -> None:
    off = np.add.reduce(values, axis=1) - 1.0
    lowest = np.minimum.reduce(values, axis=None)
    # Squares add up to at most the tolerance's: then every row is within it.
    if lowest >= 0.0 and off.dot(off) <= ROW_TOLERANCE**2:
        return
    if not lowest >= 0.0 or not np.isfinite(values.max()):
        bad = ~(values >= 0.0) | ~np.isfinite(values)
        i, k = np.argwhere(bad)[0]
        raise BadInput(
            f'profile: the weight of agent "{agents.label(int(i))}" on group '
            f'"{groups.labels[int(k)]}" is {values[i, k]:g}; write a number >= 0'
        )
    off = np.abs(off)
    worst = int(off.argmax())
    if off[worst] > ROW_TOLERANCE:
        raise BadInput(
            f'profile: the weights of agent "{agents.label(worst)}" sum to '
            f"{values[worst].sum():.10g}; divide them by their sum"
        )
