"""Laws from a panel: positive everywhere, close to the shares, smoothing said."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.answer_laws import AnswerLaws
from tests.measure.synthetic import gss


def test_smoothing_moves_a_share_by_at_most_one_respondent() -> None:
    table = gss(7).answers
    laws = AnswerLaws.from_table(table)
    assert laws.shares.min() > 0.0
    moved = np.abs(laws.shares - table.shares)
    assert (moved <= 1.0 / (table.n_eff[:, :, None] + 1.0)).all()
    assert moved.max() > 0.0


def test_no_smoothing_is_refused() -> None:
    with pytest.raises(BadInput, match="above 0"):
        AnswerLaws.from_table(gss(3).answers, smoothing=0.0)


def test_an_impossible_answer_is_refused() -> None:
    with pytest.raises(BadInput, match="positive probability"):
        AnswerLaws(("a",), ("q",), (("x", "y"),), np.array([[[1.0, 0.0]]]))
    with pytest.raises(BadInput, match="do not sum to 1"):
        AnswerLaws(("a",), ("q",), (("x", "y"),), np.array([[[0.5, 0.4]]]))
