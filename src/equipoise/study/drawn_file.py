"""A study of a game file: its game, and the joint draws that lie beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import drawn_games, game_to_dict, load_draws, load_game
from equipoise.game.gamefile_sections import at_field
from equipoise.game.gamefile_text import to_json
from equipoise.game.groups import Groups
from equipoise.game.terms import Attractiveness, AudienceShare, Consistency, Diversity
from equipoise.study.file_models import StudyModel
from equipoise.study.study_file import fewest_draws
from equipoise.study.symmetric import AffineBatch, definite, drawn_margins

__all__ = ["FileSource"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]


@final
class FileSource:
    """The game of a game file and its drawn versions.

    Parameters
    ----------
    study : StudyModel
        Checked, with `game.file`.
    folder : Path
        Where the study file lies; `game.file` is relative to it.
    """

    questions: tuple[str | None, ...] = (None,)
    law = "alone"
    other_curvature = 0.0

    def __init__(self, study: StudyModel, folder: Path) -> None:
        assert study.game.file is not None
        self.study = study
        path = folder / study.game.file
        with at_field("game.file"):
            self.point = load_game(path)
            self.drawn = load_draws(path)
        self.draws = min(
            study.uncertainty.draws, len(next(iter(self.drawn.values()))) if self.drawn else 0
        )
        least = fewest_draws(study.uncertainty.level)
        if 0 < self.draws < least:
            raise BadInput(
                f"game.file: {self.draws} draws cannot show an interval of "
                f"{100 * study.uncertainty.level:g} %; give at least {least}, or none"
            )
        digest = hashlib.sha256(to_json(game_to_dict(self.point)).encode())
        for key in sorted(self.drawn):
            digest.update(key.encode() + np.ascontiguousarray(self.drawn[key]).tobytes())
        self.digest = digest.hexdigest()

    @property
    def groups(self) -> Groups:
        """Groups of the game."""
        return self.point.groups

    @property
    def agents(self) -> Agents:
        """Agents of the game."""
        return self.point.agents

    def game(self, question: str | None) -> AlignmentGame:
        """Return the game of the file."""
        return self.point

    def map_game(self, *, diversity: bool) -> AlignmentGame:
        """Return the game of the file, as `PanelSource.map_game`."""
        return self.point

    def map_draws(self, drawn: Chunk, game: AlignmentGame) -> Chunk:
        """Return the draws of the file by field path."""
        return {key: array[: self.draws] for key, array in self.drawn.items()}

    @property
    def meets(self) -> bool:
        """Whether agents look at each other at all."""
        terms = (self.point.term(Diversity), self.point.term(AudienceShare))
        return self.agents.total > 1 and any(t is not None and np.any(t.weight) for t in terms)

    @property
    def critical_parts(self) -> tuple[FloatArray, FloatArray] | None:
        """Appeal and anchor, where the law R6 holds: the same for all, only curvature hI."""
        return _critical_parts(self.point)

    def chunk(self, start: int, count: int) -> Chunk:
        """Return what draws `start` … `start + count - 1` came to; see `PanelSource.chunk`."""
        part = {key: array[start : start + count] for key, array in self.drawn.items()}
        with at_field(f"game.file, draws from {start} on"):
            games = list(drawn_games(self.point, part))
        below, tol = self.study.exclusion.below, self.study.solve.tol
        batch = _batch(games)
        if batch is not None:
            x = batch.profiles()
            gap, relative = batch.gaps(x)
            margins, top, coverage = batch.margins(x, below), x, x
        else:
            found = [solve(game, tol=tol, starts=0) for game in games]
            gap = np.array([one.certificate.max_gap for one in found])
            relative = np.array([one.certificate.max_relative_gap for one in found])
            margins = np.array([drawn_margins(one, below) for one in found])
            top = np.array([one.profile.top_weight for one in found])
            coverage = np.array([one.profile.coverage for one in found])
        out = {
            "margins": margins,
            "top_weight": top,
            "coverage": coverage,
            "gap": gap,
            "relative_gap": relative,
        }
        kept = [part for part in map(_critical_parts, games) if part is not None]
        if len(kept) == len(games):
            out["appeal"] = np.stack([appeal for appeal, _ in kept])
            out["anchor"] = np.stack([anchor for _, anchor in kept])
        stacked = {key: array[:, None] for key, array in out.items()}
        return {**stacked, "shares": np.stack([game.groups.shares for game in games])}

    def about(self) -> Mapping[str, Any]:
        """Return what the file says about itself, and its digest."""
        said = {str(key): value for key, value in self.point.about.items()}
        return {"file": Path(str(self.study.game.file)).name, "about": said, "sha256": self.digest}


def _critical_parts(game: AlignmentGame) -> tuple[FloatArray, FloatArray] | None:
    """Return appeal and anchor where R6 gives least ratios from them alone, else None."""
    appeal, held = game.term(Attractiveness), game.term(Consistency)
    others = [t for t in game.terms if not isinstance(t, Attractiveness | Consistency | Diversity)]
    diversity = game.term(Diversity)
    meets = diversity is not None and game.agents.total > 1 and bool(np.any(diversity.weight))
    if appeal is None or held is None or others or meets or held.metric is not None:
        return None
    weights = np.atleast_1d(held.weight)
    if appeal.values.ndim > 1 or held.anchor.ndim > 1 or weights.min() <= 0:
        return None
    return appeal.values, held.anchor


def _batch(games: list[AlignmentGame]) -> AffineBatch | None:
    forms = [game.affine for game in games]
    kept = [form for form in forms if form is not None and form.identical and form.network is None]
    if len(kept) < len(games):
        return None
    own = np.stack([form.curvature_matrix(0) for form in kept])
    met = np.stack(
        [
            float(form.gamma[0]) * form.kernel_matrix() if form.coupled else np.zeros_like(h)
            for form, h in zip(kept, own, strict=True)
        ]
    )
    if not definite(own + met):
        return None
    return AffineBatch(np.stack([np.asarray(form.scores[0]) for form in kept]), own, met)
