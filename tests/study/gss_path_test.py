"""The whole path on the GSS of 2018 against theory section 7, printed before this code."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.equilibrium.certificate import certify
from equipoise.inclusion.levers import Anchors, AttractivenessCap, DiversityWeight, Prices
from equipoise.panels import load_panel
from equipoise.report.result import read_result
from equipoise.study import run_study
from equipoise.study.people import Measured, PanelSource
from equipoise.study.study_file import read_study
from tests.study.study_files import gss_study

SHIPPED = Path(__file__).parents[2] / "studies"

PRINTED = {
    "extremely conservative": ("4.7", 3.3, 7.6),
    "conservative": ("5.9", 4.7, 7.6),
    "slightly conservative": ("11.7", 8.5, 19.5),
    "moderate": ("39.6", 23.0, 117.0),
    "slightly liberal": ("139", 40.0, np.inf),
}
"""Theory section 7: least α/β and its interval, β = 1, uniform anchor, γ = 0."""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, float]:
    out = tmp_path_factory.mktemp("gss")
    begin = sum(os.times()[:4])
    run_study(SHIPPED / "gss2018.toml", out)
    return read_result(out), out, sum(os.times()[:4]) - begin


def verdicts(result: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"excluded": [], "undecided": [], "included": []}
    for row in result["exclusion"]:
        found[row["verdict"]].append(row["group"])
    return found


def test_least_incentives_against_theory_section_7(shipped: Any) -> None:
    """Point values to the digits printed; ends were printed from other draws: within 12 %."""
    rows = {row["group"]: row for row in shipped[0]["critical"]["rows"]}
    assert list(rows)[:5] == list(PRINTED)
    for group, (point, low, high) in PRINTED.items():
        digits = 0 if point == "139" else 1
        assert f"{rows[group]['least']:.{digits}f}" == point
        assert rows[group]["low"] == pytest.approx(low, rel=0.12)
        assert rows[group]["high"] == (np.inf if np.isinf(high) else pytest.approx(high, rel=0.12))


def test_verdicts_at_ten_against_theory_section_7(shipped: Any) -> None:
    """Groups 6 and 7 are excluded, 5 undecided (22 % of the draws behind the theory)."""
    found = verdicts(shipped[0])
    assert found["excluded"] == ["conservative", "extremely conservative"]
    assert found["undecided"] == ["slightly conservative"]
    share = {r["group"]: r["excluded_share"] for r in shipped[0]["exclusion"]}
    assert share["slightly conservative"] == pytest.approx(0.22, abs=0.06)


@pytest.mark.parametrize(
    ("alpha", "excluded", "undecided"),
    [
        (20.0, ["slightly conservative", "conservative", "extremely conservative"], []),
        (
            50.0,
            ["slightly conservative", "conservative", "extremely conservative"],
            ["moderate"],
        ),
    ],
)
def test_verdicts_at_twenty_and_fifty_against_theory_section_7(
    tmp_path: Path, alpha: float, excluded: list[str], undecided: list[str]
) -> None:
    """At 50 groups 4-7 are at zero by point value, moderates undecided (69 % of draws)."""
    run_study(gss_study(tmp_path, alpha), tmp_path / "out")
    result = read_result(tmp_path / "out")
    found = verdicts(result)
    assert found["excluded"] == excluded
    assert set(undecided) <= set(found["undecided"])
    at_zero = [r["group"] for r in result["exclusion"] if r["top_weight"] == 0]
    assert at_zero == (["moderate"] if alpha == 50 else []) + excluded
    if alpha == 50:
        row = next(r for r in result["exclusion"] if r["group"] == "moderate")
        assert row["excluded_share"] == pytest.approx(0.69, abs=0.06)
        assert sum(r["share"] for r in result["exclusion"][3:]) == pytest.approx(0.71, abs=0.005)


def test_a_bootstrap_written_twice_gives_the_same_share() -> None:
    """Witness: people resampled here with pandas, exclusion by the sum in R6."""
    from equipoise.panels.sources import SOURCES
    from equipoise.panels.sources.spec import read_rdataset

    source = SOURCES["gss2018"]
    frame = read_rdataset(source.item, source.sha256)
    frame = frame[frame["polviews"].notna()]
    group = frame["polviews"].to_numpy().astype(int) - 1
    answers = frame[list(source.wording)].to_numpy(dtype=float)
    rng = np.random.default_rng(99)
    out = []
    for _ in range(400):
        pick = rng.integers(0, len(group), len(group))
        g, a = group[pick], answers[pick]
        p = np.array([[np.mean(a[g == k] == v, axis=0) for v in (-1, 0, 1)] for k in range(7)])
        known = np.array([np.mean(~np.isnan(a[g == k]), axis=0) for k in range(7)])
        p = p / known[:, None, :]
        m = np.bincount(g, minlength=7) / len(g)
        appeal = np.einsum("j,jvq,kvq->k", m, p, p) / p.shape[2]
        s = 10 * appeal
        out.append(np.maximum(s - s[4], 0).sum() >= 1)
    panel = load_panel("gss2018")
    drawn = panel.draws(4000, seed=3).appeal
    ours = np.maximum(10 * (drawn[:, None, :] - drawn[:, [4], None]), 0).sum(axis=(1, 2)) >= 1
    assert np.mean(out) == pytest.approx(float(ours.mean()), abs=0.06)


def test_every_draw_is_an_equilibrium_by_the_examiner(tmp_path: Path) -> None:
    """Witness: `certify`, which knows nothing of the vectorised path."""
    study = read_study(SHIPPED / "gss2018-diversity.toml")
    source = PanelSource(study, SHIPPED)
    chunk = source.chunk(40, 12)
    drawn = source.panel.draws(12, study.uncertainty.seed, start=40)
    for i in range(12):
        people = Measured(drawn.shares[i], drawn.agreement[i], drawn.appeal[i], drawn.kernel[i])
        game = source._game(people)
        profile = game.profile(np.tile(chunk["coverage"][i, 0], (2, 1)))
        exam = certify(game, profile)
        assert exam.max_relative_gap <= 1e-12
        assert chunk["relative_gap"][i, 0] == pytest.approx(exam.max_relative_gap, abs=1e-15)


def test_welfare_by_hand(shipped: Any) -> None:
    """Witness: W_j = sum of agreement times coverage, from the panel alone."""
    panel = load_panel("gss2018")
    result = shipped[0]
    coverage = np.array([row["coverage"] for row in result["exclusion"]])
    for k, row in enumerate(result["welfare"]):
        assert row["welfare"] == pytest.approx(float(panel.agreement()[k] @ coverage))
        assert row["proportional"] == pytest.approx(
            float(panel.agreement()[k] @ np.asarray(panel.groups.shares))
        )
        assert row["low"] < row["welfare"] < row["high"]


def test_a_thousand_draws_and_six_levers_take_seconds(shipped: Any) -> None:
    """The issue: seconds, not minutes. Counted in time of processors, this one's and workers'."""
    result, _, seconds = shipped
    assert result["uncertainty"]["draws"] == 1000
    assert len(result["steer"][0]["levers"]) == 6
    assert seconds < 60


def test_everything_promised_is_written(shipped: Any) -> None:
    _, out, _ = shipped
    names = {str(path.relative_to(out)) for path in out.rglob("*") if ".work" not in path.parts}
    for name in ("critical_incentives", "coverage", "welfare", "profile"):
        assert {f"figures/{name}.svg", f"figures/{name}.png"} <= names
    assert {"result.json", "report.html", "tables/exclusion.csv", "tables/welfare.csv"} <= names
    with (out / "tables" / "critical_incentives.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    stored = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert float(rows[0]["least"]) == stored["critical"]["rows"][0]["least"]
    assert float(rows[-1]["least"]) == np.inf


def test_topics_of_the_shipped_study(tmp_path: Path) -> None:
    """One game per question, each certified; joint verdicts never contradict the pointwise."""
    text = (SHIPPED / "gss2018-topics.toml").read_text(encoding="utf-8")
    study = tmp_path / "topics.toml"
    study.write_text(text.replace("draws = 4000", "draws = 500"), encoding="utf-8")
    run_study(study, tmp_path / "out")
    result = read_result(tmp_path / "out")
    games = result["topics"]["games"]
    assert len(games) == 18
    assert result["topics"]["cells"] == 54
    for game in games:
        assert game["max_relative_gap"] <= 1e-9
        for row in game["rows"]:
            assert row["joint_verdict"] in (row["verdict"], "undecided")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "foreign aid" in page


def test_one_question_alone_against_a_panel_of_that_question(tmp_path: Path) -> None:
    """Witness: the same game made from a panel that asked nothing else."""
    path = tmp_path / "s.toml"
    text = (
        '[panel]\nname = "gss2018"\ngroups = 3\n{}[game]\nattractiveness = 10\n{}'
        "[uncertainty]\ndraws = 40\n"
    )
    path.write_text(text.format("", 'per = "question"\n'), encoding="utf-8")
    run_study(path, tmp_path / "all")
    path.write_text(text.format('questions = ["nataid"]\n', ""), encoding="utf-8")
    run_study(path, tmp_path / "one")
    every, one = read_result(tmp_path / "all"), read_result(tmp_path / "one")
    game = next(g for g in every["topics"]["games"] if g["question"] == "nataid")
    for a, b in zip(game["rows"], one["exclusion"], strict=True):
        assert a["coverage"] == pytest.approx(b["coverage"], abs=1e-12)
        assert a["excluded_share"] == pytest.approx(b["excluded_share"], abs=0.15)


def held(plan: dict[str, Any], lever: Any, games: list[eq.AlignmentGame], share: float) -> float:
    """Count in how many games a plan's setting reaches the goal: each is solved and looked at."""
    count = 0
    for game in games:
        after = eq.solve(lever.apply(game, np.array(plan["setting"])), starts=0).profile
        count += bool(np.all(after.coverage >= share * game.groups.shares - 1e-9))
    return count / len(games)


def fresh_games(panel: Any, alpha: float, agents: list[str]) -> list[eq.AlignmentGame]:
    """A thousand games of draws 2,000 to 2,999 of the respondents, which no study here has seen."""
    drawn, k = panel.draws(1000, 0, start=2000), len(panel.groups)
    return [
        eq.AlignmentGame(eq.Groups(dict(zip(panel.groups.labels, m, strict=True))), agents, [
            eq.Attractiveness(a, alpha), eq.Consistency([1 / k] * k, 1.0),
            eq.Diversity(0.0, kernel=s),
        ])
        for m, a, s in zip(drawn.shares, drawn.appeal, drawn.kernel, strict=True)
    ]  # fmt: skip


LEVERS = {"prices": Prices(), "anchors": Anchors(), "diversity": DiversityWeight(),
          "caps": AttractivenessCap()}  # fmt: skip


def test_the_plans_hold_in_a_thousand_draws_they_were_not_fitted_on(shipped: Any) -> None:
    """Every plan of GSS 2018 that was made to hold in 95 % of draws."""
    (row,) = shipped[0]["steer"]
    assert (row["share"], row["sure"]) == (0.1, 0.95)
    games = fresh_games(load_panel("gss2018"), 10.0, ["model-a", "model-b"])
    found = {p["lever"]: held(p, LEVERS[p["lever"]], games, 0.1) for p in row["plans"]}
    assert {"prices", "anchors", "caps"} <= set(found)
    assert min(found.values()) >= 0.95, found


def test_the_counting_sees_a_plan_that_holds_at_the_point_only(shipped: Any) -> None:
    """The checker has been seen to fail: half of the way is not enough."""
    plan = next(p for p in shipped[0]["steer"][0]["plans"] if p["lever"] == "caps")
    games = fresh_games(load_panel("gss2018"), 10.0, ["model-a", "model-b"])[:200]
    half = {"setting": [0.5 * z for z in plan["setting"]]}
    assert held(half, AttractivenessCap(), games, 0.1) < 0.95


def anes_plans(out: Path, lever: str) -> list[dict[str, Any]]:
    text = (SHIPPED / "anes2012.toml").read_text(encoding="utf-8")
    assert 'lever = "all"' in text
    assert "share = 0.25" in text
    study = out / "study-of-anes.toml"
    study.write_text(text.replace('lever = "all"', f"lever = {lever}"), encoding="utf-8")
    return list(run_study(study, out / "out")["steer"][0]["plans"])


def test_prices_and_caps_of_anes_hold_in_a_thousand_fresh_draws(tmp_path: Path) -> None:
    games = fresh_games(load_panel("anes", year=2012), 4.0, ["model-a", "model-b", "model-c"])
    for lever in ("prices", "caps"):
        (plan,) = anes_plans(tmp_path, f'"{lever}"')
        assert held(plan, LEVERS[lever], games, 0.25) >= 0.95


@pytest.mark.soak
def test_every_plan_of_anes_holds_in_a_thousand_fresh_draws(tmp_path: Path) -> None:
    games = fresh_games(load_panel("anes", year=2012), 4.0, ["model-a", "model-b", "model-c"])
    found = {p["lever"]: held(p, LEVERS[p["lever"]], games, 0.25)
             for p in anes_plans(tmp_path, '"all"')}  # fmt: skip
    assert {"prices", "anchors", "caps"} <= set(found)
    assert min(found.values()) >= 0.95, found
