"""Pieces of the page: escaped sentences, tables that scroll, figures with their findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.display import escaped, html_table
from equipoise.report.figures import inline
from equipoise.report.phrases import CLOSE, OPEN, plain
from equipoise.report.tables import Table
from equipoise.report.words import caption

__all__ = ["figure", "paragraphs", "sentence", "table_region"]

Result = Mapping[str, Any]

MARKS = {
    "left out": "excluded",
    "served": "included",
    "undecided": "undecided",
    "on the boundary": "boundary",
}
"""Cell of a table -> CSS class."""


def sentence(text: str) -> str:
    """Escape a sentence; labels become isolated from the direction of the text around."""
    kept = escaped(text).replace("α/β", '<span class="w">α/β</span>')
    return kept.replace(OPEN, "<bdi>").replace(CLOSE, "</bdi>")


def paragraphs(sentences: Sequence[str]) -> str:
    """Return sentences as paragraphs, escaped."""
    return "\n".join(f"<p>{sentence(text)}</p>" for text in sentences)


def table_region(table: Table, *, drop: tuple[str, ...] = ()) -> str:
    """Return a table in a region that scrolls on a narrow screen and can be reached by key."""
    kept = [i for i, column in enumerate(table.columns) if column.head not in drop]
    cells = [[row[i] for i in kept] for row in table.cells()]
    head = [table.columns[i].head for i in kept]
    label = escaped(table.name.replace("_", " "))
    made = html_table(head, cells, caption=table.caption, marks=MARKS, texts=table.texts)
    return (
        f'<div class="scroll" role="region" aria-label="Table: {label}" tabindex="0">{made}</div>'
    )


def figure(name: str, result: Result, figures: Mapping[str, bytes], text: str | None = None) -> str:
    """Return a figure with its finding; nothing where it was not drawn."""
    if name not in figures:
        return ""
    text = text or caption(name, result)
    alt = escaped(plain(f"Figure: {name.replace('_', ' ')}. {text}"))
    return (
        '<figure><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escaped(name.replace("_", " "))}, figure">'
        f'<div role="img" aria-label="{alt}">{inline(figures[name], name)}</div></div>'
        f"<figcaption>{sentence(text)}</figcaption></figure>"
    )
