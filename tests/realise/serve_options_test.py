"""What `equipoise serve` refuses before it listens, and where a group's requests go."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.realise.realisation_file import GroupRoute, Routes
from equipoise.realise.serving import remote_destinations
from equipoise.realise.upstream import Destination
from tests.realise.processes import write_plan

pytest.importorskip("httpx2", reason="needs the extra llm")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "add --key-env"),
        (["--host", "192.0.2.7"], "add --key-env"),
        (["--upstream", "ftp://127.0.0.1"], "url: write http://HOST:PORT"),
        (["--upstream", "elsewhere"], "--upstream"),
        (["--upstream", "http://user:pw@127.0.0.1"], "leave user and password out"),
        (["--upstream", "http://127.0.0.1:1/v1?x=1"], "without a query"),
        (["--upstream", "local"], "which model answers for each group is not given"),
        (["--upstream-key-env", "UP_API_KEY", "--upstream", "http://models.example"],
         "does not go to models.example unencrypted"),
        (["--key-env", "secret-value"], "name of an environment variable"),
        (["--key-env", "NOT_SET_API_KEY"], "NOT_SET_API_KEY is not set"),
        (["--allow-host", "http://x"], "without scheme"),
        (["--timeout", "0"], "timeout: got 0"),
        (["--max-body", "0"], "--max-body"),
        (["--realisation", "none.toml"], "the realisation cannot be read"),
        (["--plan", "none.json"], "the plan cannot be read"),
        (["--port", "70000"], "--port"),
        (["--flavour", "lama.cpp"], 'did you mean "llama.cpp"'),
    ],
)  # fmt: skip
def test_a_bad_option_is_a_sentence(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("fastapi", reason="needs the extra serve")
    monkeypatch.setenv("UP_API_KEY", "UPSTREAM-SECRET-1")
    monkeypatch.delenv("NOT_SET_API_KEY", raising=False)
    plan = write_plan(tmp_path / "plan.json", [[0.5, 0.5]])
    usual = {"--plan": str(plan), "--upstream": "http://127.0.0.1:9", "--port": "0"}
    given = {k: v for k, v in usual.items() if k not in options}
    arguments = [*(x for pair in given.items() for x in pair), *options]
    assert run(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "secret-value" not in said
    assert "UPSTREAM-SECRET-1" not in said


def test_a_port_in_use_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fastapi", reason="needs the extra serve")
    plan = write_plan(tmp_path / "plan.json", [[0.5, 0.5]])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--plan", str(plan), "--upstream", "http://127.0.0.1:9", "--port", port]
        assert run(["serve", *arguments]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_a_group_that_nothing_realises_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write_plan(tmp_path / "plan.json", [[0.5, 0.5]])
    (tmp_path / "realisation.toml").write_text('model = "m"\n[groups.lefft]\npersona = "x"\n')
    assert run(["serve", "--plan", str(plan), "--upstream", "http://127.0.0.1:9"]) == 2
    assert 'did you mean "lefft"' in capsys.readouterr().err


ROUTES = Routes(
    {
        "left": GroupRoute("left", "base", Path("l.gguf"), peft="adapters/left-lora"),
        "middle": GroupRoute("middle", "base", persona="You are moderate."),
        "right": GroupRoute("right", "base", Path("r.gguf")),
    },
    Path(),
)


def test_adapters_of_an_address_by_name_or_by_number() -> None:
    """vLLM serves adapters as models; llama.cpp takes their scales in the order of the file."""
    named = remote_destinations(ROUTES, "http://127.0.0.1:8000/")
    url = "http://127.0.0.1:8000/v1"
    assert named == {
        "left": Destination(url, "left-lora"),
        "middle": Destination(url, "base", persona="You are moderate."),
        "right": Destination(url, "right"),
    }
    numbered = remote_destinations(ROUTES, "http://127.0.0.1:8000/v1", flavour="llama.cpp")
    assert [one.lora for one in numbered.values()] == [(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)]
    assert {one.model for one in numbered.values()} == {"base"}
    with pytest.raises(BadInput, match="unencrypted"):
        remote_destinations(ROUTES, "http://models.example", key_env="UP_API_KEY")


def test_a_persona_before_parts_of_content() -> None:
    there = Destination("http://127.0.0.1:1/v1", "m", persona="P.")
    asked = {"model": "a", "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": "Hi"}]}  # fmt: skip
    wanted = (
        b'{"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"P."},'
        b'{"type":"text","text":"Be brief."}]},{"role":"user","content":"Hi"}]}'
    )
    assert there.body(asked) == wanted
