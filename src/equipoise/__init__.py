"""equipoise: which human groups a population of LLM agents serves, and who is left out.

The mathematics is in `docs/theory.md`; results are cited by their numbers R1, R2, …
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.equilibrium import solvers as solvers
    from equipoise.equilibrium.certificate import Certificate as Certificate
    from equipoise.equilibrium.certificate import certify as certify
    from equipoise.equilibrium.outcome import Equilibrium as Equilibrium
    from equipoise.equilibrium.outcome import Outcome as Outcome
    from equipoise.equilibrium.solve import solve as solve
    from equipoise.errors import BadInput as BadInput
    from equipoise.errors import EquipoiseError as EquipoiseError
    from equipoise.errors import LabelMismatch as LabelMismatch
    from equipoise.errors import MissingExtra as MissingExtra
    from equipoise.errors import NotSolved as NotSolved
    from equipoise.estimate import Estimate as Estimate
    from equipoise.game.alignment_game import AlignmentGame as AlignmentGame
    from equipoise.game.groups import Groups as Groups
    from equipoise.game.network import Network as Network
    from equipoise.game.profile import Profile as Profile
    from equipoise.game.terms import Attractiveness as Attractiveness
    from equipoise.game.terms import AudienceShare as AudienceShare
    from equipoise.game.terms import Consistency as Consistency
    from equipoise.game.terms import Diversity as Diversity
    from equipoise.game.terms import KLConsistency as KLConsistency
    from equipoise.game.terms import Subsidy as Subsidy
    from equipoise.game.terms import Variety as Variety
    from equipoise.inclusion import levers as levers
    from equipoise.inclusion.critical import critical_incentives as critical_incentives
    from equipoise.inclusion.exclusion import ExclusionReport as ExclusionReport
    from equipoise.inclusion.exclusion import exclusion as exclusion
    from equipoise.inclusion.goals import Goal as Goal
    from equipoise.inclusion.inverse import infer as infer
    from equipoise.inclusion.phase_map import phase_map as phase_map
    from equipoise.inclusion.plan import Plan as Plan
    from equipoise.inclusion.steer import steer as steer
    from equipoise.report import charts as plots

__version__ = "0.1.0"

_HOME = {
    "BadInput": "errors",
    "EquipoiseError": "errors",
    "LabelMismatch": "errors",
    "MissingExtra": "errors",
    "NotSolved": "errors",
    "Estimate": "estimate",
    "ExclusionReport": "inclusion.exclusion",
    "exclusion": "inclusion.exclusion",
    "critical_incentives": "inclusion.critical",
    "phase_map": "inclusion.phase_map",
    "Goal": "inclusion.goals",
    "Plan": "inclusion.plan",
    "steer": "inclusion.steer",
    "infer": "inclusion.inverse",
    "AlignmentGame": "game.alignment_game",
    "Groups": "game.groups",
    "Network": "game.network",
    "Profile": "game.profile",
    "certify": "equilibrium.certificate",
    "Certificate": "equilibrium.certificate",
    "Equilibrium": "equilibrium.outcome",
    "Outcome": "equilibrium.outcome",
    "solve": "equilibrium.solve",
    "solvers": "equilibrium",
    "levers": "inclusion",
    "plots": "report",
    "Attractiveness": "game.terms",
    "AudienceShare": "game.terms",
    "Consistency": "game.terms",
    "Diversity": "game.terms",
    "KLConsistency": "game.terms",
    "Subsidy": "game.terms",
    "Variety": "game.terms",
}
"""Where each public name lives: nothing is imported before it is used."""

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "solvers":
        return importlib.import_module("equipoise.equilibrium.solvers")
    if name == "levers":
        return importlib.import_module("equipoise.inclusion.levers")
    if name == "plots":
        return importlib.import_module("equipoise.report.charts")
    if name in _HOME:
        found = getattr(importlib.import_module(f"equipoise.{_HOME[name]}"), name)
        globals()[name] = found  # the next look-up does not come here
        return found
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
