"""Every term against finite differences of its own value, and against its formula by hand.

Witness: central differences of `value(own=...)` only; the derivatives take no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Term,
    Variety,
    others_average,
)

FloatArray = NDArray[np.float64]

K = 3
GROUPS = Groups({"urban": 0.50, "suburban": 0.35, "rural": 0.15})
LISTED = Agents(["a", "b", "c", "d"])
TYPED = Agents({"a": 3, "b": 1, "c": 5, "d": 2})
KERNEL = np.array([[1.0, 0.4, 0.1], [0.4, 1.0, 0.3], [0.1, 0.3, 0.9]])
ANCHOR = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.3, 0.3, 0.4]])
WEIGHT = np.array([0.7, 1.3, 0.4, 2.0])
VALUES = np.arange(12.0).reshape(4, 3) / 7
DIRECTED = Network(4, [(0, 1, 1.0), (1, 2, 2.0), (2, 0, 0.5), (2, 1, 3.0)], directed=True)

TERMS: list[tuple[str, Term]] = [
    ("attractiveness", Attractiveness([0.5, 0.35, 0.15], 1.2)),
    ("attractiveness per agent", Attractiveness(VALUES, WEIGHT)),
    ("consistency", Consistency([0.2, 0.3, 0.5], 0.8)),
    ("consistency, metric", Consistency(ANCHOR, WEIGHT, KERNEL)),
    ("kl", KLConsistency([0.2, 0.3, 0.5], 0.8)),
    ("kl per agent", KLConsistency(ANCHOR, WEIGHT)),
    ("diversity", Diversity(0.3)),
    ("herding, kernel", Diversity(-WEIGHT, KERNEL)),
    ("diversity, network", Diversity(WEIGHT, KERNEL, DIRECTED)),
    ("variety", Variety(0.6)),
    ("variety, matrix", Variety(WEIGHT, KERNEL)),
    ("audience share", AudienceShare(0.9)),
    ("audience share per agent", AudienceShare(WEIGHT)),
    ("subsidy", Subsidy([0.1, -0.2, 0.3])),
]
CASES = [
    pytest.param(term, agents, id=f"{name} ({kind})")
    for name, term in TERMS
    for kind, agents in (("listed", LISTED), ("typed", TYPED))
    if not (isinstance(term, Diversity) and term.network is not None and agents.typed)
]


def mixtures(seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).dirichlet(np.full(K, 2.0), size=4)


def differences(f: Callable[[FloatArray], FloatArray], x: FloatArray, step: float) -> FloatArray:
    """Central differences of f, (rows, ...), in each agent's own weights: (rows, ..., groups)."""
    moved = [step * np.eye(K)[k] for k in range(K)]
    return np.stack([(f(x + h) - f(x - h)) / (2 * step) for h in moved], axis=-1)


def check_gradient(term: Term, agents: Agents, x: FloatArray) -> None:
    """Own gradient = differences of the value, all others fixed."""
    expected = differences(lambda own: term.value(x, GROUPS, agents, own), x, 1e-6)
    np.testing.assert_allclose(term.own_gradient(x, GROUPS, agents), expected, atol=1e-7)


def check_curvature(term: Term, agents: Agents, x: FloatArray) -> None:
    """Own curvature = second differences of the value, all others fixed; and ⪯ 0."""

    def slope(own: FloatArray) -> FloatArray:
        return differences(lambda at: term.value(x, GROUPS, agents, at), own, 1e-4)

    expected = differences(slope, x, 1e-4)
    got = term.own_curvature(x, GROUPS, agents)
    np.testing.assert_allclose(got, expected, atol=2e-5)
    assert np.linalg.eigvalsh(got).max() <= 1e-12


def check_vertices(term: Term, agents: Agents, x: FloatArray) -> None:
    """Vertex values = the value at each vertex; `own=None` = own row."""
    for k in range(K):
        own = np.tile(np.eye(K)[k], (4, 1))
        expected = term.value(x, GROUPS, agents, own)
        np.testing.assert_allclose(
            term.vertex_values(x, GROUPS, agents)[:, k], expected, atol=1e-12
        )
    np.testing.assert_array_equal(term.value(x, GROUPS, agents), term.value(x, GROUPS, agents, x))


@pytest.mark.parametrize("check", [check_gradient, check_curvature, check_vertices])
@pytest.mark.parametrize(("term", "agents"), CASES)
def test_a_term_agrees_with_its_own_value(check: Any, term: Term, agents: Agents) -> None:
    for seed in range(3):
        check(term, agents, mixtures(seed))


class Planted:
    """A term with one wrong answer: 1e-5 too much gradient, or curvature, or vertex value."""

    def __init__(self, wrong: str) -> None:
        self.term, self.wrong = Variety(0.6), wrong

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.term, name)
        error = 1e-4 if name == "own_curvature" else 1e-5
        return (lambda *a: method(*a) + error) if name == self.wrong else method


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (check_gradient, "own_gradient"),
        (check_curvature, "own_curvature"),
        (check_vertices, "vertex_values"),
    ],
)
def test_the_checks_see_a_planted_error(check: Any, wrong: str) -> None:
    check(Planted("none"), LISTED, mixtures())
    with pytest.raises(AssertionError):
        check(Planted(wrong), LISTED, mixtures())


def test_terms_by_hand() -> None:
    """Two agents, two groups, x = (1/4, 3/4) and (1, 0): every formula of theory section 1."""
    groups, agents = Groups({"l": 0.6, "r": 0.4}), Agents(2)
    x = np.array([[0.25, 0.75], [1.0, 0.0]])

    def value(term: Term) -> float:
        return float(term.value(x, groups, agents)[0])

    assert value(Attractiveness([2, 4], 3)) == pytest.approx(3 * (0.5 + 3))
    # (x - c) = (-1/4, 1/4), B = diag(1, 3): -(2/2)(1/16 + 3/16)
    assert value(Consistency([0.5, 0.5], 2, [[1, 0], [0, 3]])) == pytest.approx(-0.25)
    # KL = ln(1/2)/4 + 3 ln(3/2)/4
    expected = -2 * (np.log(0.5) / 4 + 3 * np.log(1.5) / 4)
    assert value(KLConsistency([0.5, 0.5], 2)) == pytest.approx(expected)
    assert value(Diversity(2)) == pytest.approx(-2 * 0.25)
    assert value(Diversity(2, [[1, 0.5], [0.5, 1]])) == pytest.approx(-2 * (0.25 + 0.375))
    assert value(Variety(2)) == pytest.approx(-(1 / 16 + 9 / 16))
    # shares of attention: 0.25/1.25 of l, all of r
    assert value(AudienceShare(2)) == pytest.approx(2 * (0.6 * 0.2 + 0.4))
    assert value(Subsidy([1, -1])) == pytest.approx(-0.5)


def test_kl_at_the_edge() -> None:
    """0·log 0 = 0; weight where the anchor has none is -∞ and has slope -∞, by definition."""
    agents, x = Agents(1), np.array([[0.5, 0.5, 0.0]])
    term = KLConsistency([0.5, 0.0, 0.5])
    assert term.value(x, GROUPS, agents)[0] == -np.inf
    assert term.own_gradient(x, GROUPS, agents).tolist() == [[-1.0, -np.inf, np.inf]]
    assert KLConsistency([0.5, 0.5, 0.0]).value(x, GROUPS, agents)[0] == 0.0
    assert term.vertex_values(x, GROUPS, agents)[0, 1] == -np.inf
    off = KLConsistency([0.5, 0.0, 0.5], weight=0.0)
    assert not off.value(x, GROUPS, agents).any()
    assert not off.own_gradient(x, GROUPS, agents).any()


def test_attention_of_a_group_nobody_serves_is_split_evenly() -> None:
    """R1: θ m_k / N each, and the slope there is +∞."""
    agents, x = Agents(2), np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    term = AudienceShare(1.0)
    assert term.value(x, GROUPS, agents) == pytest.approx([0.5, 0.5])
    assert term.own_gradient(x, GROUPS, agents)[0, 1:].tolist() == [np.inf, np.inf]
    # Moving wholly to rural takes all of it, loses half of urban, keeps half of suburban.
    assert term.vertex_values(x, GROUPS, agents)[0, 2] == pytest.approx(0.15 + 0.35 / 2)


def written_out(rows: FloatArray) -> FloatArray:
    """TYPED agents, one row each."""
    return np.repeat(rows, TYPED.counts, axis=0)


@pytest.mark.parametrize(
    "kind",
    [lambda r: Diversity(r(WEIGHT), KERNEL), lambda r: AudienceShare(r(WEIGHT))],
    ids=["diversity", "audience share"],
)
def test_types_are_their_agents_written_out_one_by_one(kind: Any) -> None:
    x = mixtures()
    everyone = Agents(int(TYPED.total))
    short, long = kind(np.asarray), kind(written_out)
    np.testing.assert_allclose(
        written_out(others_average(x, TYPED)), others_average(written_out(x), everyone), atol=1e-15
    )
    np.testing.assert_allclose(
        written_out(short.value(x, GROUPS, TYPED)), long.value(written_out(x), GROUPS, everyone)
    )
    np.testing.assert_allclose(
        written_out(short.own_gradient(x, GROUPS, TYPED)),
        long.own_gradient(written_out(x), GROUPS, everyone),
    )
    np.testing.assert_allclose(
        written_out(short.vertex_values(x, GROUPS, TYPED)),
        long.vertex_values(written_out(x), GROUPS, everyone),
    )


def test_others_average_is_the_mean_of_the_others() -> None:
    x = mixtures()
    for i in range(4):
        others = np.delete(x, i, axis=0).mean(axis=0)
        np.testing.assert_allclose(others_average(x, LISTED)[i], others, atol=1e-15)
    assert not others_average(x[:1], Agents(1)).any()


@pytest.mark.parametrize("agents", [LISTED, TYPED], ids=["listed", "typed"])
@pytest.mark.parametrize("network", [None, DIRECTED], ids=["everybody", "network"])
def test_the_affine_form_has_the_gradients_of_the_terms(
    agents: Agents, network: Network | None
) -> None:
    """v_i = s_i - H_i x_i - γ_i S o_i (theory section 1) = sum of the terms' own gradients."""
    if agents.typed and network is not None:
        with pytest.raises(BadInput, match="types with counts exclude a network"):
            AlignmentGame(GROUPS, agents, [Diversity(1.0, network=network)])
        return
    terms: list[Term] = [
        Attractiveness(VALUES, WEIGHT),
        Consistency(ANCHOR, WEIGHT, KERNEL + np.eye(3)),
        Diversity(WEIGHT - 1.0, KERNEL, network),
        Variety(WEIGHT[::-1].copy(), KERNEL),
        Subsidy([0.1, -0.2, 0.3]),
        AudienceShare(0.0),
    ]
    game = AlignmentGame(GROUPS, agents, terms)
    form = game.affine
    assert form is not None
    x = mixtures()
    met = form.meeting_matrix() @ x @ form.kernel_matrix()
    curved = np.einsum("ikl,il->ik", form.curvature_matrices(), x)
    rebuilt = form.scores - curved - form.gamma[:, None] * met
    np.testing.assert_allclose(rebuilt, game.gradients(game.profile(x)), atol=1e-14)
    np.testing.assert_allclose(-game.own_curvatures(game.profile(x)), form.curvature_matrices())


def test_a_game_with_logarithms_or_audiences_has_no_affine_form() -> None:
    for term in (KLConsistency([0.2, 0.3, 0.5]), AudienceShare(1.0)):
        assert AlignmentGame(GROUPS, LISTED, [term]).affine is None


def test_a_forbidden_group_is_never_worth_its_audience() -> None:
    """At (1, 0) the group nobody serves pays +∞ at the margin, but its utility is -∞ (R8)."""
    groups = Groups(["l", "r"])
    made = AlignmentGame(groups, 2, [KLConsistency([1.0, 0.0]), AudienceShare(1.0)])
    both = made.profile([[1.0, 0.0], [1.0, 0.0]])
    assert made.gradients(both)[:, 1].tolist() == [-np.inf, -np.inf]
    assert np.isfinite(made.gradients(both)[:, 0]).all()
    assert made.vertex_utilities(both)[:, 1].tolist() == [-np.inf, -np.inf]
