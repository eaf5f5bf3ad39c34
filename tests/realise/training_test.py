"""Training on a tiny random model. Skipped where the extra `train` is not installed.

Witnesses: `transformers` run prompt by prompt, a run that was never interrupted, and the tiny
model's freedom to answer anything (so that the target can be reached).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.errors import BadInput
from equipoise.measure.questionnaire import Questionnaire
from equipoise.measure.questions import Question
from equipoise.realise.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from equipoise.realise.lora_net import LoraNet, LoraShape
from equipoise.realise.schedule import Schedule
from equipoise.realise.task import AnswerTask
from equipoise.realise.training import Trained, train_adapter
from tests.llm.tiny_model import tiny_model

for library in ("torch", "transformers", "peft", "safetensors", "gguf"):
    pytest.importorskip(library, reason="needs the extra train")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ASKED = Questionnaire(
    (
        Question("tax", ("tax ?",), ("less", "same", "more")),
        Question("war", ("war ?",), ("less", "same", "more")),
        Question("tea", ("tea ?",), ("less", "same", "more")),
    ),
    orders=6,
)
TASK = AnswerTask.of(ASKED, "self", (0, 1))
SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.3, 0.3, 0.4]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    words = ["[UNK]", "</s>", "A", "B", "C", ".", ":", ",", "?", "or", "less", "same", "more",
             "tax", "war", "tea", "self", "system", "user", "assistant", "Answer"]  # fmt: skip
    model = tiny_model(
        path, words, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.3,
    )  # fmt: skip
    model.save_pretrained(path, safe_serialization=True)
    return path


def net(folder: Path, first_layer: int = 1) -> LoraNet:
    shape = LoraShape(4, 8.0, first_layer=first_layer)
    return LoraNet(folder, shape, threads=1, precision="float32")


def tokens(model: LoraNet) -> list[list[int]]:
    from equipoise.llm.hf_local import chat_tokens

    return [chat_tokens(model.tokenizer, prompt) for prompt in TASK.prompts]


@pytest.mark.parametrize("first_layer", [0, 2])
def test_the_tree_gives_the_numbers_of_the_prompts_one_by_one(
    folder: Path, first_layer: int
) -> None:
    import torch

    model = net(folder, first_layer)
    rng = np.random.default_rng(1)
    drawn = {n: rng.normal(0, 0.3, a.shape).astype(np.float32) for n, a in model.state().items()}
    model.restore(drawn)
    assert all(int(name.split("layers.")[1].split(".")[0]) >= first_layer for name in drawn)
    every = tokens(model)
    blocks = [every[:6], every[6:12], [every[13]]]
    flat = [prompt for block in blocks for prompt in block]
    plain = model.model.base_model.model
    plain.set_attn_implementation("eager")
    with torch.no_grad():
        one_by_one = torch.stack(
            [torch.log_softmax(plain(torch.tensor([p])).logits[0, -1], -1) for p in flat]
        )
        plain.set_attn_implementation("equipoise_prompt_tree")
        for _ in range(2):  # the second time lower layers are remembered
            found = model.logprobs(blocks)
            assert torch.allclose(found, one_by_one, atol=1e-5)
        assert not torch.allclose(found[0], found[1], atol=1e-3)


def trained(folder: Path, out: Path, **changes: Any) -> Trained:
    schedule = Schedule(steps=24, rate=0.02, questions=2, look_every=8, near=0.0, patience=9)
    settings: dict[str, Any] = {"seed": 5, "folder": out, "name": "a", "digest": "d"} | changes
    return train_adapter(net(folder), TASK, SHARES, schedule, **settings)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("at", [3, 8, 17, 24])
def test_a_run_that_was_stopped_ends_with_the_same_adapter(
    folder: Path, tmp_path: Path, at: int
) -> None:
    whole = trained(folder, tmp_path / "whole")
    assert [look.step for look in whole.looks] == [8, 16, 24]
    assert whole.looks[-1].trained < 0.8 * whole.looks[0].trained
    assert whole.best.covered > 0.85

    def stop(what: str, done: int, total: int, seconds: float) -> None:
        if done == at:
            raise Stopped

    with pytest.raises(Stopped):
        trained(folder, tmp_path / "part", progress=stop)
    # A kill in the middle of writing leaves a file nobody names.
    (tmp_path / "part").mkdir(exist_ok=True)
    (tmp_path / "part" / "a-000099.safetensors").write_bytes(b"half")
    again = trained(folder, tmp_path / "part")
    assert again.looks == whole.looks
    assert all(np.array_equal(again.state[n], whole.state[n]) for n in whole.state)
    assert len(list((tmp_path / "part").glob("*.safetensors"))) <= 2
    other = trained(folder, tmp_path / "other", seed=6)
    assert not all(np.array_equal(other.state[n], whole.state[n]) for n in whole.state)


def test_checkpoints_of_other_settings_and_damaged_ones_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    trained(folder, tmp_path)
    with pytest.raises(BadInput, match="checkpoint of other settings"):
        trained(folder, tmp_path, digest="e")
    file = next(tmp_path.glob("a-*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="the checkpoint is damaged"):
        trained(folder, tmp_path)


def test_a_checkpoint_is_read_back_and_only_the_last_is_kept(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path, "x") is None
    for step in (1, 2):
        arrays = {"w": np.full((2, 3), step, np.float32)}
        write_checkpoint(tmp_path, "x", step, Checkpoint({"step": step}, arrays))
    found = read_checkpoint(tmp_path, "x")
    assert found is not None
    assert found.about["step"] == 2
    assert found.arrays["w"].tolist() == [[2.0] * 3] * 2
    assert len(list(tmp_path.glob("x-*.safetensors"))) == 1
    assert not list(tmp_path.glob("*.pt")) + list(tmp_path.glob("*.pkl"))


def test_an_adapter_of_another_shape_is_refused(folder: Path) -> None:
    model = net(folder)
    with pytest.raises(BadInput, match="another model, rank or modules"):
        model.restore(net(folder, 2).state())
    with pytest.raises(BadInput, match="has 3 layers"):
        net(folder, 3)
