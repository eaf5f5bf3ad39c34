"""The exam of a profile (R3): bounds that hold, errors that are seen, rounding that hides none."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import best_deviation, by_quantecon, minimize_scalar, stated

TOY = eq.AlignmentGame(
    eq.Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15}),
    ["model-a", "model-b"],
    [
        eq.Attractiveness([0.50, 0.35, 0.15]),
        eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]),
        eq.Diversity(0.3),
    ],
)


def best_split(game: eq.AlignmentGame, profile: eq.Profile, i: int) -> float:
    """Return the best utility agent i of a two-group game can reach, by scalar search."""

    def loss(t: float) -> float:
        return -float(game.deviation_utilities(profile, np.tile([t, 1 - t], (2, 1)))[i])

    found = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-12})
    return -float(found.fun)


def nudge(profile: eq.Profile, size: float) -> eq.Profile:
    """Move `size` of every agent's weight from its largest group to the next one."""
    x = profile.array.copy()
    rows = np.arange(len(x))
    top = x.argmax(axis=1)
    x[rows, top] -= size
    x[rows, (top + 1) % x.shape[1]] += size
    return eq.Profile(profile.groups, profile.agents, x)


@pytest.mark.parametrize("style", ["plain", "herding", "mixed signs", "network", "metric", "types"])
def test_a_nudged_profile_is_rejected(style: str) -> None:
    for seed in range(10):
        game = random_game(np.random.default_rng(seed), 5, 4, style)
        found = eq.solve(game, starts=0).profile
        for size in (1e-2, 1e-5, 1e-7):
            exam = eq.certify(game, nudge(found, size))
            assert exam.max_relative_gap > 1e-9, (seed, size)
            assert exam.max_gap == pytest.approx(stated(game).gap(nudge(found, size).array).max())


@pytest.mark.parametrize("style", ["plain", "network", "no curvature", "mixed signs", "metric"])
def test_regret_lies_between_scipys_best_deviation_and_the_gap(style: str) -> None:
    tightest = 0.0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        game = random_game(rng, 3, 4, style)
        form = stated(game)
        profile = game.profile(rng.dirichlet(np.ones(4), 3))
        exam = eq.certify(game, profile)
        for i in range(3):
            gained = best_deviation(form, i, profile.array)
            assert 0.0 <= gained <= exam.regret[i] + 1e-9
            assert exam.regret[i] <= exam.gap[i] + 1e-15
            tightest = max(tightest, gained / exam.gap[i])
            if game.affine is not None and game.affine.scalar_curvature is not None:
                assert exam.regret[i] == pytest.approx(gained, abs=1e-7), "exact for hI"
    assert tightest > 0.5, "the bounds were never close: the check compares nothing"


def test_kl_regret_is_the_log_sum_exp_found_by_scipy() -> None:
    groups = eq.Groups(["left", "right"])
    rng = np.random.default_rng(3)
    for _ in range(20):
        anchor = rng.dirichlet(np.ones(2), 2)
        game = eq.AlignmentGame(
            groups,
            2,
            [
                eq.Attractiveness(rng.normal(size=(2, 2))),
                eq.KLConsistency(anchor, weight=rng.uniform(0.2, 2, 2)),
                eq.Diversity(rng.normal(size=2)),
            ],
        )
        profile = game.profile(rng.dirichlet(np.ones(2), 2))
        exam = eq.certify(game, profile)
        here = game.utilities(profile)
        for i in range(2):
            best = best_split(game, profile, i)
            assert exam.regret[i] == pytest.approx(best - here[i], abs=1e-9)
        assert (exam.regret <= exam.gap).all()


def test_the_distance_bound_holds_for_every_perturbed_profile() -> None:
    """The equilibrium itself comes from QuantEcon's Lemke, not from `solve`."""
    checked = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        style = ("plain", "general kernel", "herding", "mixed signs", "network", "types")[seed % 6]
        game = random_game(rng, 4, 4, style)
        truth = by_quantecon(game)
        assert truth is not None
        for size in (1.0, 1e-2, 1e-4, 1e-8, 0.0):
            x = (1 - size) * truth + size * rng.dirichlet(np.ones(4), 4)
            exam = eq.certify(game, game.profile(x))
            if exam.distance is None:
                continue
            checked += 1
            away = np.sqrt((game.agents.counts[:, None] * (x - truth) ** 2).sum())
            assert away <= exam.distance * (1 + 1e-9), (seed, size)
            assert exam.distance > 0, "rounding alone forbids a bound of exactly 0"
    assert checked > 150


def test_the_distance_bound_is_tight_so_a_modulus_too_large_would_be_seen() -> None:
    """One agent at its boundary, h = 1, s_2 − s_1 = h: gap 2he², distance √2·e, by hand."""
    game = eq.AlignmentGame(
        eq.Groups(["a", "b"]), 1, [eq.Attractiveness([0.0, 1.0]), eq.Variety(1.0)]
    )
    for e in (1e-1, 1e-3, 1e-5):
        exam = eq.certify(game, game.profile([[e, 1 - e]]))
        assert exam.distance == pytest.approx(np.sqrt(2) * e, rel=1e-3)


def test_a_large_constant_does_not_hide_a_wrong_answer() -> None:
    """Payoffs 1e9 and 1e9 + 1e-6: serving the worse group is wrong by the whole range."""
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), 1, [eq.Attractiveness([1e9, 1e9 + 1e-6])])
    wrong = eq.certify(game, game.profile([[1.0, 0.0]]))
    assert wrong.max_relative_gap == 1.0
    assert eq.solve(game)[0]["b"] == 1.0


def test_the_rounding_allowance_is_a_few_units_of_the_last_place_of_the_incentives() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        game = random_game(rng, 5, 5, ("plain", "no curvature", "herding", "network")[seed % 4])
        exam = eq.certify(game, game.profile(rng.dirichlet(np.ones(5), 5)))
        form = stated(game)
        spread = np.ptp(form.scores, axis=1) + np.abs(form.gamma)
        spread += [float(np.abs(h).max()) for h in form.curvature]
        assert (exam.rounding <= 1e-13 * spread).all()


def test_audience_share_beside_a_large_slope_is_not_rounded_away() -> None:
    """Nearly nobody serves a group that pays: the slope there is 1e12 and must count."""
    game = eq.AlignmentGame(eq.Groups({"a": 0.5, "b": 0.5}), 3, [eq.AudienceShare(1.0)])
    exam = eq.certify(game, game.profile(np.tile([1 - 1e-12, 1e-12], (3, 1))))
    assert exam.max_relative_gap > 1.0


def test_kl_agents_at_zero_on_a_group_of_their_anchor_have_an_infinite_gap() -> None:
    game = eq.AlignmentGame(eq.Groups(["a", "b"]), 1, [eq.KLConsistency([0.5, 0.5])])
    exam = eq.certify(game, game.profile([[1.0, 0.0]]))
    assert exam.gap[0] == np.inf
    assert exam.regret[0] == pytest.approx(np.log(2))


def test_the_toy_of_the_contract_has_rural_one_seventy_eighth() -> None:
    """Derived by hand: design section 4."""
    found = eq.solve(TOY)
    assert found.profile.coverage[2] == pytest.approx(1 / 78, abs=1e-15)
    assert found.certificate.uniqueness.verdict == "proved"


def test_one_agent_alone_with_audience_share_is_no_contest() -> None:
    """Nothing is contested when nobody else is there: the outcome may not say otherwise."""
    game = eq.AlignmentGame(
        eq.Groups(["a", "b", "c"]),
        1,
        [
            eq.Attractiveness([5.0, 0.0, 0.0]),
            eq.Consistency([1 / 3, 1 / 3, 1 / 3], weight=0.1),
            eq.AudienceShare(1.0),
        ],
    )
    found = eq.solve(game)
    assert found.outcome is eq.Outcome.solved
    assert found[0]["a"] == pytest.approx(1.0, abs=1e-9)
