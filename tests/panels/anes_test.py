"""ANES party identification and thermometers against published tables (truths D3-3, D3-4)."""

from __future__ import annotations

import pytest

from equipoise.errors import BadInput
from equipoise.panels import load_panel
from equipoise.panels.sources import SOURCES
from tests.panels.files_test import raw

# D3-3: ANES Guide, table id=21, raw counts by seven-point party identification.
COUNTS = {
    1978: [340, 546, 328, 371, 217, 289, 178],
    1980: [286, 371, 184, 243, 166, 225, 137],
    1984: [379, 444, 242, 280, 277, 329, 277],
    1988: [355, 359, 240, 243, 270, 280, 279],
    1990: [393, 376, 245, 236, 233, 293, 189],
}
# D3-4: mean thermometers D->D, D->R, R->R, R->D, leaners in, unweighted.
MEANS = {1978: ("72.58", "48.32", "67.56", "47.41"), 2012: ("73.58", "26.37", "66.27", "28.79")}


@pytest.mark.parametrize("year", COUNTS)
def test_party_counts_against_the_anes_guide(year: int) -> None:
    panel = load_panel("anes", year=year)
    assert [e.n for e in panel.shares().values()] == COUNTS[year]


def test_party_counts_of_2012_are_raw_not_the_guides_weighted_ones() -> None:
    """The Guide's weighted table has 890 weak Democrats in 2012; the raw data 871."""
    panel = load_panel("anes")
    assert panel.shares()["weak Democrat"].n == 871
    assert not panel.weighted


@pytest.mark.parametrize("year", MEANS)
def test_thermometers_against_truths_d3_4(year: int) -> None:
    ratings = load_panel("anes", year=year, groups=3).ratings
    cells = [
        ratings[target][group].value
        for target, group in (
            ("Democratic Party", "Democrat"),
            ("Republican Party", "Democrat"),
            ("Republican Party", "Republican"),
            ("Democratic Party", "Republican"),
        )
    ]
    assert tuple(f"{x:.2f}" for x in cells) == MEANS[year]


@pytest.mark.parametrize(("year", "gap"), [(1978, "26.92"), (2012, "48.90")])
def test_partisan_gap_without_leaners_against_truths_d3_4(year: int, gap: str) -> None:
    """In-minus-out gap of partisans (Boxell, Gentzkow and Shapiro print 27.4 for 1978)."""
    frame = raw("anes", year)
    gaps = []
    for pid, own, other in (
        ((1, 2), "therm_dem", "therm_gop"),
        ((6, 7), "therm_gop", "therm_dem"),
    ):
        mine = frame[frame["pid7"].isin(pid)]
        gaps.append((mine[own] - mine[other]).dropna())
    mean = sum(g.sum() for g in gaps) / sum(len(g) for g in gaps)
    assert f"{mean:.2f}" == gap


def test_thermometers_are_cut_at_the_neutral_point() -> None:
    """Witness: pandas on the raw column."""
    panel = load_panel("anes", groups=3)
    frame = raw("anes", 2012)
    scores = frame.loc[frame["pid7"] <= 3, "therm_gop"].dropna()
    shares = panel.answers.distribution("Democrat", "therm_gop_bin")
    assert shares == pytest.approx(
        {
            "cold (below 50)": (scores < 50).mean(),
            "neutral (50)": (scores == 50).mean(),
            "warm (above 50)": (scores > 50).mean(),
        }
    )


@pytest.mark.parametrize("year", SOURCES["anes"].years)
@pytest.mark.parametrize("groups", [3, 7])
def test_every_year_loads(year: int, groups: int) -> None:
    panel = load_panel("anes", year=year, groups=groups)
    assert len(panel.groups) == groups
    assert bool(panel.ratings) == (year != 2002)  # no party thermometers were asked in 2002


def test_an_unknown_year_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"no 1979; choose from 1978, 1980.*2012"):
        load_panel("anes", year=1979)
