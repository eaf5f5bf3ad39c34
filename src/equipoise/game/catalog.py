"""Named games with known answers: for tests, documentation, and trying things out."""

from __future__ import annotations

from equipoise.errors import BadInput, nearest
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.catalog_entries import ENTRIES, Entry

__all__ = ["Entry", "entry", "game", "names"]


def names() -> tuple[str, ...]:
    """Return the names of all games.

    Examples
    --------
    >>> names()[:3]
    ('toy', 'toy-boundary', 'interior')
    """
    return tuple(ENTRIES)


def entry(name: str) -> Entry:
    """Return a game with its known answer.

    Raises
    ------
    BadInput
        No game has this name; the nearest one is suggested.

    Examples
    --------
    >>> round(float(1 / entry("toy").coverage[2]), 9)
    78.0
    """
    if name not in ENTRIES:
        raise BadInput(f'catalog: there is no game "{name}"; {nearest(name, ENTRIES)}')
    return ENTRIES[name]


def game(name: str) -> AlignmentGame:
    """Return a game by name.

    Examples
    --------
    >>> game("toy")
    AlignmentGame(2 agents × 3 groups; Attractiveness, Consistency, Diversity)
    """
    return entry(name).game
