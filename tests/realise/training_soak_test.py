"""Three groups of GSS 2018 trained on the small model, for real: `make soak` with the extra train.

Witnesses: people held out, llama.cpp beside `transformers` on the same prompts, answers really
sampled from the server, an adapter exported wrongly on purpose, and a run killed with -9.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.llm.answers import Sample, option_named
from equipoise.llm.asking import ask
from equipoise.llm.local_server import LocalServer
from equipoise.llm.requests import SampleRequest
from equipoise.measure.answer_laws import AnswerLaws
from equipoise.panels import load_panel
from equipoise.realise.adapter_files import GGUF_NAMES, Heads, read_peft, write_gguf
from equipoise.realise.adapter_laws import answer_law
from equipoise.realise.distinct import audited, sheets_needed
from equipoise.realise.lora_net import LoraNet, LoraShape
from equipoise.realise.settings import TrainSettings
from equipoise.realise.subpopulation import Lesson, lesson_of
from tests.llm.small_model import small_model

ROOT = Path(__file__).parents[2]
Record = Callable[[str, Any], None]
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

for library in ("torch", "transformers", "peft", "gguf"):
    pytest.importorskip(library, reason="needs the extra train")

pytestmark = [pytest.mark.soak, QUIET]


def command(out: Path, *more: str) -> list[str]:
    code = "from equipoise.cli.main import main; main()"
    arguments = ["realise", "train", "--panel", "gss2018", "--groups", "3", "--out", str(out)]
    return [sys.executable, "-W", "ignore", "-c", code, *arguments, *more]


def environment() -> dict[str, str]:
    small_model()
    import platformdirs

    home = platformdirs.user_cache_path("equipoise-tests")
    return os.environ | {"PYTHONPATH": str(ROOT / "src"), "EQUIPOISE_HOME": str(home)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trained groups: the one named in EQUIPOISE_TRAINED, or made here."""
    given = os.environ.get("EQUIPOISE_TRAINED")
    out = Path(given) if given else tmp_path_factory.mktemp("trained") / "out"
    if not (out / "report.json").exists():
        began = time.perf_counter()
        found = subprocess.run(
            command(out, "--json"), env=environment(), capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - began
        (out / "wall.json").write_text(json.dumps({"seconds": seconds}))
        assert json.loads(found.stdout)["panel"] == "gss2018"
    return out


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[LocalServer]:
    report = json.loads((trained / "report.json").read_text())
    adapters = {g: trained / one["folder"] / "adapter.gguf" for g, one in report["groups"].items()}
    with LocalServer(small_model(), adapters=adapters, context=1024) as running:
        yield running


def lesson_in(trained: Path) -> Lesson:
    kept = json.loads((trained / "report.json").read_text())
    settings = TrainSettings(
        held_out_people=kept["settings"]["held_out_people"],
        held_out_questions=tuple(kept["questions_held_out"]),
        seed=kept["settings"]["seed"],
    )
    return lesson_of(load_panel("gss2018", groups=3), settings)


def test_groups_answer_as_their_people(trained: Path, record_figure: Record) -> None:
    report = json.loads((trained / "report.json").read_text())
    judged = report["judged"]
    wall = trained / "wall.json"
    if wall.exists():
        record_figure(
            "realise train: seconds, three groups", json.loads(wall.read_text())["seconds"]
        )
    for name, value in judged.items():
        record_figure(f"realise train: {name}", value)
    for group, one in report["groups"].items():
        new = {
            who: d["held_out_questions"]["to_all_people"]["value"]
            for who, d in one["distances"].items()
        }
        record_figure(f"realise train: questions held out, {group}", new)
    assert judged["to_people_held_out"] <= judged["half_sample_noise"] + 0.02
    assert judged["to_all_people"] <= 0.03
    assert judged["audits_that_hold"] == 3
    assert judged["perplexity_growth"] < 0.5


def test_sheets_really_sampled_are_audited_as_the_group(
    trained: Path, server: LocalServer, record_figure: Record
) -> None:
    """Letters drawn by llama.cpp itself, not by us from its probabilities."""
    lesson = lesson_in(trained)
    taught = [q for q in lesson.panel.questions if q not in lesson.untaught]
    laws = AnswerLaws.from_table(lesson.panel.answers.for_questions(taught))
    k, group = 0, lesson.groups[0]
    n = sheets_needed(laws, k)
    rng = np.random.default_rng(2)
    requests, orders = [], []
    for i in range(n):
        for q in lesson.task.trained:
            row = int(rng.choice(np.flatnonzero(lesson.task.question == q)))
            requests.append(SampleRequest(lesson.task.prompts[row], i, max_tokens=1, seed=i))
            orders.append(lesson.task.orders[row])
    found = ask(server.backend(group), requests, in_flight=4).complete()
    codes = np.full(len(found), -1)
    for i, one in enumerate(found):
        assert isinstance(one, Sample)
        if said := option_named(one.text, "ABC"):
            codes[i] = orders[i]["ABC".index(said)]
    assert (codes >= 0).mean() > 0.97
    seen = audited(lesson, codes.reshape(n, -1), k, n)
    record_figure("realise train: audit of sampled sheets", seen.to_dict())
    assert seen.holds


def law_of(server: LocalServer, adapter: str, lesson: Lesson) -> NDArray[np.float64]:
    return answer_law(server.backend(adapter), lesson.asked, TrainSettings().system).single


def test_the_exported_adapter_says_what_the_trained_one_says(
    trained: Path, server: LocalServer, tmp_path: Path, record_figure: Record
) -> None:
    """The same prompts in `transformers` and llama.cpp; a wrong permutation is far off."""
    lesson = lesson_in(trained)
    report = json.loads((trained / "report.json").read_text())
    group = lesson.groups[0]
    state, config = read_peft(trained / report["groups"][group]["folder"])
    first = min(int(name.split("layers.")[1].split(".")[0]) for name in state)
    shape = LoraShape(config["r"], config["lora_alpha"], first_layer=first)
    net = LoraNet(small_model(), shape, threads=2, precision="float32")
    net.restore(state)
    from equipoise.llm.hf_local import chat_tokens

    prompts = [chat_tokens(net.tokenizer, prompt) for prompt in lesson.task.prompts]
    blocks = [prompts[i : i + 6] for i in range(0, len(prompts), 6)]
    letters = net.letter_probabilities(blocks, 3)
    expected = np.take_along_axis(
        letters / letters.sum(axis=1, keepdims=True), lesson.task.orders.argsort(axis=1), axis=1
    )
    off = np.abs(law_of(server, group, lesson) - expected).sum(axis=1).mean() / 2
    bare = np.abs(law_of(server, "", lesson) - expected).sum(axis=1).mean() / 2
    config_ = net.model.config
    heads = Heads(int(config_.num_attention_heads), int(config_.num_key_value_heads))
    # Planted errors: rows of the queries as `transformers` has them; heads of another number.
    plain = dict(GGUF_NAMES)
    wrong = {}
    for name, h in {"one head": Heads(1, 1), "right": heads}.items():
        path = tmp_path / f"{name}.gguf"
        write_gguf(path, state, shape, h)
        with LocalServer(small_model(), adapters={"a": path}, digest=server.digest) as other:
            wrong[name] = np.abs(law_of(other, "a", lesson) - expected).sum(axis=1).mean() / 2
    assert plain == GGUF_NAMES
    record_figure(
        "realise export: total variation to transformers, per prompt",
        {"adapter": off, "wrong permutation": wrong["one head"], "no adapter": bare},
    )
    assert wrong["right"] == off
    assert off < 0.05
    assert wrong["one head"] > 2 * off


def test_a_run_killed_and_gone_on_with_ends_with_the_same_files(tmp_path: Path) -> None:
    more = ("--common", "12", "--steps", "12", "--threads", "1", "--json")
    whole = tmp_path / "whole"
    subprocess.run(
        command(whole, *more), env=environment(), capture_output=True, check=True, text=True
    )
    part = tmp_path / "part"
    for seconds in (40, 70):
        process = subprocess.Popen(
            command(part, *more, *(["--resume"] if part.exists() else [])),
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(part, *more, "--resume"), env=environment(), check=True,
                   capture_output=True)  # fmt: skip
    names = [p.relative_to(whole) for p in sorted(whole.rglob("adapter*"))]
    assert len(names) == 9
    for name in [*names, Path("laws.json"), Path("realisation.toml")]:
        assert (part / name).read_bytes() == (whole / name).read_bytes(), name
