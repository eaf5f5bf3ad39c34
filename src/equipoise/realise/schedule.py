"""The course of a training: how fast and in which batches, what is looked at, and when it ends.

A warm-up, then a cosine down to a twentieth of the rate. Training ends early when the answers are
nearer to the people taught than `near` (a closer fit would fit the survey's own sampling error), or
when they come no nearer for `patience` looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from equipoise.errors import BadInput

__all__ = ["Look", "Schedule"]

WARM_UP = 8
FLOOR = 0.05


@final
@dataclass(frozen=True)
class Look:
    """How near the answers were at one step.

    Parameters
    ----------
    step : int
    loss : float
        Cross-entropy of the last batch, nats.
    trained, held_out : float
        Mean total variation to the people taught, over questions taught and held out (NaN where
        none is).
    covered : float
        Mean probability of the letters.
    """

    step: int
    loss: float
    trained: float
    held_out: float
    covered: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Look:
        """Return the look of `to_dict`."""
        plain: dict[str, Any] = {k: math.nan if v is None else v for k, v in data.items()}
        return cls(**plain)


@final
@dataclass(frozen=True)
class Schedule:
    """How long, how fast, in which batches.

    Parameters
    ----------
    steps : int
        At most.
    rate : float
        The highest learning rate.
    squares, questions : int
        Whole squares of orders a question, and questions a step.
    look_every : int
        Steps between two looks at all prompts; each is a checkpoint.
    near : float
        Mean total variation to the people taught at which training ends.
    patience : int
        Looks without coming nearer at which it ends.
    fluency : float
        Weight of the divergence from the untrained model on passages about something else.
    """

    steps: int = 120
    rate: float = 2e-3
    squares: int = 1
    questions: int = 5
    look_every: int = 20
    near: float = 0.01
    patience: int = 3
    fluency: float = 0.5

    def __post_init__(self) -> None:
        whole = (self.steps, self.squares, self.questions, self.look_every, self.patience)
        if min(whole) < 1 or not 0.0 < self.rate < 1.0 or min(self.near, self.fluency) < 0.0:
            raise BadInput(
                "training: steps, squares, questions and looks are at least 1, the rate lies "
                "between 0 and 1, near and fluency are at least 0"
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warm = min(1.0, (step + 1) / WARM_UP)
        turn = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.rate * warm * (FLOOR + (1.0 - FLOOR) * turn)

    def why_ended(self, step: int, looks: Sequence[Look]) -> str:
        """Return why training ends at a step after these looks; "" while it goes on."""
        near = [look.trained for look in looks]
        if near and near[-1] <= self.near:
            return "near enough"
        if step >= self.steps:
            return "all steps"
        # In the first half the rate is high, and looks go up and down.
        late = step > self.steps / 2
        if late and len(near) - 1 - int(np.argmin(near)) >= self.patience:
            return "no nearer"
        return ""
