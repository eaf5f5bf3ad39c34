"""One llama.cpp server that holds several LoRA adapters.

Witnesses: a server without adapters, a server with one adapter alone, and adapter files written
byte by byte after the format's specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.errors import BadInput
from equipoise.llm.answers import OptionScores
from equipoise.llm.asking import ask, ask_one
from equipoise.llm.backend import Backend
from equipoise.llm.local_server import LocalServer, ServerFailed
from equipoise.llm.requests import Prompt, ScoreRequest
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped
from tests.llm.small_adapter import random_adapter
from tests.llm.small_model import small_model

REQUEST = ScoreRequest(
    Prompt.chat("Do we spend too little or too much?\nA. too little\nB. too much\nA or B?"),
    ("A", "B"),
)


def said(backend: Backend) -> tuple[float, ...]:
    found = ask_one(backend, REQUEST)
    assert isinstance(found, OptionScores)
    return tuple(found.probabilities.values())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "left": random_adapter(folder / "left.gguf", 1),
        "right": random_adapter(folder / "right.gguf", 2),
    }


@pytest.fixture(scope="module")
def server(files: dict[str, Path]) -> Iterator[LocalServer]:
    with LocalServer(small_model(), context=512, threads=1, adapters=files) as running:
        yield running


def test_a_request_gets_the_adapter_it_names_and_no_other(
    server: LocalServer, files: dict[str, Path]
) -> None:
    with LocalServer(server.model, context=512, threads=1, digest=server.digest) as bare:
        plain = said(bare.backend())
    right = {"right": files["right"]}
    with LocalServer(
        server.model, context=512, threads=1, digest=server.digest, adapters=right
    ) as one:
        alone = said(one.backend("right"))
    assert said(server.backend()) == plain
    assert said(server.backend("right")) == alone
    assert said(server.backend("left")) not in (plain, alone)
    assert said(server.backend({"left": 0.0, "right": 1.0})) == alone
    assert said(server.backend({"left": 0.5, "right": 0.5})) not in (plain, alone)


def test_adapters_asked_at_the_same_moment_do_not_touch_each_other(
    server: LocalServer, tmp_path: Path
) -> None:
    """Also in one store: the adapter is part of the name of an answer."""
    expected = [said(server.backend(a)) for a in ("", "left", "right")]
    assert len(set(expected)) == 3
    with Store(tmp_path / "a.sqlite") as store:
        for _ in range(2):
            for adapter, wanted in zip(("", "left", "right"), expected, strict=True):
                kept = wrapped(server.backend(adapter), store=store)
                for found in ask(kept, [REQUEST] * 4, in_flight=4).complete():
                    assert isinstance(found, OptionScores)
                    assert tuple(found.probabilities.values()) == wanted
        assert store.spent().calls == 3


def test_the_identity_names_files_and_scales(server: LocalServer) -> None:
    assert set(server.identity["adapters"]) == {"left", "right"}
    assert "adapters" not in server.backend().identity
    used = server.backend("left").identity["adapters"]
    assert used == {"left": {"sha256": server.identity["adapters"]["left"], "scale": 1.0}}
    assert server.backend({"left": 0.5}).identity != server.backend("left").identity


@pytest.mark.parametrize("wrong", ["lift", {"left": float("nan")}, {"middle": 1.0}])
def test_unknown_adapters_and_scales_are_a_sentence(
    server: LocalServer, wrong: str | dict[str, float]
) -> None:
    with pytest.raises(BadInput, match=r"adapter: (there is no|the scale of left is nan)"):
        server.backend(wrong)


def test_an_adapter_of_another_model_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra local")
    other = random_adapter(tmp_path / "other.gguf", 3, width=64)
    server = LocalServer(small_model(), context=512, threads=1, adapters={"a": other})
    with pytest.raises(ServerFailed, match="did not start"), server:
        pass
    other.write_bytes(b"text")
    with pytest.raises(BadInput, match="not a GGUF file"):
        LocalServer(small_model(), adapters={"a": other})
