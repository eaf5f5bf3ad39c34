"""`equipoise measure` against a made-up model behind an address.

Witnesses: what the server was asked, the bytes of the files, every byte left behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.game.gamefile import load_draws, load_game
from equipoise.llm.store import Store
from equipoise.llm.store_lines import export_answers
from equipoise.measure.agents import AgentSpec, open_agent
from equipoise.panels import load_panel
from equipoise.study.measuring import to_measure
from equipoise.study.study_file import read_study
from tests.measure.answering import answering, as_people, write_study

GSS = load_panel("gss2018", groups=3)
PEOPLE = as_people(GSS, default="liberal")
KEY = "sk-planted-19c4e7aa35d0b621"
FILES = ("game.json", "game-draws.npz", "measured.json", "answers.csv")
CALLS = 3 * 6 * 4


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EQUIPOISE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def agent(url: str, name: str = "a", more: str = "") -> str:
    return f'name = "{name}"\nurl = "{url}"\nmodel = "m"\n{more}'


def test_a_dry_run_counts_everything_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(PEOPLE) as server:
        prices = '["m"]\nprompt = 2.0\ncompletion = 8.0\n'
        (tmp_path / "prices.toml").write_text(prices)
        study = write_study(
            tmp_path, [agent(server.url), agent(server.url, "b", 'persona = "As a poet."')],
            more='prices = "prices.toml"',
        )  # fmt: skip
        assert run(["measure", str(study), "--dry-run", "--json"]) == 0
        assert server.asked == []
        plan = json.loads(capsys.readouterr().out)
        first, second = plan["agents"]
        assert (first["calls"], first["kept"]) == (CALLS, 0)
        # The personas of groups replace its own: only its default differs.
        assert (second["calls"], second["kept"]) == (CALLS, CALLS - 18)
        assert first["cost"] < first["cost_most"]
        assert set(plan["power"]) == set(GSS.groups.labels)
        assert run(["measure", str(study), "--dry-run"]) == 0
        assert server.asked == []
        assert not (tmp_path / "out").exists()
        said = capsys.readouterr().out
        assert "standard error of 0.05" in said
        assert run(["measure", str(study), "--quiet"]) == 0
        capsys.readouterr()
        assert len(server.asked) == CALLS + 18
        assert run(["measure", str(study), "--dry-run", "--json"]) == 0
        after = json.loads(capsys.readouterr().out)["agents"]
        assert [p["calls"] - p["kept"] for p in after] == [0, 0]
        assert [p["tokens"] for p in after] == [0.0, 0.0]


def test_measure_then_study_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url), agent(server.url, "b")])
        assert run(["study", "run", str(study)]) == 2
        said = capsys.readouterr().err
        assert "nothing was measured" in said
        assert "equipoise measure" in said
        assert run(["measure", str(study)]) == 0
        printed = capsys.readouterr()
        assert "US$" in printed.err
        assert "of 72" in printed.err
        for phase in ("people", "asking a", "asking b", "estimating"):
            assert phase in printed.out
        assert "steerable by persona: it follows every group" in printed.out
    folder = tmp_path / "out" / "mine" / "measured"
    game, draws = load_game(folder / "game.json"), load_draws(folder / "game.json")
    assert game.agents.names == ("a", "b")
    assert draws["consistency.anchor"].shape == (60, 2, 3)
    measured = json.loads((folder / "measured.json").read_text())
    for group in GSS.groups.labels:
        e = measured["agents"][0]["default_alignment"][group]
        assert e["n"] > 0
        assert e["low"] <= e["value"] <= e["high"]
        assert e["how"]
    assert run(["study", "run", str(study), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["group"] for row in result["exclusion"]] == list(GSS.groups.labels)
    # Changed since: refused. What may be spent is no change.
    text = study.read_text()
    study.write_text(text.replace("orders = 6", "orders = 6\nmax_calls = 500"))
    assert run(["study", "run", str(study), "--json"]) == 0
    study.write_text(text.replace("attractiveness = 2.0", "attractiveness = 3.0"))
    capsys.readouterr()
    assert run(["study", "run", str(study)]) == 2
    assert "belongs to other" in capsys.readouterr().err
    # The file alone is enough.
    study.write_text(f'[game]\nfile = "{folder.relative_to(tmp_path)}/game.json"\n')
    assert run(["study", "run", str(study), "--out", "other", "--quiet"]) == 0


def test_store_on_and_off_give_equal_bytes(tmp_path: Path) -> None:
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url)])
        who = to_measure(read_study(study), tmp_path).population
        who.measure().write(tmp_path / "off")
        with Store(tmp_path / "answers.sqlite") as store:
            for name in ("on", "again"):
                who.measure(store=store).write(tmp_path / name)
            export_answers(store, tmp_path / "answers.jsonl")
        assert len(server.asked) == 2 * CALLS
    # Without the server: out of the store alone.
    assert run(["store", "import", "fresh.sqlite", "answers.jsonl"]) == 0
    assert run(["measure", str(study), "--store", "fresh.sqlite", "--out", "new", "--quiet"]) == 0
    for name in FILES:
        content = (tmp_path / "off" / name).read_bytes()
        for folder in ("on", "again", "new/measured"):
            assert (tmp_path / folder / name).read_bytes() == content, (folder, name)


def test_an_endpoint_without_probabilities_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(PEOPLE, scores=False, refuses=True) as server:
        study = write_study(tmp_path, [agent(server.url)], more="samples = 8")
        assert run(["measure", str(study)]) == 0
    printed = capsys.readouterr()
    assert "gives no log-probabilities; its answers are counted instead" in printed.err
    assert "refused" in printed.out
    one = json.loads((tmp_path / "out/mine/measured/measured.json").read_text())["agents"][0]
    assert one["estimator"] == "counts"
    assert one["unusable"]["refused"] > 0
    rows = (tmp_path / "out/mine/measured/answers.csv").read_text().splitlines()
    assert len(rows) == 1 + CALLS * 3
    share, count = rows[0].split(",").index("share"), rows[0].split(",").index("count")
    cells = [row.split(",") for row in rows[1:]]
    assert all(row[share] == "" and row[count] != "" for row in cells)


def test_a_spent_budget_stops_cleanly_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url)], more="max_calls = 30")
        assert run(["measure", str(study), "--quiet"]) == 1
        assert "budget is spent" in capsys.readouterr().err
        assert len(server.asked) == 30
        folder = tmp_path / "out/mine/measured"
        assert not (folder / "game.json").exists()
        with Store(folder / "answers.sqlite", read_only=True) as store:
            assert len(store) == 30
            assert store.spent("measure mine").calls == 30
        study.write_text(study.read_text().replace("max_calls = 30", "max_calls = 72"))
        assert run(["measure", str(study), "--quiet"]) == 0
        assert len(server.asked) == CALLS
        # A limit on cost needs a price.
        study.write_text(study.read_text().replace("max_calls = 72", "max_cost = 1.0"))
        assert run(["measure", str(study), "--quiet"]) == 2
        assert "has no price" in capsys.readouterr().err


def test_planted_keys_are_found_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url, more='key_env = "PLANTED_API_KEY"')])
        host = server.url.removeprefix("http://").removesuffix("/v1")
        assert run(["measure", str(study), "--dry-run"]) == 0
        printed = list(capsys.readouterr())
        assert f"the key in PLANTED_API_KEY goes to {host} and nowhere else" in printed[1]
        assert run(["measure", str(study)]) == 0
        printed += capsys.readouterr()
        # It was really sent.
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert run(["study", "run", str(study)]) == 0
    assert run(["store", "export", "out/mine/measured/answers.sqlite", "--out", "a.jsonl"]) == 0
    study.write_text(study.read_text().replace("orders = 6", "orders = 3"))
    assert run(["measure", str(study), "--out", "else"]) == 1  # the server is gone
    printed += capsys.readouterr()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(KEY in text for text in printed)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    # The checker sees a key where there is one.
    (tmp_path / "leak").write_text(KEY)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


WRONG: Sequence[tuple[Callable[[str], str], str]] = [
    (lambda s: s.replace('key_env = "X_API_KEY"', 'key_env = "HOME"'), "ends in _API_KEY"),
    (lambda s: s.replace('url = "http://127.0.0.1:9/v1"\n', ""), "it goes with url"),
    (lambda s: s.replace("[[agents]]", "[agents]"), "write [[agents]]"),
    (lambda s: s.replace("orders = 6", "order = 6"), 'no key "order"'),
    (lambda s: s.replace("orders = 6", "orders = 0"), "from 1 to 720"),
    (lambda s: s.replace("orders = 6", 'questions = "../q.toml"'), "inside it"),
    (lambda s: s.replace("orders = 6", 'prices = "/etc/passwd"'), "inside it"),
    (lambda s: s.replace("orders = 6", 'persona = "As a person."'), "{group}"),
    (lambda s: s.replace('anchor = "measured"', 'agents = ["x"]'), "leave game.agents out"),
    (lambda s: s.replace('name = "a"\n', ""), "name: it is missing"),
    (lambda s: s.replace('model = "m"', 'model = "m"\nmodle = "n"'), "modle"),
    (lambda s: s.replace('model = "m"', 'model = "m"\nreasoning = "hgih"'), "high"),
    (lambda s: s.replace("127.0.0.1:9", "models.example"), "https"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_study_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[str], str], said: str
) -> None:
    study = write_study(tmp_path, [agent("http://127.0.0.1:9/v1", more='key_env = "X_API_KEY"')])
    study.write_text(change(study.read_text()))
    assert run(["measure", str(study), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_one_question_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url)], questions=["natarms"])
        assert run(["measure", str(study), "--quiet"]) == 2
        assert "at least two" in capsys.readouterr().err
        assert server.asked == []
        counted = agent(server.url, more='answers = "counts"')
        study = write_study(tmp_path, [counted], questions=["natarms"])
        assert run(["measure", str(study), "--quiet"]) == 0


def test_two_of_one_name_and_no_agents_are_refused(tmp_path: Path) -> None:
    line = agent("http://127.0.0.1:9/v1")
    for agents, said in (([line, line], "stands twice"), ([], "needs at least one")):
        with pytest.raises(BadInput, match=said):
            read_study(write_study(tmp_path, agents))


def test_requests_to_llama_cpp_carry_no_cache(tmp_path: Path) -> None:
    """Also where llama.cpp is found behind an address."""
    with answering(PEOPLE) as server:
        listed: dict[str, Any] = {"data": [{"id": "m", "owned_by": "llamacpp"}]}
        handler: Any = server.RequestHandlerClass
        original = handler.do_GET
        handler.do_GET = lambda h: h._give(listed)
        try:
            with open_agent(AgentSpec("a", "m", server.url)) as model:
                from equipoise.llm.asking import ask_one
                from equipoise.llm.requests import Prompt, ScoreRequest

                text = f"{GSS.answers.wording[1]}\nA. too much\nB. about right\nC. too little"
                ask_one(model, ScoreRequest(Prompt.chat(text), ("A", "B", "C")))
        finally:
            handler.do_GET = original
        assert server.asked[-1]["cache_prompt"] is False


def test_compare_two_measured_populations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conservative = as_people(GSS, default="conservative")
    with answering(PEOPLE) as one, answering(conservative) as two:
        a = write_study(tmp_path, [agent(one.url)], name="a.toml")
        b = write_study(tmp_path, [agent(two.url)], name="b.toml")
        for study in (a, b):
            assert run(["measure", str(study), "--quiet"]) == 0
    capsys.readouterr()
    axes = ["--x", "attractiveness=0:10:6", "--y", "consistency=0.5:2:3"]
    command = ["compare", "a.toml", "out/b", *axes, "--map-draws", "4"]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["names"] == ["a", "b"]
    assert found["draws"] == 60
    top = found["difference"]["top_weight"]
    assert top["liberal"]["high"] < 0 < top["conservative"]["low"]
    assert found["maps"][0]["certified"] == found["maps"][0]["cells"] == 18
    assert run([*command, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "Share of the map with exclusion" in said
    # Against itself: no difference, with an interval of none.
    assert run(["compare", "out/a", "a.toml", "--no-map", "--json"]) == 0
    same = json.loads(capsys.readouterr().out)["difference"]["coverage"]
    assert all(e["low"] == e["value"] == e["high"] == 0.0 for e in same.values())
    assert run(["compare", "a.toml", "out"]) == 2
    assert "there is no game.json in it" in capsys.readouterr().err


def test_draws_are_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    with answering(PEOPLE) as server:
        study = write_study(tmp_path, [agent(server.url)])
        assert run(["measure", str(study), "--quiet"]) == 0
        first = (tmp_path / "out/mine/measured/game-draws.npz").read_bytes()
        assert run(["measure", str(study), "--quiet", "--out", "two"]) == 0
    assert (tmp_path / "two/measured/game-draws.npz").read_bytes() == first
    with np.load(tmp_path / "two/measured/game-draws.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["attractiveness.values", "consistency.anchor", "groups"]
