"""Rows to text, HTML tables, data frames and JSON. What came from data or labels is escaped here.

A label may hold markup, characters that turn the direction of the text, or thousands of
letters: in HTML it is escaped and isolated in `<bdi>`, in text its control characters are made
visible, and nowhere can it change what stands around it.

Public results inherit `Tabled`: a result says what its rows are and what it is in words, and has
a data frame and a table in notebooks. It draws nothing; figures are functions in `eq.plots`.
"""

from __future__ import annotations

import html
import itertools
import math
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Tabled",
    "escaped",
    "estimate_rows",
    "finite",
    "html_table",
    "shortened",
    "shown",
    "text_table",
]

SHOWN = 30
"""Most rows of a table in a notebook; the frame has all."""

LONGEST = 60
"""Most letters of a cell there."""

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


def finite(value: Any) -> Any:
    """Return plain values as JSON can hold them: a number that is not finite becomes None.

    Examples
    --------
    >>> finite({"gap": float("nan"), "rows": (1.5, float("inf"))})
    {'gap': None, 'rows': [1.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


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


class Tabled(ABC):
    """A result that is a table, too."""

    @abstractmethod
    def to_rows(self) -> Iterable[dict[str, Any]]:
        """Return one plain dict per row; the keys are the columns, the same in every row."""

    def summary_rows(self) -> Iterable[dict[str, Any]]:
        """Return the rows a notebook shows; those of `to_rows` unless there are too many."""
        return self.to_rows()

    def to_columns(self) -> dict[str, list[Any]]:
        """Return the table column by column."""
        rows = list(self.to_rows())
        return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas data frame.

        Raises
        ------
        MissingExtra
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtra("a data frame", "data") from None
        return pd.DataFrame(self.to_columns())

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the result in words above its table, all of it escaped."""
        rows = list(itertools.islice(self.summary_rows(), SHOWN + 1))
        said = f"<p>{escaped(shortened(repr(self), 400))}</p>"
        if not rows:
            return said
        head = list(rows[0])
        texts = next(
            (j for j, key in enumerate(head) if not isinstance(rows[0][key], str)), len(head)
        )
        cells = [[_cell(row[key]) for key in head] for row in rows[:SHOWN]]
        heads = [shortened(key.replace("_", " "), LONGEST) for key in head]
        more = "<p>… and more: .to_frame() has all rows.</p>" if len(rows) > SHOWN else ""
        return said + html_table(heads, cells, texts=max(1, texts)) + more


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        if math.isnan(value):
            return "undefined"
        return f"{value:.6g}".replace("inf", "∞").replace("-", "−")
    return shortened(str(value), LONGEST)


def estimate_rows(name: str, estimates: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return one row per estimate: what it is of, value, low, high, n and how.

    Parameters
    ----------
    name : str
        Head of the first column.
    estimates : mapping of label to Estimate
    """
    return [
        {name: str(label), "value": e.value, "low": e.low, "high": e.high, "n": e.n, "how": e.how}
        for label, e in estimates.items()
    ]
