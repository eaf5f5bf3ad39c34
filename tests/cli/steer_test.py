"""`equipoise steer` and `equipoise infer`: exit codes, the JSON of the contract, sentences.

Witnesses: the toy's numbers (design section 4), JSON's own reader, a fresh solve of the game
that --out writes, image signatures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli.main import run
from equipoise.game import catalog
from equipoise.game.gamefile import load_game, save_game

Shell = Callable[..., tuple[int, str, str]]

CONTRACT = {"lever", "change", "cost", "least", "before", "after"}


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run the command in this process: (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    save_game(catalog.game("toy"), tmp_path / "toy.json")
    return tmp_path / "toy.json"


@pytest.fixture
def agreement(tmp_path: Path) -> Path:
    path = tmp_path / "E.csv"
    path.write_text(
        ",urban,suburban,rural\nurban,.8,.3,.1\nsuburban,.3,.7,.3\nrural,.1,.3,.9\n", "utf-8"
    )
    return path


def test_steering_the_toy_reads_like_advice(shell: Shell, toy: Path) -> None:
    code, out, err = shell("steer", toy, "--floor", "rural=0.05")
    assert (code, err) == (0, "")
    assert "Pay 0.0725 per unit of attention to rural: cost 0.00725" in out
    assert "urban and suburban get less attention than before" in out


def test_json_holds_the_keys_of_the_contract(shell: Shell, toy: Path) -> None:
    code, out, _ = shell("steer", toy, "--floor", "rural=0.05", "--json")
    plan = json.loads(out)
    assert code == 0
    assert set(plan) >= CONTRACT
    assert plan["change"] == {"rural": pytest.approx(0.0725, abs=1e-12)}
    assert plan["least"] is True
    assert plan["before"]["coverage"]["rural"] == pytest.approx(1 / 78)
    assert plan["after"]["coverage"]["rural"] == pytest.approx(0.05)


def test_the_game_that_is_written_has_the_coverage_that_was_promised(
    shell: Shell, toy: Path, tmp_path: Path
) -> None:
    for lever in ("prices", "anchors", "diversity", "caps", "entry"):
        fresh = tmp_path / f"{lever}.toml"
        code, out, _ = shell(
            "steer", toy, "--floor", "rural=0.05", "--lever", lever, "--out", fresh, "--json"
        )
        assert code == 0
        promised = json.loads(out)["after"]["coverage"]["rural"]
        cover = eq.solve(load_game(fresh)).profile.coverage
        assert cover[2] == pytest.approx(promised, abs=1e-9)
        assert cover[2] >= 0.05 - 1e-9


def test_all_levers_stand_side_by_side(shell: Shell, toy: Path, agreement: Path) -> None:
    told = ("steer", toy, "--floor", "rural=0.05", "--lever", "all", "--agreement", agreement)
    code, out, _ = shell(*told, "--json")
    found = json.loads(out)
    assert code == 0
    names = [plan["lever"] for plan in found["plans"]]
    assert names == ["prices", "anchors", "diversity", "caps", "audience", "entry"]
    assert all(set(plan) >= CONTRACT for plan in found["plans"])
    code, out, _ = shell(*told, "--quiet")
    assert code == 0
    assert all(name in out for name in names)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_figures_are_written(shell: Shell, toy: Path, tmp_path: Path, kind: str) -> None:
    signature = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}[kind]
    for lever in ("prices", "all"):
        path = tmp_path / f"{lever}.{kind}"
        code, _, _ = shell(
            "steer", toy, "--floor", "rural=0.05", "--lever", lever, "--figure", path, "--quiet"
        )
        assert code == 0
        assert path.read_bytes().startswith(signature)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ([], "nothing is asked for"),
        (["--floor", "rural=x"], "write a number for every group"),
        (["--floor", "rural="], "write a number for every group"),
        (["--floor", "rural=1.5"], "from 0 to 1"),
        (["--floor", "rurl=0.1"], 'did you mean "rural"?'),
        (["--floor", "0.5"], "they sum to 1.5"),
        (["--floor", "0.1", "--floor", "rural=0.2"], "stands alone"),
        (["--floor", "0.1", "--lever", "pices"], 'did you mean "prices"?'),
        (["--floor", "0.1", "--lever", "all", "--lever", "caps"], "all stands alone"),
        (["--floor", "0.1", "--lever", "caps", "--lever", "caps"], "different kinds"),
        (["--floor", "0.1", "--lever", "audience"], "--agreement"),
        (["--floor", "0.1", "--lever", "audience", "--agreement", "no.csv"], "no such file"),
        (["--floor", "0.1", "--lever", "audience", "--agreement", "E.txt"], "must end in"),
        (["--floor", "0.1", "--who", "model-a"], "add --lever anchors"),
        (["--floor", "0.1", "--lever", "anchors", "--who", "model-z"], "model-b"),
        (["--floor", "0.1", "--budget", "1"], "several levers"),
        (["--floor", "0.1", "--lever", "all", "--budget", "1"], "choose a lever instead of all"),
        (["--floor", "0.1", "--lever", "all", "--within", "0.1"], "choose a lever instead of all"),
        (["--floor", "0.1", "--sure", "0.95"], "has no draws"),
        (["--floor", "0.1", "--within", "-1"], "between 0 and 1"),
        (["--floor", "0.1", "--within", "nan"], "between 0 and 1"),
        (["--floor", "0.1", "--figure", "f.pdf"], ".png or .svg"),
        (["--floor", "0.1", "--out", "f.yaml"], ".json or .toml"),
        (["--served-by", "1", "--weight", "0.6"], "at most 0.5"),
        (["--served-by", "3"], "the game has 2"),
        (["--max-distance", "-1"], "L1 distance"),
        (["--share", "2"], "from 0 to 1"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    shell: Shell, toy: Path, told: list[str], says: str
) -> None:
    code, out, err = shell("steer", toy, *told)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert says in err


def test_a_goal_out_of_reach_is_exit_code_one_with_the_nearest(shell: Shell, toy: Path) -> None:
    told = ("--lever", "anchors", "--who", "model-a")
    code, out, err = shell("steer", toy, "--floor", "rural=0.9", *told)
    assert (code, out) == (1, "")
    nearest = float(err.split("rural at least ")[2].split(".", 2)[0] + "." + err.split(
        "rural at least ")[2].split(".", 2)[1])  # fmt: skip
    assert 0.4 < nearest < 0.5
    assert shell("steer", toy, "--floor", f"rural={nearest}", *told, "--json")[0] == 0
    assert shell("steer", toy, "--floor", f"rural={1.01 * nearest}", *told)[0] == 1


def test_labels_with_odd_characters_stay_data(shell: Shell, tmp_path: Path) -> None:
    """Equals signs, quotes, markup, a right-to-left mark, an agent that looks like an option."""
    labels = ['a=b "x"', "<b>ü</b>\u202e", "[red]7"]
    game = eq.AlignmentGame(
        eq.Groups(dict(zip(labels, (0.5, 0.35, 0.15), strict=True))), ["m 1", "--who"],
        [eq.Attractiveness([0.5, 0.35, 0.15]),
         eq.Consistency([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]), eq.Diversity(0.3)],
    )  # fmt: skip
    path = tmp_path / "odd.json"
    save_game(game, path)
    told = ["--floor", "[red]7=0.05", "--floor", 'a=b "x"=0.3']
    code, out, _ = shell("steer", path, *told, "--json")
    assert code == 0
    assert json.loads(out)["change"] == {"[red]7": pytest.approx(0.0725)}
    for lever in ("prices", "anchors", "entry"):
        code, out, _ = shell("steer", path, *told, "--lever", lever)
        assert code == 0
        assert "[red]7" in out
        assert "\u202e" not in out
        # An agent whose target stays is not told to move it.
        assert "()" not in out
        assert "target ," not in out


def test_json_on_standard_output_is_nothing_but_json() -> None:
    """HiGHS prints a line of its own for this game; in a process of its own, to a pipe."""
    script = (
        "import json\n"
        "import equipoise as eq\n"
        "from equipoise.errors import Infeasible\n"
        "from tests.inclusion.steering_cases import drawn\n"
        "case = drawn(25, 'common anchors')\n"
        "try:\n"
        "    eq.steer(case.game, case.lever, goal=case.goal)\n"
        "except Infeasible as error:\n"
        "    print(json.dumps({'error': str(error)}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "no setting was found" in json.loads(done.stdout)["error"]


def test_infer_gives_back_what_the_toy_was_made_with(
    shell: Shell, toy: Path, tmp_path: Path
) -> None:
    seen = eq.solve(catalog.game("toy")).profile.array
    path = tmp_path / "seen.json"
    path.write_text(json.dumps(seen.tolist()), "utf-8")
    code, out, _ = shell("infer", toy, "--profile", path, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["identified"] is True
    assert found["ratios"]["attractiveness"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert found["ratios"]["diversity"]["value"] == pytest.approx(0.3, abs=1e-6)
    code, out, _ = shell("infer", toy, "--profile", path)
    assert code == 0
    assert out.startswith("The mixtures are an equilibrium")
    path.write_text(json.dumps(np.full((2, 3), 1 / 3).tolist()), "utf-8")
    code, out, _ = shell("infer", toy, "--profile", path)
    assert code == 1
    assert out.startswith("No weights make these mixtures an equilibrium")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        ('{"x": 1}', "profile"),
        ("[[0.5, 0.5, 0.0]]", "2"),
        ("[[1, 2, 3], [1, 0, 0]]", "sum to 6"),
    ],
)
def test_infer_refuses_profiles_that_are_none(
    shell: Shell, toy: Path, tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "seen.json"
    if text is not None:
        path.write_text(text, "utf-8")
    code, out, err = shell("infer", toy, "--profile", path)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert says in err
