"""A plan: what to change, what it costs, what it leads to, who loses, and whether it is least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.game.alignment_game import AlignmentGame
from equipoise.inclusion.goals import Goal, Slack
from equipoise.inclusion.lever import Lever
from equipoise.inclusion.scan import Interval

__all__ = ["Leastness", "Plan"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Leastness:
    """Whether a plan is the cheapest its lever allows.

    Attributes
    ----------
    proved : bool
        Whether it is proved that no setting of this lever meets the goal for less.
    bound : float
        No setting costs less than this (0 where nothing better is known).
    why : str
        The proof, or what was searched.
    """

    proved: bool
    bound: float
    why: str

    @property
    def word(self) -> str:
        """Return "least" or "best found"."""
        return "least" if self.proved else "best found"


@final
@dataclass(frozen=True, eq=False)
class Plan(Tabled):
    """A setting of a lever that meets a goal, re-solved from scratch and certified.

    Attributes
    ----------
    lever, goal, setting
        What was asked for, and the lever's setting, (d,).
    change : mapping
        The change by label.
    cost : float
        In the lever's unit: prices in utility per round, anchors in mixture weight moved (total
        over agents), weights in mean change over agents, audience in share of attention moved.
    leastness : Leastness
        Whether nothing cheaper exists, and why.
    before, after : Equilibrium
        Both certified.
    slack : mapping of requirement to float
        By how much each requirement is exceeded at `after`, in weight.
    held_in : tuple of bool
        For every equilibrium found of the changed game, this one first: whether the goal holds.
    shadow_prices : mapping of group to float
        What one more unit of a group's floor would add to the cost; only floors that bind. By
        differences; empty where that was not worked out.
    robustness : mapping
        Share of draws the plan was fitted on and of fresh draws in which the goal holds; empty
        without draws.
    intervals : tuple of Interval
        Levers with one knob: every stretch of change in which the goal holds.
    """

    lever: Lever
    goal: Goal
    setting: FloatArray
    change: Mapping[str, Any]
    cost: float
    leastness: Leastness
    before: Equilibrium
    after: Equilibrium
    slack: Slack
    held_in: tuple[bool, ...]
    shadow_prices: Mapping[str, float]
    robustness: Mapping[str, Any]
    intervals: tuple[Interval, ...] = ()

    @property
    def game(self) -> AlignmentGame:
        """Return the changed game."""
        return self.after.game

    @cached_property
    def agent_gain(self) -> FloatArray:
        """Return what each row gains by its *own former* utility, (rows,): the price of inclusion.

        Payments received, and weights that were changed, are left out: it says what the plan asks
        of agents by the incentives they had. A game that got a new agent is compared without it.
        """
        rows = len(self.before.game.agents)
        x = self.after.profile.array
        if len(x) != rows:
            # A new agent changes whom the others meet, not what they want.
            met = self.before.game.profile(x[:rows])
            return self.before.game.utilities(met) - self.before.game.utilities(self.before.profile)
        after = self.before.game.utilities(self.before.game.profile(x))
        return after - self.before.game.utilities(self.before.profile)

    @cached_property
    def group_gain(self) -> FloatArray:
        """Return what each group gains in coverage, (groups,)."""
        return self.after.profile.coverage - self.before.profile.coverage

    @property
    def losers(self) -> tuple[str, ...]:
        """Groups that are covered less than before."""
        labels = self.before.game.groups.labels
        return tuple(g for g, gain in zip(labels, self.group_gain, strict=True) if gain < -1e-12)

    @property
    def holds_everywhere(self) -> bool:
        """Whether the goal holds in every equilibrium of the changed game that was found."""
        return all(self.held_in)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data: the JSON object of `equipoise steer` (design contract)."""
        after = self.after.certificate
        return {
            "lever": self.lever.name,
            "groups": list(self.after.game.groups.labels),
            "agents": self.after.game.agents.plain(),
            "goal": self.goal.words(self.before.game),
            "floors": self._floors(),
            "change": dict(self.change),
            "setting": self.setting.tolist(),
            "cost": self.cost,
            "least": self.leastness.proved,
            "bound": self.leastness.bound,
            "why": self.leastness.why,
            "before": _side(self.before),
            "after": _side(self.after),
            "slack": dict(self.slack),
            "shadow_prices": dict(self.shadow_prices),
            "equilibria": len(self.held_in),
            "holds_in": sum(self.held_in),
            "uniqueness": after.uniqueness.verdict,
            "group_gain": _labelled(self.before.game.groups.labels, self.group_gain),
            "losers": list(self.losers),
            "agent_gain": self.agent_gain.tolist() if self.agent_gain.size <= 1000 else None,
            "robustness": dict(self.robustness),
            "intervals": [[one.low, one.high] for one in self.intervals],
        }

    def _floors(self) -> dict[str, float]:
        """Return the least coverage the goal asks for, where it asks for any."""
        game = self.before.game
        floors = _labelled(game.groups.labels, self.goal.floor_array(game))
        return {group: floor for group, floor in floors.items() if floor > 0}

    def __repr__(self) -> str:
        return (
            f"Plan({self.lever.name}: {dict(self.change)}, cost {self.cost:.6g} "
            f"({self.leastness.word}); {self.goal.words(self.before.game)})"
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: its floor, coverage before and after, and top weight."""
        before, after = self.before.profile, self.after.profile
        floors = self.goal.floor_array(self.game)
        return [
            {
                "group": group,
                "floor": float(floors[k]),
                "coverage_before": float(before.coverage[k]),
                "coverage_after": float(after.coverage[k]),
                "gain": float(self.group_gain[k]),
                "top_weight_after": float(after.top_weight[k]),
            }
            for k, group in enumerate(self.before.game.groups.labels)
        ]


def _side(one: Equilibrium) -> dict[str, Any]:
    rows = len(one.profile)
    return {
        "coverage": _labelled(one.game.groups.labels, one.profile.coverage),
        "top_weight": _labelled(one.game.groups.labels, one.profile.top_weight),
        "profile": one.profile.array.tolist() if rows <= 1000 else None,
        "max_gap": one.certificate.max_gap,
        "uniqueness": one.certificate.uniqueness.verdict,
    }


def _labelled(labels: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return {label: float(value) for label, value in zip(labels, values, strict=True)}
