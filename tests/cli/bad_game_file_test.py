"""Every way a game file can be wrong: one sentence of ours, from the library and the command.

The witness of each row is the sentence itself: what is wrong, where, what to write instead.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.game.gamefile import load_game
from equipoise.game.gamefile_text import MAX_BYTES

TOY: dict[str, Any] = {
    "groups": {"urban": 0.5, "suburban": 0.35, "rural": 0.15},
    "agents": ["model-a", "model-b"],
    "attractiveness": {"values": [0.5, 0.35, 0.15], "weight": 1.0},
    "consistency": {"anchor": [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], "weight": 1.0},
    "diversity": {"weight": 0.3},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The toy with one field set."""
    data = json.loads(json.dumps(TOY))
    *sections, key = path.split(".")
    inner = data
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = value
    return dict(data)


BAD = [
    ("groups", None, 'groups: it is missing; write "groups": {"urban": 0.6, "rural": 0.4}'),
    ("groups", {}, "groups: there is no group; name at least one, with its share"),
    ("groups", ["a", "b"], 'groups: got a list; write {"label": share, ...}'),
    ("groups", {"a": 0.5, " ": 0.5}, "groups: ' ' is not a label; write a non-empty text"),
    (
        "groups.rural",
        0.16,
        "groups: the shares sum to 1.01, which is +0.01 off 1; divide each by their sum",
    ),
    ("groups.rural", -0.15, 'groups: the share of "rural" is -0.15; write a positive number'),
    (
        "groups.rural",
        "0.15",
        'groups: the share of "rural" is the text "0.15"; write 0.15 without quotes',
    ),
    ("groups.rural", True, 'groups: the share of "rural" is true; write a number'),
    ("agents", None, 'agents: it is missing; write "agents": ["model-a", "model-b"]'),
    ("agents", [], "agents: there is no agent; name at least one"),
    ("agents", ["a", "a"], 'agents: "a" stands twice; give every agent its own name'),
    ("agents", 0, "agents: got 0; a game needs at least one agent"),
    ("agents", 2.0, "agents: got the number 2; write a list of labels, a number, or a table"),
    ("agents", True, "agents: got true; write a list of labels"),
    ("agents", "m", 'agents: got the text "m"; write a list of labels'),
    ("agents", [1, 2], "agents: entry 0 is the number 1; write a label in quotes"),
    ("agents", {"a": 0}, 'agents: type "a" has count 0; write a whole number >= 1'),
    ("agents", {"a": 1.5}, 'agents: type "a" has the number 1.5 as count; write a whole number'),
    ("agents", {"a": 10**30}, 'agents: type "a" has count 1e+30; the most is 1e+15'),
    (
        "agents",
        10**12,
        'agents: 1e+12 agents are too many rows; write types with counts, e.g. {"mo',
    ),
    ("attractiveness.values", None, "attractiveness.values: it is missing; write one number per"),
    ("attractiveness.values", 3, "attractiveness.values: got the number 3; write one row over"),
    ("attractiveness.values", [1, 2], "attractiveness.values: got 2 entries for 3 groups; write"),
    ("attractiveness.values", [[1, 2, 3]] * 3, "attractiveness.values: got 3 entries for 2 agents"),
    (
        "attractiveness.values",
        [[1, 2, 3], [1]],
        "attractiveness.values: row 1 has 1 entries, row 0",
    ),
    ("attractiveness.values", [1, 2, "3"], 'attractiveness.values[2]: got the text "3"; write 3 w'),
    ("attractiveness.values", [1, False, 3], "attractiveness.values[1]: got false; write a number"),
    ("attractiveness.values", [1, None, 3], "attractiveness.values[1]: got null; write a number"),
    (
        "attractiveness.values",
        [[1, 2, 3], [1, 2, "x"]],
        "attractiveness.values[1][2]: got the text",
    ),
    ("attractiveness.values", [1, 10**400, 3], "attractiveness.values[1]: the number is too large"),
    (
        "attractiveness.values",
        [1, float("nan"), 3],
        "attractiveness.values[1]: nan is not a finite",
    ),
    (
        "attractiveness.values",
        [1, float("inf"), 3],
        "attractiveness.values[1]: inf is not a finite",
    ),
    ("attractiveness.weight", -1, "attractiveness.weight: -1 is negative; write a number >= 0"),
    ("attractiveness.weight", [1, 2, 3], "attractiveness.weight: got 3 entries for 2 agents"),
    (
        "attractiveness.weight",
        "1e3",
        'attractiveness.weight: got the text "1e3"; write 1e3 without',
    ),
    ("attractiveness.weight", "big", 'attractiveness.weight: got the text "big"; write one number'),
    (
        "attractiveness.weights",
        1,
        'attractiveness: there is no key "weights"; did you mean "weight"',
    ),
    ("atractiveness", {}, 'there is no key "atractiveness"; did you mean "attractiveness"?'),
    ("attractiveness", 1, "attractiveness: got the number 1; write a table"),
    ("consistency.anchor", None, "consistency.anchor: it is missing; write one mixture over the"),
    ("consistency.anchor", [0.5, 0.5, 0.1], "consistency.anchor: row 0 sums to 1.1, which is off"),
    (
        "consistency.anchor",
        [1.1, -0.1, 0],
        "consistency.anchor: row 0, group 1 is -0.1; write a nu",
    ),
    ("consistency.form", "KL", 'consistency.form: got the text "KL"; write "quadratic" or "kl"'),
    ("consistency.metric", [[1, 0], [0, 1]], "consistency.metric: it is 2 × 2, but"),
    (
        "consistency.metric",
        [[1, 0, 0], [0, -1, 0], [0, 0, 1]],
        # By hand: diag(1, -1, 1) has -1/3 and 1 as eigenvalues on vectors that sum to 0.
        "consistency.metric: it must be positive definite on vectors that sum to zero, but has "
        "the eigenvalue -0.333333 there",
    ),
    (
        "diversity.kernel",
        [[1, 2, 0], [2, 1, 0], [0, 0, 1]],
        # By hand: [[1, 2], [2, 1]] has the eigenvalues 3 and -1.
        "diversity.kernel: it must be positive semidefinite, but has the eigenvalue -1",
    ),
    (
        "diversity.kernel",
        [[1, 2, 0], [0, 1, 0], [0, 0, 1]],
        "diversity.kernel: entry (0, 1) is 2 but (1, 0) is 0; it must be symmetric",
    ),
    ("diversity.kernel", [[1, 0, 0]], "diversity.kernel: write a square matrix, one row per group"),
    ("diversity.kernel", [1, 0, 0], "diversity.kernel[0]: got the number 1; write a square matrix"),
    ("diversity.weight", None, "diversity.weight: it is missing; write a number, or one per agent"),
    (
        "diversity.network",
        [["model-a", "model-c", 1]],
        'diversity.network[0]: there is no agent "model-c"; did you mean "model-b"?',
    ),
    (
        "diversity.network",
        [[0, 2, 1]],
        "diversity.network[0]: there is no row 2; the 2 agents have",
    ),
    ("diversity.network", [[0, -1, 1]], "diversity.network[0]: there is no row -1; the 2 agents"),
    ("diversity.network", [[0, 0, 1]], "diversity.network: agent 0 is linked with itself; remove"),
    ("diversity.network", [[0, 1, -1]], "diversity.network: every link needs a positive finite"),
    (
        "diversity.network",
        [[0, 1, 1], [1, 0, 1]],
        "diversity.network: the link between agents 0 an",
    ),
    ("diversity.network", [[0, 1]], "diversity.network: link 0 is not of the form [agent, agent, "),
    ("diversity.network", [[0.5, 1, 1]], "diversity.network: link 0 names the number 0.5; write a"),
    ("diversity.network", [[0, 1, "1"]], 'diversity.network: the weight of link 0 is the text "1"'),
    ("diversity.network", "net", 'diversity.network: got the text "net"; write a list of links'),
    ("diversity.directed", True, "diversity.directed: there is no network; remove it or add one"),
    ("diversity.directed", "yes", 'diversity.directed: got the text "yes"; write true or false'),
    ("variety", {"weight": -1}, "variety.weight: -1 is negative; write a number >= 0"),
    (
        "variety",
        {"weight": 1, "matrix": [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        "variety.matrix: it must be positive semidefinite",
    ),
    ("audience_share", {"weight": -1}, "audience_share.weight: -1 is negative; write a number >="),
    ("subsidy", {"prices": [1]}, "subsidy.prices: got 1 entries for 3 groups; write one per group"),
    ("subsidy", {"prices": 2}, "subsidy.prices: got the number 2; write one number per group"),
    ("draws", "x.csv", 'draws: got the text "x.csv"; write the path of a ".npz" file beside'),
    ("about", 3, "about: got the number 3; write a text, or a table of texts"),
    ("attractiveness.values", {"a": 1}, "attractiveness.values: got a table; write a list in the"),
    (
        "diversity.kernel",
        [[1, 0], [0, 1]],
        "diversity.kernel: it is 2 × 2, but there are 3 groups, so it must be 3 × 3",
    ),
    ("attractiveness.values", "../x.npy", 'attractiveness.values: "../x.npy" leaves the folder'),
    (
        "attractiveness.values",
        "/etc/x.npy",
        'attractiveness.values: "/etc/x.npy" leaves the folder',
    ),
    ("attractiveness.values", "x.npy", 'attractiveness.values: there is no file "x.npy" beside'),
    ("attractiveness.values", "x-*.npy", 'attractiveness.values: no file matches "x-*.npy" beside'),
]

BAD_TEXT = [
    (".json", b"{", "line 1, column 2: this is not JSON (Expecting property name"),
    (".json", b'{\n "a": 1,,\n}', "line 2, column 9: this is not JSON"),
    (".json", b"", "line 1, column 1: this is not JSON (Expecting value); mend the text there"),
    (".json", b"[]", "got a list; a game file is a table with groups and agents"),
    (".json", b'{"groups": {"a": 0.5, "a": 0.5}}', 'groups: the key "a" stands twice; keep one'),
    (".json", b'{"agents": 1, "agents": 1}', 'the key "agents" stands twice; keep one of them'),
    (".json", b'{"agents": NaN}', "agents: nan is not a finite number; replace it"),
    (".json", b'{"agents": -Infinity}', "agents: -inf is not a finite number; replace it"),
    (".json", b'{"agents": 1e999}', "agents: inf is not a finite number; replace it"),
    (".json", b"[" * 100_000, "the text is nested too deeply"),
    (".json", b'{"agents": ' + b"1" * 5000 + b"}", "a whole number has thousands of digits"),
    (".json", b'{"groups": {"\\ud800": 1}}', "groups: '\\ud800' holds half of a character"),
    (".json", b"\xff\xfe{}", "byte 0 is not UTF-8; save the file as UTF-8 text"),
    (".toml", b"agents = 2\nx = \n", "line 2, column 5: this is not TOML (Invalid value)"),
    (".toml", b"agents = 2\nagents = 3\n", "line 2, column 11: this is not TOML (Cannot overwrite"),
    (".toml", b"agents = 2\n[groups]\na = nan\n", "groups.a: nan is not a finite number; replace"),
    (".toml", b"groups = 2020-01-01", 'groups: got the text "2020-01-01"; write {"label": share'),
    (".txt", b"{}", "a game file ends in .json or .toml; rename it"),
]


def refused(path: Path, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The library and the command refuse the file with this sentence, and write nothing."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(BadInput) as caught:
        load_game(path)
    assert sentence in str(caught.value)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    out = path.parent / "answer.npz"
    assert run(["solve", str(path), "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"error: {caught.value}\n"
    assert sorted(path.parent.rglob("*")) == before


def test_the_check_of_refusals_sees_an_accepted_file_and_another_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps(TOY))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        refused(path, "groups", capsys)
    path.write_text("{}")
    with pytest.raises(AssertionError):
        refused(path, "agents: it is missing", capsys)


@pytest.mark.parametrize(("field", "value", "sentence"), BAD)
def test_a_bad_field(
    field: str,
    value: Any,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps(changed(field, value)))
    refused(path, f"g.json: {sentence}", capsys)


@pytest.mark.parametrize(("ending", "text", "sentence"), BAD_TEXT)
def test_a_bad_text(
    ending: str, text: bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"g{ending}"
    path.write_bytes(text)
    refused(path, sentence, capsys)


def test_what_is_not_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d.json").mkdir()
    refused(tmp_path / "d.json", "is a folder; give the file itself", capsys)
    refused(tmp_path / "no.json", "there is no such file; check the name", capsys)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        refused(tmp_path / "pipe.json", "is not a regular file; save it to disk first", capsys)
    with (tmp_path / "big.json").open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    refused(tmp_path / "big.json", "64 MB is above the limit of 64 MB; put its arrays in", capsys)


def arrays(folder: Path) -> dict[str, str]:
    """Make one bad array file of each kind; return path -> sentence."""
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(folder / "complex.npy", np.ones(3, dtype=complex))
    np.save(folder / "bool.npy", np.ones(3, dtype=bool))
    np.save(folder / "text.npy", np.array(["1", "2", "3"]))
    np.save(folder / "nan.npy", np.array([1.0, np.nan, 2.0]))
    np.save(folder / "two.npy", np.ones(2))
    np.savez(folder / "archive", np.ones(3))
    (folder / "archive.npz").rename(folder / "archive.npy")
    (folder / "empty.npy").write_bytes(b"")
    (folder / "cut.npy").write_bytes((folder / "nan.npy").read_bytes()[:-8])
    (folder / "folder.npy").mkdir()
    np.save(folder.parent / "secret.npy", np.ones(3))
    (folder / "link.npy").symlink_to(folder.parent / "secret.npy")
    (folder / "away").symlink_to(folder.parent)
    return {
        "object.npy": "is not a plain .npy file of numbers; write it with numpy.save",
        "complex.npy": "holds complex128, not real numbers; save it as float64",
        "bool.npy": "holds bool, not real numbers; save it as float64",
        "text.npy": "not real numbers; save it as float64",
        "nan.npy": "the entry at [1] is not a finite number; replace it",
        "two.npy": "got 2 entries for 3 groups; write one per group",
        "archive.npy": "is not a plain .npy file|is an archive; write one array",
        "empty.npy": "is not a plain .npy file of numbers",
        "cut.npy": "is not a plain .npy file of numbers",
        "folder.npy": "is not a file; write the path of a .npy file",
        "link.npy": "leaves the folder of the game file; write a path inside it",
        "away/secret.npy": "leaves the folder of the game file; write a path inside it",
    }


def test_bad_arrays_beside_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    path = folder / "g.json"
    for name, sentences in arrays(folder).items():
        path.write_text(json.dumps(changed("attractiveness.values", name)))
        with pytest.raises(BadInput, match="^g.json: attractiveness.values: ") as caught:
            load_game(path)
        assert any(part in str(caught.value) for part in sentences.split("|")), name
        assert run(["solve", str(path)]) == 2
        assert capsys.readouterr().err == f"error: {caught.value}\n"


def test_labels_that_steer_a_terminal_are_made_visible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps(changed("groups", {"\x1b[31m\nred": "x"})))
    assert run(["solve", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert "\\x1b[31m\\nred" in err
