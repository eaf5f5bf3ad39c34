"""The `[simulate]` table of a study file: how agents post, learn, and when a plan begins."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from equipoise.errors import BadInput
from equipoise.study.fields import Count, Seed, StudyTable, Text, one_of, real, schema_of, whole

__all__ = ["SimulateTable", "check_simulate"]


def _many(least: int, example: str) -> tuple[Any, Any]:
    """Return check and schema of a whole number from `least` to a million."""
    most = 10**6
    return (
        BeforeValidator(whole(least, most, example)),
        schema_of(type="integer", minimum=least, maximum=most),
    )


class SimulateTable(StudyTable):
    """The closed loop: agents post, real respondents react, agents adapt."""

    rounds: Annotated[int, *_many(160, "4000")] = 4000
    learning: Annotated[str, *one_of("mirror", "best-response", "bandit")] = "mirror"
    posts_per_round: Annotated[int, *_many(1, "8")] = 8
    readers: Annotated[int, *_many(1, "4")] = 4
    replicates: Annotated[int, *_many(2, "8")] = 8
    agents: Annotated[str, *one_of("tables", "models")] = "tables"
    realisation: Text | None = None
    predict: Annotated[str, *one_of("people", "models")] = "people"
    plan: Text | None = None
    plan_round: Count | None = None
    width: Annotated[
        float,
        BeforeValidator(real(0.0, 1.0, "half a width between 0 and 1, e.g. 0.02", open_=True)),
        schema_of(type="number", exclusiveMinimum=0, exclusiveMaximum=1),
    ] = 0.02
    seed: Seed = 0


def check_simulate(table: SimulateTable, goals: int) -> None:
    """Apply the rules of `[simulate]` that need more than one key.

    Parameters
    ----------
    table : SimulateTable
    goals : int
        How many `[[steer]]` tables the study has.
    """
    if table.realisation is not None and table.agents == "tables":
        raise BadInput('simulate.realisation: it goes with agents = "models"; write that too')
    if table.agents == "models" and table.realisation is None:
        raise BadInput(
            "simulate.realisation: it is missing; name the realisation.toml of the models, which "
            "`equipoise realise train` writes"
        )
    if table.predict == "models" and table.agents == "tables":
        raise BadInput('simulate.predict: "models" goes with agents = "models"; write that too')
    if table.plan_round is not None and table.plan is None:
        raise BadInput('simulate.plan_round: there is no plan; add plan = "steer" or "plan.json"')
    if table.plan is not None and not table.plan.endswith(".json"):
        number = goal_number(table.plan)
        if number > goals:
            raise BadInput(
                f'simulate.plan: "{table.plan}" is goal {number}, and the study has {goals} '
                "[[steer]] tables; add one"
            )


def goal_number(plan: str) -> int:
    """Return which `[[steer]]` table a plan names, counted from 1.

    Raises
    ------
    BadInput
        It is neither a goal nor a file.
    """
    head, _, number = plan.strip().partition(" ")
    if head != "steer" or not (number == "" or (number.isdigit() and int(number) > 0)):
        raise BadInput(
            f'simulate.plan: got "{plan}"; write "steer" (the first [[steer]] of this study), '
            '"steer 2", or a file of `equipoise steer --json` that ends in .json'
        )
    return int(number or 1)
