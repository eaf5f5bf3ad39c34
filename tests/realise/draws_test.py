"""Draws and the drift report. Witnesses: SciPy's tests, and plans changed on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare, kstest

from equipoise.realise.draws import Served, conversation_key, uniform
from equipoise.realise.drift import Tally
from equipoise.realise.targets import Targets

GROUPS = ("left", "middle", "right")


def served(*row: float, revision: int = 1) -> Served:
    return Served(Targets(GROUPS, ("a",), np.array([row])), revision)


def draws(n: int, seed: int = 0, agent: str = "a") -> list[float]:
    return [uniform(seed, conversation_key(agent, b"c%d" % i)) for i in range(n)]


def test_draws_of_conversations_are_uniform_and_of_agents_and_seeds_unrelated() -> None:
    first, second, third = draws(4000), draws(4000, seed=1), draws(4000, agent="b")
    for one in (first, second, third):
        assert kstest(one, "uniform").pvalue > 0.001
    assert abs(np.corrcoef([first, second, third]) - np.eye(3)).max() < 0.06


def test_a_conversation_is_not_another_by_where_the_agents_name_ends() -> None:
    assert conversation_key("ab", b"c") != conversation_key("a", b"bc")


@given(st.integers(0, 10**9), st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_a_group_without_weight_is_never_drawn(seed: int, parts: list[int]) -> None:
    total = sum(parts) or 1
    row = [p / total for p in parts] if sum(parts) else [1.0, 0.0, 0.0]
    plan = served(*row)
    for u in (*draws(20, seed), 0.0, float(np.nextafter(1.0, 0.0))):
        assert row[GROUPS.index(plan.group("a", "", u))] > 0.0


def test_when_the_plan_changes_only_that_share_of_conversations_moves() -> None:
    """Common draws: at most the distance of the ends of the parts, .1 + .0 here."""
    before, after = served(0.3, 0.3, 0.4), served(0.4, 0.2, 0.4)
    moved = np.mean([before.group("a", "", u) != after.group("a", "", u) for u in draws(4000)])
    assert moved == pytest.approx(0.1, abs=0.02)


def tallied(shares: tuple[float, ...], plan: Served, n: int = 2000) -> Tally:
    """A tally of groups drawn with these shares under that plan."""
    tally, truth = Tally(), served(*shares)
    for i, u in enumerate(draws(n, seed=3)):
        group, key = truth.group("a", "", u), b"%d" % i
        for _ in range(1 + i % 3):  # several requests of one conversation are one draw
            tally.drew(plan, "a", "", group, key)
            tally.answered(plan, "a", "", group, key)
    return tally


def test_drift_against_scipy() -> None:
    report = tallied((0.2, 0.3, 0.5), served(0.2, 0.3, 0.5)).report()
    row = report["agents"][0]
    counts = [row["groups"][g]["answered"] for g in GROUPS]
    assert (report["requests"], row["conversations"], report["verdict"]) == (
        3999, 2000, "as planned",
    )  # fmt: skip
    assert row["p_value"] == pytest.approx(chisquare(counts, [400, 600, 1000]).pvalue)
    exact = binomtest(counts[0], 2000).proportion_ci(0.95)
    found = row["groups"]["left"]
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))
    assert row["distance"] == pytest.approx(np.abs(np.array(counts) / 2000 - [0.2, 0.3, 0.5]).sum()
                                            / 2)  # fmt: skip


def test_a_planted_drift_is_found() -> None:
    assert tallied((0.2, 0.3, 0.5), served(0.3, 0.3, 0.4)).report()["verdict"] == "drifted"
    # What the plan never draws is drift, however rare.
    never = tallied((0.499, 0.001, 0.5), served(0.5, 0.0, 0.5))
    assert never.report()["p_value"] == 0.0


def test_a_group_whose_model_fails_more_often_is_seen() -> None:
    plan, tally = served(0.5, 0.0, 0.5), Tally()
    for i in range(400):
        group = "left" if i % 2 else "right"
        tally.drew(plan, "a", "", group, b"%d" % i)
        if group == "left" or i % 3 == 0:
            tally.answered(plan, "a", "", group, b"%d" % i)
    report = tally.report()
    groups = report["agents"][0]["groups"]
    assert (groups["left"]["drawn"], groups["right"]["drawn"]) == (200, 200)
    assert report["verdict"] == "drifted"


def test_rare_groups_are_pooled_and_few_conversations_say_nothing() -> None:
    plan, tally = served(0.98, 0.01, 0.01), Tally()
    assert tally.report()["verdict"] == "nothing served yet"
    for i in range(60):
        tally.drew(plan, "a", "", "left", b"%d" % i)
        tally.answered(plan, "a", "", "left", b"%d" % i)
    assert tally.report()["agents"][0]["p_value"] == 1.0


def test_plans_are_counted_apart_and_what_is_forgotten_counts_again() -> None:
    tally = Tally(remembered=10)
    for plan in (served(0.5, 0.0, 0.5), served(0.5, 0.0, 0.5, revision=2)):
        for i in (*range(20), 19, 0):
            tally.drew(plan, "a", "", "left", b"%d" % i)
    assert [row["revision"] for row in tally.report()["agents"]] == [1, 2]
    assert tally.report()["agents"][0]["groups"]["left"]["drawn"] == 21
