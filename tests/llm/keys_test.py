"""Keys: planted in the environment, sent to one host, found nowhere afterwards.

Witness: a server that says the key back in every way it can, and every byte left behind.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.llm.addresses import checked_url, secret
from equipoise.llm.asking import ask, ask_one
from equipoise.llm.failures import CallFailed
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Prompt, SampleRequest
from equipoise.llm.store import Store
from equipoise.llm.store_lines import export_answers
from equipoise.llm.wrappers import line_writer, wrapped
from tests.llm import hostile
from tests.llm.hostile import serving

KEY = "sk-planted-7f3a9c1e5b2d8046"


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", KEY)
    monkeypatch.setenv("EQUIPOISE_HOME", str(tmp_path / "home"))


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything any library logs, at the lowest level."""
    with caplog.at_level(logging.NOTSET):
        yield caplog


def echo(h: hostile.Handler, question: str, number: int) -> None:
    """Say the key back: in the text, the reasoning, the finish, an error, a header."""
    said = h.headers["authorization"]
    message = {"content": f"Your key is {said}", "reasoning_content": said, "refusal": None}
    reply = {"id": said, "choices": [{"index": 0, "message": message, "finish_reason": said}]}
    h.give(json.dumps(reply).encode(), x_echo=said)


def echo_error(h: hostile.Handler, question: str, number: int) -> None:
    body = json.dumps({"error": {"message": f"bad key {h.headers['authorization']}"}})
    h.give(body.encode(), status=401)


def echo_inside(h: hostile.Handler, question: str, number: int) -> None:
    h.give(json.dumps({"error": {"message": f"no {h.headers['authorization']}"}}).encode())


def planted(server: hostile.Hostile) -> OpenAIHTTP:
    return OpenAIHTTP(Endpoint(server.url, "m", "PLANTED_API_KEY", timeout=5.0))


def test_a_key_said_back_is_found_nowhere(
    tmp_path: Path, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, behave in (("echo", echo), ("error", echo_error), ("inside", echo_inside)):
        monkeypatch.setitem(hostile.BEHAVIOURS, name, behave)
    left: list[str] = []
    with serving(lambda q, _: q) as server:
        model = planted(server)
        left += [repr(model), repr(model.endpoint), repr(vars(model)), repr(model.identity)]
        with Store(tmp_path / "answers.sqlite") as store:
            kept = wrapped(model, store=store, record=line_writer(tmp_path / "calls.jsonl"))
            found = ask_one(kept, SampleRequest(Prompt.chat("echo")))
            left.append(repr(found))
            assert found.text == "Your key is Bearer [PLANTED_API_KEY]"
            export_answers(store, tmp_path / "answers.jsonl")
        for question in ("error", "inside"):
            with pytest.raises(CallFailed) as caught:
                ask_one(model, SampleRequest(Prompt.chat(question)))
            error: BaseException | None = caught.value
            left.append("".join(traceback.format_exception(caught.value)))
            while error is not None:
                left += [repr(error), repr(vars(error))]
                error = error.__cause__ or error.__context__
        # It was really sent.
        assert all(headers["authorization"] == f"Bearer {KEY}" for headers in server.headers)
    left += [record.getMessage() for record in logged.records] + [logged.text]
    # The headers of the reply were logged, or this would prove nothing.
    assert "[PLANTED_API_KEY]" in logged.text
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) >= 3
    assert not any(KEY in text for text in left)
    assert not any(KEY.encode() in file.read_bytes() for file in files)


def test_a_redirect_carries_no_key_and_is_not_followed() -> None:
    with serving(lambda *_: "redirect") as server:
        with pytest.raises(CallFailed, match="redirect"):
            ask_one(planted(server), SampleRequest(Prompt.chat("q")))
        assert len(server.headers) == 1


def test_a_key_is_read_when_it_is_sent_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: "good") as server:
        model = planted(server)
        ask(model, [SampleRequest(Prompt.chat("one"))]).complete()
        monkeypatch.setenv("PLANTED_API_KEY", "sk-another-key-entirely")
        ask(model, [SampleRequest(Prompt.chat("two"))]).complete()
        sent = [headers["authorization"] for headers in server.headers]
        assert sent == [f"Bearer {KEY}", "Bearer sk-another-key-entirely"]
        assert KEY not in repr(vars(model))
        assert KEY.encode() not in pickle.dumps(model.endpoint)
        monkeypatch.delenv("PLANTED_API_KEY")
        with pytest.raises(BadInput, match="PLANTED_API_KEY is not set"):
            ask_one(model, SampleRequest(Prompt.chat("three")))


def test_certificates_are_checked_wherever_a_key_may_go_encrypted() -> None:
    async def mode(url: str) -> ssl.VerifyMode:
        model = OpenAIHTTP(Endpoint(url, "m", "PLANTED_API_KEY"))
        transport: Any = model._client()._transport
        found: ssl.VerifyMode = transport._pool._ssl_context.verify_mode
        await model.close()
        return found

    for host in ("models.example", "10.0.0.7", "127.0.0.1"):
        assert asyncio.run(mode(f"https://{host}/v1")) == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "name", ["HOME", "AWS_SECRET_ACCESS_KEY", KEY, "my_API_KEY", "X_API_KEY\n"]
)
def test_only_variables_that_end_in_api_key_are_read(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        Endpoint("https://models.example/v1", "m", name)
    # A key given for a name is not shown.
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["short", "with space inside it", "new\nline-in-the-key", "é" * 12]
)
def test_what_cannot_be_a_key_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", value)
    with pytest.raises(BadInput) as caught:
        secret("PLANTED_API_KEY")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/v1",
        "http://8.8.8.8/v1",
        "https://user:hunter2@models.example/v1",
        "https://models.example/v1?key=abc",
        "https://models.example/v1#x",
        "https://models.example/v1/",
        "ftp://models.example/v1",
        "file:///etc/passwd",
        "https:///v1",
        "https://models.example:99999/v1",
        "https://models.example/v 1",
        "models.example",
    ],
)
def test_addresses_a_key_does_not_go_to(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked_url(url, with_key=True)
    assert "hunter2" not in str(caught.value)


def test_a_key_goes_unencrypted_only_to_this_machine_or_a_private_network() -> None:
    for url in ("http://127.0.0.1:1/v1", "http://localhost/v1", "http://10.0.0.7:80/v1"):
        checked_url(url, with_key=True)
    checked_url("http://models.example/v1", with_key=False)


def test_the_command_says_where_a_key_goes_and_keeps_only_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda *_: "good") as server:
        add = ["models", "add", "m", "--url", server.url, "--model", "m"]
        assert run([*add, "--key-env", "PLANTED_API_KEY"]) == 0
        host = server.url.removeprefix("http://").removesuffix("/v1")
        assert f"The key in PLANTED_API_KEY will go to {host}" in capsys.readouterr().out
        assert run(["models", "doctor", "m"]) == 0
        printed = capsys.readouterr()
        assert f"the key in PLANTED_API_KEY goes to {host} and nowhere else" in printed.err
        assert run(["models", "list", "--json"]) == 0
        printed_list = capsys.readouterr()
    assert KEY not in "".join([*printed, *printed_list])
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(b"PLANTED_API_KEY" in p.read_bytes() for p in files)
    assert not any(KEY.encode() in p.read_bytes() for p in files)


def test_the_child_of_a_local_model_sees_no_key() -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra local")
    import subprocess
    from unittest import mock

    from equipoise.llm.local_server import LocalServer, ServerFailed

    def refused(*_: Any, **settings: Any) -> Any:
        assert "PLANTED_API_KEY" not in settings["env"]
        raise ServerFailed("seen")

    server = LocalServer(Path("none.gguf"), digest="0")
    with mock.patch.object(subprocess, "Popen", refused), pytest.raises(ServerFailed, match="seen"):
        server.__enter__()
