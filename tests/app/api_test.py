"""What the page is told: the same numbers as the library, whatever was moved, given or asked."""

from __future__ import annotations

import base64
import csv
import io
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.app.api import Api
from equipoise.app.exports import OFFERED, export
from equipoise.app.link import read_link
from equipoise.app.settings import Settings, game_at_settings
from equipoise.app.uploads import Uploads
from equipoise.errors import BadInput
from equipoise.game.catalog import game as catalogue
from equipoise.game.gamefile import load_game, save_game
from equipoise.panels import load_panel
from equipoise.report.palette import group_colors, ramp

AXES = {
    "x": {"name": "attractiveness", "low": 0.0, "high": 50.0},
    "y": {"name": "diversity", "low": 0.0, "high": 5.0},
}
HOSTILE = ("=HYPERLINK(1)", "<script>alert(1)</script>", "-plain")


def saved(folder: Path, game: eq.AlignmentGame, name: str = "game.json") -> Path:
    save_game(game, folder / name)
    return folder / name


@pytest.fixture(scope="module")
def people() -> Api:
    """The example: GSS 2018, seven groups."""
    return Api(None)


@pytest.fixture
def toy(tmp_path: Path) -> Api:
    """The game of the README; rural gets 1/78 (worked by hand, theory R5)."""
    return Api(saved(tmp_path, catalogue("toy")))


def asked(api: Api, what: str, **body: Any) -> dict[str, Any]:
    return api.questions[what]({"source": api.shelf.first.key, **body})


@pytest.mark.parametrize("full", [False, True])
def test_the_equilibrium_is_that_of_the_library(toy: Api, full: bool) -> None:
    view = asked(toy, "solve", full=full)
    assert view["coverage"][2] == pytest.approx(1 / 78, abs=1e-6)
    assert view["verdicts"] == ["included"] * 3
    moved = asked(toy, "solve", full=full, set={"weights": {"attractiveness": 12 / 11 + 0.01}})
    assert moved["verdicts"][2] == "excluded"
    assert "Left out: \ue000rural\ue001 (15.0\u00a0% of the public)." in moved["said"]


def test_verdicts_while_a_slider_moves_are_those_when_it_rests(people: Api) -> None:
    for weights in ({"attractiveness": 4.0}, {"attractiveness": 30.0, "diversity": 2.0}):
        quick, full = (asked(people, "solve", full=f, set={"weights": weights}) for f in (0, 1))
        assert quick["verdicts"] == full["verdicts"]
        assert quick["drawn"] == full["drawn"]


def test_intervals_are_those_of_solving_every_draw(people: Api) -> None:
    """The batch against the solver, draw by draw."""
    source = people.shelf.first
    view = asked(people, "solve", set={"weights": {"diversity": 1.0}})
    game = game_at_settings(source, Settings({"diversity": 1.0}))
    some = {name: array[:7] for name, array in source.draws.items()}
    from equipoise.app.uncertainty import batch_of
    from equipoise.game.gamefile import drawn_games

    batch = batch_of(game, some)
    assert batch is not None
    found = [eq.solve(one).profile.coverage for one in drawn_games(game, some)]
    assert batch.profiles() == pytest.approx(np.array(found), abs=1e-8)
    assert view["drawn"]["n"] == 400


def values_of(game: eq.AlignmentGame) -> Any:
    drawn = game.term(eq.Attractiveness)
    assert drawn is not None
    return drawn.values


def test_appeal_follows_the_shares_where_people_were_asked(people: Api, toy: Api) -> None:
    """a_k = Σ_j m_j E_jk, from the panel's own answers."""
    panel = load_panel("gss2018")
    shares = np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    game = game_at_settings(people.shelf.first, Settings(shares=shares))
    p = panel.answers.shares
    agreement = np.einsum("jqc,kqc->jk", p, p) / p.shape[1]
    assert values_of(game) == pytest.approx(shares @ agreement)
    moved = game_at_settings(toy.shelf.first, Settings(shares=np.array([0.2, 0.2, 0.6])))
    assert values_of(moved).tolist() == [0.5, 0.35, 0.15]
    assert moved.groups.shares.tolist() == [0.2, 0.2, 0.6]


def test_a_map_its_cells_and_the_nearest_boundary(people: Api) -> None:
    """Along α at γ = 0 the boundaries are the critical ratios (R6): an independent formula."""
    made = asked(people, "map", axes=AXES, tab="t", turn=1)
    which = np.frombuffer(base64.b64decode(made["which"]), np.uint8).reshape(101, 101)
    panel = load_panel("gss2018")
    least = eq.critical_incentives(panel.groups.labels, panel.appeal(), np.full(7, 1 / 7)).least
    for column in (5, 20, 60, 99):
        out = {k for k, e in enumerate(least) if e.value <= column * 0.5}
        assert set(made["sets"][which[0, column]]) == out
    cell = asked(people, "cell", map=made["map"], x=10.0, y=0.0)
    assert cell["excluded"] == [5, 6]
    near = cell["nearest"]
    assert near["group"] == 4
    assert near["along_x"] == pytest.approx(least[4].value - 10.0, abs=1e-6)
    assert near["distance"] <= near["along_x"] / 50


@pytest.mark.parametrize("x", [float("nan"), float("inf"), pytest.param(10**400, id="large"), "1",
                               True, None])  # fmt: skip
def test_a_cell_lies_at_finite_numbers(people: Api, x: Any) -> None:
    made = asked(people, "map", axes=AXES)
    with pytest.raises(BadInput, match=r"^x: "):
        asked(people, "cell", map=made["map"], x=x, y=0.0)


def test_agents_that_differ_have_lines_between_cells(toy: Api) -> None:
    axes = {"x": {"name": "attractiveness", "low": 0, "high": 3},
            "y": {"name": "diversity", "low": 0, "high": 1}}  # fmt: skip
    made = asked(toy, "map", axes=axes, tab="t", turn=1)
    assert not made["exact"]
    cell = asked(toy, "cell", map=made["map"], x=1.0, y=0.3)
    # Exactly at 12/11; the line runs between two cells of a coarse map.
    step = 3 / (made["columns"] - 1)
    assert 1.0 + cell["nearest"]["along_x"] == pytest.approx(12 / 11, abs=step)


def test_a_later_map_of_the_same_tab_stops_an_earlier_one(people: Api) -> None:
    from equipoise.app.maps import Superseded

    late = people._turn({"tab": "a", "turn": 1})
    people._turn({"tab": "b", "turn": 9})
    assert not late()
    people._turn({"tab": "a", "turn": 2})
    assert late()
    from equipoise.app.maps import make_map

    with pytest.raises(Superseded):
        make_map(people.shelf.first, Settings(), AXES, fine=False, cancelled=lambda: True)


def test_a_plan_is_found_and_applied(toy: Api) -> None:
    """Floor 0.05 for rural: a price of 0.0725 (worked by hand, design section 4)."""
    plan = asked(toy, "plan", lever="prices", goal={"floor": 0.05})
    assert "pay 0.0725 per unit of attention to rural" in plan["advice"]
    assert plan["after"][2] == pytest.approx(0.05, abs=1e-6)
    opened = toy.apply({"plan": plan["plan"]})
    assert opened["prices"]["value"] == pytest.approx([0, 0, 0.0725])
    assert opened["equilibrium"]["coverage"] == pytest.approx(plan["after"], abs=1e-6)
    asking = {"source": toy.shelf.first.key, "what": "plans", "plans": [plan["plan"]]}
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(export(toy, {**asking, "kind": "csv"})[2].decode()))
        if row["group"] == "rural"
    ]
    assert float(row["cost"]) == pytest.approx(0.00725)
    assert float(row["floor"]) == 0.05
    assert export(toy, {**asking, "kind": "png"})[2].startswith(b"\x89PNG")
    names = [one["name"] for one in asked(toy, "levers")["levers"]]
    assert names == ["prices", "anchors", "diversity", "caps", "entry"]


def test_a_link_brings_everything_back(toy: Api) -> None:
    settings = {"weights": {"diversity": 0.7}, "prices": [0, 0.1, -0.2], "shares": None,
                "below": 0.02}  # fmt: skip
    text = asked(toy, "link", set=settings, view={"question": 3})["link"]
    again = toy.open({"link": text})
    assert again["set"] == settings
    assert again["view"] == {"question": 3}
    # Elsewhere, where that game is not open, it comes out of the link.
    elsewhere = Api(None).open({"link": text})
    assert elsewhere["equilibrium"]["coverage"] == again["equilibrium"]["coverage"]


def test_a_link_holds_no_answers(people: Api) -> None:
    text = asked(people, "link")["link"]
    data = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert set(json.loads(data)) == {"v", "source", "set", "view", "title", "game"}


@pytest.mark.parametrize("text", [
    "x", "!" * 50, "\u202e", base64.urlsafe_b64encode(b"{}").decode(),
    base64.urlsafe_b64encode(zlib.compress(b"[" * 3_000_000)).decode()[:70_000],
    base64.urlsafe_b64encode(zlib.compress(b'{"v":1,"source":[],"set":{}}')).decode(),
    base64.urlsafe_b64encode(zlib.compress(b'{"v":2}')).decode(), 7, None, {"a": 1},
])  # fmt: skip
def test_a_broken_link_is_one_sentence(toy: Api, text: Any) -> None:
    with pytest.raises(BadInput, match="^link: "):
        read_link(toy.shelf, text)


@pytest.mark.parametrize(("given", "said"), [
    ({"weights": {"diversty": 1}}, 'set.weights: there is no weight "diversty"'),
    ({"weights": {"consistency": -1}}, "set.weights.consistency: it is negative"),
    ({"weights": {"diversity": float("nan")}}, "set.weights.diversity: write a finite number"),
    ({"prices": [0, 10**400, 0]}, "set.prices[1]: write a finite number"),
    ({"below": 1e10}, "set.below: write a finite number up to 1e+09"),
    ({"weights": []}, None),
    ({"weights": "x"}, "set.weights: it must be an object"),
    ({"shares": [1, 2]}, "set.shares: got 2 numbers for 3 groups"),
    ({"shares": [0, 0, 0]}, "set.shares: a share is negative or all are 0"),
    ({"prices": [0, "1", 0]}, "set.prices[1]: it is not a number"),
    ({"below": 1}, "set.below: 1 is not a weight"),
    ({"belw": 0}, 'set: there is no key "belw"; did you mean "below"?'),
])  # fmt: skip
def test_settings_that_are_none_are_one_sentence(given: Any, said: str | None) -> None:
    if said is None:
        assert Settings.read(given, 3).weights == {}
        return
    with pytest.raises(BadInput) as error:
        Settings.read(given, 3)
    assert str(error.value).startswith(said)


def test_a_bad_game_file_is_the_sentence_of_the_command(tmp_path: Path) -> None:
    array = '{"groups": {"a": 1}, "agents": 1, "attractiveness": {"values": "v.npy"}}'
    for text in (
        "{",
        '{"groups": {"a": 1}, "agnts": 2}',
        '{"groups": {"a": 0.5}, "agents": 1}',
        array,
    ):
        path = tmp_path / "mine.json"
        path.write_text(text)
        with pytest.raises(BadInput) as by_command:
            load_game(path)
        with pytest.raises(BadInput) as by_page:
            Uploads().take("mine.json", text.encode())
        # A page has no folder; the command looks into it and finds no such file.
        if text != array:
            assert str(by_page.value) == str(by_command.value)


SURVEY = "id,party,tax,weight\n" + "".join(
    f"RESPONDENT{i},{'left' if i % 3 else 'right'},{'more' if i % 5 else 'less'},1.5\n"
    for i in range(120)
)


def test_a_survey_is_opened_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    api = Api(None)
    shown = api.upload("../../mine survey.csv", SURVEY.encode())
    assert shown["name"] == "mine survey.csv"
    assert shown["guess"]["group"] == "party"
    table = {"group": ["party"], "questions": ["tax"], "weight": "weight", "missing": []}
    opened = api.survey({"ticket": shown["ticket"], "table": table})
    assert [g["name"] for g in opened["groups"]] == ["left", "right"]
    assert opened["people"]["n"] == 120
    assert list(tmp_path.iterdir()) == []
    made = asked(api, "map", source=opened["source"], axes=AXES, tab="t", turn=1)
    asking = {"source": opened["source"], "map": made["map"], "question": 0}
    for what, kinds in OFFERED.items():
        for kind in {"csv", "json"} & set(kinds) if what != "plans" else ():
            content = export(api, {**asking, "what": what, "kind": kind})[2]
            assert b"RESPONDENT" not in content
    assert len(export(api, {**asking, "what": "panel", "kind": "csv"})[2].splitlines()) == 1 + 2 * 2
    with pytest.raises(BadInput, match="not here any more"):
        api.survey({"ticket": shown["ticket"], "table": table})


def test_a_bad_survey_is_one_sentence_without_our_folder() -> None:
    uploads = Uploads()
    shown = uploads.take("mine.csv", SURVEY.encode())
    assert isinstance(shown, dict)
    for table, said in (
        ({"group": ["party"], "questions": ["nope"]}, "nope"),
        ({"group": ["id"], "questions": ["tax"]}, "group"),
        ({"group": ["party"], "questions": []}, "questions"),
        ({"file": "/etc/passwd", "group": ["party"]}, "only group"),
    ):
        with pytest.raises(BadInput) as error:
            uploads.survey(shown["ticket"], table)
        assert said in str(error.value)
        assert "equipoise-" not in str(error.value)
    for name, content in (("a.exe", b"x"), ("a.csv", b""), ("a.csv", b"\xff\xfe\x00"), ("", b"x")):
        with pytest.raises(BadInput):
            uploads.take(name, content)


def test_tables_neutralise_formulas_and_keep_negative_numbers(tmp_path: Path) -> None:
    groups = eq.Groups(dict(zip(HOSTILE, (0.5, 0.3, 0.2), strict=True)))
    terms = [eq.Attractiveness([0.9, 0.5, 0.1], 3.0), eq.Consistency([1 / 3] * 3)]
    game = eq.AlignmentGame(groups, ["=A1", "b"], terms)
    api = Api(saved(tmp_path, game))
    asking = {"source": api.shelf.first.key}
    text = export(api, {**asking, "what": "groups", "kind": "csv"})[2].decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["group"] for row in rows] == ["'=HYPERLINK(1)", HOSTILE[1], "'-plain"]
    assert float(rows[2]["margin"]) < 0
    assert rows[2]["verdict"] == "excluded"
    text = export(api, {**asking, "what": "agents", "kind": "csv"})[2].decode()
    assert {row["agent"] for row in csv.DictReader(io.StringIO(text))} == {"'=A1", "b"}
    axes = {**AXES, "x": {"name": "attractiveness", "low": 0, "high": 5}}
    made = asked(api, "map", axes=axes, tab="t", turn=1)
    text = export(api, {**asking, "what": "map", "kind": "csv", "map": made["map"]})[2].decode()
    assert {row["excluded"][:1] for row in csv.DictReader(io.StringIO(text))} <= {"", "'", "<"}


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_an_exported_game_is_the_game_that_was_shown(toy: Api, tmp_path: Path, kind: str) -> None:
    settings = {"weights": {"diversity": 0.123456789012345}, "prices": [0, 0, 0.05]}
    asking = {"source": toy.shelf.first.key, "set": settings, "what": "game", "kind": kind}
    path = tmp_path / f"again.{kind}"
    path.write_bytes(export(toy, asking)[2])
    again = eq.solve(load_game(path))
    view = asked(toy, "solve", set=settings)
    assert view["coverage"] == pytest.approx(again.profile.coverage, abs=1e-6)


STUDY = """
[panel]
name = "gss2018"
groups = 3
[game]
agents = ["model-a", "model-b"]
attractiveness = 10.0
anchor = "shares"
[uncertainty]
draws = 60
[exclusion]
below = 0.01
[[steer]]
lever = "prices"
share = 0.3
sure = 0
"""


MEASURED = """
[panel]
name = "gss2018"
[game]
anchor = "measured"
[[agents]]
name = "model-a"
model = "any"
"""


def test_a_study_is_opened_from_its_file_and_its_folder(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    for path in (tmp_path, tmp_path / "study.toml"):
        view = Api(path).open({})
        assert (view["draws"], view["goal"], view["below"]) == (60, 0.3, 0.01)
        assert [g["name"] for g in view["groups"]] == ["liberal", "moderate", "conservative"]
    moved = game_at_settings(Api(tmp_path).shelf.first, Settings(shares=np.array([0.2, 0.2, 0.6])))
    # The anchor of this study is the public, whatever it is.
    held = moved.term(eq.Consistency)
    assert held is not None
    assert held.anchor.tolist() == [0.2, 0.2, 0.6]


@pytest.mark.parametrize(("name", "text", "said"), [
    ("", None, "has no study.toml"),
    ("study.toml", MEASURED, "does not ask models"),
    ("study.toml", STUDY.replace("attractiveness", "atractiveness"), 'no key "atractiveness"'),
    ("game.toml", "agents = 2", "groups: it is missing"),
    ("nothing.json", None, "there is no such file"),
])  # fmt: skip
def test_what_is_no_study_and_no_game_is_one_sentence(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=said) as error:
        _ = Api(tmp_path / name).shelf.first
    assert "\n" not in str(error.value)


def test_without_the_extra_data_a_small_game_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equipoise.study.people.load_panel", _missing)
    view = Api(None).open({})
    assert (view["title"], view["people"]) == ("a small example", None)


def _missing(*_: Any, **__: Any) -> None:
    from equipoise.errors import MissingExtra

    raise MissingExtra("a panel", "data")


def test_a_map_of_many_agents_that_differ_is_refused(tmp_path: Path) -> None:
    from equipoise.errors import Infeasible

    rng = np.random.default_rng(0)
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), 60_000, [
        eq.Attractiveness([0.5, 0.3]), eq.Consistency(rng.dirichlet([1, 2], 60_000)),
    ])  # fmt: skip
    api = Api(saved(tmp_path, game))
    with pytest.raises(Infeasible, match="60,000 agents that differ"):
        asked(api, "map", axes=AXES, tab="t", turn=1)
    view = asked(api, "solve")
    assert view["agents"]["rows"] is None
    shown = view["agents"]["spread"][0]["quantiles"][3]
    assert shown == pytest.approx(np.median(eq.solve(game).profile.array[:, 0]), abs=1e-4)


def test_figures_are_exported(toy: Api) -> None:
    asking = {"source": toy.shelf.first.key, "what": "profile"}
    assert export(toy, {**asking, "kind": "png"})[2].startswith(b"\x89PNG")
    assert b"<svg" in export(toy, {**asking, "kind": "svg"})[2]
    with pytest.raises(BadInput, match="no such file"):
        export(toy, {**asking, "kind": "exe"})


def test_people_are_shown_as_shares(people: Api) -> None:
    view = asked(people, "people", question=2)
    panel = load_panel("gss2018")
    assert pytest.approx(panel.answers.shares[:, 2, :3], abs=1e-5) == np.array(view["shares"]).T
    assert np.array(view["low"]) == pytest.approx(np.minimum(view["low"], view["shares"]))
    with pytest.raises(BadInput, match="question: write its number"):
        asked(people, "people", question=99)


def test_very_long_labels_do_not_travel(tmp_path: Path) -> None:
    labels = ("a" * 100_000, "b\u202e" * 3, "c")
    game = eq.AlignmentGame(eq.Groups(list(labels)), ["x" * 100_000, "y"], [
        eq.Attractiveness([0.9, 0.5, 0.1]), eq.Consistency([1 / 3] * 3)])  # fmt: skip
    api = Api(saved(tmp_path, game))
    text = json.dumps(api.open({}), ensure_ascii=False)
    assert len(text) < 12_000
    assert "\u202e" not in text


def test_the_ramp_is_that_of_the_figures() -> None:
    """matplotlib's own cividis is the witness."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    for part in np.linspace(0, 1, 41):
        ours, theirs = to_rgb(ramp(float(part))), colormaps["cividis"](float(part))[:3]
        assert ours == pytest.approx(theirs, abs=0.04)
    assert len(set(group_colors(12))) == 12
