"""Small studies for tests: a made-up survey of 400 people, and study files as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

GSS = """
[panel]
name = "gss2018"
[game]
attractiveness = {alpha}
[uncertainty]
draws = {draws}
"""

SMALL = """
[panel]
file = "people.csv"
group = "region"
questions = ["tax", "roads"]
[game]
attractiveness = 4.0
{game}
[uncertainty]
draws = {draws}
"""


def survey(folder: Path, labels: tuple[str, ...] = ("north", "south", "west")) -> Path:
    """Write people.csv: 400 people of a fixed seed who differ by region."""
    rng = np.random.default_rng(5)
    lines = ["region,tax,roads"]
    for _ in range(400):
        k = int(rng.integers(0, 3))
        tax = "more" if rng.random() < (0.8, 0.5, 0.1)[k] else "less"
        roads = ("few", "same", "many")[int(rng.choice(3, p=[(0.6, 0.3, 0.1), (0.2, 0.6, 0.2),
                                                             (0.1, 0.2, 0.7)][k]))]  # fmt: skip
        label = '"' + labels[k].replace('"', '""') + '"'
        lines.append(f"{label},{tax},{roads}")
    path = folder / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def small_study(folder: Path, *, draws: int = 60, game: str = "", more: str = "") -> Path:
    """Write a study of the made-up survey and return its path."""
    survey(folder)
    path = folder / "study.toml"
    path.write_text(SMALL.format(draws=draws, game=game) + more, encoding="utf-8")
    return path


def gss_study(folder: Path, alpha: float, draws: int = 1000) -> Path:
    """Write a study of the GSS at a given attractiveness."""
    path = folder / f"gss-{alpha:g}.toml"
    path.write_text(GSS.format(alpha=alpha, draws=draws), encoding="utf-8")
    return path
