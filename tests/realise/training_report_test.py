"""The report on trained groups, with adapters nobody trained: what it must say about them.

Witnesses: llama.cpp without adapters, and adapters known to be noise.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="needs the extra llm")
pytest.importorskip("pandas", reason="needs the extra data")

from equipoise.llm.local_server import gguf_digest
from equipoise.panels import load_panel
from equipoise.realise.schedule import Look
from equipoise.realise.settings import TrainSettings
from equipoise.realise.subpopulation import TrainedGroups, lesson_of, write_realisation
from equipoise.realise.training import Trained
from equipoise.realise.training_report import report_of
from tests.llm.small_adapter import random_adapter
from tests.llm.small_model import small_model

QUESTIONS = ("natspac", "natenvir", "natcrime", "natfare")


@pytest.mark.soak
def test_adapters_that_learnt_nothing_are_reported_as_such(tmp_path: Path) -> None:
    model = small_model()
    panel = load_panel("gss2018", groups=3, questions=QUESTIONS)
    settings = TrainSettings(orders=1, held_out_questions=("natcrime",), threads=1)
    lesson = lesson_of(panel, settings)
    names = {g: g for g in lesson.groups}
    for i, name in enumerate(names):
        (tmp_path / name).mkdir()
        random_adapter(tmp_path / name / "adapter.gguf", i, size=0.02)
    look = Look(20, 1.0, 0.3, 0.3, 0.9)
    trained = {g: Trained({}, (look,), "all steps", 1.0) for g in lesson.groups}
    fluency = {"untrained": 20.0} | dict.fromkeys(lesson.groups, 21.0)
    write_realisation(tmp_path, "small", names)
    home = {"EQUIPOISE_HOME": str(tmp_path / "home")}
    with mock.patch.dict(os.environ, home):
        from equipoise.llm.models import add_model

        add_model("small", gguf=model)
        found = TrainedGroups(
            tmp_path, lesson, settings, "small", "digest", trained, names, fluency
        )
        # Four questions tell groups apart so little that power asks for thousands of sheets.
        with mock.patch("equipoise.realise.distinct.sheets_needed", return_value=60):
            report = report_of(found, threads=1)
    report.write(tmp_path)
    said = json.loads((tmp_path / "report.json").read_text())
    laws = json.loads((tmp_path / "laws.json").read_text())
    assert said["judged"]["audits_that_hold"] < 3
    assert said["judged"]["perplexity_growth"] == pytest.approx(0.05)
    for g in lesson.groups:
        d = said["groups"][g]["distances"]
        assert set(d) >= {"trained", "untrained model", "persona prompt", "uniform"}
        floor = d["the people taught themselves"]["trained_questions"]
        assert floor["to_people_taught"] == 0.0
        assert floor["to_all_people"]["value"] < 0.05
        assert d["trained"]["trained_questions"]["to_all_people"]["value"] > 0.1
        assert d["trained"]["held_out_questions"]["to_all_people"]["value"] > 0.0
    assert laws["held_out"] == ["natcrime"]
    assert laws["trained"] == ["natspac", "natenvir", "natfare"]
    assert np.array(laws["people"]).shape == (3, 4, 3)
    assert np.allclose(np.sum([laws["laws"][g] for g in lesson.groups], axis=-1), 1.0)
    read = tomllib.loads((tmp_path / "realisation.toml").read_text())
    assert read["model"] == "small"
    assert read["groups"]["liberal"] == {"adapter": "liberal/adapter.gguf", "peft": "liberal"}
    assert gguf_digest(tmp_path / read["groups"]["liberal"]["adapter"])
    titles = [title for title, _, rows in report.tables() if rows]
    assert len(titles) == 2
    assert any("Questions held out: natcrime." in line for line in report.sentences())
