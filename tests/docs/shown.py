"""Runs what a page shows: its code, its commands and its files, and compares what they print.

A page is one session in one empty folder, read from top to bottom:

- ```` ```python ````: run in one namespace. What a block prints is what its comments behind
  `print(...)` say, or the ```` ```text ```` block right below it; a block with neither prints
  nothing.
- ```` ```console ````: lines that begin with `$ ` are run, what follows each is what it prints
  (stdout; of a command that fails stderr too). A line `…` stands for any lines, and `…` inside a
  line for any characters. A command with nothing below it only has to succeed.
- ```` ```sh ````: every line is a command that has to succeed; nothing is compared.
- any block with `title="NAME"` is written to that file first.

Commands are `equipoise …`, with `> FILE`, `cat FILE` and `echo $?`. In `sh` blocks what prepares
a machine (`make`, `pip`, `git`, `source`) is not run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.cli.main import run

__all__ = ["Block", "Session", "Tally", "blocks", "run_page"]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<rest>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
TITLE = re.compile(r'title="([^"]+)"')
SAID = re.compile(r"^ *print\(.*\)\s+# (.*)$", re.M)
MACHINE = ("make", "pip", "git", "source", "cd", "python", "jupyter", "export", "curl")
"""First words of commands that prepare a machine, or show how another program is used."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    title: str
    text: str
    where: str
    follows: bool
    """Whether nothing but blank lines stands between it and the block above."""


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in FENCE.finditer(text):
        title = TITLE.search(match["rest"])
        line = text.count("\n", 0, match.start()) + 1
        close = bool(found) and not text[end : match.start()].strip()
        body = textwrap.dedent(match["text"])
        found.append(
            Block(match["language"], title[1] if title else "", body, f"{page.name}:{line}", close)
        )
        end = match.end()
    return found


@dataclass
class Tally:
    """What was done with a page."""

    python: int = 0
    """Blocks of Python that were run; each is compared with what it shows, be it nothing."""
    console: int = 0
    """Commands of `console` blocks that were run."""
    shell: int = 0
    """Commands of `sh` blocks that were run."""
    left: int = 0
    """Commands of `sh` blocks that were not."""
    compared: int = 0
    """Outputs of commands that were compared with the lines below."""


@dataclass
class Session:
    """The state of a page that is being run: a folder, the names defined, the last exit code."""

    folder: Path
    skip: tuple[str, ...] = ()
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__page__"})
    code: int = 0
    tally: Tally = field(default_factory=Tally)

    def python(self, block: Block, below: Block | None) -> None:
        """Run a block of Python and compare what it prints."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.text, block.where, "exec"), self.names)
        said = SAID.findall(block.text)
        assert below is None or not said, f"{block.where}: shows its output twice"
        shown = said if below is None else below.text.splitlines()
        self.compare(block.where, out.getvalue().splitlines(), shown)
        self.tally.python += 1

    def console(self, block: Block) -> None:
        """Run the commands of a block and compare what each prints."""
        for command, shown in commands(block.text):
            printed = self.command(command, block.where)
            self.tally.console += 1
            if shown:
                self.compare(f"{block.where}: {command}", printed, shown)
                self.tally.compared += 1
            else:
                assert self.code == 0, f"{block.where}: {command}\n" + "\n".join(printed)

    def command(self, command: str, where: str) -> list[str]:
        """Run one command, keep its exit code, return the lines it prints."""
        if command == "echo $?":
            return [str(self.code)]
        words = shlex.split(command, comments=True)
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[-1]
        if words[0] == "cat":
            return (self.folder / words[1]).read_text(encoding="utf-8").splitlines()
        assert words[0] == "equipoise", f"{where}: the docs cannot run `{command}`"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.code = run(words[1:])
        if target is not None:
            (self.folder / target).write_text(out.getvalue(), encoding="utf-8")
            out = io.StringIO()
        return (out.getvalue() + (err.getvalue() if self.code else "")).splitlines()

    def compare(self, where: str, printed: list[str], shown: list[str]) -> None:
        """Fail unless the printed lines are the shown ones, `…` standing for anything."""
        real = [line.rstrip() for line in printed]
        want = [line.rstrip() for line in shown]
        while want and not want[-1]:
            want.pop()
        while real and not real[-1]:
            real.pop()
        pattern = "".join(
            r"(?:.*\n)*?" if line.strip() == "…" else _line(line) + "\n" for line in want
        )
        same = re.fullmatch(pattern, "".join(line + "\n" for line in real))
        assert same, f"{where}\nshown:\n{_joined(want)}\nprinted:\n{_joined(real)}"


def _line(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split("…"))


def _joined(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of a console block, each with the lines shown below it."""
    command = ""
    shown: list[str] = []
    for line in text.splitlines():
        if command.endswith("\\"):
            command = command[:-1] + line.strip()
        elif line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
        else:
            assert command, f"a console block begins with a command, not with: {line}"
            shown.append(line)
    if command:
        yield command, shown


def run_page(page: Path, session: Session) -> Tally:
    """Run a page in the session's folder, which has to be the current one; say what was run."""
    found = blocks(page)
    for i, block in enumerate(found):
        below = found[i + 1] if i + 1 < len(found) else None
        if block.title:
            (session.folder / block.title).write_text(block.text, encoding="utf-8")
        match block.language:
            case "python":
                text = below if below and below.follows and below.language == "text" else None
                session.python(block, text)
            case "console":
                session.console(block)
            case "sh":
                _shell(block, session)
    return session.tally


def _shell(block: Block, session: Session) -> None:
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] in MACHINE or any(line.startswith(s) for s in session.skip):
            session.tally.left += 1
            continue
        printed = session.command(line, block.where)
        session.tally.shell += 1
        assert session.code == 0, f"{block.where}: {line}\n" + "\n".join(printed)
