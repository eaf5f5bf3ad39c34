"""Settings of a training, and the digest that says which run a checkpoint belongs to."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any, final

from equipoise.errors import BadInput
from equipoise.llm.requests import canonical
from equipoise.measure.questionnaire import YOURSELF
from equipoise.panels.panel import Panel
from equipoise.realise.lora_shape import LoraShape
from equipoise.realise.schedule import Schedule

__all__ = ["TrainSettings", "panel_digest"]

VERSION = 1
"""Of what training computes; a change that gives other adapters raises it."""


@final
@dataclass(frozen=True)
class TrainSettings:
    """Everything an adapter depends on beside the panel and the model.

    Parameters
    ----------
    shape : LoraShape
    schedule : Schedule
        Of every group, after the common start.
    common : int
        Steps taught the whole public's answers first; every group goes on from there. 0: none.
    sharp : float
        The common start is taught the public's shares to this power, divided by their sum: which
        answer goes with which question is then learnt from far fewer steps, and how many people
        give it afterwards, group by group.
    orders : int
        Orders of the options, as `Questionnaire` takes them.
    system : str
        The system prompt of all prompts.
    held_out_people : float
        Share of each group's people that is never taught.
    held_out_questions : int or tuple of str
        How many questions are never taught, or which.
    seed : int
    threads : int
        Threads that compute; 0 means one a usable core. Recorded, because a result repeats to
        the last bit only with the same number.
    precision : str
        As `LoraNet` takes it.
    """

    shape: LoraShape = field(default_factory=LoraShape)
    schedule: Schedule = field(default_factory=Schedule)
    common: int = 160
    sharp: float = 3.0
    orders: int = 6
    system: str = YOURSELF
    held_out_people: float = 0.3
    held_out_questions: int | tuple[str, ...] = 3
    seed: int = 0
    threads: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        if not 0.0 < self.held_out_people < 1.0:
            raise BadInput("held-out people: write a share between 0 and 1, like 0.3")
        if not self.sharp > 0.0:
            raise BadInput("sharp: a power above 0 is needed; 1 teaches the public as it is")
        if self.common < 0 or self.seed < 0 or self.threads < 0:
            raise BadInput("common steps, seed and threads are at least 0")
        if self.precision not in ("auto", "bfloat16", "float32"):
            raise BadInput('precision: write "auto", "bfloat16" or "float32"')

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"version": VERSION}

    def digest(self, panel: Panel, model_sha256: str) -> str:
        """Return the sha256 of settings, people's answers and model file."""
        everything = [self.to_dict(), panel_digest(panel), model_sha256]
        return hashlib.sha256(canonical(everything).encode("ascii")).hexdigest()


def panel_digest(panel: Panel) -> str:
    """Return the sha256 of a panel's answer table, wording included."""
    table = panel.answers
    text = canonical([panel.name, table.groups, table.questions, table.options, table.wording])
    found = hashlib.sha256(text.encode("ascii"))
    found.update(table.shares.tobytes())
    found.update(table.n_eff.tobytes())
    return found.hexdigest()
