"""A study of a game file: its own draws decide, whatever the structure of the game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.game.gamefile import save_game
from equipoise.report.result import read_result
from equipoise.study import run_study
from tests.study.study_files import small_study

DRAWS = 60


def toy(anchors: list[list[float]], *, diversity: float = 0.3) -> eq.AlignmentGame:
    groups = eq.Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
    return eq.AlignmentGame(groups, ["model-a", "model-b"], [
        eq.Attractiveness([0.50, 0.35, 0.15], 1.0), eq.Consistency(anchors, 1.0),
        eq.Diversity(diversity),
    ])  # fmt: skip


def study_of(folder: Path, game: eq.AlignmentGame, drawn: np.ndarray | None) -> Path:
    save_game(game, folder / "game.json")
    if drawn is not None:
        draws: dict[str, Any] = {"attractiveness.values": drawn}
        np.savez(folder / "draws.npz", **draws)
        text = (folder / "game.json").read_text().rstrip().removesuffix("}").rstrip()
        (folder / "game.json").write_text(text + ',\n  "draws": "draws.npz"\n}\n')
    path = folder / "s.toml"
    path.write_text('[game]\nfile = "game.json"\n[exclusion]\nbelow = 0.02\n')
    return path


def test_the_toy_without_draws_against_its_hand_made_answer(tmp_path: Path) -> None:
    """Design section 4: rural gets 1/78 in both rows, below 2 %."""
    run_study(study_of(tmp_path, toy([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]), None), tmp_path / "out")
    result = read_result(tmp_path / "out")
    rural = result["exclusion"][2]
    assert rural["coverage"] == pytest.approx(1 / 78, abs=1e-12)
    assert result["excluded"] == ["rural"]
    assert result["uncertainty"]["draws"] == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "no joint draws" in page


@pytest.mark.parametrize("alike", [True, False])
def test_draws_beside_a_game_against_solving_each_by_hand(tmp_path: Path, alike: bool) -> None:
    """Witness: `solve` on every drawn game, built here."""
    anchors = [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1] if alike else [0.5, 0.4, 0.1]]
    rng = np.random.default_rng(3)
    drawn = np.array([0.50, 0.35, 0.15]) + rng.normal(scale=0.004, size=(DRAWS, 3))
    game = toy(anchors)
    run_study(study_of(tmp_path, game, drawn), tmp_path / "out")
    result = read_result(tmp_path / "out")
    out = 0
    for values in drawn:
        found = eq.solve(game.replace(eq.Attractiveness(values, 1.0)))
        out += bool(found.profile.top_weight[2] < 0.02)
    assert result["exclusion"][2]["excluded_share"] == pytest.approx(out / DRAWS, abs=1e-12)
    assert result["uncertainty"]["draws"] == DRAWS
    assert result["uncertainty"]["max_relative_gap"] <= 1e-9


def test_critical_incentives_of_a_game_file_where_the_law_holds(tmp_path: Path) -> None:
    """R6 by hand: appeal (.5, .35, .15), uniform anchor: rural out from 1/(.35 + .2)."""
    game = toy([[1 / 3] * 3] * 2, diversity=0.0)
    one = eq.AlignmentGame(game.groups, 2, [
        eq.Attractiveness([0.5, 0.35, 0.15]), eq.Consistency([1 / 3] * 3),
    ])  # fmt: skip
    run_study(study_of(tmp_path, one, None), tmp_path / "out")
    rows = read_result(tmp_path / "out")["critical"]["rows"]
    assert rows[0]["group"] == "rural"
    assert rows[0]["least"] == pytest.approx(1 / 0.55)


def test_too_few_draws_are_one_sentence(tmp_path: Path) -> None:
    path = study_of(tmp_path, toy([[0.6, 0.3, 0.1]] * 2), np.full((3, 3), 0.3))
    with pytest.raises(BadInput, match="3 draws cannot show an interval"):
        run_study(path, tmp_path / "out")


@pytest.mark.parametrize(
    "game",
    [
        'form = "kl"',
        'anchor = "shares"',
        'kernel = "identity"\ndiversity = 0.5',
        "diversity = -0.4",
        'diversity = 40.0\nkernel = "identity"\nagents = 3',
        "agents = 1\ndiversity = 2.0",
        "agents = 5000000",
        'form = "kl"\ndiversity = 0.3',
        "consistency = 0.0\ndiversity = 1.0",
    ],
)
def test_every_setting_of_the_game_runs_to_a_page(tmp_path: Path, game: str) -> None:
    """Each draw certified, whichever way it was solved."""
    study = small_study(tmp_path, draws=40, game=game)
    run_study(study, tmp_path / "out")
    result = read_result(tmp_path / "out")
    assert result["uncertainty"]["max_relative_gap"] <= 1e-9
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    coverage = sum(row["coverage"] for row in result["exclusion"])
    assert coverage == pytest.approx(1.0)
