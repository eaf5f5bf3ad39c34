"""docs/showcase.md, made of the numbers that `make showcase` last kept in benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["latest", "showcase_page"]

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def latest() -> dict[str, Any]:
    """Return the last kept showcase."""
    path = sorted(RESULTS.glob("*-showcase.json"))[-1]
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _interval(e: Mapping[str, float], digits: int = 2) -> str:
    return f"{e['value']:.{digits}f} ({e['low']:.{digits}f} to {e['high']:.{digits}f})"


def _joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def showcase_page() -> str:
    """Return the page."""
    d = latest()
    groups, judged = d["groups"], d["training"]["judged"]
    parts = [_HEAD.format(**d, minutes=f"{sum(d['seconds'].values()) / 60:.0f}")]
    parts.append(_training(d, groups, judged))
    parts.append(_game(d, groups))
    parts.append(_served(d, groups))
    parts.append(_loop(d))
    parts.append(_TAIL)
    return "\n\n".join(parts) + "\n"


def _training(d: dict[str, Any], groups: list[str], judged: dict[str, Any]) -> str:
    head = ["mean total variation to the group's people", *groups]
    who = d["training"]["distances"]
    rows = [[name, *(f"{cells[g]['value']:.3f}" for g in groups)] for name, cells in who.items()]
    rows.append(["half-sample noise of the survey", *(f"{d['training']['noise'][g]:.3f}" for g in groups)])  # fmt: skip
    fresh = [
        [name, *(f"{cells[g]['value']:.3f}" for g in groups)]
        for name, cells in d["training"]["new"].items()
        if all(cells.values())
    ]
    audit = d["training"]["audit"]
    rows.append(["its own weight, audited", *(_interval(audit[g]) for g in groups)])
    return f"""## 1. Three models that answer like three groups

`equipoise realise train` teaches one adapter per group how that group answered, in
{d["seconds"]["train"] / 60:.0f} minutes ({d["cores"]} cores). Part of the people and
{d["training"]["questions_held_out"]} questions were held out.

{_table(head, rows)}

Mean over groups: {judged["to_people_held_out"]:.3f} to people held out, where two halves of the
survey are {judged["half_sample_noise"]:.3f} apart; {judged["to_all_people"]:.3f} to all people.
Perplexity on a neutral text changes by at most {judged["perplexity_growth"]:+.1%}.

On the questions it was never taught:

{_table(head, fresh)}"""


def _game(d: dict[str, Any], groups: list[str]) -> str:
    anchors = d["anchors"]
    rows = [[a, *(_interval(anchors[a][g]) for g in groups)] for a in anchors]
    coverage = [
        [name, *(f"{x:.3f}" for x in d[key]["coverage"]), f"{d[key]['max_gap']:.1e}"]
        for name, key in (("before", "before"), ("with the prices", "plan"))
    ]
    prices = _joined([f"{v:.3f} on {g}" for g, v in d["plan"]["change"].items() if v])
    return f"""## 2. Four agents, measured

Each trained model is an agent, and so is the model as it came. `equipoise measure` reads from their
answers what they are by default (R14, 95 % intervals over questions):

{_table(["default alignment", *groups], rows)}

## 3. The equilibrium leaves somebody out, and what would change it

Let approval weigh {d["attractiveness"]:g} times as much as staying what one is. `equipoise solve`
predicts who is spoken for, with a certificate (largest gain any agent could still make):

{_table(["coverage", *groups, "largest gap"], coverage)}

Left out: **{_joined(d["before"]["excluded"])}**. `equipoise steer` finds the least prices after which
{_joined(d["before"]["excluded"])} has at least {d["floor"]:g}: {prices}
({"proved least" if d["plan"]["least"] else "the best found"}; cost {d["plan"]["cost"]:.3f} a round)."""


def _served(d: dict[str, Any], groups: list[str]) -> str:
    rows = []
    for name, key in (("before", "before"), ("with the prices", "plan")):
        rows.append([f"meant, {name}", *(f"{x:.3f}" for x in d[key]["coverage"])])
        found = d["audits"][key]
        rows.append([f"audited, {name}", *(_interval(found[g]) for g in groups)])
    routes = [
        [c["route"], *(f"{c['inside'][g]} of {c['targets']}" for g in groups),
         f"{c['distance']:.3f}", f"{c['people']['error']:.3f}", f"{c['people']['models_error']:.3f}"]
        for c in d["check"]
    ]  # fmt: skip
    return f"""## 4. Real models act it

`equipoise serve` puts each equilibrium in front of the trained models. A client asks its four agents
{d["sheets"]} questionnaires of the survey, before and with the plan, and `equipoise audit` estimates
from the answers alone, against **people**, who was speaking:

{_table(["share of questionnaires", *groups], rows)}

A group whose answers lie between the others' is hard to tell from a blend of them, and trained models
are not quite their people: the audit says so in its intervals and its misses, not in the plan's favour.
Before and after differ for {_joined(d["before"]["excluded"])}; who pays for it with coverage:
{_joined(d["plan"]["losers"])}.

The mixer by itself: {d["check"][0]["targets"]} random mixtures, each audited from
{d["check"][0]["sheets"]} questionnaires against the models' own measured answers: how often each weight lies inside its 95 % interval, and how far what
is said is from the mixture that was meant (total variation). Audited against people instead, weights
are off by the first error on average; the second is the part that is the models', not the mixer's:

{_table(["route", *groups, "distance", "error, people", "of it the models'"], routes)}"""


def _loop(d: dict[str, Any]) -> str:
    rows = [
        [phase["name"], row["group"], f"{row['predicted']:.3f}",
         f"{row['coverage']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
         "yes" if row["inside"] else "no"]
        for phase in d["loop"]["phases"]
        for row in phase["groups"]
    ]  # fmt: skip
    return f"""## 5. Agents that learn end up there

`equipoise simulate` lets agents post what the trained models answer, lets real respondents react, and
lets agents adapt; half-way the prices are paid. Prediction and simulation
({d["loop"]["rounds"]:,} rounds; verdict: {d["loop"]["verdict"]}):

{_table(["phase", "group", "predicted", "simulated, 95 %", "inside"], rows)}"""


_HEAD = """<!-- Made by tools/showcase_page.py from benchmarks/results; `make showcase` makes the numbers. -->
# A worked study: from people to served answers

`make showcase` runs everything on this page on a plain machine: real people (the General Social
Survey 2018, three groups by political views), a real model (SmolLM2-135M, {cores} cores, no GPU), about
{minutes} minutes. It goes on where it was stopped. Numbers of {date}; the study is
[studies/showcase.toml](https://github.com/equipoise-dev/equipoise/blob/main/studies/showcase.toml)."""

_TAIL = """## What this does not show

One small model, one survey, three groups. The agents' incentives are assumed; only their defaults
were measured. On questions it was not taught a trained model knows little of its group: read the
first table before you call it anybody's voice. See [Limits and misuse](limits.md)."""
