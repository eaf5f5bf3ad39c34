"""The `[[agents]]` and `[measure]` tables made real, and what `study run` takes from there."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from equipoise.errors import BadInput
from equipoise.game.gamefile import load_game
from equipoise.game.gamefile_arrays import beside
from equipoise.game.gamefile_sections import at_field
from equipoise.llm.budgeted import Budget
from equipoise.llm.ledger import Prices
from equipoise.measure.agents import AgentSpec
from equipoise.measure.fit_game import GAME, Incentives
from equipoise.measure.population import Population
from equipoise.measure.questionnaire import PERSONA, Questionnaire
from equipoise.measure.questions import questions_of, read_questions
from equipoise.study.agent_models import AgentsTable, MeasureTable
from equipoise.study.file_models import GameTable, StudyModel
from equipoise.study.people import open_panel
from equipoise.study.study_file import plain_study

__all__ = ["FOLDER", "ToMeasure", "to_measure", "with_measured"]

FOLDER = "measured"
"""Where in the folder of a study's results the measured game lies."""

LIMITS = ("max_calls", "max_tokens", "max_cost", "prices")
"""Keys of `[measure]` that do not change what is found."""


@final
@dataclass(frozen=True)
class ToMeasure:
    """A study's population and what may be spent on it.

    Parameters
    ----------
    population : Population
    budget : Budget
    prices : Prices
    """

    population: Population
    budget: Budget
    prices: Prices


def to_measure(study: StudyModel, folder: Path) -> ToMeasure:
    """Return what `equipoise measure` does with a study.

    Parameters
    ----------
    study : StudyModel
        Checked.
    folder : Path
        Where the study file lies; files named in it lie there too, never outside.

    Raises
    ------
    BadInput
        No [panel], no [[agents]], a file that cannot be used.
    """
    if study.panel is None or not study.agents:
        raise BadInput(
            "agents: nothing to measure; a study that is measured has a [panel] and at least one "
            '[[agents]] with name and model, e.g. model = "smollm2-135m"'
        )
    panel, digest = open_panel(study.panel, folder)
    table, game = study.measure or MeasureTable(), study.game
    with at_field("measure"):
        own = None
        if table.questions is not None:
            own = read_questions(_file(folder, "questions", table.questions), panel.answers)
        prices = Prices()
        if table.prices is not None:
            prices = Prices.read(_file(folder, "prices", table.prices))
        asked = Questionnaire(
            questions_of(panel.answers, table.paraphrases, own),
            orders=table.orders, form=table.form, samples=table.samples,
            max_tokens=table.max_answer,
        )  # fmt: skip
    agents = tuple(_agent(one, folder) for one in study.agents)
    population = Population(
        panel, agents, asked,
        Incentives(game.attractiveness, game.consistency, game.diversity, game.kernel, game.form),
        personas=table.personas,
        persona=table.persona or PERSONA,
        draws=study.uncertainty.draws,
        seed=study.uncertainty.seed,
        about={"study": _digest(study, digest)},
    )  # fmt: skip
    budget = Budget(*(math.inf if x is None else float(x)
                      for x in (table.max_calls, table.max_tokens, table.max_cost)))  # fmt: skip
    return ToMeasure(population, budget, prices)


def _agent(table: AgentsTable, folder: Path) -> AgentSpec:
    given = {key: value for key, value in table if value is not None}
    if table.adapter is not None:
        with at_field("agents"):
            given["adapter"] = str(_file(folder, "adapter", table.adapter))
    return AgentSpec(**given)


def with_measured(study: StudyModel, path: Path, out: Path) -> StudyModel:
    """Return a study with its measured game in place of its people, if it wants one.

    Raises
    ------
    BadInput
        `game.anchor` is "measured", and nothing was measured, or for another study.
    """
    if study.game.anchor != "measured":
        return study
    assert study.panel is not None
    file = out / FOLDER / GAME
    again = f"run: equipoise measure {path} --out {out}"
    if not file.is_file():
        raise BadInput(f'game.anchor: "measured", and nothing was measured in {out} yet; {again}')
    about: Mapping[str, Any] = load_game(file).about
    panel, digest = open_panel(study.panel, path.parent)
    if about.get("study") != _digest(study, digest):
        raise BadInput(
            f"game.anchor: what was measured in {out} belongs to other people, agents, questions "
            f"or incentives than this study has; {again} (answers that are kept cost nothing)"
        )
    game = GameTable(file=_seen_from(path.parent, file))
    title = study.report.title or f"Who is left out: {panel.title}; agents as measured"
    report = study.report.model_copy(update={"title": title})
    update = {"game": game, "panel": None, "agents": (), "measure": None, "report": report}
    return study.model_copy(update=update)


def _seen_from(folder: Path, file: Path) -> str:
    """Return a path that says nothing of the machine, where there is one."""
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return str(file.resolve())


def _digest(study: StudyModel, people: str) -> str:
    """Return the sha256 of all that decides what is found: not what may be spent."""
    plain = plain_study(study)
    kept = {key: plain.get(key) for key in ("panel", "game", "agents", "uncertainty")}
    measure = (study.measure or MeasureTable()).model_dump(mode="json", exclude_none=True)
    kept["measure"] = {key: value for key, value in measure.items() if key not in LIMITS}
    text = json.dumps([kept, people], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _file(folder: Path, key: str, name: str) -> Path:
    with at_field(key):
        try:
            return beside(folder, name)[0]
        except BadInput as error:
            raise BadInput(str(error).replace("game file", "study file")) from None
