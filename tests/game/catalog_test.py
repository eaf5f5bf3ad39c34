"""The catalogue: every known answer is an equilibrium by the definition itself.

Witness: exact rational arithmetic written here from theory section 1 (no solver, no term and
no certificate of the library), and the fractions derived by hand.
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.catalog import Entry, entry, game, names
from equipoise.game.gamefile import game_from_dict, game_to_dict
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Variety,
)

FloatArray = NDArray[np.float64]


def own(term: object, key: str, row: int, dimensions: int) -> FloatArray:
    """The parameter of one agent, whether one is given for all or one for each."""
    array: FloatArray = getattr(term, key)
    return array if array.ndim == dimensions else array[row]


def written_out_gradient(of: Entry, x: FloatArray) -> FloatArray:
    """v_i = s_i - H_i x_i - γ_i S o_i, KL and audience share, agent by agent, in plain loops."""
    made = of.game
    rows, k = x.shape
    counts = made.agents.counts
    v = np.zeros((rows, k))
    for i in range(rows):
        met = [(j, counts[j] - (i == j), 1.0) for j in range(rows)]
        for term in made.terms:
            weight = float(own(term, "weight", i, 0))
            match term:
                case Attractiveness():
                    v[i] += weight * own(term, "values", i, 1)
                case Consistency():
                    assert term.metric is None
                    v[i] += weight * (own(term, "anchor", i, 1) - x[i])
                case Variety():
                    v[i] -= weight * x[i]
                case KLConsistency():
                    with np.errstate(divide="ignore", invalid="ignore"):
                        v[i] -= weight * np.where(
                            x[i] > 0, np.log(x[i] / own(term, "anchor", i, 1)), 0
                        )
                case AudienceShare():
                    others = counts @ x - x[i]
                    v[i] += weight * made.groups.shares * others / (others + x[i]) ** 2
                case Diversity():
                    if term.network is not None:
                        row = term.network.dense()[i]
                        met = [(j, 1.0, row[j]) for j in range(rows)]
                    total = sum(n * w for _, n, w in met)
                    o = sum((n * w * x[j] for j, n, w in met), np.zeros(k)) / (total or 1.0)
                    kernel = np.eye(k) if term.kernel is None else term.kernel
                    v[i] -= weight * kernel @ o
                case _:
                    raise AssertionError(type(term).__name__)
    return v


def gaps(of: Entry, x: FloatArray) -> FloatArray:
    """max over the groups an agent can serve of v minus its mean: 0 at an equilibrium."""
    v = written_out_gradient(of, x)
    kl = of.game.term(KLConsistency)
    if kl is not None:
        v = np.where(kl.anchor > 0, v, -1e300)
    return np.asarray(v.max(axis=1) - np.where(x > 0, v * x, 0.0).sum(axis=1))


@pytest.mark.parametrize("name", names())
def test_the_known_answer_is_an_equilibrium(name: str) -> None:
    known = entry(name)
    for rows in (known.rows, *known.others):
        x = np.array(rows)
        made = known.game.profile(x)
        assert x.min() >= 0
        scale = max(1.0, float(np.abs(written_out_gradient(known, x)).max()))
        assert gaps(known, x).max() <= 4e-15 * scale
        assert made.array.shape == x.shape
    assert (known.equilibria == "several") == bool(known.others)
    unserved = [
        label
        for label, top in zip(known.game.groups, known.profile.max(axis=0), strict=True)
        if top == 0
    ]
    assert sorted(unserved) == sorted((*known.excluded, *known.boundary))


@pytest.mark.parametrize("name", [n for n in names() if n not in ("one-group", "nothing-at-stake")])
def test_the_check_sees_a_wrong_answer(name: str) -> None:
    known = entry(name)
    uniform = np.full(known.profile.shape, 1 / known.profile.shape[1])
    wrong = 0.9 * known.profile + 0.1 * uniform[:, ::-1]
    wrong[0] = np.roll(wrong[0], 1) if np.ptp(wrong[0]) > 0.05 else [0.8, *[0.2 / 2] * 2]
    assert gaps(known, wrong).max() > 1e-3


def test_the_toy_in_fractions() -> None:
    """Design section 4: interior, so v_i is constant over groups; solved in exact fractions."""
    for weight, name in ((F(1), "toy"), (F(12, 11), "toy-boundary")):
        a = [F(50, 100), F(35, 100), F(15, 100)]
        c = [[F(6, 10), F(3, 10), F(1, 10)], [F(5, 10), F(4, 10), F(1, 10)]]
        gamma = F(3, 10)
        # Sum of the rows: (1 + γ) X = c_1 + c_2 + 2 α a - 2 λ, with X summing to 2.
        level = (weight - gamma) / 3
        total = [
            (c[0][k] + c[1][k] + 2 * weight * a[k] - 2 * level) / (1 + gamma) for k in range(3)
        ]
        apart = [(c[0][k] - c[1][k]) / (1 - gamma) for k in range(3)]
        rows = [[(total[k] + sign * apart[k]) / 2 for k in range(3)] for sign in (1, -1)]
        assert [sum(row) for row in rows] == [1, 1]
        np.testing.assert_allclose(entry(name).profile, np.array(rows, dtype=float), rtol=1e-15)
        assert rows[0][2] == (F(1, 78) if name == "toy" else 0)
    assert entry("toy").coverage[2] == pytest.approx(0.012821, abs=5e-7)


@pytest.mark.parametrize(
    ("name", "scores", "h"),
    [
        ("interior", [F(6, 10), F(3, 10), F(1, 10)], F(1)),
        ("critical", [F(6), F(3), F(1)], F(7)),
        ("one-excluded", [F(6, 10), F(3, 10), F(1, 10)], F(1, 2)),
        ("two-excluded", [F(6, 10), F(3, 10), F(1, 10)], F(1, 5)),
        ("ties", [F(4, 10), F(4, 10), F(2, 10)], F(3, 10)),
        ("many-groups", [F(199 - k) for k in range(200)], F(200)),
        ("gss-herd", [F(n, 2247) for n in (122, 278, 256, 855, 283, 354, 99)], F(1, 2)),
    ],
)
def test_water_filling_and_the_exclusion_law_in_fractions(name: str, scores: list[F], h: F) -> None:
    """R4 and R6 in exact arithmetic: the weights, who is excluded, who has a margin of 0."""
    known = entry(name)
    margins = [h - sum(max(s - own, F(0)) for s in scores) for own in scores]
    served = [k for k, margin in enumerate(margins) if margin > 0]
    level = (sum(scores[k] for k in served) - h) / len(served)
    exact = [max(s - level, F(0)) / h for s in scores]
    assert sum(exact) == 1
    for row in known.profile:
        np.testing.assert_allclose(row, np.array(exact, dtype=float), rtol=1e-14)
    labels = known.game.groups.labels
    assert known.excluded == tuple(labels[k] for k, m in enumerate(margins) if m < 0)
    assert known.boundary == tuple(labels[k] for k, m in enumerate(margins) if m == 0)


def test_every_game_of_the_catalogue_can_be_written_to_a_file() -> None:
    for name in names():
        made = game(name)
        again = game_from_dict(game_to_dict(made))
        assert repr(again).split(";")[0] == repr(made).split(";")[0]
        profile = made.profile(entry(name).profile)
        np.testing.assert_array_equal(again.utilities(profile), made.utilities(profile))


def test_a_wrong_name_gets_a_suggestion() -> None:
    with pytest.raises(BadInput, match='there is no game "toi"; did you mean "toy"?'):
        entry("toi")
