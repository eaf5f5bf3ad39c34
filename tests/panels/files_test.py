"""A user's own file: formats, missing codes, don't-knows, weights, cells; witness: pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from equipoise.panels import Panel, load_panel, read_panel
from equipoise.panels.grouping import Merged
from equipoise.panels.sources import SOURCES, _frame, _grouping

BUNDLED = [
    ("gss2018", None, None),
    ("anes", 2012, 3),
    ("anes", 1978, 7),
    ("ess9gb", None, 3),
    ("wvs-poverty", None, None),
    ("beps", None, None),
]


def raw(name: str, year: int | None = None) -> Any:
    """The rows of a bundled survey as the library reads them."""
    return _frame(SOURCES[name], year)


def same(a: Panel, b: Panel) -> bool:
    """All numbers agree, whatever the groups and options are called."""
    return bool(
        a.n == b.n
        and np.allclose(a.groups.shares, b.groups.shares, rtol=0, atol=1e-14)
        and np.allclose(a.agreement(), b.agreement(), rtol=0, atol=1e-13)
        and np.allclose(a.appeal(), b.appeal(), rtol=0, atol=1e-13)
        and np.allclose(a.kernel(), b.kernel(), rtol=0, atol=1e-13)
        and np.allclose(a.draws(5, 7).kernel, b.draws(5, 7).kernel, rtol=0, atol=1e-13)
    )


@pytest.mark.parametrize(("name", "year", "groups"), BUNDLED)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_bundled_panel_given_back_as_a_file_has_the_same_numbers(
    tmp_path: Path, name: str, year: int | None, groups: int | None, ending: str
) -> None:
    panel = load_panel(name, year=year, groups=groups)
    spec = SOURCES[name]
    frame = raw(name, year)[[spec.column, *panel.questions]].copy()
    cuts = _grouping(spec, groups).cuts
    frame["side"] = frame[spec.column].map(cuts)
    file = tmp_path / f"mine.{ending}"
    if ending == "csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file)
    order = panel.groups.labels
    mine = read_panel(file, group="side", questions=list(panel.questions), order=order)
    assert mine.groups.labels == panel.groups.labels
    assert same(mine, panel)


def test_the_comparison_of_panels_sees_one_changed_answer(tmp_path: Path) -> None:
    """Planted error: one person's answer is changed."""
    frame = survey()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame["q"] = np.where(frame.index == 3, 3 - frame["q"], frame["q"])
    frame.to_csv(tmp_path / "b.csv", index=False)
    a, b = (read_panel(tmp_path / f"{x}.csv", group="g", questions="q") for x in "ab")
    assert same(a, a)
    assert not same(a, b)


def survey(n: int = 60) -> Any:
    """People of three groups; q is 1 or 2, r is 1 to 3, w a weight."""
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "g": np.repeat(["a", "b", "c"], n // 3),
            "h": np.tile(["x", "y"], n // 2),
            "q": rng.integers(1, 3, n),
            "r": rng.integers(1, 4, n),
            "w": rng.integers(1, 5, n) / 2,
        }
    )


def save(frame: Any, file: Path) -> Path:
    frame.to_csv(file, index=False)
    return file


def test_weighted_shares_against_pandas(tmp_path: Path) -> None:
    frame = survey()
    panel = read_panel(save(frame, tmp_path / "m.csv"), group="g", questions=["q", "r"], weight="w")
    by_group = frame.groupby("g")["w"].sum()
    assert panel.weighted
    assert panel.groups.shares == pytest.approx((by_group / by_group.sum()).to_numpy())
    cells = frame.groupby(["g", "r"])["w"].sum().unstack()
    expected = cells.div(cells.sum(axis=1), axis=0)
    assert panel.answers.shares[:, 1] == pytest.approx(expected.to_numpy())
    kish = by_group**2 / frame.assign(w2=frame["w"] ** 2).groupby("g")["w2"].sum()
    assert panel.answers.n_eff[:, 0] == pytest.approx(kish.to_numpy())


def test_crossed_groups_are_in_natural_order(tmp_path: Path) -> None:
    panel = read_panel(save(survey(), tmp_path / "m.csv"), group=["g", "h"], questions="q")
    assert panel.groups.labels == ("a / x", "a / y", "b / x", "b / y", "c / x", "c / y")
    assert {e.n for e in panel.shares().values()} == {10}


def test_missing_codes_are_left_out_and_counted(tmp_path: Path) -> None:
    """Witness: the codes were planted here, 2 of -9 and 3 of -8 and one blank."""
    frame = survey()
    frame["q"] = frame["q"].astype("Float64")
    frame.loc[[0, 30], "q"] = -9
    frame.loc[[1, 25, 45], "q"] = -8
    frame.loc[59, "q"] = pd.NA
    frame.loc[58, "g"] = "-9"
    file = save(frame, tmp_path / "m.csv")
    panel = read_panel(file, group="g", questions="q", missing=[-9, "-8"])
    assert dict(panel.dropped) == {
        "group g: missing code -9": 1,
        "answer q: missing code -9": 2,
        "answer q: missing code -8": 3,
        "answer q: blank": 1,
    }
    assert panel.n == 59
    assert panel.answers.n.sum() == 53
    assert panel.answers.options == (("1", "2"),)
    assert read_panel(file, group="g", questions="q", missing=[-9]).answers.options == (
        ("-8", "1", "2"),
    )


def test_a_word_like_none_is_an_answer(tmp_path: Path) -> None:
    """pandas would read the religion "None" as a blank."""
    frame = survey()
    frame["q"] = np.where(frame["q"] == 1, "None", "Some")
    panel = read_panel(save(frame, tmp_path / "m.csv"), group="g", questions="q")
    assert panel.answers.options == (("None", "Some"),)


@pytest.mark.parametrize("text", ["Don't know", "DK", "don’t know", "Can't choose", "No opinion"])
def test_dont_know_is_missing_or_an_option_by_choice(tmp_path: Path, text: str) -> None:
    frame = survey()
    frame["q"] = frame["q"].map({1: "yes", 2: "no"})
    frame.loc[[0, 21, 41], "q"] = text
    file = save(frame, tmp_path / "m.csv")
    out = read_panel(file, group="g", questions="q")
    kept = read_panel(file, group="g", questions="q", dont_know="option")
    assert out.answers.options == (("no", "yes"),)
    assert out.dropped["answer q: don't know"] == 3
    assert kept.answers.options == (("no", "yes", "don't know"),)
    assert kept.answers.distribution("a", "q")["don't know"] == pytest.approx(1 / 20)


def test_a_code_may_be_named_as_dont_know(tmp_path: Path) -> None:
    frame = survey()
    frame.loc[[0, 21, 41], "q"] = 8
    panel = read_panel(
        save(frame, tmp_path / "m.csv"),
        group="g",
        questions="q",
        dont_know="option",
        dont_know_codes=[8],
    )
    assert panel.answers.options == (("1", "2", "don't know"),)


def labelled(file: Path) -> Path:
    """An SPSS or Stata file: value labels, 8 = don't know and 9 = refused declared missing."""
    frame = survey()[["g", "q", "w"]].astype({"q": object})
    dk, refused = ("d", "n") if file.suffix == ".dta" else (8.0, 9.0)
    frame.loc[[0, 21], "q"] = dk
    frame.loc[[1, 22, 42], "q"] = refused
    labels: Any = {"q": {1: "agree", 2: "disagree", dk: "Don't know", refused: "Refused"}}
    more: dict[str, Any] = {"column_labels": ["Group", "Taxes are too low", "Weight"]}
    if file.suffix == ".dta":
        more |= {"missing_user_values": {"q": ["d", "n"]}}
        pyreadstat.write_dta(frame, str(file), variable_value_labels=labels, **more)
    else:
        more |= {"missing_ranges": {"q": [{"lo": 8, "hi": 9}]}}
        frame["q"] = frame["q"].astype(float)
        pyreadstat.write_sav(frame, str(file), variable_value_labels=labels, **more)
    return file


@pytest.mark.parametrize("ending", [".sav", ".dta"])
def test_labels_and_declared_missing_codes(tmp_path: Path, ending: str) -> None:
    """Witness: pyreadstat wrote the file with these labels and missing codes."""
    file = labelled(tmp_path / f"m{ending}")
    panel = read_panel(file, group="g", questions="q", weight="w")
    assert panel.answers.options == (("agree", "disagree"),)
    assert panel.answers.wording == ("Taxes are too low",)
    assert dict(panel.dropped) == {
        "answer q: don't know": 2,
        "answer q: missing in the file (Refused)": 3,
    }
    kept = read_panel(file, group="g", questions="q", weight="w", dont_know="option")
    assert kept.answers.options == (("agree", "disagree", "don't know"),)
    off = read_panel(file, group="g", questions="q", weight="w", user_missing=False)
    assert off.answers.options == (("agree", "disagree", "Refused"),)


def test_texts_in_spss_with_labels_and_a_declared_missing_one(tmp_path: Path) -> None:
    file = tmp_path / "m.sav"
    frame = survey()[["g"]].assign(q=np.tile(["y", "n", "NA"], 20))
    labels: Any = {"q": {"y": "Yes", "n": "No"}}
    pyreadstat.write_sav(
        frame,
        str(file),
        variable_value_labels=labels,
        missing_ranges={"q": ["NA"]},
    )
    panel = read_panel(file, group="g", questions="q")
    assert panel.answers.options == (("No", "Yes"),)
    assert panel.dropped["answer q: missing in the file (NA)"] == 20


def test_a_dont_know_in_a_rating_is_no_score(tmp_path: Path) -> None:
    frame = survey().assign(score=lambda f: [50.0] * 58 + ["Don't know", "DK"])
    panel = read_panel(save(frame, tmp_path / "m.csv"), group="g", questions="q", ratings=["score"])
    assert panel.ratings["score"]["c"].n == 18
    assert panel.ratings["score"]["c"].value == 50.0


def test_two_codes_with_one_label_stay_apart(tmp_path: Path) -> None:
    """Categories are never lumped together silently."""
    file = tmp_path / "m.sav"
    frame = survey()[["g", "r"]].astype({"r": float})
    pyreadstat.write_sav(
        frame, str(file), variable_value_labels={"r": {1: "other", 2: "same", 3: "other"}}
    )
    panel = read_panel(file, group="g", questions="r")
    assert panel.answers.options == (("other (1)", "same", "other (3)"),)


def test_a_small_cell_is_merged_with_its_neighbour_when_asked(tmp_path: Path) -> None:
    """By hand: level 3 has 4 people; of its neighbours 2 (16) and 4 (20) the smaller takes it."""
    frame = pd.DataFrame(
        {"age": [1] * 20 + [2] * 16 + [3] * 4 + [4] * 20, "q": np.tile([1, 2], 30)}
    )
    file = save(frame, tmp_path / "m.csv")
    panel = read_panel(file, group="age", questions="q", small_cells="merge")
    assert panel.groups.labels == ("1", "2 + 3", "4")
    assert panel.shares()["2 + 3"].n == 20
    assert panel.merged == (Merged("3", 4, "2", 10),)


def test_a_small_crossed_cell_is_merged_within_its_first_level(tmp_path: Path) -> None:
    """By hand: (b, y) has 3 people and joins (b, x), not the smaller (a, y)."""
    frame = pd.DataFrame(
        {
            "g": ["a"] * 31 + ["b"] * 23,
            "h": ["x"] * 20 + ["y"] * 11 + ["x"] * 20 + ["y"] * 3,
            "q": np.tile([1, 2], 27),
        }
    )
    file = save(frame, tmp_path / "m.csv")
    panel = read_panel(file, group=["g", "h"], questions="q", small_cells="merge")
    assert panel.groups.labels == ("a / x", "a / y", "b / x + b / y")


def test_parquet_categories_keep_their_order(tmp_path: Path) -> None:
    frame = survey()
    words = frame["q"].map({1: "never", 2: "always"})
    frame["q"] = pd.Categorical(words, categories=["never", "always"], ordered=True)
    frame.to_parquet(tmp_path / "m.parquet")
    panel = read_panel(tmp_path / "m.parquet", group="g", questions="q")
    assert panel.answers.options == (("never", "always"),)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, separator: str) -> None:
    frame = survey()
    frame.to_csv(tmp_path / "m.csv", index=False, sep=separator, encoding="utf-8-sig")
    panel = read_panel(tmp_path / "m.csv", group="g", questions="q")
    assert panel.groups.labels == ("a", "b", "c")


def test_ratings_of_a_file_against_pandas(tmp_path: Path) -> None:
    frame = survey()
    frame["score"] = np.linspace(0, 97, len(frame))
    frame.loc[5, "score"] = -1
    file = save(frame, tmp_path / "m.csv")
    panel = read_panel(file, group="g", questions="q", ratings="score", missing=[-1])
    scores = frame[frame["score"] >= 0].groupby("g")["score"]
    for group, estimate in panel.ratings["score"].items():
        assert estimate.value == pytest.approx(scores.mean()[group])
        assert estimate.n == scores.count()[group]
        assert estimate.low < estimate.value < estimate.high


def test_zero_weights_leave_and_are_counted(tmp_path: Path) -> None:
    frame = survey()
    frame.loc[[0, 1], "w"] = 0
    panel = read_panel(save(frame, tmp_path / "m.csv"), group="g", questions="q", weight="w")
    assert panel.n == 58
    assert panel.dropped["weight w: zero"] == 2
