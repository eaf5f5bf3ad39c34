"""Hook of mkdocs: mathematics as MathML, and the design notes as they lie in their folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.mathml import Mathematics

NOTES = "Design notes"


def on_config(config: Any) -> Any:
    """Add the extension and list every design note under its own heading."""
    config["markdown_extensions"].append(Mathematics())
    notes = sorted(Path(config["docs_dir"], "design").glob("*.md"))
    config["nav"].append({NOTES: [f"design/{note.name}" for note in notes]})
    return config
