"""What training came to, measured in the backend that serves: per group, beside every rival."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.display import finite
from equipoise.estimate import Estimate
from equipoise.llm.backend import Backend
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import local_server
from equipoise.measure.fit_game import write_whole
from equipoise.measure.questionnaire import PERSONA
from equipoise.panels.splitting import split_noise
from equipoise.realise.adapter_laws import AnswerLaw, answer_law
from equipoise.realise.closeness import Closeness, closeness, rivals
from equipoise.realise.distinct import Distinct, distinct
from equipoise.realise.laws_file import LAWS
from equipoise.realise.subpopulation import Lesson, TrainedGroups

__all__ = ["TrainingReport", "report_of"]

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], Any]

DRAWS = 1000
CONTEXT = 2048
OWN, UNTRAINED, PERSONAS = "trained", "untrained model", "persona prompt"


@final
@dataclass(frozen=True, eq=False)
class TrainingReport:
    """Everything that was measured.

    Attributes
    ----------
    found : TrainedGroups
    laws : mapping of group to AnswerLaw
        Of the trained models.
    untrained : AnswerLaw
        Of the model without an adapter.
    rows : mapping of group to (mapping of who answers to Closeness)
    noise, split : mapping of group to Estimate
        Half-sample noise of the survey on the questions taught, and the noise of the split used.
    distinct : mapping of group to Distinct
        The audit of answers of each group's model.
    """

    found: TrainedGroups
    laws: dict[str, AnswerLaw]
    untrained: AnswerLaw
    rows: dict[str, dict[str, Closeness]]
    noise: dict[str, Estimate]
    split: dict[str, Estimate]
    distinct: dict[str, Distinct]

    def laws_dict(self) -> dict[str, Any]:
        """Return the object of `laws.json`."""
        lesson = self.found.lesson
        table = lesson.panel.answers

        def nested(shares: FloatArray) -> list[list[float]]:
            return [
                [float(x) for x in row[: len(options)]]
                for row, options in zip(shares, table.options, strict=True)
            ]

        return {
            "panel": lesson.panel.name,
            "model": self.found.model,
            "questions": [
                {"key": key, "text": text, "options": list(options)}
                for key, text, options in zip(
                    table.questions, table.wording, table.options, strict=True
                )
            ],
            "groups": list(lesson.groups),
            "shares": [float(s) for s in lesson.panel.groups.shares],
            "people": [nested(table.shares[k]) for k in range(len(lesson.groups))],
            "people_taught": [nested(lesson.kept.shares[k]) for k in range(len(lesson.groups))],
            "laws": {g: nested(law.shares) for g, law in self.laws.items()},
            "untrained": nested(self.untrained.shares),
            "trained": list(lesson.questions),
            "held_out": list(lesson.untaught),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the object of `realise train --json` and `report.json`."""
        found, lesson = self.found, self.found.lesson
        groups = {}
        for k, g in enumerate(lesson.groups):
            one = found.trained[g]
            groups[g] = {
                "folder": found.names[g],
                "why_ended": one.why,
                "steps": one.looks[-1].step,
                "best_step": one.best.step,
                "seconds": one.seconds,
                "people_taught": int(lesson.kept.n[k].max()),
                "people_held_out": int(lesson.held.n[k].max()),
                "half_sample_noise": self.noise[g].to_dict(),
                "split_noise": self.split[g].to_dict(),
                "covered": self.laws[g].covered,
                "by_position": self.laws[g].by_position,
                "perplexity": found.fluency[g],
                "distances": {who: c.to_dict() for who, c in self.rows[g].items()},
                "audit": self.distinct[g].to_dict(),
            }
        return {
            "panel": lesson.panel.name,
            "model": found.model,
            "digest": found.digest,
            "settings": found.settings.to_dict(),
            "questions_taught": list(lesson.questions),
            "questions_held_out": list(lesson.untaught),
            "training_seconds": sum(t.seconds for t in found.trained.values()),
            "perplexity_untrained": found.fluency["untrained"],
            "judged": self.judged(),
            "groups": groups,
            "looks": {n: [x.to_dict() for x in t.looks] for n, t in found.trained.items()},
        }

    def judged(self) -> dict[str, Any]:
        """Return the numbers the training is judged by, means over groups."""
        own = [self.rows[g][OWN] for g in self.laws]
        base = self.found.fluency["untrained"]
        return {
            "to_people_held_out": float(np.mean([c.held for c in own])),
            "half_sample_noise": float(np.mean([e.value for e in self.noise.values()])),
            "split_noise": float(np.mean([e.value for e in self.split.values()])),
            "to_all_people": float(np.mean([c.all.value for c in own])),
            "perplexity_growth": max(self.found.fluency[g] / base - 1.0 for g in self.laws),
            "audits_that_hold": sum(d.holds for d in self.distinct.values()),
        }

    def tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Return titles, heads and rows of the printed tables; two columns of text first."""
        rows: list[tuple[str, ...]] = []
        for g, who in self.rows.items():
            for name, c in who.items():
                new = ("", "") if c.new is None else (f"{c.new.value:.3f}", _nats(c.new_kl))
                rows.append((g, name, f"{c.kept:.3f}", f"{c.held:.3f}", _interval(c.all),
                             _nats(c.kl), *new))  # fmt: skip
        head: tuple[str, ...] = (
            "group", "who answers", "people taught", "held out", "all people, 95 %", "KL",
            "new questions", "KL",
        )  # fmt: skip
        first = ("Total variation to the group's people, mean over questions", head, rows)
        rows = [
            (g, f"{d.asked} x {d.items}", f"{d.n:,}", f"{d.weight.value:.3f}",
             f"{d.weight.low:.3f} to {d.weight.high:.3f}", "yes" if d.holds else "no",
             f"{self.laws[g].covered:.3f}", f"{self.found.fluency[g]:.2f}")
            for g, d in self.distinct.items()
        ]  # fmt: skip
        head = ("group", "asked", "sheets", "own weight", "95 %", "holds 1, above 0.8", "letters",
                "perplexity")  # fmt: skip
        return [first, ("Audit of answers of each group's model, and its fluency", head, rows)]

    def sentences(self) -> list[str]:
        """Return what the tables do not say, one sentence each."""
        seen, lesson = self.judged(), self.found.lesson
        seconds = sum(t.seconds for t in self.found.trained.values())
        ended = ", ".join(
            f"{n} {t.looks[-1].step} steps ({t.why})" for n, t in self.found.trained.items()
        )
        held = ", ".join(lesson.untaught) or "none"
        return [
            f"To people held out {seen['to_people_held_out']:.3f}; two halves of the survey are "
            f"{seen['half_sample_noise']:.3f} apart, two parts like these "
            f"{seen['split_noise']:.3f}. To all people {seen['to_all_people']:.3f}.",
            f"Questions held out: {held}.",
            f"Perplexity on a neutral text: untrained {self.found.fluency['untrained']:.2f}, "
            f"at most {seen['perplexity_growth']:+.1%} after.",
            f"Trained in {seconds:,.0f} s: {ended}.",
        ]

    def write(self, folder: Path) -> None:
        """Write report.json and laws.json."""
        for name, data in (("report.json", self.to_dict()), (LAWS, self.laws_dict())):
            text = json.dumps(finite(data), indent=1, allow_nan=False) + "\n"
            write_whole(folder / name, text.encode())


def report_of(
    found: TrainedGroups,
    *,
    threads: int = 0,
    note: Callable[[str], Any] | None = None,
    progress: Progress | None = None,
) -> TrainingReport:
    """Measure trained groups in llama.cpp and compare them with their people.

    Parameters
    ----------
    found : TrainedGroups
    threads : int
        As for `LocalServer`.
    note, progress : callables, optional

    Raises
    ------
    EquipoiseError
        The server does not start, or a call failed.
    """
    lesson = found.lesson
    if note is not None:
        note(f"measuring {len(lesson.groups)} adapters and the untrained model in llama.cpp")
    server = local_server(found.model, adapters=found.adapters, context=CONTEXT, threads=threads)
    with server:
        laws, untrained, personas = _asked(server, lesson, found.settings.system, progress)
    panel = lesson.panel
    draws = panel.draws(DRAWS, found.settings.seed).answers
    part = found.settings.held_out_people
    rows = {}
    for k, g in enumerate(lesson.groups):
        who = {OWN: laws[g].shares, UNTRAINED: untrained.shares, PERSONAS: personas[g].shares}
        widths = [len(o) for o in panel.answers.options]
        who |= rivals(lesson.kept.shares, np.asarray(panel.groups.shares), widths, lesson.taught, k)
        who["the people taught themselves"] = lesson.kept.shares[k]
        rows[g] = {
            name: closeness(
                shares, lesson.kept.shares[k], lesson.held.shares[k], panel.answers.shares[k],
                draws[:, k], lesson.taught, int(panel.answers.n[k].max()),
            )
            for name, shares in who.items()
        }  # fmt: skip
    seed = found.settings.seed
    audits = {g: distinct(lesson, laws[g], k, seed=seed + k) for k, g in enumerate(lesson.groups)}
    return TrainingReport(
        found, laws, untrained, rows,
        split_noise(panel, 0.5, seed=seed, questions=lesson.questions),
        split_noise(panel, part, seed=seed, questions=lesson.questions),
        audits,
    )  # fmt: skip


def _asked(
    server: LocalServer, lesson: Lesson, system: str, progress: Progress | None
) -> tuple[dict[str, AnswerLaw], AnswerLaw, dict[str, AnswerLaw]]:
    """Ask the adapters, the untrained model, and it as a person of each group."""

    def law(backend: Backend, prompt: str, what: str) -> AnswerLaw:
        step = None if progress is None else lambda done, of: progress(done, of, what)
        return answer_law(backend, lesson.asked, prompt, on_step=step)

    laws = {g: law(server.backend(g), system, f"asking {g}") for g in lesson.groups}
    untrained = law(server.backend(), system, "asking the untrained model")
    personas = {
        g: law(server.backend(), PERSONA.replace("{group}", g), f"asking it to be {g}")
        for g in lesson.groups
    }
    return laws, untrained, personas


def _interval(e: Estimate) -> str:
    return f"{e.value:.3f} ({e.low:.3f} to {e.high:.3f})"


def _nats(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "infinite"
