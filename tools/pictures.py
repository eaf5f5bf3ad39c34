"""The pictures of the tutorial, each with the digest of the numbers it shows.

    python -m tools.pictures            # draw again what is not current
    python -m tools.pictures --check    # exit code 1 where a picture shows other numbers

The bytes of a figure depend on the version of matplotlib, so the numbers behind it are compared,
not the bytes: their digest stands at the end of the file.
"""

from __future__ import annotations

import functools
import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from equipoise.panels import load_panel

__all__ = ["FOLDER", "PICTURES", "stale"]

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
DRAWS = 200


@functools.cache
def _game() -> tuple[Any, Any, Any]:
    """Return the panel, the game of docs/tutorial.md and its equilibrium."""
    panel = load_panel("gss2018")
    terms = [
        eq.Attractiveness(panel.appeal(), weight=10.0),
        eq.Consistency(np.full(7, 1 / 7)),
        eq.Diversity(1.0, kernel=panel.kernel()),
    ]
    game = eq.AlignmentGame(panel.groups, ["model-a", "model-b"], terms)
    return panel, game, eq.solve(game)


def _profile() -> tuple[Any, list[Any]]:
    _, _, found = _game()
    return found, [found.profile.array]


def _map() -> tuple[Any, list[Any]]:
    found = eq.phase_map(_game()[1], "attractiveness=0:50:51", "diversity=0:5:11")
    return found, [found.excluded, *(curve.group for curve in found.boundaries)]


def _ratios() -> tuple[Any, list[Any]]:
    panel = _game()[0]
    target = np.full(7, 1 / 7)
    drawn = panel.draws(DRAWS, seed=0).appeal
    found = eq.critical_incentives(
        panel.groups.labels, panel.appeal(), target, draws=(drawn, target), n=panel.n
    )
    return found, [[row["least"] for row in found.to_rows()]]


def _plan() -> tuple[Any, list[Any]]:
    panel, game, _ = _game()
    floors = dict(zip(panel.groups.labels, (0.1 * panel.groups.shares).tolist(), strict=True))
    found = eq.steer(game, floors=floors)
    return found, [found.setting, found.after.profile.array]


PICTURES: dict[str, Callable[[], tuple[Any, list[Any]]]] = {
    "profile": _profile,
    "map": _map,
    "critical": _ratios,
    "plan": _plan,
}
"""Name of a picture and of the function of `eq.plots` -> the result, and the numbers it shows."""


def _mark(numbers: list[Any]) -> str:
    """Return the line that says which numbers a picture shows, to six digits."""
    digest = hashlib.sha256()
    for part in numbers:
        known = part if isinstance(part, str) else np.round(np.asarray(part, float), 6) + 0.0
        digest.update(known.encode() if isinstance(known, str) else known.tobytes())
    return f"<!-- numbers: {digest.hexdigest()} -->\n"


def stale() -> list[str]:
    """Return the pictures that are not there, or show other numbers than are found now."""
    found = []
    for name, made in PICTURES.items():
        path = FOLDER / f"{name}.svg"
        if not path.exists() or not path.read_text(encoding="utf-8").endswith(_mark(made()[1])):
            found.append(name)
    return found


def _draw(name: str) -> str:
    import matplotlib as mpl

    mpl.use("Agg")
    result, numbers = PICTURES[name]()
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "equipoise", "svg.fonttype": "path"}):
        figure = getattr(eq.plots, name)(result).figure
        figure.savefig(out, format="svg", facecolor="white", metadata={"Date": None})
    return out.getvalue().rstrip() + "\n" + _mark(numbers)


def main(arguments: list[str]) -> int:
    """Draw the pictures that are not current, or name them."""
    found = stale()
    if "--check" in arguments:
        sys.stdout.writelines(f"not current: docs/pictures/{name}.svg\n" for name in found)
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for name in found:
        (FOLDER / f"{name}.svg").write_text(_draw(name), encoding="utf-8")
        sys.stdout.write(f"written: docs/pictures/{name}.svg\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
