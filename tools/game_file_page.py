"""The reference of the game file, from its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.game import gamefile

__all__ = ["game_file_page"]

HEAD = """\
# The game file

A game file is JSON or TOML with the same keys. `groups` and `agents` are required; a term that is
absent plays no part. Unknown keys are errors that name the nearest known one. Where an array is
expected, the name of an `.npy` file beside the game file will do, or a pattern of shards such as
`shards/values-*.npy`. `equipoise new game FILE` writes one to start from; the JSON Schema, for
editors, is [schemas/game.json](schemas/game.json).

This page is made by `python -m tools.pages` from that schema.

| key | value | default | meaning |
|---|---|---|---|
"""


def game_file_page() -> str:
    """Return the reference as Markdown: one row per key, tables with their keys below them."""
    data = gamefile.schema()
    rows = []
    for key, part in data["properties"].items():
        model = _model(part, data)
        about = part.get("description") or (model or {}).get("description", "")
        needed = "required" if key in data.get("required", ()) else ""
        rows.append(f"| `{key}` | {'table' if model else _kind(part)} | {needed} | {about} |")
        for inner, piece in (model or {}).get("properties", {}).items():
            given = "required" if inner in (model or {}).get("required", ()) else _default(piece)
            rows.append(
                f"| `{key}.{inner}` | {_kind(piece)} | {given} | {piece.get('description', '')} |"
            )
    return HEAD + "\n".join(rows) + "\n"


def _model(part: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for one in (part, *part.get("anyOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = data["$defs"][one["$ref"].rsplit("/", 1)[1]]
            return found if found.get("type") == "object" else None
    return None


def _kind(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        kinds = [_kind(one) for one in part["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(k for k in kinds if k))
    if "enum" in part:
        return " or ".join(f'`"{value}"`' for value in part["enum"])
    match part.get("type"):
        case "array":
            inner = _kind(part.get("items", {}))
            return f"list of {inner}s" if inner in ("number", "text") else "rows"
        case "string":
            return "file" if ".npy" in str(part.get("pattern", "")) else "text"
        case "object":
            return "table"
        case "integer":
            return "whole number"
        case "boolean":
            return "true or false"
        case "number":
            return "number"
    return str(part.get("const", ""))


def _default(part: Mapping[str, Any]) -> str:
    value = part.get("default")
    return "" if value is None or value == [] else f"`{value}`"
