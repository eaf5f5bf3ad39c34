"""`equipoise simulate STUDY`: the table, laws of models, files written, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.panels import load_panel
from equipoise.simulate.realised import laws_of
from tests.study.study_files import small_study

TABLE = """
[simulate]
rounds = 400
replicates = 3
posts_per_round = 4
readers = 2
width = 0.9
{more}
"""


def study(folder: Path, more: str = "", game: str = "", head: str = "") -> Path:
    return small_study(folder, game=game, more=head + TABLE.format(more=more))


def laws_json(folder: Path, *, dull: float = 0.0) -> dict[str, Any]:
    """Write realisation.toml and laws.json of the made-up survey's groups; laws pulled to even."""
    from equipoise.panels import read_panel

    panel = read_panel(folder / "people.csv", group="region", questions=["tax", "roads"])
    table = panel.answers
    laws: dict[str, list[list[float]]] = {}
    for k, group in enumerate(table.groups):
        laws[group] = []
        for q, options in enumerate(table.options):
            p = (1 - dull) * table.shares[k, q, : len(options)] + dull / len(options)
            # Another order of options than the panel's: they are matched by their words.
            laws[group].append(p[::-1].tolist())
    data = {
        "panel": "made up", "groups": list(table.groups), "laws": laws,
        "questions": [{"key": key, "text": key, "options": list(options)[::-1]}
                      for key, options in zip(table.questions, table.options, strict=True)],
        "trained": list(table.questions), "held_out": [],
    }  # fmt: skip
    (folder / "models").mkdir(exist_ok=True)
    named = "".join(f'[groups.{g}]\npersona = "A person from the {g}."\n' for g in table.groups)
    (folder / "models" / "realisation.toml").write_text('model = "smollm2-135m"\n' + named)
    (folder / "models" / "laws.json").write_text(json.dumps(data))
    return data


def result(out: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((out / "simulated" / "simulation.json").read_text())
    return data


def test_files_tables_and_page_of_a_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study(tmp_path, 'plan = "steer"', head="[[steer]]\nfloor = 0.31\n")
    assert run(["simulate", str(path), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert data == result(tmp_path / "out")
    assert "rounds: 400 of 400" in said.err
    assert [phase["name"] for phase in data["phases"]] == ["as it is", "under the plan"]
    assert data["plan"]["change"]
    assert data["plan"]["floors"] == dict.fromkeys(("north", "south", "west"), 0.31)
    folder = tmp_path / "out" / "simulated"
    page = (folder / "simulation.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    with (folder / "groups.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for row, one in zip(rows[:3], data["phases"][0]["groups"], strict=True):
        assert float(row["coverage"]) == one["coverage"]
        parts = sum(float(row[p]) for p in ("finite samples", "learning", "infidelity", "formula"))
        assert parts == pytest.approx(float(row["coverage"]) - float(row["predicted"]), abs=1e-12)


def test_a_plan_of_the_command_steer_is_taken_from_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from equipoise.game.gamefile import save_game
    from equipoise.study.people import PanelSource
    from equipoise.study.study_file import read_study

    path = study(tmp_path, 'plan = "plan.json"')
    save_game(PanelSource(read_study(path), tmp_path).game(None), tmp_path / "game.json")
    assert run(["steer", str(tmp_path / "game.json"), "--floor", "0.1", "--json"]) == 0
    (tmp_path / "plan.json").write_text(capsys.readouterr().out)
    assert run(["simulate", str(path), "--dry-run", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert data["predicted"][1] == pytest.approx(plan["after"]["coverage"], abs=1e-7)
    assert data["readings"] == 2 * data["posts"] == 2 * 3 * 4 * 400 * 2
    assert not (tmp_path / "out").exists()


def test_models_speak_by_their_own_laws(tmp_path: Path) -> None:
    """Laws equal to the people's: no infidelity. Dull ones: infidelity, beside the same theory."""
    from equipoise.simulate.simulation import simulate
    from equipoise.study.simulating import to_simulate
    from equipoise.study.study_file import read_study

    path = study(tmp_path, 'agents = "models"\nrealisation = "models/realisation.toml"')
    parts = []
    for dull in (0.0, 0.6):
        laws_json(tmp_path, dull=dull)
        found = simulate(to_simulate(read_study(path), path, tmp_path / "out").setup, 160)
        assert found.settings["laws"] == "models"
        parts.append(float(np.abs(found.phases[0].why["infidelity"]).max()))
    assert parts[0] < 1e-9
    assert parts[1] > 0.02
    # Predicted from what the dull models say, nothing is left of it but the people's part.
    path.write_text(path.read_text() + 'predict = "models"\n')
    own = simulate(to_simulate(read_study(path), path, tmp_path / "out").setup, 160).phases[0]
    assert np.abs(own.why["formula"]).max() < 1e-8
    assert np.abs(own.why["infidelity"]).max() < 1e-12


def test_types_of_many_agents_are_played_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study(tmp_path, "", game="agents = 1200")
    assert run(["simulate", str(path), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agents"] == 1200


WRONG = [
    ('plan = "steer"', "simulate.plan"),
    ('plan = "stir"', 'write "steer"'),
    ('plan = "../plan.json"', "leaves the folder"),
    ('plan = "none.json"', 'there is no file "none.json"'),
    ("plan_round = 200", "simulate.plan_round: there is no plan"),
    ('agents = "models"', "simulate.realisation: it is missing"),
    ('realisation = "models/realisation.toml"', 'agents = "models"'),
    ('agents = "models"\nrealisation = "no.toml"', "there is no file"),
    ('learning = "mirrors"', 'did you mean "mirror"'),
    ('learnin = "mirror"', 'did you mean "learning"'),
    ('predict = "models"', 'goes with agents = "models"'),
    ("seed = -1", "write a whole number"),
]


@pytest.mark.parametrize(("more", "said"), WRONG)
def test_a_wrong_table_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, said: str
) -> None:
    path = study(tmp_path, more)
    assert run(["simulate", str(path), "--dry-run"]) == 2
    text = capsys.readouterr().err
    assert said in text
    assert text.count("\n") == 1


def test_a_game_without_people_cannot_be_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text('[game]\nfile = "game.json"\n[simulate]\nrounds = 400\n')
    assert run(["simulate", str(tmp_path / "s.toml")]) == 2
    assert "write [panel] instead of game.file" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d.pop("laws"), "it needs"),
    (lambda d: d["laws"].pop("liberal"), 'there is no "liberal"'),
    (lambda d: d["questions"].pop(), "was not measured"),
    (lambda d: d["questions"][0]["options"].pop(), "a number for each of"),
    (lambda d: d["laws"]["liberal"][0].__setitem__(0, -0.5), "probability >= 0"),
    (lambda d: d["laws"]["liberal"].__setitem__(0, [0.9, 0.9, 0.9]), "sum to"),
    (lambda d: d["laws"]["liberal"].__setitem__(0, "text"), "a number for each of"),
])  # fmt: skip
def test_laws_that_do_not_fit_are_named(change: Any, said: str) -> None:
    panel = load_panel("gss2018", groups=3)
    table = panel.answers
    data = {
        "questions": [{"key": q, "options": list(o)}
                      for q, o in zip(table.questions, table.options, strict=True)],
        "laws": {g: table.shares[k].tolist() for k, g in enumerate(table.groups)},
    }  # fmt: skip
    assert np.abs(laws_of(data, panel).shares - table.shares).max() < 1e-15
    change(data)
    with pytest.raises(BadInput, match=said):
        laws_of(data, panel)


def test_a_plan_that_brings_in_diversity_uses_the_panel_s_overlap(tmp_path: Path) -> None:
    """The study has no diversity; the plan has, and agents then read the others' answers."""
    from equipoise.game.terms import Diversity
    from equipoise.study.simulating import to_simulate
    from equipoise.study.study_file import read_study

    goal = '[[steer]]\nlever = "diversity"\nfloor = 0.29\n'
    path = study(tmp_path, 'plan = "steer"', head=goal)
    plan = to_simulate(read_study(path), path, tmp_path / "out").setup.plan
    assert plan is not None
    term = plan.game.term(Diversity)
    assert term is not None
    assert term.kernel is not None
    assert float(term.weight) > 0


def test_a_measured_game_is_found_in_the_folder_of_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another working directory too. Witness: the game that was measured."""
    from equipoise.game.gamefile import load_game
    from equipoise.llm.scripted import Scripted
    from equipoise.study.measuring import FOLDER, to_measure
    from equipoise.study.simulating import to_simulate
    from equipoise.study.study_file import read_study

    path, out = tmp_path / "study.toml", tmp_path / "out"
    path.write_text(
        '[panel]\nname = "gss2018"\ngroups = 3\nquestions = ["natenvir", "natarms"]\n'
        '[[agents]]\nname = "a"\nmodel = "any"\n[measure]\npersonas = false\n'
        '[game]\nanchor = "measured"\n[uncertainty]\ndraws = 40\n[simulate]\nrounds = 160\n'
    )
    study = read_study(path)
    who = to_measure(study, tmp_path).population
    who.measure(given={"a": Scripted.uniform()}).write(out / FOLDER)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = to_simulate(study, path, out).setup.game
    assert found.agents.labels() == ("a",)
    simulated, measured = (
        game.term(eq.Consistency) for game in (found, load_game(out / FOLDER / "game.json"))
    )
    assert simulated is not None
    assert measured is not None
    assert np.array_equal(simulated.anchor, measured.anchor)
