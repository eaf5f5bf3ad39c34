"""The `[[agents]]` and `[measure]` tables: which models are asked, and how."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from equipoise.errors import BadInput
from equipoise.game.gamefile_values import said
from equipoise.llm.requests import REASONING
from equipoise.study.fields import (
    Count,
    Flag,
    StudyTable,
    Text,
    Weight,
    one_of,
    schema_of,
    whole,
)

__all__ = ["AgentsTable", "AgentsTables", "MeasureTable", "check_agents"]


def _tables(value: Any) -> Any:
    if isinstance(value, dict):
        raise BadInput(
            "[agents] is one table; write [[agents]], in two brackets, once for every agent"
        )
    if not isinstance(value, list | tuple):
        raise BadInput(f"got {said(value)}; write a table, [[agents]]")
    return tuple(value)


def _frames(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4:
        raise BadInput(
            f"got {said(value)}; write a number from 1 to 4, or a list of texts with {{question}} "
            "in each"
        )
    return value


class AgentsTable(StudyTable):
    """One agent: a model, as whom it speaks, and how it is asked."""

    name: Text
    model: Text | None = None
    url: Text | None = None
    persona: Text | None = None
    system: Text | None = None
    reasoning: Annotated[str, *one_of(*REASONING)] = "default"
    key_env: Text | None = None
    answers: Annotated[str, *one_of("auto", "scores", "counts")] = "auto"
    adapter: Text | None = None


class MeasureTable(StudyTable):
    """How the agents are asked, and what may be spent."""

    orders: Annotated[
        int, BeforeValidator(whole(1, 720, "6")), schema_of(type="integer", minimum=1, maximum=720)
    ] = 6
    paraphrases: Annotated[
        Any,
        BeforeValidator(_frames),
        schema_of(
            anyOf=[
                {"type": "integer", "minimum": 1, "maximum": 4},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        ),
    ] = 1
    form: Annotated[str, *one_of("letters", "words")] = "letters"
    questions: Text | None = None
    personas: Flag = True
    persona: Text | None = None
    samples: Count = 4
    max_tokens: Count | None = None
    max_answer: Count = 16
    max_calls: Count | None = None
    max_cost: Weight | None = None
    prices: Text | None = None


AgentsTables = Annotated[tuple[AgentsTable, ...], BeforeValidator(_tables)]


def check_agents(
    agents: tuple[AgentsTable, ...], *, measured: bool, per: str, named: bool, file: bool
) -> None:
    """Apply the rules of `[[agents]]` that need more than one key.

    Parameters
    ----------
    agents : the tables
    measured : whether `game.anchor` is "measured"
    per : `game.per`
    named : whether `game.agents` is given
    file : whether `game.file` is given
    """
    names = [agent.name for agent in agents]
    for number, agent in enumerate(agents, start=1):
        if names.count(agent.name) > 1:
            raise BadInput(f'[[agents]] {number}, name: "{agent.name}" stands twice; rename one')
        if agent.model is None and agent.url is None:
            raise BadInput(
                f'[[agents]] {number}, model: it is missing; write model = "smollm2-135m", or url '
                '= "https://…/v1"'
            )
        if agent.key_env is not None and (
            agent.url is None or not agent.key_env.endswith("_API_KEY")
        ):
            raise BadInput(
                f"[[agents]] {number}, key_env: it goes with url, and names a variable that ends "
                "in _API_KEY; write that name, never the key"
            )
    if agents and named:
        raise BadInput("game.agents: [[agents]] name the agents; leave game.agents out")
    if agents and file:
        raise BadInput("agents: the game file names the agents; leave [[agents]] out")
    if measured and not agents:
        raise BadInput('game.anchor: "measured" needs at least one [[agents]]; add one')
    if measured and per == "question":
        raise BadInput('game.per: anchors are measured over all questions; write per = "all"')
