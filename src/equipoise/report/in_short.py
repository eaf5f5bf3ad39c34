"""The head of a report: the incentives from which groups drop out, then this study's verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from equipoise.report.map_words import map_summary
from equipoise.report.phrases import count, equilibria, label, listed, with_share
from equipoise.report.tables import few, interval, percent, points, ratio

__all__ = ["other_equilibria", "summary", "thresholds", "topic_summary"]

Result = Mapping[str, Any]

NAMED = 3
"""So many thresholds stand in the first sentence; the table has all."""


def summary(result: Result) -> list[str]:
    """Return the executive summary, the thresholds first, one sentence or two per entry."""
    out = [*thresholds(result), *other_equilibria(result), _verdict(result)]
    out += [*topic_summary(result), *map_summary(result)]
    out += [*_sureness(result), *_served(result), *_few(result)]
    return [*out, *_gains(result), *_apart(result)]


def thresholds(result: Result) -> list[str]:
    """Return the incentives from which groups are left out, where they hold in this very game."""
    if result["critical"] is None or result["critical"]["law"] == "ignored":
        return []
    rows = [row for row in result["critical"]["rows"] if math.isfinite(row["least"])]
    never = [row for row in result["critical"]["rows"] if not math.isfinite(row["least"])]
    if not rows:
        return ["No weight on appeal, however large, leaves a group out."]
    ends = [
        f" ({interval(row['low'], row['high'])})" if result["uncertainty"]["draws"] else ""
        for row in rows
    ]
    level = f"{100 * result['uncertainty']['level']:g} % interval "
    first = f"The first group to drop out is {label(rows[0]['group'])}, once appeal weighs "
    first += f"{ratio(rows[0]['least'])} times as much as consistency"
    first += ends[0].replace("(", "(" + level)
    named = [
        f"{label(row['group'])} from {ratio(row['least'])}{end}"
        for row, end in zip(rows[1:NAMED], ends[1:NAMED], strict=True)
    ]
    text = f"{first}; then {listed(named)}." if named else f"{first}."
    if len(rows) > NAMED:
        later = "The others stay" if len(rows) > NAMED + 1 or never else "The last one stays"
        text += f" {later} until {ratio(rows[NAMED]['least'])} or more."
    if result["critical"]["law"] == "diversity":
        text += (
            f" That is with a diversity weight of {result['critical']['other_curvature']:g} times "
            "the consistency weight, as in this study."
        )
    return [f"{text} This needs no guess of the weights: compare it with what you believe drives "
            "your models."]  # fmt: skip


def other_equilibria(result: Result) -> list[str]:
    """Return what else the game may come to, if that is open."""
    unique = result["certificate"]["uniqueness"]
    left_out = [(row["group"], row["excluded_in"]) for row in result["exclusion"]]
    text = equilibria(unique["verdict"], unique["equilibria"], left_out)
    games = result["topics"]["games"] if result["topics"] else []
    open_ = [label(game["topic"]) for game in games if game["uniqueness"] != "proved"]
    if open_:
        text += (
            f" On {len(open_)} of the {len(games)} topics it is not proved that there is only one."
        )
    return [text.strip()] if text else []


def _setting(result: Result) -> str:
    """Return who plays and what drives them."""
    settings = result["settings"]
    total = settings["agents"]
    who = "one agent" if total == 1 else f"{count(total)} agents"
    if result["topics"]:
        who = f"over all questions together, {who}"
    alpha, beta = settings.get("attractiveness"), settings.get("consistency")
    if alpha is None or not beta:
        return who[0].upper() + who[1:]
    driven = f"α/β = {alpha / beta:.3g} (appeal weighs {alpha:g}, consistency {beta:g}"
    driven += f", diversity {settings['diversity']:g})" if settings["meets"] else ")"
    return f"{'For example, at' if thresholds(result) else 'At'} {driven}, {who}"


def _verdict(result: Result) -> str:
    rows = result["exclusion"]
    below = result["settings"]["below"]
    who = _setting(result)
    s = "s" if result["settings"]["agents"] == 1 else ""
    out = [row for row in rows if row["verdict"] == "excluded"]
    if not out:
        if any(row["verdict"] != "included" for row in rows):
            return f"{who} leave{s} no group out for certain."
        return f"{who} serve{s} every group: nobody is left out."
    groups = "one group" if len(out) == 1 else f"{count(len(out))} groups"
    start = f"{who} leave{s} {groups} out: "
    if below:
        start = (
            f"{who} leave{s} {groups} out (no agent gives {'it' if len(out) == 1 else 'them'} "
            f"{percent(below)} of its weight): "
        )
    first = f"{label(out[0]['group'])} ({percent(out[0]['share'])} of the public)"
    text = start + listed([first, *(with_share(row) for row in out[1:])])
    if len(out) == 1:
        return text + "."
    return f"{text}, together {percent(sum(row['share'] for row in out))}."


def _sureness(result: Result) -> list[str]:
    draws = result["uncertainty"]["draws"]
    if not draws:
        return ["These verdicts are those of the point values: the study has no joint draws."]
    people = result["people"]
    base = f"{draws:,} joint draws"
    if people:
        base = f"{draws:,} bootstrap draws of the {people['n']:,} respondents"
    text = f"How sure: a verdict is given when it holds in at least 97.5 % of {base}."
    rows = result["exclusion"]
    unsure = [row for row in rows if row["verdict"] == "undecided"]
    if unsure:
        named = [f"{with_share(r)}, left out in {percent(r['excluded_share'])}" for r in unsure]
        text += f" The people asked are too few to tell about {listed(named)} of the draws."
    edge = [row for row in rows if row["verdict"] == "on the boundary"]
    if edge:
        text += f" Exactly on the boundary: {listed([with_share(row) for row in edge])}."
    return [text]


def _served(result: Result) -> list[str]:
    served = [row for row in result["exclusion"] if row["verdict"] == "included"]
    if not served or len(served) == len(result["exclusion"]):
        return []
    return [f"Served: {listed([label(row['group']) for row in served])}."]


def _few(result: Result) -> list[str]:
    rows = [row for row in result["groups"] if few(row["n"])]
    if not rows:
        return []
    named = [f"{label(row['group'])} ({row['n']} respondents)" for row in rows]
    return [f"Few people were asked in {listed(named)}: what is said of them is rough."]


def _gains(result: Result) -> list[str]:
    if not result["welfare"]:
        return []
    rows = sorted(result["welfare"], key=lambda row: float(row["difference"]))
    worst, best = rows[0], rows[-1]
    if worst["difference"] >= 0:
        return ["Every group reads at least as much it agrees with as under proportional service."]
    if worst["difference"] > -0.0005:
        return ["Against service in proportion to size no group loses 0.1 points of agreement."]
    unsure = "" if worst["difference_high"] < 0 else ", which may be chance"
    return [
        f"Against service in proportion to size, {label(worst['group'])} loses most "
        f"({points(worst['difference'])} points of agreement{unsure}) and {label(best['group'])} "
        f"fares best ({points(best['difference'])})."
    ]


def _apart(result: Result) -> list[str]:
    settings = result["settings"]
    if settings["agents"] < 2 or settings["meets"]:
        return []
    return [
        "In this study the agents do not look at each other (diversity weight 0): each does what "
        "it would do alone. For agents that avoid or imitate each other give diversity a weight, "
        "as studies/gss2018-diversity.toml does."
    ]


def topic_summary(result: Result) -> list[str]:
    """Return who is left out on which topic, for certain."""
    if not result["topics"]:
        return []
    games, cells = result["topics"]["games"], result["topics"]["cells"]
    out: dict[str, list[str]] = {}
    for game in games:
        for row in game["rows"]:
            if row["joint_verdict"] == "excluded":
                out.setdefault(row["group"], []).append(game["topic"])
    pairs = sum(len(on) for on in out.values())
    how_many = "none" if pairs == 0 else count(pairs)
    text = (
        f"Topic by topic, {how_many} of the {cells} pairs of a group and a topic "
        f"{'is' if pairs < 2 else 'are'} left out for certain, all pairs taken together"
    )
    if not out:
        return [text + "."]
    named = [
        f"{label(group)} on {listed([label(topic) for topic in on[:4]])}"
        + (f" and {len(on) - 4} more" if len(on) > 4 else "")
        for group, on in sorted(out.items(), key=lambda item: -len(item[1]))
    ]
    return [f"{text}: {'; '.join(named)}."]
