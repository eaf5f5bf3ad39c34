"""Bad input ends in one sentence that names the field and the remedy, never in a traceback.

Witness for the corrupted files: bytes cut off or flipped in files that read well before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import BadInput
from equipoise.panels import load_panel, read_panel
from tests.panels.files_test import labelled, save, survey

Change = Callable[[Any], Any]


def refused(file: Path, **more: Any) -> str:
    keys: dict[str, Any] = {"group": "g", "questions": ["q", "r"]} | more
    with pytest.raises(BadInput) as caught:
        read_panel(file, **keys)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    assert ";" in text  # what is wrong; what to do
    return text


CASES: dict[str, tuple[Change, dict[str, Any], str]] = {
    "unknown group column": (lambda f: f, {"group": "gg"}, 'group: there is no column "gg"; did'),
    "unknown question": (lambda f: f, {"questions": ["q", "rr"]}, 'questions: there is no .* "r"'),
    "unknown weight": (lambda f: f, {"weight": "ww"}, 'weight: there is no column "ww"'),
    "unknown stratum": (lambda f: f, {"strata": "s"}, 'strata: there is no column "s"'),
    "no question": (lambda f: f, {"questions": []}, "questions: the list is empty"),
    "no group": (lambda f: f, {"group": []}, "group: no column is named"),
    "question twice": (lambda f: f, {"questions": ["q", "q"]}, '"q" stands twice'),
    "group as question": (lambda f: f, {"questions": ["g"]}, '"g" already makes the groups'),
    "negative weight": (
        lambda f: f.assign(w=f["w"] - 1),
        {"weight": "w"},
        'weight: "w" is negative for',
    ),
    "blank weight": (
        lambda f: f.assign(w=f["w"].where(f.index != 3)),
        {"weight": "w"},
        'weight: "w" is blank or not finite for 1',
    ),
    "infinite weight": (
        lambda f: f.assign(w=f["w"].where(f.index != 3, np.inf)),
        {"weight": "w"},
        'weight: "w" is blank or not finite for 1',
    ),
    "weight of words": (
        lambda f: f.assign(w="much"),
        {"weight": "w"},
        'weight: "much" in .* not a',
    ),
    "zero weights": (lambda f: f.assign(w=0), {"weight": "w"}, "zero for everybody"),
    "weights of one group zero": (
        lambda f: f.assign(w=(f["g"] != "a") * 1),
        {"weight": "w"},
        '"a" has 0 respondents with a positive weight',
    ),
    "one respondent": (
        lambda f: f.assign(g=f["g"].where(f.index != 3, "z")),
        {},
        '"z" has 1 respondent, fewer than min_cell = 10',
    ),
    "small cell": (
        lambda f: f.assign(g=f["g"].where(f.index > 8, "z")),
        {},
        '"z" has 9 respondents, fewer than min_cell = 10; write small_cells = "merge"',
    ),
    "one group": (lambda f: f.assign(g="a"), {}, 'only one group, "a"'),
    "nobody grouped": (lambda f: f.assign(g=np.nan), {}, 'every value of "g" is missing'),
    "all answers missing": (lambda f: f.assign(q=np.nan), {}, 'every value of "q" is missing'),
    "all answers a missing code": (
        lambda f: f.assign(q=-9),
        {"missing": [-9]},
        'every value of "q" is missing',
    ),
    "empty cell": (
        lambda f: f.assign(q=f["q"].where(f["g"] != "b")),
        {},
        'the group "b" gave no answer to "q"',
    ),
    "a single answer": (
        lambda f: f.assign(q=f["q"].where((f["g"] != "b") | (f.index == 25))),
        {},
        'the group "b" gave a single answer to "q"',
    ),
    "a score as question": (
        lambda f: f.assign(q=np.linspace(0, 1, len(f))),
        {},
        'questions: "q" has 60 different values',
    ),
    "no dont-know": (lambda f: f, {"dont_know": "option"}, "dont_know: "),
    "dont_know misspelt": (lambda f: f, {"dont_know": "optoin"}, 'dont_know: "optoin"'),
    "small_cells misspelt": (lambda f: f, {"small_cells": "lump"}, 'small_cells: "lump"'),
    "min_cell too low": (lambda f: f, {"min_cell": 1}, "min_cell: got 1"),
    "missing not a list": (lambda f: f, {"missing": "-9"}, "missing: got '-9'"),
    "order unknown": (lambda f: f, {"order": ["a", "b", "d"]}, 'order: there is no group "d"'),
    "order short": (lambda f: f, {"order": ["a", "b"]}, 'the group "c" must stand'),
    "blank stratum": (
        lambda f: f.assign(s=[np.nan, *np.arange(59) // 30]),
        {"strata": "s"},
        'strata: "s" is blank for 1',
    ),
    "lonely cluster": (
        lambda f: f.assign(s=f["g"], c=f["g"]),
        {"strata": "s", "cluster": "c"},
        "3 of 3 strata have a single cluster",
    ),
    "one cluster": (lambda f: f.assign(c=1), {"cluster": "c"}, "single cluster"),
    "ratings in words": (lambda f: f, {"ratings": ["h"]}, 'ratings: "x" in the column "h"'),
    "ratings of nobody": (
        lambda f: f.assign(t=np.where(f["g"] == "a", np.nan, 5)),
        {"ratings": ["t"]},
        'fewer than two people of "a" rated "t"',
    ),
    "no rows": (lambda f: f.head(0), {}, "no row"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_names_the_field_and_the_remedy(tmp_path: Path, case: str) -> None:
    change, more, expected = CASES[case]
    frame = change(survey())
    text = refused(save(frame, tmp_path / "m.csv"), **more)
    assert re.search(expected, text), text


def test_more_than_sixty_groups_are_refused_and_sixty_are_not(tmp_path: Path) -> None:
    def people(groups: int) -> pd.DataFrame:
        n = 10 * groups
        return pd.DataFrame({"g": np.arange(n) // 10, "q": np.tile([1, 2], n // 2)})

    panel = read_panel(save(people(60), tmp_path / "a.csv"), group="g", questions="q")
    assert len(panel.groups) == 60
    text = refused(save(people(61), tmp_path / "b.csv"), questions="q")
    assert "61 groups, more than 60" in text


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    good = save(survey(), tmp_path / "mine.csv")
    assert 'did you mean "mine.csv"?' in refused(tmp_path / "mien.csv")
    assert "is a directory" in refused(tmp_path)
    assert 'ends in ".xlsx"' in refused(save(survey(), tmp_path / "m.xlsx"))
    (tmp_path / "empty.csv").touch()
    assert "is empty" in refused(tmp_path / "empty.csv")
    assert "more than the limit of 10" in refused(good, max_bytes=10)
    assert read_panel(good, group="g", questions="q", max_bytes=10_000).n == 60


def test_a_two_gigabyte_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A sparse file: reading it would take minutes, looking at its size does not."""
    file = tmp_path / "huge.csv"
    with file.open("wb") as handle:
        handle.truncate(2_000_000_000)
    assert "2,000,000,000 bytes, more than the limit" in refused(file)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_is_not_utf8(tmp_path: Path, encoding: str) -> None:
    frame = survey().assign(g=lambda f: f["g"].replace("a", "Bäcker"))
    frame.to_csv(tmp_path / "m.csv", index=False, encoding=encoding)
    assert "is not UTF-8" in refused(tmp_path / "m.csv")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".sav", ".dta"])
def test_damaged_files_never_end_in_a_foreign_error(tmp_path: Path, ending: str) -> None:
    whole = tmp_path / f"whole{ending}"
    if ending == ".csv":
        save(survey(), whole)
    elif ending == ".parquet":
        survey().to_parquet(whole)
    else:
        labelled(whole)
    content = whole.read_bytes()
    rng = np.random.default_rng(3)
    damaged = [content[: len(content) * k // 8] for k in range(1, 8)]
    damaged += [b"not a survey at all" * 20, bytes(1000), rng.bytes(4000)]
    for _ in range(60 if ending in (".csv", ".parquet") else 6):
        noisy = bytearray(content)
        for place in rng.integers(0, len(noisy), 6):
            noisy[place] = int(rng.integers(256))
        damaged.append(bytes(noisy))
    said = []
    for i, body in enumerate(damaged):
        file = tmp_path / f"d{i}{ending}"
        file.write_bytes(body)
        try:
            read_panel(file, group="g", questions="q")
        except BadInput as error:
            said.append(str(error))
    assert len(said) >= 5
    assert not any("\n" in text for text in said)


@pytest.mark.parametrize(
    "body",
    ["import os; os.abort()", "import sys; sys.exit(3)", "import sys; sys.stdout.write('{')"],
)
def test_a_crash_of_the_c_reader_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Planted crash; pyreadstat 1.3.7 does die on some damaged .sav files."""
    child = tmp_path / "child.py"
    child.write_text(body)
    monkeypatch.setattr("equipoise.panels.readers.CHILD", child)
    assert "the reader broke down on it" in refused(labelled(tmp_path / "m.sav"))


def test_nested_values_in_parquet(tmp_path: Path) -> None:
    survey().assign(q=pd.Series([[1, 2]] * 60, dtype=object)).to_parquet(tmp_path / "m.parquet")
    assert "lists or records" in refused(tmp_path / "m.parquet", questions="q")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"name": "gss"}, 'no panel "gss"; did you mean "gss2018"'),
        ({"name": "gss2018", "year": 2016}, "has a single year"),
        ({"name": "gss2018", "groups": 5}, "comes in 7 or 3 groups, not 5"),
        ({"name": "gss2018", "questions": ["natspca"]}, 'did you mean "natspac"'),
        ({"name": "gss2018", "questions": ["age"]}, '"age" has .* different values'),
        ({"name": "wvs-poverty", "dont_know": "option"}, "no answer says"),
    ],
)
def test_a_bundled_panel_asked_for_wrongly(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        load_panel(**keys)
