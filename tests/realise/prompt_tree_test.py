"""Prompts laid out as a tree, and what is asked in one training step.

Witnesses: the prompts themselves, read back along what each node sees; counts by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import BadInput
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import Question
from equipoise.realise.prompt_tree import PromptTree
from equipoise.realise.task import AnswerTask

PROMPTS = st.lists(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4),
    min_size=1, max_size=4,
)  # fmt: skip


@given(PROMPTS)
def test_what_a_prompt_s_last_node_sees_is_the_prompt(blocks: list[list[list[int]]]) -> None:
    tree = PromptTree.of(blocks)
    blocks_, length = tree.tokens.shape
    p = tree.prefix.size
    ends = iter(tree.ends.tolist())
    for i, block in enumerate(blocks):
        for prompt in block:
            end = next(ends)
            node = end - p - i * length
            assert 0 <= node < length
            seen = np.flatnonzero(tree.sees[i, node])
            tokens = [*tree.prefix, *tree.tokens[i, seen]]
            places = [*range(p), *tree.depths[i, seen]]
            assert tokens == prompt
            assert places == list(range(len(prompt)))
            assert tree.sequence[end] == prompt[-1]
    assert len(tree) == p + blocks_ * length


def test_what_is_shared_is_computed_once() -> None:
    start = list(range(50))
    tree = PromptTree.of([[[*start, 7, i, j] for j in range(3)] for i in range(4)])
    assert tree.prefix.size == 51
    assert tree.tokens.shape == (4, 4)
    assert len(tree) == 67 < 4 * 3 * 53


@pytest.mark.parametrize("wrong", [[], [[]], [[[]]], [[[1], []]]])
def test_prompts_without_tokens_are_refused(wrong: list[list[list[int]]]) -> None:
    with pytest.raises(BadInput, match="there is none, or one without a token"):
        PromptTree.of(wrong)


def task(trained: tuple[int, ...]) -> AnswerTask:
    options = (("less", "as now", "more"), ("yes", "no"), ("a", "b", "c"))
    asked = Questionnaire(
        tuple(Question(f"q{i}", (f"Question {i}?",), o) for i, o in enumerate(options)), orders=6
    )
    return AnswerTask.of(asked, "Answer as yourself.", trained)


def test_targets_follow_the_option_to_its_letter() -> None:
    found = task((0, 1, 2))
    shares = np.array([[0.5, 0.3, 0.2], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7]])
    targets = found.targets(shares)
    assert targets.shape == (14, 3)
    assert np.allclose(targets.sum(axis=1), 1.0)
    for i, prompt in enumerate(found.prompts):
        lines = prompt.messages[1].text.splitlines()[1:-1]
        for line, target in zip(lines, targets[i], strict=False):
            name = line[3:]
            q = found.question[i]
            option = (("less", "as now", "more"), ("yes", "no"), ("a", "b", "c"))[q].index(name)
            assert target == shares[q, option]
    # A model that says exactly the targets has exactly the group's shares.
    assert np.allclose(found.balanced(targets), shares)
    # A planted error: letters in the order of the options would be another law.
    assert not np.allclose(found.balanced(shares[found.question] + 1e-12), shares)


def test_batches_are_a_function_of_seed_and_step_and_whole_squares() -> None:
    found = task((0, 2))
    first = found.batch(3, 0, 1, 5)
    assert np.array_equal(first, found.batch(3, 0, 1, 5))
    assert set(found.question[first]) == {0, 2}
    seen = np.zeros(14)
    for step in range(600):
        rows = found.batch(step, 1, 1, 5)
        for q in (0, 2):
            # Every option once in every position.
            square = found.orders[rows[found.question[rows] == q]]
            assert np.array_equal(np.sort(square, axis=0), np.sort(square, axis=1).T)
        seen[rows] += 1
    taught = np.isin(found.question, (0, 2))
    assert (seen[~taught] == 0).all()
    assert np.abs(seen[taught] / 600 - 1 / 2).max() < 0.08
    # Fewer questions a step than there are: whole rounds.
    rounds = np.concatenate([found.batch(step, 1, 1, 1) for step in range(10)])
    assert np.bincount(found.question[rounds], minlength=3).tolist() == [15, 0, 15]
    assert task((1,)).batch(0, 0, 5, 5).size == 2


@given(PROMPTS)
def test_paths_and_owners_lead_back_to_the_prompts(blocks: list[list[list[int]]]) -> None:
    tree = PromptTree.of(blocks)
    prompts = [prompt for block in blocks for prompt in block]
    for i, prompt in enumerate(prompts):
        assert tree.sequence[tree.path(i)].tolist() == prompt
    used = np.isin(
        np.arange(len(tree)), np.concatenate([tree.path(i) for i in range(len(prompts))])
    )
    inside = used[tree.prefix.size :].reshape(tree.tokens.shape)
    for block, node in np.argwhere(inside):
        owner = prompts[tree.owners[block, node]]
        assert owner[tree.depths[block, node]] == tree.tokens[block, node]
