"""A result in plain words: the verdict, how sure it is, from which incentive on, who gains.

Sentences carry group and agent labels between two private marks, so that the page can isolate
them from the text around; `plain` takes the marks away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.display import shortened
from equipoise.report.tables import interval, percent, points, ratio

__all__ = ["CLOSE", "OPEN", "caption", "certificate", "method", "plain", "summary"]

Result = Mapping[str, Any]

OPEN, CLOSE = "\ue000", "\ue001"
"""Stand around a label in a sentence; taken out of the labels themselves."""


def plain(sentence: str) -> str:
    """Return a sentence without the marks around labels."""
    return sentence.replace(OPEN, "").replace(CLOSE, "")


def _label(text: str) -> str:
    return OPEN + plain(shortened(text, 80)) + CLOSE


def _listed(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def _with_share(row: Mapping[str, Any]) -> str:
    return f"{_label(row['group'])} ({percent(row['share'])})"


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve")  # fmt: skip


def _count(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else f"{n:,}"


def summary(result: Result) -> list[str]:
    """Return the executive summary, the verdict first, one sentence or two per entry."""
    verdict = _verdict(result)
    if result["topics"]:
        verdict = f"Over all questions together, {verdict[0].lower()}{verdict[1:]}"
    out = [verdict, *_topics(result), *_sureness(result)]
    return [*out, *_others(result), *_incentive(result), *_gains(result)]


def _setting(result: Result) -> tuple[str, str]:
    """Return who plays and what drives them."""
    settings = result["settings"]
    total = settings["agents"]
    who = "One agent" if total == 1 else f"{_count(total).capitalize()} agents"
    alpha, beta = settings.get("attractiveness"), settings.get("consistency")
    if alpha is None or not beta:
        return who, ""
    target = "its target" if total == 1 else "their target"
    return who, (
        f", rewarded for appeal with weight {alpha:g} and held to {target} with weight {beta:g} "
        f"(α/β = {alpha / beta:.3g}),"
    )


def _verdict(result: Result) -> str:
    rows = result["exclusion"]
    below = result["settings"]["below"]
    who, driven = _setting(result)
    s = "s" if result["settings"]["agents"] == 1 else ""
    out = [row for row in rows if row["verdict"] == "excluded"]
    if not out:
        if any(row["verdict"] != "included" for row in rows):
            return f"{who}{driven} leave{s} no group out for certain."
        return f"{who}{driven} serve{s} every group: nobody is left out."
    groups = "one group" if len(out) == 1 else f"{_count(len(out))} groups"
    start = f"{who}{driven} leave{s} {groups} unserved: "
    if below:
        start = f"{who}{driven} give{s} {groups} less than {percent(below)} of any agent's weight: "
    first = f"{_label(out[0]['group'])} ({percent(out[0]['share'])} of the public)"
    text = start + _listed([first, *(_with_share(row) for row in out[1:])])
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
        named = [f"{_with_share(r)}, left out in {percent(r['excluded_share'])}" for r in unsure]
        text += f" The people asked are too few to tell about {_listed(named)} of the draws."
    edge = [row for row in rows if row["verdict"] == "on the boundary"]
    if edge:
        text += f" Exactly on the boundary: {_listed([_with_share(row) for row in edge])}."
    return [text]


def _others(result: Result) -> list[str]:
    served = [row for row in result["exclusion"] if row["verdict"] == "included"]
    if not served or len(served) == len(result["exclusion"]):
        return []
    return [f"Served: {_listed([_label(row['group']) for row in served])}."]


def _incentive(result: Result) -> list[str]:
    if result["critical"] is None:
        return []
    rows = [row for row in result["critical"]["rows"] if math.isfinite(row["least"])]
    if not rows:
        return ["No weight on appeal, however large, leaves a group out."]
    first = rows[0]
    return [
        f"The first to drop out is {_label(first['group'])}, once appeal weighs "
        f"{ratio(first['least'])} times as much as consistency "
        f"({interval(first['low'], first['high'])}). This needs no guess of the weights: "
        "compare the table with what you believe drives your models."
    ]


def _gains(result: Result) -> list[str]:
    if not result["welfare"]:
        return []
    rows = sorted(result["welfare"], key=lambda row: float(row["difference"]))
    worst, best = rows[0], rows[-1]
    if worst["difference"] >= 0:
        return ["Every group reads at least as much it agrees with as under proportional service."]
    unsure = "" if worst["difference_high"] < 0 else ", which may be chance"
    return [
        f"Against service in proportion to size, {_label(worst['group'])} loses most "
        f"({points(worst['difference'])} points of agreement{unsure}) and {_label(best['group'])} "
        f"fares best ({points(best['difference'])})."
    ]


def _topics(result: Result) -> list[str]:
    if not result["topics"]:
        return []
    games, cells = result["topics"]["games"], result["topics"]["cells"]
    out: dict[str, list[str]] = {}
    for game in games:
        for row in game["rows"]:
            if row["joint_verdict"] == "excluded":
                out.setdefault(row["group"], []).append(game["topic"])
    count = sum(len(on) for on in out.values())
    how_many = "none" if count == 0 else _count(count)
    text = (
        f"Topic by topic, {how_many} of the {cells} pairs of a group and a topic "
        f"{'is' if count < 2 else 'are'} left out for certain, all pairs taken together"
    )
    if not out:
        return [text + "."]
    named = [
        f"{_label(group)} on {_listed([_label(topic) for topic in on[:4]])}"
        + (f" and {len(on) - 4} more" if len(on) > 4 else "")
        for group, on in sorted(out.items(), key=lambda item: -len(item[1]))
    ]
    return [f"{text}: {'; '.join(named)}."]


def method(result: Result) -> list[str]:
    """Return how the numbers were made, for a reader who does not program."""
    settings, people = result["settings"], result["people"]
    out = []
    if people:
        weighted = "with survey weights" if people["weighted"] else "unweighted"
        out.append(
            f"People: {people['title']}. {people['n']:,} respondents ({weighted}), "
            f"{len(people['questions'])} questions, {len(result['groups'])} groups."
        )
        out.append(
            "The appeal of content made for a group is the mean chance, over the public, that an "
            "answer typical of that group agrees with a person's own answer."
        )
        anchor = (
            "every group alike"
            if settings["anchor"] == "uniform"
            else "groups in proportion to their size"
        )
        held = "squared distance" if settings["form"] == "quadratic" else "KL divergence"
        out.append(
            f"Each agent chooses a mixture over groups. It gains from appeal (weight "
            f"{settings['attractiveness']:g}), pays for leaving its target, {anchor} "
            f"({held}, weight {settings['consistency']:g}), and pays for serving whom the others "
            f"serve (diversity weight {settings['diversity']:g}"
            + (f", kernel: {settings['kernel']})." if settings["diversity"] else ").")
        )
    out.append(
        "The outcome is a Nash equilibrium: no agent gains by changing its mixture alone. The "
        "forms of the utilities are this project's own."
    )
    uncertainty = result["uncertainty"]
    if uncertainty["draws"]:
        out.append(
            f"Uncertainty: {uncertainty['how']}, {uncertainty['draws']:,} draws. Everything "
            "measured on the same people is redrawn together, and every draw is solved and "
            f"examined as a game of its own ({uncertainty['games']:,} games; in none could an "
            f"agent gain more than {_gap(uncertainty['max_gap'])} by moving alone)."
        )
    if settings["identical"] and not settings["symmetric"]:
        out.append(
            "The agents are alike but specialise: each draw has an equilibrium of its own, found "
            "in the same way, and it need not be the only one."
        )
    return out


def _gap(gap: float) -> str:
    return f"{gap:.1e}" if gap > 1e-15 else "a rounding error"


def certificate(result: Result) -> list[str]:
    """Return what the certificate proves, and what it does not."""
    exam = result["certificate"]
    unique = exam["uniqueness"]
    out = [
        f"{exam['outcome']} Checked from the game alone, not by the solver: no agent can gain more "
        f"than {_gap(exam['max_gap'])} by moving alone; its utility spans "
        f"{exam['utility_range']:.3g}. Tolerance: {exam['tol']:g} of that span.",
    ]
    if unique["verdict"] == "proved":
        near = ""
        if exam["distance"] is not None:
            near = f" The profile lies within {exam['distance']:.1e} of it."
        out.append(f"It is the only equilibrium ({unique['test']}).{near}")
    else:
        found = unique["equilibria"]
        said = "is refuted" if unique["verdict"] == "refuted" else "is not proved"
        out.append(
            f"That it is the only equilibrium {said} ({unique['test']}). Found from several "
            f"starts: {found}. " + _in_how_many(result)
        )
    out.append(
        "It does not prove that real models have these utilities, that the survey speaks for "
        "today's public, or that the groups are the right ones. "
        + "Taken as given: "
        + "; ".join(exam["assumed"])
        + "."
    )
    return out


def _in_how_many(result: Result) -> str:
    rows = [row for row in result["exclusion"] if row["excluded_in"]]
    if not rows:
        return "No group is left out in any of them."
    named = [f"{_label(r['group'])} in {r['excluded_in']} of {r['equilibria']}" for r in rows]
    return f"Left out: {_listed(named)}."


def caption(name: str, result: Result) -> str:
    """Return the finding of a figure in words, with its units and n."""
    level = f"{100 * result['uncertainty']['level']:g} %"
    n = f" n = {result['people']['n']:,} respondents." if result["people"] else ""
    match name:
        case "critical_incentives":
            rows = result["critical"]["rows"]
            never = [_label(row["group"]) for row in rows if math.isinf(row["least"])]
            text = f"First to drop out: {_label(rows[0]['group'])}, at α/β = "
            text += ratio(rows[0]["least"])
            text += f"; never, by the point values: {_listed(never)}." if never else "."
            return f"{text} Intervals and band: {level}. α/β has no unit.{n}"
        case "coverage":
            rows = sorted(result["exclusion"], key=lambda r: float(r["coverage"] - r["share"]))
            return (
                f"Most over-served: {_label(rows[-1]['group'])} with "
                f"{percent(rows[-1]['coverage'])} of the weight for "
                f"{percent(rows[-1]['share'])} of the public; most under-served: "
                f"{_label(rows[0]['group'])} with {percent(rows[0]['coverage'])} for "
                f"{percent(rows[0]['share'])}. Bars: {level} band for all groups together.{n}"
            )
        case "welfare":
            losers = [row for row in result["welfare"] if row["difference"] < 0]
            return (
                f"{len(losers)} of {len(result['welfare'])} groups agree less with what they read "
                f"than under proportional service. Bars: {level} intervals, in percent.{n}"
            )
        case "profile":
            served = sum(any(weight > 0 for weight in group) for group in _columns(result))
            return (
                f"{served} of {len(result['groups'])} groups get some weight. Each bar sums to "
                "100 %; the lowest is the public."
            )
        case _:
            return f"{plain(_topics(result)[0])} Verdicts hold for all cells together.{n}"


def _columns(result: Result) -> list[tuple[float, ...]]:
    return list(zip(*result["profile"], strict=True))
