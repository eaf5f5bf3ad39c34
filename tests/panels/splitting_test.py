"""Two parts of a panel's people. Witnesses: sums of the parts, and the binomial's own noise."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.panels import load_panel, read_panel
from equipoise.panels.splitting import split_noise, split_people

pytest.importorskip("pandas", reason="needs the extra data")


def test_the_parts_are_the_whole() -> None:
    panel = load_panel("gss2018", groups=3)
    kept, held = split_people(panel, 0.3, seed=4)
    assert np.array_equal(kept.n + held.n, panel.answers.n)
    counts = kept.shares * kept.n[..., None] + held.shares * held.n[..., None]
    assert np.allclose(counts / panel.answers.n[..., None], panel.answers.shares)
    assert np.abs(held.n / panel.answers.n - 0.3).max() < 0.06
    again, _ = split_people(panel, 0.3, seed=4)
    other, _ = split_people(panel, 0.3, seed=5)
    assert np.array_equal(again.shares, kept.shares)
    assert not np.array_equal(other.shares, kept.shares)


def test_half_sample_noise_is_that_of_the_binomial(tmp_path: Path) -> None:
    """Two options at even odds: E|difference of two halves| = sqrt(2/pi) * sd."""
    rng = np.random.default_rng(3)
    n = 1600
    rows = ["g,q", *(f"a,{x}" for x in rng.integers(0, 2, n)), "b,0", "b,1", "b,1", "b,0"]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(rows) + "\n")
    panel = read_panel(path, group="g", questions=["q"], min_cell=2)
    found = split_noise(panel, 0.5, splits=400)["a"]
    expected = math.sqrt(2 / math.pi) * math.sqrt(0.25 * 4 / n)
    assert found.value == pytest.approx(expected, rel=0.1)
    assert found.low < found.value < found.high
    uneven = split_noise(panel, 0.2, splits=400)["a"]
    assert uneven.value / found.value == pytest.approx(math.sqrt((1 / 0.2 + 1 / 0.8) / 4), rel=0.15)


def test_clusters_stay_together(tmp_path: Path) -> None:
    """All people of a cluster answer alike: a split of people would mix them, of clusters not."""
    rows = ["g,q,c"]
    for cluster in range(40):
        rows += [f"{'ab'[cluster % 2]},{'xy'[cluster // 2 % 2]},{cluster}"] * 5
    path = tmp_path / "people.csv"
    path.write_text("\n".join(rows) + "\n")
    panel = read_panel(path, group="g", questions=["q"], cluster="c")
    kept, held = split_people(panel, 0.25, seed=1)
    assert (kept.n % 5 == 0).all()
    assert (held.n % 5 == 0).all()
    assert held.n.sum() == 50


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_none_is_a_sentence(share: float) -> None:
    with pytest.raises(BadInput, match="is no share of people"):
        split_people(load_panel("gss2018", groups=3), share, seed=0)
