"""The answer laws of trained models: `laws.json` beside a `realisation.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.gamefile_text import parse, read_text
from equipoise.panels.panel import Panel
from equipoise.realise.laws_file import LAWS, law_row
from equipoise.realise.realisation_file import read_realisation
from equipoise.simulate.laws import PostLaws

__all__ = ["laws_beside", "laws_of"]


def laws_beside(realisation: Path, panel: Panel) -> PostLaws:
    """Return the answer laws of the models that a realisation names, in the panel's order.

    Parameters
    ----------
    realisation : Path
        A realisation.toml; laws.json lies in its folder.
    panel : Panel

    Raises
    ------
    BadInput
        No such file, no laws beside it, or laws of other groups, questions or options.
    """
    read_realisation(realisation).check(panel.groups.labels)
    place = realisation.parent / LAWS
    if not place.is_file():
        raise BadInput(
            f"{place}: the models' answers were not measured; run equipoise realise train, or "
            'write agents = "tables"'
        )
    return laws_of(parse(read_text(place), ".json"), panel)


def laws_of(data: Any, panel: Panel) -> PostLaws:
    """Return the laws in the content of a laws.json, in the panel's order.

    Raises
    ------
    BadInput
        One sentence that names the key.
    """
    table = panel.answers
    try:
        asked = {str(one["key"]): i for i, one in enumerate(data["questions"])}
        options = [[str(o) for o in one["options"]] for one in data["questions"]]
        laws = {str(g): rows for g, rows in data["laws"].items()}
    except (KeyError, TypeError, AttributeError):
        raise BadInput(
            f'{LAWS}: it needs "questions" (each with key and options) and "laws" by group; write '
            "it with equipoise realise train"
        ) from None
    shares = np.zeros(table.shares.shape)
    for k, group in enumerate(table.groups):
        if group not in laws:
            raise BadInput(f'{LAWS}: laws: there is no "{group}"; use the groups of the training')
        for q, key in enumerate(table.questions):
            if key not in asked:
                raise BadInput(
                    f'{LAWS}: questions: "{key}" was not measured; write the measured ones in '
                    "panel.questions"
                )
            at = asked[key]
            shares[k, q, : len(table.options[q])] = _row(
                laws[group], at, options[at], table.options[q], f'laws, "{group}", "{key}"'
            )
    return PostLaws(table.groups, table.questions, table.options, shares, source="models")


def _row(
    rows: Any, at: int, have: list[str], want: tuple[str, ...], where: str
) -> NDArray[np.float64]:
    """Return the probabilities of one question in the order of the panel's options."""
    try:
        given = rows[at]
        # Of more or other options than the panel's, those of the panel are taken.
        whole = len(given) >= len(have)
        picked = [given[have.index(option)] for option in want] if whole else []
    except (TypeError, ValueError, IndexError, KeyError):
        raise BadInput(
            f"{LAWS}: {where}: it does not give a number for each of {list(want)}; measure again"
        ) from None
    return law_row(picked, len(want), f"{LAWS}: {where}")
