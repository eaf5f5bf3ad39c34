r"""The Bayes mixture on real models, token by token, with exact probabilities (R13).

Sampling from :math:`\sum_k \omega_k(t)\,\pi_k(\cdot \mid y_{<t})` needs no whole vocabulary: draw
a group from :math:`\omega(t)`, let its model draw the token, and ask every other group's model how
likely it finds *that* token. llama.cpp says so exactly, with the softmax over the whole vocabulary,
when the token is forced by a large logit bias, because it reports probabilities from before the
bias. So a token costs one call a group, and the alternatives it truncates are never needed.

What is exact: the law, at temperature 1 and top-p 1, up to the rounding of the server's single
precision softmax (a whole vocabulary sums to 1 within 2·10⁻⁴). Other temperatures need whole
vocabularies of every model (`mixers.sharpened`) and are refused here; routing takes them all.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP

__all__ = ["GroupTokens", "LlamaTokens", "Mixed", "bayes_response"]

FloatArray = NDArray[np.float64]

FORCING = 1e5
"""A logit bias no other token can beat."""


LONGEST_REPLY = 64_000_000
EVERY = 10**6
"""More alternatives than any vocabulary has."""


class GroupTokens(Protocol):
    """K models over one vocabulary that can draw a token and judge one."""

    async def draw(self, group: int, said: tuple[int, ...], seed: int) -> tuple[int, float, bool]:
        """Return a token of one group, its log-probability, and whether it ends the response."""

    async def judge(self, group: int, said: tuple[int, ...], token: int) -> float:
        """Return the log-probability of a token under one group."""


@final
@dataclass(frozen=True, eq=False)
class Mixed:
    """One response of the Bayes mixture.

    Attributes
    ----------
    tokens : tuple of int
        What was said, the end token included where it came.
    weights : (T + 1, K) array
        The posterior before every token and after the last.
    calls : int
        Model calls it took.
    """

    tokens: tuple[int, ...]
    weights: FloatArray
    calls: int


async def bayes_response(
    models: GroupTokens, target: ArrayLike, *, longest: int, seed: int
) -> Mixed:
    """Sample one response of the Bayes mixture.

    Parameters
    ----------
    models : GroupTokens
        The groups' models.
    target : (K,) array
        The mixture; groups without weight are never asked.
    longest : int
        Tokens after which it is cut off.
    seed : int
        Of everything random.

    Returns
    -------
    Mixed. Its law is the mixture of whole responses: that of routing.
    """
    omega = np.asarray(target, dtype=np.float64)
    if omega.ndim != 1 or not np.all(omega >= 0.0) or abs(omega.sum() - 1.0) > 1e-9:
        raise BadInput("target: give one share per group, together 1")
    rng = np.random.default_rng(seed)
    said: tuple[int, ...] = ()
    path, calls, ended = [omega], 0, False
    while len(said) < longest and not ended:
        k = int(rng.choice(omega.size, p=omega))
        token, own, ended = await models.draw(k, said, int(rng.integers(2**31)))
        others = [j for j in range(omega.size) if j != k and omega[j] > 0.0]
        judged = await asyncio.gather(*(models.judge(j, said, token) for j in others))
        logs = np.full(omega.size, -math.inf)
        logs[k] = own
        logs[others] = judged
        joint = np.where(omega > 0.0, omega * np.exp(logs - logs.max()), 0.0)
        omega = joint / joint.sum()
        said = (*said, token)
        path.append(omega)
        calls += 1 + len(others)
    return Mixed(said, np.array(path), calls)


@final
class LlamaTokens:
    """The groups of one llama.cpp server, by its adapters.

    Parameters
    ----------
    backend : OpenAIHTTP
        Of the server (`LocalServer.backend()`).
    scales : sequence of tuple of float
        Each group's scale of every adapter (`LocalServer.scales`).
    prompt : sequence of int
        The prompt's tokens (`LlamaTokens.tokens_of`).
    """

    def __init__(
        self, backend: OpenAIHTTP, scales: Sequence[tuple[float, ...]], prompt: Sequence[int]
    ) -> None:
        self._server = _native(backend)
        self._scales = [
            [{"id": i, "scale": s} for i, s in enumerate(row)] for row in scales
        ]  # fmt: skip
        self._prompt = list(prompt)
        self._plain = -1

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def draw(self, group: int, said: tuple[int, ...], seed: int) -> tuple[int, float, bool]:
        """As `GroupTokens` says."""
        reply = await self._one(group, said, {"seed": seed, "samplers": ["temperature"]})
        token = int(reply["tokens"][0])
        log = _own(reply, token)
        if log is None:
            log = await self._in_whole(group, said, token)
        return token, log, reply.get("stop_type") == "eos"

    async def judge(self, group: int, said: tuple[int, ...], token: int) -> float:
        """As `GroupTokens` says."""
        reply = await self._one(group, said, {"logit_bias": [[token, FORCING]]})
        if [int(t) for t in reply["tokens"]] != [token]:
            raise BadInput(f"the server did not take token {token}; it cannot judge tokens")
        log = _own(reply, token)
        return await self._in_whole(group, said, token) if log is None else log

    async def response(self, group: int, *, longest: int, seed: int) -> tuple[int, ...]:
        """Return what one group's model says by itself, as routing lets it."""
        more = {"seed": seed, "samplers": ["temperature"], "n_predict": longest}
        return tuple(int(token) for token in (await self._one(group, (), more))["tokens"])

    async def _in_whole(self, group: int, said: tuple[int, ...], token: int) -> float:
        """Find a token in the whole vocabulary.

        Of a token that is part of a character llama.cpp says nothing when it is the last.
        """
        if self._plain < 0:
            found = await self._server.raw("/tokenize", {"content": "a"})
            self._plain = int(found["tokens"][-1])
        more = {"logit_bias": [[self._plain, FORCING]], "n_probs": EVERY}
        reply = await self._one(group, said, more)
        every = reply["completion_probabilities"][0]["top_logprobs"]
        return next((float(one["logprob"]) for one in every if one["id"] == token), -math.inf)

    async def _one(
        self, group: int, said: tuple[int, ...], more: Mapping[str, Any]
    ) -> dict[str, Any]:
        return await self._server.raw("/completion", {
            "prompt": [*self._prompt, *said], "n_predict": 1, "n_probs": 1, "temperature": 1.0,
            "cache_prompt": False, "return_tokens": True, "lora": self._scales[group], **more,
        })  # fmt: skip

    @staticmethod
    async def tokens_of(backend: OpenAIHTTP, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the tokens of a conversation as the server's chat template writes it."""
        server = _native(backend)
        try:
            written = await server.raw("/apply-template", {"messages": list(messages)})
            found = await server.raw("/tokenize", {
                "content": written["prompt"], "add_special": False, "parse_special": True,
            })  # fmt: skip
        finally:
            await server.close()
        return [int(token) for token in found["tokens"]]


def _native(backend: OpenAIHTTP) -> OpenAIHTTP:
    """Return the same server by its own endpoints; a whole vocabulary is a long reply."""
    url = backend.endpoint.url.removesuffix("/v1")
    return OpenAIHTTP(Endpoint(url, "local", flavour="llama.cpp", body_limit=LONGEST_REPLY))


def _own(reply: dict[str, Any], token: int) -> float | None:
    """Return the log-probability a reply gives of its token; None where it gives none."""
    given = reply.get("completion_probabilities")
    return float(given[0]["logprob"]) if given and int(given[0]["id"]) == token else None
