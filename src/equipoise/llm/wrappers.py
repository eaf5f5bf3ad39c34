"""Wrappers put together in the order in which they work.

cached( retrying( adaptive( budgeted( recorded( model )))))

A stored answer costs nothing, so the store is asked first. A retry waits outside the limiter: its
place is free meanwhile, and the limiter sees every failure. The budget is innermost: it counts
every call that is really sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from equipoise.llm.adaptive import Adaptive
from equipoise.llm.backend import Backend
from equipoise.llm.budgeted import Budget, Budgeted
from equipoise.llm.cached import Cached, Replayed
from equipoise.llm.ledger import Prices
from equipoise.llm.recorded import Recorded, line_writer
from equipoise.llm.retrying import Retrying
from equipoise.llm.store import Store

__all__ = [
    "Adaptive",
    "Budget",
    "Budgeted",
    "Cached",
    "Prices",
    "Recorded",
    "Replayed",
    "Retrying",
    "line_writer",
    "wrapped",
]


def wrapped(
    model: Backend,
    *,
    store: Store | None = None,
    budget: Budget | None = None,
    label: str = "",
    prices: Prices | None = None,
    most: int = 64,
    record: Callable[[dict[str, Any]], Any] | None = None,
) -> Backend:
    """Return a model with all wrappers around it.

    Parameters
    ----------
    model : Backend
        Whom to ask.
    store : Store, optional
        Keeps answers and what was spent.
    budget, label, prices
        As for `Budgeted`.
    most : int
        Calls in flight at most.
    record : callable, optional
        As for `Recorded`.

    Examples
    --------
    >>> from equipoise.llm.scripted import Scripted
    >>> type(wrapped(Scripted.uniform())).__name__
    'Retrying'
    """
    inner: Backend = model if record is None else Recorded(model, record)
    inner = Budgeted(inner, budget, ledger=store, label=label, prices=prices)
    inner = Retrying(Adaptive(inner, start=min(20, most), most=most))
    return inner if store is None else Cached(inner, store)
