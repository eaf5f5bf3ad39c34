"""What was spent: calls, tokens, money, seconds, and calls that failed, by kind."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

from equipoise.errors import BadInput
from equipoise.llm.answers import Usage

__all__ = ["Ledger", "MemoryLedger", "Price", "Prices", "Spent"]


@final
@dataclass(frozen=True)
class Spent:
    """A sum of calls.

    Parameters
    ----------
    calls : int
        Requests sent, those that failed included.
    prompt_tokens, completion_tokens : int
        As the servers counted; of a call that may have been charged but was never answered, the
        most it can have used.
    cost : float
        US$.
    seconds : float
        Waiting time summed over calls; with several in flight more than the clock shows.
    failures : mapping of kind to int
        Calls without an answer.

    Examples
    --------
    >>> total = Spent(1, 10, 1, failures={"timeout": 1}) + Spent(2, failures={"timeout": 2})
    >>> total.calls, total.failures
    (3, {'timeout': 3})
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        kinds = sorted({*self.failures, *other.failures})
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.seconds + other.seconds,
            {k: self.failures.get(k, 0) + other.failures.get(k, 0) for k in kinds},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
            "seconds": self.seconds,
            "failures": dict(self.failures),
        }


class Ledger(Protocol):
    """Where spending is written down; a `Store` is one."""

    def note(self, label: str, spent: Spent) -> None:
        """Add to a label."""

    def spent(self, label: str | None = None) -> Spent:
        """Return the sum of a label, or of all."""


@final
class MemoryLedger:
    """A ledger that lasts as long as this process.

    Examples
    --------
    >>> ledger = MemoryLedger()
    >>> ledger.note("study", Spent(calls=2))
    >>> ledger.spent("study").calls, ledger.spent("other").calls
    (2, 0)
    """

    def __init__(self) -> None:
        self._sums: dict[str, Spent] = {}

    def note(self, label: str, spent: Spent) -> None:
        """Add to a label."""
        self._sums[label] = self._sums.get(label, Spent()) + spent

    def spent(self, label: str | None = None) -> Spent:
        """Return the sum of a label, or of all."""
        total = Spent()
        for name, part in self._sums.items():
            if label in (None, name):
                total += part
        return total


@final
@dataclass(frozen=True)
class Price:
    """US$ per million tokens."""

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """Return the cost of a call in US$."""
        return (self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens) / 1e6


@final
@dataclass(frozen=True)
class Prices:
    """The user's price table: model -> price. Nothing is shipped, because prices change.

    Examples
    --------
    >>> table = Prices({"m": Price(0.5, 1.5)})
    >>> table.of({"kind": "http", "model": "m"}, free=False).of(Usage(10**6, 10**6))
    2.0
    """

    table: Mapping[str, Price] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Prices:
        """Read a TOML file: `["model name"]`, `prompt = 0.15`, `completion = 0.6`.

        Raises
        ------
        BadInput
            No such file, another key, a price below 0.
        """
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput(f"{path}: it cannot be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: it is not TOML ({error})") from None
        table = {}
        for model, entry in data.items():
            if not isinstance(entry, dict) or not {"prompt", "completion"} <= entry.keys():
                raise BadInput(
                    f'{path}: ["{model}"] needs prompt and completion, US$ per million tokens'
                )
            pair = [entry["prompt"], entry["completion"]]
            if not all(type(x) in (int, float) and 0.0 <= x < 1e9 for x in pair):
                raise BadInput(f'{path}: the prices of "{model}" must be numbers of at least 0')
            table[model] = Price(*map(float, pair))
        return cls(table)

    def of(self, identity: Mapping[str, Any], *, free: bool) -> Price | None:
        """Return the price of what is asked; None where it is not known."""
        return Price(0.0, 0.0) if free else self.table.get(str(identity.get("model", "")))
