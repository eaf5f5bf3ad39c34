"""A population measured: plan, ask, find, and write a game with its joint draws."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from equipoise.display import Tabled, finite
from equipoise.errors import BadInput
from equipoise.llm.backend import Backend
from equipoise.llm.budgeted import Budget
from equipoise.llm.ledger import Prices
from equipoise.llm.store import Store
from equipoise.measure.agents import AgentSpec, Known, known_about
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.answer_sheets import Answers, ScoredAnswers
from equipoise.measure.asking import Asker, Phase, Progress
from equipoise.measure.findings import AgentFindings, find
from equipoise.measure.fit_game import Incentives, MeasuredGame, fit_game, write_game, write_whole
from equipoise.measure.plan import AgentPlan, check_limits, plan_agent
from equipoise.measure.power import power
from equipoise.measure.questionnaire import PERSONA, Condition, Questionnaire, conditions_for
from equipoise.panels.panel import Panel

__all__ = ["Measured", "Population"]


@final
@dataclass(frozen=True)
class Population:
    """What is to be measured: agents, questions, people.

    Parameters
    ----------
    panel : Panel
    agents : tuple of AgentSpec
    asked : Questionnaire
    incentives : Incentives
    personas : bool
        Whether each agent is asked as a person of every group, too.
    persona : str
        The sentence that makes it one.
    draws, seed : int
        Joint draws.
    about : mapping
        Added to the game's.

    Examples
    --------
    >>> from equipoise.llm.scripted import Scripted
    >>> from equipoise.measure.questions import questions_of
    >>> from equipoise.panels import load_panel
    >>> panel = load_panel("gss2018", groups=3, questions=("natenvir", "natarms"))
    >>> asked = Questionnaire(questions_of(panel.answers))
    >>> who = Population(panel, (AgentSpec("a", "any"),), asked, draws=40)
    >>> found = who.measure(given={"a": Scripted.uniform()})
    >>> found.agents[0].randomness.verdict, found.game.game.agents.names
    ('cannot be told from random answering', ('a',))
    """

    panel: Panel
    agents: tuple[AgentSpec, ...]
    asked: Questionnaire
    incentives: Incentives = field(default_factory=Incentives)
    personas: bool = True
    persona: str = PERSONA
    draws: int = 1000
    seed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [agent.name for agent in self.agents]
        if not names or len(set(names)) < len(names):
            raise BadInput("agents: give at least one, and no name twice")
        counted = all(agent.answers == "counts" for agent in self.agents)
        if len(self.asked.questions) < 2 and not counted:
            raise BadInput(
                "questions: one is too few for exact scores, whose interval is over questions; ask "
                'at least two, or write answers = "counts" for every agent'
            )
        for agent in self.agents:
            self.conditions(agent)

    def conditions(self, spec: AgentSpec) -> tuple[Condition, ...]:
        """Return as whom an agent is asked."""
        groups = self.panel.groups.labels if self.personas else ()
        return conditions_for(groups, system=spec.system, persona=spec.persona, frame=self.persona)

    def power(self) -> dict[str, int | None]:
        """Single answers a weight needs for a standard error of 0.05, by group (R14)."""
        names = [q.name for q in self.asked.questions]
        laws = AnswerLaws.from_table(self.panel.answers.for_questions(names))
        return power(laws, 1).needed()

    def plan(
        self, *, store: Store | None = None, prices: Prices | None = None,
        max_cost: float | None = None, known: Mapping[str, Known] | None = None,
    ) -> list[AgentPlan]:  # fmt: skip
        """Return what will be asked, without asking or starting anything."""
        seen: set[tuple[str, str, int]] = set()
        plans = [
            plan_agent(
                spec, known[spec.name] if known else known_about(spec), self.asked,
                self.conditions(spec), store, prices or Prices(), seen,
            )
            for spec in self.agents
        ]  # fmt: skip
        check_limits(max_cost, plans)
        return plans

    def measure(
        self,
        *,
        store: Store | None = None,
        budget: Budget | None = None,
        label: str = "measure",
        prices: Prices | None = None,
        given: Mapping[str, Backend] | None = None,
        progress: Progress | None = None,
        note: Callable[[str], Any] | None = None,
    ) -> Measured:
        """Ask all agents and work everything out.

        Parameters
        ----------
        store : Store, optional
            What it has is not asked again; with it a killed run goes on.
        budget, label, prices
            As for `Asker`.
        given : mapping of agent to Backend, optional
            Models that are open already.
        progress, note : callables, optional

        Returns
        -------
        Measured; its findings and files are the same bytes with and without a store, however often
        the run was killed.

        Raises
        ------
        EquipoiseError
            A budget is spent or calls failed: what was answered is in the store.
        """
        given = given or {}
        asker = Asker(
            self.asked, store, budget or Budget(), label, prices or Prices(), given, progress, note
        )
        with asker.timed("people"):
            people = self.panel.draws(self.draws, self.seed)
        answers = [self._asked(asker, spec) for spec in self.agents]
        with asker.timed("estimating"):
            found = [
                find(spec.name, one, self.panel, people, seed=self.seed + i)
                for i, (spec, one) in enumerate(zip(self.agents, answers, strict=True))
            ]
            game = fit_game(self.panel, people, found, self.incentives, dict(self.about))
        return Measured(self, tuple(found), game, tuple(asker.phases))

    def _asked(self, asker: Asker, spec: AgentSpec) -> Answers:
        """Ask one agent; a model whose answers are all in the store is not even started."""
        conditions, kept = self.conditions(spec), False
        known = None if spec.name in asker.given else known_about(spec)
        if known is not None and asker.store is not None:
            plan = plan_agent(spec, known, self.asked, conditions, asker.store, asker.prices, set())
            kept = plan.kept == plan.calls
        return asker.measure(spec, conditions, known, all_kept=kept)


@final
@dataclass(frozen=True, eq=False)
class Measured(Tabled):
    """What came of it.

    Parameters
    ----------
    population : Population
    agents : tuple of AgentFindings
    game : MeasuredGame
    phases : tuple of Phase
        Calls, tokens, cost and time of this run; in no file.
    """

    population: Population
    agents: tuple[AgentFindings, ...]
    game: MeasuredGame
    phases: tuple[Phase, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: equal for equal answers."""
        return {
            "panel": self.population.panel.name,
            "groups": list(self.population.panel.groups.labels),
            "power": self.population.power(),
            "about": dict(self.game.game.about),
            "agents": [one.to_dict() for one in self.agents],
        }

    def write(self, folder: Path) -> Path:
        """Write game.json, its draws, measured.json and answers.csv; return the game's path."""
        text = json.dumps(finite(self.to_dict()), indent=1, allow_nan=False) + "\n"
        write_whole(folder / "measured.json", text.encode())
        write_whole(folder / "answers.csv", self.answers_csv().encode())
        return write_game(self.game, folder)

    def answers_csv(self) -> str:
        """Return every answer, a row per agent, condition, question, prompt and option."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("agent", "as", "question", "wording", "prompt", "position", "option",
                       "share", "count", "covered", "unparsed", "refused"))  # fmt: skip
        for one in self.agents:
            rows.writerows(_rows(one))
        return out.getvalue()

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one plain dict per agent and group: the default alignment with its interval."""
        return [row for one in self.agents for row in one.to_rows()]

    def __repr__(self) -> str:
        names = ", ".join(one.agent for one in self.agents)
        return f"Measured({names} on {self.population.panel.name})"


def _rows(found: AgentFindings) -> list[Sequence[Any]]:
    """Of scores the count stays empty, of counts the covered mass: never one column for both."""
    answers, rows = found.answers, list[Sequence[Any]]()
    for c, condition in enumerate(answers.conditions):
        for q, sheet in enumerate(answers.sheets):
            for r, order in enumerate(sheet.orders):
                for position, o in enumerate(order):
                    row = (found.agent, condition, sheet.question, sheet.wording[r], r, position,
                           sheet.options[o])  # fmt: skip
                    if isinstance(answers, ScoredAnswers):
                        share = float(answers.given[c][q][r, o])
                        seen = "" if np.isnan(share) else repr(share)
                        rows.append((*row, seen, "", repr(float(answers.covered[c][q][r])), "", ""))
                    else:
                        rows.append((*row, "", int(answers.counts[c][q][r, o]), "",
                                     int(answers.unparsed[c][q][r]),
                                     int(answers.refused[c][q][r])))  # fmt: skip
    return rows
