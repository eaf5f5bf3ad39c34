"""Routes audited: scripted models whose laws are known.

Witnesses: laws written down here, sums over all answers of a two-question sheet, and routes made
wrong on purpose.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.llm.scripted import Scripted
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import Question
from equipoise.realise.fidelity import Fidelity, realised
from equipoise.realise.group_answers import GroupAnswers, read_answers
from equipoise.realise.routes import ROUTES, route_law, sheets_of

FloatArray = NDArray[np.float64]

OPTIONS = ("too little", "about right", "too much")
GROUPS = ("left", "middle", "right")


def questionnaire(n: int, orders: int = 3) -> Questionnaire:
    return Questionnaire(
        tuple(Question(f"q{i}", (f"Do we spend on {i}?",), OPTIONS) for i in range(n)),
        orders=orders,
    )


def scripted(n: int, seed: int = 0, *, sharp: float = 1.0) -> GroupAnswers:
    """K groups that lean their way, with a liking for positions that differs by group."""
    rng, asked = np.random.default_rng(seed), questionnaire(n)
    lean = np.array([[2.0, 0.0, -2.0], [0.0, 0.8, 0.0], [-2.0, 0.0, 2.0]]) * sharp
    given = []
    for sheet in asked.sheets:
        place = rng.normal(0, 0.3, (len(GROUPS), len(OPTIONS)))
        content = lean + rng.normal(0, 0.5, lean.shape)
        rows = np.stack([content + np.argsort(order) * place[:, :1] for order in sheet.orders], 1)
        p = np.exp(rows)
        given.append(p / p.sum(axis=2, keepdims=True))
    return GroupAnswers(GROUPS, asked, tuple(given))


def targets(n: int) -> list[FloatArray]:
    return list(np.random.default_rng(4).dirichlet(np.ones(len(GROUPS)), n))


def test_exact_routes_sample_the_mixture_of_whole_sheets() -> None:
    """All nine sheets of two questions: Σ_k x_k p_k(a) p_k(b), against 6,000 sheets."""
    from scipy.stats import chisquare

    answers, x, n = scripted(2), np.array([0.5, 0.2, 0.3]), 6000
    p = answers.laws.shares
    every = list(itertools.product(range(3), repeat=2))
    wanted = [n * float(x @ (p[:, 0, a] * p[:, 1, b])) for a, b in every]
    for route in ("routing", "bayes"):
        seen = Counter(map(tuple, sheets_of(route, answers, x, n, seed=1).tolist()))
        assert chisquare([seen[y] for y in every], wanted).pvalue > 0.01
    other = Counter(map(tuple, sheets_of("geometric", answers, x, n, seed=1).tolist()))
    assert chisquare([other[y] for y in every], wanted).pvalue < 1e-6


@pytest.mark.parametrize("route", ["routing", "bayes"])
def test_each_weight_lies_in_its_interval_for_seventeen_of_twenty_targets(route: str) -> None:
    answers = scripted(6)
    found = Fidelity(GROUPS, tuple(
        realised(route, answers, x, filled=120, seed=i) for i, x in enumerate(targets(20))
    ))  # fmt: skip
    row = found.to_rows()[0]
    assert min(row["inside"].values()) >= 17
    assert row["distance"] == pytest.approx(0.0, abs=1e-15)
    assert row["calls"] == (1 if route == "routing" else 3)


def test_a_mixer_that_is_wrong_is_found() -> None:
    """Sheets of one target audited for another, and a route that multiplies."""
    answers, x = scripted(6), np.array([0.6, 0.1, 0.3])
    wrong = sheets_of("routing", answers, np.array([0.3, 0.1, 0.6]), 300, seed=0)
    assert not realised("routing", answers, x, filled=wrong).inside.all()
    other = realised("geometric", answers, x, filled=300)
    assert other.distance > 0.05
    assert not other.inside.all()
    assert other.achieved.misfit.p_value < 0.05 or not other.inside.all()


def test_interpolation_is_measured_from_its_own_model() -> None:
    answers, x = scripted(4), np.array([0.5, 0.0, 0.5])
    # A model between the two ends that always says the middle option.
    flat = tuple(np.tile([0.1, 0.8, 0.1], (1, len(s), 1)) for s in answers.asked.sheets)
    middle = GroupAnswers(("interpolated",), answers.asked, flat)
    found = realised("interpolation", middle, x, own=answers, filled=200)
    law = np.tile([0.1, 0.8, 0.1], (4, 1))
    wanted = np.abs(law - answers.laws.mixed(x)).sum(axis=1).mean() / 2
    assert found.distance == pytest.approx(wanted, abs=1e-4)
    assert not found.inside.all()
    assert not ROUTES["interpolation"].exact
    with pytest.raises(BadInput, match="own"):
        realised("interpolation", middle, x)


def test_the_models_part_of_the_error_is_told_apart() -> None:
    """People lean half as far as their models: weights of endless answers are off by themselves."""
    answers, people = scripted(6, sharp=0.8), scripted(6, sharp=0.4).laws
    x = np.array([0.2, 0.3, 0.5])
    found = realised("routing", answers, x, filled=200, people=(people, None))
    same = realised("routing", answers, x, filled=200, people=(answers.laws, None))
    assert found.people is not None
    assert same.people is not None
    assert np.abs(same.people.models_error).max() < 0.06
    assert np.abs(found.people.models_error).max() > 0.08
    assert same.people.models_distance == pytest.approx(0.0, abs=1e-15)
    # Routing is exact, so all of its distance from the people is the models'.
    assert found.people.distance == pytest.approx(found.people.models_distance)
    wanted = np.abs(answers.laws.mixed(x) - people.mixed(x)).sum(axis=1).mean() / 2
    assert found.people.distance == pytest.approx(wanted)


def test_answers_are_read_prompt_by_prompt() -> None:
    """A model that answers by position has every option equally over a Latin square."""
    asked = questionnaire(2)
    backends: Any = {
        "first": Scripted.by_position([0.7, 0.2, 0.1]), "even": Scripted.uniform(),
    }  # fmt: skip
    steps: list[tuple[int, int]] = []
    found = read_answers(
        backends, asked, {"first": "Answer."}, on_step=lambda *a: steps.append(a)
    )  # fmt: skip
    np.testing.assert_allclose(found.laws.shares, 1 / 3, atol=1e-12)
    for r, order in enumerate(asked.sheets[0].orders):
        np.testing.assert_allclose(found.given[0][0, r][list(order)], [0.7, 0.2, 0.1], atol=1e-5)
    assert (found.calls, steps[-1]) == (12, (12, 12))


def test_options_that_are_not_said_cannot_be_checked() -> None:
    with pytest.raises(BadInput, match="cover less than half"):
        read_answers({"a": Scripted(lambda _, options: [0.1] * len(options))}, questionnaire(1), {})


def test_laws_of_routes() -> None:
    answers, x = scripted(3), np.array([0.5, 0.25, 0.25])
    np.testing.assert_allclose(route_law("bayes", answers, x), answers.laws.mixed(x))
    one = np.array([0.0, 1.0, 0.0])
    for route in ("routing", "bayes", "geometric"):
        np.testing.assert_allclose(
            route_law(route, answers, one), answers.laws.shares[1], atol=1e-12
        )
    law = route_law("geometric", answers, x)
    np.testing.assert_allclose(law.sum(axis=1), 1.0)
    with pytest.raises(BadInput, match="write one of routing"):
        realised("teleport", answers, x)


def test_shares_that_are_none_are_refused() -> None:
    asked = questionnaire(1)
    for wrong in (np.full((2, 3, 3), 0.5), np.zeros((2, 2, 3))):
        with pytest.raises(BadInput, match="shares"):
            GroupAnswers(("a", "b"), asked, (wrong,))
    assert isinstance(scripted(1).laws, AnswerLaws)
