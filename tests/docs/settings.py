"""What each page needs before it is run: files of the examples, and models that play a script."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from equipoise.cli.main import run
from equipoise.panels import load_panel
from tests.measure.answering import answering, as_people

__all__ = ["PAGES", "ROOT", "SKIPPED", "ready"]

ROOT = Path(__file__).parents[2]

SKIPPED = ("equipoise models pull", "equipoise app", "equipoise serve", "equipoise realise")
"""Commands of `sh` blocks that need the network, a browser, a trained model, or do not end."""

Setup = Callable[[Path], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[None]:
    """Put the survey of the examples beside the page, and where it lies in a checkout."""
    shutil.copy(ROOT / "examples" / "survey.csv", folder)
    (folder / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "survey.csv", folder / "examples")
    yield


@contextlib.contextmanager
def models(folder: Path) -> Iterator[None]:
    """Let the name `smollm2-135m` stand for a server that answers as conservatives do."""
    with plain(folder):
        people = as_people(load_panel("gss2018", groups=3), default="conservative")
        old = os.environ.get("EQUIPOISE_HOME")
        os.environ["EQUIPOISE_HOME"] = str(folder / "home")
        try:
            with answering(people) as server, open(os.devnull, "w") as nowhere:
                with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                    add = ["models", "add", "smollm2-135m", "--url", server.url, "--model", "m"]
                    assert run(add) == 0
                yield
        finally:
            del os.environ["EQUIPOISE_HOME"]
            if old is not None:
                os.environ["EQUIPOISE_HOME"] = old


@contextlib.contextmanager
def answers(folder: Path) -> Iterator[None]:
    """Answers drawn from the people themselves: two thirds liberals, one third conservatives."""
    rng = np.random.default_rng(1)
    table = load_panel("gss2018", groups=3).answers
    with (folder / "answers.jsonl").open("w") as out:
        for i in range(300):
            k = 0 if i % 3 else 2
            for q, question in enumerate(table.questions):
                answer = table.options[q][rng.choice(3, p=table.shares[k, q])]
                out.write(json.dumps({"question": question, "answer": answer, "id": i}) + "\n")
    truth = ["left", "right"] * 100
    labels = [t if rng.random() < 0.9 else "right" for t in truth]
    pairs = [f"{t},{label}" for t, label in zip(truth, labels, strict=True)]
    (folder / "known.csv").write_text("\n".join(["truth,label", *pairs]) + "\n")
    (folder / "texts.csv").write_text("\n".join(["label", *labels]) + "\n")
    with plain(folder):
        yield


SETUPS: dict[str, Setup] = {
    "docs/measuring.md": models,
    "docs/auditing.md": answers,
}

PAGES = tuple(
    sorted(
        str(path.relative_to(ROOT))
        for path in (
            ROOT / "README.md",
            *(ROOT / "examples").glob("*.md"),
            *(p for p in (ROOT / "docs").rglob("*.md") if "design" not in p.parts),
        )
        if "```" in path.read_text(encoding="utf-8")
    )
)
"""Every page with a block in it."""


@contextlib.contextmanager
def ready(page: str, folder: Path) -> Iterator[None]:
    """Set up what a page needs in a folder."""
    with SETUPS.get(page, plain)(folder):
        yield
