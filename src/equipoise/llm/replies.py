"""Reading replies of OpenAI-compatible servers: every field is checked, none is guessed.

Two log-probability formats exist: chat (`logprobs.content[].top_logprobs`, which llama.cpp also
uses for completions) and legacy (`logprobs.top_logprobs`, a mapping a token). An absent field
means "unsupported" and raises; it never becomes a zero.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeGuard

from equipoise.display import shortened
from equipoise.llm.answers import SLACK, OptionScores, Sample, Usage
from equipoise.llm.failures import CallFailed, FailureKind, Unsupported

__all__ = [
    "Alternative",
    "alternatives",
    "kind_of",
    "parsed",
    "read_sample",
    "refused",
    "scores",
    "usage_of",
]

Alternative = tuple[str, float]
"""A token's text and its log-probability."""

MOST_TOKENS = 10**9
_THINK = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)\s*", re.S)


def malformed(what: str) -> NoReturn:
    """Raise the failure of a reply that is not what it should be."""
    raise CallFailed(FailureKind.MALFORMED, f"malformed reply: {what}")


def parsed(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object without NaN, or raise; an error inside it is raised too."""
    try:
        data = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        malformed(f"not JSON ({shortened(str(error), 80)})")
    if not isinstance(data, dict):
        malformed(f"JSON, but {type(data).__name__} instead of an object")
    if inside := data.get("error"):
        code = inside.get("code") if isinstance(inside, dict) else None
        limited = code in (429, "429", "rate_limit_exceeded")
        kind = FailureKind.RATE_LIMITED if limited else FailureKind.SERVER_ERROR
        raise CallFailed(kind, f"the server answered with an error: {error_text(data)}")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name}")


def error_text(data: Any) -> str:
    """Return the server's own words about an error, short and harmless."""
    error = data.get("error", data) if isinstance(data, dict) else data
    said = error.get("message", error) if isinstance(error, dict) else error
    return shortened(said if isinstance(said, str) else json.dumps(said), 160)


def choice(data: dict[str, Any]) -> dict[str, Any]:
    """Return the one choice of a reply."""
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices:
        malformed('"choices" is not a list with an entry')
    if len(choices) > 1:
        malformed(f"{len(choices)} choices where one was asked for")
    if not isinstance(choices[0], dict):
        malformed("the choice is not an object")
    return choices[0]


def usage_of(data: dict[str, Any]) -> Usage:
    """Return the tokens of a reply; `counted` is False where they are absent or absurd."""
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("completion_tokens_details")
    thought = details.get("reasoning_tokens", 0) if isinstance(details, dict) else 0
    asked, said = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if not (_plain(asked) and _plain(said)):
        return Usage()
    return Usage(asked, said, thought if _plain(thought) else 0, counted=True)


def _plain(number: Any) -> TypeGuard[int]:
    return type(number) is int and 0 <= number <= MOST_TOKENS


def alternatives(data: dict[str, Any], position: int = 0) -> list[Alternative]:
    """Return the alternatives of one token of a reply, most probable first.

    Raises
    ------
    Unsupported
        The reply has no log-probabilities at all.
    CallFailed
        What stands there cannot be probabilities.
    """
    given = choice(data).get("logprobs")
    if given is None:
        raise Unsupported("the reply has no log-probabilities; this endpoint does not give them")
    if not isinstance(given, dict):
        malformed('"logprobs" is not an object')
    if "content" in given or "tokens" not in given:
        pairs = _chat_format(given, position)
    else:
        pairs = _legacy_format(given, position)
    checked = [(text, _logprob(value)) for text, value in pairs]
    checked.sort(key=lambda pair: -pair[1])
    if sum(math.exp(value) for _, value in checked) > 1.0 + 10 * SLACK:
        malformed("the alternatives have more than probability 1 together")
    return checked


def _chat_format(given: dict[str, Any], position: int) -> list[tuple[str, Any]]:
    content = given.get("content")
    if content is None:
        raise Unsupported("the reply's log-probabilities are null; this endpoint gives none")
    if not isinstance(content, list) or len(content) <= position:
        malformed("log-probabilities of no token")
    entry = content[position]
    listed = entry.get("top_logprobs") if isinstance(entry, dict) else None
    if not listed:
        raise Unsupported("the reply gives no alternatives (top_logprobs); none can be scored")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        malformed('"top_logprobs" is not a list of objects')
    seen: set[Any] = set()
    pairs: list[tuple[str, Any]] = []
    for item in listed:
        text, value = _text(item), item.get("logprob")
        # The same token twice is one token; two tokens may look alike and differ in number.
        token = item.get("id")
        same = token if type(token) is int else (text, repr(value))
        if same not in seen:
            seen.add(same)
            pairs.append((text, value))
    return pairs


def _legacy_format(given: dict[str, Any], position: int) -> list[tuple[str, Any]]:
    listed = given.get("top_logprobs")
    if not listed:
        raise Unsupported("the reply gives no alternatives (top_logprobs); none can be scored")
    entry = listed[position] if isinstance(listed, list) and len(listed) > position else None
    if not isinstance(entry, dict) or not entry:
        malformed('"top_logprobs" is not a list of objects')
    return list(entry.items())


def _text(item: dict[str, Any]) -> str:
    raw = item.get("bytes")
    if isinstance(raw, list) and raw and all(type(b) is int and 0 <= b <= 255 for b in raw):
        return bytes(raw).decode("utf-8", "replace")
    token = item.get("token")
    if not isinstance(token, str):
        malformed("an alternative has no text")
    return token


def _logprob(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        malformed("a log-probability is not a number")
    if value > SLACK:
        malformed(f"a log-probability of {value:.3g} is above 0")
    return min(0.0, float(value))


def scores(found: Sequence[Alternative], options: Sequence[str], usage: Usage) -> OptionScores:
    """Return the options' probabilities among alternatives of the first token.

    A token names an option when, without spaces around it, it is the option, or begins this
    option and no other.

    Raises
    ------
    CannotScore
        They cover less than 0.5.
    """
    masses: dict[str, float] = {}
    total = 0.0
    for token, logprob in found:
        mass = math.exp(logprob)
        total += mass
        bare = token.strip()
        named = [o for o in options if bare and o.startswith(bare)]
        if len(named) == 1:
            masses[named[0]] = masses.get(named[0], 0.0) + mass
    ordered = {o: min(1.0, masses[o]) for o in options if o in masses}
    missing = tuple(o for o in options if o not in masses)
    return OptionScores(ordered, missing, min(1.0, max(0.0, 1.0 - total)), usage)


def refused(data: dict[str, Any]) -> bool:
    """Whether the server marked its reply as a refusal."""
    found = choice(data)
    message = found.get("message")
    marked = isinstance(message, dict) and bool(message.get("refusal"))
    return marked or found.get("finish_reason") == "content_filter"


def read_sample(data: dict[str, Any], *, chat: bool) -> Sample:
    """Return the text of a reply, its reasoning kept apart, a refusal marked."""
    found = choice(data)
    finish = found.get("finish_reason")
    if finish is not None and not isinstance(finish, str):
        malformed('"finish_reason" is not a text')
    message = found.get("message") if chat or "text" not in found else {"content": found["text"]}
    if not isinstance(message, dict):
        malformed('"message" is not an object')
    text = _content(message.get("content"))
    refusal = message.get("refusal")
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(thought, str) or not (refusal is None or isinstance(refusal, str)):
        malformed("the reasoning or the refusal is not a text")
    refused = bool(refusal) or finish == "content_filter"
    if text is None and not refused and not thought:
        malformed("no text")
    text = text or ""
    if inline := _THINK.match(text):
        thought, text = thought + inline[1].strip(), text[inline.end() :]
    return Sample(refusal or text, finish or "", refused, thought, usage_of(data))


def _content(given: Any) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(part, dict) for part in given):
        texts = [part.get("text", "") for part in given if part.get("type", "text") == "text"]
        if all(isinstance(text, str) for text in texts):
            return "".join(texts)
    malformed("the content is not a text")


def kind_of(status: int, headers: Mapping[str, str]) -> FailureKind | None:
    """Return what kind of failure a status is, or None for a JSON reply."""
    if status == 200:
        # We ask for no encoding: a small body could unpack to any size.
        packed = headers.get("content-encoding", "identity") != "identity"
        if packed or "json" not in headers.get("content-type", "").lower():
            return FailureKind.CONTENT_TYPE
        return None
    if 300 <= status < 400:
        return FailureKind.REDIRECT
    if status in (401, 403, 404, 405, 407):
        return FailureKind.NOT_ALLOWED
    if status == 408:
        return FailureKind.TIMEOUT
    if status == 429:
        return FailureKind.RATE_LIMITED
    if 400 <= status < 500:
        return FailureKind.REFUSED_REQUEST
    return FailureKind.SERVER_ERROR
