"""Who is left out when two models court the American public, and how surely (GSS 2018).

    python examples/real_panel.py

It prints:

    left out from appeal/consistency of
      extremely conservative    4.7  [3.2, 7.2]
      conservative              5.9  [4.6, 7.5]
      slightly conservative    11.7  [8.6, 19.3]
      moderate                 39.6  [23.6, 121.4]
    at 10, diversity 1
      conservative           excluded in 100% of draws
      extremely conservative excluded in 100% of draws
"""

import math

import numpy as np

import equipoise as eq
from equipoise.inclusion.exclusion import draw_exclusion
from equipoise.panels import load_panel

DRAWS = 300

panel = load_panel("gss2018")
target = np.full(len(panel.groups), 1 / len(panel.groups))
draws = panel.draws(DRAWS, seed=0)


def game(shares, appeal, kernel):
    """Return the game of one draw of the people, or of the people themselves."""
    groups = eq.Groups(dict(zip(panel.groups.labels, shares, strict=True)))
    appealing = eq.Attractiveness(appeal, weight=10.0)
    different = eq.Diversity(1.0, kernel=kernel)
    return eq.AlignmentGame(
        groups, ["model-a", "model-b"], [appealing, eq.Consistency(target), different]
    )


# Which ratio of incentives leaves a group out? No guess of the weights is needed.
print("left out from appeal/consistency of")
for row in eq.critical_incentives(
    panel.groups.labels, panel.appeal(), target, draws=(draws.appeal, target), n=panel.n
).to_rows():
    if math.isfinite(row["high"]):
        print(f"  {row['group']:23} {row['least']:5.1f}  [{row['low']:.1f}, {row['high']:.1f}]")

# One guess, and every draw of the people a game of its own.
print("at 10, diversity 1")
point = eq.solve(game(panel.groups.shares, panel.appeal(), panel.kernel()))
drawn = (game(draws.shares[i], draws.appeal[i], draws.kernel[i]) for i in range(DRAWS))
for row in eq.exclusion(point, draws=draw_exclusion(drawn)).to_rows():
    if row["verdict"] == "excluded":
        print(f"  {row['group']:22} excluded in {row['excluded_share']:.0%} of draws")
