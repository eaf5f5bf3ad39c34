"""What is a model behind an address held to? Ask it a survey, and make a game of the answers.

    python examples/measuring_an_endpoint.py http://127.0.0.1:8080/v1 MODEL [KEY_ENV]

The address is OpenAI-compatible. KEY_ENV is the *name* of a variable with the key, such as
MY_API_KEY. For a model on this machine start one with llama.cpp, or see `equipoise models`.
Answers are kept in `answers.sqlite`: run it again and nothing is asked twice. Of a server that
answers as conservatives do it prints:

    18 questions, 108 prompts
    does not answer at random, …
      liberal       0.00  [0.00, …]
      moderate      0.00  [0.00, …]
      conservative  1.00  […, 1.00]
    asked … calls
    game.json: equipoise solve game.json
"""

import sys
from pathlib import Path

from equipoise.llm.budgeted import Budget
from equipoise.llm.store import Store
from equipoise.measure.agents import AgentSpec
from equipoise.measure.population import Population
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import questions_of
from equipoise.panels import load_panel


def main(url: str, model: str = "", key_env: str = "") -> None:
    """Ask, estimate, write the game."""
    panel = load_panel("gss2018", groups=3)
    asked = Questionnaire(questions_of(panel.answers), orders=6)
    agent = AgentSpec("the-model", model, url=url, key_env=key_env)
    population = Population(panel, (agent,), asked, personas=False, draws=200)
    print(len(asked.questions), "questions,", asked.prompts, "prompts")

    with Store("answers.sqlite") as store:
        measured = population.measure(store=store, budget=Budget(calls=2000))
    (found,) = measured.agents
    print(found.randomness.verdict + ",", found.randomness.driven_by)
    for group, weight in found.alignment.items():
        print(f"  {group:13} {weight.value:.2f}  [{weight.low:.2f}, {weight.high:.2f}]")
    print("asked", sum(phase.spent.calls for phase in measured.phases), "calls")
    game = measured.write(Path())
    print(f"{game}: equipoise solve {game}")


if __name__ == "__main__":
    main(*sys.argv[1:])
