"""What theory says of the loop: rules read off a game, the game of given laws, plans applied.

This file knows the terms; the loop (`loop`, `learners`, `rules`, `laws`, `exact`) does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
)
from equipoise.inclusion.lever_weights import AttractivenessCap, DiversityWeight
from equipoise.inclusion.plan import Plan
from equipoise.inclusion.priced_game import with_prices
from equipoise.simulate.exact import agreement_with
from equipoise.simulate.laws import PostLaws
from equipoise.simulate.loop import overlap
from equipoise.simulate.rules import Rules

__all__ = ["Change", "change_of", "change_of_plan", "game_of", "measured_on", "rules_of"]

FloatArray = NDArray[np.float64]

MOST_AGENTS = 100_000

SAME_GAME = 1e-4
"""Coverage before a plan may differ from this study's by so much and still be of the same game."""


@final
@dataclass(frozen=True, eq=False)
class Change:
    """A plan as the loop needs it.

    Attributes
    ----------
    lever : str
    game : AlignmentGame
        The changed game, in which theory predicts what follows.
    audience : (K,) array
        Shares of the audience under the plan.
    floors : mapping of group to float
        Least coverage promised, where the plan says so.
    change : mapping
        The change by label, as the plan has it.
    note : str
        What to say of a plan that does not quite fit; empty otherwise.
    """

    lever: str
    game: AlignmentGame
    audience: FloatArray
    floors: Mapping[str, float]
    change: Mapping[str, Any]
    note: str = ""


def rules_of(game: AlignmentGame, audience: FloatArray | None = None) -> Rules:
    """Return the rules under which agents play, one row per agent.

    Raises
    ------
    BadInput
        A term that the loop has no counterpart of, no consistency, too many agents.
    """
    kinds = (Attractiveness, Consistency, KLConsistency, Diversity, Subsidy)
    for term in game.live:
        if not isinstance(term, kinds):
            raise BadInput(
                f"simulate: the loop has no {type(term).field}; leave it out of the game"
            )
    n, counts = game.agents.total, game.agents.counts
    if n > MOST_AGENTS:
        raise BadInput(f"simulate: {n:,} agents are too many; at most {MOST_AGENTS:,}, one by one")

    def rows(value: Any) -> FloatArray:
        array = np.broadcast_to(np.asarray(value, np.float64), (len(counts),))
        return np.repeat(array, counts)

    held = game.term(KLConsistency) or game.term(Consistency)
    if held is None:
        raise BadInput("simulate: the game has no consistency term; raise game.consistency")
    if isinstance(held, Consistency) and held.metric is not None:
        raise BadInput("simulate: agents know no consistency.metric; leave it out of the game")
    drawn, apart, paid = game.term(Attractiveness), game.term(Diversity), game.term(Subsidy)
    if apart is not None and apart.network is not None:
        raise BadInput("simulate: everybody reads everybody; leave diversity.network out")
    k = len(game.groups)
    anchor = np.repeat(np.broadcast_to(held.anchor, (len(counts), k)), counts, axis=0)
    return Rules(
        rows(0.0 if drawn is None else drawn.weight),
        rows(held.weight),
        rows(0.0 if apart is None else apart.weight),
        anchor,
        np.zeros(k) if paid is None else np.asarray(paid.prices),
        np.asarray(game.groups.shares if audience is None else audience),
        "kl" if isinstance(held, KLConsistency) else "quadratic",
        marked=apart is not None and apart.kernel is None,
    )


def game_of(rules: Rules, laws: PostLaws, people: FloatArray, like: AlignmentGame) -> AlignmentGame:
    """Return the game that the loop plays when agents speak by these laws (theory section 7).

    Parameters
    ----------
    rules : Rules
    laws : PostLaws
        Of the agents' models.
    people : (K, Q, C) array
        Answer shares of those who read.
    like : AlignmentGame
        Gives groups and agents.
    """
    counts = like.agents.counts
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    held = KLConsistency if rules.form == "kl" else Consistency
    kernel = None if rules.marked else overlap(laws, rules)
    return AlignmentGame(like.groups, like.agents, [
        Attractiveness(rules.audience @ agreement_with(people, laws), rules.attraction[first]),
        held(rules.anchor[first], rules.pull[first]),
        Diversity(rules.apart[first], kernel),
        Subsidy(rules.prices),
    ])  # fmt: skip


def measured_on(laws: PostLaws, people: FloatArray, game: AlignmentGame) -> AlignmentGame:
    """Return a game with appeal and overlap of what the models say, in place of the people's.

    Parameters
    ----------
    laws : PostLaws
        Of the agents' models.
    people : (K, Q, C) array
        Answer shares of those who read.
    game : AlignmentGame
        Everything else is its.
    """
    terms: list[Any] = []
    drawn, apart = game.term(Attractiveness), game.term(Diversity)
    if drawn is not None:
        appeal = game.groups.shares @ agreement_with(people, laws)
        terms.append(Attractiveness(appeal, drawn.weight))
    if apart is not None and apart.kernel is not None:
        terms.append(Diversity(apart.weight, laws.kernel(), apart.network))
    return game.replace(*terms)


def change_of_plan(plan: Plan) -> Change:
    """Return a plan of `steer` as the loop needs it."""
    before, after = plan.before.game, plan.game
    floors = plan.goal.floor_array(before)
    labels = before.groups.labels
    return Change(
        plan.lever.name, _same_agents(before, after), _audience(before, plan.change),
        {g: float(f) for g, f in zip(labels, floors, strict=True) if f > 0}, dict(plan.change),
    )  # fmt: skip


def change_of(data: Any, game: AlignmentGame, agreement: FloatArray) -> Change:
    """Return the plan in the JSON object of `equipoise steer --json`, applied to a game.

    Parameters
    ----------
    data : mapping
        What the command printed.
    game : AlignmentGame
        The game as it is.
    agreement : (K, K) array
        How group j agrees with posts for group k: needed for the audience lever.

    Raises
    ------
    BadInput
        It is no plan, or one the loop cannot carry out (entry, several levers together).
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("lever"), str):
        raise BadInput('plan: this is no plan; write one with "equipoise steer GAME --json"')
    lever, change, labels = data["lever"], data.get("change"), game.groups.labels
    if not isinstance(change, Mapping):
        raise BadInput('plan.change: it is missing; write the plan with "equipoise steer --json"')
    after = _applied(lever, change, data.get("setting"), game, agreement)
    floors = data.get("floors")
    told = {} if not isinstance(floors, Mapping) else floors
    for group in told:
        game.groups.index(group)
    note = ""
    was = data.get("before")
    coverage = was.get("coverage") if isinstance(was, Mapping) else None
    if isinstance(coverage, Mapping) and set(coverage) == set(labels):
        now = solve(game, starts=0).profile.coverage
        if np.abs(now - np.array([float(coverage[g]) for g in labels])).max() > SAME_GAME:
            note = "the plan was made for another game: its floors are not promised here"
    promised = {str(g): _number(f'floors, "{g}"', f) for g, f in told.items()}
    heard = _audience(game, change if lever == "audience" else {})
    return Change(lever, after, heard, promised, dict(change), note)


def _applied(
    lever: str, change: Mapping[str, Any], setting: Any, game: AlignmentGame, agreement: FloatArray
) -> AlignmentGame:
    k, labels = len(game.groups), game.groups.labels
    match lever:
        case "prices":
            prices = np.zeros(k)
            for group, price in change.items():
                prices[game.groups.index(group)] = _number(f'change, "{group}"', price)
            return with_prices(game, prices)
        case "anchors":
            held = game.term(KLConsistency) or game.term(Consistency)
            if held is None:
                raise BadInput("plan: anchors: no agent is held to one; add a consistency term")
            rows = np.broadcast_to(held.anchor, (len(game.agents), k)).copy()
            for agent, by_group in change.items():
                if not isinstance(by_group, Mapping):
                    raise BadInput(f'plan.change, "{agent}": write groups with from and to')
                row = game.agents.index(agent)
                for group, move in by_group.items():
                    rows[row, game.groups.index(group)] = _to(f'change, "{agent}"', move)
            rows = np.maximum(rows, 0.0)
            rows /= rows.sum(axis=1, keepdims=True)
            return game.replace(type(held)(rows, held.weight))
        case "audience":
            shift = _audience(game, change) - game.groups.shares
            term = game.term(Attractiveness)
            if term is None:
                raise BadInput("plan: audience: no agent is paid for attractiveness")
            return game.replace(Attractiveness(term.values + shift @ agreement, term.weight))
        case "diversity" | "caps":
            try:
                sizes = np.array([float(one) for one in setting])
            except (TypeError, ValueError):
                raise BadInput("plan.setting: write the list of numbers steer printed") from None
            common = sizes.size == 1
            if lever == "diversity":
                return DiversityWeight(common=common).apply(game, sizes)
            return AttractivenessCap(common=common).apply(game, sizes)
        case _:
            raise BadInput(
                f'plan.lever: "{lever}" cannot be simulated; make the plan with one of prices, '
                f"anchors, audience, diversity, caps (groups: {', '.join(labels)})"
            )


def _audience(game: AlignmentGame, change: Mapping[str, Any]) -> FloatArray:
    """Return the shares of the audience after a change of the audience lever."""
    shares = game.groups.shares.copy()
    for group, move in change.items():
        if group in game.groups.labels and isinstance(move, Mapping) and "to" in move:
            shares[game.groups.index(group)] = _to(f'change, "{group}"', move)
    return shares


def _same_agents(before: AlignmentGame, after: AlignmentGame) -> AlignmentGame:
    if after.agents.total != before.agents.total:
        raise BadInput(
            "plan: a plan that brings in a new agent cannot be simulated; use another lever"
        )
    return after


def _to(where: str, move: Any) -> float:
    if not isinstance(move, Mapping):
        raise BadInput(f'plan.{where}: write {{"from": …, "to": …}}')
    return _number(where, move.get("to"))


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise BadInput(f"plan.{where}: got {value!r}; write a number")
    return float(value)
