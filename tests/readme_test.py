"""The tables of the README: dependencies, and times. Its code is run by tests/docs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import equipoise

README = Path(__file__).parents[1] / "README.md"


def test_the_table_of_parts_names_the_dependencies_of_pyproject() -> None:
    project = tomllib.loads((README.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    text = README.read_text(encoding="utf-8").lower()
    for requirement in project["dependencies"] + extras["data"] + extras["plots"] + extras["llm"]:
        name = re.split(r"[><=\[ ]", requirement)[0]
        assert name in text, f"{name} is a dependency without a reason in the README"


def test_the_citation_is_of_this_version() -> None:
    text = (README.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {equipoise.__version__}\n" in text


def test_the_table_of_times_is_the_newest_result() -> None:
    """Against benchmarks/results: no number stands in the README that nothing measured."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.readme", "--check"], cwd=README.parent, check=False
    )
    assert done.returncode == 0, "run: python -m benchmarks.readme"
