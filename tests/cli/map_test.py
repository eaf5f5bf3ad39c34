"""`equipoise map`: the JSON contract, the files it names, and one sentence when an axis is bad.

Witness: rural is out of the toy game without diversity from 20/11 on (R6, by hand).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli.main import run
from equipoise.game.gamefile import save_game

Shell = Callable[..., tuple[int, str, str]]

CONTRACT = {
    "axes", "groups", "below", "cells", "certified", "status", "max_relative_gap", "any_excluded",
    "excluded_share", "draws", "boundaries", "notes", "seconds", "arrays", "csv", "figure",
}  # fmt: skip


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run the command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def game(tmp_path: Path) -> Path:
    made = eq.AlignmentGame(
        eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15}), 3,
        [eq.Attractiveness([0.5, 0.35, 0.15]), eq.Consistency([1 / 3] * 3)],
    )  # fmt: skip
    path = tmp_path / "game.json"
    save_game(made, path)
    drawn = np.array([0.5, 0.35, 0.15]) + 0.02 * np.random.default_rng(0).normal(size=(50, 3))
    named: dict[str, Any] = {"attractiveness.values": drawn}
    np.savez(tmp_path / "draws.npz", **named)
    data = json.loads(path.read_text()) | {"draws": "draws.npz"}
    (tmp_path / "drawn.json").write_text(json.dumps(data))
    return path


AXES = ("--x", "attractiveness=0:4:41", "--y", "diversity=0:1:5")


def test_map_prints_one_object_and_writes_what_it_names(
    shell: Shell, game: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "here"
    code, said, err = shell("map", game, *AXES, "--json", "--quiet", "--out", out)
    assert (code, err, said.count("\n")) == (0, "", 1)
    answer = json.loads(said)
    assert answer.keys() >= CONTRACT
    assert answer["cells"] == answer["certified"] == 205
    assert answer["axes"][0] == {
        "name": "attractiveness", "start": 0.0, "stop": 4.0, "points": 41,
    }  # fmt: skip
    with np.load(answer["arrays"], allow_pickle=False) as arrays:
        excluded = arrays["excluded"]
        # At γ = 0 rural is out from 20/11 = 1.818 on: from the 20th of 41 values.
        assert excluded[0, :, 2].tolist() == [False] * 19 + [True] * 22
    assert answer["excluded_share"]["rural"]["value"] == excluded[..., 2].mean()
    with open(answer["csv"], encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 205
    assert rows[19]["excluded"] == "rural"
    assert Path(answer["figure"]).read_bytes()[:4] == b"\x89PNG"


def test_draws_give_intervals_and_words_for_people(
    shell: Shell, game: Path, tmp_path: Path
) -> None:
    drawn = game.with_name("drawn.json")
    arguments = ("map", drawn, *AXES, "--draws", "--out", tmp_path / "o")
    answer = json.loads(shell(*arguments, "--json", "--quiet")[1])
    share = answer["excluded_share"]["rural"]
    assert share["low"] < share["value"] < share["high"]
    assert answer["draws"] == {"count": 50, "max_relative_gap": 0.0, "failed": 0}
    code, said, _ = shell(*arguments)
    assert code == 0
    assert "205 of 205 cells certified" in said
    assert "rural" in said
    code, _, err = shell("map", game, *AXES, "--draws", "--out", tmp_path / "o")
    assert code == 2
    assert "has no draws" in err


BAD = [
    (("--x", "attractivness=0:4:5", "--y", "diversity=0:1:5"), 'did you mean "attractiveness"'),
    (("--x", "attractiveness=4:0:5", "--y", "diversity=0:1:5"), "start below stop"),
    (("--x", "attractiveness=0:4", "--y", "diversity=0:1:5"), "start:stop:points"),
    (("--x", "value:mars=0:4:5", "--y", "diversity=0:1:5"), 'no group "mars"'),
    (("--x", "diversity=0:4:5", "--y", "diversity=0:1:5"), "twice"),
    ((*AXES, "--below", "2"), "--below"),
    (("--x", "attractiveness=0:4:5"), "--y"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(
    shell: Shell, game: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    code, said, err = shell("map", game, *arguments, "--out", tmp_path / "o")
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert "Traceback" not in err
