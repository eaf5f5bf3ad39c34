r"""The axes of a phase map: which incentive of a game each one sets, and to which values.

A weight axis replaces a common weight and scales weights that differ between agents to that
mean. `value:LABEL` moves the appeal of one group to that mean. `anchor:LABEL` sets every
agent's anchor on one group and `share:LABEL` one group's share of the public; mass comes from
(goes to) the other groups in proportion. A share changes only the public :math:`m`, and with it
an equilibrium only through audience share: appeal that was measured on people does not follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import BadInput, nearest
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    KLConsistency,
    Term,
    Variety,
)

__all__ = ["Axis", "anchored", "axis", "check_axes", "game_at", "moved"]

FloatArray = NDArray[np.float64]

WEIGHTS = ("attractiveness", "consistency", "diversity", "variety")
LABELLED = ("share", "value", "anchor")
MOST_POINTS = 100_000


@final
@dataclass(frozen=True, init=False, eq=False)
class Axis:
    """One incentive and the values it takes along an axis of a map.

    Parameters
    ----------
    name : str
        attractiveness, consistency, diversity, variety, share:LABEL, value:LABEL or
        anchor:LABEL.
    values : (points,) array
        Increasing; weights in utility units, shares and anchors as fractions.

    Raises
    ------
    BadInput
        Another name, fewer than two values, values that do not increase or are out of range.

    Examples
    --------
    >>> Axis("value:rural", [0.1, 0.2, 0.4]).label
    'rural'
    """

    name: str
    values: FloatArray

    def __init__(self, name: str, values: ArrayLike) -> None:
        kind, colon, label = name.partition(":")
        known = [*WEIGHTS, *(f"{kind}:LABEL" for kind in LABELLED)]
        if kind in WEIGHTS and colon:
            raise BadInput(f'axis: "{name}" names a group, but a weight has none; write "{kind}"')
        if kind not in WEIGHTS and kind not in LABELLED:
            raise BadInput(f'axis: there is no incentive "{name}"; {nearest(name, known)}')
        if kind in LABELLED and not label:
            raise BadInput(f'axis: "{name}" needs a group; write {kind}:LABEL')
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise BadInput(f"axis {name}: every value must be a number") from None
        if array.ndim != 1 or array.size < 2 or not np.isfinite(array).all():
            raise BadInput(f"axis {name}: write at least 2 finite numbers")
        if not (np.diff(array) > 0).all():
            raise BadInput(f"axis {name}: the values must increase; write start below stop")
        _check_range(name, kind, array)
        array.setflags(write=False)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", array)

    def __len__(self) -> int:
        return int(self.values.size)

    def __repr__(self) -> str:
        return f"Axis({self.name}: {self.values[0]:g} to {self.values[-1]:g}, {len(self)} points)"

    @property
    def kind(self) -> str:
        """What is set: the part of the name before the colon."""
        return self.name.partition(":")[0]

    @property
    def label(self) -> str:
        """The group it is set for; empty for a weight."""
        return self.name.partition(":")[2]


def _check_range(name: str, kind: str, values: FloatArray) -> None:
    if kind in ("attractiveness", "consistency", "variety") and values[0] < 0:
        raise BadInput(f"axis {name}: {values[0]:g} is negative; write a weight >= 0")
    if kind == "anchor" and not (values[0] >= 0 and values[-1] <= 1):
        raise BadInput(
            f"axis {name}: an anchor is a weight from 0 to 1; write e.g. {name}=0:0.5:50"
        )
    if kind == "share" and not (values[0] > 0 and values[-1] < 1):
        raise BadInput(
            f"axis {name}: a share lies strictly between 0 and 1; write e.g. {name}=0.05:0.5:50"
        )


def axis(given: str | Axis) -> Axis:
    """Read an axis from text, `NAME=start:stop:points` with both ends in.

    Parameters
    ----------
    given : str or Axis
        An `Axis` is returned as it is.

    Raises
    ------
    BadInput
        Not of that form; the sentence says which part is wrong.

    Examples
    --------
    >>> axis("attractiveness=0:20:5").values
    array([ 0.,  5., 10., 15., 20.])
    """
    if isinstance(given, Axis):
        return given
    name, equals, span = given.rpartition("=")
    parts = span.split(":")
    if not equals or not name or len(parts) != 3:
        raise BadInput(
            f'axis: "{given}" is not NAME=start:stop:points; write e.g. attractiveness=0:20:200'
        )
    try:
        start, stop = float(parts[0]), float(parts[1])
        points = int(parts[2])
    except ValueError:
        raise BadInput(
            f'axis {name}: "{span}" is not start:stop:points; write two numbers and how many '
            "values, e.g. 0:20:200"
        ) from None
    if not 2 <= points <= MOST_POINTS:
        raise BadInput(f"axis {name}: {points} points; write between 2 and {MOST_POINTS}")
    if not np.isfinite([start, stop]).all():
        raise BadInput(f"axis {name}: start and stop must be finite numbers")
    return Axis(name, np.linspace(start, stop, points))


def check_axes(game: AlignmentGame, axes: Sequence[Axis]) -> None:
    """Raise `BadInput` unless every axis sets something this game has, and each another thing."""
    names = [one.name for one in axes]
    for one in axes:
        if names.count(one.name) > 1:
            raise BadInput(f"axis {one.name} stands twice; choose two different incentives")
        if one.label:
            game.groups.index(one.label)
        if one.kind in ("attractiveness", "value") and game.term(Attractiveness) is None:
            raise BadInput(f"axis {one.name}: the game has no attractiveness; add its values")
        if one.kind in ("consistency", "anchor"):
            held = [t for t in game.terms if isinstance(t, Consistency | KLConsistency)]
            if len(held) != 1:
                word = "no anchor" if not held else "two kinds of consistency"
                raise BadInput(f"axis {one.name}: the game has {word}; give it one consistency")
    for kind in ("anchor", "share"):
        tops = [float(one.values[-1]) for one in axes if one.kind == kind]
        most = 1.0 if kind == "anchor" else 1.0 - 1e-12
        if sum(tops) > most or (kind == "share" and len(tops) == len(game.groups)):
            raise BadInput(
                f"axes: {kind}s up to {' and '.join(f'{top:g}' for top in tops)} leave nothing "
                "for the other groups; lower a stop"
            )
        if tops and len(game.groups) == 1:
            raise BadInput(f"axes: with one group its {kind} is 1; choose another incentive")


def game_at(game: AlignmentGame, point: Mapping[str, float]) -> AlignmentGame:
    """Return the game with the incentives of one cell.

    Parameters
    ----------
    game : AlignmentGame
        With the terms that the names need (`check_axes`).
    point : mapping of axis name to value

    Raises
    ------
    BadInput
        Weights that average 0 and cannot be scaled.
    """
    fresh: dict[type[Term], Term] = {}
    by_label: dict[str, dict[int, float]] = {kind: {} for kind in LABELLED}
    for name, value in point.items():
        kind, _, label = name.partition(":")
        if label:
            by_label[kind][game.groups.index(label)] = value
        else:
            term = _weighted(game, kind, value)
            fresh[type(term)] = term
    if by_label["value"]:
        old = fresh.get(Attractiveness) or game.term(Attractiveness)
        assert isinstance(old, Attractiveness)
        counts = game.agents.counts
        fresh[Attractiveness] = Attractiveness(valued(old.values, by_label["value"], counts),
                                               old.weight)  # fmt: skip
    if by_label["anchor"]:
        held = next(t for t in game.terms if isinstance(t, Consistency | KLConsistency))
        old_held = fresh.get(type(held), held)
        assert isinstance(old_held, Consistency | KLConsistency)
        fresh[type(held)] = anchored(old_held, moved(old_held.anchor, by_label["anchor"]))
    if not by_label["share"]:
        return game.replace(*fresh.values())
    shares = moved(game.groups.shares, by_label["share"])
    groups = Groups(dict(zip(game.groups.labels, shares.tolist(), strict=True)))
    kept = {type(t): t for t in game.terms} | fresh
    return AlignmentGame(groups, game.agents, list(kept.values()), about=game.about)


def _weighted(game: AlignmentGame, kind: str, value: float) -> Term:
    """Return the term of this kind with its mean weight at `value`."""
    counts = game.agents.counts
    match kind:
        case "attractiveness":
            a = game.term(Attractiveness)
            assert a is not None
            return Attractiveness(a.values, scaled(kind, a.weight, value, counts))
        case "consistency":
            held = next(t for t in game.terms if isinstance(t, Consistency | KLConsistency))
            weight = scaled(kind, held.weight, value, counts)
            if isinstance(held, KLConsistency):
                return KLConsistency(held.anchor, weight)
            return Consistency(held.anchor, weight, held.metric)
        case "diversity":
            d = game.term(Diversity)
            if d is None:
                return Diversity(value)
            return Diversity(scaled(kind, d.weight, value, counts), d.kernel, d.network)
        case _:
            v = game.term(Variety)
            if v is None:
                return Variety(value)
            return Variety(scaled(kind, v.weight, value, counts), v.matrix)


def scaled(kind: str, weight: FloatArray, value: float, counts: NDArray[np.int64]) -> FloatArray:
    """Return a common weight replaced by `value`, or weights per agent scaled to that mean."""
    if weight.ndim == 0 or np.ptp(weight) == 0:
        return np.full(weight.shape, value)
    mean = float(counts @ weight / counts.sum())
    if abs(mean) <= 1e-12 * float(np.abs(weight).max()):
        raise BadInput(
            f"axis {kind}: the agents' weights average 0 and cannot be scaled to a mean; give one "
            "common weight"
        )
    return np.asarray(weight * (value / mean))


def valued(
    values: FloatArray, targets: Mapping[int, float], counts: NDArray[np.int64]
) -> FloatArray:
    """Return appeal with the (mean) appeal of some groups moved to these values."""
    out = np.array(values)
    for k, value in targets.items():
        if out.ndim == 1:
            out[k] = value
        else:
            out[:, k] += value - float(counts @ out[:, k] / counts.sum())
    return out


def moved(
    mixtures: FloatArray, targets: Mapping[int, float] | Mapping[int, FloatArray]
) -> FloatArray:
    """Return mixtures (..., groups) with some weights set and the others scaled to keep sum 1.

    Others that are all 0 share the rest equally.

    Examples
    --------
    >>> moved(np.array([0.5, 0.3, 0.2]), {0: 0.2}).round(12)
    array([0.2 , 0.48, 0.32])
    """
    out = np.array(mixtures)
    rest = np.setdiff1d(np.arange(out.shape[-1]), list(targets))
    left = np.asarray(1.0 - sum(targets.values()))[..., None]
    total = out[..., rest].sum(axis=-1, keepdims=True)
    part = np.where(total > 0, out[..., rest] / np.where(total > 0, total, 1.0), 1.0 / rest.size)
    out[..., rest] = left * part
    for k, value in targets.items():
        out[..., k] = value
    return out


def anchored(term: Consistency | KLConsistency, anchor: FloatArray) -> Term:
    """Return the term with another anchor."""
    if isinstance(term, KLConsistency):
        return KLConsistency(anchor, term.weight)
    return Consistency(anchor, term.weight, term.metric)
