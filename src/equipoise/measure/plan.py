"""What a measurement will ask, before anything is asked: calls, tokens, cost, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from equipoise.errors import BadInput
from equipoise.llm.answers import Usage
from equipoise.llm.backend import Capabilities
from equipoise.llm.budgeted import most_used
from equipoise.llm.ledger import Prices
from equipoise.llm.requests import Request, SampleRequest, canonical
from equipoise.llm.store import Store
from equipoise.measure.agents import AgentSpec, Known
from equipoise.measure.questionnaire import Condition, Questionnaire

__all__ = ["AgentPlan", "estimator_of", "plan_agent", "requests_of"]

BYTES_A_TOKEN = 4.0
"""Of English text, about."""

TEMPLATE = 12.0
"""Tokens a chat template adds to a message, about."""


@final
@dataclass(frozen=True)
class AgentPlan:
    """What one agent will be asked.

    Parameters
    ----------
    agent : str
    estimator : str
        "scores" or "counts"; settled at the first reply where it is not known.
    calls : int
        All it takes.
    kept : int
        Of these answered in the store already, or by an agent before.
    tokens, tokens_most : float
        About, and at most, of the calls still to be sent.
    cost, cost_most : float or None
        US$; None where the model has no price.
    seconds : float or None
        About; None before `models doctor` has measured the speed.
    """

    agent: str
    estimator: str
    calls: int
    kept: int
    tokens: float
    tokens_most: float
    cost: float | None
    cost_most: float | None
    seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__}


def estimator_of(spec: AgentSpec, able: Capabilities) -> str:
    """Return how an agent is believed to be measured."""
    if spec.answers != "auto":
        return spec.answers
    # A model that thinks first has no option as its first token.
    return able.estimator if spec.reasoning in ("default", "off") else "counts"


def requests_of(
    asked: Questionnaire,
    conditions: Sequence[Condition],
    estimator: str,
    able: Capabilities,
    reasoning: str,
) -> list[list[Request]]:
    """Return the requests of every condition."""
    if estimator == "scores":
        return [asked.score_requests(one, able, reasoning) for one in conditions]
    return [asked.sample_requests(one, reasoning) for one in conditions]


def plan_agent(
    spec: AgentSpec,
    known: Known,
    asked: Questionnaire,
    conditions: Sequence[Condition],
    store: Store | None,
    prices: Prices,
    seen: set[tuple[str, str, int]],
) -> AgentPlan:
    """Count what an agent will be asked.

    Parameters
    ----------
    spec, known : the agent and what is known of its model
    asked, conditions : what, and as whom
    store : Store or None
        Answers it has are not asked for.
    prices : Prices
    seen : set
        Names of what agents before will ask; this agent's are added.
    """
    estimator = estimator_of(spec, known.capabilities)
    wanted = requests_of(asked, conditions, estimator, known.capabilities, spec.reasoning)
    identity = canonical(known.identity)
    about, most, to_send = Usage(), Usage(), 0
    for request in (one for part in wanted for one in part):
        text = canonical(request.to_dict())
        name = (identity, text, request.draw)
        if name in seen or (store is not None and _kept(store, known, request)):
            continue
        seen.add(name)
        to_send += 1
        about, most = _sum(about, _guess(request)), _sum(most, most_used(request))
    price = prices.of(known.identity, free=known.capabilities.free)
    calls = sum(map(len, wanted))
    speed = known.calls_per_second
    return AgentPlan(
        spec.name, estimator, calls, calls - to_send, float(about.prompt_tokens +
        about.completion_tokens), float(most.prompt_tokens + most.completion_tokens),
        None if price is None else price.of(about), None if price is None else price.of(most),
        0.0 if not to_send else to_send / speed if speed else None,
    )  # fmt: skip


def _kept(store: Store, known: Known, request: Request) -> bool:
    named = {"asked": known.identity, "request": request.to_dict()}
    return store.get(named, request.draw) is not None


def _guess(request: Request) -> Usage:
    size = len(request.prompt.shown().encode("utf-8", "replace"))
    parts = len(request.prompt.messages) or 1
    said = request.max_tokens // 2 if isinstance(request, SampleRequest) else 1
    return Usage(round(size / BYTES_A_TOKEN + TEMPLATE * parts), max(1, said))


def _sum(a: Usage, b: Usage) -> Usage:
    return Usage(a.prompt_tokens + b.prompt_tokens, a.completion_tokens + b.completion_tokens)


def check_limits(max_cost: float | None, plans: Sequence[AgentPlan]) -> None:
    """Refuse a limit on cost where a model has no price."""
    for plan in plans:
        if max_cost is not None and plan.cost is None:
            raise BadInput(
                f"measure.max_cost: the model of {plan.agent} has no price; add it to "
                "measure.prices, or limit calls or tokens"
            )
