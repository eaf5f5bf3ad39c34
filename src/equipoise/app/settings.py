"""What the page has moved away from the game it opened, read strictly, and the game that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.app.json_numbers import number
from equipoise.app.source import Source
from equipoise.errors import BadInput, nearest
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.groups import Groups
from equipoise.game.terms import Attractiveness, Consistency, KLConsistency, Subsidy, Term
from equipoise.inclusion.map_axes import WEIGHTS, anchored, game_at
from equipoise.panels.agreement import appeal

__all__ = ["Settings", "draws_at", "game_at_settings"]

FloatArray = NDArray[np.float64]

LARGEST = 1e9
LEAST_SHARE = 1e-6


@final
@dataclass(frozen=True, eq=False)
class Settings:
    """What is not as in the opened game; everything absent is as it was.

    Parameters
    ----------
    weights : mapping of incentive to mean weight
    prices, shares : (groups,) array or None
    below : float
        Exclusion threshold on top weight.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    prices: FloatArray | None = None
    shares: FloatArray | None = None
    below: float = 0.0

    @classmethod
    def read(cls, given: Any, groups: int) -> Settings:
        """Read what a page or a link sent.

        Raises
        ------
        BadInput
            One sentence: the field, what is wrong, what to write instead.

        Examples
        --------
        >>> Settings.read({"weights": {"diversity": -0.5}, "below": 0.02}, 3).below
        0.02
        """
        known = ("weights", "prices", "shares", "below")
        for key in _table("set", given):
            if key not in known:
                raise BadInput(f'set: there is no key "{key}"; {nearest(str(key), known)}')
        weights = {}
        for name, value in _table("set.weights", given.get("weights") or {}).items():
            if name not in WEIGHTS:
                raise BadInput(
                    f'set.weights: there is no weight "{name}"; {nearest(str(name), WEIGHTS)}'
                )
            weights[name] = _number(f"set.weights.{name}", value)
            if name != "diversity" and weights[name] < 0:
                raise BadInput(f"set.weights.{name}: it is negative; write a weight >= 0")
        shares = _numbers("set.shares", given.get("shares"), groups)
        if shares is not None:
            if (shares < 0).any() or shares.sum() <= 0:
                raise BadInput("set.shares: a share is negative or all are 0; write shares above 0")
            shares = np.maximum(shares / shares.sum(), LEAST_SHARE)
            shares = shares / shares.sum()
        below = _number("set.below", given.get("below", 0.0))
        if not 0 <= below < 1:
            raise BadInput(f"set.below: {below:g} is not a weight; write a number from 0 up to 1")
        return cls(weights, _numbers("set.prices", given.get("prices"), groups), shares, below)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `read` takes back."""
        return {
            "weights": dict(self.weights),
            "prices": None if self.prices is None else self.prices.tolist(),
            "shares": None if self.shares is None else self.shares.tolist(),
            "below": self.below,
        }


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadInput(f"{name}: it must be an object with keys; write {{}}")
    return given


def _number(name: str, given: Any) -> float:
    value = number(name, given)
    if abs(value) > LARGEST:
        raise BadInput(f"{name}: write a finite number up to {LARGEST:g}")
    return value


def _numbers(name: str, given: Any, groups: int) -> FloatArray | None:
    if given is None:
        return None
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise BadInput(f"{name}: it is not a list; write one number per group")
    if len(given) != groups:
        raise BadInput(f"{name}: got {len(given)} numbers for {groups} groups; write one per group")
    return np.array([_number(f"{name}[{k}]", value) for k, value in enumerate(given)])


def game_at_settings(source: Source, settings: Settings) -> AlignmentGame:
    """Return the opened game with these settings.

    Where people were asked, appeal follows the shares (a_k = Σ_j m_j E_jk), and an anchor at the
    public's shares follows them, too. Elsewhere a share changes the public only.
    """
    game = game_at(source.game, settings.weights) if settings.weights else source.game
    fresh: list[Term] = []
    if settings.prices is not None:
        fresh.append(Subsidy(settings.prices))
    if settings.shares is None:
        return game.replace(*fresh) if fresh else game
    labels = game.groups.labels
    groups = Groups(dict(zip(labels, settings.shares.tolist(), strict=True)))
    drawn = game.term(Attractiveness)
    if source.answers is not None and drawn is not None:
        fresh.append(Attractiveness(appeal(source.answers.shares, settings.shares), drawn.weight))
    if source.anchor_is_shares:
        held = game.term(Consistency) or game.term(KLConsistency)
        if held is not None:
            fresh.append(anchored(held, settings.shares))
    terms = {type(term): term for term in (*game.terms, *fresh)}
    return AlignmentGame(groups, game.agents, list(terms.values()), about=game.about)


def draws_at(source: Source, settings: Settings, most: int) -> dict[str, FloatArray]:
    """Return the first joint draws by field path at these settings.

    Shares that were set are what they were set to in every draw; appeal is measured against them.
    """
    draws = {key: array[:most] for key, array in source.draws.items()}
    for name in settings.weights:
        draws.pop(f"{name}.weight", None)
    if settings.prices is not None:
        draws.pop("subsidy.prices", None)
    if settings.shares is not None and draws:
        draws.pop("groups", None)
        if source.anchor_is_shares:
            draws.pop("consistency.anchor", None)
        if source.drawn_answers is not None:
            draws["attractiveness.values"] = appeal(source.drawn_answers[:most], settings.shares)
    return draws
