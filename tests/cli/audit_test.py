"""`equipoise audit`: exit codes, JSON, and what stands on which stream."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.measure.audit_test import wide
from tests.measure.synthetic import codes, gss_laws

from equipoise.cli.main import run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    table = codes(gss_laws(3), [0.7, 0.0, 0.3], 200, np.random.default_rng(1))
    return wide(tmp_path / "corpus.csv", table)


def test_a_table_for_people(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["audit", str(corpus), "--panel", "gss2018", "--groups", "3", "--id", "who"]
    assert run(said) == 0
    out = capsys.readouterr().out
    assert "included" in out
    assert "200 questionnaires, 3,600 answers; 0 not used" in out


def test_json_on_stdout_alone(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["audit", str(corpus), "--panel", "gss2018", "--groups", "3", "--exact-panel", "--json"]
    code = run(said)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["unit"] == "answer"
    assert code == 0
    assert "--id COLUMN" in err


def test_cannot_tell_everywhere_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text('{"question": "natspac", "answer": "too much"}\n')
    assert run(["audit", str(path), "--panel", "gss2018", "--groups", "3"]) == 1
    assert "cannot tell" in capsys.readouterr().out


def test_people_of_a_survey_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: both camps always disagree, and 30 of 40 answers are those of the first."""
    rows = [
        f"{camp},{a},{b}" for camp, a, b in [("left", "yes", "no"), ("right", "no", "yes")]
    ] * 60
    (tmp_path / "survey.csv").write_text("\n".join(["camp,tax,school", *rows]) + "\n")
    study = tmp_path / "study.toml"
    study.write_text(
        '[panel]\nfile = "survey.csv"\ngroup = "camp"\nquestions = ["tax", "school"]\n'
        "[game]\nagents = 2\n"
    )
    corpus = tmp_path / "corpus.csv"
    said = ["yes"] * 30 + ["no"] * 10
    corpus.write_text("\n".join(["question,answer", *(f"tax,{a}" for a in said)]) + "\n")
    words = ["audit", str(corpus), "--panel", str(study)]
    assert run([*words, "--exact-panel", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["groups"]["left"]["weight"] == pytest.approx(0.75, abs=0.01)
    assert run([*words, "--groups", "2"]) == 2
    assert "write them in its [panel]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.csv", "--panel", "gss2018"], "does not exist"),
        (["none.csv"], "give --panel NAME"),
        (["none.csv", "--panel", "gss2020"], 'did you mean "gss2018"'),
        (["none.csv", "--calibration", "known.csv"], "no file"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
