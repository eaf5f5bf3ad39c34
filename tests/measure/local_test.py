"""The real small model, SmolLM2-135M, on a llama.cpp of our own: what it is, measured.

Witness: a bare client that asks the same server the same questions and does its own sums. What is
known of this model (design section 5): its answers go by position, are near uniform only once
orders are balanced, and do not follow political personas.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.llm.asking import ask
from equipoise.llm.local_server import LocalServer
from equipoise.llm.requests import ScoreRequest
from equipoise.llm.store import Store
from equipoise.measure.agents import AgentSpec, idle_cores
from equipoise.measure.answer_sheets import ScoredAnswers
from equipoise.measure.population import Population
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import questions_of
from equipoise.panels import load_panel
from tests.llm.small_model import small_model

ROOT = Path(__file__).parents[2]


def test_a_small_measurement_is_what_a_bare_client_finds(tmp_path: Path) -> None:
    """One question, six orders, default only."""
    path = small_model()
    panel = load_panel("gss2018", groups=3, questions=("natarms", "natsci"))
    asked = Questionnaire(questions_of(panel.answers), orders=6)
    who = Population(panel, (AgentSpec("smol", "smollm2-135m"),), asked, draws=60, personas=False)
    with LocalServer(path, threads=idle_cores()) as server:
        backend = server.backend()
        with Store(tmp_path / "answers.sqlite") as store:
            found = who.measure(given={"smol": backend}, store=store)
            again = who.measure(given={"smol": backend}, store=store)
            (able, condition) = backend.capabilities, who.conditions(who.agents[0])[0]
            requests = asked.score_requests(condition, able)
            # Asked last to first, beside the store: the same bits.
            bare = ask(backend, requests[::-1], in_flight=3).complete()[::-1]
    one = found.agents[0]
    assert isinstance(one.answers, ScoredAnswers)
    for q, sheet in enumerate(asked.sheets):
        for r, order in enumerate(sheet.orders):
            request = requests[6 * q + r]
            assert isinstance(request, ScoreRequest)
            seen: Any = bare[6 * q + r]
            for letter, option in zip(request.options, order, strict=True):
                share = seen.probabilities[letter] / seen.covered
                assert one.answers.given[0][q][r, option] == share
    assert min(float(c.min()) for c in one.answers.covered[0]) > 0.5
    assert found.to_dict() == again.to_dict()
    letters = np.array(one.randomness.letters)
    assert letters.argmax() == 0
    assert letters[0] > 0.5


def test_answers_do_not_depend_on_the_number_of_threads() -> None:
    path = small_model()
    panel = load_panel("gss2018", groups=3, questions=("natarms", "natsci"))
    asked = Questionnaire(questions_of(panel.answers), orders=3)
    found = []
    for threads in (1, 2):
        with LocalServer(path, threads=threads) as server:
            backend = server.backend()
            who = Population(panel, (AgentSpec("smol", "s"),), asked, personas=False)
            condition = who.conditions(who.agents[0])[0]
            requests = asked.score_requests(condition, backend.capabilities)
            found.append([a.to_dict() for a in ask(backend, requests).complete()])
    assert found[0] == found[1]


@pytest.mark.soak
def test_a_full_measurement_of_gss(record_figure: Callable[[str, Any], None]) -> None:
    """18 items x 6 orders x (3 personas + default); the times are recorded, never asserted."""
    path = small_model()
    from unittest import mock

    from benchmarks.measure import measured

    home = {"EQUIPOISE_HOME": str(path.parents[2])}
    with mock.patch.dict(os.environ, home):
        times, found = measured(idle_cores(), blocks=12)
    one = found.agents[0]
    steered = one.steerability
    assert steered is not None
    record_figure(
        "measure gss2018 smollm2-135m",
        times
        | {
            "load": os.getloadavg()[0],
            "verdict": one.randomness.verdict,
            "driven_by": one.randomness.driven_by,
            "from_uniform": one.randomness.uniform.distance.value,
            "one_order": one.randomness.one_order.value,
            "letters": list(one.randomness.letters),
            "persona_moves": {g: e.value for g, e in steered.moved.items()},
        },
    )
    assert one.randomness.driven_by == "position"
    assert one.randomness.verdict.endswith("random answering once orders are balanced")
    assert steered.verdict.startswith("not steerable by persona")
    assert max(e.value for e in steered.moved.values()) <= 0.03


@pytest.mark.soak
def test_the_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    """As a user runs it: the model by name, twice; the second time nothing is started."""
    path = small_model()
    env = os.environ | {"EQUIPOISE_HOME": str(path.parents[2]), "PYTHONPATH": str(ROOT / "src")}
    study = tmp_path / "s.toml"
    study.write_text(
        '[panel]\nname = "gss2018"\ngroups = 3\nquestions = ["natarms", "natsci"]\n'
        '[game]\nanchor = "measured"\n[uncertainty]\ndraws = 60\n'
        '[[agents]]\nname = "smol"\nmodel = "smollm2-135m"\n[measure]\npersonas = false\n'
    )
    command = [sys.executable, "-c", "from equipoise.cli.main import main; main()"]
    for verb in (["measure"], ["measure"], ["study", "run"]):
        done = subprocess.run(
            [*command, *verb, str(study), "--out", str(tmp_path / "out")],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_an_agent_with_an_adapter_is_another_model(tmp_path: Path) -> None:
    """Witness: the server asked for the same adapter by hand."""
    from equipoise.llm.models import add_model
    from equipoise.measure.agents import ADAPTER, known_about, open_agent
    from tests.llm.small_adapter import random_adapter

    home = {"EQUIPOISE_HOME": str(tmp_path)}
    file = random_adapter(tmp_path / "a.gguf", 1)
    panel = load_panel("gss2018", groups=3, questions=("natarms", "natsci"))
    asked = Questionnaire(questions_of(panel.answers), orders=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUIPOISE_HOME", home["EQUIPOISE_HOME"])
        add_model("smol", gguf=small_model())
        spec = AgentSpec("a", "smol", adapter=str(file))
        who = Population(panel, (spec,), asked, personas=False)
        condition = who.conditions(spec)[0]
        with open_agent(spec) as model:
            requests = asked.score_requests(condition, model.capabilities)[:1]
            found = ask(model, requests).complete()
            assert known_about(spec).identity == model.identity
            assert model.identity != known_about(AgentSpec("b", "smol")).identity
    with LocalServer(small_model(), adapters={ADAPTER: file}) as server:
        assert ask(server.backend(ADAPTER), requests).complete() == found
        assert ask(server.backend(), requests).complete() != found
    with pytest.raises(BadInput, match="on this machine"):
        AgentSpec("a", url="http://127.0.0.1:1/v1", adapter="a.gguf")
