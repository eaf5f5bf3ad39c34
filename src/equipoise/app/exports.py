"""Files of what the page shows: the game, tables as CSV, figures as SVG and PNG."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.app.people import question_view
from equipoise.app.settings import Settings, draws_at, game_at_settings
from equipoise.app.solved import solved
from equipoise.app.source import DRAWS, Source
from equipoise.app.uncertainty import outcomes
from equipoise.equilibrium.outcome import Equilibrium, Outcome
from equipoise.errors import BadInput, NotSolved
from equipoise.estimate import percentile_interval
from equipoise.game.gamefile import game_to_dict
from equipoise.game.gamefile_text import to_json, to_toml
from equipoise.inclusion.advice import UNITS, advice
from equipoise.inclusion.exclusion import exclusion
from equipoise.inclusion.lever_table import LeverTable
from equipoise.report.map_files import cells_csv
from equipoise.report.tables import neutral

if TYPE_CHECKING:
    from equipoise.app.api import Api

__all__ = ["export"]

KINDS = {
    "json": "application/json",
    "toml": "application/toml",
    "csv": "text/csv; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
MOST_PLANS = 8

OFFERED = {
    "game": ("json", "toml"),
    "groups": ("csv",),
    "agents": ("csv",),
    "profile": ("svg", "png"),
    "exclusion": ("svg", "png"),
    "map": ("csv", "svg", "png"),
    "panel": ("csv", "svg", "png"),
    "plans": ("csv", "svg", "png"),
}

GROUPS = ("group", "share", "coverage", "coverage_low", "coverage_high", "top_weight",
          "top_agent", "margin", "margin_low", "margin_high", "excluded_share",
          "verdict")  # fmt: skip
"""Columns of the table of groups."""


def export(api: Api, body: Mapping[str, Any]) -> tuple[str, str, bytes]:
    """Return a file's name, media type and content.

    Parameters
    ----------
    api : Api
    body : mapping
        `source` and `set` as for every question; `what` and `kind`; for a map and for plans their
        names, for the answers of people the question.

    Raises
    ------
    BadInput
        A kind of file there is none of.
    MissingExtra
        Figures need the extra "plots".
    """
    what, kind = body.get("what"), body.get("kind")
    if not isinstance(what, str) or kind not in OFFERED.get(what, ()):
        raise BadInput("export: there is no such file; choose one of the list")
    source = api.shelf.get(body.get("source"))
    settings = Settings.read(body.get("set") or {}, len(source.game.groups))
    if what == "map":
        content = _map(api, body, kind)
    elif what == "plans":
        content = _plans(api, body, kind)
    elif what == "game":
        game = game_to_dict(game_at_settings(source, settings))
        content = (to_json(game) if kind == "json" else to_toml(game)).encode()
    elif what == "panel":
        content = _panel(source, body.get("question", 0), kind)
    else:
        content = _equilibrium(source, settings, what, kind)
    return f"equipoise-{what}.{kind}", KINDS[kind], content


def _map(api: Api, body: Mapping[str, Any], kind: str) -> bytes:
    found, _ = api.map_of(body.get("map"))
    if kind == "csv":
        return cells_csv(found).encode()
    return _figure("map", kind, lambda charts: charts.map(found))


def _plans(api: Api, body: Mapping[str, Any], kind: str) -> bytes:
    names = body.get("plans")
    if not isinstance(names, list) or not 0 < len(names) <= MOST_PLANS:
        raise BadInput("plans: there are none; find plans first")
    plans = tuple(api.plan_of(name)[2] for name in names)
    if kind != "csv":
        table = LeverTable(plans[0].goal.words(plans[0].before.game), plans, ())
        return _figure("plan", kind, lambda charts: charts.plan(table))
    head = ["lever", "advice", "cost", "unit", "least", *plans[0].to_rows()[0]]
    lines = (
        [plan.lever.name, advice(plan), plan.cost, UNITS[plan.lever.name], plan.leastness.proved,
         *row.values()]
        for plan in plans
        for row in plan.to_rows()
    )  # fmt: skip
    return _csv(head, lines)


def _figure(what: str, kind: str, draw: Callable[[Any], Any]) -> bytes:
    from equipoise.report import charts
    from equipoise.report.canvas import drawn

    return drawn(lambda: draw(charts), kind)


def _equilibrium(source: Source, settings: Settings, what: str, kind: str) -> bytes:
    found = solved(source, settings, starts=None)
    if found.outcome is not Outcome.solved:
        raise NotSolved(f"no equilibrium is certified at these settings: {found.outcome.value}")
    if what == "agents":
        return _agents(found)
    if what == "profile":
        return _figure(what, kind, lambda charts: charts.profile(found))
    drawn = outcomes(found.game, draws_at(source, settings, DRAWS), settings.below, margins=True)
    draws = None if drawn is None else drawn.for_report()
    report = exclusion(found, below=settings.below, draws=draws)
    low, high = (report.coverage,) * 2 if drawn is None else percentile_interval(drawn.coverage)
    made = [
        {**row, "coverage_low": float(a), "coverage_high": float(b)}
        for row, a, b in zip(report.to_rows(), low, high, strict=True)
    ]
    if what == "groups":
        return _csv(GROUPS, ([row[key] for key in GROUPS] for row in made))
    return _figure(what, kind, lambda charts: charts.rows.coverage_rows(made))


def _agents(found: Equilibrium) -> bytes:
    agents, labels = found.game.agents, found.game.groups.labels
    lines = (
        [agents.label(i), int(agents.counts[i]), labels[k], float(weight)]
        for i, row in enumerate(found.profile.array)
        for k, weight in enumerate(row)
    )
    return _csv(["agent", "count", "group", "weight"], lines)


def _panel(source: Source, question: Any, kind: str) -> bytes:
    view = question_view(source, question)
    table = source.answers
    assert table is not None  # question_view has refused
    if kind != "csv":
        measured = tuple(np.array(view[key]).T for key in ("shares", "low", "high"))
        return _figure("panel", kind, lambda charts: charts.answer_rows(
            view["wording"], view["options"], table.groups, measured))  # fmt: skip
    lines = (
        [table.questions[question], option, group, view["shares"][c][k], view["low"][c][k],
         view["high"][c][k], view["n"][k]]
        for c, option in enumerate(table.options[question])
        for k, group in enumerate(table.groups)
    )  # fmt: skip
    return _csv(["question", "option", "group", "share", "low", "high", "n"], lines)


def _csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for line in lines:
        writer.writerow([neutral(cell) for cell in line])
    return out.getvalue().encode()
