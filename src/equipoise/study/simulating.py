"""The `[simulate]` table made real: game, people, laws and plan of a study's closed loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import load_game
from equipoise.game.gamefile_arrays import beside
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import parse, read_text
from equipoise.simulate.exact import agreement_with
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.prediction import Change, change_of, change_of_plan, measured_on
from equipoise.simulate.realised import laws_beside
from equipoise.simulate.simulation import Setup
from equipoise.study.file_models import StudyModel
from equipoise.study.measuring import with_measured
from equipoise.study.people import PanelSource
from equipoise.study.simulate_models import SimulateTable, goal_number
from equipoise.study.steers import point_plan

__all__ = ["FOLDER", "ToSimulate", "to_simulate"]

FOLDER = "simulated"
"""Where in the folder of a study's results a simulation lies."""


@final
@dataclass(frozen=True, eq=False)
class ToSimulate:
    """A study's simulation.

    Parameters
    ----------
    setup : Setup
    rounds : int
    level, width : float
    """

    setup: Setup
    rounds: int
    level: float
    width: float


def to_simulate(
    study: StudyModel,
    path: Path,
    out: Path,
    *,
    seed: int | None = None,
    realisation: Path | None = None,
) -> ToSimulate:
    """Return what `equipoise simulate` does with a study.

    Parameters
    ----------
    study : StudyModel
        Checked.
    path : Path
        The study file; files named in it lie beside it, never outside its folder.
    out : Path
        The folder of the results: a measured game is taken from there.
    seed : int, optional
        Takes the place of simulate.seed.
    realisation : Path, optional
        Takes the place of simulate.realisation, and makes agents models.

    Raises
    ------
    BadInput
        No people, a file that cannot be used, a plan that does not fit.
    NotSolved, Infeasible
        The plan of a `[[steer]]` table was not found.
    """
    table = study.simulate or SimulateTable()
    if study.panel is None:
        raise BadInput(
            "panel: a simulation needs people who read; write [panel] instead of game.file"
        )
    measured = with_measured(study, path, out)
    if study.game.anchor == "measured":
        study = study.model_copy(
            update={"game": study.game.model_copy(update={"anchor": "uniform"})}
        )
    source = PanelSource(study, path.parent)
    panel = source.panel
    game = source.game(None)
    if measured.game.file is not None:
        game = load_game(path.parent / measured.game.file)
        game.groups.same_labels(panel.groups.labels)
    laws = None
    if realisation is not None or table.agents == "models":
        with at_field("simulate.realisation"):
            place = realisation or beside(path.parent, table.realisation or "")[0]
            laws = laws_beside(place, panel)
    people = PostLaws.of_table(panel.answers)
    own = None if measured.game.file is None else game
    if table.predict == "models":
        if laws is None:
            raise BadInput('simulate.predict: "models" needs a realisation')
        own = game = measured_on(laws, people.shares, game)
    plan = _plan(table, study, source, own, path.parent, people)
    setup = Setup(
        game, panel, laws, plan, table.plan_round, table.learning, table.posts_per_round,
        table.readers, table.replicates, table.seed if seed is None else seed, table.predict,
    )  # fmt: skip
    return ToSimulate(setup, table.rounds, study.uncertainty.level, table.width)


def _plan(
    table: SimulateTable, study: StudyModel, source: PanelSource, game: AlignmentGame | None,
    folder: Path, people: PostLaws,
) -> Change | None:  # fmt: skip
    if table.plan is None:
        return None
    if table.plan.endswith(".json"):
        with at_field("simulate"):
            (place,) = beside(folder, table.plan)
            data = parse(read_text(place), ".json")
            played = source.game(None) if game is None else game
            return change_of(data, played, agreement_with(people.shares, people))
    number = goal_number(table.plan)
    with at_field(f"[[steer]] {number}"):
        found = point_plan(study.steer[number - 1], source, game)
    return change_of_plan(found)
