"""Groups, agents, profiles, networks: labels outside, arrays inside, one sentence when wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput, LabelMismatch
from equipoise.game.agents import Agents
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.profile import Profile
from equipoise.game.terms import Diversity

GROUPS = Groups({"left": 0.25, "right": 0.75})


def test_groups_keep_order_shares_and_bits() -> None:
    assert GROUPS.labels == ("left", "right")
    assert GROUPS.index("right") == 1
    thirds = Groups(["a", "b", "c"])
    assert Groups(thirds.to_dict()) == thirds
    uneven = Groups({str(k): x for k, x in enumerate([0.1] * 10)})
    assert Groups(uneven.to_dict()) == uneven


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Groups("left"), 'groups: got the single text "left"'),
        (lambda: Groups([]), "groups: there is no group"),
        (lambda: Groups(["a", "a"]), 'groups: "a" stands twice; give every group its own name'),
        (lambda: Groups({"a": 1.2}), "the shares sum to 1.2, which is +0.2 off 1; divide each"),
        (lambda: Groups({"a": 1.5, "b": -0.5}), 'the share of "b" is -0.5; write a positive'),
        (lambda: Groups({"a": float("nan")}), 'the share of "a" is nan; write a positive number'),
        (lambda: GROUPS.index("lift"), 'there is no group "lift"; did you mean "left"?'),
        (lambda: GROUPS.same_labels(["right", "left"]), "are ['left', 'right'], but got ['right',"),
        (lambda: Agents(0), "agents: got 0; a game needs at least one agent"),
        (lambda: Agents(True), "agents: got True; write a list of labels, or a number"),
        (lambda: Agents(["a", ""]), "agents: '' is not a label; write a non-empty text"),
        (lambda: Agents(["a", "a"]), 'agents: "a" stands twice'),
        (lambda: Agents({"a": -1}), 'agents: type "a" has count -1; write a whole number >= 1'),
        (lambda: Agents({"a": 10**16}), 'agents: type "a" has count 1e+16; the most is 1e+15'),
        (lambda: Agents(["model-a"]).index("model-b"), 'is no agent "model-b"; did you mean "mod'),
        (lambda: Agents(3).index("agent-4"), 'there is no agent "agent-4"'),
        (lambda: Agents(3).index(3), 'there is no agent "3"'),
        (lambda: Profile(GROUPS, 1, [0.5, 0.5]), "expected 1 agents × 2 groups, got an array of s"),
        (lambda: Profile(GROUPS, 2, [[0.5, 0.5]]), "expected 2 agents × 2 groups, got an array of"),
        (lambda: Profile(GROUPS, ["m"], [[0.5, 0.6]]), 'of agent "m" sum to 1.1; divide them by'),
        (lambda: Profile(GROUPS, ["m"], [[-0.5, 1.5]]), 'of agent "m" on group "left" is -0.5'),
        (lambda: Profile(GROUPS, ["m"], [[np.nan, 1.0]]), 'of agent "m" on group "left" is nan'),
        (lambda: Profile(GROUPS, ["m"], [[np.inf, 0.0]]), 'of agent "m" on group "left" is inf'),
        (lambda: Profile(GROUPS, ["m"], [["x", "y"]]), "profile: every weight must be a number"),
        (lambda: Network(2, [(0, 2, 1.0)]), "a link names agent 2, but there are 2 agents"),
        (lambda: Network(2, [(0, 1, 0.0)]), "every link needs a positive finite weight"),
        (lambda: Network(2, [(0, 0, 1.0)]), "agent 0 is linked with itself; remove it"),
        (lambda: Network(2, [(0, 1, 1.0), (1, 0, 1.0)]), "between agents 0 and 1 stands twice"),
        (lambda: Network(2, np.ones((1, 2))), "write a list of links [agent, agent, weight]"),
        (lambda: AlignmentGame(GROUPS, 2, [Diversity(1.0)] * 2), "Diversity stands twice"),
        (lambda: AlignmentGame(GROUPS, 2, [Diversity([1.0] * 3)]), "got 3 entries for 2 agents"),
        (
            lambda: AlignmentGame(GROUPS, 3, [Diversity(1.0, network=Network(2, []))]),
            "diversity.network: it links 2 agents, but the game has 3",
        ),
    ],
)
def test_what_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_is_read_by_label_and_cannot_be_changed() -> None:
    profile = Profile(GROUPS, {"m": 3, "n": 1}, [[0.5, 0.5], [0.1, 0.9]])
    assert profile["n"]["right"] == 0.9
    # By hand: (3·0.5 + 0.1)/4 and (3·0.5 + 0.9)/4.
    assert profile.coverage == pytest.approx([0.4, 0.6])
    assert profile.top_weight.tolist() == [0.5, 0.9]
    assert profile.top_agent() == ("m", "n")
    with pytest.raises(ValueError, match="read-only"):
        profile.array[0, 0] = 1.0
    with pytest.raises(LabelMismatch, match="one row per agent of the game"):
        profile.same_shape_as(GROUPS, Agents(["m", "o"]))


def test_a_network_averages_as_its_matrix_does() -> None:
    """Witness: the dense matrix, rows divided by their sums; nobody met is 0."""
    rng = np.random.default_rng(0)
    links = [(i, j, rng.random() + 0.1) for i in range(6) for j in range(i) if rng.random() < 0.5]
    links = [link for link in links if 4 not in link[:2]]
    for directed in (False, True):
        network = Network(6, links, directed=directed)
        dense = np.zeros((6, 6))
        for i, j, w in links:
            dense[i, j] = w
            if not directed:
                dense[j, i] = w
        assert np.array_equal(network.dense(), dense)
        assert np.array_equal(network.degrees, dense.sum(axis=1))
        sums = dense.sum(axis=1, keepdims=True)
        rows = rng.random((6, 3))
        expected = np.divide(dense @ rows, sums, out=np.zeros((6, 3)), where=sums > 0)
        np.testing.assert_allclose(network.average(rows), expected, atol=1e-15)
        assert not network.average(rows)[4].any()
    assert Network(6, links).symmetric
    assert not Network(6, links, directed=True).symmetric
    assert Network(2, [(0, 1, 2.0), (1, 0, 2.0)], directed=True).symmetric
    assert not Network(2, [(0, 1, 2.0), (1, 0, 1.0)], directed=True).symmetric
