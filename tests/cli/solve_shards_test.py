"""`equipoise solve` for agents in shards. Witness: the in-memory solve of the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli.main import run

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run the command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


VALUES = np.random.default_rng(0).random((900, 3)) * [1.0, 0.8, 0.1]


@pytest.fixture
def game(tmp_path: Path) -> Path:
    (tmp_path / "shards").mkdir()
    for j, part in enumerate(np.split(VALUES, [200, 650])):
        np.save(tmp_path / "shards" / f"values-{j}.npy", part)
    data: dict[str, Any] = {
        "groups": {"urban": 0.5, "suburban": 0.35, "rural": 0.15},
        "agents": 900,
        "attractiveness": {"values": "shards/values-*.npy", "weight": 4.0},
        "consistency": {"anchor": [0.5, 0.45, 0.05]},
        "diversity": {"weight": 0.3},
    }
    path = tmp_path / "game.json"
    path.write_text(json.dumps(data))
    return path


def in_memory() -> eq.Equilibrium:
    return eq.solve(
        eq.AlignmentGame(
            eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15}), 900,
            [eq.Attractiveness(VALUES, 4.0), eq.Consistency([0.5, 0.45, 0.05]), eq.Diversity(0.3)],
        )
    )  # fmt: skip


@pytest.mark.parametrize("engine", [(), ("--engine", "local")])
def test_three_shards_are_solved_as_in_memory(
    shell: Shell, game: Path, tmp_path: Path, engine: tuple[str, ...]
) -> None:
    out = tmp_path / "profile"
    code, said, err = shell(*engine, "solve", game, "--out", out, "--json", "--quiet")
    assert (code, err, said.count("\n")) == (0, "", 1)
    answer, expected = json.loads(said), in_memory()
    assert answer["profile"] == str(out)
    found = np.concatenate([np.load(path) for path in sorted(out.glob("profile-*.npy"))])
    assert np.abs(found - expected.profile.array).max() <= 1e-12
    assert answer["coverage"] == pytest.approx(expected.profile.coverage, abs=1e-12)
    assert answer["top_weight"] == pytest.approx(expected.profile.top_weight, abs=1e-12)
    assert answer["max_relative_gap"] <= 1e-9
    assert answer["excluded"] == []
    small = str(max(answer["top_weight"][2] * 1.01, 1e-6))
    code, said, _ = shell("solve", game, "--out", out, "--json", "--below", small)
    assert json.loads(said)["excluded"] == ["rural"]


def test_its_keys_are_those_of_solve(shell: Shell, game: Path, tmp_path: Path) -> None:
    _, said, _ = shell("solve", game, "--out", tmp_path / "profile", "--json")
    plain = shell("solve", game, "--json")[1]
    assert json.loads(said).keys() == json.loads(plain).keys()
    assert isinstance(json.loads(plain)["profile"], list)


def test_words_for_people_and_a_folder_beside(
    shell: Shell, game: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equipoise.cli.solve_shards.IN_MEMORY", 100)
    code, said, err = shell("solve", game)
    assert code == 0
    assert "900 agents in 3 shards" in said
    assert "Only equilibrium: proved" in said
    assert "game-profile" in err
    assert len(list(game.with_name("game-profile").glob("*.npy"))) == 3


def test_bad_input_is_one_sentence(shell: Shell, game: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("--out", tmp_path / "taken"), "is a file"),
        (("--out", tmp_path / "profile", "--all"), "--all"),
    ]
    for arguments, sentence in cases:
        code, said, err = shell("solve", game, *arguments)
        assert (code, said, err.count("\n")) == (2, "", 1)
        assert sentence in err
    (tmp_path / "shards" / "values-1.npy").unlink()
    code, _, err = shell("solve", game, "--out", tmp_path / "profile")
    assert (code, "900 are named, but the shards have 450 rows" in err) == (2, True)
