"""What would bring everyone in, in sentences: advice, who loses, how sure, what is proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.report.phrases import CLOSE, OPEN, count, gap, label, listed, plain
from equipoise.report.tables import percent

__all__ = ["LEVERS", "advice", "goal_words", "limits", "opening", "steer_summary"]

Result = Mapping[str, Any]
Row = Mapping[str, Any]
Plan = Mapping[str, Any]

LEVERS = {
    "prices": "prices",
    "anchors": "moved targets",
    "diversity": "diversity",
    "caps": "less attractiveness",
    "audience": "another audience mix",
    "entry": "a newcomer",
    "together": "these levers together",
}
"""Lever -> as readers know it."""

SHOWN = 3
"""Agents that are named before "and n more"."""


def goal_words(row: Row) -> str:
    """Return what has to hold, as the end of a sentence."""
    parts = []
    if row["share"] is not None:
        parts.append(
            f"every group gets at least {_short(row['share'])} of the weight its size would bring "
            "it"
        )
    floor = row["floor"]
    if isinstance(floor, Mapping):
        named = [f"{label(group)} at least {_short(least)}" for group, least in floor.items()]
        parts.append(f"{listed(named)} of the weight")
    elif floor is not None:
        parts.append(f"every group gets at least {_short(floor)} of the weight")
    if row["served_by"] is not None:
        s = "" if row["served_by"] == 1 else "s"
        parts.append(
            f"every group is served by at least {count(row['served_by'])} agent{s} with "
            f"{_short(row['weight'])} or more"
        )
    if row["max_distance"] is not None:
        parts.append(f"coverage lies within {row['max_distance']:g} (L1) of the public's shares")
    return listed(parts)


def _short(value: float) -> str:
    """Return a share as percent without needless digits."""
    return f"{100 * value:.3g}\u00a0%"


def opening(row: Row) -> list[str]:
    """Return the goal and how its plans were sought."""
    tried = "These levers are moved together."
    if not row["together"]:
        alone = len(row["levers"]) > 1
        tried = "Each lever is tried alone; their costs have different units." if alone else ""
    out = [f"The goal: {goal_words(row)}. {tried}".strip()]
    half = row["draws"] // 2
    if row["draws"]:
        out.append(
            f"It has to hold in at least {_short(row['sure'])} of draws: {half:,} of the study's "
            f"joint draws find a plan, {row['draws'] - half:,} others say how often it holds. "
            "Where a plan is found somewhat more is asked for, so that chance does not decide."
        )
    elif row["within"] is not None:
        out.append(
            "It has to hold also when attractiveness, consistency and diversity weights are off by "
            f"up to {_short(row['within'])}, each on its own."
        )
    else:
        out.append("The plans are those of the point values.")
    return out


def advice(row: Row, result: Result) -> list[tuple[str, str]]:
    """Return lever by lever what to do, as (lever, sentences), or why it does not do."""
    out = [(_name(plan["lever"], row), _plan_words(plan, row, result)) for plan in row["plans"]]
    return out + [(_name(one["lever"], row), _refusal(one, row)) for one in row["refused"]]


def _name(lever: str, row: Row) -> str:
    if lever == "together":
        return _capital(listed([LEVERS[name] for name in row["together"]]) + ", together")
    return _capital(LEVERS[lever])


def _capital(text: str) -> str:
    return text if text.startswith(OPEN) else text[:1].upper() + text[1:]


def _plan_words(plan: Plan, row: Row, result: Result) -> str:
    if not plan["cost"] and plan["lever"] != "entry":
        return f"Change nothing: the goal holds as it is. {_sure(plan, row)}".strip()
    parts = [f"{_capital(_do(plan['lever'], plan['change'], plan))}."]
    parts.append(f"Cost: {_number(plan['cost'])} ({plan['unit']}).")
    parts += [_losers(plan), _giver(plan, result), _sure(plan, row), _several(plan), _least(plan)]
    return " ".join(part for part in parts if part)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _do(lever: str, change: Mapping[str, Any], plan: Plan) -> str:
    """Return a change as an order."""
    match lever:
        case "prices":
            paid = [f"{_number(price)} for {label(group)}" for group, price in change.items()]
            return f"pay every agent, per unit of weight, {listed(paid)}"
        case "anchors":
            moves = [
                f"set the target of {label(agent)} to "
                + _mixture({group: ends["to"] for group, ends in groups.items()})
                for agent, groups in list(change.items())[:SHOWN]
            ]
            more = plan.get("changes", len(change)) - len(moves)
            return "; ".join(moves) + (f"; and those of {more:,} agents more" if more > 0 else "")
        case "diversity":
            return _weights("diversity", change)
        case "caps":
            return _weights("attractiveness", change)
        case "audience":
            ends = [f"{label(g)} as {percent(v['to'])} of all instead of {percent(v['from'])}"
                    for g, v in change.items()]  # fmt: skip
            return f"count the attention of {listed(ends)}"
        case "entry":
            ((_, target),) = change.items()
            return f"let one agent more enter, with the target {_mixture(target)}"
        case _:
            return "; ".join(_do(name, part, plan) for name, part in change.items() if part)


def _mixture(target: Mapping[str, float]) -> str:
    """Return a mixture, the largest weight first, zeros left out."""
    ranked = sorted(target.items(), key=lambda item: -item[1])
    return listed([f"{percent(w)} {label(group)}" for group, w in ranked if w > 5e-7])


def _weights(name: str, change: Mapping[str, Any]) -> str:
    parts = []
    for key, ends in list(change.items())[:SHOWN]:
        if "every agent by" in ends:
            by = float(ends["every agent by"])
            parts.append(f"{'raise' if by > 0 else 'lower'} {name} by {_number(abs(by))} for all")
            continue
        verb = "raise" if ends["to"] > ends["from"] else "lower"
        whose = "" if key == name else f" of {label(key)}"
        parts.append(f"{verb} {name}{whose} from {_number(ends['from'])} to {_number(ends['to'])}")
    more = len(change) - len(parts)
    return listed(parts) + (f", and that of {more:,} agents more" if more else "")


def _losers(plan: Plan) -> str:
    before, after = plan["before"]["coverage"], plan["after"]["coverage"]
    losers = sorted(plan["losers"], key=lambda group: after[group] - before[group])
    if not losers:
        return "No group gets less attention than before."
    first = f"{label(losers[0])} (from {percent(before[losers[0]])} to {percent(after[losers[0]])})"
    others = [label(group) for group in losers[1:]]
    return f"Less attention than before: {listed([first, *others])}."


def _giver(plan: Plan, result: Result) -> str:
    """Say which agent gives up most by the incentives it had."""
    gain, names = plan["agent_gain"], result["agents"]
    if not gain or not names or len(gain) != len(names):
        return ""
    least = min(gain)
    if least > -1e-9:
        return ""
    who = "every agent" if max(gain) - least < 1e-9 else label(names[gain.index(least)])
    verb = "gives up" if who == "every agent" else "gives up most,"
    return f"By the incentives it had, {who} {verb} {_number(-least)} utility units."


def _sure(plan: Plan, row: Row) -> str:
    held = plan["robustness"]
    if not held:
        return ""
    where = "draws" if row["draws"] else "points"
    text = f"It holds in {percent(held['fresh'])} ({percent(held['low'])} to "
    text += f"{percent(held['high'])}) of {held['n']:,} {where} it was not fitted on"
    if row["sure"] and held["fresh"] < row["sure"]:
        text += f", fewer than the {_short(row['sure'])} asked for"
    return f"{text}."


def _several(plan: Plan) -> str:
    if plan["holds_in"] == plan["equilibria"]:
        return ""
    return (
        f"The changed game has {count(plan['equilibria'])} equilibria that were found; the goal "
        f"holds in {count(plan['holds_in'])} of them."
    )


def _least(plan: Plan) -> str:
    if plan["least"]:
        return f"It is the least this lever can do ({plan['why']})."
    return f"It is the best found ({plan['why']})."


def _refusal(one: Mapping[str, Any], row: Row) -> str:
    """Return why a lever does not reach the goal; labels in it stay apart from the text around."""
    reason = one["reason"].removeprefix(f"{one['lever']}: ").replace(row["goal"], "the goal")
    text = f"Not reached: {OPEN}{plain(reason)}{CLOSE}."
    if one["point"] is not None:
        text += (
            f" By the point values alone it would do: {OPEN}{plain(one['point']['advice'])}{CLOSE} "
            f"(cost {_number(one['point']['cost'])})."
        )
    return text


def steer_summary(result: Result) -> list[str]:
    """Return one sentence or two per goal, for the head of a report."""
    out = []
    for row in result.get("steer", ()):
        sure = f" in {_short(row['sure'])} of draws" if row["draws"] else ""
        goal, missed = goal_words(row), [LEVERS[one["lever"]] for one in row["refused"]]
        alone = " alone" if len(row["levers"]) > 1 else ""
        text = ""
        if row["plans"]:
            ways = _or([_briefly(plan) for plan in row["plans"]])
            text = f"What would bring everyone in, so that{sure} {goal}: {ways}. {_who_loses(row)}"
        if missed and text:
            text += f" With {_either(missed)}{alone} no way was found."
        elif missed:
            text = f"With {_either(missed)}{alone} no way was found by which{sure} {goal}."
        out.append(text)
    return out


def _who_loses(row: Row) -> str:
    """Say who gets less attention by the plans of a goal: never left out of the head."""
    sets = [set(plan["losers"]) for plan in row["plans"]]
    always = [g for g in row["plans"][0]["after"]["coverage"] if all(g in lost for lost in sets)]
    ever = [g for g in row["plans"][0]["after"]["coverage"] if any(g in lost for lost in sets)]
    if not ever:
        return "Nobody gets less attention than before."
    every = "By every one of these" if len(sets) > 1 else "By that"
    first = f"{every} {listed([label(g) for g in always])} get less attention than before"
    some = [label(g) for g in ever if g not in always]
    if not always:
        return f"Depending on the way, {listed(some)} get less attention than before."
    return f"{first}; by some also {listed(some)}." if some else f"{first}."


def _or(parts: Sequence[str]) -> str:
    """Join long alternatives."""
    return listed(parts) if len(parts) < 2 else "; ".join(parts[:-1]) + "; or " + parts[-1]


def _either(parts: Sequence[str]) -> str:
    """Join short alternatives."""
    return listed(parts) if len(parts) < 2 else ", ".join(parts[:-1]) + " or " + parts[-1]


def _briefly(plan: Plan) -> str:
    if not plan["cost"] and plan["lever"] != "entry":
        return "change nothing"
    return _brief(plan["lever"], plan["change"], plan)


def _brief(lever: str, change: Mapping[str, Any], plan: Plan) -> str:
    match lever:
        case "prices":
            return f"pay for serving {listed([label(group) for group in change])}"
        case "anchors":
            many = plan.get("changes", len(change)) > SHOWN
            who = f"{plan['changes']:,} agents" if many else listed([label(a) for a in change])
            return f"move the target{'s' if len(change) > 1 else ''} of {who}"
        case "audience":
            return f"count the attention of {listed([label(group) for group in change])} otherwise"
        case "entry":
            return "let one agent more enter"
        case "diversity" | "caps":
            return _do(lever, change, plan)
        case _:
            return " and ".join(_brief(name, part, plan) for name, part in change.items() if part)


def limits(row: Row) -> list[str]:
    """Return what is proved of the plans of a goal, and what is not."""
    out = []
    if row["plans"]:
        worst = max(plan["after"]["max_gap"] for plan in row["plans"])
        text = (
            "Every plan was solved afresh and certified: after it no agent could gain more than "
            f"{gap(worst)} by moving alone."
        )
        open_ = [LEVERS[p["lever"]] for p in row["plans"] if p["uniqueness"] != "proved"]
        if open_:
            text += f" That there is no other equilibrium is not proved after {_either(open_)}."
        elif len(row["plans"]) > 1:
            text += " Each of these equilibria is proved to be the only one."
        out.append(text)
    if row["draws"] or row["within"] is not None:
        out.append(
            "A plan that holds in most draws is the cheapest that was found so; no proof says that "
            "there is no cheaper one, and a lever that is called not reached may have a setting "
            "that the search missed."
        )
    out.append(
        "Costs are in the units of the game and say nothing of money. That real models answer to "
        "these levers as the utilities do is not shown here."
    )
    if "audience" in row["levers"] or "audience" in row["together"]:
        out.append(
            "What another audience mix changes is taken from the point values of agreement, in "
            "every draw."
        )
    return out
