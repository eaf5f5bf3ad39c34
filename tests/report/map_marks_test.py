"""Marks on maps: where a game lies is put back into the game, which must not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise.game.catalog import game
from equipoise.inclusion.map_axes import Axis, axis, game_at
from equipoise.inclusion.map_here import here, moved_to
from equipoise.report.map_marks import Marks, marks_words
from equipoise.report.map_plots import phase_map

ALIKE = eq.AlignmentGame(
    eq.Groups({"urban": 0.5, "suburban": 0.35, "rural": 0.15}), {"a": 30, "b": 10},
    [eq.Attractiveness([0.5, 0.35, 0.15], [1.0, 3.0]), eq.Consistency([0.2, 0.3, 0.5], 2.0),
     eq.Diversity(0.25)],
)  # fmt: skip
AXES = [
    "attractiveness=0:4:5", "consistency=0:4:5", "diversity=0:4:5", "variety=0:1:5",
    "share:rural=0.1:0.3:3", "value:urban=0:1:3", "anchor:rural=0.1:0.9:3",
]  # fmt: skip


@pytest.mark.parametrize("text", AXES)
def test_the_game_at_its_own_point_is_the_game(text: str) -> None:
    """Witness: `game_at`, which sets an axis to a value, and `solve`."""
    (value,) = here(ALIKE, [axis(text)]) or (np.nan,)
    again = game_at(ALIKE, {axis(text).name: value})
    assert np.allclose(eq.solve(again).profile.array, eq.solve(ALIKE).profile.array, atol=1e-12)
    assert np.allclose(again.groups.shares, ALIKE.groups.shares)


def test_weights_are_means_over_agents_by_hand() -> None:
    """30 agents of weight 1 and 10 of weight 3: 1.5."""
    assert here(ALIKE, [axis("attractiveness=0:4:5"), axis("variety=0:1:5")]) == (1.5, 0.0)


def test_anchors_that_differ_are_no_point_of_a_map() -> None:
    assert here(game("toy"), [axis("anchor:rural=0.1:0.9:3")]) is None


def test_only_plans_along_the_axes_end_on_a_map() -> None:
    axes = [axis("attractiveness=0:4:5"), axis("diversity=0:4:5")]
    change: dict[str, Any] = {
        "caps": {"attractiveness": {"from": 3.0, "to": 2.0}},
        "diversity": {"diversity": {"from": 0.0, "to": 1.0}},
    }
    assert moved_to(change, "together", (3.0, 0.0), axes) == (2.0, 1.0)
    assert moved_to(change | {"prices": {}}, "together", (3.0, 0.0), axes) == (2.0, 1.0)
    assert moved_to(change | {"prices": {"x": 1.0}}, "together", (3.0, 0.0), axes) is None
    # The largest of weights that differ is not their mean.
    assert moved_to(change["caps"], "caps", (2.5, 0.0), axes) is None
    assert moved_to(change["caps"], "caps", (3.0, 0.0), [axes[1]]) is None
    assert moved_to({"diversity": {"every agent by": 1.0}}, "diversity", (3.0, 0.0), axes) is None


def texts(marks: Marks | None) -> list[str]:
    found = eq.phase_map(game("toy"), Axis("attractiveness", [0.0, 1.0, 2.0]),
                         Axis("diversity", [0.0, 0.5, 1.0]))  # fmt: skip
    drawn = phase_map(found, marks=marks)
    words = ("this study", "plan")
    return [t.get_text() for t in drawn.texts if t.get_text() in words]


def test_what_lies_outside_is_not_marked() -> None:
    assert texts(None) == []
    assert texts(Marks((1.0, 0.3), (("diversity", (1.0, 0.9)),))) == ["this study", "plan"]
    assert texts(Marks((1.0, 0.3), (("diversity", (1.0, 1.9)),))) == ["this study"]
    assert texts(Marks((3.0, 0.3))) == []
    assert texts(Marks(None)) == []


def test_the_caption_says_where_a_plan_ends() -> None:
    row: dict[str, Any] = {
        "axes": [{"name": "attractiveness", "start": 0, "stop": 2},
                 {"name": "diversity", "start": 0, "stop": 1}],
        "here": [1.0, 0.3],
        "plans": [{"steer": "steer_1", "lever": "diversity", "to": [1.0, 1.9]}],
    }  # fmt: skip
    names = {"diversity": "diversity"}
    assert marks_words(row, names) == (
        "Circle: this study. Dotted: the way with diversity, towards the plan, which lies outside, "
        "at attractiveness 1 and diversity 1.9."
    )
    row["plans"][0]["to"] = [1.0, 0.9]
    assert marks_words(row, names).endswith(
        "to the plan (star), attractiveness 1 and diversity 0.9."
    )
    assert marks_words(row | {"here": [9.0, 0.3]}, names) == ""
    assert marks_words(row | {"plans": []}, names) == "Circle: this study."
