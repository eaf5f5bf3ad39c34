"""Run a study: chunks of draws that survive a kill, then one result, its tables and its report."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import equipoise
from equipoise.engine import Engine
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.equilibrium.solve import solve
from equipoise.errors import NotSolved
from equipoise.game.gamefile_sections import at_field
from equipoise.report.files import write_whole
from equipoise.report.page import write_outputs
from equipoise.report.result import to_text
from equipoise.study.drawn_file import FileSource
from equipoise.study.draws import make_draws, open_source
from equipoise.study.file_models import StudyModel
from equipoise.study.maps import check_maps, make_maps
from equipoise.study.measuring import with_measured
from equipoise.study.people import PanelSource
from equipoise.study.result import make_result
from equipoise.study.steers import check_steers, make_steers
from equipoise.study.study_copy import check_copy, write_copy
from equipoise.study.study_file import plain_study, read_study
from equipoise.study.workspace import Workspace

__all__ = ["run_study"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]
Progress = Callable[[int, int, str], None]

CHUNK = 256
"""Draws between two saves: the block in which panels resample."""


def run_study(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    seed: int | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    chunk: int = CHUNK,
    engine: Engine | None = None,
) -> dict[str, Any]:
    r"""Run a study file from people to a report.

    Loads the panel, builds the game, solves and certifies it, solves every bootstrap draw,
    finds the plans, makes the maps, and writes `result.json`, tables (CSV), figures (SVG, PNG),
    arrays of plans and maps (NPZ), `report.html` and the study as it was run, `study.toml`, into
    `out`.

    Parameters
    ----------
    path : path
        A study file, .toml.
    out : path
        Folder of the results, made if absent. Work done there for the same study is reused;
        a study that differs in anything starts afresh.
    seed : int, optional
        Takes the place of every seed in the file.
    progress : callable (done, total, what), optional
        Called after every piece of work, counted in draws; total 0: not counted.
    note : callable (text), optional
        Told what is not done again.
    chunk : int
        Draws between two saves.
    engine : Local or Ray, optional
        Where draws, plans and maps are made; default this process. Files do not depend on it.
        Workers read the study's people themselves: their files lie where all of them see them.

    Returns
    -------
    dict
        The content of `result.json`. Equal byte for byte for equal input, version and
        machine, however often the run was interrupted, but for `seconds`. Not guaranteed:
        the last digit on another processor or another NumPy.

    Raises
    ------
    BadInput
        The study, its data or the folder cannot be used.
    NotSolved
        The game or one of its draws could not be certified; nothing is dropped silently.
    MissingExtra
        The extras "data" or "plots" are not installed.
    KeyboardInterrupt
        Interrupted; its text says how much is kept.
    """
    began = time.perf_counter()
    path, out = Path(path), Path(out)
    study = read_study(path, seed=seed)
    tell: Progress = progress or (lambda done, total, what: None)
    tell(0, 0, "reading the people" if study.panel else "reading the game")
    with at_field(path.name):
        study = with_measured(study, path, out)
        source = open_source(study, path.parent)
        check_maps(study, source)
        check_steers(study, source)
    check_copy(path, out)
    identity = _identity(study, source)
    with Workspace.opened(out, _work_key(identity, chunk)) as workspace:
        points = {question: _solved(source, study, question) for question in source.questions}
        drawn = make_draws(
            source, path.parent, workspace, chunk,
            engine=engine, tell=tell, note=note or (lambda text: None),
        )  # fmt: skip
        _check_gaps(drawn, study.solve.tol)
        with at_field(path.name):
            steers = make_steers(
                study, source, path.parent, workspace, out, engine=engine, tell=tell
            )
            maps = make_maps(study, source, drawn, steers, workspace, out, engine=engine, tell=tell)
        result = make_result(study, source, points, drawn, steers, maps, identity)
        tell(0, 0, "writing tables, figures and the report")
        write_outputs(result, out)
        write_copy(study, path, out)
        result["seconds"] = round(time.perf_counter() - began, 3)
        write_whole(out / "result.json", to_text(result).encode())
        workspace.forget_others()
    return result


def _identity(study: StudyModel, source: PanelSource | FileSource) -> str:
    """Return the sha256 of the study as resolved, its data and this version."""
    plain = plain_study(study)
    content = {
        # What the report is called and what is simulated do not change what is found here.
        "study": {key: plain[key] for key in plain if key not in ("report", "simulate")},
        "data": source.digest,
        "version": equipoise.__version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _work_key(identity: str, chunk: int) -> str:
    """Return the key of the chunks: also the code and the libraries they were made with."""
    import scipy

    digest = hashlib.sha256(f"{identity} {chunk} {np.__version__} {scipy.__version__}".encode())
    for file in sorted(Path(equipoise.__file__).parent.rglob("*.py")):
        if "report" not in file.parts and "cli" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _solved(
    source: PanelSource | FileSource, study: StudyModel, question: str | None
) -> Equilibrium:
    settings = study.solve
    return solve(
        source.game(question), tol=settings.tol, starts=settings.starts, seed=settings.seed
    )


def _check_gaps(drawn: Chunk | None, tol: float) -> None:
    """Refuse draws that are no equilibria."""
    if drawn is None:
        return
    gap = drawn["relative_gap"]
    if not np.all(gap <= tol):
        worst = int(np.where(np.isnan(gap), np.inf, gap).max(axis=1).argmax())
        raise NotSolved(
            f"draw {worst} could not be certified: relative gap {gap[worst].max():.1e} above the "
            f"tolerance {tol:g}; raise solve.tol or the consistency weight"
        )
