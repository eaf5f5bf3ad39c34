"""How long to wait: what a server asks for, and what we wait when it does not say."""

from __future__ import annotations

import datetime
import email.utils
import math
import random
from collections.abc import Mapping

__all__ = ["asked_wait", "backoff"]


def asked_wait(headers: Mapping[str, str]) -> float:
    """Return the seconds of `Retry-After` (seconds or an HTTP date); 0 when absent or senseless.

    A date is taken relative to the reply's own `Date`, so that a wrong clock here does not matter.

    Examples
    --------
    >>> asked_wait({"retry-after": "7"}), asked_wait({"retry-after": "soon"})
    (7.0, 0.0)
    >>> asked_wait({"retry-after": "Wed, 21 Oct 2026 07:28:09 GMT",
    ...             "date": "Wed, 21 Oct 2026 07:28:00 GMT"})
    9.0
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds > 0.0:
        return milliseconds / 1000.0
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds > 0.0:
        return seconds
    then, now = _date(text), _date(headers.get("date", ""))
    if then is None:
        return 0.0
    now = now or datetime.datetime.now(datetime.UTC)
    return max(0.0, (then - now).total_seconds())


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0.0 else 0.0


def _date(text: str) -> datetime.datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def backoff(attempt: int, rng: random.Random, *, base: float, longest: float) -> float:
    r"""Return seconds to wait before attempt `attempt` + 1: doubling, with jitter.

    Uniform in :math:`[\tfrac12, 1] \cdot \min(\text{longest}, \text{base} \cdot 2^{a})`, so that
    many clients do not come back together.
    """
    most = min(longest, base * 2.0 ** min(attempt, 60))
    return most * rng.uniform(0.5, 1.0)
