"""Maps on an engine: chunks of cells, and chunks of draws, as pieces of work.

A piece carries its game as JSON, or as a path and a sha256 where that is large; its result
depends on nothing else, so bytes are the same wherever and in whatever order pieces run.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.engine import ChunkStore, Engine, Here, run
from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games, game_from_dict, game_to_dict, load_game, save_game
from equipoise.inclusion.map_axes import Axis
from equipoise.inclusion.map_batch import CellResults, solve_cells
from equipoise.inclusion.map_cells import family
from equipoise.inclusion.map_each import Points, chunks, solve_grid, solve_points
from equipoise.inclusion.map_result import DrawnMap
from equipoise.inclusion.map_status import Status, left_out

__all__ = ["Hands", "columns_of", "map_draws", "map_points"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], None]

INLINE = 100_000
"""Longer JSON goes by path."""


@final
@dataclass(eq=False)
class Hands:
    """Where pieces run, where finished ones wait, and where large inputs lie."""

    engine: Engine | None = None
    store: ChunkStore | None = None
    progress: Progress | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, init=False)

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def inputs(self) -> Path:
        """Return the folder of large inputs; on a cluster all nodes must see it."""
        if self.store is None:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="equipoise-")
            return Path(self._folder.name)
        folder = self.store.folder.resolve() / "inputs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def game(self, game: AlignmentGame) -> dict[str, str]:
        """Return a game as an argument of pieces."""
        plain = AlignmentGame(game.groups, game.agents, game.terms)
        text = _text(plain)
        if len(text) <= INLINE:
            return {"json": text}
        digest = hashlib.sha256(text.encode()).hexdigest()
        path = self.inputs() / f"game-{digest[:16]}.json"
        save_game(plain, path)
        return {"path": str(path), "sha256": digest}

    def array(self, array: FloatArray) -> dict[str, Any]:
        """Return an array as an argument of pieces."""
        if array.size * 20 <= INLINE:
            return {"rows": array.tolist()}
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        path = self.inputs() / f"{digest[:16]}.npy"
        path.write_bytes(buffer.getvalue())
        return {"path": str(path), "sha256": digest}

    def run(
        self,
        work: Callable[..., Mapping[str, Any]],
        pieces: Sequence[Mapping[str, Any]],
        progress: Progress | None,
        what: str,
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield what every piece came to, in their order."""
        engine = self.engine or Here()
        found = run(engine, work, pieces, store=self.store, progress=progress, what=what)
        return (arrays for _, arrays in found)


def columns_of(axes: Sequence[Axis]) -> dict[str, FloatArray]:
    """Return the value of every axis (x first) in every cell, x fastest."""
    grids = np.meshgrid(*(one.values for one in reversed(axes)), indexing="ij")
    return {one.name: grid.ravel() for one, grid in zip(reversed(axes), grids, strict=True)}


def map_points(
    game: AlignmentGame, names: Sequence[str], cells: int, hands: Hands
) -> Callable[[Points], CellResults]:
    """Return what solves cells of a game in pieces; `cells` is how many the whole map has."""
    given, solved = hands.game(game), 0

    def ask(points: Points) -> CellResults:
        nonlocal solved
        parts = chunks(points)
        ends = np.cumsum([0, *(len(part) for part in parts)])

        def tell(done: int, total: int, what: str) -> None:
            if hands.progress is not None:
                hands.progress(solved + int(ends[done]), cells, "cells")

        pieces = [{"game": given, "names": list(names), "points": part} for part in parts]
        found = list(hands.run(cells_piece, pieces, tell, "chunks of cells"))
        solved += len(points)
        return CellResults(
            *(
                np.concatenate([part[key] for part in found])
                for key in ("top_weight", "coverage", "relative_gap", "status")
            )
        )

    return ask


def cells_piece(game: dict[str, str], names: list[str], points: Points) -> dict[str, Any]:
    """Solve one chunk of cells."""
    return vars(solve_points(_game(**game), names, points))


def map_draws(
    game: AlignmentGame,
    axes: Sequence[Axis],
    below: float,
    fields: Mapping[str, FloatArray],
    refine: int,
    hands: Hands,
) -> DrawnMap:
    """Make the map of every draw and keep what is asked of it.

    Raises
    ------
    BadInput
        No draw, or one that is no game; it is named.
    """
    alike = [family(one) is not None for one in drawn_games(game, fields)]
    total = len(alike)
    if total == 0:
        raise BadInput("draws: there is none; give at least one, or leave them out")
    # A map of identical agents takes little: more of them a piece.
    step = -(-total // (32 if all(alike) else 256))
    ends = [*range(step, total, step), total]
    given, sides = hands.game(game), [[one.name, one.values.tolist()] for one in axes]
    pieces = [
        {
            "game": given,
            "axes": sides,
            "below": below,
            "refine": refine,
            "fields": {
                name: hands.array(np.asarray(array[low:high])) for name, array in fields.items()
            },
        }
        for low, high in zip([0, *ends[:-1]], ends, strict=True)
    ]

    def tell(done: int, _: int, what: str) -> None:
        if hands.progress is not None:
            hands.progress(min(total, done * step), total, "draws")

    shape = (*(len(one) for one in reversed(axes)), len(game.groups))
    counts, worst, failed = np.zeros(shape, dtype=np.int64), 0.0, 0
    share, anywhere = [], []
    for part in hands.run(draws_piece, pieces, tell, "chunks of draws"):
        counts += part["counts"].reshape(shape)
        share.append(part["share"])
        anywhere.append(part["anywhere"])
        worst, failed = max(worst, float(part["worst"])), failed + int(part["failed"])
    return DrawnMap(
        total, counts / total, np.concatenate(share), np.concatenate(anywhere), worst, failed
    )


def draws_piece(
    game: dict[str, str],
    axes: list[tuple[str, list[float]]],
    below: float,
    refine: int,
    fields: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """Make the maps of some draws; return in how many each group is excluded, and where."""
    whole, sides = _game(**game), [Axis(name, values) for name, values in axes]
    columns, names, k = columns_of(sides), [one.name for one in reversed(sides)], len(whole.groups)
    counts = np.zeros((len(columns[names[0]]), k), dtype=np.uint32)
    share, anywhere, worst, failed = [], [], 0.0, 0
    for one in drawn_games(whole, {name: _array(**given) for name, given in fields.items()}):
        kin = family(one)
        if kin is None:
            ask = functools.partial(_points_here, one, names)
            found, out = solve_grid(k, sides[::-1], below, refine, ask)
        else:
            found = solve_cells(one, kin, columns)
            out = left_out(found.top_weight, below)
        counts += out
        share.append(out.mean(axis=0))
        anywhere.append(out.any(axis=1).mean())
        worst = max(worst, float(np.nanmax(found.relative_gap)))
        failed += int((found.status == Status.failed).sum())
    return {
        "counts": counts, "share": np.array(share), "anywhere": np.array(anywhere),
        "worst": np.float64(worst), "failed": np.int64(failed),
    }  # fmt: skip


def _points_here(game: AlignmentGame, names: Sequence[str], points: Points) -> CellResults:
    found = [vars(solve_points(game, names, part)) for part in chunks(points)]
    return CellResults(**{key: np.concatenate([part[key] for part in found]) for key in found[0]})


def _text(game: AlignmentGame) -> str:
    return json.dumps(game_to_dict(game), separators=(",", ":"))


@functools.lru_cache(maxsize=2)
def _game(*, json: str = "", path: str = "", sha256: str = "") -> AlignmentGame:
    if json:
        return game_from_dict(_loads(json))
    _seen(path)
    game = load_game(path)
    if hashlib.sha256(_text(game).encode()).hexdigest() != sha256:
        raise BadInput(f"{path}: it was changed while the map was made; start the map again")
    return game


def _loads(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _array(*, rows: Any = None, path: str = "", sha256: str = "") -> FloatArray:
    if rows is not None:
        return np.array(rows, dtype=np.float64)
    _seen(path)
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInput(f"{path}: it was changed while the map was made; start the map again")
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def _seen(path: str) -> None:
    if not Path(path).is_file():
        raise BadInput(f"{path}: a worker does not see it; put --out on a disk all nodes share")
