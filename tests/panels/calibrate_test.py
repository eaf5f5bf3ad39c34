"""Calibration by hand; R's numbers stand in design_test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.panels import SurveyDesign
from equipoise.panels.calibrate import rake


def test_raked_weights_have_both_margins_and_keep_the_odds_ratio() -> None:
    """Deming and Stephan: iterative proportional fitting keeps the table's odds ratio."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 2, 400)
    a, b = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    new, _ = rake(w, [(a, {"0": 30, "1": 70}), (b, {"0": 55, "1": 45})])
    assert np.bincount(a, weights=new) == pytest.approx([30, 70])
    assert np.bincount(b, weights=new) == pytest.approx([55, 45])

    def odds(weights: Any) -> float:
        t = np.bincount(2 * a + b, weights=weights)
        return float(t[0] * t[3] / (t[1] * t[2]))

    assert odds(new) == pytest.approx(odds(w))


def test_a_known_margin_has_no_standard_error() -> None:
    """The residual of a margin on itself is zero."""
    kind = np.array(list("aabbbab"))
    design = SurveyDesign(np.ones(7)).post_stratify(kind, {"a": 40, "b": 60})
    share = design.mean(kind == "a")
    assert share.value == pytest.approx(0.4)
    assert share.se == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ({"a": 1.0}, 'no total for "b"'),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, 'nobody is in "c"'),
        ({"a": -1.0, "b": 2.0}, "positive finite"),
    ],
)
def test_bad_totals(totals: dict[str, float], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        rake(np.ones(2), [(np.array(["a", "b"]), totals)])


def test_margins_that_contradict_each_other() -> None:
    one, two = np.array(["a", "b"]), np.array(["x", "y"])
    with pytest.raises(BadInput, match="give each the same sum"):
        rake(np.ones(2), [(one, {"a": 1.0, "b": 1.0}), (two, {"x": 1.0, "y": 3.0})])
    with pytest.raises(BadInput, match="no weights agree"):
        rake(np.ones(2), [(one, {"a": 1.0, "b": 1.0}), (two, {"x": 0.5, "y": 1.5})])
