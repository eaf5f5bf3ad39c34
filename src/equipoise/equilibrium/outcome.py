"""What a solve came to: the outcome, the record of what was done, and the equilibrium itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

from equipoise.display import Tabled
from equipoise.equilibrium.certificate import Certificate
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Mixture, Profile

__all__ = ["Equilibrium", "Outcome", "SolveRecord"]


class Outcome(Enum):
    """How a solve ended; the value is the sentence shown to people."""

    solved = "No agent can gain by moving alone: every relative gap is below the tolerance."
    not_certified = (
        "No profile with every relative gap below the tolerance was found; raise `tol` or "
        "`starts`, or add curvature (a consistency or variety weight)."
    )
    may_not_exist = (
        "Only one agent competes for audience share, so an equilibrium need not exist (R1); "
        "give at least two agents a positive audience-share weight."
    )


@final
@dataclass(frozen=True)
class SolveRecord:
    """What was really done, not what was asked for.

    Attributes
    ----------
    solver : str
        The method that produced the profile, e.g. "closed form (R4, water-filling)".
    reason : str
        Why this method: the structure of the game that it rests on.
    settings : mapping
        Settings in force, resolved.
    start : str
        Where the method started.
    seed : int
        Seed of every random start.
    steps : int
        Iterations of the method.
    seconds : float
        Wall-clock time of the whole solve.
    version : str
        Version of equipoise.
    tried : tuple of str
        Methods that were tried before and did not certify.
    """

    solver: str
    reason: str
    settings: Mapping[str, Any]
    start: str
    seed: int
    steps: int
    seconds: float
    version: str
    tried: tuple[str, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Equilibrium(Tabled):
    """A profile with its game, its certificate and the record of how it was found.

    Attributes
    ----------
    game, profile, certificate, outcome, record
        The parts named in the class line.
    others : tuple of Equilibrium
        Further certified equilibria found from other starts (empty when uniqueness is proved).
    """

    game: AlignmentGame
    profile: Profile
    certificate: Certificate
    outcome: Outcome
    record: SolveRecord
    others: tuple[Equilibrium, ...] = field(default=(), repr=False)

    def __getitem__(self, agent: str | int) -> Mixture:
        return self.profile[agent]

    @property
    def found(self) -> tuple[Equilibrium, ...]:
        """All equilibria found, this one first."""
        return (self, *self.others)

    def __repr__(self) -> str:
        return (
            f"Equilibrium({self.game!r}, {self.outcome.name}, "
            f"max relative gap {self.certificate.max_relative_gap:.1e}, "
            f"unique: {self.certificate.uniqueness.verdict})"
        )

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """Yield one plain dict per agent (or type) and group: its weight, and the agent's gap."""
        agents, gap = self.game.agents, self.certificate.gap
        for i, row in enumerate(self.profile.array):
            for group, weight in zip(self.game.groups.labels, row, strict=True):
                yield {
                    "agent": agents.label(i),
                    "count": int(agents.counts[i]),
                    "group": group,
                    "weight": float(weight),
                    "gap": float(gap[i]),
                }

    def summary_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per group: share of the public, coverage, top weight and whose."""
        profile = self.profile
        columns = (self.game.groups.labels, self.game.groups.shares, profile.coverage,
                   profile.top_weight, profile.top_agent())  # fmt: skip
        return [
            {
                "group": group,
                "share": float(share),
                "coverage": float(coverage),
                "top_weight": float(top),
                "by": agent,
            }
            for group, share, coverage, top, agent in zip(*columns, strict=True)
        ]
