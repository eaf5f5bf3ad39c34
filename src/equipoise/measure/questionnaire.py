"""What a model is asked: survey questions, in balanced orders and several wordings.

Everything that changes an answer (order of the options, wording, persona, system prompt) stands in
the prompt, and so in the name under which the answer is kept.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from equipoise.errors import BadInput, nearest
from equipoise.llm.backend import Capabilities
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.measure.orders import Order, balanced_orders
from equipoise.measure.questions import Question

__all__ = [
    "PERSONA",
    "YOURSELF",
    "Condition",
    "Questionnaire",
    "Sheet",
    "conditions_for",
]

YOURSELF = "Answer as yourself."
PERSONA = "Answer as a person whose views are {group} would."

FORMS = ("letters", "words")


@final
@dataclass(frozen=True)
class Condition:
    """As whom a model is asked.

    Parameters
    ----------
    name : str
        "default", or the label of the group it is told to be.
    system : str
        The whole system prompt.
    """

    name: str
    system: str


@final
@dataclass(frozen=True)
class Sheet:
    """How one question was put: one entry per prompt.

    Parameters
    ----------
    question : str
        Its label.
    options : tuple of str
        In natural order.
    wording : tuple of int
        Which wording each prompt has.
    orders : tuple of orders
        Entry `i` of an order is the option in position `i`.
    """

    question: str
    options: tuple[str, ...]
    wording: tuple[int, ...]
    orders: tuple[Order, ...]

    def __len__(self) -> int:
        return len(self.orders)


@final
@dataclass(frozen=True)
class Questionnaire:
    """All prompts of a measurement.

    Parameters
    ----------
    questions : tuple of Question
    orders : int
        Orders wanted a question; see `balanced_orders`.
    form : str
        "letters": options are lettered and one letter is asked for. "words": the option's own
        words are, scored by the first token where first words differ, else as a whole.
    samples : int
        Texts a prompt, where no probabilities can be read.
    max_tokens : int
        The longest sampled answer.

    Examples
    --------
    >>> asked = Questionnaire((Question("tax", ("Taxes?",), ("less", "more")),), orders=2)
    >>> [sheet.orders for sheet in asked.sheets]
    [((0, 1), (1, 0))]
    >>> print(asked.prompt(asked.questions[0], 0, (1, 0), "").messages[0].text)
    Taxes?
    A. more
    B. less
    Answer with one letter: A or B.
    """

    questions: tuple[Question, ...]
    orders: int = 6
    form: str = "letters"
    samples: int = 4
    max_tokens: int = 16
    sheets: tuple[Sheet, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.questions:
            raise BadInput("questions: there is none to ask")
        if self.form not in FORMS:
            raise BadInput(f'form: there is no "{self.form}"; {nearest(self.form, FORMS)}')
        if self.samples < 1 or self.max_tokens < 1:
            raise BadInput("samples and max_tokens must be at least 1")
        sheets = []
        for q in self.questions:
            orders = balanced_orders(len(q.options), self.orders)
            wording = tuple(w for w in range(len(q.wordings)) for _ in orders)
            sheets.append(Sheet(q.name, q.options, wording, orders * len(q.wordings)))
        object.__setattr__(self, "sheets", tuple(sheets))

    def prompt(self, question: Question, wording: int, order: Order, system: str) -> Prompt:
        """Return one prompt."""
        offered = [question.options[i] for i in order]
        if self.form == "letters":
            letters = string.ascii_uppercase[: len(order)]
            shown = [f"{a}. {text}" for a, text in zip(letters, offered, strict=True)]
            last = f"Answer with one letter: {', '.join(letters[:-1])} or {letters[-1]}."
        else:
            shown = [f"- {text}" for text in offered]
            last = "Answer with one of these options, in the same words."
        text = "\n".join([question.wordings[wording], *shown, last])
        return Prompt.chat(text, system=system)

    def stem(self, question: Question, wording: int) -> int:
        """Return with how many characters every order of a question begins alike."""
        return len(question.wordings[wording]) + len("\nA." if self.form == "letters" else "\n-")

    def names(self, question: Question, order: Order) -> tuple[str, ...]:
        """Return how each position is named in an answer: by its letter, or its option's words."""
        if self.form == "letters":
            return tuple(string.ascii_uppercase[: len(order)])
        return tuple(question.options[i] for i in order)

    def score_requests(
        self, condition: Condition, able: Capabilities, reasoning: str = "default"
    ) -> list[Request]:
        """Return one request per prompt, question by question, in the order of `sheets`.

        Raises
        ------
        BadInput
            The options' first words are the same, and the endpoint cannot score whole options.
        """
        out: list[Request] = []
        for q, sheet in zip(self.questions, self.sheets, strict=True):
            match = self._match(q, able)
            for wording, order in zip(sheet.wording, sheet.orders, strict=True):
                prompt = self.prompt(q, wording, order, condition.system)
                stem = self.stem(q, wording)
                out.append(ScoreRequest(prompt, self.names(q, order), match, reasoning, stem))
        return out

    def sample_requests(self, condition: Condition, reasoning: str = "default") -> list[Request]:
        """Return `samples` requests per prompt, in the order of `sheets`, draws together."""
        out: list[Request] = []
        for q, sheet in zip(self.questions, self.sheets, strict=True):
            for wording, order in zip(sheet.wording, sheet.orders, strict=True):
                prompt = self.prompt(q, wording, order, condition.system)
                out += [
                    SampleRequest(prompt, draw, max_tokens=self.max_tokens, reasoning=reasoning)
                    for draw in range(self.samples)
                ]
        return out

    @property
    def prompts(self) -> int:
        """Prompts a condition."""
        return sum(map(len, self.sheets))

    def _match(self, question: Question, able: Capabilities) -> str:
        if self.form == "letters":
            return "first token"
        first = [text.split()[0].casefold() for text in question.options]
        if not any(
            b.startswith(a) for i, a in enumerate(first) for b in first[:i] + first[i + 1 :]
        ):
            return "first token"
        if able.continuation:
            return "continuation"
        raise BadInput(
            f'measure.form: the options of "{question.name}" begin with the same word, and this '
            'endpoint cannot score whole options; write form = "letters"'
        )


def conditions_for(
    groups: Sequence[str], *, system: str = "", persona: str = "", frame: str = PERSONA
) -> tuple[Condition, ...]:
    """Return as whom an agent is asked: as it is, and as a person of every group.

    Parameters
    ----------
    groups : sequence of str
        Labels.
    system : str
        The agent's own system prompt; it stands first in all of them.
    persona : str
        Whom the agent plays by itself; without one it is told to answer as itself.
    frame : str
        The sentence that makes it a person of a group, with {group} in it.

    Examples
    --------
    >>> [c.system for c in conditions_for(["left"], frame="You vote {group}.")]
    ['Answer as yourself.', 'You vote left.']
    """
    if frame.count("{group}") != 1 or "{" in frame.replace("{group}", ""):
        raise BadInput("measure.persona: write a sentence with {group} once, and no other braces")

    def joined(text: str) -> str:
        return "\n".join(part for part in (system, text) if part)

    own = Condition("default", joined(persona or YOURSELF))
    return (own, *(Condition(g, joined(frame.replace("{group}", g))) for g in groups))
