"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import inspect
import types
import typing
from pathlib import Path
from typing import Any

import typer

from equipoise.cli.main import _app

__all__ = ["cli_page"]

HEAD = """\
# The command line

Every verb answers on stdout and keeps notes and progress on stderr. `--json` prints one JSON object
instead of text. Exit codes:

| code | meaning |
|---|---|
| 0 | done, also when groups are excluded |
| 1 | not solved, not certified, out of reach, or nothing can be told |
| 2 | bad input, said in one sentence |
| 130 | interrupted; nothing half-written was kept |

Options of every verb: `--json`, `--quiet`, `--help`. They may stand before or after the verb.

This page is made by `python -m tools.pages`.
"""

EVERYWHERE = {"json", "quiet", "help"}

KINDS = {str: "text", int: "whole number", float: "number", bool: "", Path: "path"}


def cli_page() -> str:
    """Return the reference as Markdown: a section per verb."""
    command: Any = typer.main.get_command(_app())
    parts = [HEAD]
    for path, verb in _verbs(command, "equipoise"):
        parts.append(_section(path, verb))
    return "\n".join(parts)


def _verbs(command: Any, path: str) -> list[tuple[str, Any]]:
    found = []
    for name, each in command.commands.items():
        inside = f"{path} {name}"
        found += _verbs(each, inside) if hasattr(each, "commands") else [(inside, each)]
    return found


def _section(path: str, verb: Any) -> str:
    arguments = [p for p in verb.params if p.param_type_name == "argument"]
    options = [p for p in verb.params if p.param_type_name == "option" and p.name not in EVERYWHERE]
    usage = " ".join(
        [path, *(p.name.upper() for p in arguments), *(["[OPTIONS]"] if options else [])]
    )
    out = [f"## `{path}`\n", f"```text\n{usage}\n```\n", _text(verb.help or "") + "\n"]
    hints = typing.get_type_hints(inspect.unwrap(verb.callback))
    rows = [(f"`{p.name.upper()}`", p) for p in arguments]
    rows += [(_flags(p), p) for p in options]
    if rows:
        out.append("| argument, option | value | meaning |\n|---|---|---|")
        out += [f"| {name} | {_kind(hints[p.name])} | {_help(p)} |" for name, p in rows]
        out.append("")
    return "\n".join(out)


def _text(text: str) -> str:
    return "\n".join(line.strip() for line in text.replace("\f", "").strip().splitlines())


def _flags(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _kind(hint: Any) -> str:
    """Return the kind of value from the annotation, which no version of typer changes."""
    hint, many = _bare(hint)
    if typing.get_origin(hint) is typing.Literal:
        kind = " or ".join(f"`{choice}`" for choice in typing.get_args(hint))
    else:
        kind = KINDS[hint]
    return f"{kind}, may be repeated" if many else kind


def _bare(hint: Any) -> tuple[Any, bool]:
    """Return a type without None around it and without a list around that."""
    for _ in range(2):
        inside = [one for one in typing.get_args(hint) if one is not type(None)]
        if typing.get_origin(hint) in (types.UnionType, typing.Union) and len(inside) == 1:
            hint = inside[0]
        elif typing.get_origin(hint) is list:
            return inside[0], True
    return hint, False


def _help(param: Any) -> str:
    text = (param.help or "").replace("|", "\\|").replace("<", "&lt;")
    default = param.default
    if callable(default) or default in (None, False, (), []) or getattr(param, "is_flag", False):
        return text
    return text if "[default" in text else f"{text} Default: `{default}`."
