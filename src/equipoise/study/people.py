"""The `[panel]` and `[game]` tables made real: a panel, its games, and a chunk of drawn games."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.equilibrium.solve import solve
from equipoise.errors import BadInput
from equipoise.game.agents import Agents
from equipoise.game.alignment_game import AlignmentGame
from equipoise.game.gamefile_sections import at_field
from equipoise.game.groups import Groups
from equipoise.game.terms import Attractiveness, Consistency, Diversity, KLConsistency, Term
from equipoise.panels.files import read_panel
from equipoise.panels.panel import Panel
from equipoise.panels.sources import load_panel
from equipoise.study.file_models import GameTable, PanelTable, StudyModel
from equipoise.study.symmetric import AffineBatch, KLBatch, definite, drawn_margins

__all__ = ["Measured", "PanelSource", "open_panel", "topic_names"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]

MANY_AGENTS = 1000
"""Above this a number of identical agents is one type with a count: one row, not a million."""


@final
@dataclass(frozen=True, eq=False)
class Measured:
    """What a game needs from people; every array may have a leading axis of draws.

    Parameters
    ----------
    shares : (..., groups) array
    agreement : (..., groups, groups) array
    appeal : (..., groups) array
    kernel : (..., groups, groups) array
    """

    shares: FloatArray
    agreement: FloatArray
    appeal: FloatArray
    kernel: FloatArray


def open_panel(table: PanelTable, folder: Path) -> tuple[Panel, str]:
    """Load the panel of a study.

    Parameters
    ----------
    table : PanelTable
        Checked.
    folder : Path
        Where the study file lies; `panel.file` is relative to it.

    Returns
    -------
    panel : Panel
    digest : str
        sha256 of the survey's file, or of the bundled panel's published tables.
    """
    given = {key: value for key, value in table if value is not None}
    with at_field("panel"):
        if "name" in given:
            panel = load_panel(given.pop("name"), **given)
            return panel, _digest_of(panel)
        path = folder / given.pop("file")
        panel = read_panel(path, **given)
        return panel, hashlib.sha256(path.read_bytes()).hexdigest()


def _digest_of(panel: Panel) -> str:
    digest = hashlib.sha256(repr((panel.name, panel.groups.labels, panel.questions)).encode())
    for array in (panel.groups.shares, panel.answers.shares, panel.answers.n_eff):
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


@final
class PanelSource:
    """Games made of a panel: one over all questions, and one per question where asked.

    Parameters
    ----------
    study : StudyModel
        Checked, with a `[panel]`.
    folder : Path
        Where the study file lies.
    """

    def __init__(self, study: StudyModel, folder: Path) -> None:
        assert study.panel is not None
        self.study = study
        self.panel, self.digest = open_panel(study.panel, folder)
        self.table: GameTable = study.game
        self.questions: tuple[str | None, ...] = (None,)
        if study.game.per == "question":
            self.questions = (None, *self.panel.questions)
        with at_field("game"):
            self.agents = _agents(study.game.agents)

    @property
    def groups(self) -> Groups:
        """Groups of the panel."""
        return self.panel.groups

    @property
    def draws(self) -> int:
        """Number of joint draws asked for."""
        return self.study.uncertainty.draws

    def measured(self, question: str | None) -> Measured:
        """Return the point values on all questions (None) or on one."""
        p = self.panel
        return Measured(
            np.asarray(p.groups.shares),
            p.agreement(question=question),
            p.appeal(question=question),
            p.kernel(question=question),
        )

    def game(self, question: str | None) -> AlignmentGame:
        """Return the point game on all questions (None) or on one."""
        return self._game(self.measured(question))

    def map_game(self, *, diversity: bool) -> AlignmentGame:
        """Return the game on all questions, with a diversity term (weight 0) where a map sets it.

        Parameters
        ----------
        diversity : bool
            Whether an axis of the map is diversity: then the groups overlap as in this study.
        """
        return self._game(self.measured(None), diversity=diversity)

    def map_draws(self, drawn: Chunk, game: AlignmentGame) -> Chunk:
        """Return joint draws by field path, for the terms of this game that come from people."""
        out = {"groups": drawn["shares"], "attractiveness.values": drawn["appeal"][:, 0]}
        met = game.term(Diversity)
        if met is not None and met.kernel is not None:
            out["diversity.kernel"] = drawn["kernel"]
        if self.table.anchor == "shares":
            out["consistency.anchor"] = drawn["anchor"][:, 0]
        return out

    def _game(self, people: Measured, *, diversity: bool = False) -> AlignmentGame:
        table = self.table
        held = KLConsistency if table.form == "kl" else Consistency
        terms: list[Term] = [
            Attractiveness(people.appeal, weight=table.attractiveness),
            held(self.anchor(people), weight=table.consistency),
        ]
        if table.diversity != 0.0 or diversity:
            kernel = None if table.kernel == "identity" else people.kernel
            terms.append(Diversity(table.diversity, kernel=kernel))
        return AlignmentGame(self.groups, self.agents, terms)

    def anchor(self, people: Measured) -> FloatArray:
        """Return the anchor (..., groups): uniform, or the groups' shares."""
        if self.table.anchor == "shares":
            return people.shares
        return np.full(people.shares.shape, 1.0 / people.shares.shape[-1])

    @property
    def critical_parts(self) -> tuple[FloatArray, FloatArray] | None:
        """Appeal and anchor, where R6 gives least ratios: quadratic form, some consistency."""
        if self.table.form != "quadratic" or self.table.consistency == 0:
            return None
        people = self.measured(None)
        return people.appeal, self.anchor(people)

    @property
    def meets(self) -> bool:
        """Whether agents look at each other at all."""
        return self.agents.total > 1 and self.table.diversity != 0

    @property
    def law(self) -> str:
        r"""Say for which agents the least ratios hold.

        Returns
        -------
        "alone"
            Exactly, for the agents of this study, who meet nobody.
        "diversity"
            Exactly, with diversity kept at its ratio to consistency: groups do not overlap and
            the equilibrium is the only one and symmetric, :math:`-\beta < \gamma < (N-1)\beta`.
        "ignored"
            Only for agents that ignore each other, unlike those of this study.
        """
        table = self.table
        if not self.meets:
            return "alone"
        beta, others = table.consistency, self.agents.total - 1
        if table.kernel == "identity" and -beta < table.diversity < others * beta:
            return "diversity"
        return "ignored"

    @property
    def other_curvature(self) -> float:
        r"""Return :math:`\gamma/\beta` where it is curvature hI, else 0 (`law` says which)."""
        if self.law == "diversity":
            return self.table.diversity / self.table.consistency
        return 0.0

    def chunk(self, start: int, count: int) -> Chunk:
        """Return what draws `start` … `start + count - 1` came to, each a certified equilibrium.

        Returns
        -------
        dict of arrays with leading axes (draws, games): margins, top_weight, coverage, appeal,
        anchor, welfare, proportional (…, groups), gap and relative_gap; shares (draws, groups);
        with maps also kernel (draws, groups, groups).
        """
        drawn = self.panel.draws(count, self.study.uncertainty.seed, start=start)
        games = []
        for question in self.questions:
            part = drawn if question is None else drawn.for_question(question)
            games.append(
                self._outcomes(Measured(part.shares, part.agreement, part.appeal, part.kernel))
            )
        out = {key: np.stack([game[key] for game in games], axis=1) for key in games[0]}
        if self.study.map:
            out["kernel"] = drawn.kernel
        return {**out, "shares": drawn.shares}

    def _outcomes(self, people: Measured) -> Chunk:
        below = self.study.exclusion.below
        batch = self._batch(people)
        if batch is None:
            out = self._one_by_one(people, below)
        else:
            x = batch.profiles()
            gap, relative = batch.gaps(x)
            out = {
                "margins": batch.margins(x, below),
                "top_weight": x,
                "coverage": x,
                "gap": gap,
                "relative_gap": relative,
            }
        out["appeal"], out["anchor"] = people.appeal, self.anchor(people)
        out["welfare"] = np.einsum("djk,dk->dj", people.agreement, out["coverage"])
        out["proportional"] = np.einsum("djk,dk->dj", people.agreement, people.shares)
        return out

    def _batch(self, people: Measured) -> AffineBatch | KLBatch | None:
        """Return the drawn games as one batch, or None when they must be solved one by one."""
        table, k = self.table, len(self.groups)
        meets = self.agents.total > 1 and table.diversity != 0.0
        scores = table.attractiveness * people.appeal
        if table.form == "kl":
            return None if meets else KLBatch(scores, self.anchor(people), table.consistency)
        kernel = np.eye(k) if table.kernel == "identity" else people.kernel
        met = table.diversity * kernel if meets else np.zeros((k, k))
        own = table.consistency * np.eye(k)
        if not definite(own + met):
            return None
        return AffineBatch(scores + table.consistency * self.anchor(people), own, met)

    def _one_by_one(self, people: Measured, below: float) -> Chunk:
        out: dict[str, list[Any]] = {
            "margins": [], "top_weight": [], "coverage": [], "gap": [], "relative_gap": []
        }  # fmt: skip
        for i in range(len(people.shares)):
            one = Measured(
                people.shares[i], people.agreement[i], people.appeal[i], people.kernel[i]
            )
            found = solve(self._game(one), tol=self.study.solve.tol, starts=0)
            out["margins"].append(drawn_margins(found, below))
            out["top_weight"].append(found.profile.top_weight)
            out["coverage"].append(found.profile.coverage)
            out["gap"].append(found.certificate.max_gap)
            out["relative_gap"].append(found.certificate.max_relative_gap)
        return {key: np.array(value) for key, value in out.items()}

    def about(self) -> Mapping[str, Any]:
        """Return who was asked what, on which terms, as plain JSON values."""
        p = self.panel
        names = topic_names(p.questions, p.answers.wording)
        return {
            "name": p.name,
            "title": p.title,
            "n": p.n,
            "weighted": p.weighted,
            "merged": [
                {"group": m.group, "n": m.n, "into": m.into, "least": m.least} for m in p.merged
            ],
            "dropped": {str(key): int(value) for key, value in p.dropped.items()},
            "questions": [
                {"question": q, "topic": names[q], "wording": w}
                for q, w in zip(p.questions, p.answers.wording, strict=True)
            ],
            "source": p.source,
            "licence": p.licence,
            "citation": p.citation,
            "sha256": self.digest,
        }


def topic_names(questions: Sequence[str], wording: Sequence[str]) -> dict[str, str]:
    """Return a short name per question: what its wording does not share with all others.

    Examples
    --------
    >>> topic_names(["q1", "q2"], ["Do you like very cold soup?", "Do you like bread?"])
    {'q1': 'very cold soup', 'q2': 'bread'}
    """
    split = [text.rstrip(" .?!").split() for text in wording]
    shortest = min(len(words) for words in split) - 1
    first = next((i for i in range(shortest) if len({w[i] for w in split}) > 1), shortest)
    room = shortest - first
    last = next((i for i in range(room) if len({w[-1 - i] for w in split}) > 1), room)
    names = [" ".join(words[first : len(words) - last]) for words in split]
    if len(set(names)) < len(names) or len(names) == 1:
        names = list(questions)
    return dict(zip(questions, names, strict=True))


def _agents(given: Any) -> Agents:
    if isinstance(given, int):
        return Agents({"agent": given}) if given > MANY_AGENTS else Agents(given)
    try:
        return Agents(list(given))
    except BadInput as error:
        raise BadInput(str(error)) from None
