"""GSS 2018 against the numbers printed in theory section 7 and design section 5."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.estimate import percentile_interval
from equipoise.panels import Panel, load_panel
from tests.panels.files_test import raw

FloatArray = NDArray[np.float64]

# Theory section 7: least attractiveness weight (beta = 1) at which each group drops out.
PRINTED = {
    "extremely conservative": ("4.7", 3.3, 7.6),
    "conservative": ("5.9", 4.7, 7.6),
    "slightly conservative": ("11.7", 8.5, 19.5),
    "moderate": ("39.6", 23.0, 117.0),
    "slightly liberal": ("139", 40.0, np.inf),
}


@pytest.fixture(scope="module")
def gss() -> Panel:
    return load_panel("gss2018")


def least_incentive(appeal: FloatArray) -> FloatArray:
    """Theory R6 with h = beta = 1 and a uniform anchor: 1 / sum_l (a_l - a_k)_+."""
    lead = np.maximum(appeal[..., None, :] - appeal[..., :, None], 0.0).sum(axis=-1)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / lead)


def printed(value: float) -> str:
    return f"{value:.3g}" if value >= 100 else f"{value:.1f}"


def matches(gss: Panel, appeal: FloatArray) -> dict[str, bool]:
    least = least_incentive(appeal)
    return {g: printed(least[gss.groups.index(g)]) == text for g, (text, _, _) in PRINTED.items()}


def test_group_sizes_are_those_of_the_published_data(gss: Panel) -> None:
    """Witness: polviews counts in design section 5."""
    assert [e.n for e in gss.shares().values()] == [122, 278, 256, 855, 283, 354, 99]
    assert gss.n == 2247
    assert gss.dropped["group polviews: blank"] == 101
    assert len(gss.questions) == 18


def test_least_incentives_match_theory_section_7_to_the_printed_digit(gss: Panel) -> None:
    assert all(matches(gss, gss.appeal()).values())


def test_the_check_of_printed_digits_fails_on_complete_cases(gss: Panel) -> None:
    """Planted error: drop everybody who left one item out, as careless code would."""
    frame = raw("gss2018")
    items = list(gss.questions)
    frame = frame[frame[items].notna().all(axis=1) & frame["polviews"].notna()]
    p = np.array(
        [
            [[(g[i] == v).mean() for v in (-1, 0, 1)] for i in items]
            for _, g in frame.groupby("polviews")
        ]
    )
    m = frame["polviews"].value_counts(normalize=True).sort_index().to_numpy()
    wrong = np.einsum("j,jqc,kqc->k", m, p, p) / len(items)
    assert not all(matches(gss, wrong).values())


def test_least_incentives_have_the_intervals_of_theory_section_7(gss: Panel) -> None:
    """The bootstrap ends were printed to two digits from other draws: within 10 %."""
    low, high = percentile_interval(least_incentive(gss.draws(2000, seed=1).appeal))
    for group, (_, lower, upper) in PRINTED.items():
        k = gss.groups.index(group)
        assert low[k] == pytest.approx(lower, rel=0.1)
        assert high[k] == (np.inf if np.isinf(upper) else pytest.approx(upper, rel=0.12))


def test_kernel_on_the_tangent_space_against_theory_section_7(gss: Panel) -> None:
    basis = np.linalg.svd(np.ones((1, 7)))[2][1:].T
    top = np.linalg.eigvalsh(basis.T @ gss.kernel() @ basis).max()
    assert f"{top:.3f}" == "0.119"


def test_liberals_and_conservatives_against_design_section_5() -> None:
    """Total variation between liberals and conservatives is .20."""
    gss = load_panel("gss2018", groups=3)
    apart = gss.answers.total_variation()[0, 2]
    assert f"{apart:.2f}" == "0.20"


def test_moderates_are_nearly_a_mixture_against_theory_r14() -> None:
    """Within total variation 0.045 of the segment between the two others."""
    gss = load_panel("gss2018", groups=3)
    distance, weight = gss.answers.distance_to_segment("moderate", "liberal", "conservative")
    assert f"{distance:.3f}" == "0.045"
    grid = np.linspace(0.0, 1.0, 2001)
    liberal, moderate, conservative = gss.answers.shares
    mixed = grid[:, None, None] * liberal + (1 - grid[:, None, None]) * conservative
    brute = np.abs(mixed - moderate).sum(axis=2).mean(axis=1) / 2
    assert brute.min() >= distance - 1e-12
    assert brute.min() == pytest.approx(distance, abs=1e-4)
    assert grid[brute.argmin()] == pytest.approx(weight, abs=1e-3)


def test_thousand_draws_take_a_few_seconds_at_most(gss: Panel) -> None:
    import time

    begin = time.perf_counter()
    gss.draws(1000, seed=0)
    assert time.perf_counter() - begin < 5.0


def test_wording_and_options_are_those_people_were_shown(gss: Panel) -> None:
    """Witness: GSS codebook, natenvir; the data set's own help page for the coding."""
    q = gss.questions.index("natenvir")
    assert gss.answers.options[q] == ("too much", "about right", "too little")
    assert "environment" in gss.answers.wording[q]


def test_blanks_may_become_an_option() -> None:
    gss = load_panel("gss2018", dont_know="option")
    assert gss.answers.options[0] == ("too much", "about right", "too little", "don't know")
    k = gss.groups.index("moderate")
    share = gss.answers.distribution("moderate", "natspac")["don't know"]
    assert share == pytest.approx((855 - 744) / 855)  # 744 of 855 answered, counted by pandas
    assert gss.answers.n[k, 0] == 855
