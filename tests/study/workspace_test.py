"""The folder of a study: locks, damage, full disks, and work that belongs to another study."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.report.result import read_result
from equipoise.study import run_study
from equipoise.study.workspace import Workspace
from tests.study.study_files import small_study, survey


def test_two_runs_in_one_folder_are_refused_and_a_dead_lock_is_taken(tmp_path: Path) -> None:
    hold = (
        "import sys, pathlib\nfrom equipoise.study.workspace import Workspace\n"
        "with Workspace.opened(pathlib.Path(sys.argv[1]), 'k' * 64):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with (
        pytest.raises(BadInput, match=f"process {process.pid} is running a study there now"),
        Workspace.opened(tmp_path, "k" * 64),
    ):
        pass
    process.kill()
    process.communicate()
    assert (tmp_path / ".work" / "lock").read_bytes() == str(process.pid).encode()
    with Workspace.opened(tmp_path, "k" * 64):
        pass


def test_a_changed_study_never_uses_the_old_chunks(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    out = tmp_path / "out"
    run_study(study, out)
    first = read_result(out)
    for change in ("attractiveness = 4.5", "attractiveness = 4.0\nanchor = 'shares'"):
        text = study.read_text().replace("attractiveness = 4.0", change)
        other = tmp_path / "other.toml"
        other.write_text(text)
        run_study(other, out)
        run_study(other, tmp_path / "fresh")
        again, fresh = read_result(out), read_result(tmp_path / "fresh")
        assert again["exclusion"] == fresh["exclusion"]
        assert again["exclusion"] != first["exclusion"]
        assert len(list((out / ".work").iterdir())) == 2  # the lock and one key


def test_changed_people_never_use_the_old_chunks(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    run_study(study, tmp_path / "out")
    before = read_result(tmp_path / "out")
    file = tmp_path / "people.csv"
    file.write_text(file.read_text() + 30 * "north,more,few\n")
    run_study(study, tmp_path / "out")
    after = read_result(tmp_path / "out")
    assert after["people"]["n"] == before["people"]["n"] + 30
    assert after["reproduce"]["study_sha256"] != before["reproduce"]["study_sha256"]
    assert after["groups"] != before["groups"]


def test_finished_chunks_are_used_and_damaged_ones_made_again(tmp_path: Path) -> None:
    study, out = small_study(tmp_path), tmp_path / "out"
    run_study(study, out, chunk=20)
    whole = read_result(out)
    chunks = sorted(out.glob(".work/*/draws-*.npz"))
    assert len(chunks) == 3
    chunks[0].write_bytes(chunks[0].read_bytes()[:100])
    chunks[1].write_bytes(b"")
    # A planted change shows that the third chunk is not computed again.
    with np.load(chunks[2]) as arrays:
        planted = {key: arrays[key] for key in arrays.files}
    planted["coverage"] = planted["coverage"] + 0.125
    np.savez(chunks[2], **planted)
    run_study(study, out, chunk=20)
    mixed = read_result(out)
    assert mixed["critical"] == whole["critical"]
    assert mixed["exclusion"][0]["coverage_high"] != whole["exclusion"][0]["coverage_high"]


def test_results_do_not_depend_on_the_size_of_chunks(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    for chunk in (7, 60):
        run_study(study, tmp_path / str(chunk), chunk=chunk)
    a, b = (json.loads((tmp_path / str(c) / "result.json").read_text()) for c in (7, 60))
    del a["seconds"], b["seconds"]
    assert a == b


def test_the_seed_changes_the_draws_and_nothing_else(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    a = run_study(study, tmp_path / "a")
    b = run_study(study, tmp_path / "b", seed=1)
    assert [r["coverage"] for r in a["exclusion"]] == [r["coverage"] for r in b["exclusion"]]
    assert a["exclusion"][0]["coverage_low"] != b["exclusion"][0]["coverage_low"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/out")):
        with pytest.raises(BadInput, match="folder with --out") as error:
            run_study(study, out)
        assert "\n" not in str(error.value)


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
def test_a_full_disk_is_one_sentence_and_keeps_what_is_done(tmp_path: Path) -> None:
    """Witness: the kernel itself, which refuses every file above 30 kB (RLIMIT_FSIZE)."""
    study, out = small_study(tmp_path), tmp_path / "out"
    code = (
        "import resource, sys\nfrom equipoise.errors import BadInput\n"
        "from equipoise.study import run_study\n"
        "import matplotlib.font_manager\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "try:\n    run_study(sys.argv[1], sys.argv[2])\n"
        "except BadInput as error:\n    sys.exit('one sentence: ' + str(error))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(study), str(out)], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.startswith("one sentence: ")
    assert "it cannot be written" in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (out / "result.json").exists()
    assert not list(out.rglob("*.part"))
    run_study(study, out)
    assert (out / "result.json").exists()


def test_the_survey_must_exist(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    (tmp_path / "people.csv").unlink()
    with pytest.raises(BadInput, match=r"^study\.toml: panel: "):
        run_study(study, tmp_path / "out")
    survey(tmp_path)
    run_study(study, tmp_path / "out")
