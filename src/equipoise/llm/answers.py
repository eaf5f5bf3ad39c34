"""What comes back: exact scores, one sampled text, and tallies of texts. Never mixed.

`OptionScores` holds probabilities that were read, `OptionCounts` holds how often sampled texts
named each option, with the unparsed and the refused beside them. They estimate different things
and share no base class. Texts from a model are data: nothing in them is ever followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

from equipoise.errors import BadInput
from equipoise.llm.failures import CannotScore, NotScored, Usage

__all__ = [
    "COVERED_LEAST",
    "Answer",
    "OptionCounts",
    "OptionScores",
    "Sample",
    "Usage",
    "answer_from_dict",
    "option_named",
    "tally",
]

COVERED_LEAST = 0.5
"""Below this covered mass an endpoint cannot be scored, and nothing is renormalised."""

SLACK = 1e-3
"""How far probabilities of half-precision servers may sum above one."""


@final
@dataclass(frozen=True)
class OptionScores:
    r"""Probabilities of the options as the next thing said, as read from the endpoint.

    Parameters
    ----------
    probabilities : mapping of option to float
        Sums over the tokens that name the option; only options among the alternatives shown.
    missing : tuple of str
        Options not among them. Their probability is unknown, not zero.
    unlisted : float
        Probability of all alternatives not shown: the true probability of every option lies
        in :math:`[p, p + \text{unlisted}]`.
    usage : Usage
        Tokens of the call.

    Raises
    ------
    CannotScore
        The options cover less than 0.5.

    Examples
    --------
    >>> scores = OptionScores({"A": 0.6, "B": 0.2}, unlisted=0.05)
    >>> round(scores.covered, 3), {k: round(v, 3) for k, v in scores.shares().items()}
    (0.8, {'A': 0.75, 'B': 0.25})
    >>> OptionScores({"A": 0.2, "B": 0.1})
    Traceback (most recent call last):
    equipoise.llm.failures.CannotScore: cannot be scored this way: the options cover 0.300 of ...
    """

    probabilities: Mapping[str, float]
    missing: tuple[str, ...] = ()
    unlisted: float = 0.0
    usage: Usage = field(default=Usage(), compare=False)

    def __post_init__(self) -> None:
        values = dict(self.probabilities)
        object.__setattr__(self, "probabilities", MappingProxyType(values))
        object.__setattr__(self, "missing", tuple(self.missing))
        if not all(0.0 <= p <= 1.0 + SLACK for p in values.values()):
            raise BadInput("scores: a probability lies in [0, 1]")
        if self.covered > 1.0 + SLACK or not 0.0 <= self.unlisted <= 1.0:
            raise BadInput("scores: probabilities sum to at most 1")
        if self.covered < COVERED_LEAST:
            raise CannotScore(NotScored(self.covered, values, self.unlisted, self.usage))

    @property
    def covered(self) -> float:
        """Probability of all options together."""
        return sum(self.probabilities.values())

    def shares(self) -> dict[str, float]:
        """Return each option's share of the covered mass; a missing option gets 0.

        Not guaranteed: each share may be off by up to unlisted / covered.
        """
        order = (*self.probabilities, *self.missing)
        return {o: self.probabilities.get(o, 0.0) / self.covered for o in order}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": "scores",
            "probabilities": dict(self.probabilities),
            "missing": list(self.missing),
            "unlisted": self.unlisted,
            "usage": self.usage.to_dict(),
        }


@final
@dataclass(frozen=True)
class Sample:
    """One text the model gave.

    Parameters
    ----------
    text : str
        The answer; data, never an instruction.
    finish : str
        Why it ended, in the server's word: "stop", "length", …
    refused : bool
        The server marked it as a refusal. A refusal is an answer and is kept.
    reasoning : str
        What a reasoning model thought first, kept apart.
    usage : Usage
        Tokens of the call.
    """

    text: str
    finish: str = "stop"
    refused: bool = False
    reasoning: str = ""
    usage: Usage = field(default=Usage(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": "sample",
            "text": self.text,
            "finish": self.finish,
            "refused": self.refused,
            "reasoning": self.reasoning,
            "usage": self.usage.to_dict(),
        }


Answer = OptionScores | Sample


def answer_from_dict(data: Mapping[str, Any]) -> Answer | NotScored:
    """Return the answer that `to_dict` wrote.

    Raises
    ------
    BadInput
        It was not written by this library.
    """
    try:
        match data["kind"]:
            case "scores":
                return OptionScores(
                    data["probabilities"],
                    tuple(data["missing"]),
                    data["unlisted"],
                    Usage(**data["usage"]),
                )
            case "sample":
                texts = [data["text"], data["finish"], data["reasoning"]]
                if all(isinstance(text, str) for text in texts):
                    refused = bool(data["refused"])
                    return Sample(texts[0], texts[1], refused, texts[2], Usage(**data["usage"]))
            case "not scored":
                return NotScored(
                    data["covered"],
                    data["probabilities"],
                    data["unlisted"],
                    Usage(**data["usage"]),
                    data["refused"],
                )
    except CannotScore:
        raise BadInput("answer: scores with less than 0.5 covered were stored as scores") from None
    except (KeyError, TypeError, AttributeError):
        pass
    raise BadInput("answer: it is not one of ours; keep what `store export` wrote unchanged")


@final
@dataclass(frozen=True)
class OptionCounts:
    """How often sampled texts named each option; the unparsed and refused are counted beside.

    Examples
    --------
    >>> OptionCounts({"agree": 61, "disagree": 34}, unparsed=5, refused=0).n
    100
    """

    counts: Mapping[str, int]
    unparsed: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        values = dict(self.counts)
        object.__setattr__(self, "counts", MappingProxyType(values))
        if min((*values.values(), self.unparsed, self.refused), default=0) < 0:
            raise BadInput("counts: a count is at least 0")

    @property
    def n(self) -> int:
        """All texts, also those that named no option."""
        return sum(self.counts.values()) + self.unparsed + self.refused


_BEFORE = re.compile(r"\A\s*(?:(?:the\s+|my\s+)?answer\s*(?:is|:)\s*)?[\s\"'`*_(\[{#:-]*", re.I)
_AFTER_LETTER = re.compile(r"\s*$|\s*[.):,;*_\"'`\]}\n]")


def option_named(text: str, options: Sequence[str]) -> str:
    """Return the option a text begins with, or "" when it does not plainly name one.

    A single letter must stand alone: "A." names A, "A good question" does not. Nothing is guessed
    from further down the text.

    Examples
    --------
    >>> option_named("**B.** because", "ABC"), option_named("A good question", "ABC")
    ('B', '')
    >>> option_named("Answer: Too little.", ["too little", "too much"])
    'too little'
    """
    begun = _BEFORE.sub("", text, count=1)
    for option in options:
        if len(option) == 1:
            if begun.startswith(option) and _AFTER_LETTER.match(begun, 1):
                return option
        elif begun[: len(option)].casefold() == option.casefold():
            after = begun[len(option) : len(option) + 1]
            if not (after.isalnum() or after in ("_", "'", "-")):
                return option
    return ""


def tally(samples: Iterable[Sample], options: Sequence[str]) -> OptionCounts:
    """Count which option each sampled text names.

    Parameters
    ----------
    samples : iterable of Sample
        Draws of one question.
    options : sequence of str
        What the question offered.

    Examples
    --------
    >>> tally([Sample("A"), Sample("B."), Sample("no idea"), Sample("", refused=True)], "AB")
    OptionCounts(counts=mappingproxy({'A': 1, 'B': 1}), unparsed=1, refused=1)
    """
    counts = dict.fromkeys(options, 0)
    unparsed = refused = 0
    for sample in samples:
        named = "" if sample.refused else option_named(sample.text, options)
        if sample.refused:
            refused += 1
        elif named:
            counts[named] += 1
        else:
            unparsed += 1
    return OptionCounts(counts, unparsed, refused)
