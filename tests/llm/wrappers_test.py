"""Wrappers: a spent budget or a failed call never becomes an answer; nothing is asked twice.

Witness: the scripted backend, which counts its calls and whose answers are known.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import BadInput, MissingExtra
from equipoise.llm.answers import OptionScores, Sample
from equipoise.llm.asking import ENOUGH, Failed, ask, ask_async, ask_one
from equipoise.llm.backend import Backend, Capabilities, Wrapper
from equipoise.llm.budgeted import Budget, Budgeted, most_used
from equipoise.llm.failures import (
    BudgetSpent,
    CallFailed,
    CannotScore,
    FailureKind,
    NotScored,
    Unsupported,
    Usage,
)
from equipoise.llm.ledger import MemoryLedger, Price, Prices
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.store import Store
from equipoise.llm.wrappers import (
    Adaptive,
    Cached,
    Recorded,
    Replayed,
    Retrying,
    line_writer,
    wrapped,
)

TEXT = "Spending is\nA. too little\nB. right\nC. too much"
DRAWS = [SampleRequest(Prompt.chat(TEXT), draw=i) for i in range(40)]


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "answers.sqlite") as opened:
        yield opened


def test_every_wrapper_is_a_backend_and_passes_answers_through(store: Store) -> None:
    plain = ask(Scripted.by_seed(seed=2), DRAWS).complete()
    makers: list[Callable[[Backend], Backend]] = [
        lambda m: Cached(m, store),
        lambda m: Budgeted(m),
        lambda m: Retrying(m),
        lambda m: Adaptive(m),
        lambda m: Recorded(m, lambda _: None),
        lambda m: wrapped(m, store=store, budget=Budget(calls=100), record=lambda _: None),
    ]
    for make in makers:
        model = make(Scripted.by_seed(seed=2))
        assert isinstance(model, Backend)
        assert model.identity == Scripted.by_seed(seed=2).identity
        assert model.capabilities == Scripted.by_seed().capabilities
        assert ask(model, DRAWS).complete() == plain


def test_a_spent_budget_is_an_error_and_never_an_answer(store: Store) -> None:
    model = Scripted.uniform(delay=0.001)
    asked = ask(wrapped(model, store=store, budget=Budget(calls=25), label="x"), DRAWS)
    assert isinstance(asked.stopped, BudgetSpent)
    assert model.calls == 25
    assert len(store) == 25
    assert sum(isinstance(r, Sample) for r in asked.results) == 25
    with pytest.raises(BudgetSpent, match="could exceed 25 calls; raise it to go on"):
        asked.complete()
    # The budget is that of the label, also in the next run: nothing more is sent.
    again = ask(wrapped(model, store=store, budget=Budget(calls=25), label="x"), DRAWS)
    assert model.calls == 25
    assert again.unasked == 15
    # Raised, it goes on where it stopped.
    ask(wrapped(model, store=store, budget=Budget(calls=40), label="x"), DRAWS).complete()
    assert model.calls == 40


def test_a_budget_holds_with_many_calls_in_flight() -> None:
    """What calls in flight may still use is set aside: the limit is never exceeded."""
    most = most_used(DRAWS[0])
    each = most.prompt_tokens + most.completion_tokens
    ledger = MemoryLedger()
    model = Budgeted(Scripted.uniform(delay=0.002), Budget(tokens=2.5 * each), ledger=ledger)
    asked = ask(model, DRAWS, in_flight=40)
    # A scripted call uses far less than it may: all fit, though never three at once.
    assert asked.unasked == 0
    assert ledger.spent().tokens == 40 * (len(TEXT.split()) + 1)
    used = len(TEXT.split()) + 1
    tight = Budgeted(Scripted.uniform(), Budget(tokens=each + 9 * used))
    asked = ask(tight, DRAWS, in_flight=40)
    assert sum(r is not None for r in asked.results) == 10
    assert tight.ledger.spent().tokens <= each + 9 * used


class Far(Backend):
    """A model behind an address, which costs money."""

    identity = {"kind": "http", "model": "big"}
    capabilities = Capabilities(chat_scores=20)

    async def answer(self, request: Request) -> Any:
        return Sample("A", usage=Usage(1000, 10, counted=True))


def test_money_needs_a_price(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not in the price table"):
        Budgeted(Far(), Budget(cost=1.0))
    file = tmp_path / "prices.toml"
    file.write_text('["big"]\nprompt = 100.0\ncompletion = 200.0\n')
    prices = Prices.read(file)
    assert prices == Prices({"big": Price(100.0, 200.0)})
    # 1000 tokens at 100 and 10 at 200 US$ a million.
    each = 0.102
    model = Budgeted(Far(), Budget(cost=5 * each), prices=prices)
    asked = ask(model, DRAWS, in_flight=8)
    assert isinstance(asked.stopped, BudgetSpent)
    done = sum(r is not None for r in asked.results)
    assert model.ledger.spent().cost == pytest.approx(done * each)
    # The last call is not sent when the most it could cost does not fit any more.
    assert 1 <= done <= 5
    # What runs on this machine is free, and needs no price.
    assert len(ask(Budgeted(Scripted.uniform(), Budget(cost=0.0)), DRAWS).complete()) == 40


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "[m]\nprompt = 1",
        "[m]\nprompt = -1\ncompletion = 1",
        "[m]\nprompt = nan\ncompletion = 1",
        "[",
    ],
)
def test_a_price_table_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(BadInput):
        Prices.read(tmp_path / "prices.toml")


def test_a_failed_call_is_counted_and_what_it_may_have_cost_too() -> None:
    most = most_used(DRAWS[0])
    for kind, tokens in ((FailureKind.TIMEOUT, most.prompt_tokens + most.completion_tokens),
                         (FailureKind.RATE_LIMITED, 0)):  # fmt: skip
        model = Budgeted(Scripted.uniform(fails=[kind]))
        (found,) = ask(model, DRAWS[:1]).results
        assert found == Failed(kind, f"scripted: {kind.value}")
        spent = model.ledger.spent()
        assert (spent.calls, spent.tokens, dict(spent.failures)) == (1, tokens, {kind.value: 1})


def test_only_failures_that_may_pass_are_tried_again() -> None:
    for kind in FailureKind:
        model = Scripted.uniform(fails=[kind] * 2)
        (found,) = ask(Retrying(model, sleep=no_wait), DRAWS[:1]).results
        assert isinstance(found, Sample if kind.again else Failed)
        assert model.calls == (3 if kind.again else 1)


def test_no_patience_is_endless() -> None:
    model = Scripted.uniform(fails=[FailureKind.SERVER_ERROR] * 100)
    (found,) = ask(Retrying(model, attempts=5, sleep=no_wait), DRAWS[:1]).results
    assert isinstance(found, Failed)
    assert model.calls == 5

    class Asks(Wrapper):
        async def answer(self, request: Request) -> Any:
            raise CallFailed(FailureKind.RATE_LIMITED, "later", wait=3600.0)

    (found,) = ask(Retrying(Asks(model), patience=1e9, sleep=no_wait), DRAWS[:1]).results
    assert isinstance(found, Failed)
    assert "come back in 3600 s" in found.sentence


def test_waits_grow_with_jitter_and_are_the_same_for_the_same_seed() -> None:
    def waits(seed: int) -> list[float]:
        noted: list[float] = []

        async def note(seconds: float) -> None:
            noted.append(seconds)

        model = Scripted.uniform(fails=[FailureKind.SERVER_ERROR] * 6)
        ask(Retrying(model, seed=seed, sleep=note, base=1.0, longest=8.0), DRAWS[:1]).complete()
        return noted

    first = waits(1)
    assert first == waits(1)
    assert first != waits(2)
    for wait, most in zip(first, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= wait <= most * 1.1


def test_what_cannot_be_scored_is_kept_as_what_it_is(store: Store) -> None:
    """Nothing is renormalised; it is asked once, and says the same from the store."""
    model = Scripted(lambda _, options: [0.2] + [0.0] * (len(options) - 1))
    request = ScoreRequest(Prompt.chat(TEXT), ("A", "B", "C"))
    for _ in range(2):
        (found,) = ask(wrapped(model, store=store), [request]).results
        assert isinstance(found, NotScored)
        assert found.covered == pytest.approx(0.2)
        with pytest.raises(CannotScore, match=r"cover 0\.200 of the probability"):
            ask_one(wrapped(model, store=store), request)
    assert model.calls == 1
    exact = Scripted(lambda _, options: [0.5] + [0.0] * (len(options) - 1))
    found = ask_one(exact, request)
    assert isinstance(found, OptionScores)
    assert found.covered == 0.5


def test_the_same_question_at_the_same_time_is_asked_once(store: Store) -> None:
    model = Scripted.uniform(delay=0.01)
    asked = ask(Cached(model, store), [DRAWS[0]] * 30, in_flight=30).complete()
    assert model.calls == 1
    assert len(set(map(repr, asked))) == 1


def test_failures_are_never_stored(store: Store) -> None:
    model = Scripted.uniform(fails=list(FailureKind))
    for _ in FailureKind:
        assert isinstance(ask(Cached(model, store), DRAWS[:1]).results[0], Failed)
        assert len(store) == 0
    assert isinstance(ask(Cached(model, store), DRAWS[:1]).results[0], Sample)


def test_a_replay_asks_nobody(store: Store) -> None:
    model = Scripted.uniform()
    first = ask(Cached(model, store), DRAWS).complete()
    silent = Scripted.uniform()
    assert ask(Replayed(silent, store), DRAWS).complete() == first
    stopped = ask(Replayed(silent, store), [SampleRequest(Prompt.chat("new"))]).stopped
    assert "not in it" in str(stopped)
    assert silent.calls == 0


def test_a_record_has_every_call_also_those_that_failed(tmp_path: Path) -> None:
    model = Scripted.uniform(fails=[FailureKind.TIMEOUT])
    log = tmp_path / "calls.jsonl"
    ask(Retrying(Recorded(model, line_writer(log)), sleep=no_wait), DRAWS[:3]).complete()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 6
    assert sum(line.get("failed") == "timeout" for line in lines) == 3
    assert sum("answer" in line for line in lines) == 3


def test_a_server_that_is_not_there_ends_the_run() -> None:
    model = Scripted.uniform(fails=[FailureKind.CONNECTION] * 9)
    asked = ask(model, DRAWS, in_flight=1)
    assert model.calls == ENOUGH
    assert asked.unasked == len(DRAWS) - ENOUGH
    assert asked.failures == {FailureKind.CONNECTION: ENOUGH}


def test_one_refusal_of_a_key_ends_the_run_and_one_bad_question_does_not() -> None:
    model = Scripted.uniform(fails=[FailureKind.NOT_ALLOWED])
    assert ask(model, DRAWS, in_flight=1).unasked == len(DRAWS) - 1
    model = Scripted.uniform(fails=[FailureKind.REFUSED_REQUEST])
    assert ask(model, DRAWS[:5], in_flight=1).unasked == 0
    with pytest.raises(CallFailed, match="5 of 5 calls have no answer"):
        ask(Scripted.uniform(fails=[FailureKind.REFUSED_REQUEST]), DRAWS[:5]).complete()


def test_many_more_tasks_than_places() -> None:
    limiter = Adaptive(Scripted.uniform(delay=0.0), start=3, most=5)
    draws = [SampleRequest(Prompt.chat(TEXT), draw=i) for i in range(2000)]
    assert len(ask(limiter, draws, in_flight=500).complete()) == 2000
    assert limiter.in_flight == 0


def test_cancelled_calls_give_their_place_back() -> None:
    limiter = Adaptive(Scripted.uniform(delay=30.0), start=2)

    async def run() -> None:
        tasks = [asyncio.create_task(limiter.answer(draw)) for draw in DRAWS]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0.01)
        assert limiter.in_flight == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.in_flight == 0

    asyncio.run(run())


def test_asking_works_where_a_loop_already_runs(store: Store) -> None:
    """As in a notebook."""

    async def notebook() -> Any:
        inside = ask(wrapped(Scripted.uniform(), store=store), DRAWS[:3])
        return inside, await ask_async(Scripted.uniform(), DRAWS[:3])

    one, two = asyncio.run(notebook())
    assert one.complete() == two.complete()


def test_a_mistake_in_a_callback_is_raised_as_it_is() -> None:
    def wrong(done: int, total: int) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        ask(Scripted.uniform(), DRAWS, on_step=wrong)


def test_progress_is_told_after_every_result() -> None:
    steps: list[tuple[int, int]] = []
    ask(Scripted.uniform(), DRAWS, on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(i + 1, 40) for i in range(40)]


def test_what_a_backend_cannot_do_is_said_before_anything_is_sent() -> None:
    model = Scripted.uniform(scores=False)
    with pytest.raises(Unsupported, match="count samples instead"):
        ask_one(model, ScoreRequest(Prompt.chat("q"), ("A", "B")))
    assert model.calls == 0
    assert model.capabilities.estimator == "counts"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScoreRequest(Prompt.chat("q"), ("A",)),
        lambda: ScoreRequest(Prompt.chat("q"), ("1", "10")),
        lambda: ScoreRequest(Prompt.chat("q"), ("A ", "B")),
        lambda: ScoreRequest(Prompt.chat("q"), ("A", "A")),
        lambda: ScoreRequest(Prompt.chat("q"), ("A", "B"), match="guess"),
        lambda: SampleRequest(Prompt.chat("q"), reasoning="a lot"),
        lambda: SampleRequest(Prompt.chat("q"), max_tokens=0),
        lambda: SampleRequest(Prompt.chat("q"), temperature=float("nan")),
        lambda: Prompt(),
        lambda: Budget(calls=-1),
        lambda: Budget(cost=float("nan")),
        lambda: Adaptive(Scripted.uniform(), start=0),
        lambda: ask(Scripted.uniform(), DRAWS, in_flight=0),
    ],
)
def test_bad_input_is_a_sentence(make: Any) -> None:
    with pytest.raises(BadInput) as caught:
        make()
    assert len(str(caught.value)) > 20


def test_without_the_http_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    model = OpenAIHTTP(Endpoint("http://127.0.0.1:9/v1", "m"))
    with pytest.raises(MissingExtra, match=r"pip install 'equipoise\[llm\]'"):
        ask_one(model, DRAWS[0])
