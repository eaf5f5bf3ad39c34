"""Whole options token by token.

Witness: a small language over letters whose every text is enumerated, so that the probability of
beginning with an option is a plain sum; on the real model, the law of its own samples.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Sequence

import pytest

from equipoise.errors import BadInput
from equipoise.llm.answers import OptionScores, Sample
from equipoise.llm.continuation import MOST_STEPS, whole_options
from equipoise.llm.failures import CallFailed, CannotScore, Unsupported, Usage
from equipoise.llm.requests import Prompt, ScoreRequest

TOKENS = (" ", "a", "b", "ab", "ba", ".")


def law(text: str) -> dict[str, float]:
    """Some law over tokens after a text."""
    weights = [1 + (7 * i + 3 * len(text) + sum(map(ord, text))) % 11 for i in range(len(TOKENS))]
    weights[0] = 1 if not text else 0
    return {t: w / sum(weights) for t, w in zip(TOKENS, weights, strict=True) if w}


def enumerated(option: str, longest: int = 5) -> float:
    """Sum over all token sequences; each counts as soon as the text begins with the option."""
    total = 0.0
    for n in range(1, longest + 1):
        for tokens in itertools.product(TOKENS, repeat=n):
            before, text = "".join(tokens[:-1]), "".join(tokens)
            if before.lstrip().startswith(option) or not text.lstrip().startswith(option):
                continue
            steps = ("".join(tokens[:j]) for j in range(n))
            total += math.prod(law(s).get(t, 0.0) for s, t in zip(steps, tokens, strict=True))
    return total


def scored(options: Sequence[str], shown: int = 99) -> OptionScores:
    async def following(text: str) -> tuple[list[tuple[str, float]], Usage]:
        ranked = sorted(law(text).items(), key=lambda pair: -pair[1])[:shown]
        return [(t, math.log(p)) for t, p in ranked], Usage(1, 1, counted=True)

    return asyncio.run(whole_options(following, options))


def test_the_sum_over_all_ways_of_cutting_an_option() -> None:
    options = ("aba", "abb", "b", "aa")
    found = scored(options)
    for option in options:
        # What is less probable than 1e-4 is bounded, not followed.
        assert found.probabilities[option] <= enumerated(option) + 1e-12
        assert found.probabilities[option] + found.unlisted >= enumerated(option) - 1e-12
    assert found.unlisted < 0.01
    # Not the planted error: the first way of cutting alone.
    greedy = law("")["ab"] * law("ab")["a"]
    assert abs(found.probabilities["aba"] - greedy) > 0.01


def test_what_is_not_shown_bounds_every_option() -> None:
    options = ("aba", "abb", "b", "aa")
    found = scored(options, shown=4)
    assert found.unlisted > 0.01
    for option in options:
        known = found.probabilities.get(option, 0.0)
        assert known - 1e-12 <= enumerated(option) <= known + found.unlisted + 1e-12


def test_options_that_are_never_said_cannot_be_scored() -> None:
    with pytest.raises(CannotScore):
        scored(("xyz", "zyx"))


def test_a_model_that_never_comes_to_the_point_is_given_up() -> None:
    async def spaces(text: str) -> tuple[list[tuple[str, float]], Usage]:
        return [(" ", 0.0)], Usage()

    with pytest.raises(CallFailed, match=str(MOST_STEPS)):
        asyncio.run(whole_options(spaces, ("a", "b")))


def test_a_conversation_needs_a_server_that_writes_it_out() -> None:
    pytest.importorskip("httpx2", reason="needs the extra llm")
    from equipoise.llm.asking import ask_one
    from equipoise.llm.openai_http import Endpoint, OpenAIHTTP

    far = OpenAIHTTP(Endpoint("http://127.0.0.1:9/v1", "m"))
    with pytest.raises(Unsupported, match="use letters"):
        ask_one(far, ScoreRequest(Prompt.chat("?"), ("a", "b"), "continuation"))
    with pytest.raises(BadInput, match="begins"):
        ScoreRequest(Prompt.bare("?"), ("a", "ab"), "continuation")


def test_the_real_model_says_what_it_is_scored_to_say() -> None:
    pytest.importorskip("httpx2", reason="needs the extra llm")
    from equipoise.llm.asking import ask, ask_one
    from equipoise.llm.local_server import LocalServer
    from equipoise.llm.requests import SampleRequest
    from tests.llm.small_model import small_model

    prompt = Prompt.bare("The four seasons are spring, summer, autumn and")
    options, n = ("winter.", "winter,", "winter;"), 60
    with LocalServer(small_model(), context=256, threads=1) as server:
        found = ask_one(server.backend(), ScoreRequest(prompt, options, "continuation"))
        texts = ask(
            server.backend(), [SampleRequest(prompt, i, max_tokens=4, seed=3) for i in range(n)]
        ).complete()
    said = 0
    for one in texts:
        assert isinstance(one, Sample)
        said += one.text.lstrip().startswith(options)
    spread = math.sqrt(found.covered * (1 - found.covered) / n)
    assert abs(said / n - found.covered) < 4 * spread + found.unlisted
