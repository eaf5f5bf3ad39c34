"""A plan as advice: one sentence that says what to change, for how much, and who loses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.inclusion.plan import Plan

__all__ = ["UNITS", "advice", "full_advice"]

UNITS = {
    "prices": "utility per round, all agents together",
    "anchors": "mixture weight moved, all agents together",
    "diversity": "change of the mean diversity weight",
    "caps": "change of the mean attractiveness weight",
    "audience": "share of attention moved",
    "entry": "distance of the newcomer's target from the public's shares",
    "together": "sum of the levers' own units",
}
"""What a cost of 1 means, by lever."""

SHOWN = 3
"""Agents that are named before "and n more"."""


def advice(plan: Plan) -> str:
    """Return what to do, in one sentence without its cost.

    Examples
    --------
    >>> import equipoise as eq
    >>> from equipoise.game.catalog import game
    >>> advice(eq.steer(game("toy"), floors={"rural": 0.05}))
    'pay 0.0725 per unit of attention to rural'
    """
    if not plan.setting.any() and plan.lever.name != "entry":
        return "change nothing: the goal holds as it is"
    return _say(plan.lever.name, plan.change)


def full_advice(plan: Plan) -> str:
    """Return the advice with its cost, whether it is the least, and who loses."""
    losers = plan.losers
    lost = ", ".join(losers[:-1]) + " and " + losers[-1] if len(losers) > 1 else "".join(losers)
    parts = [
        f"{advice(plan)}: cost {plan.cost:.6g} ({UNITS[plan.lever.name]}), {plan.leastness.word}",
        f"{lost} {'gets' if len(losers) == 1 else 'get'} less attention than before"
        if losers
        else "no group gets less attention than before",
    ]
    if not plan.holds_everywhere:
        parts.append(f"the goal holds in {sum(plan.held_in)} of the {len(plan.held_in)} equilibria "
                     "found")  # fmt: skip
    if plan.robustness:
        r = plan.robustness
        parts.append(
            f"it holds in {r['fresh']:.1%} [{r['low']:.1%}, {r['high']:.1%}] of {r['n']} draws it "
            "was not fitted on"
        )
    return "; ".join(parts)


def _say(lever: str, change: Mapping[str, Any]) -> str:
    match lever:
        case "prices":
            paid = [f"{price:.6g} per unit of attention to {g}" for g, price in change.items()]
            return "pay " + _and(paid)
        case "anchors":
            moves = [f"{agent}'s target {_shift(groups)}" for agent, groups in change.items()]
            return "move " + _some(moves)
        case "diversity" | "caps":
            name = "diversity" if lever == "diversity" else "attractiveness"
            return _weights(name, change)
        case "audience":
            moves = [f"{g} from {v['from']:.4g} to {v['to']:.4g}" for g, v in change.items()]
            return "count the attention of " + _and(moves)
        case "entry":
            ((label, target),) = change.items()
            aims = [f"{g} {share:.4g}" for g, share in target.items()]
            return f"let {label} enter and aim at {_and(aims)}"
        case _:
            return _and([_say(name, part) for name, part in change.items() if part])


def _weights(name: str, change: Mapping[str, Any]) -> str:
    parts = []
    for key, value in change.items():
        if "every agent by" in value:
            by = float(value["every agent by"])
            parts.append(f"{'raise' if by > 0 else 'lower'} {name} by {abs(by):.6g} for all")
            continue
        verb = "raise" if value["to"] > value["from"] else "lower"
        whose = "" if key in ("diversity", "attractiveness") else f" of {key}"
        parts.append(f"{verb} {name}{whose} from {value['from']:.6g} to {value['to']:.6g}")
    return _some(parts)


def _shift(groups: Mapping[str, Mapping[str, float]]) -> str:
    moved = [
        f"{g} from {v['from']:.4g} to {v['to']:.4g}"
        for g, v in groups.items()
        if abs(v["to"] - v["from"]) > 1e-9
    ]
    return "(" + ", ".join(moved) + ")"


def _some(parts: list[str]) -> str:
    if len(parts) > SHOWN:
        return ", ".join(parts[:SHOWN]) + f", and {len(parts) - SHOWN} more"
    return _and(parts)


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
