r"""Populations larger than memory: a game file whose arrays are folders of shards.

Agents meet only through the coverage :math:`m` (R10), so one step of Newton's method is a map
over the shards and a sum of K + K² numbers. Rows are read a block at a time, from memory-mapped
.npy files or Parquet, and dropped. `shard_solve.py` finds the equilibrium, `shard_exam.py`
examines what was written.
"""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import Engine, run
from equipoise.equilibrium.shard_rows import BLOCK, Rows, mapped
from equipoise.errors import BadInput
from equipoise.game.affine import AffineForm, affine_form
from equipoise.game.agents import Agents
from equipoise.game.gamefile_arrays import beside
from equipoise.game.gamefile_models import GameModel, read_model
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import parse, read_text
from equipoise.game.groups import Groups
from equipoise.game.terms import (
    Attractiveness,
    Consistency,
    Diversity,
    Subsidy,
    Term,
    Variety,
)

__all__ = ["Block", "Progress", "ShardedGame", "each_shard", "opened"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], None]


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a shard: low..high of it, with their part of the affine form."""

    low: int
    high: int
    form: AffineForm


@final
@dataclass(frozen=True, eq=False)
class ShardedGame:
    r"""An affine game on the default network whose agents lie in shards on the disk.

    The file is an ordinary game file; at least one array is a pattern such as
    `"shards/values-*.npy"`, or `.parquet` with one column per group label (one column for
    weights). All patterns are cut at the same rows; numbers stand for every agent.

    Attributes
    ----------
    path : Path
        The game file.
    groups : Groups
    total : int
        Agents, N.
    lengths : tuple of int
        Rows of every shard.
    rows : dict of field path to Rows
    kernel, metric, matrix, prices : arrays or None
        :math:`S`, :math:`B`, :math:`R`, :math:`\delta`.

    Examples
    --------
    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for j in range(3):
    ...     np.save(folder / f"values-{j}.npy", np.full((4, 2), j / 10) * [1, 2])
    >>> _ = (folder / "game.json").write_text(json.dumps({
    ...     "groups": {"urban": 0.6, "rural": 0.4}, "agents": 12,
    ...     "attractiveness": {"values": "values-*.npy"},
    ...     "consistency": {"anchor": [0.5, 0.5]}, "diversity": {"weight": 0.3}}))
    >>> ShardedGame.load(folder / "game.json")
    ShardedGame(12 agents × 2 groups in 3 shards)
    """

    path: Path
    groups: Groups
    total: int
    lengths: tuple[int, ...]
    rows: dict[str, Rows]
    kernel: FloatArray | None
    metric: FloatArray | None
    matrix: FloatArray | None
    prices: FloatArray | None

    def __repr__(self) -> str:
        shape = f"{self.total} agents × {len(self.groups)} groups"
        return f"ShardedGame({shape} in {len(self.lengths)} shards)"

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ShardedGame:
        """Read a game file whose arrays are shards; no row is read yet.

        Raises
        ------
        BadInput
            Not such a file; shards cut at different rows; a term or a network that agents who
            meet through the coverage alone cannot have.
        MissingExtra
            Parquet without the extra "data".
        """
        path = Path(path)
        with at_field(path.name):
            return _read(path)

    def blocks(self, shard: int, *, check: bool = False) -> Iterator[Block]:
        """Yield the rows of a shard, a block at a time.

        With `check` every number is validated as `AlignmentGame` would (finite, weights >= 0,
        anchors on the simplex); errors name the file.
        """
        takes = {field: rows.open(shard) for field, rows in self.rows.items()}
        length, width = self.lengths[shard], len(self.groups)
        plain = all(m is None for m in (self.kernel, self.metric, self.matrix))
        step = BLOCK if plain else max(1024, BLOCK // width**2)
        for low in range(0, length, step):
            high = min(length, low + step)
            given = {field: take(low, high) for field, take in takes.items()}
            try:
                yield Block(low, high, self._form(given, high - low, check=check))
            except BadInput as error:
                raise BadInput(f"shard {shard + 1}, rows {low}–{high}: {error}") from None

    def sample(self, count: int) -> AffineForm:
        """Return about `count` rows spread over the shards: a guess of the whole."""
        each = max(1, count // len(self.lengths))
        parts: dict[str, list[Any]] = {field: [] for field in self.rows}
        number = 0
        for shard, length in enumerate(self.lengths):
            step = max(1, length // each)
            number += len(range(0, length, step))
            for field, rows in self.rows.items():
                if rows.files and rows.files[shard].suffix == ".npy":
                    parts[field].append(np.asarray(mapped(rows.files[shard])[::step], np.float64))
                elif rows.files:
                    head = rows.open(shard)(0, len(range(0, length, step)))
                    parts[field].append(head)
        given = {
            field: np.concatenate(parts[field]) if parts[field] else rows.common
            for field, rows in self.rows.items()
        }
        return self._form(given, number, check=False)

    def _form(self, given: dict[str, Any], rows: int, *, check: bool) -> AffineForm:
        """Return the affine form of some rows; `agents` counts these rows, not the population."""
        agents = Agents(rows)
        terms: list[Term] = []
        if "attractiveness.values" in given:
            terms.append(
                Attractiveness(given["attractiveness.values"], given["attractiveness.weight"])
            )
        if "consistency.anchor" in given:
            terms.append(
                Consistency(given["consistency.anchor"], given["consistency.weight"], self.metric)
            )
        if "variety.weight" in given:
            terms.append(Variety(given["variety.weight"], self.matrix))
        if "diversity.weight" in given:
            terms.append(Diversity(given["diversity.weight"], self.kernel))
        if self.prices is not None:
            terms.append(Subsidy(self.prices))
        if check:
            for term in terms:
                term.check(self.groups, agents)
        form = affine_form(tuple(terms), len(self.groups), agents)
        assert form is not None
        return form


def opened(path: str) -> ShardedGame:
    """Return the game of a file, read once as long as the file stays the same."""
    return _opened(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _opened(path: str, changed: int) -> ShardedGame:
    return ShardedGame.load(path)


def each_shard(
    game: ShardedGame,
    work: Callable[..., Mapping[str, Any]],
    more: dict[str, Any],
    engine: Engine | None,
    tell: Progress,
    what: str,
) -> Iterator[Mapping[str, Any]]:
    """Yield `work(game=…, shard=…, **more)` in shard order: here, or on an engine."""
    pieces = [{"game": str(game.path), "shard": j, **more} for j in range(len(game.lengths))]
    if engine is not None:
        for _, arrays in run(engine, work, pieces, progress=tell, what=what):
            yield arrays
        return
    for number, piece in enumerate(pieces, start=1):
        yield work(**piece)
        tell(number, len(pieces), what)


def _read(path: Path) -> ShardedGame:
    kind = path.suffix.lower()
    if kind not in (".json", ".toml"):
        raise BadInput("a game file ends in .json or .toml; rename it")
    data = parse(read_text(path), kind)
    model = read_model(_as_npy(data))
    groups = Groups(model.groups)
    _check_terms(model)
    if not isinstance(model.agents, int):
        raise BadInput("agents: a game in shards has a number of agents; write it, e.g. 100000000")
    rows = {
        field: _rows(path.parent, field, value, columns, data)
        for field, value, columns in _fields(model, groups)
    }
    lengths = _cuts(rows)
    if sum(lengths) != model.agents:
        raise BadInput(f"agents: {model.agents} are named, but the shards have {sum(lengths)} rows")
    if model.agents < 2:
        raise BadInput("agents: a game in shards needs at least two agents")

    def once(field: str, value: Any) -> FloatArray | None:
        found = _rows(path.parent, field, value, (), {}).common
        return None if found is None else np.asarray(found, dtype=np.float64)

    c, d, v, s = model.consistency, model.diversity, model.variety, model.subsidy
    return ShardedGame(
        path=path.resolve(),
        groups=groups,
        total=model.agents,
        lengths=lengths,
        rows=rows,
        kernel=once("diversity.kernel", d.kernel if d else None),
        metric=once("consistency.metric", c.metric if c else None),
        matrix=once("variety.matrix", v.matrix if v else None),
        prices=once("subsidy.prices", s.prices if s else None),
    )


def _as_npy(value: Any) -> Any:
    """Return the data with Parquet paths named .npy: the model of a game file knows only those."""
    value = copy.deepcopy(value)
    for section in value.values() if isinstance(value, dict) else ():
        for key, text in section.items() if isinstance(section, dict) else ():
            if isinstance(text, str) and text.endswith(".parquet"):
                section[key] = text.removesuffix(".parquet") + ".npy"
    return value


def _check_terms(model: GameModel) -> None:
    if model.consistency is not None and model.consistency.form != "quadratic":
        raise BadInput("consistency.form: shards need the quadratic form; use types with counts")
    if model.audience_share is not None and model.audience_share.weight != 0:
        raise BadInput("audience_share: shards have no audience share; use types with counts")
    if model.diversity is not None and model.diversity.network is not None:
        raise BadInput("diversity.network: agents in shards meet everybody; remove it")
    if model.draws is not None:
        raise BadInput("draws: a game in shards takes no draws; remove them")


def _fields(model: GameModel, groups: Groups) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    if (a := model.attractiveness) is not None:
        yield "attractiveness.values", a.values, groups.labels
        yield "attractiveness.weight", a.weight, ()
    if (c := model.consistency) is not None:
        yield "consistency.anchor", c.anchor, groups.labels
        yield "consistency.weight", c.weight, ()
    if (v := model.variety) is not None:
        yield "variety.weight", v.weight, ()
    if (d := model.diversity) is not None:
        yield "diversity.weight", d.weight, ()


def _rows(
    folder: Path, field: str, value: Any, columns: tuple[str, ...], data: dict[str, Any]
) -> Rows:
    if not isinstance(value, str):
        return Rows(field, (), value, columns)
    section, key = field.split(".")
    name = data.get(section, {}).get(key, value)
    with at_field(field):
        files = beside(folder, name)
    if "*" in name:
        return Rows(field, tuple(files), None, columns)
    array = np.asarray(mapped(files[0]), dtype=np.float64)
    if len(array) > 10_000:
        raise BadInput(f'{field}: write the agents\' rows as shards too, e.g. "{key}-*.npy"')
    return Rows(field, (), array, columns)


def _cuts(rows: dict[str, Rows]) -> tuple[int, ...]:
    cuts = {}
    for field, row in rows.items():
        if row.files:
            cuts[field] = row.lengths()
        elif np.ndim(row.common) > (1 if row.columns else 0):
            raise BadInput(f"{field}: give one row for everybody, or shards")
    if not cuts:
        raise BadInput('no array is a pattern such as "shards/values-*.npy"; use `load_game`')
    (first, lengths), *others = cuts.items()
    for field, other in others:
        if other != lengths:
            raise BadInput(
                f"{field}: its files have {list(other)[:5]} rows, those of {first} "
                f"{list(lengths)[:5]}; cut all sharded arrays at the same rows"
            )
    if not all(lengths):
        raise BadInput(f"{first}: shard {lengths.index(0) + 1} is empty; remove it")
    return lengths
