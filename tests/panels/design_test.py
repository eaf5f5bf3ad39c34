"""Design-based means and totals against R's `survey` (truths D3-1) and against hand computation.

The published numbers need R's `api` data, which ships with Debian's r-cran-survey:
`apt-get download r-cran-survey && dpkg -x r-cran-survey_*.deb /tmp/r-survey`, then set
EQUIPOISE_API_RDA to .../survey/data/api.rda or install the package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.panels import DesignEstimate, SurveyDesign, read_panel
from equipoise.panels.design import kish_n_eff

PLACES = (
    os.environ.get("EQUIPOISE_API_RDA", ""),
    "/usr/lib/R/site-library/survey/data/api.rda",
    str(Path.home() / ".cache" / "equipoise-tests" / "api.rda"),
)


def api(table: str) -> Any:
    """One data frame of R's api data, or skip."""
    found = [p for p in PLACES if p and Path(p).is_file()]
    if not found:
        pytest.skip("R's api data are absent: apt-get install r-cran-survey")
    pyreadr = pytest.importorskip("pyreadr")
    return pyreadr.read_r(found[0], use_objects=[table])[table]


def floats(frame: Any, column: str) -> Any:
    return frame[column].to_numpy(dtype=float)


def codes(frame: Any, column: str) -> Any:
    return np.unique(frame[column].astype(str), return_inverse=True)[1]


def shown(value: float, se: float, places: tuple[int, int]) -> str:
    return f"{value:.{places[0]}f} ({se:.{places[1]}f})"


@pytest.fixture(scope="module")
def strat() -> Any:
    return api("apistrat")


def stratified(frame: Any) -> SurveyDesign:
    return SurveyDesign(
        floats(frame, "pw"), strata=codes(frame, "stype"), fpc=(floats(frame, "fpc"),)
    )


def clustered(frame: Any) -> SurveyDesign:
    return SurveyDesign(
        floats(frame, "pw"), clusters=(codes(frame, "dnum"),), fpc=(floats(frame, "fpc"),)
    )


def test_stratified_mean_and_total_against_r_survey(strat: Any) -> None:
    design = stratified(strat)
    mean, total = design.mean(floats(strat, "api00")), design.total(floats(strat, "enroll"))
    assert shown(mean.value, mean.se, (4, 4)) == "662.2874 (9.4089)"
    assert shown(total.value, total.se, (1, 1)) == "3687177.5 (114641.7)"
    assert mean.df == 197


def test_kish_against_truths_d3_1(strat: Any) -> None:
    design = stratified(strat)
    assert f"{design.n_eff:.4f}" == "168.5813"
    assert f"{design.deff_weights:.6f}" == "1.186371"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("E", "674.43 (12.3825)"), ("M", "636.60 (16.2147)"), ("H", "625.82 (14.9371)")],
)
def test_domain_means_against_r_survey(strat: Any, kind: str, expected: str) -> None:
    result = stratified(strat).mean(floats(strat, "api00"), strat["stype"] == kind)
    assert shown(result.value, result.se, (2, 4)) == expected


def test_one_stage_clusters_against_r_survey() -> None:
    frame = api("apiclus1")
    result = clustered(frame).mean(floats(frame, "api00"))
    assert shown(result.value, result.se, (2, 3)) == "644.17 (23.542)"
    assert result.df == 14


def test_post_stratification_against_r_survey() -> None:
    frame = api("apiclus1")
    design = clustered(frame).post_stratify(
        frame["stype"].astype(str), {"E": 4421, "H": 755, "M": 1018}
    )
    result = design.mean(floats(frame, "api00"))
    assert f"{result.value:.2f}" == "642.31"
    assert result.se == pytest.approx(23.921, abs=1e-3)  # as published
    assert result.se == pytest.approx(23.9204864451, rel=1e-10)  # R survey 4.1-1, more digits


def test_raking_against_r_survey() -> None:
    """Margins of the 6,194 schools: stype, and sch.wide (No 1072, Yes 5122)."""
    frame = api("apiclus1")
    design = clustered(frame).rake(
        [
            (frame["stype"].astype(str), {"E": 4421, "H": 755, "M": 1018}),
            (frame["sch.wide"].astype(str), {"No": 1072, "Yes": 5122}),
        ]
    )
    mean, total = design.mean(floats(frame, "api00")), design.total(floats(frame, "enroll"))
    assert shown(mean.value, mean.se, (2, 3)) == "641.23 (23.704)"
    assert shown(total.value, total.se, (0, 0)) == "3647280 (400603)"


def test_the_r_numbers_fail_when_the_strata_are_forgotten(strat: Any) -> None:
    """Planted error: the same weights as if drawn without strata."""
    wrong = SurveyDesign(floats(strat, "pw")).mean(floats(strat, "api00"))
    assert f"{wrong.se:.4f}" != "9.4089"


# Twenty people in two strata of 3 and 4 clusters; every number below was printed by R survey
# 4.1-1 (svydesign, svymean, svytotal, svyby, postStratify, svyciprop) with 12 digits.
SMALL_Y = np.array([3, 5, 2, 8, 7, 1, 4, 6, 9, 2, 5, 5, 8, 3, 6, 7, 1, 2, 9, 4], dtype=float)
SMALL_W = np.array(
    [1.5, 2, 1, 0.5, 3, 1, 1, 2.5, 1, 1, 2, 0.75, 1, 1, 4, 1, 1.25, 2, 1, 0.5], dtype=float
)
SMALL_H = np.array([1] * 8 + [2] * 12)
SMALL_C = np.array([1, 1, 1, 2, 2, 3, 3, 3, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4])
SMALL_G = np.array(list("aabababbaabbabababba"))
SMALL = SurveyDesign(SMALL_W, SMALL_H, (SMALL_C,))


def pair(result: DesignEstimate) -> tuple[float, float]:
    return result.value, result.se


def test_a_small_clustered_sample_against_r_survey() -> None:
    assert pair(SMALL.mean(SMALL_Y)) == pytest.approx((4.98275862069, 0.448756885744), rel=1e-11)
    assert pair(SMALL.total(SMALL_Y)) == pytest.approx((144.5, 22.0737400546), rel=1e-11)
    for group, expected in {
        "a": (4.78181818182, 0.420503491103),
        "b": (5.16393442623, 0.514179839038),
    }.items():
        assert pair(SMALL.mean(SMALL_Y, group == SMALL_G)) == pytest.approx(expected, rel=1e-11)


def test_small_finite_populations_against_r_survey() -> None:
    size, people = np.where(SMALL_H == 1, 10.0, 8.0), np.arange(20)
    one = SurveyDesign(SMALL_W, SMALL_H, (SMALL_C,), fpc=(size,))
    two = SurveyDesign(SMALL_W, SMALL_H, (SMALL_C, people), fpc=(size, np.full(20, 6.0)))
    assert one.mean(SMALL_Y).se == pytest.approx(0.368256599316, rel=1e-11)
    assert two.mean(SMALL_Y).se == pytest.approx(0.444629607458, rel=1e-11)


def test_small_post_stratification_against_r_survey() -> None:
    result = SMALL.post_stratify(SMALL_G, {"a": 40, "b": 60}).mean(SMALL_Y)
    assert pair(result) == pytest.approx((5.01108792846, 0.440295494734), rel=1e-11)


def test_intervals_against_r_survey() -> None:
    """R's confint with df = degf, and svyciprop(method = "logit")."""
    mean = SMALL.mean(SMALL_Y).estimate()
    assert (mean.low, mean.high) == pytest.approx((3.82919232158, 6.1363249198), rel=1e-10)
    share = SMALL.mean(SMALL_G == "a").estimate(share=True)
    assert (share.low, share.high) == pytest.approx((0.206184521463, 0.757862858654), rel=1e-10)


# By hand: two strata of two clusters each, weights 1.
# y totals by cluster: stratum 0: (1+2, 3+6), stratum 1: (4+4, 5+7); mean 4.
# z = (y - 4)/8 summed by cluster: -5/8, 1/8 | 0, 4/8.
# Between the clusters of a stratum: 2/1 * 2 * (3/8)^2 and 2/1 * 2 * (2/8)^2.
Y = np.array([1.0, 2.0, 3.0, 6.0, 4.0, 4.0, 5.0, 7.0])
STRATA = np.array([0, 0, 0, 0, 1, 1, 1, 1])
CLUSTERS = np.array([0, 0, 1, 1, 0, 0, 1, 1])


def test_clusters_in_strata_by_hand() -> None:
    result = SurveyDesign(np.ones(8), STRATA, (CLUSTERS,)).mean(Y)
    assert result.value == 4.0
    assert result.se == pytest.approx(np.sqrt(4 * 9 / 64 + 4 * 4 / 64))
    assert result.df == 2


def test_finite_populations_and_a_second_stage_by_hand() -> None:
    """Two of four clusters drawn in each stratum, two of five people in each cluster.

    First stage: half of the variance above. Second: f1 = 1/2 times (1 - 2/5) * 2 * 2 * (d/2)^2 with
    d the difference of the two people's z: 1/8, 3/8, 0, 2/8.
    """
    people = np.arange(8)
    design = SurveyDesign(
        np.ones(8), STRATA, (CLUSTERS, people), fpc=(np.full(8, 4.0), np.full(8, 5.0))
    )
    first = 0.5 * (4 * 9 / 64 + 4 * 4 / 64)
    second = 0.5 * 0.6 * 4 * (1 + 9 + 0 + 4) / 64 / 4
    assert design.mean(Y).se == pytest.approx(np.sqrt(first + second))
    fractions = SurveyDesign(
        np.ones(8), STRATA, (CLUSTERS, people), fpc=(np.full(8, 0.5), np.full(8, 0.4))
    )
    assert fractions.mean(Y).se == pytest.approx(design.mean(Y).se)


def test_a_census_has_no_standard_error() -> None:
    design = SurveyDesign(np.ones(4), fpc=(np.full(4, 4.0),))
    assert design.mean(np.array([1.0, 5.0, 2.0, 9.0])).se == 0.0


def test_a_stratum_wholly_drawn_needs_no_second_cluster() -> None:
    """By hand: stratum 1 is one cluster of one (R: certainty); stratum 0 two of its four."""
    y, strata = np.array([1.0, 3.0, 8.0]), np.array([0, 0, 1])
    for fpc in (np.array([4.0, 4.0, 1.0]), np.array([0.5, 0.5, 1.0])):
        design = SurveyDesign(np.ones(3), strata, fpc=(fpc,))
        assert design.mean(y).se == pytest.approx(np.sqrt(0.5 * 4) / 3)
    pair_of_two = SurveyDesign(np.ones(3), strata, fpc=(np.array([2.0, 2.0, 1.0]),))
    assert pair_of_two.mean(y).se == 0.0


def test_one_degree_of_freedom_is_enough_for_an_interval() -> None:
    """Student's t with 1 degree of freedom: 12.706 (printed tables); with 0 there is none."""
    estimate = SurveyDesign(np.ones(2)).mean(np.array([1.0, 3.0])).estimate()
    assert estimate.high - 2.0 == pytest.approx(12.706, abs=1e-3)
    assert estimate.how == "linearised standard error, 95 %"
    nobody = (
        SurveyDesign(np.ones(3)).mean(np.array([1.0, 2.0, 4.0]), np.array([1, 0, 0])).estimate()
    )
    assert (nobody.low, nobody.high) == (-np.inf, np.inf)


def test_lonely_clusters_are_refused_averaged_or_centred() -> None:
    """R's options: "fail", "average", "adjust" (R prints 1.09544511501 and 1.2).

    By hand: strata {1, 3}, {4, 8} and {9} alone.
    """
    y, strata = np.array([1.0, 3.0, 4.0, 8.0, 9.0]), np.array([0, 0, 1, 1, 2])
    with pytest.raises(BadInput, match="1 of 3 strata have a single cluster"):
        SurveyDesign(np.ones(5), strata)
    known = (4 * 1 + 4 * 4) / 25  # n/(n-1) sum (z - mean)^2 with z = (y - 5)/5
    average = SurveyDesign(np.ones(5), strata, lonely_psu="average").mean(y)
    assert average.se == pytest.approx(np.sqrt(known * 1.5))
    centre = SurveyDesign(np.ones(5), strata, lonely_psu="centre").mean(y)
    assert centre.se == pytest.approx(np.sqrt(known + 16 / 25))


def test_degrees_of_freedom_of_a_domain_count_the_clusters_it_touches() -> None:
    """R's degf on a subset; another library had 12 where 7 is right."""
    y = np.arange(12.0)
    strata, clusters = np.repeat([0, 1], 6), np.tile([0, 0, 1, 1, 2, 2], 2)
    domain = np.array([1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1], dtype=bool)
    design = SurveyDesign(np.ones(12), strata, (clusters,))
    assert design.mean(y).df == 4
    assert design.mean(y, domain).df == 3


def test_missing_answers_are_a_domain_not_a_zero() -> None:
    y = np.array([1.0, np.nan, 3.0, 5.0])
    design = SurveyDesign(np.array([1.0, 9.0, 1.0, 2.0]))
    assert design.mean(y).value == pytest.approx(14 / 4)
    assert design.mean(y).n == 3


def test_a_share_keeps_its_interval_inside_zero_and_one() -> None:
    design = SurveyDesign(np.ones(20))
    rare = design.mean(np.arange(20) == 0).estimate(share=True)
    assert 0.0 < rare.low < 0.05 < rare.high < 1.0
    none = design.mean(np.zeros(20)).estimate(share=True)
    assert (none.low, none.high) == (0.0, 1.0)


def test_simple_random_mean_is_the_textbook_one() -> None:
    """s / sqrt(n) and Student's t with 19 degrees of freedom (2.093, printed tables)."""
    y = np.arange(20.0) ** 2
    result = SurveyDesign(np.ones(20)).mean(y)
    assert result.se == pytest.approx(y.std(ddof=1) / np.sqrt(20))
    estimate = result.estimate()
    assert (estimate.high - estimate.value) / result.se == pytest.approx(2.093, abs=5e-4)


def test_kish_by_hand() -> None:
    assert kish_n_eff([1, 1, 1, 1]) == 4
    assert kish_n_eff([3, 1]) == pytest.approx(1.6)


def test_a_panel_of_the_stratified_sample_against_r_survey(strat: Any, tmp_path: Path) -> None:
    """The whole path: file, weights, strata; R's by-type means (without fpc: 12.52 for E)."""
    strat.to_csv(tmp_path / "api.csv", index=False)
    panel = read_panel(
        tmp_path / "api.csv",
        group="stype",
        questions=["awards"],
        weight="pw",
        strata="stype",
        ratings=["api00"],
    )
    assert panel.groups.to_dict() == pytest.approx(
        {"E": 4421 / 6194, "H": 755 / 6194, "M": 1018 / 6194}, rel=1e-6
    )
    rated = panel.ratings["api00"]
    assert {g: f"{e.value:.2f}" for g, e in rated.items()} == {
        "E": "674.43",
        "H": "625.82",
        "M": "636.60",
    }
    elementary = floats(strat, "api00")[strat["stype"] == "E"]
    assert (rated["E"].high - rated["E"].value) / 1.9842 == pytest.approx(
        elementary.std(ddof=1) / 10, rel=1e-3
    )
    share = panel.shares()["E"]
    assert share.low == pytest.approx(share.high)  # the strata fix the sizes of the groups


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"weights": np.array([1.0, -1.0])}, "weights"),
        ({"weights": np.array([1.0, 0.0])}, "weights"),
        ({"weights": np.array([1.0, np.nan])}, "weights"),
        ({"weights": np.ones(3), "fpc": (np.zeros(3),)}, "fewer clusters than were drawn"),
        ({"weights": np.ones((2, 2))}, "weights"),
        ({"weights": np.ones(3), "strata": np.zeros(2, dtype=int)}, "one entry per weight"),
        ({"weights": np.ones(3), "lonely_psu": "ignore"}, "lonely_psu"),
        ({"weights": np.ones(3), "fpc": (np.full(3, 2.0),)}, "fewer clusters than were drawn"),
        ({"weights": np.ones(1)}, "single cluster"),
    ],
)
def test_bad_designs(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        SurveyDesign(**keys)
