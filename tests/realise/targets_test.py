"""Plans as `solve --json` and `steer --json` print them, realisation files, and what is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from equipoise.cli.main import run
from equipoise.errors import BadInput
from equipoise.realise.realisation_file import read_realisation
from equipoise.realise.realisation_file import schema as file_schema
from equipoise.realise.targets import read_targets, targets_from
from equipoise.realise.targets import schema as plan_schema

GAME = {
    "groups": {"urban": 0.5, "suburban": 0.35, "rural": 0.15},
    "agents": ["model-a", "model-b"],
    "attractiveness": {"values": [0.5, 0.35, 0.15], "weight": 1.0},
    "consistency": {"anchor": [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], "weight": 1.0},
    "diversity": {"weight": 0.3},
}


@pytest.mark.parametrize("agents", [["model-a", "model-b"], 2, {"model-a": 3, "model-b": 5}])
@pytest.mark.parametrize("verb", [["solve"], ["steer", "--floor", "rural=0.05"]])
def test_what_the_verbs_print_is_a_plan(
    verb: list[str], agents: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Derived by hand (design section 4): rural 1/78 in both rows; after steering 0.05."""
    game = tmp_path / "game.json"
    game.write_text(json.dumps(GAME | {"agents": agents}))
    assert run([verb[0], str(game), *verb[1:], "--json"]) == 0
    path = tmp_path / "plan.json"
    path.write_text(capsys.readouterr().out)
    targets = read_targets(path)
    jsonschema.validate(json.loads(path.read_text()), plan_schema())
    names = ("agent-1", "agent-2") if agents == 2 else ("model-a", "model-b")
    assert (targets.groups, targets.agents) == (("urban", "suburban", "rural"), names)
    rural = targets.mixtures[:, 2]
    if isinstance(agents, dict):
        rural = np.array([3, 5]) @ rural / 8 * np.ones(1)
    elif verb[0] == "solve":
        np.testing.assert_allclose(rural, 1 / 78, atol=1e-8)
    if verb[0] == "steer":
        assert rural.mean() == pytest.approx(0.05, abs=1e-8)


PLAN = {"groups": ["l", "r"], "agents": ["a"], "profile": [[0.5, 0.5]]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"groups": None}, "groups: a list of labels"),
        ({"groups": ["l", 3]}, "groups: a list of labels"),
        ({"groups": ["l", "l"]}, "groups: give at least one label, each once"),
        ({"agents": None}, "agents: labels, a number"),
        ({"agents": 10**9}, "at most 10,000 rows"),
        ({"agents": True}, "agents: got True"),
        ({"profile": None}, "profile: there is none"),
        ({"profile": "profile.npz"}, "profile: there is none"),
        ({"profile": [[0.5, 0.4]]}, "row 0 sums to 0.9"),
        ({"profile": [[1.5, -0.5]]}, "negative"),
        ({"profile": [[0.5], [0.5]]}, "got shape (2, 1)"),
        ({"profile": [["x", "y"]]}, "rows of numbers"),
        ({"profile": [[0.5, 0.5], [1]]}, "rows of numbers"),
        ({"profile": [[None, 1.0]]}, "no number"),
        ({"topics": []}, "topics: write an object"),
        ({"topics": {"tax": [[1.0]]}}, 'topics: "tax"'),
        ({"after": 3}, "after: write an object"),
        ({"after": {}}, "after.profile: there is none"),
    ],
)
def test_a_plan_that_does_not_fit_is_a_sentence(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN | changes))
    with pytest.raises(BadInput) as error:
        read_targets(path)
    assert says in str(error.value)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 10**5, b'{"after"'])
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput, match="not (JSON|a JSON object)"):
        targets_from(content)


@pytest.mark.parametrize("key", ["groups", "agents", "profile"])
def test_the_schema_refuses_what_is_no_plan(key: str) -> None:
    jsonschema.validate(PLAN, plan_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({k: v for k, v in PLAN.items() if k != key}, plan_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(PLAN | {key: 0}, plan_schema())


def test_the_table_of_all_levers_is_no_plan() -> None:
    with pytest.raises(BadInput, match="the plans of all levers"):
        targets_from(b'{"goal": "floor", "plans": [], "refused": []}')


def test_no_such_plan(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the plan cannot be read"):
        read_targets(tmp_path / "none.json")


def test_rounding_is_taken_out_and_topics_fall_back() -> None:
    content = PLAN | {"profile": [[0.3333333, 0.6666666]], "topics": {"tax": [[0, 1]]}}
    targets = targets_from(json.dumps(content).encode())
    assert targets.mixtures.sum() == pytest.approx(1.0, abs=1e-15)
    assert targets.row("a", "tax").tolist() == [0.0, 1.0]
    assert np.array_equal(targets.row("a", "war"), targets.row("a"))
    with pytest.raises(BadInput, match='did you mean "a"|known are: "a"'):
        targets.row("b")


REALISATION = """
model = "smollm2-135m"
[groups.left]
adapter = "left/adapter.gguf"
peft = "left"
[groups.right]
persona = "You are on the right."
[groups."no party"]
model = "other"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "inner"
    (inner / "left").mkdir(parents=True)
    (inner / "left" / "adapter.gguf").write_bytes(b"GGUF")
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    return inner


def test_a_realisation_file(folder: Path) -> None:
    path = folder / "realisation.toml"
    path.write_text(REALISATION)
    routes = read_realisation(path)
    jsonschema.validate(tomllib.loads(REALISATION), file_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"groups": {"a": {"pefd": "x"}}}, file_schema())
    assert routes.groups == ("left", "right", "no party")
    assert [r.kind for r in routes.routes.values()] == ["adapter", "persona", "model"]
    assert [r.model for r in routes.routes.values()] == ["smollm2-135m", "smollm2-135m", "other"]
    assert routes.adapters == {"left": (folder / "left" / "adapter.gguf").resolve()}
    assert routes.models == ("smollm2-135m", "other")
    routes.check(("left", "right"))
    with pytest.raises(BadInput, match='did you mean "right"'):
        routes.check(("left", "rihgt"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("peft =", "pefd =", 'no key "pefd" in groups.left; did you mean "peft"'),
        ("model = \"smollm2-135m\"", "modle = \"x\"", 'no key "modle"; did you mean "model"'),
        ("left/adapter.gguf", "../secret.gguf", "must lie in the folder"),
        ("left/adapter.gguf", "left/../../secret.gguf", "must lie in the folder"),
        ("left/adapter.gguf", "/etc/passwd", "must lie in the folder"),
        ("left/adapter.gguf", "link.gguf", "must lie in the folder"),
        ("left/adapter.gguf", "none.gguf", "there is no file none.gguf"),
        ("peft = \"left\"", "model = \"x\"", "an adapter belongs to the common model"),
        ("persona = \"You are on the right.\"", "", "write adapter, model or persona"),
        ("persona = \"You are on the right.\"", "persona = \"\"", "write a text in quotes"),
        ("persona = \"You are on the right.\"", "persona = 3", "write a text in quotes"),
        ("model = \"smollm2-135m\"", "", "no model answers"),
        ("[groups.left]", "[groups.left", "not TOML"),
        ("[groups.left]", "[group.left]", 'no key "group"; did you mean "groups"'),
        ("[groups.left]", "[groups]\nleft = 3\n[groups.x]", "a table is needed"),
    ],
)  # fmt: skip
def test_a_realisation_that_cannot_be_used_is_a_sentence(
    folder: Path, old: str, new: str, says: str
) -> None:
    if new == "link.gguf":
        (folder / "link.gguf").symlink_to(folder.parent / "secret.gguf")
    path = folder / "realisation.toml"
    path.write_text(REALISATION.replace(old, new, 1))
    with pytest.raises(BadInput) as error:
        read_realisation(path)
    assert says in str(error.value)
    assert str(path) in str(error.value) or "groups." in str(error.value)


def test_a_realisation_without_groups_and_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "realisation.toml"
    path.write_text("model = 'x'\n")
    with pytest.raises(BadInput, match="groups: it is not given"):
        read_realisation(path)
    path.write_text("[groups]\n")
    with pytest.raises(BadInput, match="groups: there is none"):
        read_realisation(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_realisation(tmp_path / "none.toml")
