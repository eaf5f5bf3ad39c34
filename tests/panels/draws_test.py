"""Joint draws: the same bytes however they are asked for, and the right amount of spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import BadInput
from equipoise.panels import Panel, SurveyDesign, load_panel, read_panel
from equipoise.panels.resampling import Resampler
from equipoise.panels.respondents import Respondents
from tests.panels.files_test import save, survey

FIELDS = ("shares", "agreement", "appeal", "kernel")


@pytest.fixture(scope="module")
def gss() -> Panel:
    return load_panel("gss2018", groups=3)


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Weights that are no round numbers, so that the order of a sum shows."""
    frame = survey(300)
    frame["w"] = np.random.default_rng(1).lognormal(size=300)
    file = save(frame, tmp_path_factory.mktemp("w") / "m.csv")
    return read_panel(file, group="g", questions=["q", "r"], weight="w")


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 700), n=st.integers(1, 60))
def test_a_resumed_run_gives_the_same_bytes(weighted: Panel, start: int, n: int) -> None:
    whole, part = weighted.draws(760, 11), weighted.draws(n, 11, start=start)
    for name in FIELDS:
        expected = getattr(whole, name)[start : start + n]
        assert getattr(part, name).tobytes() == expected.tobytes()


def test_another_seed_gives_other_draws(gss: Panel) -> None:
    assert not np.array_equal(gss.draws(5, 1).appeal, gss.draws(5, 2).appeal)
    assert not np.array_equal(gss.draws(5, 1).appeal, gss.draws(5, 1, start=5).appeal)


def test_one_question_without_resampling_again(gss: Panel) -> None:
    joint = gss.draws(20, 3)
    alone = gss.draws(20, 3, question="natfare")
    for name in FIELDS:
        assert np.array_equal(getattr(joint.for_question("natfare"), name), getattr(alone, name))
    mean = np.mean([joint.for_question(q).kernel for q in gss.questions], axis=0)
    assert mean == pytest.approx(joint.kernel)
    with pytest.raises(BadInput, match="no question"):
        alone.for_question("natspac")


def test_draws_are_what_the_panel_measures_on_the_resampled_people() -> None:
    """Witness: tally one draw by hand, person by person."""
    rng = np.random.default_rng(8)
    n = 80
    group, codes = rng.integers(0, 2, n), rng.integers(-1, 3, (n, 2))
    w = rng.uniform(0.5, 2, n)
    rows = Respondents(group, codes, [3, 3], SurveyDesign(w), {})
    tallies = rows.resample(1, 4, 6)
    times = np.bincount(np.random.default_rng([4, 6, 0]).integers(0, n, n), minlength=n)
    for k in range(2):
        assert tallies.size[0, k] == pytest.approx((w * times)[group == k].sum())
        for q in range(2):
            here = (group == k) & (codes[:, q] >= 0)
            assert tallies.squares[0, k, q] == pytest.approx((w**2 * times)[here].sum())
            for c in range(3):
                chosen = (group == k) & (codes[:, q] == c)
                assert tallies.answers[0, k, q, c] == pytest.approx((w * times)[chosen].sum())


def test_spread_of_the_shares_against_the_binomial(gss: Panel) -> None:
    """Witness: sqrt(m (1 - m) / n)."""
    m = gss.groups.shares
    spread = gss.draws(4000, 0).shares.std(axis=0)
    assert spread == pytest.approx(np.sqrt(m * (1 - m) / gss.n), rel=0.05)


def designed(clusters: int, seed: int) -> tuple[Any, SurveyDesign, Any]:
    """People in 4 strata of a few clusters each, answers alike within a cluster."""
    rng = np.random.default_rng(seed)
    strata = np.repeat(np.arange(4), clusters * 10)
    cluster = np.repeat(np.arange(4 * clusters), 10)
    lean = rng.normal(size=4 * clusters)[cluster] + 0.5 * strata
    group = (rng.normal(size=cluster.size) + lean > 0).astype(int)
    w = rng.uniform(0.5, 2.0, cluster.size)
    return group, SurveyDesign(w, strata, (cluster,)), rng


@pytest.mark.parametrize("clusters", [3, 8])
def test_rao_wu_spread_against_the_linearised_standard_error(clusters: int) -> None:
    """Witness: Taylor linearisation, tested against R's survey in design_test."""
    group, design, rng = designed(clusters, 2)
    codes = rng.integers(0, 2, (group.size, 1))
    rows = Respondents(group, codes, [2], design, {})
    shares = rows.resample(4000, 0, 0).group_shares[:, 1]
    assert shares.std() == pytest.approx(design.mean(group).se, rel=0.06)


def test_the_spread_test_sees_that_clusters_were_forgotten() -> None:
    """Planted error: the same people resampled one by one."""
    group, design, rng = designed(8, 2)
    codes = rng.integers(0, 2, (group.size, 1))
    rows = Respondents(group, codes, [2], SurveyDesign(design.weights), {})
    shares = rows.resample(1000, 0, 0).group_shares[:, 1]
    assert shares.std() < 0.7 * design.mean(group).se


def test_lonely_strata_are_resampled_together() -> None:
    strata = np.array([0] * 20 + [1] * 10 + [2] * 10)
    cluster = np.array([0] * 10 + [1] * 10 + [2] * 10 + [3] * 10)
    design = SurveyDesign(np.ones(40), strata, (cluster,), lonely_psu="centre")
    codes = np.tile([0, 1], 20)[:, None]
    rows = Respondents(np.tile([0, 0, 1, 1], 10), codes, [2], design, {})
    size = rows.resample(50, 0, 0).size.sum(axis=1)
    assert size == pytest.approx(np.full(50, 40.0))  # one of two clusters, weights doubled


def test_one_lonely_stratum_joins_the_smallest_other_one() -> None:
    """By hand: clusters {0, 1, 5} are drawn two of three at 3/2, {2, 3, 4} likewise."""
    cluster = np.repeat(np.arange(6), 10)
    strata = np.array([0, 0, 1, 1, 1, 2])[cluster]
    design = SurveyDesign(np.ones(60), strata, (cluster,), lonely_psu="average")
    rows = Respondents(cluster, np.tile([0, 1], 30)[:, None], [2], design, {})
    times = Resampler(design)
    for draw in range(20):
        taken = times.counts(0, draw, 0)[::10]
        assert taken[[0, 1, 5]].sum() == 2
        assert taken[[2, 3, 4]].sum() == 2
    assert np.array_equal(times.weight, np.full(60, 1.5))
    assert rows.n == 60


def test_cluster_numbers_may_repeat_in_another_stratum() -> None:
    cluster = np.repeat(np.arange(8), 5)
    strata = cluster // 4
    apart = Resampler(SurveyDesign(np.ones(40), strata, (cluster,)))
    again = Resampler(SurveyDesign(np.ones(40), strata, (cluster % 4,)))
    assert np.array_equal(apart.counts(0, 3, 0), again.counts(0, 3, 0))
    assert np.array_equal(apart.weight, again.weight)
    assert apart.weight[0] == 4 / 3


def test_a_draw_that_loses_a_cell_is_drawn_again() -> None:
    """Two of forty people answer question 2 in group 1; every draw keeps two answers or more."""
    group = np.repeat([0, 1], 20)
    codes = np.zeros((40, 2), dtype=int)
    codes[22:, 1] = -1
    rows = Respondents(group, codes, [1, 1], SurveyDesign(np.ones(40)), {})
    tallies = rows.resample(300, 0, 0)
    assert (tallies.n_eff >= 2).all()
    assert rows.resample(7, 0, 200).answers == pytest.approx(tallies.answers[200:207])


def test_a_cell_that_can_never_be_kept_is_refused() -> None:
    codes = np.zeros((40, 1), dtype=int)
    codes[21:, 0] = -1
    rows = Respondents(np.repeat([0, 1], 20), codes, [1], SurveyDesign(np.ones(40)), {})
    weights = np.ones(40)
    weights[20] = 1e-9  # present in the design, but drawn at most a few times
    assert rows.resample(3, 0, 0).n_eff.min() >= 2
    alone = Respondents(
        np.repeat([0, 1], 20), codes, [1], SurveyDesign(np.ones(40), np.arange(40) // 2), {}
    )
    with pytest.raises(BadInput, match="so few answers"):
        alone.resample(3, 0, 0)


@pytest.mark.parametrize(("n", "seed", "start"), [(0, 0, 0), (1, -1, 0), (1, 0, -1)])
def test_bad_counts_are_refused(gss: Panel, n: int, seed: int, start: int) -> None:
    with pytest.raises(BadInput, match="draws: need"):
        gss.draws(n, seed, start=start)


def test_intervals_of_a_known_public_cover_it(tmp_path: Path) -> None:
    """Witness: 120 samples of 200 from shares (.3, .7); nominal 95 %, binomial error 2 %."""
    rng = np.random.default_rng(12)
    hits = 0
    for i in range(120):
        frame = survey(60).iloc[rng.integers(0, 60, 200)]
        frame = frame.assign(g=np.where(rng.random(200) < 0.3, "a", "b"))
        panel = read_panel(save(frame, tmp_path / f"{i}.csv"), group="g", questions="q")
        share = panel.shares()["a"]
        hits += share.low <= 0.3 <= share.high
    assert hits >= 106  # 88 %: three standard errors below nominal
