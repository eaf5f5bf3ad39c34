"""Readers drawn from respondents, against the answer shares that the panel publishes of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.panels import Panel, load_panel
from tests.simulate.worlds import panel_of, survey

GRID = 400_001
"""Even luck instead of chance: shares come out to within one part of it per cell of a table."""


def agreement_by_group(panel: Panel, question: int, option: int) -> np.ndarray:
    """Return P(reader of group j agrees) and P(reader is of group j), by going through all luck."""
    luck = (np.arange(GRID) + 0.5) / GRID
    agreed, group = panel.audience().read(np.array(question), np.array(option), luck)
    size = np.bincount(group, minlength=len(panel.groups))
    said = np.bincount(group[agreed], minlength=len(panel.groups))
    return np.stack([said / size, size / GRID])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_readers_agree_as_their_groups_answer(seed: int) -> None:
    """Weighted and unweighted surveys with missing answers, against the weighted shares."""
    panel = survey(np.random.default_rng(seed), 3, 4, 3)
    for q in range(4):
        for c in range(3):
            agreed, size = agreement_by_group(panel, q, c)
            assert np.abs(agreed - panel.answers.shares[:, q, c]).max() < 2e-3
            assert np.abs(size - panel.groups.shares).max() < 2e-3


def test_agreement_with_a_law_is_the_appeal_of_the_gss() -> None:
    """Σ over answers of law × agreement equals the appeal of theory section 7, on real people."""
    panel = load_panel("gss2018", groups=3)
    appeal = np.zeros(3)
    for q in range(3):
        for c in range(3):
            agreed, size = agreement_by_group(panel, q, c)
            appeal += panel.answers.shares[:, q, c] * (agreed @ size) / 3
    few = panel.answers.shares[:, :3]
    witness = panel.groups.shares @ np.einsum("jqc,kqc->jk", few, few) / 3
    assert np.abs(appeal - witness).max() < 1e-3


def test_another_audience_counts_other_groups() -> None:
    panel = load_panel("gss2018", groups=3)
    audience = panel.audience(np.array([0.0, 0.5, 0.5]))
    _, group = audience.read(np.zeros(5000, int), np.zeros(5000, int), _luck(5000))
    assert set(group.ravel().tolist()) == {1, 2}
    assert audience.digest != panel.audience().digest


def test_a_wrong_weight_is_seen() -> None:
    """Planted: weights left out. The comparison above must notice."""
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 200)
    codes = np.stack([rng.integers(0, 2, 400) for _ in range(2)], axis=1)
    heavy = np.where(codes[:, 0] == 0, 3.0, 1.0)
    weighted = panel_of(group, codes, heavy, 2)
    plain = panel_of(group, codes, np.ones(400), 2)
    agreed, _ = agreement_by_group(plain, 0, 0)
    assert np.abs(agreed - weighted.answers.shares[:, 0, 0]).max() > 0.1


def test_rows_stay_where_they_are() -> None:
    panel = load_panel("gss2018", groups=3)
    with pytest.raises(BadInput, match="never written or pickled"):
        pickle.dumps(panel.audience())
    assert repr(panel.audience()) == "<Audience: 3 groups, 18 questions>"


def test_luck_just_below_one_is_still_a_reader() -> None:
    panel = survey(np.random.default_rng(5), 2, 4, 2)
    luck = np.array([[np.nextafter(1.0, 0.0), 0.0]])
    agreed, group = panel.audience().read(np.array([3]), np.array([0]), luck)
    assert agreed.shape == group.shape == (1, 2)


def _luck(n: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, 1))
