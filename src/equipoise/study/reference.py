"""The reference of the study file, `docs/study-file.md`, written from the JSON Schema.

Write it again with: `python -m equipoise.study.reference > docs/study-file.md`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from equipoise.study.key_texts import TABLES
from equipoise.study.study_file import MANY, schema

__all__ = ["reference"]

HEAD = """\
# The study file

A study file is TOML: tables in brackets, one key per line, `#` starts a comment. It needs a
`[panel]` (what humans said) or a `[game]` with `file`; everything else has a default. Unknown keys
are errors that name the nearest known one. `equipoise new study FILE` writes one to start from;
`equipoise new study FILE --file survey.csv` writes one for your own survey;
`equipoise schema study` prints the same reference as JSON Schema, which lies in
[schemas/study.json](schemas/study.json).

This page is made by `python -m equipoise.study.reference` from the texts of that schema.
"""

KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "table",
}


def reference() -> str:
    """Return the reference as Markdown: a section per table, a row per key.

    Examples
    --------
    >>> print(reference().splitlines()[0])
    # The study file
    """
    data = schema()
    parts = [HEAD]
    for table, text in TABLES.items():
        model = data["$defs"][f"{table.title()}Table"]
        name = f"[[{table}]]" if table in MANY else f"[{table}]"
        parts.append(f"## `{name}`\n\n{text}\n\n| key | value | default | meaning |")
        parts[-1] += "\n|---|---|---|---|\n" + "".join(
            f"| `{key}` | {_kind(part)} | {_default(part)} | {part['description']} |\n"
            for key, part in model["properties"].items()
        )
    return "\n".join(parts)


def _kind(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        kinds = [_kind(one) for one in part["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in part:
        return " or ".join(f'`"{value}"`' for value in part["enum"])
    if part["type"] != "array":
        return KINDS[part["type"]] + _range(part)
    items = part.get("items", {})
    if "enum" in items:
        return "list of these"
    inside = items.get("type", "string")
    names = [inside] if isinstance(inside, str) else inside
    return "list of " + " or ".join({"string": "texts", "number": "numbers"}[n] for n in names)


def _range(part: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{sign} {part[key]:,}" for key, sign in words.items() if key in part]
    return f" {', '.join(said)}" if said else ""


def _default(part: Mapping[str, Any]) -> str:
    value = part.get("default")
    return "" if value is None or value == [] else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
