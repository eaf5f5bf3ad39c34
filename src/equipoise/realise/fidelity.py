r"""Fidelity: what a route achieves of a target mixture, by audit, in one type for all routes (R14).

Two questions, never mixed. *The mixer*: are the answers the target mixture of the groups' own
models? The audit uses the models' own measured laws. *Representation*: do they stand for the
people? The audit uses the people's laws, and its error has two parts: sampling, and what the models
say otherwise than their people. The second part is worked out by itself, as the error that
endless answers of the exact mixture would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.mixture import MixtureEstimate, estimate_mixture
from equipoise.measure.mixture_fit import fit_mixture, relative_likelihoods
from equipoise.measure.units import sheets
from equipoise.realise.group_answers import GroupAnswers
from equipoise.realise.routes import ROUTES, route_law, sheets_of

__all__ = ["Fidelity", "Realisation", "Representation", "realised"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ENDLESS = 4000
"""Sheets that stand for endless answers."""


@final
@dataclass(frozen=True, eq=False)
class Representation:
    """How the answers stand for people.

    Attributes
    ----------
    achieved : MixtureEstimate
        The audit against the people's laws.
    distance : float
        Mean total variation between the route's answer law and the target mixture of people.
    models_distance : float
        The same of the exact mixture of the groups' models: the models' part of it.
    models_error : (K,) array
        What the audit of endless answers of that exact mixture would be off: the models' part of
        the error of each weight.
    """

    achieved: MixtureEstimate
    distance: float
    models_distance: float
    models_error: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "achieved": self.achieved.to_dict(),
            "distance": self.distance,
            "models_distance": self.models_distance,
            "models_error": self.models_error.tolist(),
        }


@final
@dataclass(frozen=True, eq=False)
class Realisation:
    """One target through one route.

    Attributes
    ----------
    route : str
        Of `ROUTES`.
    target : (K,) array
        The mixture that was meant.
    achieved : MixtureEstimate
        The audit of the answers against the models' own laws.
    distance : float
        Mean total variation between the route's answer law and the target mixture of the models.
    n : int
        Sheets.
    calls : int
        Model calls that one answer of one token takes.
    people : Representation or None
        Where people's laws were given.
    """

    route: str
    target: FloatArray
    achieved: MixtureEstimate
    distance: float
    n: int
    calls: int
    people: Representation | None = None

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether each weight of the target lies in its 95 % interval, (K,)."""
        return _inside(self.achieved, self.target)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "route": self.route,
            "exact": ROUTES[self.route].exact,
            "target": self.target.tolist(),
            "achieved": self.achieved.to_dict(),
            "inside": self.inside.tolist(),
            "distance": self.distance,
            "n": self.n,
            "calls": self.calls,
            "people": None if self.people is None else self.people.to_dict(),
        }


@final
@dataclass(frozen=True, eq=False)
class Fidelity:
    """Many targets through several routes.

    Attributes
    ----------
    groups : tuple of str
        Labels.
    realisations : tuple of Realisation
        Route by route, targets in their order.
    """

    groups: tuple[str, ...]
    realisations: tuple[Realisation, ...]

    def of(self, route: str) -> tuple[Realisation, ...]:
        """Return the realisations of one route."""
        return tuple(one for one in self.realisations if one.route == route)

    @property
    def routes(self) -> tuple[str, ...]:
        """Routes in their order."""
        return tuple(dict.fromkeys(one.route for one in self.realisations))

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one row per route: counts inside, errors, distances, cost.

        `inside` counts per group the targets whose weight lies in its interval; `jointly` those
        with all weights inside the bands for all groups together.
        """
        rows = []
        for route in self.routes:
            found = self.of(route)
            error = np.array([one.achieved.weights - one.target for one in found])
            width = np.array([one.achieved.high - one.achieved.low for one in found])
            row: dict[str, Any] = {
                "route": route,
                "exact": ROUTES[route].exact,
                "targets": len(found),
                "sheets": found[0].n,
                "inside": dict(zip(
                    self.groups, np.sum([one.inside for one in found], axis=0).tolist(),
                    strict=True,
                )),
                "jointly": int(sum(_banded(one.achieved, one.target) for one in found)),
                "error": float(np.abs(error).mean()),
                "interval": float(width.mean()),
                "distance": float(np.mean([one.distance for one in found])),
                "calls": found[0].calls,
            }  # fmt: skip
            people = [(one.people, one.target) for one in found if one.people is not None]
            if people:
                off = np.array([p.achieved.weights - x for p, x in people])
                row["people"] = {
                    "jointly": int(sum(_banded(p.achieved, x) for p, x in people)),
                    "error": float(np.abs(off).mean()),
                    "models_error": float(np.abs([p.models_error for p, _ in people]).mean()),
                    "distance": float(np.mean([p.distance for p, _ in people])),
                    "models_distance": float(np.mean([p.models_distance for p, _ in people])),
                }
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "groups": list(self.groups),
            "routes": self.to_rows(),
            "realisations": [one.to_dict() for one in self.realisations],
        }


def realised(
    route: str,
    answers: GroupAnswers,
    target: Sequence[float] | FloatArray,
    *,
    filled: int | IntArray = 200,
    seed: int = 0,
    own: GroupAnswers | None = None,
    people: tuple[AnswerLaws, FloatArray | None] | None = None,
) -> Realisation:
    """Take a target through a route and audit what comes out.

    Parameters
    ----------
    route : str
        Of `ROUTES`.
    answers : GroupAnswers
        What the route is built from; for interpolation the one interpolated model.
    target : (K,) array
        The mixture that is meant.
    filled : int or (m, Q) array of int
        How many sheets to draw from `answers`, or sheets that were really answered: positions of
        options, -1 where there is no answer.
    seed : int
        Of everything that is drawn.
    own : GroupAnswers, optional
        The groups' own models, where `answers` is not theirs (interpolation).
    people : (AnswerLaws, (K, Q) array or None), optional
        The people's laws, and the effective number of people behind each.

    Returns
    -------
    Realisation. Not guaranteed: that answers of one sheet are independent given the group, for
    models that see their earlier answers.

    Raises
    ------
    BadInput
        No such route; interpolation without `own`.
    """
    if route not in ROUTES:
        raise BadInput(f'route: there is no "{route}"; write one of {", ".join(ROUTES)}')
    if route == "interpolation" and own is None:
        raise BadInput("interpolation: give the groups' own answers too (own)")
    own = answers if own is None else own
    x = np.asarray(target, dtype=np.float64)
    table = sheets_of(route, answers, x, filled, seed=seed) if isinstance(filled, int) else filled
    law, meant = route_law(route, answers, x), own.laws.mixed(x)
    found = estimate_mixture(own.laws, sheets(table), seed=seed)
    calls = len(own.groups) if ROUTES[route].calls_per_token else 1
    side = None
    if people is not None:
        laws, sizes = people
        goal = laws.mixed(x)
        side = Representation(
            estimate_mixture(laws, sheets(table), sizes=sizes, seed=seed),
            _distance(law, goal), _distance(meant, goal),
            endless(laws, sheets_of("routing", own, x, ENDLESS, seed=seed + 1)) - x,
        )  # fmt: skip
    return Realisation(route, x, found, _distance(law, meant), len(table), calls, side)


def endless(laws: AnswerLaws, codes: IntArray) -> FloatArray:
    """Return the most likely mixture (K,) behind very many sheets, without intervals."""
    logs, v = sheets(codes).likelihoods(laws)
    return fit_mixture(relative_likelihoods(logs), v)


def _distance(a: FloatArray, b: FloatArray) -> float:
    """Mean total variation over questions."""
    return float(np.abs(a - b).sum(axis=1).mean() / 2.0)


def _inside(found: MixtureEstimate, target: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((found.low <= target + 1e-12) & (target <= found.high + 1e-12))


def _banded(found: MixtureEstimate, target: FloatArray) -> bool:
    return bool(np.all((found.band_low <= target + 1e-12) & (target <= found.band_high + 1e-12)))
