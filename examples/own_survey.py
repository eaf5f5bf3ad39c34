"""From your own survey file to who is left out and what would change it.

    python examples/own_survey.py [FILE]

The file has one row per person. Change the names of its columns below. It prints:

    400 people: left 32 %, middle 42 %, right 26 %
    left out: right
    to give right a tenth of its size: pay 0.59 per unit of attention
    that is the least payment
    less attention for: left, middle
"""

import sys
from pathlib import Path

import numpy as np

import equipoise as eq
from equipoise.panels import read_panel

FILE = Path(__file__).with_name("survey.csv")


def main(file: Path = FILE) -> None:
    """Read, solve, steer."""
    panel = read_panel(
        file,
        group="party",  # who belongs together
        questions=["taxes", "climate", "housing"],  # compared as categories
        weight="weight",  # leave it out where people count alike
        missing=["-9"],  # codes that mean no answer
    )
    shares = dict(zip(panel.groups.labels, panel.groups.shares, strict=True))
    print(f"{panel.n} people:", ", ".join(f"{g} {100 * s:.0f} %" for g, s in shares.items()))

    game = eq.AlignmentGame(
        panel.groups,
        ["model-a", "model-b"],
        [
            eq.Attractiveness(panel.appeal(), weight=10.0),
            eq.Consistency(np.full(len(shares), 1 / len(shares))),
        ],
    )
    out = eq.exclusion(eq.solve(game)).excluded
    print("left out:", ", ".join(out) or "nobody")
    if not out:
        return
    plan = eq.steer(game, floors={group: 0.1 * shares[group] for group in out})
    for group, price in plan.change.items():
        print(f"to give {group} a tenth of its size: pay {price:.2f} per unit of attention")
        print(f"that is the {plan.leastness.word} payment")
    print("less attention for:", ", ".join(plan.losers))


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:]))
