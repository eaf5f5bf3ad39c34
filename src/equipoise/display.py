"""Rows to text and HTML tables. Everything that came from data or labels is escaped here.

A label may hold markup, characters that turn the direction of the text, or thousands of
letters: in HTML it is escaped and isolated in `<bdi>`, in text its control characters are made
visible, and nowhere can it change what stands around it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence

__all__ = ["escaped", "html_table", "shown", "shortened", "text_table"]

JOINERS = "\u200c\u200d"
"""Persian, Indic scripts and emoji need these two; they turn no direction."""


def shown(text: str) -> str:
    r"""Return a text without characters that draw nothing or turn the reading direction.

    Examples
    --------
    >>> shown("left\u202eright")
    'left\ufffdright'
    """
    return "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in JOINERS else c
        for c in re.sub(r"[ \t\n\r\f\v]+", " ", text).strip()
    )


def shortened(text: str, longest: int = 40) -> str:
    """Return a text of at most `longest` characters, the last an ellipsis where it was cut.

    Examples
    --------
    >>> shortened("slightly conservative", 12)
    'slightly co…'
    """
    text = shown(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def escaped(text: str) -> str:
    """Return a text as HTML that can stand in an element or a quoted attribute.

    Examples
    --------
    >>> escaped('<script>"')
    '&lt;script&gt;&quot;'
    """
    return html.escape(shown(text), quote=True)


def html_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    marks: Mapping[str, str] | None = None,
    texts: int = 1,
) -> str:
    """Return rows as an HTML table whose first column heads each row.

    Parameters
    ----------
    head : sequence of str
        Column heads.
    rows : sequence of rows of str
        Cells, already formatted; all are escaped here.
    caption : str
        What the table shows; escaped.
    marks : mapping of cell text to CSS class, optional
        Cells with this text get this class, e.g. a verdict.
    texts : int
        How many leading columns hold text; the others are numbers, set right.

    Examples
    --------
    >>> print(html_table(["group", "share"], [["a<b", "0.5"]]))
    <table><thead><tr><th scope="col">group</th><th scope="col" class="n">share</th></tr></thead>
    <tbody><tr><th scope="row"><bdi>a&lt;b</bdi></th><td class="n">0.5</td></tr></tbody></table>
    """
    marks = marks or {}
    top = f"<caption><span>{escaped(caption)}</span></caption>" if caption else ""
    heads = "".join(
        f'<th scope="col"{_class(j, texts)}>{escaped(name)}</th>' for j, name in enumerate(head)
    )
    body = []
    for row in rows:
        cells = [f'<th scope="row"><bdi>{escaped(row[0])}</bdi></th>']
        for j, cell in enumerate(row[1:], start=1):
            kind = f' class="{marks[cell]}"' if cell in marks else _class(j, texts)
            cells.append(f"<td{kind}>{escaped(cell)}</td>")
        body.append("<tr>" + "".join(cells) + "</tr>")
    return (
        f"<table>{top}<thead><tr>{heads}</tr></thead>\n<tbody>"
        + "\n".join(body)
        + "</tbody></table>"
    )


def _class(column: int, texts: int) -> str:
    return "" if column < texts else ' class="n"'


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned plain text, the first column left, the others right.

    Examples
    --------
    >>> print(text_table(["group", "share"], [["urban", "0.5"], ["all", "1"]]))
    group  share
    urban    0.5
    all        1
    """
    lines = [[shown(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(head))]
    out = []
    for line in lines:
        cells = [
            cell.ljust(width) if j == 0 else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)
