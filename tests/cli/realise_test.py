"""`equipoise realise train` at the command line, without training anything."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from equipoise.cli.main import run

pytest.importorskip("pandas", reason="needs the extra data")

TRAIN = ["realise", "train", "--panel", "gss2018", "--groups", "3"]
ABSENT = importlib.util.find_spec("peft") is None


def test_a_dry_run_says_who_is_taught_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run([*TRAIN, "--out", str(out), "--dry-run", "--json", "--held-out", "0.25"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not out.exists()
    assert len(found["questions_taught"]) == 15
    assert len(found["questions_held_out"]) == 3
    assert found["prompts"] == 108
    liberal = found["groups"]["liberal"]
    assert liberal["people_held_out"] / liberal["people_taught"] == pytest.approx(1 / 3, abs=0.05)
    assert 0.02 < liberal["half_sample_noise"] < 0.06
    named = ["--held-out-questions", "natspac, natcrime", "--dry-run"]
    assert run([*TRAIN, "--out", str(out), *named]) == 0
    assert "questions held out: natspac, natcrime" in capsys.readouterr().out


@pytest.mark.skipif(not ABSENT, reason="the extra train is installed")
def test_without_the_extra_one_sentence_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*TRAIN, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err.strip().endswith(
        "training a group's model needs an optional part: pip install 'equipoise[train]'"
    )
    assert said.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--held-out", "1.5"], "held-out people: write a share between 0 and 1"),
        (["--held-out-questions", "18"], "at least one must be taught"),
        (["--held-out-questions", "natspace"], 'did you mean "natspac"?'),
        (["--rate", "0"], "the rate lies between 0 and 1"),
        (["--rank", "999"], "rank lies between 1 and 256"),
        (["--panel", "gss2019"], 'did you mean "gss2018"?'),
    ],
)
def test_what_cannot_be_taught_is_a_sentence(
    more: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*TRAIN, "--out", str(tmp_path / "out"), "--dry-run", *more]) == 2
    assert sentence in capsys.readouterr().err
