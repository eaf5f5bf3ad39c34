"""Laws of solving, as properties: what must hold of every game, whatever its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import equipoise as eq
from equipoise.game.terms import Term
from tests.equilibrium.random_games import STYLES, random_game
from tests.equilibrium.witnesses import FloatArray

IndexArray = NDArray[np.signedinteger[Any]]

AGREE = 1e-7
SMALL = [style for style in STYLES if style != "types"]

seeds = st.integers(0, 2**32 - 1)


@st.composite
def games(draw: st.DrawFn, styles: list[str] = SMALL) -> eq.AlignmentGame:
    n, k = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(seeds))
    return random_game(rng, n, k, draw(st.sampled_from(styles)))


def proved(found: eq.Equilibrium) -> bool:
    return found.certificate.uniqueness.verdict == "proved"


def rows(term: Term, name: str, n: int) -> FloatArray:
    array: FloatArray = getattr(term, name)
    return np.broadcast_to(array, (n, array.shape[-1]))


def mapped(
    game: eq.AlignmentGame, agents: IndexArray, order: IndexArray, scale: float = 1.0
) -> eq.AlignmentGame:
    """Return the game with agents and groups in another order and utilities times `scale`."""
    i, j = agents, order
    n = len(game.agents)
    terms: list[Term] = []

    def weight(term: Term) -> FloatArray:
        return np.asarray(scale * np.broadcast_to(getattr(term, "weight", 0.0), (n,))[i])

    def square(matrix: FloatArray | None) -> FloatArray | None:
        return None if matrix is None else np.asarray(matrix[np.ix_(j, j)])

    for term in game.terms:
        match term:
            case eq.Attractiveness():
                terms.append(eq.Attractiveness(rows(term, "values", n)[i][:, j], weight(term)))
            case eq.Consistency():
                anchor = rows(term, "anchor", n)[i][:, j]
                terms.append(eq.Consistency(anchor, weight(term), square(term.metric)))
            case eq.Variety():
                terms.append(eq.Variety(weight(term), square(term.matrix)))
            case eq.Subsidy():
                terms.append(eq.Subsidy(scale * term.prices[j]))
            case eq.Diversity():
                network = term.network
                if network is not None:
                    place = np.argsort(i)
                    edges = zip(*network.edges(), strict=True)
                    network = eq.Network(
                        n, [(place[a], place[b], w) for a, b, w in edges], directed=True
                    )
                terms.append(eq.Diversity(weight(term), square(term.kernel), network))
            case _:
                raise AssertionError(term)
    shares = {game.groups.labels[c]: float(game.groups.shares[c]) for c in j}
    return eq.AlignmentGame(eq.Groups(shares), n, terms)


@given(games(styles=list(STYLES)))
def test_rows_are_on_the_simplex_and_regret_is_not_negative(game: eq.AlignmentGame) -> None:
    found = eq.solve(game, starts=1)
    for one in found.found:
        x = one.profile.array
        assert (x >= 0).all()
        assert np.abs(x.sum(axis=1) - 1).max() <= 4e-15 * x.shape[1]
        exam = one.certificate
        assert (exam.regret >= 0).all()
        assert (exam.regret <= exam.gap).all()
        assert exam.max_relative_gap <= 1e-9
        assert one.outcome is eq.Outcome.solved


@given(games(), seeds)
def test_regret_is_not_negative_at_any_profile(game: eq.AlignmentGame, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.dirichlet(np.full(len(game.groups), rng.choice([0.05, 1.0])), len(game.agents))
    exam = eq.certify(game, game.profile(x))
    assert (exam.regret >= 0).all()
    assert (exam.regret <= exam.gap).all()


@given(games(), seeds)
def test_renaming_agents_and_groups_commutes_with_solving(
    game: eq.AlignmentGame, seed: int
) -> None:
    found = eq.solve(game, starts=0)
    rng = np.random.default_rng(seed)
    agents, order = rng.permutation(len(game.agents)), rng.permutation(len(game.groups))
    other = eq.solve(mapped(game, agents, order), starts=0)
    assert other.certificate.uniqueness.verdict == found.certificate.uniqueness.verdict
    if proved(found):
        expected = found.profile.array[agents][:, order]
        assert np.abs(other.profile.array - expected).max() < AGREE


def test_a_planted_wrong_renaming_is_seen() -> None:
    game = random_game(np.random.default_rng(0), 3, 4, "plain")
    x = eq.solve(game).profile.array
    other = eq.solve(mapped(game, np.array([1, 2, 0]), np.array([3, 1, 2, 0]))).profile.array
    assert np.abs(other - x).max() > 1e-2
    assert np.abs(other - x[[1, 2, 0]][:, [3, 1, 2, 0]]).max() < 1e-12


@given(games(), st.sampled_from([1e-9, 1e9, 1e-3, 7.0]))
def test_scaling_utilities_changes_nothing(game: eq.AlignmentGame, scale: float) -> None:
    n, k = len(game.agents), len(game.groups)
    found = eq.solve(game, starts=0)
    other = eq.solve(mapped(game, np.arange(n), np.arange(k), scale), starts=0)
    assert other.certificate.uniqueness.verdict == found.certificate.uniqueness.verdict
    if proved(found):
        assert np.abs(other.profile.array - found.profile.array).max() < AGREE


@given(games(), st.sampled_from([1e-9, 1.0, -3.0, 1e9]))
def test_shifting_utilities_changes_nothing(game: eq.AlignmentGame, shift: float) -> None:
    """The same price on every group is a constant of every agent's utility."""
    k = len(game.groups)
    found = eq.solve(game.replace(eq.Subsidy(np.zeros(k))), starts=0)
    other = eq.solve(game.replace(eq.Subsidy(np.full(k, shift))), starts=0)
    assert other.certificate.uniqueness.verdict == found.certificate.uniqueness.verdict
    if proved(found):
        assert np.abs(other.profile.array - found.profile.array).max() < AGREE


@given(games(styles=["plain", "general kernel", "herding", "mixed signs", "metric"]), seeds)
def test_agents_with_equal_parameters_have_equal_rows(game: eq.AlignmentGame, seed: int) -> None:
    """Every agent twice, in another order."""
    n, k = len(game.agents), len(game.groups)
    twice = np.r_[np.arange(n), np.random.default_rng(seed).permutation(n)]
    terms: list[Term] = []
    for term in game.terms:
        weight = np.broadcast_to(getattr(term, "weight", 1.0), (n,))[twice]
        match term:
            case eq.Attractiveness():
                terms.append(eq.Attractiveness(rows(term, "values", n)[twice], weight))
            case eq.Consistency():
                terms.append(eq.Consistency(rows(term, "anchor", n)[twice], weight, term.metric))
            case eq.Diversity():
                terms.append(eq.Diversity(weight, term.kernel))
            case eq.Variety():
                terms.append(eq.Variety(weight, term.matrix))
            case _:
                terms.append(term)
    found = eq.solve(eq.AlignmentGame(game.groups, 2 * n, terms), starts=0)
    if proved(found):
        x = found.profile.array
        mirror = np.empty((n, k))
        mirror[twice[n:]] = x[n:]
        assert np.abs(x[:n] - mirror).max() < AGREE


@given(games(styles=["types"]), st.lists(st.integers(1, 5), min_size=6, max_size=6))
def test_types_and_counts_are_the_game_written_out(
    game: eq.AlignmentGame, counts: list[int]
) -> None:
    n = len(game.agents)
    sizes = dict(zip((f"t{i}" for i in range(n)), counts, strict=False))
    short = eq.AlignmentGame(game.groups, sizes, game.terms)
    who = np.repeat(np.arange(n), list(sizes.values()))
    terms: list[Term] = []
    for term in game.terms:
        weight = np.broadcast_to(getattr(term, "weight", 1.0), (n,))[who]
        match term:
            case eq.Attractiveness():
                terms.append(eq.Attractiveness(rows(term, "values", n)[who], weight))
            case eq.Consistency():
                terms.append(eq.Consistency(rows(term, "anchor", n)[who], weight))
            case eq.Diversity():
                terms.append(eq.Diversity(weight))
            case eq.Variety():
                terms.append(eq.Variety(weight))
            case _:
                terms.append(term)
    long = eq.AlignmentGame(game.groups, int(who.size), terms)
    a, b = eq.solve(short, starts=0), eq.solve(long, starts=0)
    # The short answer, written out, passes the long game's exam, and the other way round.
    assert eq.certify(long, long.profile(a.profile.array[who])).max_relative_gap <= 1e-9
    assert a.certificate.uniqueness.verdict == b.certificate.uniqueness.verdict
    if proved(a):
        assert np.abs(a.profile.array[who] - b.profile.array).max() < AGREE
        assert a.certificate.uniqueness.margin == pytest.approx(
            b.certificate.uniqueness.margin, rel=1e-6, abs=1e-9
        )


METHODS: list[eq.solvers.AnyOf] = [
    eq.solvers.ClosedForm(),
    eq.solvers.MeanFieldNewton(),
    eq.solvers.PotentialAscent(),
    eq.solvers.Lemke(),
    eq.solvers.InteriorPoint(),
]


@settings(max_examples=60)
@given(games(styles=list(STYLES)))
def test_all_methods_agree_where_uniqueness_is_proved(game: eq.AlignmentGame) -> None:
    found = eq.solve(game, starts=0)
    if not proved(found):
        return
    for method in METHODS:
        try:
            other = eq.solve(game, method, starts=0)
        except eq.BadInput:
            continue  # the method does not fit this structure
        assert np.abs(other.profile.array - found.profile.array).max() < AGREE, method


@given(games(), st.sampled_from([1e-1, 1e-3, 1e-6]), seeds)
def test_certify_rejects_a_nudged_profile(game: eq.AlignmentGame, size: float, seed: int) -> None:
    """Where uniqueness is proved a profile farther off than the bound cannot have a small gap."""
    found = eq.solve(game, starts=0)
    if not proved(found) or len(game.groups) == 1 or found.certificate.distance is None:
        return
    x = found.profile.array.copy()
    rng = np.random.default_rng(seed)
    row = int(rng.integers(len(x)))
    top = int(x[row].argmax())
    size = min(size, x[row, top])
    x[row, top] -= size
    x[row, (top + 1) % x.shape[1]] += size
    exam = eq.certify(game, game.profile(x))
    assert exam.distance is not None
    assert exam.distance + found.certificate.distance >= np.sqrt(2) * size * (1 - 1e-9)
    assert exam.max_gap > found.certificate.max_gap


@given(games(), seeds)
def test_solving_twice_gives_the_same_bits(game: eq.AlignmentGame, seed: int) -> None:
    one, two = (eq.solve(game, starts=1, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(one.profile.array, two.profile.array)
    assert len(one.found) == len(two.found)
