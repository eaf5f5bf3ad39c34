"""The one place that writes to the terminal, and the options every verb has.

Answers go to stdout, notes and progress to stderr. A closed, missing or narrow terminal never
makes a verb fail.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

__all__ = [
    "ClosedPipe",
    "JsonOption",
    "QuietOption",
    "SeedOption",
    "Settings",
    "keyboard",
    "one_line",
    "say",
    "say_json",
    "table",
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No notes and no progress on stderr.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of everything random [default: 0].")
]


Progress = Callable[[int, int, str], None]

TOLD_EVERY, DRAWN_EVERY = 5.0, 0.2
"""Seconds between two lines of progress, and between two versions of a line on a terminal."""


class ClosedPipe(Exception):
    """Nobody reads our output any more: end without a word."""


@dataclass(frozen=True)
class Settings:
    """What the options of every verb came to."""

    json: bool
    quiet: bool
    seed: int | None

    @classmethod
    def read(
        cls, context: typer.Context, *, json: bool, quiet: bool, seed: int | None = None
    ) -> Settings:
        """Join the options after the verb with those in front of it; after the verb wins."""
        outer = context.find_root().obj
        before = outer if isinstance(outer, Settings) else cls(False, False, None)
        return cls(
            json or before.json, quiet or before.quiet, before.seed if seed is None else seed
        )

    def note(self, text: str) -> None:
        """Write a note to stderr, unless told to be quiet."""
        if not self.quiet:
            say(text, error=True)

    def progress(self) -> Progress:
        """Return a callback (done, total, what) that shows on stderr how far the work is.

        A total of 0 means that the work is not counted.

        On a terminal one line that is written over; elsewhere a line for each tenth.
        """
        tty = bool(sys.stderr and sys.stderr.isatty())
        last = ("", -1)

        def show(done: int, total: int, what: str) -> None:
            nonlocal last
            tenth = 10 * done // max(1, total)
            if self.quiet or (not tty and (what, tenth) == last):
                return
            last = (what, tenth)
            text = one_line(what) + (f": {done:,} of {total:,}" if total else "")
            _say_over(text, tty=tty, ended=done >= total)

        return show

    def teller(self) -> Callable[[str, bool], None]:
        """Return a callback (text, ended) for progress that has its own words.

        On a terminal one line that is written over; elsewhere a line every few seconds. The line
        that ends is always shown.
        """
        tty = bool(sys.stderr and sys.stderr.isatty())
        last = float("-inf")

        def show(text: str, ended: bool) -> None:
            nonlocal last
            now = time.monotonic()
            if self.quiet or (not ended and now - last < (DRAWN_EVERY if tty else TOLD_EVERY)):
                return
            last = now
            _say_over(text, tty=tty, ended=ended)

        return show


def _say_over(text: str, *, tty: bool, ended: bool) -> None:
    end = "\n" if ended or not tty else ""
    say(f"\r{text}\x1b[K" if tty else text, error=True, end=end)


def say(text: str, *, error: bool = False, end: str = "\n") -> None:
    """Write a text and an end of line to stdout, or to stderr.

    Raises
    ------
    ClosedPipe
        The reader of stdout has gone.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None:
        return
    try:
        try:
            stream.write(text + end)
        except UnicodeEncodeError:
            known = stream.encoding or "ascii"
            stream.write(text.encode(known, "replace").decode(known) + end)
        stream.flush()
    except BrokenPipeError:
        # Python flushes once more at exit: give it somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not error:
            raise ClosedPipe from None


def say_json(data: dict[str, Any]) -> None:
    """Write one JSON object; a number that is not finite becomes null."""
    from equipoise.display import finite

    say(json.dumps(finite(data), allow_nan=False))


def one_line(text: str) -> str:
    """Return a message on one line, characters that steer a terminal made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def keyboard(number: str) -> str:
    """Return a formatted number with signs every terminal can show: a lost minus misleads."""
    return number.replace("\u2212", "-").replace("\u221e", "inf").replace("\u2013", "-")


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a title and a table as text: coloured on a terminal, plain elsewhere.

    The first `left` columns are texts and flush left, the others numbers and flush right.
    """
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    tty = bool(sys.stdout and sys.stdout.isatty())
    written = io.StringIO()
    console = Console(
        file=written,
        force_terminal=tty,
        no_color=True if not tty or "NO_COLOR" in os.environ else None,
        width=None if tty else 120,
    )
    out = Table(box=None)
    for i, name in enumerate(head):
        out.add_column(one_line(name), justify="left" if i < left else "right", header_style="dim")
    for row in rows:
        out.add_row(*(_cell(one_line(cell)) for cell in row))
    console.print(Text(one_line(title), style="bold"))
    console.print(out)
    return "\n".join(line.rstrip() for line in written.getvalue().rstrip("\n").split("\n"))


_STYLES = {
    "excluded": "red",
    "included": "green",
    "undecided": "yellow",
    "on the boundary": "yellow",
    "cannot tell": "yellow",
}


def _cell(text: str) -> Any:
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, ""))
