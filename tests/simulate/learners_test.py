"""What agents estimate, held against the numbers they are not told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.equilibrium.simplex import project
from equipoise.errors import BadInput
from equipoise.panels import load_panel
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.learners import (
    LEARNERS,
    Bandit,
    BestResponse,
    Held,
    Mirror,
    Seen,
    nearest_mixture,
)
from equipoise.simulate.loop import held_to
from equipoise.simulate.rules import Rules
from tests.simulate.worlds import survey

FloatArray = NDArray[np.float64]


def gss() -> tuple[PostLaws, FloatArray, FloatArray]:
    """Return laws, the public's chance to agree with each answer (QC,), and the appeal (K,)."""
    panel = load_panel("gss2018", groups=3)
    laws = PostLaws.of_table(panel.answers)
    public = np.einsum("j,jqc->qc", panel.groups.shares, laws.shares).ravel()
    return laws, public, panel.appeal()


def rules(n: int, k: int, **more: object) -> Rules:
    values = {
        "attraction": np.full(n, 2.0), "pull": np.ones(n), "apart": np.zeros(n),
        "anchor": np.full((n, k), 1.0 / k), "prices": np.zeros(k), "audience": np.full(k, 1.0 / k),
    } | more  # fmt: skip
    return Rules(**values)  # type: ignore[arg-type]  # the dictionary above


def every_post(laws: PostLaws, x: FloatArray, reward: FloatArray) -> tuple[Seen, FloatArray]:
    """Return one agent per possible answer, each posting it, and its chance under mixture x."""
    cells = np.arange(laws.flat.shape[1])
    rows = np.broadcast_to(x, (cells.size, x.size))
    seen = Seen(
        np.zeros((cells.size, 1), int), cells[:, None], reward[:, None], reward[:, None],
        np.zeros_like(rows), rows,
    )  # fmt: skip
    return seen, x @ laws.flat


@pytest.mark.parametrize("x", [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
def test_the_gradient_estimate_is_the_appeal_on_average(x: list[float]) -> None:
    """Exact mean over all posts, also for groups the agent never speaks for; against the panel."""
    laws, public, appeal = gss()
    seen, chance = every_post(laws, np.array(x), public)
    n = chance.size
    memory = Mirror().begin(n, laws)
    Mirror().learn(np.array(seen.played), memory, seen, held_to(laws, rules(n, 3), 1), 0, 0)
    assert np.allclose(chance @ memory["appeal"], appeal, atol=1e-12)


def test_a_running_mean_that_is_taken_off_changes_no_difference() -> None:
    laws, public, appeal = gss()
    seen, chance = every_post(laws, np.array([0.2, 0.5, 0.3]), public)
    memory = Mirror().begin(chance.size, laws)
    memory["base"] += 0.4
    held = held_to(laws, rules(chance.size, 3), 1)
    Mirror().learn(np.array(seen.played), memory, seen, held, 0, 0)
    found = chance @ memory["appeal"]
    assert np.allclose(found - found.mean(), appeal - appeal.mean(), atol=1e-12)


def test_weights_by_the_group_drawn_would_be_seen_as_wrong() -> None:
    """Planted: likelihoods of another mixture. The exact mean must leave the appeal."""
    laws, public, appeal = gss()
    seen, chance = every_post(laws, np.array([0.2, 0.5, 0.3]), public)
    wrong = dataclasses.replace(seen, played=np.full_like(seen.played, 1.0 / 3.0))
    memory = Mirror().begin(chance.size, laws)
    Mirror().learn(wrong.played, memory, wrong, held_to(laws, rules(chance.size, 3), 1), 0, 0)
    assert np.abs(chance @ memory["appeal"] - appeal).max() > 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_a_crowd_is_read_without_labels(seed: int) -> None:
    """Mean reading of the posts of each group, exactly, against the panel's kernel."""
    panel = survey(np.random.default_rng(seed), 4, 6, 3)
    laws = PostLaws.of_table(panel.answers)
    reading = laws.reading(panel.kernel())
    said = np.einsum("lqc,qck->kl", laws.shares, reading) / len(laws.questions)
    assert np.allclose(said, panel.kernel(), atol=1e-9)


def test_groups_that_answer_alike_cannot_be_told_apart_by_their_posts() -> None:
    one = np.array([[[0.5, 0.5]], [[0.5, 0.5]]])
    laws = PostLaws(("a", "b"), ("q",), (("yes", "no"),), one)
    assert np.allclose(np.einsum("lqc,qck->kl", one, laws.reading(laws.kernel())), 1.0)
    with pytest.raises(BadInput, match="answer so alike"):
        laws.reading(np.eye(2))


def test_a_bandit_sees_its_own_pay_and_nothing_else() -> None:
    laws, _, _ = gss()
    rng = np.random.default_rng(1)
    held = held_to(laws, rules(5, 3), 1)
    x = rng.dirichlet(np.ones(3), 5)
    seen = Seen(rng.integers(0, 3, (5, 4)), rng.integers(0, 54, (5, 4)), rng.random((5, 4)),
                rng.random((5, 4)), rng.random((5, 3)), x)  # fmt: skip
    other = dataclasses.replace(
        seen,
        cells=rng.integers(0, 54, (5, 4)),
        rewards=rng.random((5, 4)),
        crowd=rng.random((5, 3)),
    )
    outs = []
    for one in (seen, other):
        memory = Bandit().begin(5, laws)
        outs.append(Bandit().learn(x, memory, one, held, 3, 3))
    assert np.array_equal(outs[0], outs[1])


def test_a_bandit_estimates_the_pay_of_each_arm_without_bias() -> None:
    """Every arm drawn in proportion to its chance, exactly; against the pay itself."""
    laws, _, _ = gss()
    pay, x = np.array([0.7, 0.2, 0.5]), np.array([0.25, 0.25, 0.5])
    drawn = np.array([[0, 1, 2, 2]])
    seen = Seen(drawn, drawn, pay[drawn], pay[drawn], np.zeros((1, 3)), x[None])
    memory = Bandit().begin(1, laws)
    Bandit().learn(x[None], memory, seen, held_to(laws, rules(1, 3), 1), 0, 0)
    assert np.allclose(memory["worth"], pay)


def test_mixtures_nearest_to_points_against_the_solver_s_projection() -> None:
    """The loop has its own ten lines; OpenSpiel's vectors and the library's projection agree."""
    points = np.random.default_rng(2).normal(size=(200, 5))
    assert np.allclose(nearest_mixture(points), project(points, np.ones(200)), atol=1e-14)
    assert nearest_mixture(np.array([[1.0, 1.0], [2.0, 0.0]])).tolist() == [[0.5, 0.5], [1.0, 0.0]]


def test_the_answer_in_nats_is_r8() -> None:
    c, g = np.array([[0.2, 0.3, 0.5]]), np.array([[0.4, -0.1, 0.0]])
    laws, _, _ = gss()
    base = held_to(laws, rules(1, 3, anchor=c, pull=np.array([0.5])), 1)
    held: Held = dataclasses.replace(base, form="kl")
    grown = c * np.exp(g / 0.5)
    assert np.allclose(held.answer(g), grown / grown.sum(), atol=1e-15)


def test_learners_by_name() -> None:
    from equipoise.simulate.learners import learner

    assert set(LEARNERS) == {"mirror", "best-response", "bandit"}
    with pytest.raises(BadInput, match='did you mean "mirror"'):
        learner("miror")


def scatter(name: str, key: str, rounds: tuple[int, int]) -> list[float]:
    """Return how much an estimate scatters over 700 agents that never serve the second group.

    They are paid, and meet the others, by chance alone.
    """
    laws, _, _ = gss()
    n, rng, one = 700, np.random.default_rng(6), LEARNERS[name]
    held = held_to(laws, rules(n, 3, attraction=np.zeros(n)), 1)
    x = np.tile([1.0, 0.0, 0.0], (n, 1))
    memory, found = one.begin(n, laws), []
    for age in range(rounds[1]):
        played = one.played(x, age)
        drawn = (rng.random((n, 1)) >= played.cumsum(axis=1)).sum(axis=1, keepdims=True)
        pay = rng.normal(size=(n, 1))
        seen = Seen(drawn, np.zeros_like(drawn), pay, pay, rng.normal(size=(n, 3)), played)
        one.learn(x, memory, seen, held, age, age)
        if age + 1 in rounds:
            found.append(float(memory[key][:, 1].std()))
    return found


@pytest.mark.parametrize(
    ("name", "key"), [("mirror", "crowd"), ("best-response", "crowd"), ("bandit", "worth")]
)
def test_noise_falls_as_the_learner_says(name: str, key: str) -> None:
    """Measured over 100 to 800 rounds; the other learners' exponents would be seen as wrong."""
    early, late = scatter(name, key, (100, 800))
    exponent = np.log(early / late) / np.log(8.0)
    said = {one.name: one.falls for one in (Mirror(), BestResponse(), Bandit())}
    assert min(said, key=lambda other: abs(said[other] - exponent)) == name
    assert exponent == pytest.approx(said[name], abs=0.04)
