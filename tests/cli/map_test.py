"""`equipoise map`: the JSON contract, the files it names, and one sentence when an axis is bad.

Witness: rural is out of the toy game without diversity from 20/11 on (R6, by hand).
"""

from __future__ import annotations

import csv
import importlib.util
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import terminal
from equipoise.cli.main import run
from equipoise.game.gamefile import save_game
from equipoise.inclusion import map_pieces
from equipoise.inclusion.map_each import solve_points

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


@pytest.fixture
def differ(tmp_path: Path) -> Path:
    """Agents that differ, with draws: mapped cell by cell."""
    rng = np.random.default_rng(3)
    values = rng.random((3, 3))
    made = eq.AlignmentGame(
        eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15}), 3,
        [eq.Attractiveness(values), eq.Consistency([1 / 3] * 3), eq.Diversity(0.1)],
    )  # fmt: skip
    path = tmp_path / "differ.json"
    save_game(made, path)
    drawn: dict[str, Any] = {"attractiveness.values": values + 0.1 * rng.random((6, 3, 3))}
    np.savez(tmp_path / "draws.npz", **drawn)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"draws": "draws.npz"}))
    return path


GRID = ("--x", "attractiveness=0:4:11", "--y", "diversity=0:1:9", "--draws", "--quiet")


def test_the_same_bytes_with_two_workers_and_nothing_left_behind(
    shell: Shell, differ: Path, tmp_path: Path
) -> None:
    assert shell("map", differ, *GRID, "--out", tmp_path / "one")[0] == 0
    assert shell("--engine", "local", "map", differ, *GRID, "--out", tmp_path / "two")[0] == 0
    for name in ("map.npz", "map.csv"):
        one, two = ((tmp_path / out / name).read_bytes() for out in ("one", "two"))
        assert one == two
    assert not (tmp_path / "two" / ".work").exists()


@pytest.mark.parametrize("stop_at", [(32, "cells"), (4, "draws")])
def test_an_interrupted_map_goes_on_with_resume(
    shell: Shell,
    differ: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: tuple[int, str],
) -> None:
    asked: list[int] = []

    def counted(*arguments: Any) -> Any:
        asked.append(len(arguments[2]))
        return solve_points(*arguments)

    def stopping(self: object) -> terminal.Progress:
        def tell(done: int, total: int, what: str) -> None:
            if (done, what) == stop_at:
                signal.raise_signal(signal.SIGINT)

        return tell

    monkeypatch.setattr(map_pieces, "solve_points", counted)
    out = tmp_path / "out"
    assert shell("map", differ, *GRID, "--out", tmp_path / "whole")[0] == 0
    whole = sum(asked)
    with monkeypatch.context() as patch:
        patch.setattr(terminal.Settings, "progress", stopping)
        code, _, err = shell("map", differ, *GRID, "--out", out)
    assert (code, err.count("\n")) == (130, 1)
    assert "finished chunks are kept: add --resume" in err
    assert not (out / "map.npz").exists()
    asked.clear()
    assert shell("map", differ, *GRID, "--out", out, "--resume")[0] == 0
    assert 0 < sum(asked) < whole
    assert (out / "map.npz").read_bytes() == (tmp_path / "whole" / "map.npz").read_bytes()


@pytest.mark.parametrize("resume", [False, True])
def test_only_resume_reads_what_an_earlier_run_kept(
    shell: Shell, differ: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, resume: bool
) -> None:
    def stop(*_: object) -> Any:
        raise KeyboardInterrupt

    assert shell("map", differ, *GRID, "--out", tmp_path / "whole")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(map_pieces, "drawn_games", stop)
        code, _, err = shell("map", differ, *GRID, "--out", tmp_path / "o")
    assert (code, "7 finished chunks" in err) == (130, True)
    (folder,) = (tmp_path / "o" / ".work").iterdir()
    for path in folder.glob("*.npz"):
        with np.load(path) as arrays:
            planted: dict[str, Any] = dict(arrays) | {"coverage": arrays["coverage"] + 1}
        np.savez(path, **planted)
    again = ["--resume"] if resume else []
    assert shell("map", differ, *GRID, *again, "--out", tmp_path / "o")[0] == 0
    one, two = ((tmp_path / out / "map.npz").read_bytes() for out in ("whole", "o"))
    assert (one == two) is not resume


def test_large_games_and_draws_go_by_path(
    shell: Shell, differ: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("map", differ, *GRID, "--out", tmp_path / "one")[0] == 0
    monkeypatch.setattr(map_pieces, "INLINE", 0)
    assert shell("map", differ, *GRID, "--out", tmp_path / "two")[0] == 0
    one, two = ((tmp_path / out / "map.npz").read_bytes() for out in ("one", "two"))
    assert one == two
    with map_pieces.Hands() as hands:
        given = hands.array(np.eye(2))
        Path(given["path"]).write_bytes(b"another")
        with pytest.raises(eq.BadInput, match="was changed while the map was made"):
            map_pieces._array(**given)


@pytest.mark.parametrize("before", [True, False])
def test_a_wrong_engine_is_one_sentence(
    shell: Shell, differ: Path, tmp_path: Path, *, before: bool
) -> None:
    def asked(*options: str) -> tuple[int, str, str]:
        verb = ("map", differ, *GRID, "--out", tmp_path / "o")
        return shell(*((*options, *verb) if before else (*verb, *options)))

    code, said, err = asked("--engine", "rya")
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert 'no engine "rya"; did you mean "ray"' in err
    code, _, err = asked("--address", "127.0.0.1:1")
    assert (code, "add --engine ray" in err) == (2, True)
    if importlib.util.find_spec("ray") is None:
        code, _, err = asked("--engine", "ray")
        assert (code, "pip install 'equipoise[ray]'" in err) == (2, True)
    assert not (tmp_path / "o").exists()
