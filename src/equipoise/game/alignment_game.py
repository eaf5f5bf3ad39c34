"""The game itself: groups, agents and their terms. It answers questions and never solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm, affine_form
from equipoise.game.agents import Agents
from equipoise.game.groups import Groups
from equipoise.game.profile import Profile
from equipoise.game.terms import Term

__all__ = ["AlignmentGame"]

FloatArray = NDArray[np.float64]
TermT = TypeVar("TermT", bound=Term)


@final
@dataclass(frozen=True, init=False, eq=False)
class AlignmentGame:
    r"""LLM agents choosing mixtures over human groups, with the sum of `terms` as utility.

    Agent i chooses :math:`x_i` on the simplex over groups; its utility is the sum of the terms
    (theory section 1). Every term is concave in the agent's own mixture.

    Parameters
    ----------
    groups : Groups
        Labelled groups with their shares of the public.
    agents : sequence of labels, int, or mapping of type label to count
        See `Agents`.
    terms : sequence of Term
        At most one of each class.
    about : mapping, optional
        Free text kept with the game and never interpreted.

    Raises
    ------
    BadInput
        A length that does not fit (both are named), or two terms of one class.

    Examples
    --------
    >>> import equipoise as eq
    >>> groups = eq.Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
    >>> game = eq.AlignmentGame(groups, agents=["model-a", "model-b"], terms=[
    ...     eq.Attractiveness([0.50, 0.35, 0.15], weight=1.0),
    ...     eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], weight=1.0),
    ...     eq.Diversity(weight=0.3),
    ... ])
    >>> game.utilities(game.profile([[1, 0, 0], [0, 0, 1]])).round(3)
    array([ 0.37, -0.46])
    """

    groups: Groups
    agents: Agents
    terms: tuple[Term, ...]
    about: Mapping[str, Any]

    def __init__(
        self,
        groups: Groups,
        agents: Agents | Sequence[str] | Mapping[str, int] | int,
        terms: Sequence[Term],
        *,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        rows = agents if isinstance(agents, Agents) else Agents(agents)
        kinds = [type(term) for term in terms]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise BadInput(f"terms: {kind.__name__} stands twice; add the two and give one")
        for term in terms:
            if not isinstance(term, Term):
                raise BadInput(f"terms: {term!r} is not a term; write e.g. eq.Diversity(0.3)")
            term.check(groups, rows)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "agents", rows)
        object.__setattr__(self, "terms", tuple(terms))
        object.__setattr__(self, "about", dict(about or {}))

    def __repr__(self) -> str:
        names = ", ".join(type(term).__name__ for term in self.terms) or "no terms"
        return f"AlignmentGame({self.agents.total} agents × {len(self.groups)} groups; {names})"

    def term(self, kind: type[TermT]) -> TermT | None:
        """Return the term of a class, or None when the game has none."""
        for term in self.terms:
            if isinstance(term, kind):
                return term
        return None

    @property
    def live(self) -> tuple[Term, ...]:
        """Return the terms that say something: those with a weight or a price that is not 0."""
        return tuple(
            t for t in self.terms if np.any(getattr(t, "weight", getattr(t, "prices", 1.0)))
        )

    def replace(self, *terms: Term, about: Mapping[str, Any] | None = None) -> AlignmentGame:
        """Return the same game with these terms in place of those of their class (or added)."""
        kept = {type(term): term for term in self.terms} | {type(term): term for term in terms}
        return AlignmentGame(
            self.groups, self.agents, list(kept.values()), about=about or self.about
        )

    def profile(self, array: Any) -> Profile:
        """Return an array of mixtures (rows, groups) as a checked `Profile` of this game."""
        return Profile(self.groups, self.agents, array)

    @cached_property
    def affine(self) -> AffineForm | None:
        """Return the affine form (theory section 1), or None when a term is not quadratic."""
        return affine_form(self.terms, len(self.groups), self.agents)

    def utilities(self, profile: Profile) -> FloatArray:
        r"""Return :math:`U_i(X)` of every agent, (rows,), utility units."""
        return self.deviation_utilities(profile, None)

    def deviation_utilities(self, profile: Profile, own: FloatArray | None) -> FloatArray:
        r"""Return :math:`U_i(y_i, x_{-i})`: each agent alone plays `own[i]`, (rows,).

        Parameters
        ----------
        profile : Profile
            What everybody else plays.
        own : (rows, groups) array or None
            What each agent plays instead, one at a time; None means its row of `profile`.
        """
        x = profile.array
        total = np.zeros(len(self.agents))
        for term in self.terms:
            total = total + term.value(x, self.groups, self.agents, own)
        return total

    def gradients(self, profile: Profile) -> FloatArray:
        r"""Return the pseudo-gradient :math:`v_i = \partial U_i / \partial x_i`, (rows, groups).

        A group that an anchor forbids (KL) stays at :math:`-\infty`, whatever else pays there.
        """
        x = profile.array
        total = np.zeros(x.shape)
        with np.errstate(invalid="ignore"):
            for term in self.terms:
                total += term.own_gradient(x, self.groups, self.agents)
        total[np.isnan(total)] = -np.inf
        return total

    def own_curvatures(self, profile: Profile) -> FloatArray:
        r"""Return :math:`\partial^2 U_i / \partial x_i^2`, (rows, groups, groups)."""
        x = profile.array
        total = np.zeros((*x.shape, x.shape[1]))
        for term in self.terms:
            total += term.own_curvature(x, self.groups, self.agents)
        return total

    def vertex_utilities(self, profile: Profile) -> FloatArray:
        r"""Return :math:`U_i(e_k, x_{-i})` for every pure mixture :math:`e_k`, (rows, groups)."""
        x = profile.array
        total = np.zeros(x.shape)
        for term in self.terms:
            total += term.vertex_values(x, self.groups, self.agents)
        return total
