"""What the joint draws of a game come to, fast enough to follow a slider where agents are alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games
from equipoise.game.terms import Consistency, Diversity
from equipoise.inclusion.exclusion import ExclusionDraws
from equipoise.inclusion.map_cells import family
from equipoise.study.symmetric import AffineBatch, definite, drawn_margins

__all__ = ["Drawn", "batch_of", "outcomes"]

FloatArray = NDArray[np.float64]

BATCHED = {"groups", "attractiveness.values", "consistency.anchor", "diversity.kernel"}
"""Draws of these fields leave identical agents identical."""

PATIENCE = 2.0
"""Seconds for draws that have to be solved one by one; fewer draws are used and counted."""

FEWEST = 40
"""With fewer draws no 95 % interval can be shown."""

EXAM = 1e-9


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Coverage and top weight of every draw that was used.

    Parameters
    ----------
    coverage, top_weight : (draws, groups) arrays
    margins : (draws, groups) array or None
        Score margins, where they were asked for.
    below : float
        The threshold they belong to.
    """

    coverage: FloatArray
    top_weight: FloatArray
    margins: FloatArray | None
    below: float

    def __len__(self) -> int:
        return len(self.coverage)

    @property
    def excluded_share(self) -> FloatArray:
        """Share of draws in which each group is excluded, (groups,)."""
        if self.margins is not None:
            return self.for_report().excluded_share
        top = self.top_weight
        return np.asarray((top < self.below if self.below > 0 else top < EXAM).mean(axis=0))

    def for_report(self) -> ExclusionDraws:
        """Return the draws as `exclusion` takes them."""
        assert self.margins is not None
        return ExclusionDraws(self.margins, self.top_weight, self.coverage, self.below)


def batch_of(game: AlignmentGame, draws: Mapping[str, FloatArray]) -> AffineBatch | None:
    """Return drawn games of identical agents as one batch, or None where they are not alike.

    Parameters
    ----------
    game : AlignmentGame
    draws : mapping of field path to array
    """
    kin = family(game)
    if kin is None or not kin.everybody or not set(draws) <= BATCHED:
        return None
    base, count = kin.base, len(next(iter(draws.values())))
    values = draws.get("attractiveness.values", base.values.T)
    anchor = draws.get("consistency.anchor", base.anchor.T)
    held, met = game.term(Consistency), game.term(Diversity)
    if values.ndim != 2 or anchor.ndim != 2:
        return None
    pull = anchor if held is None or held.metric is None else anchor @ held.metric
    scores = base.alpha * values + base.beta * pull + base.prices.T
    own = base.beta * base.metric + base.rho * base.breadth
    kernel = base.kernel if met is None else draws.get("diversity.kernel", base.kernel)
    together = float(base.gamma[0]) * kernel
    if not definite(own + together):
        return None
    return AffineBatch(np.broadcast_to(scores, (count, scores.shape[1])).copy(), own, together)


def outcomes(
    game: AlignmentGame, draws: Mapping[str, FloatArray], below: float, *, margins: bool
) -> Drawn | None:
    """Solve the draws of a game; None where there are none, or too few in the time there is.

    Parameters
    ----------
    game : AlignmentGame
    draws : mapping of field path to array
        As `draws_at` gives them.
    below : float
    margins : bool
        Whether score margins are wanted; draws of agents that differ are solved only then.
    """
    if not draws:
        return None
    batch = batch_of(game, draws)
    if batch is not None:
        x = batch.profiles()
        # A draw whose exam fails would be shown as if it were an equilibrium: show none instead.
        if not (batch.gaps(x)[1] <= EXAM).all():
            return None
        return Drawn(x, x, batch.margins(x, below) if margins else None, below)
    return _one_by_one(game, draws, below) if margins else None


def _one_by_one(game: AlignmentGame, draws: Mapping[str, FloatArray], below: float) -> Drawn | None:
    ends = time.monotonic() + PATIENCE
    coverage, top, margins = [], [], []
    try:
        for one in drawn_games(game, draws):
            found = solve(one, starts=0)
            coverage.append(found.profile.coverage)
            top.append(found.profile.top_weight)
            margins.append(drawn_margins(found, below))
            if time.monotonic() > ends:
                break
    except NotSolved:
        return None
    if len(coverage) < FEWEST:
        return None
    return Drawn(np.array(coverage), np.array(top), np.array(margins), below)
