"""What a model is asked: survey questions, in balanced orders and several wordings.

Everything that changes an answer (order of the options, wording, persona, system prompt) stands in
the prompt, and so in the name under which the answer is kept.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from equipoise.errors import BadInput, nearest
from equipoise.llm.backend import Capabilities
from equipoise.llm.requests import Prompt, Request, SampleRequest, ScoreRequest
from equipoise.measure.orders import Order, balanced_orders
from equipoise.panels.answers import AnswerTable

__all__ = [
    "FRAMES",
    "PERSONA",
    "YOURSELF",
    "Condition",
    "Question",
    "Questionnaire",
    "Sheet",
    "conditions_for",
    "questions_of",
    "read_questions",
]

FRAMES = (
    "{question}",
    "Here is a question from a survey of public opinion.\n{question}",
    "Please tell us your own view.\n{question}",
    "Question: {question}",
)
"""Ways to put a question; `paraphrases = 2` uses the first two."""

YOURSELF = "Answer as yourself."
PERSONA = "Answer as a person whose views are {group} would."

MOST_OPTIONS = 26
FORMS = ("letters", "words")


@final
@dataclass(frozen=True)
class Question:
    """One question.

    Parameters
    ----------
    name : str
        Its label, as in the panel.
    wordings : tuple of str
        One text or several; the first is the original.
    options : tuple of str
        In their natural order, the panel's.
    """

    name: str
    wordings: tuple[str, ...]
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.wordings or not all(text.strip() for text in self.wordings):
            raise BadInput(f"{self.name}: a question needs a text")
        if not 2 <= len(self.options) <= MOST_OPTIONS:
            raise BadInput(
                f"{self.name}: it has {len(self.options)} options, and letters run from A to Z; "
                "leave it out of panel.questions"
            )
        if len({o.strip().casefold() for o in self.options}) < len(self.options):
            raise BadInput(f"{self.name}: two of its options are the same text")


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
                out.append(ScoreRequest(prompt, self.names(q, order), match, reasoning))
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


def questions_of(
    table: AnswerTable,
    paraphrases: int | Sequence[str] = 1,
    own: Mapping[str, Question] | None = None,
) -> tuple[Question, ...]:
    """Return the questions of a panel, in their words or in the user's.

    Parameters
    ----------
    table : AnswerTable
        E.g. `panel.answers`.
    paraphrases : int or sequence of str
        How many of `FRAMES`, or frames of your own, each with {question} in it.
    own : mapping of label to Question, optional
        As `read_questions` gives them: they take the place of the panel's words, and only these
        questions are asked.
    """
    if isinstance(paraphrases, int):
        if not 1 <= paraphrases <= len(FRAMES):
            raise BadInput(f"paraphrases: there are 1 to {len(FRAMES)} of ours; write your own")
        frames: Sequence[str] = FRAMES[:paraphrases]
    else:
        frames = tuple(paraphrases)
    for frame in frames:
        if frame.count("{question}") != 1 or "{" in frame.replace("{question}", ""):
            raise BadInput("paraphrases: each has {question} once, and no other braces")
    out = []
    for name, options, wording in zip(table.questions, table.options, table.wording, strict=True):
        if own is not None and name not in own:
            continue
        asked = Question(name, (wording,), options) if own is None else own[name]
        texts = tuple(f.replace("{question}", text) for text in asked.wordings for f in frames)
        out.append(Question(name, texts, asked.options))
    return tuple(out)


def read_questions(path: Path, table: AnswerTable) -> dict[str, Question]:
    """Read the user's own words for a panel's questions: a TOML file, one table a question.

    Parameters
    ----------
    path : Path
        `[label]` with `text` or `texts`, and optionally `options`, as many as the panel's and in
        the panel's order.
    table : AnswerTable
        The panel's.

    Raises
    ------
    BadInput
        Another question, other keys, another number of options.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path.name}: it cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name}: it is not TOML ({error})") from None
    out = {}
    for name, entry in data.items():
        where = f"{path.name}: [{name}]"
        if name not in table.questions:
            raise BadInput(f"{where} is no question of the panel; {nearest(name, table.questions)}")
        if not isinstance(entry, dict) or not entry.keys() <= {"text", "texts", "options"}:
            raise BadInput(f"{where} has text or texts, and options; nothing else")
        texts = entry.get("texts", [entry["text"]] if "text" in entry else [])
        options = entry.get("options", list(table.options[table.question_index(name)]))
        if not all(isinstance(x, list) and all(isinstance(t, str) for t in x)
                   for x in (texts, options)) or not texts:  # fmt: skip
            raise BadInput(f'{where}: write text = "…" or texts = ["…", "…"]')
        if len(options) != len(table.options[table.question_index(name)]):
            raise BadInput(f"{where}: write as many options as the panel has, in its order")
        out[name] = Question(name, tuple(texts), tuple(options))
    if not out:
        raise BadInput(f"{path.name}: it has no question; write [label] and text")
    return out


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
