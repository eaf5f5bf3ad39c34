r"""A certificate in rational arithmetic for small affine games: no rounding anywhere.

Every number of the game is read as the simplest fraction that rounds to it (0.1 as 1/10, a
weight of 12/11 as 12/11). On the groups served by a profile the equilibrium conditions are a
linear system; it is solved in `fractions` and all signs are checked exactly, so a weight of
exactly 0 and a margin of exactly 0 can be told from small numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.profile import Profile
from equipoise.game.terms import Attractiveness, Consistency, Diversity, Subsidy, Variety

__all__ = ["ExactCertificate", "certify_exactly", "simplest_fraction"]

Row = list[Fraction]
ZERO, ONE = Fraction(0), Fraction(1)

SIZE_LIMIT = 80
"""Largest rows × (groups + 1)."""


@final
@dataclass(frozen=True)
class ExactCertificate:
    """An equilibrium in fractions, or the reason why none was confirmed near the profile.

    Attributes
    ----------
    proved : bool
        Whether every equilibrium condition holds with no error at all.
    weights : tuple of tuple of Fraction
        The exact equilibrium (rows, groups); empty when not proved.
    levels : tuple of Fraction
        The level λ_i each agent earns on every group it serves.
    boundary : tuple of (str, str)
        (agent, group) pairs with weight exactly 0 and slack exactly 0.
    distance : float
        Largest difference between the exact and the given weights.
    reason : str
        One sentence.
    """

    proved: bool
    weights: tuple[tuple[Fraction, ...], ...]
    levels: tuple[Fraction, ...]
    boundary: tuple[tuple[str, str], ...]
    distance: float
    reason: str


def simplest_fraction(x: float) -> Fraction:
    """Return the fraction with the least denominator that rounds to the float `x`.

    Examples
    --------
    >>> simplest_fraction(0.1), simplest_fraction(12 / 11), simplest_fraction(-2.5)
    (Fraction(1, 10), Fraction(12, 11), Fraction(-5, 2))
    """
    if x < 0:
        return -simplest_fraction(-x)
    exact = Fraction(x)
    if exact.denominator == 1:
        return exact
    low = (exact + Fraction(float(np.nextafter(x, -np.inf)))) / 2
    high = (exact + Fraction(float(np.nextafter(x, np.inf)))) / 2
    # Both ends are ties that round to even: stay strictly inside.
    return _between(low, high)


def _between(low: Fraction, high: Fraction) -> Fraction:
    """Return the simplest fraction strictly between two positive numbers (Stern and Brocot)."""
    whole = low.numerator // low.denominator
    if whole + 1 < high:
        return Fraction(whole + 1)
    low, high = low - whole, high - whole
    if low == 0:
        # Strictly above 0 and below `high` <= 1: the least 1/d.
        d = high.denominator // high.numerator + 1
        return whole + Fraction(1, d)
    return whole + 1 / _between(1 / high, 1 / low)


def certify_exactly(game: AlignmentGame, profile: Profile) -> ExactCertificate:
    """Confirm in rational arithmetic an equilibrium with the support of `profile` (R3).

    Parameters
    ----------
    game : AlignmentGame
        An affine game with rows × (groups + 1) at most 80.
    profile : Profile
        A profile near an equilibrium: only its support is used, and mended where it is wrong.

    Returns
    -------
    ExactCertificate
        `proved` speaks of the game with its numbers read as simplest fractions.

    Raises
    ------
    BadInput
        The game is not affine, or too large.

    Examples
    --------
    >>> import equipoise as eq
    >>> game = eq.AlignmentGame(eq.Groups(["left", "right"]), ["a"], [
    ...     eq.Attractiveness([0.3, 0.1]), eq.Consistency([0.5, 0.5])])
    >>> certify_exactly(game, eq.solve(game).profile).weights
    ((Fraction(3, 5), Fraction(2, 5)),)
    """
    n, k = len(game.agents), len(game.groups)
    if game.affine is None:
        raise BadInput("exact: only affine games have rational equilibria; drop KL and share terms")
    if n * (k + 1) > SIZE_LIMIT:
        raise BadInput(
            f"exact: {n} agents × {k} groups is too large for fractions; the limit is "
            f"agents × (groups + 1) ≤ {SIZE_LIMIT}"
        )
    matrix, scores = _conditions(game)
    x = profile.array.reshape(-1)
    served = [bool(w > 1e-9) for w in x]
    for _ in range(4 * n * k + 4):
        found = _solve(matrix, scores, served, n, k, [float(w) for w in x])
        if found is None:
            return _refused("the conditions on the groups served have no solution")
        weights, levels = found
        slack = _slack(matrix, scores, weights, levels, k)
        wrong = [j for j in range(n * k) if (weights[j] < 0 if served[j] else slack[j] < 0)]
        if not wrong:
            return _proved(game, profile, weights, levels, slack)
        j = wrong[0]
        served[j] = not served[j]
        row = served[(j // k) * k : (j // k + 1) * k]
        if not any(row):
            return _refused("no set of served groups near the profile satisfies the conditions")
    return _refused("the sets of served groups tried did not settle")


def _refused(reason: str) -> ExactCertificate:
    return ExactCertificate(False, (), (), (), float("inf"), f"Not confirmed: {reason}.")


def _proved(
    game: AlignmentGame,
    profile: Profile,
    weights: Row,
    levels: Row,
    slack: Row,
) -> ExactCertificate:
    n, k = profile.array.shape
    rows = tuple(tuple(weights[i * k : (i + 1) * k]) for i in range(n))
    given = profile.array
    distance = max(abs(float(rows[i][j]) - given[i, j]) for i in range(n) for j in range(k))
    boundary = tuple(
        (game.agents.label(p // k), game.groups.labels[p % k])
        for p in range(n * k)
        if weights[p] == 0 and slack[p] == 0
    )
    reason = "Every equilibrium condition holds exactly, in fractions."
    return ExactCertificate(True, rows, tuple(levels), boundary, float(distance), reason)


def _fractions(array: Any, rows: int, k: int) -> list[Row]:
    full = np.broadcast_to(np.asarray(array, dtype=np.float64), (rows, k))
    return [[simplest_fraction(float(v)) for v in row] for row in full]


def _conditions(game: AlignmentGame) -> tuple[list[Row], Row]:
    """Return (A, s) of −v = A x − s in fractions, from the terms' own parameters."""
    n, k = len(game.agents), len(game.groups)
    a = [[ZERO] * (n * k) for _ in range(n * k)]
    s = [ZERO] * (n * k)
    eye = np.eye(k)

    def bend(weights: list[Row], square: list[Row]) -> None:
        for i in range(n):
            for p in range(k):
                for q in range(k):
                    a[i * k + p][i * k + q] += weights[i][0] * square[p][q]

    for term in game.terms:
        match term:
            case Attractiveness():
                weight = _fractions(_column(term.weight), n, 1)
                values = _fractions(term.values, n, k)
                for p in range(n * k):
                    s[p] += weight[p // k][0] * values[p // k][p % k]
            case Consistency():
                weight = _fractions(_column(term.weight), n, 1)
                square = _fractions(eye if term.metric is None else term.metric, k, k)
                anchor = _fractions(term.anchor, n, k)
                bend(weight, square)
                for p in range(n * k):
                    pull = sum((square[p % k][q] * anchor[p // k][q] for q in range(k)), ZERO)
                    s[p] += weight[p // k][0] * pull
            case Variety():
                square = _fractions(eye if term.matrix is None else term.matrix, k, k)
                bend(_fractions(_column(term.weight), n, 1), square)
            case Subsidy():
                prices = _fractions(term.prices, 1, k)[0]
                for p in range(n * k):
                    s[p] += prices[p % k]
            case Diversity():
                _couple(a, term, game)
    return a, s


def _couple(a: list[Row], term: Diversity, game: AlignmentGame) -> None:
    n, k = len(game.agents), len(game.groups)
    gamma = _fractions(_column(term.weight), n, 1)
    kernel = _fractions(np.eye(k) if term.kernel is None else term.kernel, k, k)
    meeting = _meeting(term, game)
    for i in range(n):
        for j in range(n):
            if meeting[i][j] == 0:
                continue
            factor = gamma[i][0] * meeting[i][j]
            for p in range(k):
                for q in range(k):
                    a[i * k + p][j * k + q] += factor * kernel[p][q]


def _meeting(term: Diversity, game: AlignmentGame) -> list[Row]:
    n, total = len(game.agents), game.agents.total
    if term.network is None:
        counts = [int(c) for c in game.agents.counts]
        if total == 1:
            return [[ZERO]]
        return [[Fraction(counts[j] - (i == j), total - 1) for j in range(n)] for i in range(n)]
    links = [[simplest_fraction(float(w)) for w in row] for row in term.network.dense()]
    degrees = [sum(row, ZERO) for row in links]
    return [[w / d if d else ZERO for w in row] for row, d in zip(links, degrees, strict=True)]


def _column(weight: Any) -> Any:
    return weight[:, None] if weight.ndim else weight


def _solve(
    a: list[Row], s: Row, served: list[bool], n: int, k: int, near: list[float]
) -> tuple[Row, Row] | None:
    """Solve the conditions on the served groups; free directions stay near the given weights."""
    on = [p for p in range(n * k) if served[p]]
    size = len(on) + n
    table = [[ZERO] * (size + 1) for _ in range(size)]
    for r, p in enumerate(on):
        for c, q in enumerate(on):
            table[r][c] = a[p][q]
        table[r][len(on) + p // k] = ONE
        table[r][size] = s[p]
        table[len(on) + p // k][r] = ONE
    for i in range(n):
        table[len(on) + i][size] = ONE
    guess = [simplest_fraction(near[p]) for p in on] + [ZERO] * n
    found = _eliminate(table, guess)
    if found is None:
        return None
    weights = [ZERO] * (n * k)
    for r, p in enumerate(on):
        weights[p] = found[r]
    return weights, found[len(on) :]


def _eliminate(table: list[Row], guess: Row) -> Row | None:
    """Solve by Gauss and Jordan; free variables keep their guess; None if inconsistent."""
    size = len(table)
    pivots: list[int] = []
    row = 0
    for column in range(size):
        pick = next((r for r in range(row, size) if table[r][column] != 0), None)
        if pick is None:
            continue
        table[row], table[pick] = table[pick], table[row]
        scale = table[row][column]
        table[row] = [v / scale for v in table[row]]
        for r in range(size):
            if r != row and table[r][column] != 0:
                factor = table[r][column]
                table[r] = [v - factor * w for v, w in zip(table[r], table[row], strict=True)]
        pivots.append(column)
        row += 1
    if any(table[r][size] != 0 for r in range(row, size)):
        return None
    found = list(guess)
    free = [c for c in range(size) if c not in pivots]
    for r, column in enumerate(pivots):
        found[column] = table[r][size] - sum((table[r][c] * guess[c] for c in free), ZERO)
    return found


def _slack(a: list[Row], s: Row, weights: Row, levels: Row, k: int) -> Row:
    """Return λ_i − v_ik for every agent and group."""
    return [
        levels[p // k] - s[p] + sum((w * x for w, x in zip(a[p], weights, strict=True)), ZERO)
        for p in range(len(s))
    ]
