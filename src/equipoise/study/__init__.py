"""One file, the whole path: panel, game, equilibrium, verdict with its uncertainty, report.

Names are imported when they are used: who only reads a study file does not load the report.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.study.run import run_study as run_study
    from equipoise.study.study_file import read_study as read_study
    from equipoise.study.study_file import schema as schema

__all__ = ["read_study", "run_study", "schema"]

_HOME = {"read_study": "study_file", "run_study": "run", "schema": "study_file"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'equipoise.study' has no attribute {name!r}")
    return getattr(importlib.import_module(f"equipoise.study.{_HOME[name]}"), name)
