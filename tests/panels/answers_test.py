"""The answer table: labels, distances and exports, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from equipoise.errors import BadInput
from equipoise.panels import AnswerTable


def table(shares: list[list[list[float]]]) -> AnswerTable:
    p = np.array(shares)
    k, q, c = p.shape
    options = tuple(tuple("abcdef"[:c]) for _ in range(q))
    questions = tuple(f"q{i}" for i in range(q))
    n = np.full((k, q), 20)
    return AnswerTable(
        tuple(f"g{i}" for i in range(k)), questions, options, questions, p, n, n.astype(float)
    )


SMALL = table([[[0.8, 0.2], [1.0, 0.0]], [[0.3, 0.7], [0.5, 0.5]], [[0.5, 0.5], [0.0, 1.0]]])


def test_total_variation_by_hand() -> None:
    """Between the first two groups: .5 on both questions; first and last: .3 and 1."""
    assert SMALL.total_variation()[0] == pytest.approx([0.0, 0.5, 0.65])
    assert SMALL.total_variation("q1")[0] == pytest.approx([0.0, 0.5, 1.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 4))
def test_distance_to_a_segment_against_linear_programming(seed: int, q: int, c: int) -> None:
    """Witness: min sum t with t >= |p - w a - (1 - w) b|, 0 <= w <= 1 (SciPy's HiGHS)."""
    p = np.random.default_rng(seed).dirichlet(np.ones(c), (3, q))
    found, _ = table(p.tolist()).distance_to_segment("g0", "g1", "g2")
    x, a, b = p.reshape(3, -1)
    n, d = x.size, (a - b)[:, None]
    upper = np.block([[-d, -np.eye(n)], [d, -np.eye(n)]])
    best = linprog(
        np.r_[0.0, np.ones(n)],
        A_ub=upper,
        b_ub=np.r_[b - x, x - b],
        bounds=[(0, 1)] + [(0, None)] * n,
    )
    assert found == pytest.approx(float(best.fun or 0.0) / (2 * q), abs=1e-7)


def test_a_group_on_the_segment_is_at_distance_zero() -> None:
    mixed = table([[[0.5, 0.5]], [[0.9, 0.1]], [[0.1, 0.9]]])
    assert mixed.distance_to_segment("g0", "g1", "g2") == pytest.approx((0.0, 0.5))


def test_some_questions_in_another_order() -> None:
    swapped = SMALL.for_questions(["q1", "q0"])
    assert swapped.questions == ("q1", "q0")
    assert swapped.distribution("g1", "q0") == pytest.approx({"a": 0.3, "b": 0.7})


def test_unknown_labels_suggest_the_nearest() -> None:
    with pytest.raises(BadInput, match='no question "q9"'):
        SMALL.total_variation("q9")
    with pytest.raises(BadInput, match='no group "h0"; known are: "g0"'):
        SMALL.distribution("h0", "q0")
    with pytest.raises(BadInput, match="the list is empty"):
        SMALL.for_questions([])


def test_shapes_must_agree() -> None:
    n = np.ones((1, 1), dtype=np.int64)
    with pytest.raises(BadInput, match="needs shares of shape"):
        AnswerTable(("g",), ("q",), (("a",),), ("q",), np.ones((1, 1, 2)), n, np.ones((1, 1)))


def test_export_is_plain_json_and_arrays_are_read_only() -> None:
    text = json.loads(json.dumps(SMALL.to_dict()))
    assert text["g0"]["q0"] == {"n": 20, "shares": {"a": 0.8, "b": 0.2}}
    with pytest.raises(ValueError, match="read-only"):
        SMALL.shares[0, 0, 0] = 1.0
