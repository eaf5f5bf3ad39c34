"""The game file: a game as JSON or TOML, the same keys in both, read strictly, written exactly.

A file holds `groups` and `agents`, one section per term, `draws` (a path) and `about` (free).
Where numbers are expected a text is the path of a .npy file in the file's own folder. What is
wrong with a file is one sentence that starts with the path of the field.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile_arrays import read_draws_file
from equipoise.game.gamefile_models import read_model, schema
from equipoise.game.gamefile_sections import at_field, game_from_dict, game_to_dict
from equipoise.game.gamefile_text import parse, read_text, to_json, to_toml
from equipoise.game.groups import Groups

__all__ = [
    "DRAWN",
    "drawn_games",
    "game_from_dict",
    "game_to_dict",
    "load_draws",
    "load_game",
    "save_game",
    "schema",
]

FloatArray = NDArray[np.float64]

DRAWN = (
    "groups",
    "attractiveness.values",
    "attractiveness.weight",
    "consistency.anchor",
    "consistency.weight",
    "consistency.metric",
    "diversity.weight",
    "diversity.kernel",
    "variety.weight",
    "variety.matrix",
    "audience_share.weight",
    "subsidy.prices",
)
"""Fields that may have joint draws, by their path; `groups` means the shares."""

INLINE_ENTRIES = 10_000
"""`save_game` puts a larger array into a .npy file beside the game file."""


def load_game(path: str | os.PathLike[str]) -> AlignmentGame:
    r"""Return the game of a JSON or TOML file.

    Parameters
    ----------
    path : path
        A file that ends in .json or .toml.

    Returns
    -------
    AlignmentGame
        Sections whose weights (or prices) are all zero and that say nothing else are left out.

    Raises
    ------
    BadInput
        One sentence: the file, the path of the field, what is wrong, what to write instead.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "game.toml"
    >>> _ = path.write_text('agents = 2\n[groups]\nurban = 0.6\nrural = 0.4\n')
    >>> load_game(path)
    AlignmentGame(2 agents × 2 groups; no terms)
    """
    path = Path(path)
    kind, text = _kind(path), read_text(path)
    with at_field(path.name):
        return game_from_dict(parse(text, kind), folder=path.parent)


def load_draws(path: str | os.PathLike[str]) -> dict[str, FloatArray]:
    """Return the joint bootstrap draws a game file points to.

    Parameters
    ----------
    path : path
        The game file (not the .npz file).

    Returns
    -------
    dict of field path to array
        Keys of `DRAWN`; every array has a leading axis of draws, the same for all, followed by
        the shape the game has there. Empty when the file has no `draws`.

    Raises
    ------
    BadInput
        The draws do not fit the game.
    """
    path = Path(path)
    kind, text = _kind(path), read_text(path)
    with at_field(path.name):
        data = parse(text, kind)
        model = read_model(data)
        if model.draws is None:
            return {}
        game = game_from_dict(data, folder=path.parent)
        with at_field("draws"):
            draws = read_draws_file(path.parent, model.draws, DRAWN)
            for field, array in draws.items():
                _check_drawn(game, field, array)
        return draws


def drawn_games(game: AlignmentGame, draws: Mapping[str, FloatArray]) -> Iterator[AlignmentGame]:
    """Yield one game per joint draw: the game with every drawn array in its place.

    Parameters
    ----------
    game : AlignmentGame
        The point game.
    draws : mapping of field path to array
        As `load_draws` gives them.

    Raises
    ------
    BadInput
        A draw is not a game (shares that do not sum to 1, a weight below 0, ...); its number
        is named.

    Examples
    --------
    >>> from equipoise.game.catalog import game
    >>> draws = {"diversity.weight": np.array([0.2, 0.4])}
    >>> [float(drawn.terms[2].weight) for drawn in drawn_games(game("toy"), draws)]
    [0.2, 0.4]
    """
    for number in range(min((len(array) for array in draws.values()), default=0)):
        with at_field(f"draws: draw {number}"):
            groups = game.groups
            if "groups" in draws:
                groups = Groups(dict(zip(groups.labels, draws["groups"][number], strict=True)))
            terms = []
            for term in game.terms:
                parts = {key: getattr(term, key) for key in vars(term)}
                for key in parts:
                    if (drawn := draws.get(f"{term.field}.{key}")) is not None:
                        parts[key] = drawn[number]
                terms.append(type(term)(**parts))
            made = AlignmentGame(groups, game.agents, terms, about=game.about)
        yield made


def save_game(game: AlignmentGame, path: str | os.PathLike[str]) -> None:
    """Write a game file, JSON or TOML by its ending, in one step or not at all.

    Parameters
    ----------
    game : AlignmentGame
        Floats are written so that reading gives the same bits.
    path : path
        Ends in .json or .toml; an existing file is replaced. Arrays above 10,000 entries are
        written as `<name>-<field>.npy` beside it.

    Raises
    ------
    BadInput
        Another ending, a folder that is not there, something in `about` that is not plain.
    """
    path = Path(path)
    kind = _kind(path)
    data = game_to_dict(game)
    arrays: dict[Path, FloatArray] = {}
    for term in game.terms:
        for key, value in vars(term).items():
            if (
                key in data.get(term.field, {})
                and isinstance(value, np.ndarray)
                and value.size > INLINE_ENTRIES
            ):
                beside = path.with_name(f"{path.stem}-{term.field}-{key}.npy")
                arrays[beside] = value
                data[term.field][key] = beside.name
    text = to_toml(data) if kind == ".toml" else to_json(data)
    try:
        for place, array in arrays.items():
            with _replacing(place) as handle:
                np.save(handle, array, allow_pickle=False)
        with _replacing(path) as handle:
            handle.write(text.encode())
    except OSError as error:
        raise BadInput(f"{path}: it cannot be written ({error.strerror}); choose another") from None


def _check_drawn(game: AlignmentGame, field: str, array: FloatArray) -> None:
    if field == "groups":
        shape: tuple[int, ...] = game.groups.shares.shape
    else:
        section, key = field.split(".")
        term = next((t for t in game.terms if t.field == section), None)
        value = getattr(term, key, None)
        if value is None:
            raise BadInput(f"it has draws of {field}, which the game does not have; add it")
        shape = value.shape
    if array.shape[1:] != shape:
        raise BadInput(f"{field} has draws of shape {array.shape[1:]}, the game {shape}")


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in (".json", ".toml"):
        raise BadInput(f"{path}: a game file ends in .json or .toml; rename it")
    return kind


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when all of it is written."""
    name = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with name.open("xb") as handle:
            yield handle
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
