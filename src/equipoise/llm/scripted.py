"""A scripted backend: known probabilities, known failures, no model.

What it answers depends only on its script, its seed and the request, never on order, time or how
many calls are in flight. It is what tests measure, and what shows that a measurement tells a model
that follows its prompt from one that answers by position.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

from equipoise.errors import BadInput
from equipoise.llm.answers import Answer, OptionScores, Sample, Usage
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.failures import CallFailed, FailureKind
from equipoise.llm.requests import (
    Prompt,
    Request,
    ScoreRequest,
    canonical,
    fingerprint,
)

__all__ = ["Chances", "Scripted", "offered"]

Chances = Callable[[Prompt, Sequence[str]], Sequence[float]]
"""(prompt, options) -> how likely each option is; what is left to 1 is something else."""

_LINE = re.compile(r"^\s*([A-Z])[.):] ", re.M)


def offered(prompt: Prompt) -> tuple[str, ...]:
    r"""Return the lettered options a prompt offers, in their order.

    Examples
    --------
    >>> offered(Prompt.chat("Spending is\nA. too little\nB. too much"))
    ('A', 'B')
    """
    return tuple(dict.fromkeys(_LINE.findall(prompt.shown())))


@final
class Scripted(Backend):
    """A backend that plays a script.

    Parameters
    ----------
    chances : callable
        (prompt, options) -> probabilities of the options, summing to at most 1.
    name : str
        Part of its identity.
    seed : int
        Of sampled texts.
    refuses : float
        Share of sampled texts that are refusals.
    unparsed : float
        Share of sampled texts that name no option.
    fails : sequence of FailureKind
        The first attempts at every request fail with these, one after another.
    delay : float
        Seconds a call takes.
    scores : bool
        Whether it gives probabilities.
    log : Path, optional
        Every call is noted here, a line each, before it is answered.

    Examples
    --------
    >>> import asyncio
    >>> asked = Scripted.by_position([0.7, 0.3]).score_options(Prompt.chat("?"), ("A", "B"))
    >>> dict(asyncio.run(asked).probabilities)
    {'A': 0.7, 'B': 0.3}
    """

    def __init__(
        self,
        chances: Chances,
        *,
        name: str = "scripted",
        seed: int = 0,
        refuses: float = 0.0,
        unparsed: float = 0.0,
        fails: Sequence[FailureKind] = (),
        delay: float = 0.0,
        scores: bool = True,
        log: Path | None = None,
    ) -> None:
        if not 0.0 <= refuses + unparsed <= 1.0:
            raise BadInput("scripted: refuses and unparsed are shares of at most 1 together")
        self.chances = chances
        self.name = name
        self.seed = seed
        self.refuses = refuses
        self.unparsed = unparsed
        self.fails = tuple(fails)
        self.delay = delay
        self.log = log
        self.calls = 0
        self._scores = scores
        self._attempts: Counter[bytes] = Counter()

    @classmethod
    def uniform(cls, **settings: Any) -> Self:
        """Return one that finds all options equally likely."""
        return cls(lambda _, options: [1.0 / len(options)] * len(options), **settings)

    @classmethod
    def by_position(cls, weights: Sequence[float], **settings: Any) -> Self:
        """Return one that looks only at where an option stands.

        Weights beyond the options offered are dropped and the others scaled to sum to 1.
        """

        def chances(_: Prompt, options: Sequence[str]) -> list[float]:
            kept = list(weights[: len(options)]) + [0.0] * (len(options) - len(weights))
            return [weight / sum(kept) for weight in kept]

        return cls(chances, **settings)

    @classmethod
    def by_seed(cls, *, seed: int = 0, **settings: Any) -> Self:
        """Return one with fixed, random probabilities for every prompt."""

        def chances(prompt: Prompt, options: Sequence[str]) -> list[float]:
            rng = _rng(seed, [prompt.to_dict(), list(options)])
            raw = [rng.expovariate(1.0) for _ in options]
            return [x / sum(raw) for x in raw]

        return cls(chances, seed=seed, **settings)

    @classmethod
    def by_persona(cls, personas: Mapping[str, Sequence[float]], **settings: Any) -> Self:
        """Return one that follows the first persona its prompt names, and is uniform without."""

        def chances(prompt: Prompt, options: Sequence[str]) -> list[float]:
            said = prompt.shown()
            for persona, weights in personas.items():
                if persona in said:
                    return list(weights)
            return [1.0 / len(options)] * len(options)

        return cls(chances, **settings)

    @property
    def identity(self) -> dict[str, Any]:
        """Name and seed."""
        return {"kind": "scripted", "name": self.name, "seed": self.seed}

    @property
    def capabilities(self) -> Capabilities:
        """Everything, or everything but probabilities."""
        most = 20 if self._scores else 0
        return Capabilities(True, True, most, most, continuation=self._scores, free=True)

    async def answer(self, request: Request) -> Answer:
        """Play the script."""
        self.capabilities.check(request)
        self.calls += 1
        name = fingerprint(canonical([request.to_dict(), request.draw]))
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(name.hex() + "\n")
        if self.delay:
            await asyncio.sleep(self.delay)
        attempt = self._attempts[name]
        self._attempts[name] += 1
        if attempt < len(self.fails):
            kind = self.fails[attempt]
            raise CallFailed(kind, f"scripted: {kind.value}")
        words = len(request.prompt.shown().split())
        usage = Usage(words, 1, counted=True)
        if isinstance(request, ScoreRequest):
            found = self._chances(request.prompt, request.options)
            return OptionScores(found, (), max(0.0, 1.0 - sum(found.values())), usage)
        return self._sampled(request, usage)

    def _chances(self, prompt: Prompt, options: Sequence[str]) -> dict[str, float]:
        values = [float(p) for p in self.chances(prompt, options)]
        if len(values) != len(options):
            raise BadInput("scripted: the script must give one probability per option")
        return dict(zip(options, values, strict=True))

    def _sampled(self, request: Request, usage: Usage) -> Sample:
        rng = _rng(self.seed, [request.to_dict(), request.draw])
        luck = rng.random()
        if luck < self.refuses:
            return Sample("I cannot answer that.", "stop", True, usage=usage)
        if luck < self.refuses + self.unparsed:
            return Sample("It depends on many things.", usage=usage)
        options = offered(request.prompt)
        if not options:
            return Sample("Yes.", usage=usage)
        found = self._chances(request.prompt, options)
        rest = max(0.0, 1.0 - sum(found.values()))
        said = rng.choices([*options, "It depends."], [*found.values(), rest])[0]
        return Sample(said, usage=usage)


def _rng(seed: int, data: Any) -> random.Random:
    return random.Random(fingerprint(canonical([seed, data])))
