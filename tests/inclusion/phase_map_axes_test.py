"""Axes of a phase map: what they set, by hand, and one sentence for what they cannot."""

from __future__ import annotations

import pytest

import equipoise as eq
from equipoise.errors import BadInput, LabelMismatch
from equipoise.inclusion.map_axes import Axis, axis, check_axes, game_at
from equipoise.inclusion.phase_map import phase_map
from tests.inclusion.phase_map_test import identical


def test_weights_per_agent_are_scaled_to_the_mean_by_counts() -> None:
    game = eq.AlignmentGame(
        eq.Groups(["a", "b"]), {"big": 3, "small": 1},
        [eq.Attractiveness([[1.0, 0.0], [0.0, 2.0]], [1.0, 5.0]), eq.Consistency([0.5, 0.5]),
         eq.Diversity([1.0, -3.0])],
    )  # fmt: skip
    there = game_at(game, {"attractiveness": 4.0})
    term = there.term(eq.Attractiveness)
    assert term is not None
    # Mean (3·1 + 5)/4 = 2, so weights double.
    assert term.weight.tolist() == [2.0, 10.0]
    valued = game_at(game, {"value:b": 1.0}).term(eq.Attractiveness)
    assert valued is not None
    assert valued.values[:, 1].tolist() == [0.5, 2.5]
    with pytest.raises(BadInput, match="average 0"):
        game_at(game, {"diversity": 1.0})


def test_anchors_and_shares_take_mass_in_proportion() -> None:
    game = eq.AlignmentGame(
        eq.Groups({"a": 0.5, "b": 0.25, "c": 0.25}), 1, [eq.Consistency([0.6, 0.4, 0.0])]
    )
    there = game_at(game, {"anchor:c": 0.5, "share:a": 0.75})
    held = there.term(eq.Consistency)
    assert held is not None
    assert held.anchor == pytest.approx([0.3, 0.2, 0.5])
    assert there.groups.shares == pytest.approx([0.75, 0.125, 0.125])
    both = game_at(game, {"anchor:a": 0.25, "anchor:b": 0.5}).term(eq.Consistency)
    assert both is not None
    assert both.anchor == pytest.approx([0.25, 0.5, 0.25])


BAD_AXES = [
    ("attractiveness", "not NAME=start:stop:points"),
    ("attractiveness=0:20", "not NAME=start:stop:points"),
    ("attractiveness=0:x:5", "not start:stop:points"),
    ("attractiveness=0:20:1", "between 2"),
    ("attractiveness=0:20:1000000000", "between 2"),
    ("attractiveness=20:0:5", "start below stop"),
    ("attractiveness=-1:2:5", "negative"),
    ("attractiveness=nan:2:5", "finite"),
    ("atractiveness=0:1:5", 'did you mean "attractiveness"'),
    ("share=0:1:5", "needs a group"),
    ("share:g0=0:1:5", "strictly between"),
    ("anchor:g0=0:2:5", "from 0 to 1"),
    ("diversity:g0=0:1:2", "weight has none"),
    ("value:g9=0:1:5", 'no group "g9"'),
    ("=0:1:5", "not NAME"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_AXES)
def test_a_bad_axis_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises((BadInput, LabelMismatch), match=".") as caught:
        phase_map(identical(0), text, "consistency=1:2:3")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_axes_that_do_not_fit_the_game_or_each_other() -> None:
    game = identical(0)
    bare = eq.AlignmentGame(eq.Groups(["a", "b"]), 1, [eq.Variety(1.0)])
    for name in ("attractiveness", "value:a", "consistency", "anchor:a"):
        with pytest.raises(BadInput, match="the game has no"):
            check_axes(bare, [Axis(name, [0.1, 0.2])])
    with pytest.raises(BadInput, match="twice"):
        phase_map(game, "diversity=0:1:3", "diversity=0:2:3")
    with pytest.raises(BadInput, match="leave nothing"):
        phase_map(game, "anchor:g0=0:0.7:3", "anchor:g1=0:0.7:3")
    with pytest.raises(BadInput, match="below"):
        phase_map(game, "diversity=0:1:3", "variety=0:1:3", below=1.0)
    with pytest.raises(BadInput, match="refine"):
        phase_map(game, "diversity=0:1:3", "variety=0:1:3", refine=-1)
    assert axis("value:a=b=0:1:2").name == "value:a=b"
