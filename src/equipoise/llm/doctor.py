"""What an endpoint can measure: asked, not believed.

A few small questions show whether log-probabilities come with conversations and with bare texts,
how many alternatives, whether the same question gives the same numbers in any order, how fast it
is, and so how options will be measured: by exact scores or by counting samples.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, final

from equipoise.display import Tabled
from equipoise.llm import replies
from equipoise.llm.answers import OptionScores
from equipoise.llm.backend import Capabilities
from equipoise.llm.failures import CallFailed, CannotScore, FailureKind
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.llm.spoken import body_of

__all__ = ["Diagnosis", "examine", "flavour_of"]

ASKED = (100, 20, 5)
"""How many alternatives are asked for, the most first."""

SAME = 6
"""How often the same question is asked to see whether its answer stays the same."""

OPTIONS = ("A", "B", "C")


@final
@dataclass(frozen=True)
class Diagnosis(Tabled):
    """What was found.

    Parameters
    ----------
    capabilities : Capabilities
        What the endpoint can be asked.
    flavour : str
        Which kind of server it seems to be.
    estimator : str
        "scores" or "counts": how options will be measured.
    why : str
        What decided it.
    covered : float
        Probability the option letters cover on the trial question; 0 where it was not scored.
    deterministic : str
        "yes", "no" (same question, other numbers) or "not tried".
    spread : float
        Largest difference of a probability between repetitions.
    calls_per_second, tokens_per_second : float
        Eight calls in flight; prompt and completion tokens together.
    reasoning : bool
        It thinks before it answers.
    notes : tuple of str
        What failed, in words.
    """

    capabilities: Capabilities
    flavour: str
    estimator: str
    why: str
    covered: float
    deterministic: str
    spread: float
    calls_per_second: float
    tokens_per_second: float
    reasoning: bool
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with the date."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        return dataclasses.asdict(self) | {"date": today}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return its only row."""
        keys = ("flavour", "estimator", "why", "covered", "deterministic", "spread",
                "calls_per_second", "tokens_per_second", "reasoning")  # fmt: skip
        return [{key: getattr(self, key) for key in keys}]


def trial(number: int = 0) -> Prompt:
    """Return a question like those of a survey."""
    things = ("parks", "roads", "schools", "museums", "bridges", "libraries", "trains", "pools")
    return Prompt.chat(
        f"Does our town spend too little, about the right amount, or too much on "
        f"{things[number % len(things)]}?\nA. too little\nB. about right\nC. too much\n"
        "Answer with one letter: A, B or C."
    )


def bare(prompt: Prompt) -> Prompt:
    """Return the same question as a text to be continued."""
    return Prompt.bare(prompt.messages[-1].text + "\nAnswer:")


def bare_trial(number: int = 0) -> Prompt:
    """Return the trial question as a text to be continued."""
    return bare(trial(number))


Asking = Callable[[int], Prompt]


async def examine(backend: OpenAIHTTP) -> Diagnosis:
    """Ask the endpoint a few small questions.

    Raises
    ------
    CallFailed
        It cannot be reached, or refuses the key.
    """
    notes: list[str] = []
    try:
        flavour = await flavour_of(backend)
    finally:
        await backend.close()
    local = backend.capabilities.free
    endpoint = dataclasses.replace(backend.endpoint, flavour=flavour)
    probe = OpenAIHTTP(endpoint, identity=backend.identity)
    try:
        talks = SampleRequest(trial(), max_tokens=16, seed=1)
        chat = await _tried(probe, talks, notes, "chat")
        text = await _tried(
            probe, dataclasses.replace(talks, prompt=bare(trial())), notes, "completions"
        )
        found = Capabilities(
            chat=chat is not None,
            completions=text is not None,
            chat_scores=await _most(probe, trial(), endpoint) if chat is not None else 0,
            completion_scores=await _most(probe, bare(trial()), endpoint)
            if text is not None
            else 0,
            free=local,
        )
        return await _measured(probe, found, flavour, bool(chat and chat.reasoning), notes)
    finally:
        await probe.close()


async def flavour_of(backend: OpenAIHTTP) -> str:
    """Return what kind of server it is, from what it says of itself."""
    given = backend.endpoint.flavour
    if given != "other":
        return given
    try:
        listed = (await backend.get("/models")).get("data")
    except CallFailed as error:
        if error.kind in (FailureKind.NOT_ALLOWED, FailureKind.MALFORMED):
            return given
        raise
    owners = {str(m.get("owned_by")) for m in listed or [] if isinstance(m, dict)}
    owned = {"llamacpp": "llama.cpp", "vllm": "vllm", "library": "ollama", "openai": "openai"}
    return next((owned[owner] for owner in sorted(owners) if owner in owned), given)


async def _tried(probe: OpenAIHTTP, request: Request, notes: list[str], what: str) -> Any:
    try:
        return await probe.answer(request)
    except CallFailed as error:
        if error.kind in (FailureKind.CONNECTION, FailureKind.TIMEOUT):
            raise
        notes.append(f"{what}: {error}")
        return None


async def _most(probe: OpenAIHTTP, prompt: Prompt, endpoint: Endpoint) -> int:
    """Return how many alternatives come back, asking for many first."""
    path = "/chat/completions" if prompt.messages else "/completions"
    for number in ASKED:
        body = body_of(ScoreRequest(prompt, OPTIONS), endpoint, number)
        try:
            found = replies.alternatives(await probe.raw(path, body))
        except CallFailed:
            continue
        return min(number, len(found))
    return 0


async def _measured(
    probe: OpenAIHTTP, found: Capabilities, flavour: str, thinks: bool, notes: list[str]
) -> Diagnosis:
    # Of two ways to score, conversations come first: they are how a model is used.
    ways = ((found.chat_scores, trial), (found.completion_scores, bare_trial))
    covered, spread, same = 0.0, 0.0, "not tried"
    why = "the endpoint gives no log-probabilities"
    scored: Asking | None = None
    scorer = OpenAIHTTP(probe.endpoint, capabilities=found, identity=probe.identity)
    try:
        for most, ask_about in ways:
            if not most:
                continue
            try:
                first = await scorer.score_options(ask_about(0), OPTIONS)
            except CannotScore as error:
                covered = max(covered, error.observed.covered)
                why = f"the letters cover {covered:.3f} of the probability, less than 0.5"
                continue
            scored, covered = ask_about, first.covered
            why = f"the letters cover {covered:.3f} of the probability"
            same, spread = await _repeated(scorer, ask_about, first)
            break
        calls, tokens = await _speed(scorer, scored, trial if found.chat else bare_trial)
    finally:
        await scorer.close()
    # A way in which the letters are not covered must not be offered.
    found = dataclasses.replace(
        found,
        chat_scores=found.chat_scores if scored is trial else 0,
        completion_scores=found.completion_scores if scored else 0,
        # llama.cpp writes a conversation out as a text, to which words can be added.
        continuation=flavour == "llama.cpp" and bool(found.completion_scores and scored),
    )
    return Diagnosis(
        capabilities=found,
        flavour=flavour,
        estimator=found.estimator,
        why=why,
        covered=covered,
        deterministic=same,
        spread=spread,
        calls_per_second=calls,
        tokens_per_second=tokens,
        reasoning=thinks,
        notes=tuple(notes),
    )


async def _repeated(
    scorer: OpenAIHTTP, ask_about: Asking, first: OptionScores
) -> tuple[str, float]:
    """Ask the same question among others, at the same time."""
    asked: list[Awaitable[OptionScores]] = []
    for n in range(SAME):
        asked += [
            scorer.score_options(ask_about(n + 1), OPTIONS),
            scorer.score_options(ask_about(0), OPTIONS),
        ]
    try:
        found = await asyncio.gather(*asked)
    except (CallFailed, CannotScore):
        return "not tried", 0.0
    spread = max(
        abs(again.probabilities.get(o, 0.0) - first.probabilities.get(o, 0.0))
        for again in found[1::2]
        for o in OPTIONS
    )
    return ("yes" if spread == 0.0 else "no"), spread


async def _speed(
    scorer: OpenAIHTTP, scored: Asking | None, ask_about: Asking
) -> tuple[float, float]:
    """Return calls and tokens a second with eight calls in flight."""
    requests: list[Request] = [
        ScoreRequest(scored(n), OPTIONS)
        if scored
        else SampleRequest(ask_about(n), draw=n, max_tokens=8)
        for n in range(16)
    ]
    gate = asyncio.Semaphore(8)

    async def one(request: Request) -> int:
        async with gate:
            try:
                usage = (await scorer.answer(request)).usage
            except CannotScore as error:
                usage = error.observed.usage
            return usage.prompt_tokens + usage.completion_tokens

    start = time.perf_counter()
    try:
        tokens = sum(await asyncio.gather(*(one(request) for request in requests)))
    except CallFailed:
        return 0.0, 0.0
    seconds = time.perf_counter() - start
    return len(requests) / seconds, tokens / seconds
