r"""Routes from a target mixture to answers: how each answers a questionnaire, and its law (R13).

*routing* draws the group once a sheet and keeps it; *bayes* draws every answer from the mixture
re-weighted by the answers before; both are the target mixture. *geometric* multiplies the groups'
laws, *interpolation* adds their adapters' weight changes in one model: other laws, offered under
their own names. *persona routing* draws the group and lets an untrained model play it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equipoise.realise.draws import Served, conversation_key, uniform
from equipoise.realise.group_answers import GroupAnswers
from equipoise.realise.mixers import BayesMixture, GeometricMixture
from equipoise.realise.targets import Targets

__all__ = ["ROUTES", "Route", "route_law", "sheets_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@final
@dataclass(frozen=True)
class Route:
    """One way to realise a mixture.

    Attributes
    ----------
    name : str
    exact : bool
        Whether its law is the mixture of the groups' models, whole responses.
    calls_per_token : bool
        Whether every token asks every group's model (otherwise one model says it all).
    """

    name: str
    exact: bool
    calls_per_token: bool


ROUTES = {
    route.name: route
    for route in (
        Route("routing", True, False),
        Route("bayes", True, True),
        Route("geometric", False, True),
        Route("interpolation", False, False),
        Route("persona routing", True, False),
    )
}
"""By name. Persona routing is exact for the laws of its personas, which are not the adapters'."""


def route_law(name: str, answers: GroupAnswers, target: FloatArray) -> FloatArray:
    """Return a route's answer law (Q, C), each question on its own.

    Parameters
    ----------
    name : str
        Of `ROUTES`.
    answers : GroupAnswers
        Of the route's groups; for interpolation of the one interpolated model.
    target : (K,) array
        The mixture.
    """
    if name == "interpolation":
        return np.asarray(answers.laws.shares[0])
    if name != "geometric":
        return answers.laws.mixed(target)
    out = np.zeros(answers.laws.shares.shape[1:])
    for q, table in enumerate(answers.given):
        rows = [GeometricMixture().mixed(target, table[:, r]) for r in range(table.shape[1])]
        out[q, : table.shape[2]] = np.mean(rows, axis=0)
    return out


def sheets_of(
    name: str, answers: GroupAnswers, target: FloatArray, n: int, *, seed: int
) -> IntArray:
    """Answer n questionnaires by a route, (n, Q) positions of options.

    Parameters
    ----------
    name, answers, target
        As for `route_law`.
    n : int
        Sheets; each is one conversation.
    seed : int
        Of everything random. Routing's groups are drawn as the gateway draws them.
    """
    rng = np.random.default_rng(seed)
    orders = [rng.integers(0, table.shape[1], n) for table in answers.given]
    if name == "interpolation":
        one = np.zeros(n, dtype=np.int64)
        return _fixed(answers, one, orders, rng)
    if name in ("routing", "persona routing"):
        return _fixed(answers, drawn_groups(answers.groups, target, n, seed=seed), orders, rng)
    omega = np.tile(target, (n, 1))
    out = np.zeros((n, len(answers.given)), dtype=np.int64)
    for q, table in enumerate(answers.given):
        for i in range(n):
            laws = table[:, orders[q][i]]
            if name == "bayes":
                choice = _choice(rng, BayesMixture().mixed(omega[i], laws))
                omega[i] = BayesMixture().after(omega[i], laws, choice)
            else:
                choice = _choice(rng, GeometricMixture().mixed(target, laws))
            out[i, q] = choice
    return out


def drawn_groups(groups: tuple[str, ...], target: FloatArray, n: int, *, seed: int) -> IntArray:
    """Return the group (position) of n conversations as the gateway draws them, (n,)."""
    served = Served(Targets(groups, ("agent",), target[None, :]))
    keys = (conversation_key("agent", b"sheet %d" % i) for i in range(n))
    drawn = (served.group("agent", "", uniform(seed, key)) for key in keys)
    return np.array([groups.index(group) for group in drawn], dtype=np.int64)


def _fixed(
    answers: GroupAnswers, group: IntArray, orders: list[IntArray], rng: np.random.Generator
) -> IntArray:
    """Answer whole sheets by one group each."""
    out = np.zeros((group.size, len(answers.given)), dtype=np.int64)
    for q, table in enumerate(answers.given):
        ends = np.cumsum(table[group, orders[q]], axis=1)
        u = rng.random(group.size) * ends[:, -1]
        out[:, q] = np.minimum((ends <= u[:, None]).sum(axis=1), table.shape[2] - 1)
    return out


def _choice(rng: np.random.Generator, law: FloatArray) -> int:
    ends = np.cumsum(law)
    return int(min(np.searchsorted(ends, rng.random() * ends[-1], side="right"), law.size - 1))
