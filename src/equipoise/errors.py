"""What can go wrong, in one sentence each: what is wrong, where, and what to write instead.

`BadInput` is the reader's to mend (exit code 2); `NotSolved` is ours or the mathematics'
(exit code 1); `Infeasible` is a goal out of reach (exit code 1); `MissingExtra` names the pip
command that installs what is absent.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BadInput",
    "EquipoiseError",
    "Infeasible",
    "LabelMismatch",
    "MissingExtra",
    "NotSolved",
    "nearest",
]


class EquipoiseError(Exception):
    """Base of every error this library raises on purpose."""


class BadInput(EquipoiseError, ValueError):
    """A value that was given cannot be used; the message names the field and the remedy."""


class LabelMismatch(BadInput):
    """Two objects speak of different groups or agents, or of the same in another order."""


class NotSolved(EquipoiseError, RuntimeError):
    """No equilibrium was certified; the message gives the gap reached and the next step."""


class Infeasible(EquipoiseError):
    """A goal no setting of a lever reaches; the message gives the nearest one that it does."""


class MissingExtra(EquipoiseError, ImportError):
    """An optional dependency is absent; the message is the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'equipoise[{extra}]'")


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word `word` may have meant, as the end of a sentence.

    Examples
    --------
    >>> nearest("wieght", ["weight", "values"])
    'did you mean "weight"?'
    >>> nearest("zzz", ["weight", "values"])
    'known are: "weight", "values"'
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return "known are: " + ", ".join(f'"{k}"' for k in known)
