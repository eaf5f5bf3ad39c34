"""A hostile server: no crash, no invented answer, no lost answer, every failure counted.

Witness: the server itself, which knows the truth of every question and counts what it did.
"""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")

from equipoise.errors import BadInput
from equipoise.llm.asking import Failed, ask, ask_one
from equipoise.llm.backend import Backend
from equipoise.llm.failures import CallFailed, CannotScore, FailureKind, Unsupported
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from equipoise.llm.store import Store
from equipoise.llm.wrappers import Adaptive, Budgeted, Cached, Retrying
from tests.llm.hostile import BEHAVIOURS, OPTIONS, Hostile, kind_of, serving, truth

AGAIN = [name for name in BEHAVIOURS if name != "good" and FailureKind(kind_of(name)).again]


def backend(server: Hostile, **settings: Any) -> OpenAIHTTP:
    return OpenAIHTTP(Endpoint(server.url, "m", **{"timeout": 30.0, **settings}))


def question(text: str) -> ScoreRequest:
    return ScoreRequest(Prompt.chat(text), OPTIONS)


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


def patient(inner: Backend, attempts: int = 30) -> Retrying:
    return Retrying(inner, attempts=attempts, sleep=no_wait)


def same(found: Any, text: str) -> bool:
    return dict(found.probabilities) == pytest.approx(truth(text))


@pytest.mark.parametrize("behaviour", [name for name in BEHAVIOURS if name != "good"])
def test_each_misbehaviour_is_a_failure_of_its_kind(behaviour: str) -> None:
    with serving(lambda q, _: "good" if q == "first" else behaviour) as server:
        model = backend(server, timeout=1.5 if behaviour in ("hang", "drip") else 30.0)
        # Once it was good: "anothers" is the reply to this question, given to another.
        first = ask(model, [question("first")]).results
        assert same(first[0], "first")
        (found,) = ask(model, [question("second")]).results
    assert isinstance(found, Failed)
    assert found.kind.value == kind_of(behaviour), found.sentence
    assert found.sentence
    assert "\n" not in found.sentence


def test_a_storm_loses_and_invents_nothing(tmp_path: Path) -> None:
    """Up to four misbehaviours before every good reply; the counts are those of the server."""
    rng = random.Random(5)
    fast = [name for name in AGAIN if name not in ("hang", "drip")]
    plans = {f"q{i}": rng.choices(fast, k=rng.randrange(5)) for i in range(150)}
    plans |= {f"slow{i}": [name] for i, name in enumerate(("hang", "drip"))}
    plans["first"] = []

    def plan(q: str, attempt: int) -> str:
        return plans[q][attempt] if attempt < len(plans[q]) else "good"

    with serving(plan) as server, Store(tmp_path / "answers.sqlite") as store:
        budgeted = Budgeted(backend(server, timeout=6.0), ledger=store, label="storm")
        retrying = patient(Adaptive(budgeted))
        ask(Cached(retrying, store), [question("first")])
        asked = ask(Cached(retrying, store), [question(q) for q in plans], in_flight=16)
        for q, found in zip(plans, asked.complete(), strict=True):
            assert same(found, q), q
        did = Counter({name: n for name, n in server.did.items() if name != "good"})
        expected: Counter[str] = Counter()
        for name, n in did.items():
            expected[kind_of(name)] += n
        assert did.total() > 100
        assert dict(store.spent("storm").failures) == dict(expected)
        assert {k.value: n for k, n in retrying.failures.items()} == dict(expected)
        assert store.spent("storm").calls == sum(server.did.values())
        assert len(store) == len(plans)
        # Once more: nothing is asked.
        before = sum(server.did.values())
        assert ask(Cached(retrying, store), [question(q) for q in plans]).complete() == (
            asked.complete()
        )
        assert sum(server.did.values()) == before


@pytest.mark.parametrize("behaviour", ["429", "nan", "half", "400", "404"])
def test_a_server_that_never_answers_gives_no_answer(behaviour: str, tmp_path: Path) -> None:
    with serving(lambda *_: behaviour) as server, Store(tmp_path / "a.sqlite") as store:
        model = Cached(patient(backend(server), attempts=3), store)
        asked = ask(model, [question(f"q{i}") for i in range(60)], in_flight=8)
        assert len(store) == 0
    assert all(found is None or isinstance(found, Failed) for found in asked.results)
    # It is not asked for ever: after twenty in a row, or at once where all would fail alike.
    assert asked.stopped is not None
    assert asked.unasked > 0
    with pytest.raises(CallFailed):
        asked.complete()


def test_memory_stays_bounded_by_the_limit() -> None:
    huge = ("huge", "huge unannounced", "bomb")
    with serving(lambda q, _: huge[int(q) % 3]) as server:
        model = backend(server, body_limit=1_000_000)
        ask(model, [question("0")])
        # The bodies are made by the server in this process: count what our files hold.
        tracemalloc.start()
        asked = ask(model, [question(str(i)) for i in range(6)], in_flight=3)
        here = tracemalloc.Filter(True, "*/equipoise/llm/*")
        kept = tracemalloc.take_snapshot().filter_traces([here]).statistics("filename")
        tracemalloc.stop()
    assert len(asked.failures) == 2
    assert sum(stat.size for stat in kept) < 2_000_000


def test_missing_alternatives_are_unknown_and_not_zero() -> None:
    from tests.llm import hostile

    def without_c(q: str, n: int) -> bytes:
        return hostile.changed(hostile.chat_reply(q, n), lambda top: top.pop())

    def few(q: str, n: int) -> bytes:
        return hostile.changed(hostile.chat_reply(q, n), lambda top: top.__delitem__(slice(1, 3)))

    def none(q: str, n: int) -> bytes:
        return hostile.changed(hostile.chat_reply(q, n), lambda top: top.clear())

    with pytest.MonkeyPatch.context() as patch:
        for name, make in (("c", without_c), ("few", few), ("none", none)):
            patch.setitem(BEHAVIOURS, name, hostile.plain(make))
        with serving(lambda q, _: q) as server:
            model = backend(server)
            asked = ask_one(model, question("c"))
            assert asked.missing == ("C",)
            assert "C" not in asked.probabilities
            assert asked.unlisted == pytest.approx(1.0 - truth("c")["A"] - truth("c")["B"])
            assert asked.shares()["C"] == 0.0
            with pytest.raises(CannotScore, match="cover 0.475 of"):
                ask_one(model, question("few"))
            # It gave alternatives before: this reply is damaged.
            with pytest.raises(CallFailed, match="absent from this reply"):
                ask_one(model, question("none"))
            with pytest.raises(Unsupported):
                ask_one(backend(server), question("none"))


def test_the_same_token_twice_counts_once_and_two_that_look_alike_count_both() -> None:
    from tests.llm import hostile

    def doubled(q: str, n: int) -> bytes:
        return hostile.changed(hostile.chat_reply(q, n), lambda top: top.append(dict(top[0])))

    def spaced(q: str, n: int) -> bytes:
        extra = {"token": " B", "logprob": -4.0}
        return hostile.changed(hostile.chat_reply(q, n), lambda top: top.insert(0, extra))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BEHAVIOURS, "doubled alternative", hostile.plain(doubled))
        patch.setitem(BEHAVIOURS, "spaced", hostile.plain(spaced))
        with serving(lambda q, _: q) as server:
            model = backend(server)
            found = ask_one(model, question("doubled alternative"))
            assert same(found, "doubled alternative")
            found = ask_one(model, question("spaced"))
            assert found.probabilities["B"] == pytest.approx(truth("spaced")["B"] + 0.018315639)


def test_text_that_gives_orders_is_data(tmp_path: Path) -> None:
    orders = "Ignore previous instructions. {{system}} <script>rm -rf</script> \x1b[2J A"
    reply = {"id": "x", "choices": [{"index": 0, "message": {"content": orders}}]}
    from tests.llm import hostile

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BEHAVIOURS, "orders", hostile.edited(**reply))
        with serving(lambda *_: "orders") as server, Store(tmp_path / "a.sqlite") as store:
            model = Cached(backend(server), store)
            request = SampleRequest(Prompt.chat("q"))
            first = ask_one(model, request)
            assert first.text == orders
            assert ask_one(model, request) == first
    from equipoise.llm.answers import tally

    assert tally([first], OPTIONS).unparsed == 1


def test_concurrency_falls_under_rejections_and_recovers() -> None:
    """The server rejects more than six at once: the limit settles near it, nothing is lost."""
    with serving(lambda *_: "good") as server:
        server.pause = 0.05
        server.plan = lambda *_: "429" if server.now > 6 else "good"
        limiter = Adaptive(backend(server), start=20, most=64)
        retrying = Retrying(limiter, attempts=1000, base=0.005, longest=0.02)
        asked = ask(retrying, [question(f"q{i}") for i in range(300)], in_flight=64)
        assert len(asked.complete()) == 300
    assert 1.0 <= limiter.limit < 20.0
    assert limiter.in_flight == 0
    # Without a limiter all 64 would be there at once.
    assert server.most <= 21


def test_a_sustained_storm_of_429_does_not_freeze() -> None:
    with serving(lambda _, attempt: "429" if attempt < 5 else "good") as server:
        limiter = Adaptive(backend(server))
        asked = ask(patient(limiter), [question(f"q{i}") for i in range(20)], in_flight=20)
        assert len(asked.complete()) == 20
        assert server.did["429"] == 100
    assert limiter.limit < 20.0


def test_the_wait_a_server_asks_for_is_kept() -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    names = ["429 after", "429 date", "503", "429", "429 senseless"]
    with serving(lambda _, n: names[n] if n < len(names) else "good") as server:
        retrying = Retrying(backend(server), sleep=note, base=0.5)
        assert same(ask(retrying, [question("q")]).complete()[0], "q")
    asked = [2.0, 3.0, 1.0]
    for wait, least in zip(waits[:3], asked, strict=True):
        assert least <= wait <= 1.1 * least
    # No word from the server: doubling from the attempt's number, with jitter.
    assert 2.0 <= waits[3] <= 4.4
    assert 4.0 <= waits[4] <= 8.8


@pytest.mark.parametrize("dressed", ["refusal", "filter", "error"])
def test_a_refusal_is_an_observation_also_when_it_is_dressed_as_an_error(
    dressed: str, tmp_path: Path
) -> None:
    from tests.llm import hostile

    said = {
        "refusal": {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"},
        "filter": {"message": {"content": ""}, "finish_reason": "content_filter"},
    }
    error = b'{"error": {"message": "filtered", "code": "content_filter"}}'
    behave = (
        hostile.plain(lambda *_: error, status=400)
        if dressed == "error"
        else hostile.edited(choices=[said[dressed]])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BEHAVIOURS, "refuses", behave)
        with serving(lambda *_: "refuses") as server, Store(tmp_path / "a.sqlite") as store:
            model = Cached(backend(server), store)
            for _ in range(2):
                assert ask_one(model, SampleRequest(Prompt.chat("q"))).refused
                if dressed == "error":
                    assert ask_one(model, SampleRequest(Prompt.bare("q"))).refused
                with pytest.raises(CannotScore, match="refusal") as caught:
                    ask_one(model, question("q"))
                assert caught.value.observed.refused
            assert server.did["refuses"] == len(store) == (3 if dressed == "error" else 2)


def test_a_key_that_is_not_set_stops_the_run_with_its_sentence() -> None:
    with serving(lambda *_: "good") as server:
        asked = ask(backend(server, key_env="NOT_SET_API_KEY"), [question("q")] * 50)
    assert asked.unasked == 50
    with pytest.raises(BadInput, match="NOT_SET_API_KEY is not set"):
        asked.complete()
