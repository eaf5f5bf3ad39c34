"""From equilibria and draws to the one dictionary that `result.json` holds."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import equipoise
from equipoise.equilibrium.outcome import Equilibrium
from equipoise.estimate import percentile_interval, simultaneous_band
from equipoise.inclusion.critical import critical_incentives
from equipoise.inclusion.exclusion import ExclusionDraws, exclusion
from equipoise.report.result import FORMAT
from equipoise.study.drawn_file import FileSource
from equipoise.study.file_models import StudyModel
from equipoise.study.people import PanelSource, topic_names
from equipoise.study.study_file import plain_study

__all__ = ["make_result"]

FloatArray = NDArray[np.float64]
Chunk = dict[str, FloatArray]

WHOLE = ("shares", "kernel")
"""Drawn arrays without an axis of games."""

PROFILE_ROWS = 1000
"""Above this the profile is given by coverage and top weight only."""


def make_result(
    study: StudyModel,
    source: PanelSource | FileSource,
    points: Mapping[str | None, Equilibrium],
    drawn: Chunk | None,
    steers: Sequence[Mapping[str, Any]],
    maps: Sequence[Mapping[str, Any]],
    identity: str,
) -> dict[str, Any]:
    """Return everything a report needs, as plain JSON values (without `seconds`).

    Parameters
    ----------
    study : StudyModel
        As resolved.
    source : PanelSource or FileSource
        Where the games came from.
    points : mapping of question (None: all) to Equilibrium
        The certified point equilibria.
    drawn : dict of arrays or None
        All draws, as `PanelSource.chunk` describes them.
    steers : sequence of dict
        What `make_steers` says of every goal.
    maps : sequence of dict
        What `make_maps` says of every map.
    identity : str
        sha256 of study, data and version.
    """
    panel = isinstance(source, PanelSource)
    level = study.uncertainty.level
    equilibrium = points[None]
    result: dict[str, Any] = {
        "format": FORMAT,
        "version": equipoise.__version__,
        "title": study.report.title or _title(source),
        "authors": list(study.report.authors),
        "people": source.about() if panel else None,
        "game_file": None if panel else source.about(),
        "settings": _settings(study, source, points),
        "uncertainty": _uncertainty(study, source, drawn),
        "groups": _groups(source, drawn, level),
        "critical": _critical(source, drawn, level),
        **_game(equilibrium, study.exclusion.below, _of(drawn, 0), level),
        "welfare": _welfare(source, equilibrium, drawn, level),
        "topics": _topics(study, source, points, drawn),
        "steer": list(steers),
        "maps": list(maps),
        "certificate": _certificate(equilibrium),
        "reproduce": {
            "study_sha256": identity,
            "study": plain_study(study),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
    return result


def _title(source: PanelSource | FileSource) -> str:
    if isinstance(source, PanelSource):
        return f"Who is left out: {source.panel.title}"
    return f"Who is left out: {Path(str(source.study.game.file)).name}"


def _of(drawn: Chunk | None, game: int) -> Chunk | None:
    """Return the draws of one game."""
    if drawn is None:
        return None
    return {key: array if key in WHOLE else array[:, game] for key, array in drawn.items()}


def _settings(
    study: StudyModel,
    source: PanelSource | FileSource,
    points: Mapping[str | None, Equilibrium],
) -> dict[str, Any]:
    agents = source.agents
    labels = agents.names if agents.names is not None and len(agents) <= PROFILE_ROWS else None
    out: dict[str, Any] = {
        "agents": agents.total,
        "agent_labels": None if labels is None else list(labels),
        "below": study.exclusion.below,
        "meets": source.meets,
        "identical": isinstance(source, PanelSource),
        "symmetric": bool(np.all(np.ptp(points[None].profile.array, axis=0) <= 1e-9)),
    }
    if isinstance(source, PanelSource):
        table = study.game
        out |= {
            "attractiveness": table.attractiveness,
            "consistency": table.consistency,
            "diversity": table.diversity,
            "anchor": table.anchor,
            "kernel": table.kernel,
            "form": table.form,
            "per": table.per,
        }
    return out


def _uncertainty(
    study: StudyModel, source: PanelSource | FileSource, drawn: Chunk | None
) -> dict[str, Any]:
    panel = isinstance(source, PanelSource)
    return {
        "draws": source.draws,
        "level": study.uncertainty.level,
        "seed": study.uncertainty.seed if panel else None,
        "how": "bootstrap over respondents" if panel else "the joint draws of the game file",
        "max_gap": None if drawn is None else float(drawn["gap"].max()),
        "max_relative_gap": None if drawn is None else float(drawn["relative_gap"].max()),
        "games": 0 if drawn is None else int(drawn["relative_gap"].size),
    }


def _groups(
    source: PanelSource | FileSource, drawn: Chunk | None, level: float
) -> list[dict[str, Any]]:
    groups = source.groups
    shares = np.asarray(groups.shares)
    low, high = (shares, shares) if drawn is None else percentile_interval(drawn["shares"], level)
    n = None
    if isinstance(source, PanelSource):
        n = [estimate.n for estimate in source.panel.shares(level).values()]
    return [
        {
            "group": label,
            "share": float(shares[k]),
            "low": float(low[k]),
            "high": float(high[k]),
            "n": None if n is None else int(n[k]),
        }
        for k, label in enumerate(groups.labels)
    ]


def _critical(
    source: PanelSource | FileSource, drawn: Chunk | None, level: float
) -> dict[str, Any] | None:
    """Return the least α/β of every group, the first to drop out first (R6)."""
    parts = source.critical_parts
    if parts is None:
        return None
    draws = None
    if drawn is not None and "appeal" in drawn:
        draws = (drawn["appeal"][:, 0], drawn["anchor"][:, 0])
    table = critical_incentives(
        source.groups.labels,
        *parts,
        draws=draws,
        n=source.panel.n if isinstance(source, PanelSource) else 0,
        level=level,
        other_curvature=source.other_curvature,
    )
    return {
        "law": source.law,
        "other_curvature": source.other_curvature,
        "rows": table.to_rows(),
    }


def _game(
    equilibrium: Equilibrium, below: float, drawn: Chunk | None, level: float
) -> dict[str, Any]:
    """Return profile, coverage and verdicts of the main game."""
    profile, game = equilibrium.profile, equilibrium.game
    draws = None if drawn is None else _exclusion_draws(drawn, below)
    report = exclusion(equilibrium, below=below, draws=draws, level=level)
    low = high = profile.coverage
    if drawn is not None:
        low, high = simultaneous_band(drawn["coverage"], level)
    rows = report.to_rows()
    for k, row in enumerate(rows):
        row |= {
            "coverage_low": float(low[k]),
            "coverage_high": float(high[k]),
            "equilibria": report.equilibria,
            "excluded_in": int(report.excluded_in[k]),
        }
    shown = len(game.agents) <= PROFILE_ROWS
    return {
        "excluded": list(report.excluded),
        "exclusion": rows,
        "l1_distance": report.l1_distance,
        "profile": profile.array.tolist() if shown else None,
        "agents": [game.agents.label(i) for i in range(len(game.agents))] if shown else None,
    }


def _exclusion_draws(drawn: Chunk, below: float) -> ExclusionDraws:
    return ExclusionDraws(drawn["margins"], drawn["top_weight"], drawn["coverage"], below)


def _welfare(
    source: PanelSource | FileSource, equilibrium: Equilibrium, drawn: Chunk | None, level: float
) -> list[dict[str, Any]] | None:
    r"""Return :math:`W_j = \sum_k E_{jk}\bar x_k` beside proportional service, per group."""
    if not isinstance(source, PanelSource) or drawn is None:
        return None
    people = source.measured(None)
    here = people.agreement @ equilibrium.profile.coverage
    fair = people.agreement @ people.shares
    welfare, proportional = drawn["welfare"][:, 0], drawn["proportional"][:, 0]
    intervals = [percentile_interval(x, level) for x in (welfare, proportional)]
    band = simultaneous_band(welfare - proportional, level)
    return [
        {
            "group": label,
            "welfare": float(here[k]),
            "low": float(intervals[0][0][k]),
            "high": float(intervals[0][1][k]),
            "proportional": float(fair[k]),
            "proportional_low": float(intervals[1][0][k]),
            "proportional_high": float(intervals[1][1][k]),
            "difference": float(here[k] - fair[k]),
            "difference_low": float(band[0][k]),
            "difference_high": float(band[1][k]),
        }
        for k, label in enumerate(source.groups.labels)
    ]


def _topics(
    study: StudyModel,
    source: PanelSource | FileSource,
    points: Mapping[str | None, Equilibrium],
    drawn: Chunk | None,
) -> dict[str, Any] | None:
    """Return one game per question; the band holds for all questions × groups together."""
    if not isinstance(source, PanelSource) or drawn is None or len(points) == 1:
        return None
    below, level = study.exclusion.below, study.uncertainty.level
    margins = drawn["margins"][:, 1:]
    draws, games, k = margins.shape
    low, high = simultaneous_band(margins.reshape(draws, games * k), level)
    low, high = low.reshape(games, k), high.reshape(games, k)
    topics = []
    names = topic_names(source.panel.questions, source.panel.answers.wording)
    for q, (question, equilibrium) in enumerate(
        (question, point) for question, point in points.items() if question is not None
    ):
        one = _of(drawn, q + 1)
        assert one is not None
        report = exclusion(equilibrium, below=below, draws=_exclusion_draws(one, below))
        rows = [
            {
                **row,
                "margin_low": float(low[q, j]),
                "margin_high": float(high[q, j]),
                "jointly": bool(low[q, j] > 0 or high[q, j] < 0),
                "joint_verdict": _joint(float(low[q, j]), float(high[q, j])),
            }
            for j, row in enumerate(report.to_rows())
        ]
        topics.append(
            {
                "question": question,
                "topic": names[question],
                "max_relative_gap": equilibrium.certificate.max_relative_gap,
                "uniqueness": equilibrium.certificate.uniqueness.verdict,
                "rows": rows,
            }
        )
    return {"cells": games * k, "games": topics}


def _joint(low: float, high: float) -> str:
    if low > 0:
        return "included"
    return "excluded" if high < 0 else "undecided"


def _certificate(equilibrium: Equilibrium) -> dict[str, Any]:
    exam, record = equilibrium.certificate, equilibrium.record
    return {
        "outcome": equilibrium.outcome.value,
        "max_gap": exam.max_gap,
        "max_relative_gap": exam.max_relative_gap,
        "max_regret": float(exam.regret.max()),
        "utility_range": float(exam.utility_range.max()),
        "distance": exam.distance,
        "uniqueness": {
            "verdict": exam.uniqueness.verdict,
            "margin": exam.uniqueness.margin,
            "test": exam.uniqueness.test,
            "equilibria": len(equilibrium.found),
        },
        "assumed": list(exam.assumed),
        "solver": record.solver,
        "reason": record.reason,
        "steps": record.steps,
        "seed": record.seed,
        "tol": record.settings["tol"],
        "tried": list(record.tried),
    }
