"""Small pieces of sentences: labels that stay apart from the text around, lists, counts.

Sentences carry group and agent labels between two private marks, so that the page can isolate
them from the text around; `plain` takes the marks away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.display import shortened
from equipoise.report.tables import percent

__all__ = ["CLOSE", "OPEN", "count", "equilibria", "gap", "label", "listed", "merges", "plain",
           "with_share"]  # fmt: skip

OPEN, CLOSE = "\ue000", "\ue001"
"""Stand around a label in a sentence; taken out of the labels themselves."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve")  # fmt: skip


def plain(sentence: str) -> str:
    """Return a sentence without the marks around labels."""
    return sentence.replace(OPEN, "").replace(CLOSE, "")


def label(text: str) -> str:
    """Return a label of at most 80 letters between its marks."""
    return OPEN + plain(shortened(text, 80)) + CLOSE


def listed(items: Sequence[str]) -> str:
    """Join items as English does.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def with_share(row: Mapping[str, Any]) -> str:
    """Return a group and its share of the public."""
    return f"{label(row['group'])} ({percent(row['share'])})"


def count(n: int) -> str:
    """Return a small number as a word."""
    return _NUMBERS[n] if n < len(_NUMBERS) else f"{n:,}"


def gap(value: float) -> str:
    """Return a gap with two digits, or say that it is no more than rounding."""
    return f"{value:.1e}" if value > 1e-15 else "a rounding error"


def equilibria(verdict: str, found: int, left_out: Sequence[tuple[str, int]]) -> str:
    """Say what else the game may come to; empty where the equilibrium is proved to be the only one.

    Parameters
    ----------
    verdict : "proved", "refuted" or "unknown"
        Whether there is only one equilibrium.
    found : int
        How many were found.
    left_out : sequence of (group, count)
        In how many of them each group is left out.

    Examples
    --------
    >>> plain(equilibria("refuted", 5, [("rural", 3), ("urban", 0)]))
    '5 equilibria were found; this is one of them. rural is left out in 3 of 5.'
    """
    if verdict == "proved":
        return ""
    if found < 2:
        return (
            "One equilibrium was found; that there is no other is not proved, and another might "
            "leave out other groups."
        )
    named = [f"{label(group)} in {k} of {found}" for group, k in left_out if k]
    if not named:
        which = "No group is left out in any of them."
    elif len(named) == 1:
        which = f"{named[0].replace(CLOSE, CLOSE + ' is left out')}."
    else:
        which = f"Left out: {listed(named)}."
    return f"{found} equilibria were found; this is one of them. {which}"


def merges(people: Mapping[str, Any] | None) -> list[str]:
    """Return one sentence per group that was merged into another."""
    return [
        f"{label(one['group'])} ({one['n']:,} respondent{'' if one['n'] == 1 else 's'}, fewer than "
        f"the {one['least']} a group needs) was merged into {label(one['into'])}."
        for one in (people or {}).get("merged", ())
    ]
