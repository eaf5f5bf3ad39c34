"""The study file: every wrong file is one sentence with the field and the remedy, never a dump."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import BadInput
from equipoise.study import read_study, schema
from equipoise.study.study_file import study_from_dict

STUDIES = Path(__file__).parents[2] / "studies"

MAP = '[panel]\nname = "gss2018"\n[[map]]\n{}'

WRONG = [
    ("[panel]\nnme = 1", 'panel: there is no key "nme"; did you mean "name"?'),
    ("[pannel]\n", 'there is no key "pannel"; did you mean "panel"?'),
    ("panel = 3", "panel: got the number 3; write a table, [panel]"),
    ("[game]\nattractiveness = 1", "panel: it is missing"),
    ('[panel]\nname = "gss2018"\nfile = "a.csv"', "not both"),
    ('[panel]\nname = "gss2018"\nweight = "w"', "panel.weight: it goes with panel.file"),
    ('[panel]\nfile = "a.csv"\ngroup = "g"', "panel.questions: it is missing"),
    ('[panel]\nname = "gss2018"\n[game]\natractiveness = 1', 'did you mean "attractiveness"?'),
    ('[panel]\nname = "gss2018"\n[game]\nattractiveness = "1"', "game.attractiveness: got the t"),
    ('[panel]\nname = "gss2018"\n[game]\nattractiveness = -1', "write a number >= 0"),
    ('[panel]\nname = "gss2018"\n[game]\nattractiveness = true', "got true"),
    ('[panel]\nname = "gss2018"\n[game]\nagents = 0', "game.agents"),
    ('[panel]\nname = "gss2018"\n[game]\nagents = []', "name at least one agent"),
    ('[panel]\nname = "gss2018"\n[game]\nagents = ["a", 2]', "entry 1 is the number 2"),
    ('[panel]\nname = "gss2018"\n[game]\nanchor = "measured"', "at least one [[agents]]"),
    ('[panel]\nname = "gss2018"\n[game]\nform = "kll"', 'did you mean "kl"?'),
    ('[panel]\nname = "gss2018"\n[game]\nper = "topic"', "game.per"),
    ('[panel]\nname = "gss2018"\n[game]\nconsistency = 0', "no curvature"),
    ('[panel]\nname = "gss2018"\n[uncertainty]\ndraws = 5', "write at least 40"),
    ('[panel]\nname = "gss2018"\n[uncertainty]\nlevel = 1.0', "uncertainty.level"),
    ('[panel]\nname = "gss2018"\n[exclusion]\nbelow = 1.0', "exclusion.below"),
    ('[panel]\nname = "gss2018"\n[solve]\ntol = 0.0', "solve.tol"),
    ('[panel]\nname = "gss2018"\n[[map]]\nx = "a"', '[[map]] 1, x: "a" is not NAME=start:stop'),
    (MAP.format('x = "diversity=0:1:3"'), "[[map]] 1, y: it is missing; write e.g. y = "),
    (MAP.format('x = "diversity=0:1:3"\ny = "colour=0:1:3"'), 'there is no incentive "colour"'),
    (MAP.format('x = "diversity=0:1:3"\ny = "atractiveness=0:1:3"'), 'mean "attractiveness"?'),
    (MAP.format('x = "diversity=0:1:3"\ny = "diversity=0:2:3"'), "[[map]] 1: the axis diversity"),
    (MAP.format('x = "diversity=1:0:3"'), "[[map]] 1, x: axis diversity: the values must increase"),
    (MAP.format('x = "diversity=0:1:3"\ny = 3'), "[[map]] 1, y: got the number 3"),
    (MAP.format('x = "diversity=0:1:3"\nyy = 3'), '[[map]] 1: there is no key "yy"; did you mean'),
    (MAP.format('x = "diversity=0:1:3"\ny = "variety=0:1:3"\ndraws = -1'), "[[map]] 1, draws: got"),
    (MAP.format('x = "diversity=0:1:3"\ny = "variety=0:1:3"\nrefine = 99'), "from 0 to 16"),
    ('map = 3\n[panel]\nname = "gss2018"', "map: got the number 3; write a table, [[map]]"),
    ('map = [3]\n[panel]\nname = "gss2018"', "[[map]] 1: got the number 3; write a table, [[map]]"),
    ('[panel]\nname = "gss2018"\n[map]\nx = "diversity=0:1:3"', "write [[map]], in two brackets"),
    ('[panel]\nname = "gss2018"\n[simulate]\nrounds = 1', "simulate.rounds: got the number 1"),
    ('[game]\nfile = "g.json"\nagents = 3', "game.agents: the game file says everything"),
    ('[game]\nfile = "g.json"\n[panel]\nname = "gss2018"', "leave the table out"),
    ("[panel\n", "this is not TOML"),
    ('[panel]\nname = "gss2018"\n[report]\nauthors = 3', "report.authors"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_study_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as error:
        read_study(path)
    message = str(error.value)
    assert message.startswith("s.toml: ")
    assert said in message
    assert "\n" not in message
    assert "pydantic" not in message


@pytest.mark.parametrize("study", sorted(STUDIES.glob("*.toml")), ids=lambda p: p.name)
def test_shipped_studies_fit_their_own_schema(study: Path) -> None:
    """Witness: the jsonschema package on the parsed text."""
    jsonschema.Draft202012Validator.check_schema(schema())
    data = tomllib.loads(study.read_text(encoding="utf-8"))
    jsonschema.validate(data, schema())
    read_study(study)


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    for text in (
        '[panel]\nname = "g"\n[game]\nform = "kll"',
        '[panel]\nname = "g"\n[game]\nagents = 0',
        '[panel]\nname = "g"\nx = 1',
        MAP.format('x = "diversity=0:1:3"'),
        MAP.format('x = "diversity=0:1:3"\ny = "3"'),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(text), schema())


def test_the_study_written_by_new_is_read(tmp_path: Path) -> None:
    from equipoise.cli.new import STUDY_TOML

    path = tmp_path / "new.toml"
    path.write_text(STUDY_TOML, encoding="utf-8")
    assert read_study(path).game.attractiveness == 10.0


def test_a_seed_from_outside_takes_the_place_of_every_seed(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[panel]\nname = "gss2018"\n[solve]\nseed = 4\n', encoding="utf-8")
    study = read_study(path, seed=9)
    assert (study.solve.seed, study.uncertainty.seed) == (9, 9)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
tables = st.sampled_from(["panel", "game", "solve", "uncertainty", "exclusion", "report", "map"])
keys = st.sampled_from(
    [
        "name",
        "file",
        "agents",
        "attractiveness",
        "form",
        "draws",
        "level",
        "tol",
        "group",
        "title",
        "x",
        "y",
        "z",
    ]
)


tabled = st.dictionaries(keys, json_values, max_size=3)


@given(st.dictionaries(tables, tabled | st.lists(tabled, max_size=2) | json_values))
@settings(max_examples=300, deadline=None)
def test_anything_parsed_gives_a_study_or_a_sentence(data: dict[str, object]) -> None:
    """Fuzz: no value makes anything but a `BadInput` of ours."""
    with contextlib.suppress(BadInput):
        study_from_dict(data)
