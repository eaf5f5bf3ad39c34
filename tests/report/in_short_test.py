"""The head of a report: thresholds first, and what a reader must not miss.

Witness for the thresholds: the table of theory section 7 (GSS 2018). The rest is worked by hand.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest

from equipoise.report.in_short import summary
from equipoise.report.page import html_page
from equipoise.report.phrases import equilibria, merges, plain
from equipoise.report.result import read_result, to_text
from equipoise.report.tables import interval, signed, tables
from equipoise.report.words import method
from equipoise.study import run_study
from tests.study.study_files import gss_study, small_study, survey


def said(result: dict[str, Any]) -> list[str]:
    return [plain(sentence) for sentence in summary(result)]


@pytest.fixture(scope="module")
def gss(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("gss")
    return run_study(gss_study(folder, 10.0, draws=40), folder / "out")


def test_the_thresholds_come_first_and_the_study_is_an_example(gss: dict[str, Any]) -> None:
    first, second, *rest = said(gss)
    assert first.startswith("The first group to drop out is extremely conservative, once appeal ")
    for number in ("4.68 times", "conservative from 5.85", "slightly conservative from 11.7"):
        assert number in first
    assert second.startswith("For example, at α/β = 10 (appeal weighs 10, consistency 1), two")
    assert "the agents do not look at each other (diversity weight 0)" in rest[-1]
    assert "gss2018-diversity.toml" in rest[-1]


def test_thresholds_of_another_game_are_not_in_short(tmp_path: Path) -> None:
    study = small_study(tmp_path, game="diversity = 0.5")
    result = run_study(study, tmp_path / "out")
    assert not [text for text in said(result) if "drop out" in text or "do not look" in text]
    assert said(result)[0].startswith("At α/β = 4 (appeal weighs 4, consistency 1, diversity 0.5)")
    assert "agents that ignore each other" in html_page(result, {})


def test_without_overlap_the_law_holds_with_diversity(tmp_path: Path) -> None:
    """h = β + γ (R6): with the anchor uniform every ratio is 1 + γ/β times that of γ = 0."""
    least = []
    for gamma in (0.0, 0.5):
        study = small_study(tmp_path, game=f'diversity = {gamma}\nkernel = "identity"')
        result = run_study(study, tmp_path / f"out{gamma}")
        least.append({r["group"]: r["least"] for r in result["critical"]["rows"]})
    assert "diversity weight of 0.5 times the consistency weight" in said(result)[0]
    for group, value in least[0].items():
        assert least[1][group] == pytest.approx(1.5 * value)


def test_beyond_the_bound_of_specialists_no_law_is_claimed(tmp_path: Path) -> None:
    """Two agents, γ > β: the symmetric equilibrium is not the only one."""
    study = small_study(tmp_path, game='diversity = 3.0\nkernel = "identity"')
    result = run_study(study, tmp_path / "out")
    assert result["critical"]["law"] == "ignored"
    assert "equilibria were found; this is one of them." in said(result)[0]


def test_other_equilibria_by_hand() -> None:
    assert equilibria("proved", 1, []) == ""
    text = plain(equilibria("refuted", 5, [("x", 3), ("y", 0), ("z", 5)]))
    assert text == (
        "5 equilibria were found; this is one of them. Left out: x in 3 of 5 and z in 5 of 5."
    )
    assert "No group is left out" in equilibria("refuted", 2, [("x", 0)])
    assert "not proved" in equilibria("unknown", 1, [("x", 1)])


def test_an_undefined_margin_is_a_word_everywhere(gss: dict[str, Any], tmp_path: Path) -> None:
    result = copy.deepcopy(gss)
    result["exclusion"][0] |= {"margin": math.nan, "margin_low": math.nan, "margin_high": math.nan}
    cells = tables(result)["exclusion"].cells()[0]
    assert "undefined" in cells
    assert cells[-1] == "–"
    assert "undefined" in html_page(result, {})
    (tmp_path / "result.json").write_text(to_text(result), encoding="utf-8")
    assert math.isnan(read_result(tmp_path)["exclusion"][0]["margin"])
    assert (signed(1e-17), signed(-0.5)) == ("0", "−0.500")
    assert interval(0.0, 1.0, signed) == "0 to +1.00"


def test_few_people_are_flagged_and_merges_are_told(tmp_path: Path) -> None:
    """Six people of the north and 20 of an island: six are too few for a group, 20 are rough."""
    study = small_study(tmp_path, game="", more="").resolve()
    path = survey(tmp_path)
    head, *rows = path.read_text().splitlines()
    rows = [row for row in rows if not row.startswith('"north"')]
    rows += [f"north,{('more', 'less')[i % 2]},few" for i in range(6)]
    rows += [f"island,{('more', 'less')[i % 2]},{('few', 'many')[i % 3 % 2]}" for i in range(20)]
    path.write_text("\n".join([head, *rows]) + "\n")
    study.write_text(study.read_text().replace("[game]", 'small_cells = "merge"\n[game]'))
    result = run_study(study, tmp_path / "out")
    (text,) = (plain(sentence) for sentence in merges(result["people"]))
    assert text == (
        "north (6 respondents, fewer than the 10 a group needs) was merged into island."
    )
    assert text in [plain(sentence) for sentence in method(result)]
    names = [cells[0] for cells in tables(result)["exclusion"].cells()]
    assert names[0] == "island + north (only 26 people)"
    assert "Few people were asked in island + north (26 respondents)" in " ".join(said(result))
    assert not any("merged" in reason for reason in result["people"]["dropped"])
