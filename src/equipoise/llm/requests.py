"""What a model is asked: a prompt, and either the options to score or one text to sample.

A request is plain data. Its canonical JSON, with what is asked (the backend's identity) and the
number of the draw, is the name under which its answer is kept: nothing about workers, order or
time is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from equipoise.errors import BadInput, nearest

__all__ = [
    "REASONING",
    "Message",
    "Prompt",
    "Request",
    "SampleRequest",
    "ScoreRequest",
    "canonical",
    "fingerprint",
]

ROLES = ("system", "user", "assistant")
REASONING = ("default", "off", "on", "minimal", "low", "medium", "high")
"""How much a reasoning model is told to think; "default" sends nothing."""

MATCHES = ("first token", "continuation")


def canonical(data: Any) -> str:
    r"""Return JSON that is the same text for equal data: keys sorted, ASCII, no spaces.

    Examples
    --------
    >>> canonical({"b": 1, "a": "é"})
    '{"a":"\\u00e9","b":1}'
    """
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def fingerprint(text: str) -> bytes:
    """Return the sha256 of a canonical text."""
    return hashlib.sha256(text.encode("ascii")).digest()


@final
@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    text: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise BadInput(f'message: there is no role "{self.role}"; {nearest(self.role, ROLES)}')
        if not isinstance(self.text, str):
            raise BadInput(f"message: a text is needed, not {type(self.text).__name__}")


@final
@dataclass(frozen=True)
class Prompt:
    """A conversation, or a bare text to be continued: exactly one of the two.

    Examples
    --------
    >>> Prompt.chat("Do you agree?", system="Answer with one letter.").messages[0].role
    'system'
    >>> Prompt.bare("The sky is").text
    'The sky is'
    """

    messages: tuple[Message, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        if bool(self.messages) == bool(self.text):
            raise BadInput("prompt: give messages, or a text to be continued, and not both")

    @classmethod
    def chat(cls, user: str, *, system: str = "") -> Prompt:
        """Return a conversation of one question, after a system prompt if there is one."""
        first = (Message("system", system),) if system else ()
        return cls(messages=(*first, Message("user", user)))

    @classmethod
    def bare(cls, text: str) -> Prompt:
        """Return a text to be continued without any chat template."""
        return cls(text=text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        if self.messages:
            return {"messages": [[m.role, m.text] for m in self.messages]}
        return {"text": self.text}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prompt:
        """Return the prompt of `to_dict`."""
        if "messages" in data:
            return cls(messages=tuple(Message(role, text) for role, text in data["messages"]))
        return cls(text=data["text"])

    def shown(self) -> str:
        """Return everything the model reads, as one text."""
        return "\n".join(m.text for m in self.messages) or self.text


@final
@dataclass(frozen=True)
class ScoreRequest:
    """Ask how probable each option is as the next thing the model says.

    Parameters
    ----------
    prompt : Prompt
        Should ask for one of the options, e.g. for one letter.
    options : sequence of str
        At least two; none may begin another, or one token could stand for both.
    match : str
        "first token": the token that begins the answer names the option, alone. "continuation":
        the probability that the answer begins with the whole option.
    reasoning : str
        One of `REASONING`.
    stem : int
        So many characters of the last message stand at the beginning of other prompts too. A local
        server works them out once; elsewhere this changes nothing but the name of the answer.

    Examples
    --------
    >>> ScoreRequest(Prompt.chat("A. yes  B. no"), ("A", "B")).options
    ('A', 'B')
    """

    prompt: Prompt
    options: tuple[str, ...]
    match: str = "first token"
    reasoning: str = "default"
    stem: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _options(self.options))
        if self.match not in MATCHES:
            raise BadInput(f'match: there is no "{self.match}"; {nearest(self.match, MATCHES)}')
        _reasoning(self.reasoning)
        longest = len((self.prompt.messages or (Message("user", ""),))[-1].text)
        if not 0 <= self.stem <= longest:
            raise BadInput(f"stem: {self.stem}; the last message has {longest} characters")

    @property
    def draw(self) -> int:
        """A score has no chance in it: there is one draw."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": "score",
            "prompt": self.prompt.to_dict(),
            "options": list(self.options),
            "match": self.match,
            "reasoning": self.reasoning,
            **({"stem": self.stem} if self.stem else {}),
        }


@final
@dataclass(frozen=True)
class SampleRequest:
    """Ask for one text.

    Parameters
    ----------
    prompt : Prompt
        What to answer.
    draw : int
        Which repetition; each is an answer of its own.
    temperature, top_p : float
        Sampling; 1 and 1 are the model's own probabilities.
    max_tokens : int
        The longest answer, reasoning included.
    seed : int, optional
        Sent as seed + draw to servers that take one; a wish, not a promise.
    stop : tuple of str
        Texts that end the answer.
    reasoning : str
        One of `REASONING`.
    """

    prompt: Prompt
    draw: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: str = "default"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        if not 0.0 <= self.temperature <= 100.0 or not 0.0 < self.top_p <= 1.0:
            raise BadInput("sampling: write a temperature of at least 0 and a top_p in (0, 1]")
        if self.max_tokens < 1 or self.draw < 0:
            raise BadInput("sampling: max_tokens must be at least 1 and draw at least 0")
        _reasoning(self.reasoning)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the draw."""
        return {
            "kind": "sample",
            "prompt": self.prompt.to_dict(),
            "temperature": float(self.temperature),
            "top_p": float(self.top_p),
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop),
            "reasoning": self.reasoning,
        }


Request = ScoreRequest | SampleRequest


def _options(given: Sequence[str]) -> tuple[str, ...]:
    options = tuple(given)
    if len(options) < 2 or not all(isinstance(o, str) and o.strip() == o and o for o in options):
        raise BadInput("options: give at least two texts without spaces around them")
    for i, a in enumerate(options):
        for j, b in enumerate(options):
            if i != j and b.startswith(a):
                raise BadInput(
                    f'options: "{a}" begins "{b}", so one token could mean both; use letters'
                )
    return options


def _reasoning(given: str) -> None:
    if given not in REASONING:
        raise BadInput(f'reasoning: there is no "{given}"; {nearest(given, REASONING)}')
