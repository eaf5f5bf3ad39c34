"""Draws and maps of a study on workers: every file has the bytes of the run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from equipoise.cli.main import run as command
from equipoise.engine import Engine, Local
from equipoise.errors import BadInput
from equipoise.study import run_study
from equipoise.study.draws import draws_piece
from tests.study.game_file_study_test import study_of, toy
from tests.study.kill_test import but_for_seconds
from tests.study.maps_test import MAP
from tests.study.study_files import small_study


def weighted(folder: Path) -> Path:
    """A study of the made-up survey with weights, on one question at a time too."""
    study = small_study(folder, draws=90, game='per = "question"', more=MAP)
    rows = (folder / "people.csv").read_text().splitlines()
    weights = np.random.default_rng(1).uniform(0.3, 3.0, len(rows) - 1)
    lines = [f"{row},{w!r}" for row, w in zip(rows[1:], weights.tolist(), strict=True)]
    (folder / "people.csv").write_text("\n".join([rows[0] + ",w", *lines]) + "\n")
    study.write_text(study.read_text().replace("[game]", 'weight = "w"\n[game]', 1))
    return study


def differing(folder: Path) -> Path:
    """A study of a game file whose agents differ, with joint draws."""
    rng = np.random.default_rng(3)
    drawn = np.array([0.50, 0.35, 0.15]) + rng.normal(scale=0.004, size=(40, 3))
    study = study_of(folder, toy([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]), drawn)
    axes = '\n[[map]]\nx = "attractiveness=0:4:7"\ny = "diversity=0:1:7"\ndraws = 5\n'
    study.write_text(study.read_text() + axes)
    return study


def same_files(one: Path, other: Path) -> int:
    """Compare all files but for work and seconds; return how many there are."""
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    kept = [path for path in files if path.parts[0] != ".work"]
    for path in kept:
        read = but_for_seconds if path.name == "result.json" else Path.read_bytes
        assert read(one / path) == read(other / path), path
    return len(kept)


def same(one: Path, other: Path) -> None:
    assert same_files(one, other) >= 16


def both(folder: Path, study: Path, engine: Engine) -> None:
    run_study(study, folder / "here", chunk=20)
    run_study(study, folder / "there", chunk=20, engine=engine)
    same(folder / "here", folder / "there")
    # What the workers kept, this process reads: nothing is done again.
    told: list[str] = []
    run_study(study, folder / "there", chunk=20, note=told.append)
    assert told == ["nothing to do: everything was already computed; the report is written afresh"]
    same(folder / "here", folder / "there")


def test_a_weighted_survey(tmp_path: Path) -> None:
    both(tmp_path, weighted(tmp_path), Local(2))


def test_a_game_file(tmp_path: Path) -> None:
    both(tmp_path, differing(tmp_path), Local(2))


def test_the_comparison_sees_a_changed_file(tmp_path: Path) -> None:
    """The checker has been seen to fail."""
    run_study(small_study(tmp_path, draws=40, more=MAP), tmp_path / "a")
    run_study(small_study(tmp_path, draws=41, more=MAP), tmp_path / "b")
    with pytest.raises(AssertionError):
        same(tmp_path / "a", tmp_path / "b")


def test_the_option_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = small_study(tmp_path, draws=40, more=MAP)
    out = tmp_path / "out"
    asked = ["study", "run", str(study), "--out", str(out), "--json", "--quiet"]
    assert command([*asked, "--engine", "local", "--resume"]) == 0
    said = capsys.readouterr()
    assert (said.err, json.loads(said.out)["maps"][0]["cells"]) == ("", 65)
    assert command(["--engine", "lokal", *asked]) == 2
    assert 'there is no engine "lokal"; did you mean "local"?' in capsys.readouterr().err
    assert command([*asked, "--address", "1.2.3.4:5"]) == 2
    assert "only the engine ray has one" in capsys.readouterr().err


def test_a_map_with_uncertified_cells_ends_with_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a map whose last cell was not certified."""
    study, out = small_study(tmp_path, draws=40, more=MAP), tmp_path / "out"
    result = run_study(study, out)
    result["maps"][0]["status"]["failed"] = 1
    monkeypatch.setattr("equipoise.study.run_study", lambda *_, **__: result)
    assert command(["study", "run", str(study), "--out", str(out)]) == 1
    assert "cells of maps without a certified equilibrium: 1" in capsys.readouterr().err


def test_a_worker_that_reads_other_people_says_so(tmp_path: Path) -> None:
    study = small_study(tmp_path, draws=40)
    data = json.dumps({"panel": {"file": "people.csv", "group": ["region"],
                                 "questions": ["tax", "roads"]}})  # fmt: skip
    assert draws_piece(data, str(study.parent), digest_of(study), 0, 2)["shares"].shape == (2, 3)
    with pytest.raises(BadInput, match="the people of the study are not the same where a worker"):
        draws_piece(data, str(study.parent), "0" * 64, 0, 2)


def digest_of(study: Path) -> str:
    import hashlib

    return hashlib.sha256((study.parent / "people.csv").read_bytes()).hexdigest()
