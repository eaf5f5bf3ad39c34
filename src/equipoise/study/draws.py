"""The bootstrap draws of a study as pieces of work: here, on all cores, or on a Ray cluster.

A piece carries its study as JSON and where the study lies; a worker reads the people itself, once,
and compares their digest. A study in this very process lends its people instead.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import Engine, Here, run
from equipoise.errors import BadInput
from equipoise.study.drawn_file import FileSource
from equipoise.study.file_models import StudyModel
from equipoise.study.people import PanelSource
from equipoise.study.workspace import Workspace

__all__ = ["draws_piece", "make_draws", "open_source"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]
Progress = Callable[[int, int, str], None]
Source = PanelSource | FileSource

_LENT: dict[tuple[str, str], Source] = {}


def open_source(study: StudyModel, folder: Path) -> Source:
    """Return where the games of a study come from: a panel or a game file."""
    if study.game.file is not None:
        return FileSource(study, folder)
    return PanelSource(study, folder)


def draws_piece(study: str, folder: str, digest: str, start: int, count: int) -> Chunk:
    """Solve draws `start` … `start + count - 1`; see `PanelSource.chunk`."""
    source = _LENT.get((study, folder)) or _opened(study, folder)
    if source.digest != digest:
        raise BadInput(
            "the people of the study are not the same where a worker reads them; run the study "
            "again with unchanged files that all workers see"
        )
    return source.chunk(start, count)


@functools.lru_cache(maxsize=1)
def _opened(study: str, folder: str) -> Source:
    return open_source(StudyModel.model_validate(json.loads(study)), Path(folder))


@contextlib.contextmanager
def _lent(key: tuple[str, str], source: Source) -> Iterator[None]:
    _LENT[key] = source
    try:
        yield
    finally:
        del _LENT[key]


def make_draws(
    source: Source,
    folder: Path,
    workspace: Workspace,
    chunk: int,
    *,
    engine: Engine | None,
    tell: Progress,
    note: Callable[[str], None],
) -> Chunk | None:
    """Return all draws of a study; finished chunks are read, the others solved and kept.

    Parameters
    ----------
    source : PanelSource or FileSource
    folder : Path
        Where the study lies; workers read its people from there.
    workspace : Workspace
    chunk : int
        Draws a piece.
    engine : Here, Local, Ray or None
        None: this process.
    tell, note : callables
        As of `run_study`.
    """
    total = source.draws
    if total == 0:
        return None
    if chunk < 1:
        raise BadInput(f"chunk: {chunk} draws cannot be saved; write at least 1")
    starts = range(0, total, chunk)
    names, store = [f"draws-{start:08d}" for start in starts], workspace.store
    kept = [store.load(name) is not None for name in names]
    before = sum(min(chunk, total - start) for start, is_kept in zip(starts, kept, strict=True)
                 if is_kept)  # fmt: skip
    if before == total:
        note("nothing to do: everything was already computed; the report is written afresh")
    elif before:
        note(f"resuming: {before:,} of {total:,} draws done")
    given = _given(source, folder)
    pieces: list[dict[str, Any]] = [
        {"study": given[0], "folder": given[1], "digest": source.digest, "start": start,
         "count": min(chunk, total - start)}
        for start in starts
    ]  # fmt: skip
    done = 0

    def progress(finished: int, _: int, what: str) -> None:
        nonlocal done
        done = min(finished * chunk, total)
        if before < total and finished:
            tell(done, total, what)

    try:
        with _lent(given, source):
            parts = [
                part
                for _, part in run(engine or Here(), draws_piece, pieces, store=store, names=names,
                                   progress=progress, what="bootstrap draws")
            ]  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted after {done} of {total} draws, which are kept; run the same command "
            "again to go on"
        ) from None
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _given(source: Source, folder: Path) -> tuple[str, str]:
    """Return a study and its folder as arguments of pieces."""
    data = source.study.model_dump(mode="json", exclude_none=True, exclude={"report"})
    return json.dumps(data, sort_keys=True), str(folder.resolve())
