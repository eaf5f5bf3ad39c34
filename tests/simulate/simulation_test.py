"""The loop against the equilibrium that `eq.solve` certifies; wrong ones are seen to fail."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import BadInput
from equipoise.panels import Panel, load_panel
from equipoise.simulate.exact import agreement_with
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.learners import LEARNERS
from equipoise.simulate.outcome import Simulation
from equipoise.simulate.prediction import change_of, change_of_plan, game_of, rules_of
from equipoise.simulate.simulation import Setup, simulate
from tests.simulate.worlds import played, world

FloatArray = NDArray[np.float64]


@cache
def gss() -> Panel:
    return load_panel("gss2018", groups=3)


def gss_game(alpha: float = 20.0, gamma: float = 1.0, **more: Any) -> eq.AlignmentGame:
    panel = gss()
    return eq.AlignmentGame(panel.groups, more.pop("agents", 4), [
        eq.Attractiveness(panel.appeal(), alpha), eq.Consistency([1 / 3] * 3),
        eq.Diversity(gamma, panel.kernel()), *more.pop("terms", []),
    ])  # fmt: skip


@cache
def lifted() -> Simulation:
    """GSS, four agents: conservatives are left out, and a plan of prices brings them to 10 %."""
    game = gss_game()
    plan = eq.steer(game, floors=0.1)
    return simulate(Setup(game, gss(), plan=change_of_plan(plan), replicates=16), 4000)


def test_exclusion_appears_and_disappears() -> None:
    """Prediction by `eq.solve` and `eq.steer`, both certified; simulation by people's answers."""
    before, after = lifted().phases
    k = before.groups.index("conservative")
    assert before.predicted.profile.top_weight[k] == 0.0
    assert before.verdict == after.verdict == "as predicted"
    assert before.coverage.mean[k] < 0.002
    assert after.floor_met("conservative")
    assert abs(after.coverage.mean[k] - 0.1) < 0.02
    assert lifted().changes_as_predicted
    assert before.order_kept
    assert after.order_kept
    assert after.paid[1] <= after.paid_predicted <= after.paid[2]


@pytest.mark.parametrize("wrong", ["price left out", "attraction off by half", "others ignored"])
def test_a_wrong_prediction_falls_outside(wrong: str) -> None:
    """Planted: another game's equilibrium is not inside the band."""
    before, after = lifted().phases
    if wrong == "price left out":
        assert after.against(before.theory) == "differs"
        return
    game = gss_game(alpha=10.0) if wrong == "attraction off by half" else gss_game(gamma=12.0)
    assert before.against(eq.solve(game).profile.coverage) == "differs"


def test_small_populations_are_compared_agent_by_agent() -> None:
    for phase in lifted().phases:
        assert phase.mixtures.shape == (4, 3)
        assert np.allclose(phase.mixtures.mean(axis=0), phase.coverage.mean, atol=1e-12)
        assert np.abs(phase.mixtures - phase.predicted.profile.array).max() < 0.05
        told = phase.to_dict()["agents"]
        assert [row["agent"] for row in told] == ["agent-1", "agent-2", "agent-3", "agent-4"]


def test_a_simulation_is_a_table_too() -> None:
    found = lifted()
    frame = found.to_frame()
    assert len(frame) == len(found.rounds) * 3
    one = frame[(frame["group"] == "liberal") & (frame["round"] == 4000)]
    assert float(one["coverage"].iloc[0]) == pytest.approx(found.path[-1, :, 0].mean())
    html = found._repr_html_()
    assert html.count("<tr>") == 7
    assert "under the plan" in html


def test_the_parts_of_a_difference_add_up() -> None:
    for phase in lifted().phases:
        total = sum(phase.why.values())
        assert np.allclose(total, phase.coverage.mean - phase.theory, atol=1e-12)
        assert np.abs(phase.why["formula"]).max() < 1e-9
        assert np.abs(phase.why["infidelity"]).max() < 1e-9


def test_welfare_is_what_readers_said() -> None:
    """Predicted by agreement × coverage (the panel's plug-in), measured by readings."""
    for phase in lifted().phases:
        assert phase.welfare.holds(phase.welfare_predicted).all()
        assert (phase.welfare_predicted <= phase.welfare_best + 1e-12).all()


@pytest.mark.parametrize("seed", range(10))
def test_ten_random_games(seed: int) -> None:
    """A fast version of the soak: other seeds, small populations, the same rule."""
    one = world(1000 + seed, agents=4 + 3 * seed)
    found = played(one, most=8000)
    assert np.abs(found.phases[0].why["formula"]).max() < 1e-8
    assert found.verdict == "as predicted"


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_goes_to_the_equilibrium(name: str) -> None:
    game = gss_game(alpha=8.0, gamma=2.0)
    found = simulate(Setup(game, gss(), learning=name, replicates=16, posts=16), 1600)
    phase = found.phases[0]
    assert phase.coverage.holds(phase.theory).all()
    assert np.abs(phase.coverage.mean - phase.theory).max() < 0.06
    assert np.abs(phase.why["learning"]).max() < 0.02


@pytest.mark.parametrize("form", ["quadratic", "kl"])
@pytest.mark.parametrize("kernel", ["panel", "identity"])
def test_the_game_of_the_loop_is_the_measured_game(form: str, kernel: str) -> None:
    """Agents with exact payoffs rest where `eq.solve` says, different agents included."""
    panel, rng = gss(), np.random.default_rng(3)
    held = eq.KLConsistency if form == "kl" else eq.Consistency
    game = eq.AlignmentGame(panel.groups, 5, [
        eq.Attractiveness(panel.appeal(), rng.uniform(2, 20, 5)),
        held(rng.dirichlet(np.ones(3), 5), rng.uniform(0.5, 2, 5)),
        eq.Diversity(rng.uniform(0, 1, 5), panel.kernel() if kernel == "panel" else None),
        eq.Subsidy([0.0, 0.1, 0.05]),
    ])  # fmt: skip
    people = np.asarray(panel.answers.shares)
    laws = PostLaws.of_table(panel.answers)
    again = game_of(rules_of(game), laws, people, game)
    x = eq.solve(game).profile
    assert eq.certify(again, again.profile(x.array)).gap.max() < 1e-8
    phase = simulate(Setup(game, panel), 160).phases[0]
    assert np.abs(phase.why["formula"]).max() < 1e-8


def test_models_that_are_not_their_people_are_named_as_the_reason() -> None:
    """Laws pulled halfway to uniform: what differs is infidelity, and theory of these laws fits."""
    panel, game = gss(), gss_game()
    people = np.asarray(panel.answers.shares)
    dull = PostLaws(panel.groups.labels, panel.questions, panel.answers.options,
                    0.5 * people + 0.5 / 3, source="models")  # fmt: skip
    phase = simulate(Setup(game, panel, dull, replicates=16), 2000).phases[0]
    assert phase.verdict == "differs"
    assert np.abs(phase.why["infidelity"]).max() > 0.05
    own = game_of(rules_of(game), dull, people, game)
    assert phase.coverage.holds(eq.solve(own).profile.coverage).all()
    assert phase.order_kept


@pytest.mark.parametrize("lever", ["prices", "anchors", "diversity", "audience", "caps"])
def test_a_plan_in_json_is_the_plan_itself(lever: str) -> None:
    """What `equipoise steer --json` prints makes the same changed game as the plan it printed."""
    panel = gss()
    people = PostLaws.of_table(panel.answers)
    agreement = agreement_with(people.shares, people)
    game = gss_game(alpha=12.0, gamma=2.0)
    levers = {
        "prices": eq.levers.Prices(), "anchors": eq.levers.Anchors(),
        "diversity": eq.levers.DiversityWeight(), "caps": eq.levers.AttractivenessCap(),
        "audience": eq.levers.Audience(agreement, least=0.0, most=3.0),
    }  # fmt: skip
    floor = {"diversity": 0.17, "audience": 0.16}.get(lever, 0.2)
    plan = eq.steer(game, levers[lever], floors={"conservative": floor})
    told = change_of(json.loads(json.dumps(plan.to_dict())), game, agreement)
    x = plan.after.profile
    assert eq.certify(told.game, told.game.profile(x.array)).gap.max() < 1e-8
    assert told.note == ""
    assert told.floors == {"conservative": floor}
    # The people that the loop lets read make the same appeal as the changed game has.
    seen = game_of(rules_of(told.game, told.audience), people, people.shares, told.game)
    assert eq.certify(seen, seen.profile(x.array)).gap.max() < 1e-8


def test_a_plan_for_another_game_is_noticed() -> None:
    plan = eq.steer(gss_game(alpha=30.0), floors=0.1)
    people = PostLaws.of_table(gss().answers)
    told = change_of(plan.to_dict(), gss_game(), agreement_with(people.shares, people))
    assert "another game" in told.note


@pytest.mark.parametrize(("data", "said"), [
    ([], "this is no plan"), ({"lever": "prices"}, "plan.change"),
    ({"lever": "entry", "change": {}}, "cannot be simulated"),
    ({"lever": "prices", "change": {"liberals": 1.0}}, 'did you mean "liberal"'),
    ({"lever": "prices", "change": {"liberal": "much"}}, "write a number"),
    ({"lever": "diversity", "change": {}, "setting": None}, "plan.setting"),
])  # fmt: skip
def test_what_is_no_plan_is_refused(data: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        change_of(data, gss_game(), np.eye(3))


def test_a_plan_that_moves_anchors_needs_a_game_that_has_some() -> None:
    game = eq.AlignmentGame(gss().groups, 2, [eq.Attractiveness([1, 2, 3])])
    with pytest.raises(BadInput, match="no agent is held to one"):
        change_of({"lever": "anchors", "change": {}}, game, np.eye(3))


def test_a_half_written_block_is_undone() -> None:
    """An interruption inside a transaction: only the whole blocks count."""
    from equipoise.simulate.log import Log

    society = Setup(gss_game(), gss(), replicates=2, posts=2).society(160)
    with Log(None, "k", society.laws, list("abcd")) as log:
        state = society.begin()
        log.keep(state, society.advance(state, 10), 0)
        log._file.execute("BEGIN")
        log._file.execute("UPDATE state SET round = 999")
        log.undo()
        kept = log.state()
    assert kept is not None
    assert kept.round == 10


def test_what_the_loop_cannot_play_is_refused() -> None:
    with pytest.raises(BadInput, match="audience_share"):
        rules_of(gss_game(terms=[eq.AudienceShare(1.0)]))
    with pytest.raises(BadInput, match="too few for a band"):
        simulate(Setup(gss_game(), gss()), 100)
    with pytest.raises(BadInput, match="consistency"):
        rules_of(eq.AlignmentGame(gss().groups, 2, [eq.Attractiveness([1, 2, 3])]))
