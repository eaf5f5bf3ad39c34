"""Runs the notebooks of examples/ and keeps what they print, without a kernel.

    python -m tools.notebooks            # run them again and store the outputs
    python -m tools.notebooks --check    # exit code 1 where stored text is not what is printed

Cells are plain Python; the last expression of a cell is shown as Jupyter shows it: text, HTML of
results that have it, and figures as PNG. Text is compared; pictures only have to be there, because
their bytes depend on the version of matplotlib.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOKS", "ran", "stale"]

FOLDER = Path(__file__).parents[1] / "examples"
NOTEBOOKS = tuple(sorted(FOLDER.glob("*.ipynb")))
DPI = 80


def ran(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook with its cells run in order and their outputs stored."""
    names: dict[str, Any] = {"__name__": "__notebook__"}
    cells, number = [], 0
    for cell in notebook["cells"]:
        made = dict(cell)
        if cell["cell_type"] == "code":
            number += 1
            made |= {"execution_count": number, "outputs": _outputs(cell, names, number)}
        cells.append(made)
    return {**notebook, "cells": cells}


def _outputs(cell: dict[str, Any], names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    source = "".join(cell["source"])
    tree = ast.parse(source, f"cell {number}")
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    out, value = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    found: list[dict[str, Any]] = []
    if out.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": _lines(out.getvalue())})
    if value is not None:
        data = _shown(value)
        found.append({"output_type": "execute_result", "execution_count": number,
                      "metadata": {}, "data": data})  # fmt: skip
    return found


def _shown(value: Any) -> dict[str, Any]:
    """Return a value as Jupyter keeps it: a figure, an HTML table, its repr."""
    figure = getattr(value, "figure", None)
    if figure is not None and hasattr(figure, "savefig"):
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
        text = base64.b64encode(picture.getvalue()).decode()
        return {"image/png": text, "text/plain": ["<figure>"]}
    data: dict[str, Any] = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = _lines(value._repr_html_())
    return data


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def stale(notebook: dict[str, Any]) -> list[int]:
    """Return the numbers of the code cells whose stored outputs are not what they print now."""
    old = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    new = [c for c in ran(notebook)["cells"] if c["cell_type"] == "code"]
    pairs = zip(old, new, strict=True)
    return [i for i, (a, b) in enumerate(pairs, 1) if _texts(a) != _texts(b)]


def _texts(cell: dict[str, Any]) -> list[Any]:
    """Return the outputs of a cell with pictures counted, not compared."""
    kept = []
    for one in cell["outputs"]:
        data = {k: v if k != "image/png" else bool(v) for k, v in one.get("data", {}).items()}
        kept.append((one["output_type"], "".join(one.get("text", [])), data))
    return kept


def main(arguments: list[str]) -> int:
    """Run all notebooks; store, or compare."""
    import matplotlib as mpl

    mpl.use("Agg")
    wrong = 0
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if "--check" in arguments:
            found = stale(notebook)
            wrong += bool(found)
            sys.stdout.writelines(f"{path.name}, cell {i}: not what it prints\n" for i in found)
        else:
            text = json.dumps(ran(notebook), indent=1, ensure_ascii=False) + "\n"
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: examples/{path.name}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
