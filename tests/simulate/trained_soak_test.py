"""Agents that speak through trained models: sign and order of coverage, and the figure to show it.

Trained models are made by `equipoise realise train`; the variable EQUIPOISE_REALISATION names
their realisation.toml, with laws.json beside it.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.panels import load_panel
from equipoise.report.plan_plots import drawn
from equipoise.report.simulate_plots import simulation
from equipoise.simulate.prediction import change_of_plan, game_of, rules_of
from equipoise.simulate.realised import laws_beside
from equipoise.simulate.simulation import Setup, simulate
from tests.conftest import RESULTS

WHERE = "EQUIPOISE_REALISATION"


@pytest.mark.soak
def test_trained_models_keep_sign_and_order(record_figure: Callable[[str, Any], None]) -> None:
    """GSS 2018, three groups, four agents; predicted from the people, played by the models."""
    if WHERE not in os.environ:
        pytest.skip(f"{WHERE} names no realisation.toml")
    panel = load_panel("gss2018", groups=3)
    people = np.asarray(panel.answers.shares)
    laws = laws_beside(Path(os.environ[WHERE]), panel)
    game = eq.AlignmentGame(panel.groups, 4, [
        eq.Attractiveness(panel.appeal(), 20.0), eq.Consistency([1 / 3] * 3),
        eq.Diversity(1.0, panel.kernel()),
    ])  # fmt: skip
    plan = change_of_plan(eq.steer(game, floors=0.1))
    found = simulate(Setup(game, panel, laws, plan, plan_round=2000), 4000)
    before, after = found.phases
    own = eq.solve(game_of(rules_of(game), laws, people, game)).profile.coverage
    distance = 0.5 * np.abs(laws.shares - people).sum(axis=-1).mean(axis=-1)
    record_figure("simulate.trained_models", {
        "distance_to_people": dict(zip(found.groups, distance.tolist(), strict=True)),
        "phases": [phase.to_dict() for phase in found.phases],
        "order_kept": [before.order_kept, after.order_kept],
        "changes_as_predicted": found.changes_as_predicted,
        "as_predicted_by_the_models_own_laws": before.against(own),
    })  # fmt: skip
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    figure = RESULTS / f"{today}-simulation-trained.svg"
    figure.write_bytes(drawn(lambda: simulation(found), "svg"))
    assert before.order_kept
    assert after.order_kept
    assert found.changes_as_predicted
    assert before.coverage.holds(own).all()
