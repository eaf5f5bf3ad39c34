"""The `[panel]` table of a study, parsed by the standard library's TOML reader (the witness)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.panels import load_panel, panel_from_table, read_panel
from tests.panels.files_test import save, survey


def test_a_bundled_panel_by_name() -> None:
    panel = panel_from_table(tomllib.loads('name = "anes"\nyear = 1984\ngroups = 3'))
    assert panel.n == load_panel("anes", year=1984).n


def test_a_file_beside_the_study(tmp_path: Path) -> None:
    frame = survey().assign(s=lambda f: f.index // 30)
    save(frame, tmp_path / "mine.csv")
    text = """
        file = "mine.csv"
        group = ["g", "h"]
        questions = ["q", "r"]
        weight = "w"
        strata = "s"
        missing = [-9, -8]
        min_cell = 5
    """
    panel = panel_from_table(tomllib.loads(text), tmp_path)
    direct = read_panel(
        tmp_path / "mine.csv",
        group=["g", "h"],
        questions=["q", "r"],
        weight="w",
        strata="s",
        min_cell=5,
    )
    assert np.array_equal(panel.kernel(), direct.kernel())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "either name .* or file"),
        ('name = "anes"\nfile = "m.csv"', "either name .* or file"),
        ('name = "anes"\nyaer = 1978', 'no key "yaer"; did you mean "year"'),
        ('name = "gss2018"\nweight = "wtssall"', 'a bundled panel has no key "weight"'),
        ('file = "m.csv"\nquestions = ["q"]', "group is not given"),
        ('file = "m.csv"\ngroup = "g"', "questions is not given"),
        ('name = "anes"\nyear = "1978"', "year = '1978' does not fit; write a whole number"),
        ('name = "anes"\nyear = true', "year = True does not fit"),
        ('file = "m.csv"\ngroup = 3\nquestions = "q"', "group = 3 does not fit; write a column"),
        ('file = "m.csv"\ngroup = "g"\nquestions = [1]', r"questions = \[1\] does not fit"),
        ('file = "m.csv"\ngroup = "g"\nquestions = "q"\nmissing = -9', "missing = -9 does not fit"),
        (
            'file = "m.csv"\ngroup = "g"\nquestions = "q"\nuser_missing = 1',
            "user_missing = 1 .* true or false",
        ),
        ('file = "m.csv"\ngroup = "g"\nquestions = "q"', 'there is no file ".*m.csv"'),
    ],
)
def test_a_table_that_does_not_fit(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        panel_from_table(tomllib.loads(text), tmp_path)
