r"""Is there only one equilibrium? The tests of R2 (a)–(f), each with its margin.

The statement is *proved* when a test passes by more than its own rounding error, *refuted* when
identical agents provably have others besides a symmetric equilibrium, else *unknown*: a failed
test refutes nothing. Margins and moduli are smallest eigenvalues of the game's symmetrised
curvature with agent i's rows divided by :math:`|\gamma_i|` (by 1 where agents do not interact).
This file imports no solver and no projection.
"""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np

from equipoise.equilibrium.uniqueness_affine import affine_uniqueness
from equipoise.equilibrium.uniqueness_curved import curved_uniqueness
from equipoise.equilibrium.uniqueness_statement import Uniqueness
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile

__all__ = ["Uniqueness", "uniqueness"]


def uniqueness(game: AlignmentGame, profile: Profile | None = None) -> Uniqueness:
    """State whether the game has one equilibrium (R2).

    Parameters
    ----------
    game : AlignmentGame
        Any game.
    profile : Profile, optional
        A profile near an equilibrium; only "refuted" needs it, and only when all its rows are
        equal: its support decides whether identical agents specialise.

    Returns
    -------
    Uniqueness
        Never "refuted" from a failed sufficient test.
    """
    known = _proved.get(game)
    if known is None:
        known = _state(game, profile)
        if known.verdict == "proved":
            _proved[game] = known
    return known


_proved: WeakKeyDictionary[AlignmentGame, Uniqueness] = WeakKeyDictionary()
"""Proofs already made: a game never changes, and "proved" does not depend on a profile."""


def _state(game: AlignmentGame, profile: Profile | None) -> Uniqueness:
    n = len(game.groups)
    if n == 1:
        rows = np.ones(len(game.agents))
        return Uniqueness("proved", math.inf, "one group: every mixture is 1", math.inf, rows)
    affine = game.affine
    if affine is not None:
        return affine_uniqueness(affine, profile)
    return curved_uniqueness(game)
