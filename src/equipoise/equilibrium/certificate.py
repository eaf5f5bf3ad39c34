r"""The exam of a profile, from the game alone: how much could any agent gain by moving alone?

This file imports no solver and no projection: the examiner is not the candidate. The headline
is the Frank–Wolfe gap of R3, :math:`g_i = \max_k v_{ik} - \langle v_i, x_i\rangle`, which needs
the gradient only and bounds the regret from above for every differentiable concave term.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.exact import ExactCertificate, certify_exactly
from equipoise.equilibrium.exam import Exam, examine
from equipoise.equilibrium.uniqueness import Uniqueness, uniqueness
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import AudienceShare, Diversity

__all__ = ["Certificate", "certify"]

FloatArray = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Certificate(Tabled):
    r"""What is known about a profile, agent by agent (rows of the game).

    Attributes
    ----------
    gap : (rows,) array
        Frank–Wolfe gap :math:`g_i \ge r_i`, utility units: no agent can gain more than this by
        moving alone. Infinite where an agent sits at 0 on a group its anchor needs (KL), or
        where nobody serves a group that pays a share of attention.
    regret : (rows,) array
        Exact regret where it has a formula (no own curvature; KL alone), else the sharpest
        upper bound known, at most `gap`.
    utility_range : (rows,) array
        Spread of :math:`U_i(\cdot, x_{-i})` over the vertices and :math:`x_i`.
    rounding : (rows,) array
        Size of the rounding error in `gap` itself; a gap below it counts as 0 in
        `relative_gap`.
    relative_gap : (rows,) array
        `gap / utility_range`, with 0/0 = 0.
    uniqueness : Uniqueness
        Whether this is proved to be the only equilibrium.
    distance : float or None
        Where uniqueness is proved with a modulus: a bound on the Euclidean distance
        :math:`\sqrt{\sum_i n_i \|x_i - x_i^*\|^2}` to the equilibrium.
    assumed : tuple of str
        What the certificate rests on.
    exact : ExactCertificate or None
        The rational certificate, when asked for.
    game, profile, exam
        What was examined, and the numbers; regret and range are worked out when read.
    """

    game: AlignmentGame
    profile: Profile
    exam: Exam
    uniqueness: Uniqueness
    exact: ExactCertificate | None = None

    @property
    def gap(self) -> FloatArray:
        """Return the Frank–Wolfe gaps, (rows,)."""
        return self.exam.gap

    @property
    def regret(self) -> FloatArray:
        """Return regrets or the sharpest upper bounds known, (rows,)."""
        return self.exam.regret

    @property
    def utility_range(self) -> FloatArray:
        """Return the spreads of utilities, (rows,)."""
        return self.exam.utility_range

    @property
    def rounding(self) -> FloatArray:
        """Return the rounding errors of the gaps, (rows,)."""
        return self.exam.rounding

    @cached_property
    def distance(self) -> float | None:
        """Return a bound on the distance to the equilibrium, where uniqueness gives one."""
        return _distance(self.uniqueness, self.exam, self.game)

    @property
    def assumed(self) -> tuple[str, ...]:
        """Return what the certificate rests on."""
        return _assumed(self.game)

    @property
    def max_gap(self) -> float:
        """Return the largest gap over agents, utility units."""
        return float(self.gap.max())

    @cached_property
    def relative_gap(self) -> FloatArray:
        """Return each gap over the agent's utility range, (rows,)."""
        # Written so that a gap that is not a number counts.
        counted = ~(self.gap <= self.rounding)
        if not counted.any():
            return np.zeros(self.gap.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(counted, self.gap / self.utility_range, 0.0)

    @cached_property
    def max_relative_gap(self) -> float:
        """Return the largest relative gap over agents; `solved` means at most the tolerance."""
        if np.logical_and.reduce(self.gap <= self.rounding):
            return 0.0
        return float(self.relative_gap.max())

    def __repr__(self) -> str:
        near = "" if self.distance is None else f", within {self.distance:.1e} of it"
        return (
            f"Certificate(max gap {self.max_gap:.2e}, relative {self.max_relative_gap:.2e}; "
            f"uniqueness {self.uniqueness.verdict}{near})"
        )

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per agent (or type): gap, regret, range and relative gap."""
        columns = (self.gap, self.regret, self.utility_range, self.relative_gap)
        for i, (gap, regret, span, relative) in enumerate(zip(*columns, strict=True)):
            yield {
                "agent": self.game.agents.label(i),
                "gap": float(gap),
                "regret": float(regret),
                "utility_range": float(span),
                "relative_gap": float(relative),
            }


def certify(game: AlignmentGame, profile: Profile, *, exact: bool = False) -> Certificate:
    r"""Examine anybody's profile of a game (R3); no solver takes part.

    Parameters
    ----------
    game : AlignmentGame
        Any game.
    profile : Profile
        Mixtures (rows, groups), in the game's order of groups and agents.
    exact : bool
        Also confirm the equilibrium in rational arithmetic (small affine games only).

    Returns
    -------
    Certificate
        Gaps, regrets, uniqueness and, where proved, the distance to the equilibrium. A small
        gap does *not* say that a weight of 1e-6 is a true zero: regret is second order in the
        error, so a gap of 1e-9 fixes weights only to about 3e-5.

    Raises
    ------
    LabelMismatch
        The profile speaks of other groups or agents than the game.
    BadInput
        `exact` for a game that is too large or not affine.

    Examples
    --------
    >>> import equipoise as eq
    >>> game = eq.AlignmentGame(eq.Groups(["left", "right"]), ["a"], [
    ...     eq.Attractiveness([0.3, 0.1]), eq.Consistency([0.5, 0.5])])
    >>> certify(game, game.profile([[0.6, 0.4]])).max_gap < 1e-15
    True
    >>> round(certify(game, game.profile([[0.5, 0.5]])).max_gap, 12)
    0.1
    """
    if not isinstance(profile, Profile):
        raise BadInput("certify: give a Profile, e.g. game.profile([[0.5, 0.5], …])")
    profile.same_shape_as(game.groups, game.agents)
    return Certificate(
        game,
        profile,
        examine(game, profile),
        uniqueness(game, profile),
        certify_exactly(game, profile) if exact else None,
    )


def _distance(statement: Uniqueness, exam: Exam, game: AlignmentGame) -> float | None:
    if statement.verdict != "proved" or statement.modulus is None or statement.weights is None:
        return None
    if not statement.modulus > 0:
        return None
    total = float((game.agents.counts * statement.weights * (exam.gap + exam.rounding)).sum())
    return float(np.sqrt(total / statement.modulus))


def _assumed(game: AlignmentGame) -> tuple[str, ...]:
    notes = ["the game is as stated: weights, anchors, values and kernel are taken as exact"]
    if game.term(AudienceShare) is not None:
        notes.append("audience share is concave; its jump where nobody serves a group counts")
    diversity = game.term(Diversity)
    if diversity is not None and game.agents.typed:
        notes.append("agents of one type play the same mixture")
    return tuple(notes)
