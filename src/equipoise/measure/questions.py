"""The questions themselves: a panel's, in its words or in the user's, in one frame or several."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from equipoise.errors import BadInput, nearest
from equipoise.panels.answers import AnswerTable

__all__ = ["FRAMES", "Question", "questions_of", "read_questions"]

FRAMES = (
    "{question}",
    "Here is a question from a survey of public opinion.\n{question}",
    "Please tell us your own view.\n{question}",
    "Question: {question}",
)
"""Ways to put a question; `paraphrases = 2` uses the first two."""

MOST_OPTIONS = 26


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
