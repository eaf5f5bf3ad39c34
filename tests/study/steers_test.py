"""Plans of a study: witnesses are `eq.steer` on games written down here, and R12 by hand."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli.main import run as command
from equipoise.engine import Local
from equipoise.errors import BadInput
from equipoise.inclusion.levers import Anchors, AttractivenessCap, Audience, Prices, Together
from equipoise.panels.files import read_panel
from equipoise.report.page import write_report
from equipoise.report.result import read_result
from equipoise.study import read_study, run_study
from tests.study.engine_test import same_files
from tests.study.game_file_study_test import study_of, toy
from tests.study.study_files import small_study

ALPHA = "attractiveness = 40.0"
"""At 4, the weight of the small study, everybody is served; at 40 the north is left out.

400 people are few: draws differ so much that no price holds in more than a third of them.
"""

STEER = """
[[steer]]
lever = "all"
share = 0.3
sure = 0.1
draws = 60
[[steer]]
lever = ["prices", "caps"]
floor = {north = 0.1, west = 0.2}
sure = 0
[[map]]
x = "attractiveness=0:60:13"
y = "diversity=0:2:5"
draws = 0
"""


def strong(folder: Path, more: str, **given: Any) -> Path:
    """Return the small study with strong appeal."""
    study = small_study(folder, more=more, **given)
    study.write_text(study.read_text().replace("attractiveness = 4.0", ALPHA))
    return study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steers")
    run_study(strong(folder, STEER), folder / "out")
    return folder


def by_hand(folder: Path) -> tuple[eq.AlignmentGame, list[eq.AlignmentGame], Any]:
    """The study's game and its draws, written down here from the panel's measurements."""
    panel = read_panel(folder / "people.csv", group=["region"], questions=["tax", "roads"])

    def game(shares: Any, appeal: Any) -> eq.AlignmentGame:
        groups = eq.Groups(dict(zip(panel.groups.labels, shares, strict=True)))
        agents = ["model-a", "model-b"]
        return eq.AlignmentGame(groups, agents, [
            eq.Attractiveness(appeal, 40.0), eq.Consistency([1 / 3] * 3, 1.0),
        ])  # fmt: skip

    drawn = panel.draws(60, 0)
    games = [game(m, a) for m, a in zip(drawn.shares, drawn.appeal, strict=True)]
    return game(panel.groups.shares, panel.appeal()), games, panel.agreement()


def plans(out: Path, goal: int = 0) -> dict[str, dict[str, Any]]:
    return {plan["lever"]: plan for plan in read_result(out)["steer"][goal]["plans"]}


def test_the_plans_against_steer_on_games_written_down_here(made: Path) -> None:
    game, draws, agreement = by_hand(made)
    assert 0.0 in eq.solve(game).profile.coverage
    found = plans(made / "out")
    goal = eq.Goal(share=0.3)
    for lever in (Prices(), Anchors(), AttractivenessCap(), Audience(agreement)):
        if lever.name not in found:
            with pytest.raises(eq.errors.Infeasible):
                eq.steer(game, lever, goal=goal, draws=draws, sure=0.1)
            continue
        plan = eq.steer(game, lever, goal=goal, draws=draws, sure=0.1)
        row = found[lever.name]
        assert row["cost"] == pytest.approx(plan.cost, rel=1e-9)
        assert np.allclose(row["setting"], plan.setting, atol=1e-9)
        assert row["robustness"] == pytest.approx(dict(plan.robustness))
        after = list(row["after"]["coverage"].values())
        assert np.allclose(after, plan.after.profile.coverage, atol=1e-9)
    assert {"prices", "caps"} <= set(found)


def test_levers_together_at_the_point_against_steer(made: Path) -> None:
    game, _, _ = by_hand(made)
    lever = Together([Prices(), AttractivenessCap()])
    plan = eq.steer(game, lever, floors={"north": 0.1, "west": 0.2})
    row = plans(made / "out", 1)["together"]
    assert row["cost"] == pytest.approx(plan.cost, rel=1e-6)
    assert row["robustness"] == {}
    assert row["after"]["coverage"]["north"] >= 0.1 - 1e-9


def test_the_share_of_fresh_draws_is_counted_by_solving_each(made: Path) -> None:
    """Prices by hand: agents alike with B = I are the projection of score plus price."""
    _, draws, _ = by_hand(made)
    row = plans(made / "out")["prices"]
    order = np.random.default_rng(0).permutation(60)
    held = []
    for j in order[30:]:
        appeal = draws[j].term(eq.Attractiveness)
        assert appeal is not None
        score = np.sort(s := 40.0 * appeal.values + 1 / 3 + np.array(row["setting"]))[::-1]
        level = max((score[: k + 1].sum() - 1) / (k + 1) for k in range(3))
        x = np.maximum(s - level, 0)
        held.append(bool(np.all(x >= 0.3 * draws[j].groups.shares - 1e-9)))
    assert row["robustness"]["fresh"] == np.mean(held)
    assert row["robustness"]["n"] == 30


def test_numbers_tables_figures_and_page_say_the_same(made: Path) -> None:
    out = made / "out"
    first = read_result(out)["steer"][0]
    with (out / "tables" / "steer_1.csv").open(encoding="utf-8") as handle:
        rows = {row["lever"]: row for row in csv.DictReader(handle)}
    assert set(rows) == set(first["levers"])
    for lever, plan in plans(out).items():
        assert float(rows[lever]["cost"]) == plan["cost"]
        assert float(rows[lever]["fresh"]) == plan["robustness"]["fresh"]
    for one in first["refused"]:
        assert rows[one["lever"]]["reason"] == one["reason"]
    with (out / "tables" / "steer_1_path.csv").open(encoding="utf-8") as handle:
        way = [r for r in csv.DictReader(handle) if r["lever"] == "caps"]
    assert len(way) == 41 * 3
    ends = {r["group"]: float(r["coverage"]) for r in way[-3:]}
    assert ends == plans(out)["caps"]["after"]["coverage"]
    starts = {r["group"]: float(r["coverage"]) for r in way[:3]}
    assert starts == pytest.approx(plans(out)["caps"]["before"]["coverage"], abs=1e-12)
    page = (out / "report.html").read_text(encoding="utf-8")
    heads = ("Who is served, and who is left out", "What would bring everyone in</h2>",
             "Who is left out under other incentives", "How this was found")  # fmt: skip
    assert [page.index(head) for head in heads] == sorted(page.index(head) for head in heads)
    assert "gets at least 30\u00a0% of the weight its size would bring it" in page
    head = page.split("</section>")[0]
    assert "What would bring everyone in, so that" in head
    # Who pays for it is said in the same breath.
    assert re.search(r"(less attention than before|by some also)", head)
    for name in ("steer_1", "steer_1_path", "steer_2"):
        for kind in ("svg", "png"):
            assert (out / "figures" / f"{name}.{kind}").exists()


def test_the_report_written_again_is_the_same_and_foreign_arrays_are_refused(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(made / "out", out)
    page = write_report(out)
    assert page.read_bytes() == (made / "out" / "report.html").read_bytes()
    assert same_files(made / "out", out) > 20
    arrays = out / "arrays" / "steer_1.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="does not belong to this result; run the study again"):
        write_report(out)
    arrays.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        write_report(out)


def test_the_copy_of_the_study_is_read_back_with_its_goals(made: Path) -> None:
    original, copy = read_study(made / "study.toml"), read_study(made / "out" / "study.toml")
    assert copy.steer == original.steer
    assert copy.steer[1].floor == {"north": 0.1, "west": 0.2}


def test_the_study_and_its_plans_are_marked_on_the_map(made: Path) -> None:
    row = read_result(made / "out")["maps"][0]
    assert row["here"] == [40.0, 0.0]
    ends = {(plan["steer"], plan["lever"]): plan["to"] for plan in row["plans"]}
    caps = plans(made / "out")["caps"]["change"]["attractiveness"]["to"]
    assert ends["steer_1", "caps"] == [caps, 0.0]
    # Prices together with caps move more than the axes of this map.
    mixed = plans(made / "out", 1)["together"]["change"]
    assert (("steer_2", "together") in ends) == (not mixed["prices"])
    page = (made / "out" / "report.html").read_text(encoding="utf-8")
    assert "Circle: this study. Dotted: the way with" in page


def test_the_same_bytes_on_workers(tmp_path: Path) -> None:
    study = strong(tmp_path, STEER)
    run_study(study, tmp_path / "here")
    run_study(study, tmp_path / "there", engine=Local(2))
    assert same_files(tmp_path / "here", tmp_path / "there") > 20


def test_a_finished_lever_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: pieces that cannot run."""
    study, out = strong(tmp_path, STEER), tmp_path / "out"
    first = run_study(study, out)

    def broken(*_: object) -> None:
        raise AssertionError("tried again")

    monkeypatch.setattr("equipoise.engine.here.answer", broken)
    assert run_study(study, out)["steer"] == first["steer"]
    next(out.glob(".work/*/steer_1/caps.npz")).unlink()
    with pytest.raises(AssertionError, match="tried again"):
        run_study(study, out)


def test_a_goal_out_of_reach_is_described_and_the_study_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = '[[steer]]\nlever = "audience"\nfloor = {north = 0.32}\nsure = 0\n'
    more += "bounds = {audience = [0.95, 1.05]}\n"
    study, out = strong(tmp_path, more, draws=40), tmp_path / "out"
    assert command(["study", "run", str(study), "--out", str(out), "--quiet"]) == 0
    assert "With another audience mix no way was found" in capsys.readouterr().out
    (row,) = read_result(out)["steer"]
    assert row["plans"] == []
    reason = row["refused"][0]["reason"]
    game, _, agreement = by_hand(tmp_path)
    with pytest.raises(eq.errors.Infeasible) as error:
        eq.steer(game, Audience(agreement, least=0.95, most=1.05), floors={"north": 0.32})
    assert reason == str(error.value)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Not reached: " in page
    assert not (out / "figures" / "steer_1.svg").exists()


def test_a_goal_that_draws_do_not_allow_says_what_the_point_would(tmp_path: Path) -> None:
    """One draw in ten leaves nothing for the south whatever is paid up to the bound."""
    more = '[[steer]]\nlever = "prices"\nshare = 0.9\nsure = 0.99\ndraws = 40\n'
    study = strong(tmp_path, more, draws=40)
    (row,) = run_study(study, tmp_path / "out")["steer"]
    (one,) = row["refused"]
    assert "at best in" in one["reason"]
    game, _, _ = by_hand(tmp_path)
    plan = eq.steer(game, Prices(), goal=eq.Goal(share=0.9))
    assert one["point"]["cost"] == pytest.approx(plan.cost)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "By the point values alone it would do" in page


def test_a_game_file_by_hand(tmp_path: Path) -> None:
    """R12 on the toy: a price of 0.0725 lifts rural to 0.05, at 0.00725 a round for two agents."""
    study = study_of(tmp_path, toy([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]), None)
    study.write_text(study.read_text() + "\n[[steer]]\nfloor = {rural = 0.05}\n")
    (row,) = run_study(study, tmp_path / "out")["steer"]
    (plan,) = row["plans"]
    assert plan["change"] == pytest.approx({"rural": 0.0725})
    assert plan["cost"] == pytest.approx(2 * 0.0725 * 0.05)
    assert plan["least"] is True
    assert (row["sure"], row["draws"]) == (0.0, 0)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "It is the least this lever can do" in page
    assert math.isclose(plan["after"]["coverage"]["rural"], 0.05, abs_tol=1e-9)


def test_a_game_file_has_no_agreement(tmp_path: Path) -> None:
    study = study_of(tmp_path, toy([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]), None)
    text = study.read_text()
    study.write_text(text + '\n[[steer]]\nlever = "audience"\nshare = 0.1\n')
    with pytest.raises(BadInput, match=r"\[\[steer\]\] 1, lever: audience needs to know"):
        run_study(study, tmp_path / "out")
    study.write_text(text + '\n[[steer]]\nlever = "all"\nshare = 0.1\nsure = 0.95\n')
    with pytest.raises(BadInput, match=r"\[\[steer\]\] 1, sure: the study has 0 joint draws"):
        run_study(study, tmp_path / "out")


BAD = [
    ('lever = "price"\nfloor = 0.1', r'1, lever: there is no lever "price"; did you mean "prices"'),
    ('lever = ["all", "caps"]\nfloor = 0.1', '1, lever: "all" tries every lever alone'),
    ('lever = ["caps", "caps"]\nfloor = 0.1', '1, lever: "caps" stands twice'),
    ("lever = 3\nfloor = 0.1", "1, lever: got the number 3; write a lever"),
    ("", "1, floor: nothing is asked for; write e.g. share = 0.25"),
    ("floor = 1.5", "1, floor: got the number 1.5; write a number above 0"),
    ("floor = 0", "1, floor: a floor of 0 asks for nothing"),
    ('floor = "0.1"', '1, floor: got the text "0.1"; write a number'),
    ("floor = {moon = 0.1}", '1, floor: there is no group "moon"; known are'),
    ("floor = {south = 2}", '1, floor: "south": got the number 2; write a number'),
    ("floor = 0.4", "1, floor: they sum to 1.2, but coverage sums to 1; the nearest goal"),
    ("floors = 0.1", 'there is no key "floors"; did you mean "floor"'),
    ("share = 25", "1, share: got the number 25; write a fraction"),
    ("served_by = 3", "1, served_by: 3 agents, but the game has 2"),
    ("floor = 0.1\nweight = 0.1", "1, weight: it says what counts as served; add served_by"),
    ("floor = 0.1\nwho = 'model-a'", "1, who: it says whose targets may move; add the lever"),
    ("lever = 'anchors'\nfloor = 0.1\nwho = ['model-c']", "1, who: .*model-c"),
    ("floor = 0.1\nbudget = 1", "1, budget: it limits several levers together"),
    ("floor = 0.1\nbounds = {caps = 1}", '1, bounds: "caps" is not among the levers'),
    ("floor = 0.1\nbounds = {prices = {moon = 1}}", '1, bounds: "prices": there is no group'),
    ("floor = 0.1\nbounds = {prices = -1}", '1, bounds: "prices": got the number -1'),
    ("floor = 0.1\nbounds = {pries = 1}", '1, bounds: "pries": there is no such lever; did you'),
    ('lever = "diversity"\nfloor = 0.1\nbounds = {diversity = [1, 2]}',
     "1, bounds: diversity: the limits leave out the present value 0"),
    ('lever = "diversity"\nfloor = 0.1\nbounds = {diversity = [2, 1]}', "1, bounds: .*swap them"),
    ("floor = 0.1\nsure = 1", "1, sure: got the number 1; write a share of draws below 1"),
    ("floor = 0.1\ndraws = 10", "1, draws: got the number 10; write a whole number from 40"),
    ("floor = 0.1\nwithin = 0.1\nsure = 0.9", "1, within: it takes the place of draws"),
    ("floor = 0.1\nsure = 0\ndraws = 60", "1, draws: this table uses none"),
    ("floor = 0.1\nwithin = 1", "1, within: got the number 1; write a share between 0 and 1"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "said"), BAD)
def test_a_wrong_table_is_one_sentence_before_any_draw(
    tmp_path: Path, keys: str, said: str
) -> None:
    study = small_study(tmp_path, more=f"[[steer]]\n{keys}\n")
    with pytest.raises(BadInput, match=said) as error:
        run_study(study, tmp_path / "out")
    text = str(error.value)
    assert text.startswith("study.toml: [[steer]] 1")
    assert "\n" not in text
    assert not list((tmp_path / "out").glob(".work/*/draws-*.npz"))


def test_one_pair_of_brackets_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\[steer\] is one table; write \[\[steer\]\]"):
        run_study(small_study(tmp_path, more="[steer]\nfloor = 0.1\n"), tmp_path / "out")


@pytest.mark.parametrize(
    ("lever", "bounds"),
    [("prices", "prices = {north = 3.0}"), ("diversity", "diversity = [-1.0, 60.0]"),
     ("caps", "caps = 0.5"), ("audience", "audience = [0.2, 3.0]")],
)  # fmt: skip
def test_bounds_are_kept(tmp_path: Path, lever: str, bounds: str) -> None:
    more = f'[[steer]]\nlever = "{lever}"\nfloor = {{north = 0.1}}\nsure = 0\n'
    study = strong(tmp_path, more + f"bounds = {{{bounds}}}\n", draws=40)
    (row,) = run_study(study, tmp_path / "out")["steer"]
    text = json.dumps(row["plans"] or row["refused"])
    if not row["plans"]:
        assert "within its limits" in text
        return
    change = row["plans"][0]["change"]
    if lever == "prices":
        assert change["north"] <= 3.0
    if lever == "audience":
        m = read_panel(tmp_path / "people.csv", group=["region"], questions=["tax"]).groups.shares
        ends = [change[g]["to"] if g in change else m[k]
                for k, g in enumerate(("north", "south", "west"))]  # fmt: skip
        assert np.all(np.array(ends) <= 3.0 * m + 1e-9)
        assert sum(ends) == pytest.approx(1.0)
    if lever == "caps":
        assert change["attractiveness"]["to"] >= 0.5
    if lever == "diversity":
        assert -1 <= change["diversity"]["to"] <= 60


def test_a_box_in_place_of_draws(tmp_path: Path) -> None:
    more = '[[steer]]\nlever = "caps"\nfloor = 0.1\nwithin = 0.1\n'
    (row,) = run_study(strong(tmp_path, more, draws=40), tmp_path / "out")["steer"]
    game, _, _ = by_hand(tmp_path)
    plan = eq.steer(game, AttractivenessCap(), floors=0.1, within=0.1)
    assert row["plans"][0]["cost"] == pytest.approx(plan.cost)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "are off by up to 10\u00a0%, each on its own" in page
