"""The questions a page may ask, each a function of plain values; no web framework here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, final

import numpy as np

from equipoise.app.json_numbers import number, rounded
from equipoise.app.link import read_link, write_link
from equipoise.app.maps import (
    COARSEST,
    POINTS,
    Line,
    Superseded,
    boundary_lines,
    cell_game,
    chances,
    make_map,
    map_view,
    nearest,
)
from equipoise.app.opened import opened_view
from equipoise.app.people import question_view
from equipoise.app.plans import levers_view, make_plan, opened_plan, plan_view
from equipoise.app.settings import Settings
from equipoise.app.solved import Memory, equilibrium_view
from equipoise.app.source import Shelf, Source, open_anything
from equipoise.app.uploads import Uploads
from equipoise.equilibrium.outcome import Outcome
from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.inclusion.exclusion import unserved
from equipoise.inclusion.map_result import PhaseMap
from equipoise.inclusion.plan import Plan

__all__ = ["Api"]

Body = Mapping[str, Any]

KEPT = 8
"""Maps and plans that are remembered, so that a cell or a click can refer to them."""

TABS = 64


def _open(path: Path | None, opening: Future[Source]) -> None:
    try:
        opening.set_result(open_anything(path))
    except BaseException as error:  # noqa: BLE001  # whoever waits is told
        opening.set_exception(error)


@final
class Api:
    """What is open, and what can be asked about it.

    Parameters
    ----------
    path : Path or None
        What to open first.
    """

    def __init__(self, path: Path | None = None) -> None:
        opening: Future[Source] = Future()
        # A thread of its own: the server starts, and the browser loads the page, meanwhile.
        threading.Thread(target=_open, args=(path, opening), daemon=True).start()
        self.shelf = Shelf(opening)
        self.uploads = Uploads()
        self._maps: OrderedDict[str, tuple[PhaseMap, list[Line]]] = OrderedDict()
        self._plans: OrderedDict[str, tuple[Source, Settings, Plan]] = OrderedDict()
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._memory = Memory()
        self._lock = threading.Lock()
        self._count = 0

    @property
    def questions(self) -> Mapping[str, Callable[[Body], dict[str, Any]]]:
        """Name of a question -> who answers it."""
        return {
            "open": self.open,
            "solve": self.solve,
            "map": self.map,
            "chances": self.chances,
            "cell": self.cell,
            "levers": self.levers,
            "plan": self.plan,
            "apply": self.apply,
            "people": self.people,
            "survey": self.survey,
            "link": self.link,
        }

    def _read(self, body: Body) -> tuple[Source, Settings]:
        source = self.shelf.get(body.get("source"))
        return source, Settings.read(body.get("set") or {}, len(source.game.groups))

    def open(self, body: Body) -> dict[str, Any]:
        """Return what is open, with its first equilibrium: one question before the first picture.

        With "link" what the link stands for; else the source named, or the first.
        """
        view: dict[str, Any] = {}
        if body.get("link"):
            source, settings, view = read_link(self.shelf, body["link"])
        else:
            key = body.get("source")
            source = self.shelf.get(key) if key else self.shelf.first
            settings = Settings(below=source.below)
        return self._opened(source, settings, view)

    def _opened(self, source: Source, settings: Settings, view: Body) -> dict[str, Any]:
        return {
            **opened_view(source),
            "set": settings.to_dict(),
            "view": dict(view),
            "equilibrium": equilibrium_view(source, settings, full=False, memory=self._memory),
        }

    def solve(self, body: Body) -> dict[str, Any]:
        """Return the equilibrium at the settings.

        "full": also what takes longer than a frame; "stop": a tab whose map is out of date.
        """
        source, settings = self._read(body)
        if body.get("stop"):
            # A map that is drawn for other settings only takes time from this.
            self._turn({"tab": body["stop"], "turn": body.get("turn", 0)})
        return equilibrium_view(source, settings, full=bool(body.get("full")), memory=self._memory)

    def map(self, body: Body) -> dict[str, Any]:
        """Return a phase map; a later question of the same tab makes it stop.

        Raises
        ------
        Superseded
            The tab asked for another map meanwhile.
        """
        source, settings = self._read(body)
        late = self._turn(body)
        found = make_map(
            source, settings, body.get("axes"), fine=bool(body.get("fine")), cancelled=late
        )
        if late():
            raise Superseded
        lines = boundary_lines(found)
        name = self._keep(self._maps, (found, lines))
        # A finer one is worth asking for where cells are quick and there is something to see.
        more = not found.boundaries and COARSEST < len(found.axes[0]) < POINTS
        return {"map": name, "more": more and bool(lines), **map_view(found, lines)}

    def _turn(self, body: Body) -> Callable[[], bool]:
        """Take the turn of a tab; return a function that says when a later question took it."""
        tab, turn = str(body.get("tab", ""))[:40], body.get("turn", 0)
        with self._lock:
            self._turns[tab] = turn
            self._turns.move_to_end(tab)
            while len(self._turns) > TABS:
                self._turns.popitem(last=False)
        return lambda: self._turns.get(tab) != turn

    def chances(self, body: Body) -> dict[str, Any]:
        """Return how sure the map is: the share of draws in which each group is excluded."""
        source, settings = self._read(body)
        return {"chances": chances(source, settings, body.get("axes"), self._turn(body))}

    def _keep(self, shelf: OrderedDict[str, Any], thing: Any) -> str:
        with self._lock:
            self._count += 1
            name = str(self._count)
            shelf[name] = thing
            while len(shelf) > KEPT:
                shelf.popitem(last=False)
        return name

    def map_of(self, name: Any) -> tuple[PhaseMap, list[Line]]:
        """Return a map that was made before, by its name."""
        found = self._maps.get(name) if isinstance(name, str) else None
        if found is None:
            raise BadInput("map: it is not here any more; draw it again")
        return found

    def cell(self, body: Body) -> dict[str, Any]:
        """Return the equilibrium at one point of a map, who is excluded, the nearest boundary."""
        source, settings = self._read(body)
        found, lines = self.map_of(body.get("map"))
        point = {}
        for axis, key in zip(found.axes, ("x", "y"), strict=True):
            value = number(key, body.get(key))
            point[axis.name] = float(np.clip(value, axis.values[0], axis.values[-1]))
        x, y = point.values()
        game = cell_game(source, settings, point)
        answer = solve(game, starts=0, on_failure="return")
        top = answer.profile.top_weight
        out = unserved(top, np.full(top.size, -1.0), settings.below)
        fine = answer.outcome is Outcome.solved
        return {
            "x": x,
            "y": y,
            "solved": fine,
            "coverage": rounded(answer.profile.coverage),
            "top": rounded(top),
            "excluded": np.flatnonzero(out).tolist() if fine else [],
            "unique": answer.certificate.uniqueness.verdict,
            "gap": answer.certificate.max_gap,
            "nearest": nearest(found, lines, x, y),
        }

    def levers(self, body: Body) -> dict[str, Any]:
        """Return the levers there are."""
        return {"levers": levers_view(*self._read(body))}

    def plan(self, body: Body) -> dict[str, Any]:
        """Return the plan of one lever, with a name to apply it by."""
        source, settings = self._read(body)
        plan = make_plan(
            source, settings, body.get("lever"), body.get("goal"), sure=bool(body.get("sure"))
        )
        return {"plan": self._keep(self._plans, (source, settings, plan)), **plan_view(plan)}

    def plan_of(self, name: Any) -> tuple[Source, Settings, Plan]:
        """Return a plan that was found before, by its name."""
        found = self._plans.get(name) if isinstance(name, str) else None
        if found is None:
            raise BadInput("plan: it is not here any more; find it again")
        return found

    def apply(self, body: Body) -> dict[str, Any]:
        """Open the game of a plan."""
        source, settings, plan = self.plan_of(body.get("plan"))
        opened = self.shelf.put(opened_plan(source, settings, plan))
        return self._opened(opened, Settings(below=opened.below), {})

    def people(self, body: Body) -> dict[str, Any]:
        """Return what people answered to one question."""
        return question_view(self._read(body)[0], body.get("question", 0))

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Open a game file that was given, or show the columns of a survey."""
        found = self.uploads.take(name, content)
        if isinstance(found, Source):
            return self._opened(self.shelf.put(found), Settings(below=found.below), {})
        return found

    def survey(self, body: Body) -> dict[str, Any]:
        """Open the survey that was given, with the columns that were chosen."""
        found = self.shelf.put(self.uploads.survey(body.get("ticket"), body.get("table")))
        return self._opened(found, Settings(below=found.below), {})

    def link(self, body: Body) -> dict[str, Any]:
        """Return a link to this state."""
        source, settings = self._read(body)
        return {"link": write_link(source, settings, body.get("view") or {})}
