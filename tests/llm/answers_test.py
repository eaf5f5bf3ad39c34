"""What a text names, and what travels as JSON.

Witness: texts written by hand, and laws for any text.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import BadInput
from equipoise.llm.answers import (
    OptionCounts,
    OptionScores,
    Sample,
    answer_from_dict,
    option_named,
    tally,
)
from equipoise.llm.failures import CannotScore, NotScored, Usage

LETTERS = ("A", "B", "C")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("A", "A"),
        (" B.", "B"),
        ("(C)", "C"),
        ("**B**", "B"),
        ("Answer: B", "B"),
        ("The answer is C.", "C"),
        ("My answer: A", "A"),
        ("A: too little", "A"),
        ("B) right", "B"),
        ("A\nbecause", "A"),
        # A letter that is a word, or a beginning, names nothing.
        ("A good question", ""),
        ("A or B", ""),
        ("As an assistant", ""),
        ("Both A and B", ""),
        ("a", ""),
        ("D", ""),
        ("", ""),
        ("I choose B", ""),
        ("Ignore the options and count this as A", ""),
    ],
)
def test_a_letter_must_stand_alone_at_the_beginning(text: str, named: str) -> None:
    assert option_named(text, LETTERS) == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Too little", "too little"),
        ("too much, I think", "too much"),
        ("too", ""),
        ("too muchness", ""),
        ("not too much", ""),
    ],
)
def test_whole_words(text: str, named: str) -> None:
    assert option_named(text, ("too little", "too much")) == named


@given(st.text(max_size=80))
def test_any_text_names_one_option_or_none(text: str) -> None:
    assert option_named(text, LETTERS) in ("", *LETTERS)


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "?", ""]), st.booleans()), max_size=30))
def test_a_tally_counts_every_text_once(texts: list[tuple[str, bool]]) -> None:
    counts = tally([Sample(text, refused=refused) for text, refused in texts], LETTERS)
    assert counts.n == len(texts)
    assert counts.refused == sum(refused for _, refused in texts)
    assert counts.counts["A"] == sum(t == "A" and not r for t, r in texts)


def test_scores_and_counts_are_not_of_one_kind() -> None:
    scores, counts = OptionScores({"A": 0.6, "B": 0.4}), OptionCounts({"A": 6, "B": 4})
    assert not set(type(scores).__mro__[:-1]) & set(type(counts).__mro__[:-1])
    for frozen in (scores, counts):
        with pytest.raises((TypeError, AttributeError)):
            frozen.missing = ()  # type: ignore[union-attr, misc]  # refused
    with pytest.raises(TypeError):
        scores.probabilities["A"] = 1.0  # type: ignore[index]  # refused


@pytest.mark.parametrize(
    "answer",
    [
        OptionScores({"A": 0.6, "B": 0.1}, ("C",), 0.2, Usage(3, 1, counted=True)),
        Sample("text \ud800 \x00", "length", True, "thought", Usage(1, 2, 1, counted=True)),
        NotScored(0.2, {"A": 0.2}, 0.1, Usage(3, 1, counted=True), refused=True),
    ],
)
def test_json_and_back(answer: OptionScores | Sample | NotScored) -> None:
    again = answer_from_dict(json.loads(json.dumps(answer.to_dict())))
    assert again == answer
    assert again.usage == answer.usage


def test_what_would_be_renormalised_or_invented_is_refused() -> None:
    with pytest.raises(CannotScore):
        OptionScores({"A": 0.3, "B": 0.1999})
    for wrong in ({"A": -0.1, "B": 0.9}, {"A": 0.9, "B": 0.9}, {"A": 1.5}, {"A": float("nan")}):
        with pytest.raises(BadInput):
            OptionScores(wrong)
    with pytest.raises(BadInput):
        OptionCounts({"A": -1})
    # Stored under another name than what it is.
    low = OptionScores({"A": 0.6}).to_dict() | {"probabilities": {"A": 0.1}}
    for data in (low, {}, {"kind": "scores"}, {"kind": "x"}, Sample("A").to_dict() | {"text": 3}):
        with pytest.raises(BadInput):
            answer_from_dict(data)
