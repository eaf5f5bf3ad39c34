"""Hook of mkdocs: mathematics as MathML, and the design notes as they lie in their folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.mathml import Mathematics

NOTES = "Design notes"
SHOWCASE = "showcase.md"
"""The worked study: there once `make showcase` has been run."""


def on_config(config: Any) -> Any:
    """Add the extension and list every design note under its own heading."""
    config["markdown_extensions"].append(Mathematics())
    notes = sorted(Path(config["docs_dir"], "design").glob("*.md"))
    if Path(config["docs_dir"], SHOWCASE).exists():
        begin = next(part["Begin"] for part in config["nav"] if "Begin" in part)
        begin.append({"A worked study": SHOWCASE})
    config["nav"].append({NOTES: [f"design/{note.name}" for note in notes]})
    return config
