"""The Bayes mixture from draws and judgements alone, without whole vocabularies.

Witness: the enumerated mixture of whole responses; and on the real model the server's own routing.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.realise.token_mixture import bayes_response
from tests.realise.mixers_test import END, V, by_definition, model

LONGEST = 4
COMPLETIONS = 10_000
FEW = 20
PROMPT = [10539, 355, 787, 47]
"""Yes or no?"""


class Tables:
    """Models whose tables are known."""

    def __init__(self, seed: int, k: int) -> None:
        self.laws = functools.cache(model(seed, k))
        self.asked: Counter[int] = Counter()

    async def draw(self, group: int, said: tuple[int, ...], seed: int) -> tuple[int, float, bool]:
        self.asked[group] += 1
        law = self.laws(said)[group]
        token = int(np.random.default_rng(seed).choice(V, p=law))
        return token, math.log(law[token]), token == END

    async def judge(self, group: int, said: tuple[int, ...], token: int) -> float:
        self.asked[group] += 1
        return math.log(self.laws(said)[group, token])


def test_draws_and_judgements_give_the_mixture_of_responses() -> None:
    from scipy.stats import chisquare

    models, x, n = Tables(3, 3), np.array([0.2, 0.5, 0.3]), 3000
    law = by_definition(models.laws, x)

    async def run() -> Counter[tuple[int, ...]]:
        return Counter([
            (await bayes_response(models, x, longest=LONGEST, seed=i)).tokens for i in range(n)
        ])  # fmt: skip

    counts = asyncio.run(run())
    often = [y for y, p in law.items() if n * p >= 5]
    seen = [counts[y] for y in often] + [n - sum(counts[y] for y in often)]
    wanted = [n * law[y] for y in often] + [n * (1 - sum(law[y] for y in often))]
    assert chisquare(seen, wanted).pvalue > 0.01


def test_the_posterior_is_bayes_rule_and_unused_groups_are_not_asked() -> None:
    models, x = Tables(8, 3), np.array([0.6, 0.0, 0.4])
    found = asyncio.run(bayes_response(models, x, longest=LONGEST, seed=2))
    likely = np.prod(
        [models.laws(found.tokens[:t])[:, y] for t, y in enumerate(found.tokens)], axis=0
    )  # fmt: skip
    np.testing.assert_allclose(found.weights[-1], x * likely / (x @ likely), atol=1e-12)
    assert models.asked[1] == 0
    assert found.calls == 2 * len(found.tokens)
    with pytest.raises(BadInput, match="one share per group"):
        asyncio.run(bayes_response(models, [0.5, 0.6, 0.1], longest=2, seed=0))


@pytest.mark.soak
def test_routing_and_bayes_are_the_same_law_on_the_real_model(
    tmp_path: Path, record_figure: Callable[[str, Any], None]
) -> None:
    """10⁴ completions of two tokens each way, by the same llama.cpp server; two-sample test.

    The adapters are random; their next tokens are .66 to .90 apart in total variation.
    """
    pytest.importorskip("httpx2", reason="needs the extra llm")
    from scipy.stats import chi2_contingency

    from equipoise.llm.local_server import LocalServer
    from equipoise.measure.agents import idle_cores
    from equipoise.realise.token_mixture import LlamaTokens
    from tests.llm.small_adapter import random_adapter
    from tests.llm.small_model import small_model

    n, x = COMPLETIONS, np.array([0.5, 0.3, 0.2])
    files = {f"g{i}": random_adapter(tmp_path / f"{i}.gguf", i, size=0.35) for i in range(3)}
    with LocalServer(
        small_model(), adapters=files, context=128, slots=4, threads=idle_cores()
    ) as server:
        models = Remembering(
            LlamaTokens(server.backend(), [server.scales(g) for g in files], PROMPT)
        )

        drawn = np.random.default_rng(0).choice(3, n, p=x).tolist()

        async def run() -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
            at_once = asyncio.Semaphore(4)

            async def bayes(i: int) -> tuple[int, ...]:
                async with at_once:
                    return (await bayes_response(models, x, longest=2, seed=i)).tokens

            async def routed(i: int, k: int) -> tuple[int, ...]:
                async with at_once:
                    return tuple(await models.inner.response(k, longest=2, seed=7 * n + i))

            try:
                one = await asyncio.gather(*(routed(i, k) for i, k in enumerate(drawn)))
                two = await asyncio.gather(*(bayes(i) for i in range(n)))
            finally:
                await models.inner.close()
            return list(one), list(two)

        routing, bayes = asyncio.run(run())
    p_value = two_samples(routing, bayes, chi2_contingency)
    # A planted error is seen: another mixture of the same groups.
    wrong = [y for y, k in zip(routing, drawn, strict=True) if k == 2]
    planted = two_samples(wrong, bayes, chi2_contingency)
    record_figure("bayes_and_routing_on_the_real_model", {
        "completions": n, "tokens": 2, "p_value": p_value, "different": len(set(routing)),
        "p_value_of_a_planted_error": planted,
    })  # fmt: skip
    assert planted < 1e-4
    assert p_value > 0.01


def two_samples(one: list[Any], two: list[Any], test: Any) -> float:
    """Pearson's two-sample test; rare responses are pooled by first token, and rare ones of these.

    What is pooled depends on both samples together only, so the test keeps its level.
    """
    a, b = Counter(one), Counter(two)
    rare = {y for y in {*a, *b} if a[y] + b[y] < FEW}
    first = Counter(y[0] for y in [*one, *two] if y in rare)
    cells: dict[Any, list[int]] = {}
    for y in {*a, *b}:
        key = y
        if y in rare:
            key = y[0] if first[y[0]] >= FEW else "rare"
        row = cells.setdefault(key, [0, 0])
        row[0] += a[y]
        row[1] += b[y]
    table = np.array([row for row in cells.values() if sum(row) >= FEW])
    return float(test(table.T).pvalue)


class Remembering:
    """Judgements are functions of their arguments: each is asked for once."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.known: dict[Any, float] = {}

    async def draw(self, group: int, said: tuple[int, ...], seed: int) -> tuple[int, float, bool]:
        token, log, ended = await self.inner.draw(group, said, seed)
        return int(token), float(log), bool(ended)

    async def judge(self, group: int, said: tuple[int, ...], token: int) -> float:
        key = (group, said, token)
        if key not in self.known:
            self.known[key] = await self.inner.judge(group, said, token)
        return self.known[key]
