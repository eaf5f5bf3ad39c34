"""What the dashboard has open: a game, the joint draws behind it, and the people who were asked."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.catalog import entry
from equipoise.game.gamefile import game_from_dict, load_draws, load_game
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import parse, read_text
from equipoise.game.network import Network
from equipoise.panels.answers import AnswerTable
from equipoise.study.drawn_file import FileSource
from equipoise.study.draws import open_source
from equipoise.study.file_models import StudyModel
from equipoise.study.people import PanelSource
from equipoise.study.study_file import read_study, study_from_dict

__all__ = [
    "EXAMPLE",
    "Shelf",
    "Source",
    "open_anything",
    "open_game_text",
    "open_panel_table",
    "source_key",
]

FloatArray = NDArray[np.float64]

EXAMPLE = "gss2018"
"""Opened when nothing is named: the study of the README."""

DRAWS = 400
"""Joint draws behind intervals; the report of a study uses all of its own."""

KEPT = 24
"""Sources kept at once: the one opened first, uploads and games of plans."""


@final
@dataclass(frozen=True, eq=False)
class Source:
    """A game that is open, with what is known beside it.

    Parameters
    ----------
    key : str
        Names the content: the start of the sha256 of game and draws.
    title : str
    game : AlignmentGame
    draws : mapping of field path to array
        Joint draws of the game's fields; empty where there are none.
    answers : AnswerTable or None
        Answer shares of the groups, where people were asked.
    drawn_answers : (draws, groups, questions, options) array or None
    agreement : (groups, groups) array or None
        How group j rates content for group k.
    anchor_is_shares : bool
        Whether the anchor is the public's shares and follows them.
    below : float
        Exclusion threshold.
    about : mapping
        Who was asked and on which terms, as plain values.
    goal : float
        Floor of plans to begin with, as a fraction of each group's share.
    note : str
        What whoever opened it has to know.
    """

    key: str
    title: str
    game: AlignmentGame
    draws: Mapping[str, FloatArray] = field(default_factory=dict)
    answers: AnswerTable | None = None
    drawn_answers: FloatArray | None = None
    agreement: FloatArray | None = None
    anchor_is_shares: bool = False
    below: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)
    goal: float = 0.1
    note: str = ""


def open_anything(path: Path | None) -> Source:
    """Open a folder of a study, a study file or a game file; with None the example.

    Raises
    ------
    BadInput
        One sentence: the file, what is wrong with it, what to do.
    MissingExtra
        The survey needs the extra "data".
    """
    if path is None:
        return _example()
    if path.is_dir():
        if not (path / "study.toml").is_file():
            raise BadInput(
                f"{path}: this folder has no study.toml; give a folder that `equipoise study run "
                "--out` wrote, a study file or a game file"
            )
        path = path / "study.toml"
    if path.suffix.lower() == ".toml" and {"panel", "game"} & set(_tables(path)):
        study = read_study(path)
        with at_field(path.name):
            return _of_study(study, path.parent)
    game = load_game(path)
    return _of_game(game, path.name, load_draws(path))


def _tables(path: Path) -> Any:
    with at_field(path.name):
        return parse(read_text(path), ".toml")


def _example() -> Source:
    try:
        study = study_from_dict(
            {"panel": {"name": EXAMPLE}, "game": {"attractiveness": 10.0},
             "report": {"title": "Who is left out? American public, GSS 2018"}}
        )  # fmt: skip
        return _of_study(study, Path())
    except ImportError:
        # Without the extra "data" there are no people to show; a small game needs nothing.
        game = entry("toy").game
        return _of_game(game, "a small example", {})


def _of_study(study: StudyModel, folder: Path) -> Source:
    if study.game.anchor == "measured":
        raise BadInput(
            "game.anchor: the dashboard does not ask models; open the game file that `equipoise "
            "measure` wrote, or choose uniform or shares"
        )
    found = open_source(study, folder)
    goal = next((t.share for t in study.steer if t.share is not None), 0.1)
    if isinstance(found, FileSource):
        title = study.report.title or Path(str(study.game.file)).name
        return _of_game(found.point, title, found.drawn, study.exclusion.below, goal)
    return _of_panel(found, study.report.title or found.panel.title, goal)


def _of_panel(found: PanelSource, title: str, goal: float) -> Source:
    study, panel = found.study, found.panel
    count = min(DRAWS, study.uncertainty.draws)
    drawn = panel.draws(count, study.uncertainty.seed)
    game = found.map_game(diversity=found.agents.total > 1)
    chunk = {"shares": drawn.shares, "appeal": drawn.appeal[:, None], "kernel": drawn.kernel}
    if study.game.anchor == "shares":
        chunk["anchor"] = drawn.shares[:, None]
    return Source(
        source_key(game, found.digest),
        title,
        game,
        draws=found.map_draws(chunk, game),
        answers=panel.answers,
        drawn_answers=drawn.answers,
        agreement=panel.agreement(),
        anchor_is_shares=study.game.anchor == "shares",
        below=study.exclusion.below,
        about=found.about(),
        goal=goal,
    )


def _of_game(
    game: AlignmentGame,
    title: str,
    draws: Mapping[str, FloatArray],
    below: float = 0.0,
    goal: float = 0.1,
) -> Source:
    digest = hashlib.sha256()
    for name in sorted(draws):
        digest.update(name.encode() + np.ascontiguousarray(draws[name]).tobytes())
    key = source_key(game, digest.hexdigest() if draws else "")
    return Source(key, title, game, draws=draws, below=below, goal=goal)


def source_key(game: AlignmentGame, more: str) -> str:
    """Return a name of a game's content, without writing a million agents as text."""
    digest = hashlib.sha256(more.encode())
    digest.update(repr((game.groups.labels, game.agents.names, game.agents.total)).encode())
    digest.update(game.groups.shares.tobytes() + game.agents.counts.tobytes())
    for term in game.terms:
        digest.update(term.field.encode() + type(term).__name__.encode())
        for name, value in vars(term).items():
            if isinstance(value, Network):
                value = np.column_stack(value.edges())
            digest.update(name.encode())
            digest.update(b"-" if value is None else np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:16]


def open_game_text(text: str, kind: str, title: str) -> Source:
    """Open the text of a game file that was sent; arrays in other files are refused.

    Parameters
    ----------
    text : str
    kind : ".json" or ".toml"
    title : str
        Its name, as it begins the sentences about it.
    """
    with at_field(title):
        data = parse(text, kind)
        game = game_from_dict(data, folder=None)
    opened = _of_game(game, title, {})
    if data.get("draws") is not None:
        note = "its joint draws lie in another file and stay out; `equipoise app FILE` reads them"
        opened = dataclasses.replace(opened, note=f"{title}: {note}")
    return opened


def open_panel_table(panel: Mapping[str, Any], folder: Path, title: str) -> Source:
    """Open a survey with a game of our defaults.

    Parameters
    ----------
    panel : mapping
        The `[panel]` table of a study.
    folder : Path
        Where its file lies.
    title : str
    """
    study = study_from_dict({"panel": dict(panel), "game": {"attractiveness": 10.0}})
    return _of_panel(PanelSource(study, folder), title, 0.1)


@final
class Shelf:
    """The sources that are open, by key; the first stays, others go when they are too many.

    Parameters
    ----------
    first : Future of Source
        Waited for when it is asked for, so that the page can be drawn meanwhile.
    """

    def __init__(self, first: Future[Source]) -> None:
        self._first = first
        self._kept: OrderedDict[str, Source] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def first(self) -> Source:
        """What was opened first."""
        return self._first.result()

    def put(self, source: Source) -> Source:
        """Keep a source and return it."""
        with self._lock:
            self._kept[source.key] = source
            self._kept.move_to_end(source.key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return source

    def get(self, key: Any) -> Source:
        """Return a source by its key.

        Raises
        ------
        BadInput
            It is not open any more.
        """
        if key == self.first.key:
            return self.first
        with self._lock:
            found = self._kept.get(key) if isinstance(key, str) else None
            if found is not None:
                self._kept.move_to_end(key)
        if found is None:
            raise BadInput("source: this game is not open any more; open it again")
        return found
