"""What prompts begin with is worked out once, and what is read does not depend on the company.

Witness of the rule: a stand-in for llama.cpp whose numbers betray how its cache was filled (one
batch or several), asked in random orders; without the rule its numbers do move. Witness of the
real thing: the same questions asked as a whole, nothing kept.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os.path
import random
from typing import Any

import pytest

from equipoise.errors import BadInput
from equipoise.llm.answers import OptionScores
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.llm.stems import Stems


class Slot:
    """One slot, a character a token: every kept character remembers its batch and adapters."""

    def __init__(self, *, goes_back: bool = True, template: str = "<{}>") -> None:
        self.kept: list[tuple[str, str]] = []
        self.goes_back = goes_back
        self.template = template
        self.worked = 0
        self.under_way = 0
        self.crowded = False

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.under_way += 1
        self.crowded |= self.under_way > 1
        await asyncio.sleep(0)
        self.under_way -= 1
        if path.endswith("apply-template"):
            turns = "|".join(f"{m['role']}:{m['content']}" for m in body["messages"])
            return {"prompt": self.template.format(turns)}
        text = body.get("prompt")
        if text is None:
            text = self.template.format(
                "|".join(f"{m['role']}:{m['content']}" for m in body["messages"])
            )
        kept = 0
        if body["cache_prompt"] and self.goes_back:
            kept = len(os.path.commonprefix(["".join(c for c, _ in self.kept), text]))
            kept = min(kept, len(text) - 1)
        batch = text[kept:]
        self.kept = self.kept[:kept] + [(c, f"{batch} {body.get('lora')}") for c in batch]
        self.worked += len(batch)
        name = hashlib.sha256(repr([body.get("lora"), self.kept]).encode()).hexdigest()
        return {"value": name, "timings": {"cache_n": kept, "prompt_n": len(batch)}}


class Careless(Stems):  # type: ignore[misc]  # the planted error
    """Keeps whatever is shared, as llama.cpp does by itself."""

    async def reply(
        self, post: Any, request: Request, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        return dict(await post(path, body | {"cache_prompt": True}))


def requests() -> list[Request]:
    orders = ["yes no", "no yes", "yes never", "never yes"]
    scored: list[Request] = [
        ScoreRequest(Prompt.chat(f"{q}?\nA.{o}", system=s), ("A", "B"), stem=len(f"{q}?\nA."))
        for s in ("", "you")
        for q in ("tax", "taxi")
        for o in orders
    ]
    return [*scored, SampleRequest(Prompt.chat("tax?\nA.yes"))]


def body_of(request: Request, lora: int) -> dict[str, Any]:
    turns = [{"role": m.role, "content": m.text} for m in request.prompt.messages]
    return {"messages": turns, "top_logprobs": 5, "cache_prompt": False, "lora": [lora]}


def values(stems: Stems, slot: Slot, order: list[int]) -> dict[int, str]:
    """Ask in an order, several waiting at once; the number of the request -> what was read."""
    asked = [(r, lora) for r in requests() for lora in (0, 1)]

    async def one(i: int) -> tuple[int, str]:
        request, lora = asked[i]
        reply = await stems.reply(slot.post, request, "/chat/completions", body_of(request, lora))
        return i, str(reply["value"])

    async def all_of_them() -> dict[int, str]:
        return dict(await asyncio.gather(*(one(i) for i in order)))

    found = asyncio.run(all_of_them())
    assert slot.crowded == isinstance(stems, Careless)
    return found


def moved(kind: type[Stems], **settings: Any) -> int:
    """How many of 20 random orders give other values than the first."""
    order = list(range(2 * len(requests())))
    first = values(kind(), Slot(**settings), order)
    shuffled = random.Random(5)
    count = 0
    for _ in range(20):
        shuffled.shuffle(order)
        count += values(kind(), Slot(**settings), order) != first
    return count


def test_no_order_of_asking_moves_a_value() -> None:
    assert moved(Stems) == 0
    assert moved(Careless) == 20


def test_where_the_cache_cannot_go_back_everything_is_asked_as_a_whole() -> None:
    assert moved(Stems, goes_back=False) == 0


def test_a_template_that_changes_the_question_is_asked_as_a_whole() -> None:
    class Shouting(str):
        def format(self, *parts: Any, **_: Any) -> str:
            return f"<{parts[0].upper()}>"

    slot = Slot(template=Shouting("<{}>"))
    order = list(range(2 * len(requests())))
    values(Stems(), slot, order)
    whole = sum(len(slot.template.format(_turns(r))) for r in requests())
    assert slot.worked == 2 * whole


def test_less_is_worked_out() -> None:
    with_stems, without = Slot(), Slot()
    values(Stems(), with_stems, list(range(0, 2 * len(requests()), 2)))
    for request in requests():
        asyncio.run(without.post("/chat/completions", body_of(request, 0)))
    assert with_stems.worked < 0.8 * without.worked


def test_a_broken_call_leaves_nothing_behind() -> None:
    slot, stems = Slot(), Stems()
    request = requests()[0]

    async def broken(path: str, body: dict[str, Any]) -> dict[str, Any]:
        await slot.post(path, body)
        raise OSError("cut")

    expected = values(Stems(), Slot(), [0])
    values(stems, slot, [0])
    with pytest.raises(OSError, match="cut"):
        asyncio.run(stems.reply(broken, request, "/chat/completions", body_of(request, 1)))
    assert values(stems, slot, [0]) == expected


def test_a_stem_longer_than_the_message_is_refused() -> None:
    with pytest.raises(BadInput, match="3 characters"):
        ScoreRequest(Prompt.chat("tax"), ("A", "B"), stem=4)


def test_the_stem_is_part_of_the_name_only_where_there_is_one() -> None:
    request = ScoreRequest(Prompt.chat("tax"), ("A", "B"))
    assert "stem" not in request.to_dict()
    assert dataclasses.replace(request, stem=2).to_dict()["stem"] == 2


def _turns(request: Request) -> str:
    return "|".join(f"{m.role}:{m.text}" for m in request.prompt.messages)


def test_a_real_server_reads_the_same_from_the_stem_and_as_a_whole() -> None:
    pytest.importorskip("httpx2", reason="needs the extra llm")
    from equipoise.llm.asking import ask
    from equipoise.llm.local_server import LocalServer
    from tests.llm.small_model import small_model

    start = "Do we spend too little or too much on schools?\nA."
    asked = [
        ScoreRequest(
            Prompt.chat(f"{start} {a}\nB. {b}\nAnswer with one letter: A or B."),
            ("A", "B"),
            stem=len(start),
        )
        for a, b in (("too little", "too much"), ("too much", "too little"), ("less", "more"))
    ]
    with LocalServer(small_model(), context=512, threads=1) as server:
        backend = server.backend()
        found = ask(backend, asked, in_flight=3).complete()
        turned = ask(backend, asked[::-1], in_flight=1).complete()[::-1]
        whole = ask(backend, [dataclasses.replace(r, stem=0) for r in asked]).complete()
    assert found == turned
    for one, other in zip(found, whole, strict=True):
        assert isinstance(one, OptionScores)
        assert isinstance(other, OptionScores)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
