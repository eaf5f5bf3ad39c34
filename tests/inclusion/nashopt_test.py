"""nashopt's game design on the same small problems: a mixed-integer programme of its own.

`GNEP_LQ` with parameters: it chooses p so that some equilibrium of the game with scores c + F p
has the least sum of piecewise affine functions. The lever's cost is such a sum; the goal and the
balance of a shift enter as steep penalties. Prices cost ⟨δ, x⟩, which is bilinear: nashopt leaves
that to a commercial solver, so prices are not among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import equipoise as eq
from equipoise.errors import Infeasible
from equipoise.inclusion.levers import Anchors, AttractivenessCap, Audience
from tests.equilibrium.random_games import random_game
from tests.equilibrium.witnesses import stated
from tests.inclusion.outside import missed

FloatArray = NDArray[np.float64]

STEEP = 1e3


def designed(
    game: eq.AlignmentGame,
    goal: eq.Goal,
    shift: FloatArray,
    low: FloatArray,
    high: FloatArray,
    unit: FloatArray,
    balanced: FloatArray,
) -> FloatArray | None:
    """Return nashopt's setting; `shift` is ds/dp, (agents·groups, p)."""
    nashopt = pytest.importorskip("nashopt")
    form = stated(game)
    n, k = form.shape
    size, d = n * k, low.size
    costs, linear, moved = [], [], []
    for i in range(n):
        own = slice(i * k, (i + 1) * k)
        cross = np.kron(form.gamma[i] * form.meets[i], form.kernel)
        whole = np.zeros((size, size))
        whole[own, :], whole[:, own] = cross, cross.T
        whole[own, own] = form.curvature[i]
        slope, f = np.zeros(size), np.zeros((size, d))
        slope[own], f[own] = -form.scores[i], -shift[own]
        costs.append(whole)
        linear.append(slope)
        moved.append(f)
    # max(u p, −u p) for each p; steep |r·p| for each balance; steep max(0, τ − x̄) for each floor.
    parts: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for j in range(d):
        e = unit[j] * np.eye(d)[j]
        parts.append((np.zeros((2, size)), np.stack([e, -e]), np.zeros(2)))
    for row in balanced:
        parts.append((np.zeros((2, size)), STEEP * np.stack([row, -row]), np.zeros(2)))
    assert isinstance(goal.floors, dict)
    for label, tau in goal.floors.items():
        cover = np.zeros((2, size))
        cover[1, game.groups.index(label) :: k] = -STEEP / n
        parts.append((cover, np.zeros((2, d)), np.array([0.0, STEEP * tau])))
    problem = nashopt.GNEP_LQ(
        [k] * n, costs, linear, F=moved, lb=np.zeros(size), ub=np.full(size, np.inf),
        pmin=low, pmax=high, Aeq=np.kron(np.eye(n), np.ones((1, k))), beq=np.ones(n),
        Seq=np.zeros((n, d)), D_pwa=[p[0] for p in parts], E_pwa=[p[1] for p in parts],
        h_pwa=[p[2] for p in parts], M=50.0, solver="highs",
    )  # fmt: skip
    found = problem.solve()
    return None if found is None or found.p is None else np.asarray(found.p, dtype=np.float64)


def problem(
    seed: int, kind: str
) -> tuple[eq.AlignmentGame, Any, eq.Goal, tuple[FloatArray, ...]] | None:
    """Draw a game of two agents and three groups, its lever, a floor, and nashopt's arrays."""
    rng = np.random.default_rng([53, seed])
    game = random_game(rng, 2, 3, ("plain", "general kernel")[seed % 2])
    game = eq.AlignmentGame(game.groups, 2, [t for t in game.terms if not isinstance(
        t, eq.Variety | eq.Subsidy)])  # fmt: skip
    found = eq.solve(game, starts=0)
    if found.certificate.uniqueness.verdict != "proved":
        return None
    drawn, kept = game.term(eq.Attractiveness), game.term(eq.Consistency)
    assert drawn is not None
    assert kept is not None
    cover = found.profile.coverage
    low = int(cover.argmin())
    floor = float(cover[low]) + float(rng.uniform(0.01, 0.08))
    goal = eq.Goal({game.groups.labels[low]: floor})
    shift: FloatArray
    arrays: tuple[FloatArray, ...]
    if kind == "caps each":
        shift = np.zeros((6, 2))
        shift[:3, 0], shift[3:, 1] = drawn.values[0], drawn.values[1]
        arrays = (shift, -drawn.weight, np.zeros(2), np.full(2, 0.5), np.zeros((0, 2)))
        return game, AttractivenessCap(common=False), goal, arrays
    if kind == "anchors":
        shift = np.asarray(np.kron(np.diag(kept.weight), np.eye(3)))
        c = np.array(kept.anchor).ravel()
        sums: FloatArray = np.asarray(np.kron(np.eye(2), np.ones((1, 3))))
        arrays = (shift, -c, 1 - c, np.full(6, 0.5), sums)
        return game, Anchors(), goal, arrays
    agreement = rng.uniform(0, 1, (3, 3)) + np.eye(3)
    shift = np.vstack([w * agreement.T for w in drawn.weight])
    m = game.groups.shares
    arrays = (shift, -0.5 * m, m, np.full(3, 0.5), np.ones((1, 3)))
    return game, Audience(agreement), goal, arrays


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["caps each", "anchors", "audience"])
def test_game_design_by_nashopt_costs_the_same(
    kind: str, record_figure: Callable[[str, Any], None]
) -> None:
    """Where nashopt's setting meets the goal in a fresh solve; its tolerance is about 1e-6."""
    pytest.importorskip("nashopt")
    said: Counter[str] = Counter()
    for seed in range(24):
        made = problem(seed, kind)
        if made is None:
            continue
        game, lever, goal, arrays = made
        z = designed(game, goal, *arrays)
        assert z is not None
        changed = lever.apply(game, np.clip(z, arrays[1], arrays[2]))
        x = eq.solve(changed, starts=0).profile.array
        reached = missed(game, goal, x) <= 1e-5
        cost = float(arrays[3] @ np.abs(z))
        try:
            plan = eq.steer(game, lever, goal=goal)
        except Infeasible:
            assert not reached, seed
            said["out of reach for both"] += 1
            continue
        assert reached, seed
        assert plan.leastness.proved, seed
        assert plan.cost == pytest.approx(cost, abs=2e-5), seed
        said["the same cost"] += 1
    record_figure(f"steering.nashopt.{kind}", dict(said))
    assert said["the same cost"] >= 8, said
