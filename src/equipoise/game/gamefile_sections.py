"""A game as the plain dictionary of a game file, in both directions.

Reading starts from the checked model of the file; writing gives only what a file can hold.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile_arrays import read_arrays
from equipoise.game.gamefile_models import GameModel, read_model
from equipoise.game.groups import Groups
from equipoise.game.network import Network
from equipoise.game.terms import (
    Attractiveness,
    AudienceShare,
    Consistency,
    Diversity,
    KLConsistency,
    Subsidy,
    Term,
    Variety,
)

__all__ = ["at_field", "game_from_dict", "game_to_dict"]


@contextlib.contextmanager
def at_field(where: str) -> Iterator[None]:
    """Put `where` in front of the sentence of a `BadInput` raised inside."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}: {str(error).removeprefix(where + ': ')}") from None


def game_from_dict(data: Mapping[str, Any], *, folder: Path | None = None) -> AlignmentGame:
    """Return the game of a dictionary with the keys of a game file.

    Parameters
    ----------
    data : mapping
        Plain dicts, lists, texts and numbers.
    folder : Path, optional
        Where paths of .npy files lie; without it a path is refused.

    Raises
    ------
    BadInput
        As `load_game`.

    Examples
    --------
    >>> game_from_dict({"groups": {"left": 0.5, "right": 0.5}, "agents": ["model-a"],
    ...                 "attractiveness": {"values": [1, 0]}})
    AlignmentGame(1 agents × 2 groups; Attractiveness)
    """
    model = read_model(data)
    agents = Agents(model.agents)
    reader = _Arrays(folder)
    terms = list(_terms(model, agents, reader))
    reader.check_shards()
    game = AlignmentGame(Groups(model.groups), agents, terms, about=model.about)
    return AlignmentGame(
        game.groups, agents, [term for term in terms if not _says_nothing(term)], about=model.about
    )


def game_to_dict(game: AlignmentGame) -> dict[str, Any]:
    """Return the dictionary of a game file, all numbers inline; null keys are left out.

    Examples
    --------
    >>> game_to_dict(AlignmentGame(Groups(["left"]), 2, [Diversity(0.3)]))
    {'groups': {'left': 1.0}, 'agents': 2, 'diversity': {'weight': 0.3}}
    """
    agents: Any = game.agents.total
    if game.agents.names is not None:
        agents = list(game.agents.names)
        if game.agents.typed:
            agents = dict(zip(agents, game.agents.counts.tolist(), strict=True))
    out: dict[str, Any] = {"groups": game.groups.to_dict(), "agents": agents}
    sections = {term.field: term for term in game.terms if not _says_nothing(term)}
    for field in GameModel.model_fields:
        if field in sections:
            out[field] = _section(sections[field], game.agents)
    if game.about:
        out["about"] = _about(dict(game.about), "about")
    return out


class _Arrays:
    """Numbers or a path -> numbers, remembering how shards were cut."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.cuts: dict[str, tuple[int, ...]] = {}

    def __call__(self, field: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        with at_field(field):
            array, cut = read_arrays(self.folder, value)
        if cut:
            self.cuts[field] = cut
        return array

    def square(self, field: str, value: Any, groups: int) -> Any:
        """Read a matrix over groups, and say it in full where it is of another size."""
        array = self(field, value)
        shape = np.shape(array)
        if len(shape) == 2 and shape[0] == shape[1] != groups:
            raise BadInput(
                f"{field}: it is {shape[0]} × {shape[1]}, but there are {groups} groups, so it "
                f"must be {groups} × {groups}"
            )
        return array

    def check_shards(self) -> None:
        if len(set(self.cuts.values())) > 1:
            (a, cut_a), (b, cut_b) = next(
                (x, y) for x in self.cuts.items() for y in self.cuts.items() if x[1] != y[1]
            )
            raise BadInput(
                f"{b}: its files have {list(cut_b)[:5]} rows, those of {a} {list(cut_a)[:5]}; "
                "cut all sharded arrays at the same rows"
            )


def _terms(model: GameModel, agents: Agents, read: _Arrays) -> Iterator[Term]:
    k = len(model.groups)
    if (a := model.attractiveness) is not None:
        yield Attractiveness(
            read("attractiveness.values", a.values), read("attractiveness.weight", a.weight)
        )
    if (c := model.consistency) is not None:
        anchor = read("consistency.anchor", c.anchor)
        weight = read("consistency.weight", c.weight)
        if c.form == "quadratic":
            yield Consistency(anchor, weight, read.square("consistency.metric", c.metric, k))
        elif c.metric is None:
            yield KLConsistency(anchor, weight)
        else:
            raise BadInput('consistency.metric: the form "kl" takes no metric; remove one of them')
    if (d := model.diversity) is not None:
        links = read("diversity.network", d.network)
        network = None if links is None else _network(links, agents, d.directed)
        if d.directed and network is None:
            raise BadInput("diversity.directed: there is no network; remove it or add one")
        yield Diversity(
            read("diversity.weight", d.weight),
            read.square("diversity.kernel", d.kernel, k),
            network,
        )
    if (v := model.variety) is not None:
        yield Variety(read("variety.weight", v.weight), read.square("variety.matrix", v.matrix, k))
    if model.audience_share is not None:
        yield AudienceShare(read("audience_share.weight", model.audience_share.weight))
    if model.subsidy is not None:
        yield Subsidy(read("subsidy.prices", model.subsidy.prices))


def _network(links: Any, agents: Agents, directed: bool) -> Network:
    edges = links
    if not isinstance(links, np.ndarray):
        edges = []
        for number, (i, j, weight) in enumerate(links):
            with at_field(f"diversity.network[{number}]"):
                edges.append((_row(i, agents), _row(j, agents), float(weight)))
    try:
        return Network(len(agents), edges, directed=directed)
    except BadInput as error:
        raise BadInput(f"diversity.{error}") from None


def _row(agent: int | str, agents: Agents) -> int:
    if isinstance(agent, int) and not 0 <= agent < len(agents):
        raise BadInput(
            f"there is no row {agent}; the {len(agents)} agents have rows 0 to {len(agents) - 1}"
        )
    return agents.index(agent)


def _says_nothing(term: Term) -> bool:
    match term:
        case Subsidy():
            return not term.prices.any()
        case AudienceShare():
            return not term.weight.any()
        case Variety():
            return term.matrix is None and not term.weight.any()
        case Diversity():
            return term.kernel is None and term.network is None and not term.weight.any()
        case _:
            return False


def _section(term: Term, agents: Agents) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key in (field.name for field in fields(term)):
        value = getattr(term, key)
        if isinstance(value, np.ndarray):
            out[key] = value.tolist()
        elif isinstance(value, Network):
            i, j, weight = value.edges()
            once = slice(None) if value.directed else i < j
            name = agents.names.__getitem__ if agents.names is not None else int
            out[key] = [
                [name(a), name(b), float(w)]
                for a, b, w in zip(
                    i[once].tolist(), j[once].tolist(), weight[once].tolist(), strict=True
                )
            ]
            if value.directed:
                out["directed"] = True
    if isinstance(term, KLConsistency):
        out["form"] = "kl"
    return out


def _about(value: Any, where: str) -> Any:
    """Return a copy of `about` made of plain values, or say which part is not plain."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise BadInput(f"{where}: the key {key!r} is not text; use texts as keys")
        return {key: _about(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_about(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and not np.isfinite(value):
        raise BadInput(f"{where}: {value} is not a finite number; replace it")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadInput(f"{where}: {type(value).__name__} cannot be written; use numbers and texts")
