"""Questions as they are put. Witness: counting by hand which option stands where."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.llm.backend import Capabilities
from equipoise.llm.requests import SampleRequest, ScoreRequest
from equipoise.measure.orders import balanced_orders, is_balanced
from equipoise.measure.questionnaire import Condition, Questionnaire, conditions_for
from equipoise.measure.questions import FRAMES, Question, questions_of, read_questions
from equipoise.panels import load_panel

GSS = load_panel("gss2018", groups=3)
SIZES = list(itertools.product((2, 3, 4, 5, 7, 11), (2, 6, 12)))
ME = Condition("default", "Answer as yourself.")
SCORES = Capabilities(chat_scores=20)


@pytest.mark.parametrize(("options", "wanted"), SIZES)
def test_every_option_stands_in_every_position_equally_often(options: int, wanted: int) -> None:
    orders = balanced_orders(options, wanted)
    assert len(set(orders)) == len(orders) >= min(wanted, 2)
    assert len(orders) % options == 0
    assert orders[0] == tuple(range(options))
    counts = Counter((i, o) for order in orders for i, o in enumerate(order))
    assert set(counts.values()) == {len(orders) // options}
    assert len(counts) == options**2


def test_six_of_three_options_are_all_orders_and_one_is_not_balanced() -> None:
    assert set(balanced_orders(3, 6)) == set(itertools.permutations(range(3)))
    assert is_balanced(balanced_orders(3, 6))
    assert not is_balanced(balanced_orders(3, 1))
    assert not is_balanced(((0, 1, 2), (1, 0, 2), (2, 0, 1)))


def test_a_measurement_of_gss_has_432_prompts_all_different() -> None:
    asked = Questionnaire(questions_of(GSS.answers), orders=6)
    conditions = conditions_for(GSS.groups.labels)
    found = [r for c in conditions for r in asked.score_requests(c, SCORES)]
    assert len(found) == 18 * 6 * 4 == len(set(found))
    assert all(isinstance(r, ScoreRequest) and r.options == ("A", "B", "C") for r in found)


def test_the_order_and_the_persona_stand_in_the_prompt() -> None:
    asked = Questionnaire(questions_of(GSS.answers)[:1], orders=6)
    for condition in conditions_for(GSS.groups.labels, system="Be brief."):
        for request, order in zip(
            asked.score_requests(condition, SCORES), asked.sheets[0].orders, strict=True
        ):
            system, text = (m.text for m in request.prompt.messages)
            assert system.startswith("Be brief.\n")
            assert condition.name in system or "as yourself" in system
            lines = [f"{a}. {asked.questions[0].options[o]}" for a, o in zip("ABC", order)]  # noqa: B905  # as many letters as options
            assert "\n".join(lines) in text


def test_paraphrases_and_samples_are_separate_answers() -> None:
    questions = questions_of(GSS.answers.for_questions(["natarms"]), 4)
    asked = Questionnaire(questions, orders=6, samples=3)
    assert len(asked.score_requests(ME, SCORES)) == 24 == asked.prompts
    assert [asked.sheets[0].wording.count(w) for w in range(4)] == [6] * 4
    sampled = asked.sample_requests(ME)
    assert len(sampled) == 72
    assert all(isinstance(r, SampleRequest) for r in sampled)
    assert len({(r.prompt, r.draw) for r in sampled}) == 72
    own = questions_of(GSS.answers, ["Quickly: {question}"])
    assert own[0].wordings[0] == "Quickly: " + GSS.answers.wording[0]
    assert len(FRAMES) == 4
    for wrong in (0, 5, ["no place"], ["{question} {question}"], ["{question} {other}"]):
        with pytest.raises(BadInput, match="paraphrases"):
            questions_of(GSS.answers, wrong)


def test_words_are_scored_by_first_token_or_as_a_whole_or_not_at_all() -> None:
    apart = Questionnaire((Question("q", ("Tax?",), ("less tax", "more tax")),), form="words")
    (first, _) = apart.score_requests(ME, SCORES)
    assert isinstance(first, ScoreRequest)
    assert (first.options, first.match) == (("less tax", "more tax"), "first token")
    assert "- less tax\n- more tax" in first.prompt.shown()
    same = Questionnaire((Question("q", ("Spend?",), ("too much", "too little")),), form="words")
    with pytest.raises(BadInput, match='form = "letters"'):
        same.score_requests(ME, SCORES)
    whole = same.score_requests(ME, Capabilities(chat_scores=20, continuation=True))
    assert {r.match for r in whole if isinstance(r, ScoreRequest)} == {"continuation"}


def test_own_words_take_the_place_of_the_panels(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text(
        '[natarms]\ntexts = ["Arms?", "Defence?"]\noptions = ["more", "same", "less"]\n'
    )
    (mine,) = questions_of(GSS.answers, 1, read_questions(path, GSS.answers))
    assert mine == Question("natarms", ("Arms?", "Defence?"), ("more", "same", "less"))
    for text, said in (
        ("[natarm]\ntext = 'x'", "natarms"),
        ("[natarms]\ntext = 'x'\noptions = ['a', 'b']", "as many options"),
        ("[natarms]\nwords = 'x'", "text or texts"),
        ("[natarms]\noptions = ['a', 'b', 'c']", "write text"),
        ("", "no question"),
        ("[", "not TOML"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=said):
            read_questions(path, GSS.answers)


def test_what_cannot_be_asked_is_refused() -> None:
    for options in (("a",), tuple("abcdefghijklmnopqrstuvwxyz1"), ("yes", "Yes")):
        with pytest.raises(BadInput):
            Question("q", ("?",), options)
    with pytest.raises(BadInput):
        conditions_for(["a"], frame="no place")
    assert np.array(balanced_orders(26, 26)).shape == (26, 26)
