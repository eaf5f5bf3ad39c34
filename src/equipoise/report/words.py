"""How the numbers of a report were made, what is proved, what each figure shows, and the words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from equipoise.report.in_short import topic_summary
from equipoise.report.phrases import equilibria, gap, label, listed, merges, plain
from equipoise.report.tables import percent, ratio

__all__ = ["WORDS", "caption", "certificate", "method", "specialists"]

Result = Mapping[str, Any]

WORDS = (
    ("agent", "one language model; it chooses whom to serve"),
    ("agreement", "the chance that two people, or a text and a person, give the same answer to a "
     "question; answers are compared as categories: the next answer on a scale is another answer"),
    ("appeal", "the mean chance, over the public, that content made for a group agrees with a "
     "person's own answer"),
    ("band", "intervals that hold for all rows of a table together"),
    ("certificate", "what was checked of the result from the game alone: by how much any agent "
     "could still gain, and whether there can be another equilibrium"),
    ("coverage", "the mean weight of a group over agents"),
    ("draw", "the survey asked again of a random sample of its own respondents"),
    ("equilibrium", "a state in which no agent gains by changing its own mixture alone"),
    ("group", "a part of the public, as the study divides it"),
    ("left out", "no agent serves the group, or none above the threshold; files and the command "
     "line call it excluded, and a group that is served included"),
    ("margin", "how far a group's score could fall before nobody serves it (+), or must rise "
     "before somebody does (−); undefined where other equilibria take over"),
    ("mixture", "the weights an agent puts on the groups; they sum to 100 %"),
    ("score", "what an agent gains per unit of weight on a group: appeal and closeness to its "
     "target, each times its weight"),
    ("target", "the mixture an agent is held to; consistency is what it loses by leaving it"),
    ("top weight", "the largest weight any agent puts on a group"),
    ("welfare", "the chance that what a person of a group reads agrees with an answer of theirs"),
    ("α/β", "weight of appeal to the audience over weight of consistency"),
)  # fmt: skip


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
            "answer typical of that group agrees with a person's own answer. Answers are compared "
            "as categories: agreement is the chance of the same answer, and a near answer on a "
            "scale counts no more than a far one."
        )
        out += merges(people)
        anchor = (
            "every group alike"
            if settings["anchor"] == "uniform"
            else "groups in proportion to their size"
        )
        held = "squared distance" if settings["form"] == "quadratic" else "KL divergence"
        out.append(
            f"Each agent chooses a mixture over groups. It gains from appeal (weight "
            f"{settings['attractiveness']:g}), pays for leaving its target, {anchor} "
            f"({held}, weight {settings['consistency']:g})" + _diversity(settings)
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
            f"agent gain more than {gap(uncertainty['max_gap'])} by moving alone)."
        )
    if settings["identical"] and not settings["symmetric"]:
        out.append(
            "The agents are alike but specialise: each draw has an equilibrium of its own, found "
            "in the same way, and it need not be the only one."
        )
    return out


def _diversity(settings: Mapping[str, Any]) -> str:
    if not settings["meets"]:
        if settings["agents"] == 1:
            return "."
        return (
            ". Agents do not look at each other (diversity weight 0); to ask what changes when "
            "they do, give diversity a weight, as studies/gss2018-diversity.toml does."
        )
    overlap = (
        "two groups overlap as much as their answers do"
        if settings["kernel"] == "panel"
        else "different groups do not overlap"
    )
    verb = "pays" if settings["diversity"] > 0 else "gains"
    return (
        f", and {verb} when it serves whom the others serve (diversity weight "
        f"{settings['diversity']:g}; {overlap})."
    )


def certificate(result: Result) -> list[str]:
    """Return what the certificate proves, and what it does not."""
    exam = result["certificate"]
    unique = exam["uniqueness"]
    out = [
        f"{exam['outcome']} Checked from the game alone, not by the solver: no agent can gain more "
        f"than {gap(exam['max_gap'])} by moving alone; its utility spans "
        f"{exam['utility_range']:.3g}. Tolerance: {exam['tol']:g} of that span.",
    ]
    if unique["verdict"] == "proved":
        near = ""
        if exam["distance"] is not None:
            near = f" The profile lies within {exam['distance']:.1e} of it."
        out.append(f"It is the only equilibrium: that is proved.{near}")
    else:
        left_out = [(row["group"], row["excluded_in"]) for row in result["exclusion"]]
        text = equilibria(unique["verdict"], unique["equilibria"], left_out)
        known = "It is proved that there are several." if unique["verdict"] == "refuted" else ""
        out.append(f"{text} {known}".strip())
    out.append(
        "It does not prove that real models have these utilities, that the survey speaks for "
        "today's public, or that the groups are the right ones. "
        + "Taken as given: "
        + "; ".join(exam["assumed"])
        + "."
    )
    return out


def specialists(result: Result) -> list[str]:
    """Return method and test in the terms of docs/theory.md."""
    exam = result["certificate"]
    return [
        f"Method: {exam['solver']} ({exam['reason']}); {exam['steps']} steps.",
        f"Uniqueness: {exam['uniqueness']['test']}.",
        "Names such as R2 refer to docs/theory.md.",
    ]


def caption(name: str, result: Result) -> str:
    """Return the finding of a figure in words, with its units and n."""
    level = f"{100 * result['uncertainty']['level']:g} %"
    n = f" n = {result['people']['n']:,} respondents." if result["people"] else ""
    match name:
        case "critical_incentives":
            rows = result["critical"]["rows"]
            never = [label(row["group"]) for row in rows if math.isinf(row["least"])]
            apart = result["critical"]["law"] == "ignored"
            text = "For agents that ignore each other. " if apart else ""
            text += f"First to drop out: {label(rows[0]['group'])}, at α/β = "
            text += ratio(rows[0]["least"])
            text += f"; never, by the point values: {listed(never)}." if never else "."
            return f"{text} Intervals and band: {level}. α/β has no unit.{n}"
        case "coverage":
            rows = sorted(result["exclusion"], key=lambda r: float(r["coverage"] - r["share"]))
            return (
                f"Most over-served: {label(rows[-1]['group'])} with "
                f"{percent(rows[-1]['coverage'])} of the weight for "
                f"{percent(rows[-1]['share'])} of the public; most under-served: "
                f"{label(rows[0]['group'])} with {percent(rows[0]['coverage'])} for "
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
                "100 %; the lowest is the public. Parts under 3 % carry no number."
            )
        case _:
            return f"{plain(topic_summary(result)[0])} Verdicts hold for all cells together.{n}"


def _columns(result: Result) -> list[tuple[float, ...]]:
    return list(zip(*result["profile"], strict=True))
