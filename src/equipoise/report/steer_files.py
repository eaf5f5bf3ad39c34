"""The ways of a study's plans, read back from its folder and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.engine.store import unpack
from equipoise.errors import BadInput
from equipoise.inclusion.plan_path import PlanPath

__all__ = ["read_ways", "shown_way"]

Ways = Mapping[str, Mapping[str, PlanPath]]


def read_ways(result: Mapping[str, Any], folder: Path) -> dict[str, dict[str, PlanPath]]:
    """Return the ways of every goal's plans: name of the goal -> lever -> way.

    Parameters
    ----------
    result : dict
        Content of `result.json`.
    folder : Path
        Where it lies; arrays are in `arrays/NAME.npz`.

    Raises
    ------
    BadInput
        A file is absent, or is not the one the result was written with.
    """
    groups = tuple(row["group"] for row in result["groups"])
    out = {}
    for row in result.get("steer", ()):
        path = folder / "arrays" / f"{row['name']}.npz"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"{path}: it cannot be read ({error.strerror}); run the study again"
            ) from None
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise BadInput(f"{path}: it does not belong to this result; run the study again")
        arrays = unpack(content)
        keys = ("share", "coverage", "top_weight", "floors", "cost")
        out[row["name"]] = {
            plan["lever"]: PlanPath(
                groups, plan["lever"], *(arrays[f"{plan['lever']}.{key}"] for key in keys)
            )
            for plan in row["plans"]
            if plan["way"]
        }
    return out


def shown_way(row: Mapping[str, Any], ways: Ways) -> PlanPath | None:
    """Return the way that is drawn: that of the first lever which reaches the goal by a change."""
    return next(iter(ways.get(row["name"], {}).values()), None)
