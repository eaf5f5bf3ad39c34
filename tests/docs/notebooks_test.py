"""The notebooks of examples/: every stored output is what its cell prints now."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tools.notebooks import NOTEBOOKS, ran, stale


def read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_there_are_two() -> None:
    assert [path.name for path in NOTEBOOKS] == ["who_is_left_out.ipynb", "whose_views.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_what_cells_print(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails: python -m tools.notebooks."""
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    assert stale(read(path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_of_the_format_that_jupyter_opens(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("code", "markdown")
        if cell["cell_type"] == "code":
            assert cell["execution_count"]
            for output in cell["outputs"]:
                assert output["output_type"] in ("stream", "execute_result")


def test_a_wrong_output_is_seen() -> None:
    cells = [
        {"cell_type": "code", "id": "a", "metadata": {}, "source": ["x = 2\n", "print(x)"]},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": ["x + 1"]},
    ]
    right = ran({"cells": cells})
    assert stale(right) == []
    wrong = copy.deepcopy(right)
    wrong["cells"][0]["outputs"][0]["text"] = ["3\n"]
    assert stale(wrong) == [1]
    wrong = copy.deepcopy(right)
    wrong["cells"][1]["outputs"] = []
    assert stale(wrong) == [2]
