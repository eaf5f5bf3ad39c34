"""A limit on calls, tokens and money; a call that could exceed it is not sent.

What a call may use at most is set aside before it is sent, so that calls in flight together cannot
exceed the limit either, and is replaced by what it used. The sums are kept in a ledger: with a
store they hold across runs.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import final

from equipoise.errors import BadInput
from equipoise.llm.answers import Answer, Usage
from equipoise.llm.backend import Backend, Wrapper
from equipoise.llm.failures import BudgetSpent, CallFailed, CannotScore
from equipoise.llm.ledger import Ledger, MemoryLedger, Price, Prices, Spent
from equipoise.llm.requests import Request, SampleRequest

__all__ = ["Budget", "Budgeted", "most_used"]

BYTES_A_TOKEN = 1
"""A token is at least one byte of text: an upper bound that needs no tokenizer."""

TEMPLATE_TOKENS = 64
"""What a chat template may add to one message."""


@final
@dataclass(frozen=True)
class Budget:
    """Limits, each infinite unless given.

    Parameters
    ----------
    calls : float
        Requests sent, failed ones included.
    tokens : float
        Prompt and completion.
    cost : float
        US$, from the price table.
    """

    calls: float = math.inf
    tokens: float = math.inf
    cost: float = math.inf

    def __post_init__(self) -> None:
        if not all(limit >= 0.0 for limit in (self.calls, self.tokens, self.cost)):
            raise BadInput("budget: limits are numbers of at least 0")


def most_used(request: Request) -> Usage:
    """Return the most tokens a request can use, known without a tokenizer."""
    texts = [m.text for m in request.prompt.messages] or [request.prompt.text]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    longest = request.max_tokens if isinstance(request, SampleRequest) else 1
    return Usage(size // BYTES_A_TOKEN + TEMPLATE_TOKENS * len(texts), longest)


@final
class Budgeted(Wrapper):
    """A backend that stops before a limit, and writes down what was spent.

    Parameters
    ----------
    inner : Backend
        Asked while the budget lasts.
    budget : Budget
        The limits; the default only counts.
    ledger : Ledger, optional
        Where sums are kept; a `Store` keeps them across runs. Default: this process only. Another
        process with the same ledger is seen once its calls are written.
    label : str
        Under which name; a budget is that of a label.
    prices : Prices, optional
        Needed for a limit on cost, except for models on this machine.

    Raises
    ------
    BadInput
        A limit on cost, and the model is not in the price table.

    Examples
    --------
    >>> from equipoise.llm.asking import ask
    >>> from equipoise.llm.requests import Prompt
    >>> from equipoise.llm.scripted import Scripted
    >>> draws = [SampleRequest(Prompt.chat("tea?"), draw) for draw in range(5)]
    >>> found = ask(Budgeted(Scripted.uniform(), Budget(calls=3)), draws, in_flight=1)
    >>> found.unasked, str(found.stopped)
    (2, 'the budget is spent: the next call could exceed 3 calls; raise it to go on')
    """

    def __init__(
        self,
        inner: Backend,
        budget: Budget | None = None,
        *,
        ledger: Ledger | None = None,
        label: str = "",
        prices: Prices | None = None,
    ) -> None:
        super().__init__(inner)
        self.budget = budget or Budget()
        # A store without answers counts as empty, but it is a ledger.
        self.ledger: Ledger = MemoryLedger() if ledger is None else ledger
        self.label = label
        price = (prices or Prices()).of(inner.identity, free=inner.capabilities.free)
        if price is None and math.isfinite(self.budget.cost):
            raise BadInput(
                f'prices: "{inner.identity.get("model", "")}" is not in the price table, so its '
                "cost cannot be limited; add it, or limit calls or tokens"
            )
        self.price = price or Price(0.0, 0.0)
        self._aside = Spent()
        self._calls = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def answer(self, request: Request) -> Answer:
        """Ask, if the most it can use is still within the budget.

        Raises
        ------
        BudgetSpent
            It is not. No answer is made up.
        """
        most = most_used(request)
        reserved = self._spent(most)
        while (limit := self._over(reserved + self._aside)) and self._calls:
            if self._over(reserved):
                break
            # Calls in flight hold more than most of them will use: wait for one of them.
            settled = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        if limit:
            raise BudgetSpent(
                f"the budget is spent: the next call could exceed {limit}; raise it to go on"
            )
        self._aside += reserved
        self._calls += 1
        start = time.perf_counter()
        used = reserved
        try:
            found = await self.inner.answer(request)
            used = self._spent(found.usage if found.usage.counted else most)
            return found
        except CallFailed as error:
            failed = {error.kind.value: 1}
            used = (
                Spent(1, most.prompt_tokens, most.completion_tokens, reserved.cost, failures=failed)
                if error.kind.may_have_cost
                else Spent(1, failures=failed)
            )
            raise
        except CannotScore as error:
            used = self._spent(error.observed.usage if error.observed.usage.counted else most)
            raise
        finally:
            self._aside += _negative(reserved)
            self._calls -= 1
            seconds = time.perf_counter() - start
            self.ledger.note(self.label, used + Spent(seconds=seconds))
            for settled in self._waiting:
                if not settled.done() and not settled.get_loop().is_closed():
                    settled.set_result(None)
            self._waiting.clear()

    def _spent(self, usage: Usage) -> Spent:
        return Spent(1, usage.prompt_tokens, usage.completion_tokens, self.price.of(usage))

    def _over(self, more: Spent) -> str:
        """Return the limit that would be exceeded, or ""."""
        if self.budget == Budget():
            return ""
        total = self.ledger.spent(self.label) + more
        for value, limit, unit in (
            (total.calls, self.budget.calls, "calls"),
            (total.tokens, self.budget.tokens, "tokens"),
            (total.cost, self.budget.cost, "US$"),
        ):
            if value > limit:
                return f"{limit:g} {unit}"
        return ""


def _negative(spent: Spent) -> Spent:
    return Spent(-spent.calls, -spent.prompt_tokens, -spent.completion_tokens, -spent.cost)
