"""Recorded reply shapes of OpenAI, vLLM, Ollama and llama.cpp, read as they are.

Witness: the public formats of these servers, written down in `shapes/` as data, with the numbers
they carry worked out by hand.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from equipoise.llm import replies
from equipoise.llm.answers import OptionScores, Sample
from equipoise.llm.failures import CallFailed, FailureKind, Unsupported, Usage
from equipoise.llm.openai_http import Endpoint
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from equipoise.llm.spoken import body_of

SHAPES = Path(__file__).parent / "shapes"


def shape(name: str) -> dict[str, Any]:
    found: dict[str, Any] = replies.parsed((SHAPES / f"{name}.json").read_bytes())
    return found


def scored(name: str, *options: str) -> OptionScores:
    data = shape(name)
    return replies.scores(replies.alternatives(data), options, replies.usage_of(data))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai-chat-logprobs", {"A": 0.70, "B": 0.20}),
        ("vllm-chat-logprobs", {"A": 0.55, "B": 0.30}),
        ("vllm-completion-logprobs", {"A": 0.60, "B": 0.25}),
        ("llamacpp-chat-logprobs", {"A": 0.371, "B": 0.1047 + 0.05}),
        ("llamacpp-completion-logprobs", {"A": 0.50, "B": 0.40}),
        ("ollama-chat-logprobs", {"A": 0.45, "B": 0.35}),
    ],
)
def test_scores_of_each_server(name: str, expected: dict[str, float]) -> None:
    found = scored(name, "A", "B")
    assert dict(found.probabilities) == pytest.approx(expected, abs=5e-4)
    assert found.usage.counted
    assert found.usage.completion_tokens == 1


@pytest.mark.parametrize("name", ["ollama-chat-no-logprobs", "llamacpp-completion-null-logprobs"])
def test_absent_log_probabilities_are_unsupported_and_not_zero(name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        replies.alternatives(shape(name))
    assert caught.value.kind is FailureKind.UNSUPPORTED
    # The text is still an answer.
    assert replies.read_sample(shape(name), chat="chat" in name).text


@pytest.mark.parametrize(
    ("name", "text", "thought"),
    [
        ("openai-chat-logprobs", "A", ""),
        ("vllm-reasoning", "B", "The town is small. I lean to B."),
        ("ollama-reasoning", "B", "Let me see."),
        ("think-inline", "C", "Hm.\nC then."),
        ("think-unended", "", "It goes on and"),
    ],
)
def test_reasoning_is_kept_apart(name: str, text: str, thought: str) -> None:
    found = replies.read_sample(shape(name), chat=True)
    assert (found.text, found.reasoning, found.refused) == (text, thought, False)


@pytest.mark.parametrize("name", ["openai-refusal", "openai-content-filter"])
def test_a_refusal_is_an_answer_that_says_so(name: str) -> None:
    found = replies.read_sample(shape(name), chat=True)
    assert found.refused
    assert isinstance(found, Sample)


def test_usage_of_reasoning_is_counted() -> None:
    usage = replies.usage_of(shape("vllm-reasoning"))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == (30, 52, 48)
    absurdities: list[Any] = [{"prompt_tokens": n} for n in (-1, "9", 1e300)]
    for absurd in [*absurdities, [], 3]:
        assert not replies.usage_of({"usage": absurd}).counted


def test_tokens_that_begin_several_options_count_for_none() -> None:
    found = [("dis", math.log(0.3)), ("agree", math.log(0.4)), (" disa", math.log(0.2))]
    scores = replies.scores(found, ("disagree", "dislike", "agree"), Usage())
    assert dict(scores.probabilities) == pytest.approx({"disagree": 0.2, "agree": 0.4})
    assert scores.missing == ("dislike",)
    assert scores.covered == pytest.approx(0.6)


def test_an_error_with_status_200_is_a_failure() -> None:
    with pytest.raises(CallFailed, match="overloaded") as caught:
        replies.parsed(b'{"error": {"message": "overloaded", "code": 503}}')
    assert caught.value.kind is FailureKind.SERVER_ERROR


def body(flavour: str, **settings: Any) -> dict[str, Any]:
    endpoint = Endpoint("http://127.0.0.1:1/v1", "m", flavour=flavour)
    return body_of(SampleRequest(Prompt.chat("q"), **settings), endpoint, 0)


def test_switches_of_reasoning_by_server() -> None:
    assert body("openai", reasoning="low")["reasoning_effort"] == "low"
    assert body("openai", reasoning="off")["reasoning_effort"] == "none"
    assert body("ollama", reasoning="off")["reasoning_effort"] == "none"
    for flavour in ("vllm", "llama.cpp"):
        off = body(flavour, reasoning="off")
        assert off["chat_template_kwargs"] == {"enable_thinking": False}
        assert "reasoning_effort" not in off
        assert body(flavour, reasoning="high")["reasoning_effort"] == "high"
    with pytest.raises(ValueError, match="not known for this kind of server"):
        body("other", reasoning="off")
    assert not {"reasoning_effort", "chat_template_kwargs"} & body("openai").keys()


def test_every_request_to_llama_cpp_forgets_the_one_before() -> None:
    """The prompt cache moves log-probabilities by up to 0.03 (docs/design/llm.md)."""
    here = Endpoint("http://127.0.0.1:1/v1", "m", flavour="llama.cpp")
    for prompt in (Prompt.chat("q"), Prompt.bare("q")):
        for request in (SampleRequest(prompt), ScoreRequest(prompt, ("A", "B"))):
            assert body_of(request, here, 20)["cache_prompt"] is False
    assert "cache_prompt" not in body("openai")
    assert "cache_prompt" not in body("other")


def test_what_is_sent_to_score_and_to_sample() -> None:
    there = Endpoint("https://models.example/v1", "m", flavour="openai")
    chat = body_of(ScoreRequest(Prompt.chat("q", system="s"), ("A", "B")), there, 20)
    assert chat == {
        "model": "m",
        "temperature": 1.0,
        "top_p": 1.0,
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "max_completion_tokens": 1,
        "logprobs": True,
        "top_logprobs": 20,
    }
    text = body_of(ScoreRequest(Prompt.bare("q"), ("A", "B")), there, 5)
    assert (text["prompt"], text["logprobs"], text["max_tokens"]) == ("q", 5, 1)
    sample = body("vllm", seed=7, draw=5, temperature=0.5, stop=("\n",), max_tokens=9)
    assert (sample["seed"], sample["temperature"], sample["stop"]) == (12, 0.5, ["\n"])
    assert sample["max_tokens"] == 9
    assert json.dumps(sample)
