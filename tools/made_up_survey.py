"""The survey of the examples: 400 people who do not exist.

Write it again with: `python -m tools.made_up_survey > examples/survey.csv`
"""

from __future__ import annotations

import sys

import numpy as np

__all__ = ["survey"]

PARTIES = {"left": 0.32, "middle": 0.43, "right": 0.25}
QUESTIONS = {
    "taxes": (("raise", "keep", "cut"), ((0.6, 0.3, 0.1), (0.3, 0.5, 0.2), (0.1, 0.3, 0.6))),
    "climate": (
        ("more", "same", "less"),
        ((0.8, 0.15, 0.05), (0.55, 0.3, 0.15), (0.25, 0.4, 0.35)),
    ),  # fmt: skip
    "housing": (("more", "same", "less"), ((0.7, 0.2, 0.1), (0.6, 0.3, 0.1), (0.4, 0.4, 0.2))),
}
"""Question -> options, and each party's shares of them."""

PEOPLE = 400
SKIPPED = 0.04


def survey(seed: int = 7) -> str:
    """Return the file: one line per made-up person.

    Examples
    --------
    >>> survey().splitlines()[0]
    'party,region,taxes,climate,housing,weight'
    """
    rng = np.random.default_rng(seed)
    lines = ["party,region,taxes,climate,housing,weight"]
    names = list(PARTIES)
    for _ in range(PEOPLE):
        k = int(rng.choice(3, p=list(PARTIES.values())))
        cells = [names[k], "north" if rng.random() < 0.45 else "south"]
        for options, shares in QUESTIONS.values():
            answer = options[int(rng.choice(3, p=shares[k]))]
            cells.append("-9" if rng.random() < SKIPPED else answer)
        cells.append(f"{rng.uniform(0.6, 1.6):.2f}")
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(survey())
