"""Auditing a file: every format, nothing guessed, every verdict, every refusal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.audit import Heard, audit, audit_labels, audit_units
from equipoise.measure.corpus import read_corpus
from equipoise.measure.units import sheets
from equipoise.panels import option_codes
from tests.measure.synthetic import codes, gss, gss_laws

WEIGHTS = [0.7, 0.0, 0.3]


@pytest.fixture(scope="module")
def table() -> NDArray[np.int64]:
    return codes(gss_laws(3), WEIGHTS, 300, np.random.default_rng(3), unparsed=0.1)


def wide(path: Path, table: NDArray[np.int64]) -> Path:
    laws = gss_laws(3)
    with path.open("w", newline="") as handle:
        out = csv.writer(handle)
        out.writerow(["who", *laws.questions])
        for i, row in enumerate(table):
            said = ["" if c < 0 else laws.options[q][c] for q, c in enumerate(row)]
            out.writerow([f"person {i}", *said])
    return path


def long(path: Path, table: NDArray[np.int64], *, coded: bool) -> Path:
    laws = gss_laws(3)
    with path.open("w") as handle:
        for i, row in enumerate(table):
            for q, c in enumerate(row):
                said = (
                    None if c < 0 else (int(c) - 1 if coded else f" {laws.options[q][c].upper()}")
                )
                line = {"question": laws.questions[q], "answer": said, "id": i}
                handle.write(json.dumps(line) + "\n")
    return path


def test_every_format_gives_the_same_units(tmp_path: Path, table: NDArray[np.int64]) -> None:
    want = sheets(table)
    for path, name in (
        (wide(tmp_path / "wide.csv", table), "who"),
        (long(tmp_path / "labels.jsonl", table, coded=False), "id"),
        (long(tmp_path / "codes.jsonl", table, coded=True), "id"),
    ):
        found = read_corpus(path, gss(3).answers, id_column=name, codes=option_codes("gss2018"))
        assert found.units.counts(gss_laws(3)).tolist() == want.counts(gss_laws(3)).tolist()
        assert len(found.units) == len(want)
        assert found.unparsed == found.blank == int((table < 0).sum())


def test_what_does_not_match_is_counted_and_never_guessed(tmp_path: Path) -> None:
    rows = [
        {"question": "natspac", "answer": "too much"},
        {"question": "natspac", "answer": "too"},
        {"question": "natspac", "answer": "2"},
        {"question": "natspac", "answer": True},
        {"question": "natspace", "answer": "too much"},
        {"question": "natspac", "answer": ""},
    ]
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_corpus(path, gss(3).answers, codes=option_codes("gss2018"))
    assert found.units.answers == 1
    assert found.unparsed == 5
    assert found.unknown_answers == {"too": 1, "2": 1, "True": 1}
    assert found.unknown_questions == {"natspace": 1}
    assert found.blank == 1


def test_the_audit_of_whole_questionnaires(tmp_path: Path, table: NDArray[np.int64]) -> None:
    found = audit(wide(tmp_path / "wide.csv", table), gss(3), id_column="who")
    assert found.estimate.unit == "sheet"
    assert found.estimate.unparsed == int((table < 0).sum())
    assert found.verdicts[0] is Heard.included
    assert found.verdicts[2] is Heard.included
    assert found.verdicts[1] in (Heard.undecided, Heard.excluded)
    assert json.loads(json.dumps(found.to_dict()))["groups"]["liberal"]["verdict"] == "included"


def test_few_single_answers_cannot_tell(tmp_path: Path, table: NDArray[np.int64]) -> None:
    found = audit(wide(tmp_path / "wide.csv", table[:1]), gss(3), exact_laws=True)
    assert found.estimate.unit == "answer"
    assert set(found.verdicts) == {Heard.cannot_tell}
    assert not found.can_tell
    assert all(more is not None and more > 5000 for more in found.more)


def test_groups_alike_cannot_be_told_but_their_sum_is_given() -> None:
    laws = gss_laws(3)
    shares = laws.shares.copy()
    shares[1] = shares[0]
    laws = laws.with_shares(shares)
    table = codes(laws, [0.3, 0.3, 0.4], 500, np.random.default_rng(5))
    found = audit_units(laws, sheets(table))
    assert [v.value for v in found.verdicts] == ["cannot tell", "cannot tell", "included"]
    assert found.more[:2] == (None, None)
    assert '"liberal" and "moderate" answer alike' in found.notes[0]


def test_an_absent_group_is_excluded_when_there_is_enough() -> None:
    table = codes(gss_laws(3), [0.5, 0.5, 0.0], 3000, np.random.default_rng(6))
    found = audit_units(gss_laws(3), sheets(table), below=0.05)
    assert found.verdicts[2] is Heard.excluded
    assert found.jointly[2]


def test_free_text_through_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    known = tmp_path / "known.csv"
    rows = [(t, t if rng.random() < 0.85 else other) for t, other in [("a", "b"), ("b", "a")] * 200]
    known.write_text("truth,label\n" + "\n".join(f"{t},{p}" for t, p in rows) + "\n")
    texts = tmp_path / "texts.jsonl"
    said = ["a" if (rng.random() < 0.85) == (rng.random() < 0.9) else "b" for _ in range(2000)]
    texts.write_text("\n".join(json.dumps({"label": s}) for s in said))
    found = audit_labels(texts, known)
    assert found.estimate.low[0] <= 0.9 <= found.estimate.high[0]
    assert np.mean([s == "a" for s in said]) < found.estimate.low[0]


REFUSED = {
    "none.csv": (None, "does not exist"),
    "x.txt": ("a", 'ends in ".txt"'),
    "empty.csv": ("", "is empty"),
    "empty.jsonl": ("", "has no answer"),
    "broken.jsonl": ("{", "line 1 is not a JSON object"),
    "list.jsonl": ("[1]", "line 1 needs the keys"),
    "keys.jsonl": ('{"question": "natspac"}', "line 1 needs the keys"),
    "number.jsonl": ('{"question": 3, "answer": 1}', "question must be a text"),
    "strange.jsonl": ('{"question": "natspak", "answer": "x"}', 'did you mean "natspac"'),
    "answer.jsonl": ('{"question": "natspac", "answer": "x"}', '"x" is no option'),
    "blank.jsonl": ('{"question": "natspac", "answer": null}', "only blank answers"),
    "columns.csv": ("a,b\n1,2\n", "neither the columns"),
    "bytes.csv": (b"natspac\n\xff\xfe\n", "not UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=said) as error:
        audit(path, gss(3))
    assert "\n" not in str(error.value)


def test_bad_ids_and_thresholds_are_refused(tmp_path: Path, table: NDArray[np.int64]) -> None:
    path = wide(tmp_path / "wide.csv", table)
    with pytest.raises(BadInput, match='did you mean "who"'):
        audit(path, gss(3), id_column="whom")
    with pytest.raises(BadInput, match="no threshold"):
        audit(path, gss(3), below=1.5)
    some = tmp_path / "no_id.jsonl"
    some.write_text('{"question": "natspac", "answer": "too much"}\n')
    with pytest.raises(BadInput, match='has no "id"'):
        audit(some, gss(3), id_column="id")
