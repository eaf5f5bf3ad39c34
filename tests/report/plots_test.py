"""Figures: what is drawn is what the result says, and pyplot is left alone."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from equipoise.errors import BadInput
from equipoise.report import plots
from equipoise.report.canvas import INK
from equipoise.report.figures import draw_all, inline
from equipoise.report.result import read_result
from equipoise.study import run_study
from tests.study.study_files import small_study


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plots")
    run_study(small_study(folder, game='per = "question"'), folder / "out")
    return read_result(folder / "out")


def test_points_of_the_incentive_plot_stand_at_the_least_ratios(result: dict[str, Any]) -> None:
    axes = plots.critical(result)
    drawn = {
        (round(float(np.asarray(line.get_xdata())[0]), 9), float(np.asarray(line.get_ydata())[0]))
        for line in axes.lines
        if line.get_marker() == "o"
    }
    finite = [
        (round(row["least"], 9), float(y))
        for y, row in enumerate(result["critical"]["rows"])
        if np.isfinite(row["least"])
    ]
    assert set(finite) == drawn
    assert axes.get_xscale() == "log"


def test_an_infinite_end_is_an_arrow(result: dict[str, Any]) -> None:
    changed = copy.deepcopy(result)
    for row in changed["critical"]["rows"]:
        row["high"] = row["band_high"] = 5.0
        row["least"] = min(row["least"], 4.0)
        row["low"] = row["band_low"] = min(row["low"], 3.0)
    assert not [line for line in plots.critical(changed).lines if line.get_marker() == ">"]
    changed["critical"]["rows"][-1]["high"] = np.inf
    assert len([line for line in plots.critical(changed).lines if line.get_marker() == ">"]) == 1


def test_bars_of_the_profile_sum_to_one(result: dict[str, Any]) -> None:
    axes = plots.profile(result)
    width: dict[float, float] = {}
    for patch in axes.patches:
        assert isinstance(patch, Rectangle)
        y = round(patch.get_y(), 6)
        width[y] = width.get(y, 0.0) + patch.get_width()
    assert list(width.values()) == pytest.approx([1.0] * len(width))


def test_every_cell_of_the_heat_map_has_a_symbol(result: dict[str, Any]) -> None:
    axes = plots.topics(result)
    cells = len(result["topics"]["games"]) * len(result["groups"])
    assert len(axes.patches) == cells
    assert sum(bool(text.get_text()) for text in axes.texts) == cells


def test_pyplot_is_never_loaded_and_bytes_are_the_same(result: dict[str, Any]) -> None:
    sys.modules.pop("matplotlib.pyplot", None)
    first, second = draw_all(result), draw_all(result)
    assert first == second
    assert set(first) == set(plots.FIGURES)
    assert "matplotlib.pyplot" not in sys.modules


def test_inline_figures_have_ids_of_their_own(result: dict[str, Any]) -> None:
    svg = draw_all(result)["coverage"][0]
    text = inline(svg, "coverage")
    assert text.startswith("<svg ")
    assert 'id="coverage-' in text
    assert INK not in text
    assert "dc:date" not in text


def test_a_missing_part_is_one_sentence(result: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="no critical"):
        plots.critical({**result, "critical": None})


def test_without_matplotlib_the_pip_command_is_named(
    result: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from equipoise.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"equipoise\[plots\]"):
        draw_all(result)
