"""What happens on the way: coverage as a lever moves from no change to the plan's setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.errors import BadInput, NotSolved
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.trial import Bench

__all__ = ["PlanPath", "plan_path"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class PlanPath(Tabled):
    """Equilibria along the straight line from no change to a plan.

    Attributes
    ----------
    groups : tuple of str
    lever : str
    share : (points,) array
        How much of the change is made, 0 to 1.
    coverage, top_weight : (points, groups) arrays
    floors : (groups,) array
        Least coverage asked for; 0: none.
    cost : (points,) array
    """

    groups: tuple[str, ...]
    lever: str
    share: FloatArray
    coverage: FloatArray
    top_weight: FloatArray
    floors: FloatArray
    cost: FloatArray

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per point and group."""
        return [
            {
                "lever": self.lever,
                "share_of_change": float(share),
                "cost": float(self.cost[i]),
                "group": group,
                "coverage": float(self.coverage[i, k]),
                "top_weight": float(self.top_weight[i, k]),
                "floor": float(self.floors[k]),
            }
            for i, share in enumerate(self.share)
            for k, group in enumerate(self.groups)
        ]


def plan_path(plan: Plan, points: int = 41) -> PlanPath:
    """Solve the game at evenly spread shares of a plan's change.

    Parameters
    ----------
    plan : Plan
    points : int
        At least 2.

    Raises
    ------
    NotSolved
        A game on the way could not be solved.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> path = plan_path(eq.steer(game("toy"), floors={"rural": 0.05}), points=3)
    >>> path.coverage[:, 2].round(4).tolist()
    [0.0128, 0.0314, 0.05]
    """
    if points < 2:
        raise BadInput(f"points: {points}; write at least 2")
    start = plan.before.game
    bench = Bench(start, plan.lever, plan.goal)
    share = np.linspace(0.0, 1.0, points)
    coverage, top, cost = [], [], []
    for t in share[:-1]:
        trial = bench.at(t * plan.setting)
        if trial is None:
            raise NotSolved(f"the game with {t:.0%} of the change could not be solved")
        coverage.append(trial.profile.coverage)
        top.append(trial.profile.top_weight)
        cost.append(trial.cost)
    coverage.append(plan.after.profile.coverage)
    top.append(plan.after.profile.top_weight)
    cost.append(plan.cost)
    return PlanPath(
        start.groups.labels,
        plan.lever.name,
        share,
        np.array(coverage),
        np.array(top),
        plan.goal.floor_array(plan.lever.base(start)),
        np.array(cost),
    )
