"""What can go wrong when a model is asked, by kind, and what each kind allows.

A failed call is not an answer: it is raised, counted by its kind, and never stored. Two more are
no transport failures at all: `CannotScore` (the model answered, but not with the options) is an
observation, and `BudgetSpent` is a limit the user set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

from equipoise.errors import EquipoiseError

__all__ = [
    "BudgetSpent",
    "CallFailed",
    "CannotScore",
    "FailureKind",
    "NotScored",
    "StoreFailed",
    "Unsupported",
    "Usage",
]


class FailureKind(Enum):
    """Why a call gave no answer; the value is the word used in counts and tables."""

    RATE_LIMITED = "rate limited"
    SERVER_ERROR = "server error"
    TIMEOUT = "timeout"
    CONNECTION = "no connection"
    CUT_SHORT = "reply cut short"
    MALFORMED = "malformed reply"
    CONTENT_TYPE = "not JSON"
    TOO_LARGE = "reply too large"
    DUPLICATE = "reply to another question"
    REDIRECT = "redirect"
    REFUSED_REQUEST = "request refused"
    NOT_ALLOWED = "key or address refused"
    UNSUPPORTED = "no log-probabilities"

    @property
    def again(self) -> bool:
        """Whether the same call may go well a moment later."""
        return self in _AGAIN

    @property
    def ends_all(self) -> bool:
        """Whether every other call to this address would fail the same way."""
        return self in (FailureKind.NOT_ALLOWED, FailureKind.REDIRECT, FailureKind.UNSUPPORTED)

    @property
    def congestion(self) -> bool:
        """Whether fewer calls at once may help."""
        return self in (FailureKind.RATE_LIMITED, FailureKind.TIMEOUT)

    @property
    def may_have_cost(self) -> bool:
        """Whether the far side may have done, and charged, the whole work."""
        return self not in _FREE


_AGAIN = {
    FailureKind.RATE_LIMITED,
    FailureKind.SERVER_ERROR,
    FailureKind.TIMEOUT,
    FailureKind.CONNECTION,
    FailureKind.CUT_SHORT,
    FailureKind.MALFORMED,
    FailureKind.CONTENT_TYPE,
    FailureKind.DUPLICATE,
}
_FREE = {
    FailureKind.RATE_LIMITED,
    FailureKind.SERVER_ERROR,
    FailureKind.CONNECTION,
    FailureKind.REDIRECT,
    FailureKind.REFUSED_REQUEST,
    FailureKind.NOT_ALLOWED,
}


class CallFailed(EquipoiseError, RuntimeError):
    """A call gave no answer; `kind` says why, `wait` how long the server asked us to wait.

    Parameters
    ----------
    kind : FailureKind
        Why.
    sentence : str
        What happened, without anything secret.
    wait : float
        Seconds the server asked for; 0 when it did not.
    """

    def __init__(self, kind: FailureKind, sentence: str, *, wait: float = 0.0) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.wait = wait


class Unsupported(CallFailed):
    """The endpoint does not give what was asked for: absent is not zero."""

    def __init__(self, sentence: str) -> None:
        super().__init__(FailureKind.UNSUPPORTED, sentence)


@final
@dataclass(frozen=True)
class Usage:
    """Tokens of one call; `counted` is False where the server did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    counted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "counted": self.counted,
        }


@final
@dataclass(frozen=True)
class NotScored:
    """An observation: the options cover too little of what the model would say next.

    Parameters
    ----------
    covered : float
        Probability of all options together.
    probabilities : mapping of option to float
        As read; not renormalised.
    unlisted : float
        Probability of the alternatives the endpoint did not show.
    usage : Usage
        Tokens of the call.
    refused : bool
        The server marked its reply as a refusal.
    """

    covered: float
    probabilities: Mapping[str, float] = field(default_factory=dict)
    unlisted: float = 0.0
    usage: Usage = field(default=Usage(), compare=False)
    refused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": "not scored",
            "refused": self.refused,
            "covered": self.covered,
            "probabilities": dict(self.probabilities),
            "unlisted": self.unlisted,
            "usage": self.usage.to_dict(),
        }


class CannotScore(EquipoiseError, RuntimeError):
    """The endpoint answered, but its options cannot be scored this way.

    `observed` has the facts.
    """

    def __init__(self, observed: NotScored) -> None:
        super().__init__(
            "cannot be scored: the server marked its reply as a refusal"
            if observed.refused
            else f"cannot be scored this way: the options cover {observed.covered:.3f} of the "
            "probability, and at least 0.5 is needed; ask for one letter, or count samples"
        )
        self.observed = observed


class BudgetSpent(EquipoiseError, RuntimeError):
    """The next call could exceed a limit the user set; what was answered is kept."""


class StoreFailed(EquipoiseError, RuntimeError):
    """Answers cannot be kept (disk full, read-only, not our file); the message says what to do."""
