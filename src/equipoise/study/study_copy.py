"""The study as it was run, beside its report: every default filled in, files found from there."""

from __future__ import annotations

import os
from pathlib import Path

from equipoise.errors import BadInput
from equipoise.game.gamefile_text import to_toml
from equipoise.report.files import write_whole
from equipoise.study.file_models import StudyModel

__all__ = ["NAME", "check_copy", "write_copy"]

NAME = "study.toml"
HEAD = "# Written by equipoise: the study of the report in this folder, every default filled in.\n"


def check_copy(path: Path, out: Path) -> None:
    """Refuse a folder that holds somebody's own study under the name of our copy.

    Raises
    ------
    BadInput
        `out/study.toml` is neither a copy of ours nor the study to be run.
    """
    copy = out / NAME
    if not copy.exists() or _same(path, copy):
        return
    if not copy.is_file() or not copy.read_bytes().startswith(HEAD.encode()):
        raise BadInput(
            f"{copy}: it is not from equipoise and will not be overwritten; choose another folder "
            "with --out"
        )


def write_copy(study: StudyModel, path: Path, out: Path) -> None:
    """Write the study into the folder of its results, unless it lies there itself."""
    copy = out / NAME
    if copy.exists() and _same(path, copy):
        return
    data = study.model_dump(mode="json", exclude_none=True)
    for table in ("panel", "game"):
        if "file" in data.get(table, {}):
            data[table]["file"] = _seen_from(out, path.parent / data[table]["file"])
    if "file" in data["game"]:
        data["game"] = {"file": data["game"]["file"]}
    if not study.report.authors:
        del data["report"]["authors"]
    maps = data.pop("map")
    text = HEAD + to_toml(data)
    for one in maps:
        text += "\n[[map]]\n" + to_toml(one)
    write_whole(copy, text.encode())


def _same(one: Path, other: Path) -> bool:
    return other.exists() and os.path.samefile(one, other)


def _seen_from(folder: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return file.resolve().as_posix()
