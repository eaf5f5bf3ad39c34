"""Maps of a study: witnesses are `solve` cell by cell and draw by draw, and the toy by hand."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.inclusion.map_result import PhaseMap
from equipoise.panels.files import read_panel
from equipoise.report.page import write_report
from equipoise.report.result import read_result
from equipoise.study import read_study, run_study
from tests.study.game_file_study_test import study_of, toy
from tests.study.study_files import small_study

MAP = """
[[map]]
x = "attractiveness=0:60:13"
y = "diversity=0:2:5"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    run_study(small_study(folder, draws=60, more=MAP), folder / "out")
    return folder


def map_of(out: Path, name: str = "map_1") -> PhaseMap:
    return PhaseMap.from_npz((out / "arrays" / f"{name}.npz").read_bytes())


def game_of(people: Any, alpha: float, gamma: float) -> eq.AlignmentGame:
    """The study's game, written down here from the panel's measurements."""
    appeal, kernel, groups = people
    return eq.AlignmentGame(groups, 2, [
        eq.Attractiveness(appeal, alpha), eq.Consistency([1 / 3] * 3, 1.0),
        eq.Diversity(gamma, kernel=kernel),
    ])  # fmt: skip


def test_cells_against_solving_each_and_draws_against_solving_each(made: Path) -> None:
    """The groups overlap on the diversity axis as in the survey, though the study's weight is 0."""
    found = map_of(made / "out")
    panel = read_panel(made / "people.csv", group=["region"], questions=["tax", "roads"])
    people = (panel.appeal(), panel.kernel(), panel.groups)
    x, y = found.axes[0].values, found.axes[1].values
    outs = np.array([
        [eq.solve(game_of(people, a, g)).profile.top_weight == 0 for a in x] for g in y
    ])  # fmt: skip
    assert np.array_equal(found.excluded, outs)
    assert 0 < outs.any(axis=-1).mean() < 1
    drawn = panel.draws(60, 0)
    assert found.drawn is not None
    for row, column in ((0, 3), (2, 5), (4, 8)):
        counts = np.zeros(3)
        for appeal, kernel in zip(drawn.appeal, drawn.kernel, strict=True):
            game = game_of((appeal, kernel, panel.groups), x[column], y[row])
            counts += eq.solve(game).profile.top_weight == 0
        assert np.allclose(found.drawn.probability[row, column], counts / 60)


def test_numbers_tables_and_page_say_the_same(made: Path) -> None:
    out, result = made / "out", read_result(made / "out")
    found, (row,) = map_of(out), result["maps"]
    assert found.drawn is not None
    assert row["cells"] == row["certified"] == 65
    assert row["any"]["share"] == found.excluded.any(axis=-1).mean()
    assert row["any"]["low"] == np.quantile(found.drawn.anywhere, 0.025)
    sure = (found.drawn.probability >= 0.975).any(axis=-1).mean()
    assert row["any"]["surely"] == sure
    by_group = {one["group"]: one for one in row["groups"]}
    assert [by_group[g]["share"] for g in found.groups] == found.excluded.mean(axis=(0, 1)).tolist()
    with (out / "tables" / "map_1.csv").open(encoding="utf-8") as handle:
        cells = list(csv.DictReader(handle))
    assert len(cells) == 65
    assert sum(int(cell["n_excluded"]) for cell in cells) == found.excluded.sum()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Over attractiveness and diversity" in page
    assert f"left out on {100 * row['any']['share']:.1f}\u00a0% of the map" in page
    lead = row["first"]["groups"][0]
    assert "As attractiveness rises, the first group to drop out is" in page
    assert lead["lines"] <= row["first"]["lines"] == 5
    for name in ("map_1", "map_1_draws"):
        assert (out / "figures" / f"{name}.svg").exists()
        assert (out / "figures" / f"{name}.png").exists()
        assert "<image" not in (out / "figures" / f"{name}.svg").read_text()


def test_the_report_written_again_is_the_same(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "out", tmp_path / "out")
    page = write_report(tmp_path / "out")
    for path in (made / "out").glob("*/map_*"):
        assert (tmp_path / "out" / path.relative_to(made / "out")).read_bytes() == path.read_bytes()
    assert page.read_bytes() == (made / "out" / "report.html").read_bytes()


def test_arrays_of_another_result_are_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "out", tmp_path / "out")
    arrays = tmp_path / "out" / "arrays" / "map_1.npz"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="does not belong to this result; run the study again"):
        write_report(tmp_path / "out")
    arrays.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        write_report(tmp_path / "out")


def test_the_copy_of_the_study_is_read_back_with_its_maps(made: Path) -> None:
    study = read_study(made / "out" / "study.toml")
    assert [(one.x, one.y) for one in study.map] == [("attractiveness=0:60:13", "diversity=0:2:5")]


def test_a_map_takes_as_many_draws_as_it_is_given(tmp_path: Path) -> None:
    more = MAP + "draws = 45\n" + MAP.replace("diversity=0:2:5", "anchor:south=0.1:0.5:4")
    more += "draws = 0\n"
    result = run_study(small_study(tmp_path, draws=60, more=more), tmp_path / "out")
    assert [row["draws"] for row in result["maps"]] == [45, 0]
    assert result["maps"][1]["any"]["surely"] is None
    assert not (tmp_path / "out" / "figures" / "map_2_draws.svg").exists()


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("value:moon=0:1:3", r"\[\[map\]\] 1: .*moon"),
        ("share:north=0.5:0.7:3", None),
        ("anchor:north=0:1.5:3", r"\[\[map\]\] 1, y: axis anchor:north: an anchor is a weight"),
    ],
)
def test_an_axis_that_fits_nothing_is_one_sentence_before_any_draw(
    tmp_path: Path, axis: str, said: str | None
) -> None:
    study = small_study(tmp_path, more=MAP.replace("diversity=0:2:5", axis))
    if said is None:
        notes = run_study(study, tmp_path / "out")["maps"][0]["notes"]
        assert "A share changes the public only" in notes[0]
        return
    with pytest.raises(BadInput, match=said) as error:
        run_study(study, tmp_path / "out")
    assert str(error.value).startswith("study.toml: ")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").glob(".work/*/draws-*.npz"))


@pytest.mark.parametrize("alike", [True, False])
def test_a_game_file_with_its_draws(tmp_path: Path, alike: bool) -> None:
    """R6 by hand: at γ = 0 and a uniform anchor rural is out from α = 1/(.35 + .2) = 1.82 on."""
    third = [1 / 3] * 3
    game = toy([third, third if alike else [0.4, 0.3, 0.3]], diversity=0.0)
    drawn = np.array([0.5, 0.35, 0.15]) + 0.002 * np.random.default_rng(0).normal(size=(40, 3))
    study = study_of(tmp_path, game, drawn)
    text = study.read_text().replace("below = 0.02", "below = 0.0")
    axes = '\n[[map]]\nx = "attractiveness=0:4:9"\ny = "diversity=0:1:3"\n'
    study.write_text(text + axes)
    row = run_study(study, tmp_path / "out")["maps"][0]
    found = map_of(tmp_path / "out")
    assert row["draws"] == 40
    assert row["certified"] == row["cells"] == 27
    if alike:
        assert row["first"]["groups"][0]["group"] == "rural"
        assert found.excluded[0, :, 2].tolist() == [a > 1 / 0.55 for a in found.axes[0].values]
        assert row["boundaries"] == ["rural"]
    else:
        assert row["boundaries"] == []
        top = eq.solve(game.replace(eq.Attractiveness([0.5, 0.35, 0.15], 3.0))).profile.top_weight
        assert np.allclose(found.top_weight[0, 6], top, atol=1e-12)


def test_three_axes_make_a_page(tmp_path: Path) -> None:
    more = MAP + 'z = "consistency=0.5:2:3"\n'
    result = run_study(small_study(tmp_path, draws=40, more=more), tmp_path / "out")
    assert result["maps"][0]["cells"] == 195
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Over attractiveness, diversity and consistency" in page
    assert "15 pairs of diversity and consistency" in page


def test_a_finished_study_makes_no_map_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: pieces that cannot run. The file differs in `seconds` only."""
    study, out = small_study(tmp_path, draws=40, more=MAP), tmp_path / "out"
    run_study(study, out)
    first = json.loads((out / "result.json").read_text())

    def broken(*_: object) -> None:
        raise AssertionError("solved again")

    monkeypatch.setattr("equipoise.engine.here.answer", broken)
    run_study(study, out)
    again = json.loads((out / "result.json").read_text())
    del first["seconds"], again["seconds"]
    assert again == first
    shutil.rmtree(next(out.glob(".work/*/map_1")))
    with pytest.raises(AssertionError, match="solved again"):
        run_study(study, out)
