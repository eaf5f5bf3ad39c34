"""The game of a measured population, and its joint draws, as the files that hold it.

Every agent is held to what was measured of it: its default alignment. Appeal, shares and kernel
are the people's. Draw `b` takes the people's draw `b` for all of them, and every agent's answers
drawn anew for its anchor: what is computed from several of them keeps their dependence.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile import game_to_dict
from equipoise.game.gamefile_text import to_json
from equipoise.game.terms import Attractiveness, Consistency, Diversity, KLConsistency, Term
from equipoise.measure.findings import AgentFindings
from equipoise.panels.panel import Panel
from equipoise.panels.panel_draws import PanelDraws

__all__ = ["Incentives", "MeasuredGame", "fit_game", "write_game", "write_whole"]

FloatArray = NDArray[np.float64]

GAME, DRAWS = "game.json", "game-draws.npz"


@final
@dataclass(frozen=True)
class Incentives:
    """What agents care about: nothing a model's answers could tell.

    Parameters
    ----------
    attractiveness, consistency, diversity : float
        Weights of the three terms.
    kernel : str
        "panel" or "identity".
    form : str
        "quadratic" or "kl".
    """

    attractiveness: float = 1.0
    consistency: float = 1.0
    diversity: float = 0.0
    kernel: str = "panel"
    form: str = "quadratic"


@final
@dataclass(frozen=True, eq=False)
class MeasuredGame:
    """A game and its joint draws.

    Parameters
    ----------
    game : AlignmentGame
        `about` says how it was estimated.
    draws : mapping of field path to array
        As `load_draws` gives them.
    """

    game: AlignmentGame
    draws: dict[str, FloatArray]


def fit_game(
    panel: Panel,
    people: PanelDraws,
    found: Sequence[AgentFindings],
    incentives: Incentives,
    about: dict[str, Any] | None = None,
) -> MeasuredGame:
    """Make the game of measured agents.

    Parameters
    ----------
    panel : Panel
    people : PanelDraws
        The draws the findings were made with.
    found : sequence of AgentFindings
    incentives : Incentives
    about : dict of plain values, optional
        Added to what is said of how it was estimated.

    Returns
    -------
    MeasuredGame. Where an agent cannot be told from random answering `about` says so: its anchor
    is then the mixture nearest to random answers, and nothing the model holds.

    Raises
    ------
    BadInput
        No agent.
    """
    if not found:
        raise BadInput("agents: none was measured; write at least one [[agents]]")
    held = KLConsistency if incentives.form == "kl" else Consistency
    anchors = np.stack([one.anchor for one in found])
    anchor_draws = np.stack([one.draws for one in found], axis=1)
    terms: list[Term] = [
        Attractiveness(panel.appeal(), weight=incentives.attractiveness),
        held(anchors, weight=incentives.consistency),
    ]
    draws = {
        "groups": people.shares,
        "attractiveness.values": people.appeal,
        "consistency.anchor": anchor_draws,
    }
    if incentives.diversity != 0.0:
        whole = incentives.kernel == "panel"
        terms.append(Diversity(incentives.diversity, kernel=panel.kernel() if whole else None))
        if whole:
            draws["diversity.kernel"] = people.kernel
    said = _about(panel, found) | (about or {})
    labels = [one.agent for one in found]
    return MeasuredGame(AlignmentGame(panel.groups, labels, terms, about=said), draws)


def _about(panel: Panel, found: Sequence[AgentFindings]) -> dict[str, Any]:
    random = [one.agent for one in found if one.randomness.random]
    agents = {}
    for one in found:
        how = {"scores": "exact option probabilities", "counts": "counted answers"}
        n = next(iter(one.alignment.values())).n
        agents[one.agent] = (
            f"default alignment from {how[one.answers.kind]} to {len(one.questions)} questions "
            f"(n = {n}); {one.randomness.verdict}; driven by: {one.randomness.driven_by}"
        )
    out: dict[str, Any] = {
        "people": f"{panel.title}; n = {panel.n}; {panel.source}; {panel.licence}",
        "citation": panel.citation,
        "anchors": "default alignments of real models: the mixture of groups nearest to the "
        "answers each gave as itself, over balanced orders (theory R14)",
        "draws": "people resampled, with every model's answers drawn anew; the questions are fixed",
        "agents": agents,
    }
    if random:
        out["warning"] = (
            f"cannot be told from random answering, or hardly: {', '.join(random)}. Their anchors "
            "are the mixtures nearest to random answers, not views the models hold"
        )
    return out


def write_game(measured: MeasuredGame, folder: Path) -> Path:
    """Write `game.json` and the draws beside it; return the path of the game file."""
    buffer = io.BytesIO()
    draws: dict[str, Any] = dict(measured.draws)
    np.savez(buffer, **draws)
    write_whole(folder / DRAWS, buffer.getvalue())
    data = game_to_dict(measured.game) | {"draws": DRAWS}
    write_whole(folder / GAME, to_json(data).encode())
    return folder / GAME


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise BadInput(f"{path}: it cannot be written ({error.strerror}); choose another") from None
    finally:
        part.unlink(missing_ok=True)
