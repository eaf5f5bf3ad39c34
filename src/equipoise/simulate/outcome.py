"""What a simulation came to: the path, bands, and theory held against them, phase by phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import Tabled
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.simulate.bands import Band, noise_of
from equipoise.simulate.learners import learner
from equipoise.simulate.prediction import Change

__all__ = ["PhaseOutcome", "Simulation"]

FloatArray = NDArray[np.float64]

AS_PREDICTED = "as predicted"
DIFFERS = "differs"
TOO_SHORT = "too short"


@final
@dataclass(frozen=True, eq=False)
class PhaseOutcome:
    """One phase: before a plan, or under it.

    Attributes
    ----------
    name : str
        "as it is" or "under the plan".
    first, last : int
        Its rounds.
    groups : tuple of str
    predicted : Equilibrium
        Of the measured game, certified.
    coverage : Band
        Mean coverage over the last half of the phase.
    expected : (K,) array
        The same if every sample had been its expectation.
    at_rest, at_rest_people : (K,) arrays
        Where such agents come to rest, with the laws posts were drawn from and with those the game
        was measured on (the people's, unless theory was told what the models say).
    welfare : Band
        Share of readings by people of each group that met agreement.
    welfare_predicted, welfare_proportional, welfare_best : (K,) arrays
        At the predicted equilibrium, if groups were covered by their shares, and if everything
        were said to please this group alone.
    paid : (mean, low, high)
        Subsidies of all agents together, for one post each: the unit of a plan's cost.
    paid_predicted : float
    floors : mapping of group to float
        What the plan promises.
    mixtures : (agents, K) array
        Mean mixtures of each agent of a small population over the same rounds; else no rows.
    width : float
    """

    name: str
    first: int
    last: int
    groups: tuple[str, ...]
    predicted: Equilibrium
    coverage: Band
    expected: FloatArray
    at_rest: FloatArray
    at_rest_people: FloatArray
    welfare: Band
    welfare_predicted: FloatArray
    welfare_proportional: FloatArray
    welfare_best: FloatArray
    paid: tuple[float, float, float]
    paid_predicted: float
    floors: Mapping[str, float]
    mixtures: FloatArray
    width: float

    @property
    def theory(self) -> FloatArray:
        """Predicted coverage, (K,)."""
        return self.predicted.profile.coverage

    @property
    def why(self) -> dict[str, FloatArray]:
        """Simulated less predicted coverage, taken apart; the parts add up to it exactly.

        finite samples: what chance did, given the steps; learning: what the steps still lack when
        every sample is its expectation; infidelity: posts come from models, theory from people;
        formula: where agents with exact payoffs rest, less where the solver says.
        """
        return {
            "finite samples": self.coverage.mean - self.expected,
            "learning": self.expected - self.at_rest,
            "infidelity": self.at_rest - self.at_rest_people,
            "formula": self.at_rest_people - self.theory,
        }

    def against(self, coverage: FloatArray) -> str:
        """Return the verdict on a predicted coverage (K,): of all groups together."""
        if not self.coverage.holds(coverage).all():
            return DIFFERS
        return AS_PREDICTED if (self.coverage.half <= self.width).all() else TOO_SHORT

    @property
    def verdict(self) -> str:
        """Return as predicted, differs, or too short."""
        return self.against(self.theory)

    @property
    def order_kept(self) -> bool:
        """Whether every two groups predicted more than `width` apart came out in that order."""
        theory, seen = self.theory, self.coverage.mean
        apart = theory[:, None] - theory[None, :]
        found = seen[:, None] - seen[None, :]
        return bool((found[apart > self.width] > 0).all())

    def floor_met(self, group: str) -> bool:
        """Whether the band of a group reaches its floor."""
        k = self.groups.index(group)
        return bool(self.coverage.high[k] >= self.floors.get(group, 0.0) - 1e-12)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: a row per group."""
        x, top, why = self.theory, self.predicted.profile.top_weight, self.why
        rows = [
            {
                "group": g,
                "predicted": float(x[k]),
                "predicted_top_weight": float(top[k]),
                "coverage": float(self.coverage.mean[k]),
                "low": float(self.coverage.low[k]),
                "high": float(self.coverage.high[k]),
                "noise": float(self.coverage.noise[k]),
                "drift": float(self.coverage.drift[k]),
                "inside": bool(self.coverage.holds(x)[k]),
                "why": {part: float(value[k]) for part, value in why.items()},
                "floor": self.floors.get(g),
                "floor_met": self.floor_met(g) if g in self.floors else None,
                "welfare": float(self.welfare.mean[k]),
                "welfare_low": float(self.welfare.low[k]),
                "welfare_high": float(self.welfare.high[k]),
                "welfare_predicted": float(self.welfare_predicted[k]),
                "welfare_proportional": float(self.welfare_proportional[k]),
                "welfare_best": float(self.welfare_best[k]),
            }
            for k, g in enumerate(self.groups)
        ]
        certificate, agents = self.predicted.certificate, self.predicted.game.agents
        return {
            "name": self.name,
            "first_round": self.first,
            "last_round": self.last,
            "verdict": self.verdict,
            "half_width": float(self.coverage.half.max()),
            "order_kept": self.order_kept,
            "paid": dict(zip(("mean", "low", "high"), self.paid, strict=True)),
            "paid_predicted": self.paid_predicted,
            "max_gap": certificate.max_gap,
            "uniqueness": certificate.uniqueness.verdict,
            "groups": rows,
            "agents": [
                {"agent": agents.label(i), "predicted": array.tolist(), "simulated": seen.tolist()}
                for i, (array, seen) in enumerate(
                    zip(self.predicted.profile.array, self.mixtures, strict=True)
                )
            ]
            if len(self.mixtures) == len(agents)
            else [],
        }


@final
@dataclass(frozen=True, eq=False)
class Simulation(Tabled):
    """A simulation, with theory held against it.

    Attributes
    ----------
    groups : tuple of str
    agents : int
    phases : tuple of PhaseOutcome
    rounds : (blocks,) array
        Last round of each block.
    path, top_path : (blocks, replicates, K) arrays
        Coverage and largest weight over agents, mean over the block.
    expected : (blocks, K) array
        Coverage at the end of each block if every sample were its expectation.
    settings : mapping
    level, width : float
    change : Change or None
    posts : tuple of (agent, group it was made for, question, answer, share of readers who agreed)
        A few of the latest, of small populations.
    """

    groups: tuple[str, ...]
    agents: int
    phases: tuple[PhaseOutcome, ...]
    rounds: FloatArray
    path: FloatArray = field(repr=False)
    top_path: FloatArray = field(repr=False)
    expected: FloatArray = field(repr=False)
    settings: Mapping[str, Any]
    level: float
    width: float
    change: Change | None = None
    posts: tuple[tuple[str, str, str, str, float], ...] = ()

    def __repr__(self) -> str:
        said = ", ".join(f"{one.name}: {one.verdict}" for one in self.phases)
        return f"Simulation({self.agents} agents, {self.rounds[-1]:.0f} rounds; {said})"

    @property
    def path_band(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, low and high coverage at each block, (blocks, K): noise only, pointwise."""
        mean = self.path.mean(axis=1)
        noise = np.stack([noise_of(one, self.level) for one in self.path])
        return mean, mean - noise, mean + noise

    @property
    def verdict(self) -> str:
        """Return the worst verdict of all phases."""
        said = [one.verdict for one in self.phases]
        return next((v for v in (DIFFERS, TOO_SHORT) if v in said), AS_PREDICTED)

    @property
    def changes_as_predicted(self) -> bool | None:
        """Whether the plan moved every group the way predicted, where that is beyond `width`."""
        if len(self.phases) < 2:
            return None
        before, after = self.phases
        told = after.theory - before.theory
        seen = after.coverage.mean - before.coverage.mean
        clear = np.abs(told) > self.width
        return bool((np.sign(told[clear]) == np.sign(seen[clear])).all())

    @property
    def falls(self) -> float:
        """How errors fall, as rounds^-falls (`Learner.falls`)."""
        return learner(self.settings["learning"]).falls

    def rounds_needed(self) -> int | None:
        """Return how many rounds would make every band narrow enough; None where they are.

        Bands shrink at least as fast as the learner's errors fall: this errs on the long side.
        """
        half = max(float(one.coverage.half.max()) for one in self.phases)
        if half <= self.width:
            return None
        power = 1.0 / self.falls
        return int(np.ceil(self.rounds[-1] * (half / self.width) ** power / 100.0) * 100)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        change = self.change
        return {
            "verdict": self.verdict,
            "agents": self.agents,
            "groups": list(self.groups),
            "rounds": int(self.rounds[-1]),
            "rounds_needed": self.rounds_needed(),
            "level": self.level,
            "width": self.width,
            "settings": dict(self.settings),
            "plan": None if change is None else {
                "lever": change.lever, "change": dict(change.change),
                "floors": dict(change.floors), "note": change.note,
            },
            "changes_as_predicted": self.changes_as_predicted,
            "phases": [one.to_dict() for one in self.phases],
        }  # fmt: skip

    def summary_rows(self) -> list[dict[str, Any]]:
        """Return a row per phase and group: predicted, simulated, band, welfare."""
        keys = ("group", "predicted", "coverage", "low", "high", "inside", "welfare")
        return [
            {"phase": one.name, **{key: row[key] for key in keys}}
            for one in self.phases
            for row in one.to_dict()["groups"]
        ]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the path as plain rows: block, group, mean, band, replicates' range, expected."""
        mean, low, high = self.path_band
        return [
            {
                "round": int(last),
                "group": g,
                "coverage": float(mean[b, k]),
                "low": float(low[b, k]),
                "high": float(high[b, k]),
                "least": float(self.path[b, :, k].min()),
                "most": float(self.path[b, :, k].max()),
                "top_weight": float(self.top_path[b, :, k].mean()),
                "expected": float(self.expected[b, k]),
            }
            for b, last in enumerate(self.rounds)
            for k, g in enumerate(self.groups)
        ]
