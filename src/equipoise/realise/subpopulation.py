"""One model per group of people: trained on the group's answers, exported, measured, reported.

The path: split people and questions; teach the whole public's answers; from there teach each
group's; write each adapter as a PEFT folder and for llama.cpp; measure all of them in one llama.cpp
server beside the untrained model and persona prompts; write report, laws and `realisation.toml`.
Every step is kept: a run that is killed goes on and ends with the same files.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

import equipoise
from equipoise.engine.local import usable_cores
from equipoise.errors import BadInput
from equipoise.llm.models import model_named
from equipoise.measure.fit_game import write_whole
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import questions_of
from equipoise.panels.answers import AnswerTable
from equipoise.panels.panel import Panel
from equipoise.panels.splitting import split_people
from equipoise.realise.adapter_files import Heads, folder_names, write_gguf, write_peft
from equipoise.realise.fluency import NEUTRAL
from equipoise.realise.lora_net import LoraNet, need_training
from equipoise.realise.settings import TrainSettings
from equipoise.realise.task import AnswerTask, held_out_questions
from equipoise.realise.training import Progress, Trained, train_adapter

__all__ = ["Lesson", "TrainedGroups", "lesson_of", "train_groups"]

FloatArray = NDArray[np.float64]
PUBLIC = "public"
STATE = "state"


@final
@dataclass(frozen=True, eq=False)
class Lesson:
    """What is taught to whom, worked out before any model is opened.

    Attributes
    ----------
    panel : Panel
    asked : Questionnaire
        All questions, in balanced orders.
    task : AnswerTask
    kept, held : AnswerTable
        The people taught and those held out.
    untaught : tuple of str
        Questions held out.
    """

    panel: Panel
    asked: Questionnaire
    task: AnswerTask
    kept: AnswerTable
    held: AnswerTable
    untaught: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels."""
        return self.panel.groups.labels

    @property
    def public(self) -> FloatArray:
        """Answers of all people taught, groups by their shares, (Q, C)."""
        shares = np.asarray(self.panel.groups.shares)
        return np.asarray(np.einsum("k,kqc->qc", shares, self.kept.shares))

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions taught."""
        return tuple(q for q in self.kept.questions if q not in self.untaught)

    @property
    def taught(self) -> NDArray[np.bool_]:
        """Which questions are taught, (Q,)."""
        return np.array([q not in self.untaught for q in self.kept.questions])


def lesson_of(panel: Panel, settings: TrainSettings) -> Lesson:
    """Split people and questions and lay out the prompts.

    Raises
    ------
    BadInput
        An unknown question; too few people or questions.
    """
    table = panel.answers
    wanted = settings.held_out_questions
    if isinstance(wanted, int):
        untaught = held_out_questions(table, wanted, settings.seed)
    else:
        untaught = tuple(table.questions[i] for i in sorted(map(table.question_index, wanted)))
        held_out_questions(table, len(untaught), 0)
    kept, held = split_people(panel, settings.held_out_people, settings.seed)
    asked = Questionnaire(questions_of(table), orders=settings.orders)
    taught = tuple(i for i, q in enumerate(table.questions) if q not in untaught)
    task = AnswerTask.of(asked, settings.system, taught)
    return Lesson(panel, asked, task, kept, held, untaught)


@final
@dataclass(frozen=True, eq=False)
class TrainedGroups:
    """Adapters of all groups, as files.

    Attributes
    ----------
    folder : Path
    lesson : Lesson
    settings : TrainSettings
        With the number of threads and the precision that were used.
    model : str
        Name of the model.
    digest : str
        Of everything the adapters depend on.
    trained : mapping of group to Trained
        And "public", from which all of them began, where there was a common start.
    names : mapping of group to str
        Its folder inside `folder`.
    fluency : mapping of "untrained" and every group to float
        Perplexity on a neutral text.
    """

    folder: Path
    lesson: Lesson
    settings: TrainSettings
    model: str
    digest: str
    trained: dict[str, Trained]
    names: dict[str, str]
    fluency: dict[str, float]

    @property
    def adapters(self) -> dict[str, Path]:
        """The adapters' files for llama.cpp."""
        return {g: self.folder / name / "adapter.gguf" for g, name in self.names.items()}


def train_groups(
    panel: Panel,
    model: str,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    note: Callable[[str], Any] | None = None,
) -> TrainedGroups:
    """Train one adapter per group of a panel, or go on with it.

    Parameters
    ----------
    panel : Panel
    model : str
        A name of `models list` whose file is on this machine.
    out : Path
        The folder everything is written into.
    settings : TrainSettings, optional
    resume : bool
        Go on with what `out` has; without it a folder that has a training is refused.
    progress, note : callables, optional

    Returns
    -------
    TrainedGroups. Not guaranteed: that the model answers as the group does in another backend, in
    other words or on other questions: measure it (`report_of`).

    Raises
    ------
    BadInput, MissingExtra
        What cannot be used; what is not installed.
    """
    need_training()
    known = model_named(model)
    if not known.gguf:
        raise BadInput(f"model {model} is an address; training needs a model file on this machine")
    settings = _settled(settings or TrainSettings())
    lesson = lesson_of(panel, settings)
    digest = settings.digest(panel, known.sha256)
    state = out / STATE
    if state.exists() and not resume:
        raise BadInput(
            f"{out}: it has a training already; add --resume to go on, or choose another"
        )
    state.mkdir(parents=True, exist_ok=True)
    if note is not None:
        note(f"opening {model}")
    net = LoraNet(
        Path(known.gguf), settings.shape, threads=settings.threads, precision=settings.precision
    )
    trained = _all_trained(net, lesson, settings, state, known.sha256, progress)
    names = folder_names(lesson.groups)
    config = net.model.config
    heads = Heads(int(config.num_attention_heads), int(config.num_key_value_heads))
    for group, name in names.items():
        folder = out / name
        folder.mkdir(exist_ok=True)
        write_peft(folder, trained[group].state, settings.shape, model)
        write_gguf(folder / "adapter.gguf", trained[group].state, settings.shape, heads)
    fluency = _fluency(net, {g: trained[g] for g in lesson.groups})
    write_realisation(out, model, names)
    return TrainedGroups(out, lesson, settings, model, digest, trained, names, fluency)


def _settled(settings: TrainSettings) -> TrainSettings:
    return dataclasses.replace(settings, threads=settings.threads or usable_cores())


def _all_trained(
    net: LoraNet,
    lesson: Lesson,
    settings: TrainSettings,
    state: Path,
    sha256: str,
    progress: Progress | None,
) -> dict[str, Trained]:
    digest = settings.digest(lesson.panel, sha256)
    out, start = {}, None
    if settings.common:
        plan = dataclasses.replace(settings.schedule, steps=settings.common)
        # How long groups learn is not the common start's business: it can be gone on from again.
        alike = dataclasses.replace(settings, schedule=plan)
        out[PUBLIC] = train_adapter(
            net, lesson.task, sharpened(lesson.public, settings.sharp), plan, seed=settings.seed,
            folder=state, name="0-public", digest=alike.digest(lesson.panel, sha256),
            progress=progress,
        )  # fmt: skip
        start = out[PUBLIC].state
    for k, group in enumerate(lesson.groups):
        out[group] = train_adapter(
            net, lesson.task, lesson.kept.shares[k], settings.schedule, seed=settings.seed + k + 1,
            folder=state, name=f"{k + 1}-{folder_names(lesson.groups)[group]}", digest=digest,
            start=start, progress=progress,
        )  # fmt: skip
    return out


def sharpened(shares: FloatArray, power: float) -> FloatArray:
    """Return shares (..., C) to a power, divided by their sum.

    Examples
    --------
    >>> sharpened(np.array([0.25, 0.75, 0.0]), 2.0).tolist()
    [0.1, 0.9, 0.0]
    """
    raised = shares**power
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _fluency(net: LoraNet, trained: dict[str, Trained]) -> dict[str, float]:
    state = next(iter(trained.values())).state
    net.restore({n: a if "lora_A" in n else np.zeros_like(a) for n, a in state.items()})
    out = {"untrained": net.perplexity(NEUTRAL)}
    for group, one in trained.items():
        net.restore(one.state)
        out[group] = net.perplexity(NEUTRAL)
    return out


def write_realisation(out: Path, model: str, names: dict[str, str]) -> None:
    """Write `realisation.toml`: which adapter speaks for which group."""
    lines = [
        f"# Written by equipoise {equipoise.__version__}: which model speaks for which group.",
        f"model = {json.dumps(model)}",
    ]
    for group, name in names.items():
        lines += [
            "",
            f"[groups.{json.dumps(group)}]",
            f'adapter = "{name}/adapter.gguf"',
            f'peft = "{name}"',
        ]
    write_whole(out / "realisation.toml", ("\n".join(lines) + "\n").encode())
