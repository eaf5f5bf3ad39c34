"""What people said, on the page: shares of every answer by group, with intervals; no row."""

from __future__ import annotations

from typing import Any

from equipoise.app.json_numbers import rounded
from equipoise.app.source import Source
from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.estimate import percentile_interval

__all__ = ["question_view"]


def question_view(source: Source, question: Any) -> dict[str, Any]:
    """Return one question: its wording, its options, and the share of each group that chose each.

    Parameters
    ----------
    source : Source
    question : int
        Its position.

    Returns
    -------
    dict
        Shares (options, groups) with pointwise 95 % bootstrap intervals, and n by group.
    """
    table, drawn = source.answers, source.drawn_answers
    if table is None or drawn is None:
        raise BadInput("people: this game was not made from a survey, so nobody was asked")
    asked = len(table.questions)
    if isinstance(question, bool) or not isinstance(question, int) or not 0 <= question < asked:
        raise BadInput(f"question: write its number, 0 to {asked - 1}")
    options = table.options[question]
    shares = table.shares[:, question, : len(options)].T
    low, high = percentile_interval(drawn[:, :, question, : len(options)])
    return {
        "question": question,
        "name": shortened(table.questions[question], 60),
        "wording": shortened(table.wording[question], 300),
        "options": [shortened(option, 60) for option in options],
        "shares": rounded(shares, 5),
        "low": rounded(low.T, 5),
        "high": rounded(high.T, 5),
        "n": table.n[:, question].tolist(),
        "draws": len(drawn),
    }
