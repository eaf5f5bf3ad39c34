"""Where a training run stands, on disk: safetensors and JSON, whole or absent, never a pickle.

A checkpoint is two files: `<name>-<step>.safetensors` with the arrays, and `<name>.json` that
names it, its sha256 and everything else. The JSON is replaced last: a run killed at any moment
finds either the checkpoint before or this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.measure.fit_game import write_whole

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

Arrays = Mapping[str, NDArray[np.float32]]


@final
@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a run needs to go on.

    Parameters
    ----------
    about : dict
        Plain JSON values: settings' digest, step, history.
    arrays : mapping of name to float32 array
        The adapter's and the optimiser's matrices.
    """

    about: dict[str, Any]
    arrays: Arrays


def write_checkpoint(folder: Path, name: str, step: int, found: Checkpoint) -> None:
    """Write a checkpoint; the one before it is removed once this one stands."""
    from safetensors.numpy import save

    content = save({key: np.ascontiguousarray(a) for key, a in found.arrays.items()})
    file = f"{name}-{step:06d}.safetensors"
    write_whole(folder / file, content)
    about = {**found.about, "file": file, "sha256": hashlib.sha256(content).hexdigest()}
    write_whole(folder / f"{name}.json", (json.dumps(about, indent=1) + "\n").encode())
    for old in folder.glob(f"{name}-??????.safetensors"):
        if old.name != file:
            with contextlib.suppress(OSError):
                old.unlink()


def read_checkpoint(folder: Path, name: str) -> Checkpoint | None:
    """Return the last checkpoint of this name, or None where there is none.

    Raises
    ------
    BadInput
        It was damaged.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        file = folder / Path(str(about["file"])).name
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise ValueError("another sha256")
        return Checkpoint(about, load(content))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadInput(
            f"{path}: the checkpoint is damaged ({type(error).__name__}); remove it and its "
            "safetensors file, and the run begins anew"
        ) from None
