"""What is found of models whose truth is known: they are scripts.

Witnesses: the script itself; shares worked out by hand; the same code must say the opposite of a
model that follows its persona and of one that answers by position.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.llm.backend import Backend
from equipoise.llm.failures import CallFailed, FailureKind
from equipoise.llm.requests import Prompt
from equipoise.llm.scripted import Scripted
from equipoise.measure.agents import AgentSpec
from equipoise.measure.answer_sheets import CountedAnswers, ScoredAnswers
from equipoise.measure.balance import drawn_shares, expected_shares, parts_of
from equipoise.measure.findings import AgentFindings
from equipoise.measure.orders import balanced_orders
from equipoise.measure.population import Measured, Population
from equipoise.measure.questionnaire import Questionnaire, Sheet
from equipoise.measure.questions import questions_of
from equipoise.measure.random_answers import randomness
from equipoise.panels import load_panel
from tests.measure.answering import as_people

GSS = load_panel("gss2018", groups=3)
PEOPLE = as_people(GSS, default="liberal")


def measured(model: Backend, samples: int = 4) -> Measured:
    asked = Questionnaire(questions_of(GSS.answers), orders=6, samples=samples)
    who = Population(GSS, (AgentSpec("a", "any"),), asked, draws=200)
    return who.measure(given={"a": model})


def found_of(model: Backend, samples: int = 4) -> AgentFindings:
    return measured(model, samples).agents[0]


def test_a_model_that_answers_by_position_is_uniform_only_after_balancing() -> None:
    result = measured(Scripted.by_position([0.446, 0.388, 0.166]))
    one = result.agents[0]
    assert one.randomness.driven_by == "position"
    assert one.randomness.random
    assert one.randomness.verdict.endswith("once orders are balanced")
    assert one.randomness.uniform.distance.value == pytest.approx(0.0, abs=1e-12)
    # |.446 - 1/3| + |.388 - 1/3| + |.166 - 1/3|, halved
    assert one.randomness.position.value == pytest.approx(0.167333, abs=1e-6)
    assert one.randomness.letters == pytest.approx((0.446, 0.388, 0.166))
    assert one.steerability is not None
    assert one.steerability.verdict.startswith("not steerable by persona")
    assert "cannot be told from random answering" in result.game.game.about["warning"]
    assert "random" in result.game.game.about["agents"]["a"]
    # Uniform answers are nearest to those of the group whose answers are the most even.
    evenness = -np.abs(GSS.answers.shares - 1 / 3).sum(axis=(1, 2))
    assert GSS.groups.labels[int(evenness.argmax())] == "conservative"
    assert one.alignment["conservative"].value > 0.99


def test_a_model_that_follows_its_persona_gets_the_opposite_verdict() -> None:
    result = measured(Scripted(PEOPLE))
    one = result.agents[0]
    assert one.randomness.driven_by == "content"
    assert not one.randomness.random
    assert one.randomness.verdict == "does not answer at random"
    assert one.steerability is not None
    assert one.steerability.verdict == "steerable by persona: it follows every group"
    assert [one.steerability.verdict_of(g) for g in GSS.groups.labels] == [
        "is there already",
        "follows",
        "follows",
    ]
    assert "warning" not in result.game.game.about
    # It is liberal people: all weight on them, nothing left over.
    assert one.alignment["liberal"].value == pytest.approx(1.0, abs=1e-6)
    assert one.mixture["distance"] == pytest.approx(0.0, abs=2e-3)
    assert one.distances.representativeness["liberal"].value == pytest.approx(1.0, abs=1e-9)
    assert one.distances.plain["jensen_shannon"]["liberal"] == pytest.approx(0.0, abs=1e-7)
    assert one.judging is not None
    np.testing.assert_allclose(one.judging.agreement, one.judging.people, atol=1e-12)
    np.testing.assert_allclose(one.judging.kernel, GSS.kernel(), atol=1e-12)


def test_a_mixture_of_groups_is_found_again() -> None:
    weights = np.array([0.2, 0.5, 0.3])
    table = GSS.answers

    def chances(prompt: Prompt, options: Sequence[str]) -> list[float]:
        scripts = [as_people(GSS, default=g, weight=1.0) for g in table.groups]
        answers = [script(prompt, options) for script in scripts]
        return list(weights @ np.array(answers))

    one = found_of(Scripted(chances))
    assert one.anchor == pytest.approx(weights, abs=0.02)
    assert all(e.low <= w <= e.high for e, w in zip(one.alignment.values(), weights, strict=True))


def test_random_per_prompt_is_random() -> None:
    """Far from uniform in each prompt, but no option is liked more than another."""
    one = found_of(Scripted.by_seed(seed=3))
    assert one.randomness.uniform.distance.value > 0.05
    assert one.randomness.driven_by == "nothing"
    assert one.randomness.random


def test_the_null_tests_hold_their_level() -> None:
    """Of 200 that answer at random 2 to 21 are called otherwise (binomial 5 %, 1 in 1000)."""
    sheets = tuple(Sheet(q, ("a", "b", "c"), (0,) * 6, balanced_orders(3, 6)) for q in "xy")
    rng, called = np.random.default_rng(8), [0, 0]
    for seed in range(200):
        given = tuple(rng.dirichlet(np.ones(3), 6) for _ in sheets)
        answers = ScoredAnswers(("default",), sheets, (given,), ((np.ones(6),) * 2,))
        found = randomness(answers, [0, 1], seed=seed)
        called[0] += found.p_content <= 0.05
        called[1] += found.p_position <= 0.05
    assert 2 <= min(called) <= max(called) <= 21, called


def test_content_and_position_together_are_told_apart() -> None:
    sheet = Sheet("q", ("a", "b", "c"), (0,) * 6, balanced_orders(3, 6))
    option, position = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.0, -0.1])
    rates = np.empty((6, 3))
    for r, order in enumerate(sheet.orders):
        rates[r, list(order)] = option[list(order)] + position
    parts = parts_of(rates, sheet)
    np.testing.assert_allclose(parts.balanced, option)
    np.testing.assert_allclose(parts.position, 1 / 3 + position)
    np.testing.assert_allclose(parts.rest, 0.0, atol=1e-15)
    np.testing.assert_allclose(expected_shares(parts, sheet), rates, atol=1e-15)


def test_the_spread_of_other_prompts_is_that_of_the_residuals() -> None:
    """Witness: the standard error of a mean with (R-2)(C-1) degrees of freedom, by simulation."""
    rng = np.random.default_rng(5)
    sheet = Sheet("q", ("a", "b"), (0, 0, 1, 1, 2, 2, 3, 3), balanced_orders(2, 2) * 4)
    means, spreads = [], []
    for _ in range(300):
        first = 0.5 + rng.normal(0, 0.05, 8)
        rates = np.stack([first, 1 - first], axis=1)
        answers = ScoredAnswers(("default",), (sheet,), ((rates,),), ((np.ones(8),),))
        drawn = drawn_shares(answers, [0], 200, rng)[:, 0, 0, 0]
        means.append(rates[:, 0].mean())
        spreads.append(drawn.std())
    assert np.sqrt(np.mean(np.square(spreads))) == pytest.approx(np.std(means), rel=0.15)


def test_counts_have_unparsed_and_refused_beside_them_and_are_another_type() -> None:
    model = Scripted(PEOPLE, scores=False, refuses=0.1, unparsed=0.1)
    one = found_of(model, samples=12)
    answers = one.answers
    assert isinstance(answers, CountedAnswers)
    assert not hasattr(answers, "covered")
    assert not hasattr(answers, "given")
    total = 18 * 6 * 4 * 12
    named = sum(int(a.sum()) for row in answers.counts for a in row)
    assert named + sum(answers.unusable.values()) == total
    # 10 % refused; 10 % unparsed, and of the rest the 10 % that are no option.
    assert answers.unusable["refused"] == pytest.approx(0.1 * total, abs=5 * np.sqrt(total * 0.09))
    assert answers.unusable["unparsed"] == pytest.approx(
        0.18 * total, abs=5 * np.sqrt(total * 0.15)
    )
    assert one.randomness.driven_by == "content"
    assert not one.randomness.random
    assert one.steerability is not None
    assert "conservative" in one.steerability.verdict
    scored = found_of(Scripted(PEOPLE)).answers
    assert isinstance(scored, ScoredAnswers)
    assert not hasattr(scored, "counts")


def test_counted_random_answers_are_random() -> None:
    one = found_of(Scripted.uniform(scores=False), samples=20)
    assert one.randomness.random
    assert one.randomness.driven_by == "nothing"


def test_options_that_are_not_covered_are_not_scored_and_nothing_is_renormalised() -> None:
    low = Scripted(as_people(GSS, default="liberal", weight=0.4))
    asked = Questionnaire(questions_of(GSS.answers), orders=6)
    notes: list[str] = []
    who = Population(GSS, (AgentSpec("a", "any"),), asked, draws=60)
    one = who.measure(given={"a": low}, note=notes.append).agents[0]
    assert isinstance(one.answers, CountedAnswers)
    assert "cover 0.400" in notes[0]
    strict = Population(GSS, (AgentSpec("a", "any", answers="scores"),), asked, draws=60)
    with pytest.raises(BadInput, match=r"cover as little as 0\.400 .* cannot be scored this way"):
        strict.measure(given={"a": low})


def test_a_question_that_cannot_be_scored_is_left_out_and_said_so() -> None:
    hard = GSS.answers.wording[3]

    def chances(prompt: Prompt, options: Sequence[str]) -> list[float]:
        scale = 0.3 if hard in prompt.shown() else 1.0
        return [scale * p for p in PEOPLE(prompt, options)]

    one = found_of(Scripted(chances))
    assert one.to_dict()["left_out"] == ["natcity"]
    assert len(one.questions) == 17
    assert one.answers.unusable == {"cannot be scored": 24}
    assert isinstance(one.answers, ScoredAnswers)
    assert np.isnan(one.answers.given[0][3]).all()
    assert one.answers.covered[0][3] == pytest.approx(np.full(6, 0.27))


def test_failed_calls_never_become_answers() -> None:
    # More failures in a row than are tried again.
    broken = Scripted(PEOPLE, fails=(FailureKind.MALFORMED,) * 2 + (FailureKind.NOT_ALLOWED,))
    with pytest.raises(CallFailed):
        measured(broken)
    few = load_panel("gss2018", groups=3, questions=("natenvir", "natarms"))
    asked = Questionnaire(questions_of(few.answers), orders=3)
    who = Population(few, (AgentSpec("a", "any"),), asked, draws=60, personas=False)
    once = Scripted(PEOPLE, fails=(FailureKind.CONNECTION,))
    one, other = (who.measure(given={"a": m}).to_dict() for m in (once, Scripted(PEOPLE)))
    assert one == other
    assert once.calls == 12


def test_one_order_is_not_a_test() -> None:
    asked = Questionnaire(questions_of(GSS.answers), orders=1)
    who = Population(GSS, (AgentSpec("a", "any"),), asked, draws=60, personas=False)
    one = who.measure(given={"a": Scripted.by_position([0.8, 0.1, 0.1])}).agents[0]
    assert one.randomness.driven_by == "not tested"
    assert one.randomness.verdict.startswith("not tested")
    assert one.steerability is None


def test_joint_draws_go_with_the_people() -> None:
    result = measured(Scripted(PEOPLE))
    people = GSS.draws(200, 0)
    np.testing.assert_array_equal(result.game.draws["groups"], people.shares)
    np.testing.assert_array_equal(result.game.draws["attractiveness.values"], people.appeal)
    anchors = result.game.draws["consistency.anchor"]
    assert anchors.shape == (200, 1, 3)
    np.testing.assert_allclose(anchors.sum(axis=-1), 1.0)
