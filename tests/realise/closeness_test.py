"""Distances from people, and whether a group's model is that group's.

Witnesses: distances written out by hand; respondents of the panel itself in place of a model.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.answer_sheets import ScoredAnswers
from equipoise.panels import load_panel
from equipoise.realise.adapter_laws import AnswerLaw
from equipoise.realise.closeness import closeness, divergence, rivals, variation
from equipoise.realise.distinct import distinct, drawn_sheets, sheets_needed
from equipoise.realise.settings import TrainSettings
from equipoise.realise.subpopulation import Lesson, lesson_of

pytest.importorskip("pandas", reason="needs the extra data")

FloatArray = NDArray[np.float64]


def test_distances_by_hand() -> None:
    people = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])
    model = np.array([[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
    some = np.array([True, True, False])
    assert variation(people, model, some) == pytest.approx((0.25 + 0.5) / 2)
    first = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert divergence(people, model, some) == pytest.approx((first + math.log(2.0)) / 2)
    assert divergence(people, model, ~some) == math.inf
    assert np.isnan(variation(people, model, np.zeros(3, bool)))
    draws = np.stack([people, people])
    found = closeness(model, people, model, people, draws, some, 10)
    assert found.kept == pytest.approx(0.375)
    assert found.held == 0.0
    assert found.new is not None
    assert found.new.value == pytest.approx(0.2)
    assert found.to_dict()["held_out_questions"]["kl"] is None


def test_rivals_need_no_model() -> None:
    kept = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.3, 0.7], [0.1, 0.9]]])
    found = rivals(kept, np.array([0.25, 0.75]), [2, 2], np.array([True, False]), 0)
    assert found["uniform"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert found["the group's mean answer"].tolist() == [[0.9, 0.1], [0.9, 0.1]]
    assert np.allclose(found["the whole public"], [[0.45, 0.55], [0.2, 0.8]])
    assert "the group's mean answer" not in rivals(
        kept, np.array([0.25, 0.75]), [2, 1], np.array([True, True]), 0
    )


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return lesson_of(load_panel("gss2018", groups=3), TrainSettings())


def as_model(lesson: Lesson, shares: FloatArray) -> AnswerLaw:
    """A model that answers with these shares in every order."""
    single = shares[lesson.task.question]
    parts = tuple(single[lesson.task.question == q] for q in range(len(shares)))
    full = tuple(np.ones(len(part)) for part in parts)
    answers = ScoredAnswers(("default",), lesson.asked.sheets, (parts,), (full,))
    return AnswerLaw(shares, single, 1.0, answers)


def test_what_is_held_out_is_not_taught(lesson: Lesson) -> None:
    assert len(lesson.untaught) == 3
    assert len(lesson.task.trained) == 15
    assert lesson.taught.sum() == 15
    assert not {lesson.panel.questions[i] for i in lesson.task.trained} & set(lesson.untaught)
    named = TrainSettings(held_out_questions=("natcrime", "natspac"))
    assert lesson_of(lesson.panel, named).untaught == ("natspac", "natcrime")


def test_power_asks_for_a_few_hundred_sheets(lesson: Lesson) -> None:
    taught = [q for q in lesson.panel.questions if q not in lesson.untaught]
    laws = AnswerLaws.from_table(lesson.panel.answers.for_questions(taught))
    needed = [sheets_needed(laws, k) for k in range(3)]
    # Moderates are nearly a mixture of the two others: they need the most.
    assert 200 < min(needed) <= max(needed) < 1200
    assert needed[1] == max(needed)


@pytest.mark.parametrize("k", [0, 2])
def test_a_model_like_its_people_is_found_to_be_theirs(lesson: Lesson, k: int) -> None:
    model = as_model(lesson, lesson.kept.shares[k])
    codes = drawn_sheets(lesson, model, 4000, np.random.default_rng(1))
    for i, q in enumerate(lesson.task.trained):
        counts = np.bincount(codes[:, i], minlength=3) / 4000
        assert np.abs(counts - lesson.kept.shares[k, q]).max() < 0.04
    found = distinct(lesson, model, k, seed=k)
    assert found.holds
    assert found.n == found.asked


def test_a_model_of_everybody_is_not_found_to_be_one_group_s(lesson: Lesson) -> None:
    """The planted error: adapters that all learnt the whole public."""
    found = distinct(lesson, as_model(lesson, lesson.public), 0, seed=3)
    assert not found.holds
    assert found.weight.low < 0.6
