"""Agents that speak through trained models: sign and order of coverage, and the figure to show it.

Trained models are made by `equipoise realise train`; the variable EQUIPOISE_REALISATION names
their realisation.toml, with laws.json beside it.
"""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.panels import load_panel
from equipoise.report.canvas import drawn
from equipoise.report.simulate_plots import simulation
from equipoise.simulate.prediction import change_of_plan, measured_on
from equipoise.simulate.realised import laws_beside
from equipoise.simulate.simulation import Setup, simulate
from tests.conftest import RESULTS

WHERE = "EQUIPOISE_REALISATION"


@pytest.mark.soak
def test_trained_models_keep_sign_and_order(record_figure: Callable[[str, Any], None]) -> None:
    """GSS 2018, three groups, four agents, played by the models.

    Predicted from the people: order and signs. Predicted from what the models say: every weight,
    and the plan lifts who was left out.
    """
    if WHERE not in os.environ:
        pytest.skip(f"{WHERE} names no realisation.toml")
    panel = load_panel("gss2018", groups=3)
    people = np.asarray(panel.answers.shares)
    laws = laws_beside(Path(os.environ[WHERE]), panel)
    game = eq.AlignmentGame(panel.groups, 4, [
        eq.Attractiveness(panel.appeal(), 20.0), eq.Consistency([1 / 3] * 3),
        eq.Diversity(1.0, panel.kernel()),
    ])  # fmt: skip
    own = measured_on(laws, people, game)
    distance = 0.5 * np.abs(laws.shares - people).sum(axis=-1).mean(axis=-1)
    data: dict[str, Any] = {
        "distance_to_people": dict(zip(panel.groups.labels, distance.tolist(), strict=True))
    }
    found = {}
    for name, theory in (("people", game), ("models", own)):
        plan = change_of_plan(eq.steer(theory, floors=0.1))
        found[name] = simulate(Setup(theory, panel, laws, plan, plan_round=2000, theory=name), 4000)
        data[f"predicted_from_{name}"] = found[name].to_dict()
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        figure = RESULTS / f"{today}-simulation-trained-{name}.svg"
        figure.write_bytes(drawn(functools.partial(simulation, found[name]), "svg"))
    record_figure("simulate.trained_models", data)
    as_it_is = found["people"].phases[0]
    assert as_it_is.order_kept
    assert found["people"].changes_as_predicted
    before, after = found["models"].phases
    assert before.verdict == after.verdict == "as predicted"
    left_out = [g for k, g in enumerate(before.groups)
                if before.predicted.profile.top_weight[k] == 0]  # fmt: skip
    assert left_out
    for phase in (before, after):
        assert np.abs(phase.why["formula"]).max() < 1e-8
        assert np.abs(phase.why["infidelity"]).max() < 1e-12
    assert all(after.floor_met(g) for g in left_out)
