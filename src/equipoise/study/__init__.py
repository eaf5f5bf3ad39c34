"""One file, the whole path: panel, game, equilibrium, verdict with its uncertainty, report."""

from equipoise.study.run import run_study
from equipoise.study.study_file import read_study, schema

__all__ = ["read_study", "run_study", "schema"]
