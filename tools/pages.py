"""The generated pages of the documentation: CLI, game file, schemas, gallery.

python -m tools.pages            # write them again
python -m tools.pages --check    # exit code 1 where one is not current
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from equipoise.game import gamefile
from equipoise.study import schema as study_schema
from equipoise.study.reference import reference
from tools.cli_page import cli_page
from tools.gallery import gallery
from tools.game_file_page import game_file_page
from tools.glossary import glossary
from tools.showcase_page import showcase_page

__all__ = ["DOCS", "PAGES", "stale"]

DOCS = Path(__file__).parents[1] / "docs"


def _schema(made: dict[str, object]) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "study-file.md": reference,
    "game-file.md": game_file_page,
    "cli.md": cli_page,
    "gallery.md": gallery,
    "glossary.md": glossary,
    "showcase.md": showcase_page,
    "schemas/game.json": lambda: _schema(gamefile.schema()),
    "schemas/study.json": lambda: _schema(study_schema()),
}
"""File under docs/ -> what it should hold."""


def stale() -> list[str]:
    """Return the pages that are not what the program would write now."""
    return [
        name
        for name, made in PAGES.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != made()
    ]


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are not current."""
    found = stale()
    if "--check" in arguments:
        sys.stdout.writelines(f"not current: docs/{name}\n" for name in found)
        return 1 if found else 0
    for name in found:
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        sys.stdout.write(f"written: docs/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
