"""The command line: exit codes, one JSON object, files in and out, and a terminal's moods.

Witnesses: the numbers of design section 4 (rural 1/78), NumPy's and JSON's own readers, a
real process for signals, pipes and encodings.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import equipoise
from equipoise.cli import terminal
from equipoise.cli.main import run
from equipoise.errors import NotSolved
from equipoise.game import catalog
from equipoise.game.gamefile import save_game

Shell = Callable[..., tuple[int, str, str]]

posix = pytest.mark.skipif(os.name == "nt", reason="signals, pipes and terminals of POSIX")

CONTRACT = {
    "outcome", "groups", "agents", "profile", "coverage", "top_weight", "gap", "regret", "max_gap",
    "uniqueness", "excluded", "margins", "solver", "seconds",
}  # fmt: skip


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


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "equipoise.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def test_solve_prints_one_object_with_the_keys_of_the_contract(shell: Shell, toy: Path) -> None:
    code, out, err = shell("solve", toy, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    answer = json.loads(out)
    assert answer.keys() >= CONTRACT
    assert answer["outcome"] == "solved"
    assert answer["agents"] == ["model-a", "model-b"]
    assert answer["coverage"][2] == pytest.approx(1 / 78, abs=1e-12)
    assert answer["profile"][0][0] == pytest.approx(191 / 273, abs=1e-12)
    assert answer["uniqueness"] == {
        "verdict": "proved",
        "margin": answer["uniqueness"]["margin"],
        "equilibria": 1,
        "test": answer["uniqueness"]["test"],
    }
    assert answer["uniqueness"]["test"].startswith("R2")
    assert answer["excluded"] == []
    assert answer["max_gap"] == max(answer["gap"])


def test_excluded_groups_are_not_an_error(shell: Shell, toy: Path) -> None:
    code, out, _ = shell("solve", toy, "--below", "0.02", "--json")
    assert code == 0
    assert json.loads(out)["excluded"] == ["rural"]
    code, out, _ = shell("solve", toy, "--below", "0.02")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith(" rural")]
    assert "0.012821" in line
    assert line.endswith("excluded")
    assert "\x1b" not in out


def test_a_game_without_an_equilibrium_exits_1(shell: Shell, tmp_path: Path) -> None:
    """R1: only one agent competes for audience share and the other sits on group 1."""
    path = tmp_path / "none.json"
    path.write_text(
        '{"groups": {"a": 0.6, "b": 0.4}, "agents": ["x", "y"], "audience_share": {"weight": '
        '[1, 0]}, "attractiveness": {"values": [[0, 0], [1, 0]], "weight": [0, 1]}}'
    )
    code, out, err = shell("solve", path, "--json")
    answer = json.loads(out)
    assert code == 1
    assert (answer["outcome"], answer["excluded"]) == ("may_not_exist", None)
    assert err.startswith("not solved: Only one agent competes for audience share")
    code, out, err = shell("solve", path)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_an_equilibrium_without_verdicts_is_still_given(
    shell: Shell, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1, "cannot tell": the game was solved, the game without a group was not."""

    def fail(*_: object, **__: object) -> None:
        raise NotSolved("not solved: agent model-a could gain")

    monkeypatch.setattr("equipoise.inclusion.exclusion.exclusion", fail)
    code, out, err = shell("solve", toy, "--json")
    answer = json.loads(out)
    assert (code, answer["outcome"], answer["excluded"]) == (1, "solved", None)
    assert answer["coverage"][2] == pytest.approx(1 / 78, abs=1e-12)
    assert err.startswith("solved, but who is excluded cannot be told: not solved: agent")


def test_all_gives_every_equilibrium_found(shell: Shell, tmp_path: Path) -> None:
    save_game(catalog.game("specialists"), tmp_path / "g.toml")
    code, out, _ = shell("solve", tmp_path / "g.toml", "--all", "--json")
    answer = json.loads(out)
    assert code == 0
    assert len(answer["others"]) == answer["uniqueness"]["equilibria"] - 1 >= 1
    assert answer["uniqueness"]["verdict"] == "refuted"


def test_several_equilibria_stand_above_the_table(shell: Shell, tmp_path: Path) -> None:
    """Herding beyond the law of two: everybody on one of three groups, and no formula."""
    path = tmp_path / "g.json"
    path.write_text(
        '{"groups": {"a": 0.4, "b": 0.3, "c": 0.3}, "agents": 2, "diversity": {"weight": -3},'
        '"consistency": {"anchor": [0.4, 0.3, 0.3]}}'
    )
    code, out, _ = shell("solve", path)
    assert code == 0
    first = out.splitlines()[0]
    assert "equilibria were found; this is one of them. Left out: a in" in first
    assert "R2" not in out
    assert out.index(first) < out.index("verdict")
    excluded_in = json.loads(shell("solve", path, "--json")[1])["excluded_in"]
    assert f"a in {excluded_in[0]} of" in first


def test_a_unique_equilibrium_is_said_in_words(shell: Shell, toy: Path) -> None:
    out = shell("solve", toy)[1]
    assert "It is the only equilibrium (proved)." in out
    assert "R2" not in out
    assert "margin: how far the group's score could fall before nobody serves it" in out


def test_a_game_that_says_nothing_is_noted(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text('{"groups": {"a": 0.6, "b": 0.4}, "agents": 2}')
    code, _, err = shell("solve", path)
    assert code == 0
    assert err.startswith("note: no term of this game has a weight")
    assert shell("solve", path, "--quiet")[2] == ""


def test_a_folder_where_a_file_belongs_is_one_sentence(shell: Shell, toy: Path) -> None:
    folder = toy.parent
    (folder / "s.toml").write_text('[panel]\nname = "gss2018"\n')
    for arguments, sentence in (
        (("solve", folder), "is a folder"),
        (("solve", toy, "--out", folder), "--out: "),
        (("study", "run", folder), "is a folder; give the study file"),
        (("study", "run", folder / "s.toml", "--out", toy), "is a file; name a folder"),
    ):
        code, _, err = shell(*arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert sentence in err


def test_seed_quiet_and_json_stand_before_or_after_the_verb(shell: Shell, toy: Path) -> None:
    for arguments in (
        ("--seed", 7, "--json", "solve", toy),
        ("solve", toy, "--json", "--seed", 7),
        ("--seed", 3, "solve", toy, "--json", "--seed", 7),
    ):
        code, out, _ = shell(*arguments)
        assert (code, json.loads(out)["seed"]) == (0, 7)
    out_file = toy.with_name("a.json")
    assert shell("--quiet", "solve", toy, "--out", out_file)[2] == ""
    assert shell("solve", toy, "--out", out_file)[2] == f"written: {out_file}\n"


def test_many_agents_go_to_a_file(shell: Shell, tmp_path: Path) -> None:
    path, out_file = tmp_path / "big.json", tmp_path / "big.npz"
    path.write_text(
        '{"groups": {"a": 0.5, "b": 0.5}, "agents": 10001, "attractiveness": {"values": [1, 0]},'
        ' "consistency": {"anchor": [0.5, 0.5], "weight": 4}}'
    )
    code, _, err = shell("solve", path, "--json")
    assert code == 2
    assert err == "error: the profile has 10001 rows, too many to print; add --out FILE.npz\n"
    code, out, _ = shell("solve", path, "--json", "--out", out_file)
    answer = json.loads(out)
    assert (code, answer["profile"], answer["gap"]) == (0, str(out_file), str(out_file))
    with np.load(out_file) as arrays:
        # R4 by hand: s = (1 + 2, 2), h = 4, lambda = 1/2.
        np.testing.assert_allclose(arrays["profile"], np.tile([0.625, 0.375], (10001, 1)))
    assert shell("certify", path, "--profile", out_file)[0] == 0
    (tmp_path / "answer.json").write_text(out)
    assert shell("certify", path, "--profile", tmp_path / "answer.json")[0] == 0


def test_draws_decide_the_verdict(shell: Shell, toy: Path) -> None:
    """Half of the draws have weight 1.0 (rural in), half 1.2 (past 12/11: out): undecided."""
    data = json.loads(toy.read_text()) | {"draws": "toy.npz"}
    toy.write_text(json.dumps(data))
    arrays: dict[str, Any] = {"attractiveness.weight": np.tile([1.0, 1.2], 20)}
    np.savez(toy.with_name("toy.npz"), **arrays)
    code, out, _ = shell("solve", toy, "--json")
    assert code == 0
    assert json.loads(out)["verdicts"] == ["included", "included", "undecided"]


@pytest.mark.parametrize("kind", ["rows", "object", "answer", "npy", "npz"])
def test_certify_reads_every_form_of_a_profile(
    kind: str, shell: Shell, toy: Path, tmp_path: Path
) -> None:
    exact = catalog.entry("toy").profile
    for wrong in (False, True):
        rows = exact + 0.05 * np.array([1, -1, 0]) if wrong else exact
        path = tmp_path / f"p.{kind if kind in ('npy', 'npz') else 'json'}"
        match kind:
            case "rows":
                path.write_text(json.dumps(rows.tolist()))
            case "object":
                path.write_text(json.dumps({"profile": rows.tolist()}))
            case "answer":
                answer = json.loads(shell("solve", toy, "--json")[1])
                path.write_text(json.dumps(answer | {"profile": rows.tolist()}))
            case "npy":
                np.save(path, rows)
            case "npz":
                np.savez(path, profile=rows)
        code, out, _ = shell("certify", toy, "--profile", path, "--json")
        answer = json.loads(out)
        assert (code, answer["certified"]) == ((1, False) if wrong else (0, True))
        assert (answer["max_relative_gap"] > 1e-3) == wrong
        text = shell("certify", toy, "--profile", path)[1]
        assert ("Not certified" in text) == wrong


def test_certify_in_rational_arithmetic(shell: Shell, toy: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", catalog.entry("toy").profile)
    code, out, _ = shell("certify", toy, "--profile", tmp_path / "p.npy", "--exact", "--json")
    exact = json.loads(out)["exact"]
    assert (code, exact["proved"]) == (0, True)
    assert [Fraction(row[2]) for row in exact["weights"]] == [Fraction(1, 78)] * 2
    text = shell("certify", toy, "--profile", tmp_path / "p.npy", "--exact")[1]
    assert "191/273" in text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.json", "{}", 'there is no key "profile"; write {"profile": [[...]]}'),
        ("p.json", '{"profile": 3}', "the profile must be a list of rows of numbers"),
        ("p.json", '[[0.5, "0.5"]]', "the profile must be a list of rows of numbers"),
        ("p.json", "[[0.5, 0.5], [1]]", "the rows have different lengths; write one weight per"),
        ("p.json", "[[0.5, 0.5]]", "profile: expected 2 agents × 3 groups, got an array of shape"),
        ("p.json", "[[1, 0, 0], [0.5, 0, 0]]", 'of agent "model-b" sum to 0.5; divide them by'),
        ("p.json", '{"groups": ["rural"], "profile": []}', "the groups are ['urban', 'suburban',"),
        ("p.json", '{"agents": ["x"], "profile": []}', "its agents are not those of the game"),
        ("p.json", '{"profile": "q.npz"}', "q.npz: there is no such file; check the name"),
        ("p.json", "{", "this is not JSON"),
        ("p.csv", "", "a profile file ends in .json, .npy or .npz; rename it"),
        ("p.npy", "no", "it is not a plain file of numbers; use numpy.save"),
        ("p.npz", "no", "it is not a plain file of numbers; use numpy.save"),
    ],
)
def test_a_bad_profile(name: str, content: str, sentence: str, shell: Shell, toy: Path) -> None:
    path = toy.with_name(name)
    path.write_text(content)
    code, out, err = shell("certify", toy, "--profile", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["sovle"],
            "No such command 'sovle'. Did you mean 'solve', 'store'?; see equipoise --help",
        ),
        (["solve"], "Missing argument"),
        (["solve", "x.json", "--foo"], "No such option: --foo"),
        (["solve", "x.json", "--tol", "small"], "--tol"),
        (["solve", "x.json", "--tol", "2"], "--tol: got 2; write a number between 0 and 1"),
        (["solve", "x.json", "--tol", "nan"], "--tol: got nan; write a number between 0 and 1"),
        (["solve", "x.json", "--below", "1"], "--below: got 1; write a weight from 0 up to 1"),
        (["solve", "x.json"], "x.json: there is no such file; check the name"),
        (["--seed", "-1", "schema", "game"], "--seed"),
        (["certify", "x.json"], "Missing option '--profile'"),
        (["panel"], "Missing command"),
        (["panel", "show", "gss2081"], 'did you mean "gss2018"?'),
        (["schema", "realization"], 'there is no "realization"; did you mean "realisation"?'),
        (["schema", "gaem"], 'schema: there is no "gaem"; did you mean "game"?'),
        (["study", "run", "x.toml"], "x.toml: there is no such file; start with: equipoise new"),
        (["report", "nowhere"], "nowhere: there is no such folder; run the study first"),
        (["new", "game", "x.yaml"], "x.yaml: a game file ends in .toml or .json; rename it"),
        (["new", "study", "x.json"], "x.json: a study file ends in .toml; rename it"),
        (["new", "game", "no/x.toml"], "no/x.toml: there is no folder no; make it first"),
    ],
)
def test_a_bad_command_is_one_sentence_and_writes_nothing(
    arguments: list[str],
    sentence: str,
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert list(tmp_path.iterdir()) == []


def test_where_the_answer_cannot_go(shell: Shell, toy: Path) -> None:
    for out, sentence in (
        ("a.csv", "--out: a.csv must end in .npz or .json; rename it"),
        ("no/a.npz", "--out: there is no folder no; make it first"),
    ):
        assert shell("solve", toy, "--out", out)[::2] == (2, f"error: {sentence}\n")


@pytest.mark.parametrize("name", ["game.toml", "game.json"])
def test_a_new_game_is_the_toy(name: str, shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / name
    assert shell("new", "game", path)[0] == 0
    written = path.read_text()
    code, out, _ = shell("solve", path, "--json")
    assert code == 0
    assert json.loads(out)["coverage"][2] == pytest.approx(1 / 78, abs=1e-12)
    path.write_text("mine")
    code, _, err = shell("new", "game", path)
    assert (code, err) == (2, f"error: {path}: it exists; choose another name, or add --force\n")
    assert path.read_text() == "mine"
    assert shell("new", "game", path, "--force", "--json")[1] == f'{{"written": "{path}"}}\n'
    assert path.read_text() == written


def test_panels(shell: Shell) -> None:
    """Counts of design section 5: 122 extremely liberal people of 2,247 with an ideology."""
    code, out, _ = shell("panel", "list", "--json")
    names = [panel["name"] for panel in json.loads(out)["panels"]]
    assert (code, names) == (0, ["gss2018", "anes", "ess9gb", "wvs-poverty", "beps"])
    code, out, err = shell("panel", "list")
    assert (code, err) == (0, "Licence and citation of one: equipoise panel show NAME\n")
    assert all(name in out for name in names)
    code, out, _ = shell("panel", "show", "gss2018", "--json")
    assert (code, json.loads(out)["groups"]["extremely liberal"]["n"]) == (0, 122)
    code, out, _ = shell("panel", "show", "gss2018")
    assert code == 0
    assert "122" in out
    assert "citation: " in out


def test_the_schema_is_a_schema_and_fits_a_new_game(shell: Shell, tmp_path: Path) -> None:
    one, two = shell("schema", "game", "--json")[1], shell("schema", "game")[1]
    assert json.loads(one) == json.loads(two)
    shell("new", "game", tmp_path / "g.json")
    jsonschema.validate(json.loads((tmp_path / "g.json").read_text()), json.loads(one))


def test_version_and_help_load_nothing_heavy() -> None:
    # Not pydantic: typer itself loads it where it is installed.
    heavy = ["numpy", "scipy", "pandas", "matplotlib", "rich"]
    for arguments in ("--version", "--help", "solve --help"):
        script = (
            "import sys; from equipoise.cli.main import run; "
            f"code = run({arguments.split()!r}); "
            f"sys.exit(code or ','.join(m for m in {heavy!r} if m in sys.modules) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert process("--version").stdout == f"equipoise {equipoise.__version__}\n"


def test_solving_the_toy_loads_neither_tables_nor_plots(toy: Path) -> None:
    heavy = ["pandas", "matplotlib", "numba", "IPython"]
    script = (
        "import sys; from equipoise.cli.main import run; "
        f"code = run(['solve', {str(toy)!r}, '--json']); "
        f"sys.exit(code or ','.join(m for m in {heavy!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_is_one_line_and_130(
    shell: Shell, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("equipoise.game.gamefile.load_game", stop)
    code, out, err = shell("solve", toy)
    assert (code, out, err) == (130, "", "interrupted; nothing half-written was kept\n")


@posix
def test_a_real_interrupt(tmp_path: Path) -> None:
    """SIGINT while the process solves a game of two million rows."""
    path = tmp_path / "big.json"
    path.write_text(
        '{"groups": {"a": 0.5, "b": 0.3, "c": 0.2}, "agents": 4000000, "attractiveness": '
        '{"values": [3, 2, 1]}, "consistency": {"anchor": [0.3, 0.3, 0.4]}, '
        '"diversity": {"weight": 0.3}}'
    )
    out = tmp_path / "answer.npz"
    # The signal is sent once the process says that it has started, however slow the machine.
    script = "from equipoise.cli.main import main; print('started', flush=True); main()"
    command = [sys.executable, "-c", script, "solve", str(path), "--out", str(out)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == "interrupted; nothing half-written was kept\n"
    assert not out.exists()


def test_an_interrupt_while_importing_is_one_line_and_130(tmp_path: Path) -> None:
    """A module that raises as Ctrl-C does stands in front of typer."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "equipoise.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted before anything was done\n"


@posix
def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "equipoise.cli", "schema", "game"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_no_terminal_at_all(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    assert run(["solve", str(toy)]) == 0
    assert run(["solve", "nowhere.json"]) == 2


@posix
def test_closed_file_descriptors(toy: Path) -> None:
    line = f"{sys.executable} -m equipoise.cli solve {toy} <&- >&- 2>&-"
    assert subprocess.run(line, shell=True).returncode == 0


def test_a_terminal_that_knows_only_ascii(toy: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = process("solve", toy, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rural" in done.stdout
    assert process("solve", toy, "--json", env=environment).stdout.isascii()


@posix
@pytest.mark.parametrize("plain", [False, True])
def test_colour_only_on_a_terminal(toy: Path, plain: bool) -> None:
    """A pseudo-terminal gets colour unless NO_COLOR is set; a pipe never does."""
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {
        "TERM": "xterm-256color"
    }
    if plain:
        environment["NO_COLOR"] = "1"
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "equipoise.cli", "solve", str(toy)]
    assert subprocess.run(command, stdout=theirs, env=environment).returncode == 0
    os.close(theirs)
    said = os.read(ours, 100_000)
    os.close(ours)
    assert (b"\x1b[32m" in said) == (not plain)
    assert "\x1b" not in process("solve", toy, env=environment).stdout


def test_labels_cannot_write_markup_or_steer_the_terminal(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(
        json.dumps(
            {
                "groups": {"[red]a[/red]": 0.5, "b\x1b[2J": 0.5},
                "agents": ["[bold]m"],
                "variety": {"weight": 1},
            }
        )
    )
    code, out, _ = shell("solve", path)
    assert code == 0
    assert "[red]a[/red]" in out
    assert "[bold]m" in out
    assert "\x1b" not in out
    assert "b\\x1b[2J" in out


def test_numbers_that_are_not_finite_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_json({"a": [float("inf"), 1.0], "b": {"c": float("nan")}})
    assert capsys.readouterr().out == '{"a": [null, 1.0], "b": {"c": null}}\n'


def test_progress_is_a_line_for_each_tenth_and_quiet_is_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for quiet, lines in ((False, 11), (True, 0)):
        show = terminal.Settings(json=False, quiet=quiet, seed=None).progress()
        for done in range(1001):
            show(done, 1000, "bootstrap draws")
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", lines)
    assert "\x1b" not in printed.err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seen", "wanted"), [
    (_Terminal, "\r0\x1b[K\r3\x1b[K\n\r4\x1b[K"),
    (io.StringIO, "0\n3\n"),
])  # fmt: skip
def test_progress_in_its_own_words_ends_its_line(
    seen: type[io.StringIO], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told at 0, 0.1, 0.15, 0.16 (the end) and 1 s: on a terminal the last is drawn again."""
    err = seen()
    monkeypatch.setattr("sys.stderr", err)
    clock = iter([100.0, 100.1, 100.15, 100.16, 101.0])
    monkeypatch.setattr("equipoise.cli.terminal.time.monotonic", lambda: next(clock))
    tell = terminal.Settings(json=False, quiet=False, seed=None).teller()
    for step in range(5):
        tell(str(step), step == 3)
    assert err.getvalue() == wanted


def test_an_interrupt_may_say_what_is_kept(
    shell: Shell, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt("interrupted after 200 of 1000 draws, which are kept")

    monkeypatch.setattr("equipoise.game.gamefile.load_game", stop)
    assert shell("solve", toy) == (
        130,
        "",
        "interrupted after 200 of 1000 draws, which are kept\n",
    )


def test_a_new_study_runs_and_its_report_is_written_again(shell: Shell, tmp_path: Path) -> None:
    """GSS 2018 at attractiveness 10 (theory section 7): groups 6 and 7 are excluded."""
    study, folder = tmp_path / "s.toml", tmp_path / "out"
    assert shell("new", "study", study)[0] == 0
    with study.open("rb") as handle:
        schema = json.loads(shell("schema", "study", "--json")[1])
        jsonschema.validate(tomllib.load(handle), schema)
    study.write_text(study.read_text().replace("draws = 1000", "draws = 40"))
    code, out, err = shell("study", "run", study, "--out", folder)
    assert code == 0
    assert f"The report is {folder / 'report.html'}" in out
    assert "bootstrap draws: 40 of 40" in err
    (line,) = [line for line in out.splitlines() if line.startswith(" conservative")]
    assert " 0.0000 " in line
    code, out, err = shell("study", "run", study, "--out", folder, "--json", "--quiet")
    assert (code, err, out.count("\n")) == (0, "", 1)
    excluded = json.loads(out)["excluded"]
    assert "extremely conservative" in excluded
    (folder / "report.html").unlink()
    assert shell("report", folder, "--json")[1] == f'{{"report": "{folder / "report.html"}"}}\n'
    assert (folder / "report.html").is_file()


def test_a_new_study_suggests_the_columns_of_a_survey(shell: Shell, tmp_path: Path) -> None:
    """Names made up here; the file is beside another folder, and nobody's answer is shown."""
    (tmp_path / "data").mkdir()
    survey = tmp_path / "data" / "mine.csv"
    rows = [
        f"{i},{'abc'[i % 3]},{(1, 2, -9)[i % 3]},{(4, 5)[i % 2]},{1 + i / 97},secret{i}"
        for i in range(90)
    ]
    survey.write_text("id,party,taxes,climate,weight,remark\n" + "\n".join(rows) + "\n")
    study = tmp_path / "s.toml"
    code, out, _ = shell("new", "study", study, "--file", survey)
    assert code == 0
    assert 'check the lines marked "guessed"' in out
    text = study.read_text()
    assert "secret" not in text
    assert '"remark" (90)' in text
    panel = tomllib.loads(text)["panel"]
    assert panel == {
        "file": "data/mine.csv", "group": ["party"], "questions": ["taxes", "climate"],
        "weight": "weight", "missing": [-9],
    }  # fmt: skip
    code, out, err = shell("new", "study", tmp_path / "t.toml", "--file", tmp_path / "no.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert not (tmp_path / "t.toml").exists()


def test_a_new_study_shows_the_keys_for_an_own_survey(shell: Shell, tmp_path: Path) -> None:
    assert shell("new", "study", tmp_path / "s.toml")[0] == 0
    text = (tmp_path / "s.toml").read_text()
    for key in ("file", "group", "questions", "weight", "missing", "small_cells"):
        assert f"# {key} = " in text


def test_a_study_says_what_it_does_not_do_again(shell: Shell, tmp_path: Path) -> None:
    """Some of three chunks removed: their number is by hand; and the study beside its report."""
    study, out = tmp_path / "s.toml", tmp_path / "out"
    study.write_text('[panel]\nname = "gss2018"\ngroups = 3\n[uncertainty]\ndraws = 600\n')
    first = shell("study", "run", study, "--out", out)
    assert first[0] == 0
    assert "reading the people\n" in first[2]
    next(out.glob(".work/*/draws-00000256.npz")).unlink()
    assert "resuming: 344 of 600 draws done" in shell("study", "run", study, "--out", out)[2]
    assert "nothing to do: everything was already" in shell("study", "run", study, "--out", out)[2]
    assert first[1].startswith("The first group to drop out is conservative, once appeal weighs")
    assert shell("study", "run", out / "study.toml", "--out", tmp_path / "again")[0] == 0
    kept, again = (
        [
            line
            for line in (folder / "result.json").read_text().splitlines()
            if '"seconds"' not in line
        ]
        for folder in (out, tmp_path / "again")
    )
    assert kept == again
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "study.toml").write_text("# mine\n")
    code, _, err = shell("study", "run", study, "--out", foreign)
    assert (code, "will not be overwritten" in err) == (2, True)
