"""Everything the README shows is run, and what it prints is what it says."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from equipoise.panels import load_panel
from tests.measure.answering import answering, as_people

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S
    )


def test_the_python_blocks_print_what_their_comments_say() -> None:
    """Read from top to bottom, as one session."""
    code = "\n".join(blocks("python"))
    said = re.findall(r"^print\(.*?\)\s+# (.*)$", code, re.M)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    assert len(said) == 7
    assert out.getvalue().splitlines() == said


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (text,) = blocks("json")
    path = tmp_path / "toy.json"
    path.write_text(text)
    return path


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from equipoise.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_game_commands_work_word_for_word(toy: Path) -> None:
    commands = [b for b in blocks("sh") if "equipoise solve" in b or "equipoise steer" in b]
    assert len(commands) == 2
    for line in "".join(commands).splitlines():
        words = line.split("#")[0].strip()
        target = None
        if ">" in words:
            words, target = (part.strip() for part in words.split(">"))
        done = run(words.split()[1:], toy.parent)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        if target:
            (toy.parent / target).write_text(done.stdout)
            assert json.loads(done.stdout)["outcome"] == "solved"
    assert (toy.parent / "mine.toml").exists()


def test_the_audit_commands_work_on_answers_made_up_here(tmp_path: Path) -> None:
    """Answers drawn from the liberals' and conservatives' own shares; labels wrong one in ten."""
    rng = np.random.default_rng(1)
    table = load_panel("gss2018", groups=3).answers
    with (tmp_path / "answers.jsonl").open("w") as out:
        for i in range(300):
            k = 0 if i % 3 else 2
            for q, question in enumerate(table.questions):
                answer = table.options[q][rng.choice(3, p=table.shares[k, q])]
                out.write(json.dumps({"question": question, "answer": answer, "id": i}) + "\n")
    truth = ["left", "right"] * 100
    labels = [t if rng.random() < 0.9 else "right" for t in truth]
    pairs = [f"{t},{label}" for t, label in zip(truth, labels, strict=True)]
    (tmp_path / "known.csv").write_text("\n".join(["truth,label", *pairs]) + "\n")
    (tmp_path / "texts.csv").write_text("\n".join(["label", *labels]) + "\n")
    (block,) = [b for b in blocks("sh") if "equipoise audit" in b]
    lines = block.splitlines()
    assert len(lines) == 3
    for line in lines:
        done = run(line.split("#")[0].split()[1:], tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert "included" in done.stdout


def test_the_measure_commands_work_on_a_model_made_up_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but `models pull`: the model's name stands for a server that plays a script."""
    pytest.importorskip("httpx2", reason="needs the extra llm")
    monkeypatch.setenv("EQUIPOISE_HOME", str(tmp_path / "home"))
    (text,) = [b for b in blocks("toml") if "[[agents]]" in b]
    (block,) = [b for b in blocks("sh") if "equipoise measure" in b]
    lines = [line.split("#")[0].split()[1:] for line in block.splitlines()]
    assert lines.pop(0) == ["models", "pull", "smollm2-135m"]
    people = as_people(load_panel("gss2018", groups=3), default="conservative")
    with answering(people) as server:
        add = ["models", "add", "smollm2-135m", "--url", server.url, "--model", "m"]
        (tmp_path / "models.toml").write_text(text)
        (tmp_path / "others.toml").write_text(text.replace("orders = 6", "orders = 3"))
        for line in (add, ["measure", "others.toml"], *lines):
            done = run(line, tmp_path)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert (tmp_path / "out" / "models" / "report.html").exists()


def test_the_study_block_runs_on_a_survey_made_up_here(tmp_path: Path) -> None:
    (text,) = [b for b in blocks("toml") if "survey.csv" in b]
    tomllib.loads(text)
    rows = ["party,taxes,climate,weight"]
    for i in range(90):
        party = ("left", "middle", "right")[i % 3]
        rows.append(f"{party},{(i * 7) % 3 if i % 9 else -9},{(i * 5 + i % 3) % 3},{1 + i % 2}")
    (tmp_path / "survey.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "mine.toml").write_text(text.replace("draws = 1000", "draws = 50"))
    done = run(["study", "run", "mine.toml", "--out", "out"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists()
    verdicts = json.loads((tmp_path / "out" / "result.json").read_text())
    assert verdicts


def test_the_table_of_parts_names_the_dependencies_of_pyproject() -> None:
    project = tomllib.loads((README.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    text = README.read_text(encoding="utf-8").lower()
    for requirement in project["dependencies"] + extras["data"] + extras["plots"]:
        name = re.split(r"[><=\[ ]", requirement)[0]
        assert name in text, f"{name} is a dependency without a reason in the README"


def test_the_table_of_times_is_the_newest_result() -> None:
    """Against benchmarks/results: no number stands in the README that nothing measured."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.readme", "--check"], cwd=README.parent, check=False
    )
    assert done.returncode == 0, "run: python -m benchmarks.readme"
