"""What `equipoise compare` may be given: a game file, a study, the folder of a study's results."""

from __future__ import annotations

from pathlib import Path

from equipoise.errors import BadInput
from equipoise.game.gamefile import load_draws, load_game
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import parse, read_text
from equipoise.inclusion.compare import Side
from equipoise.measure.fit_game import GAME
from equipoise.study.draws import open_source
from equipoise.study.measuring import FOLDER, with_measured
from equipoise.study.study_file import read_study

__all__ = ["side_of"]


def side_of(path: Path) -> Side:
    """Return one population with its joint draws.

    Parameters
    ----------
    path : Path
        A game file; a study file, whose measured game is looked for in out/NAME; or a folder with
        game.json or measured/game.json in it.

    Raises
    ------
    BadInput
        None of these.
    """
    if path.is_dir():
        for file in (path / GAME, path / FOLDER / GAME):
            if file.is_file():
                return Side(path.name, load_game(file), load_draws(file))
        raise BadInput(f"{path}: there is no game.json in it; name a game file or a study")
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; name a game file, a study, or its folder")
    is_game = path.suffix == ".json"
    if path.suffix == ".toml":
        with at_field(path.name):
            data = parse(read_text(path), ".toml")
        is_game = isinstance(data, dict) and "groups" in data
    if is_game:
        return Side(path.stem, load_game(path), load_draws(path))
    study = read_study(path)
    with at_field(path.name):
        study = with_measured(study, path, Path("out") / path.stem)
        source = open_source(study, path.parent)
        point = source.map_game(diversity=False)
        if study.game.file is not None:
            return Side(path.stem, point, source.map_draws({}, point))
        drawn = source.chunk(0, source.draws) if source.draws else None
        return Side(path.stem, point, {} if drawn is None else source.map_draws(drawn, point))
