"""In which orders the options of a question are offered: whole Latin squares.

A model may answer by position. Over a whole Latin square every option stands in every position
equally often, so that what depends on position alone adds the same to every option.
"""

from __future__ import annotations

import itertools
import math

from equipoise.errors import BadInput

__all__ = ["balanced_orders", "is_balanced"]

Order = tuple[int, ...]


def balanced_orders(options: int, wanted: int) -> tuple[Order, ...]:
    """Return orders of the options, as many as wanted or the next whole number of squares.

    Parameters
    ----------
    options : int
        How many options, at least 2.
    wanted : int
        How many orders. 1: only the natural one, which is not balanced. Otherwise the least
        multiple of `options` that is not below, and at most all orders there are.

    Returns
    -------
    tuple of orders; the first is the natural one. Entry `i` of an order is the option that stands
    in position `i`. Squares come in pairs, one running forwards and one backwards.

    Examples
    --------
    >>> sorted(balanced_orders(3, 6)) == sorted(itertools.permutations(range(3)))
    True
    >>> len(balanced_orders(2, 6)), len(balanced_orders(5, 6)), balanced_orders(3, 1)
    (2, 10, ((0, 1, 2),))
    """
    if options < 2 or wanted < 1:
        raise BadInput("orders: a question needs at least 2 options and 1 order")
    if wanted == 1:
        return (tuple(range(options)),)
    squares = min(math.ceil(wanted / options), math.factorial(options - 1))
    orders: list[Order] = []
    for base in itertools.islice(_bases(options), squares):
        orders += [base[shift:] + base[:shift] for shift in range(options)]
    return tuple(orders)


def is_balanced(orders: tuple[Order, ...]) -> bool:
    """Whether every option stands in every position equally often.

    Examples
    --------
    >>> is_balanced(balanced_orders(4, 8)), is_balanced(balanced_orders(4, 1))
    (True, False)
    """
    columns = [sorted(column) for column in zip(*orders, strict=True)]
    return all(column == columns[0] for column in columns) and columns[0] == sorted(
        list(range(len(orders[0]))) * (len(orders) // len(orders[0]))
    )


def _bases(options: int) -> itertools.chain[Order]:
    """Orders that begin with option 0, no two of them rotations of each other."""
    forwards = tuple(range(options))
    backwards = (0, *reversed(range(1, options)))
    rest = ((0, *tail) for tail in itertools.permutations(range(1, options)))
    known = {forwards, backwards}
    first = [forwards] if forwards == backwards else [forwards, backwards]
    return itertools.chain(first, (base for base in rest if base not in known))
