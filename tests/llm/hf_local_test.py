"""A tiny random model in this process. Witness: torch's own softmax, and the chain rule by hand.

Skipped where torch is not installed (the extra `train`).
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import BadInput, MissingExtra
from equipoise.llm.asking import ask, ask_one
from equipoise.llm.hf_local import HFLocal
from equipoise.llm.requests import Prompt, SampleRequest, ScoreRequest
from tests.llm.tiny_model import tiny_model

ABSENT = importlib.util.find_spec("torch") is None or not importlib.util.find_spec("transformers")
needs_torch = pytest.mark.skipif(ABSENT, reason="needs torch and transformers: the extra train")
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.skipif(not ABSENT, reason="torch is installed")
def test_without_torch_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'equipoise\[train\]'"):
        HFLocal(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of 20,000 weights that speaks seven words."""
    import torch

    path = tmp_path_factory.mktemp("tiny")
    words = ["[UNK]", "</s>", "A", "B", "agree", "disagree", "user", "assistant", ":", "tea", "no"]
    net = tiny_model(
        path, words, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2,
    )  # fmt: skip
    with torch.no_grad():
        # So sure of two letters that they cover most of the probability.
        net.lm_head.weight[2:4] += 40.0 * net.model.norm.weight.new_ones(16) / 16
        net.lm_head.weight[3] *= 0.5
    net.save_pretrained(path, safe_serialization=True)
    return path


@needs_torch
@quiet
def test_scores_are_the_softmax_over_all_tokens(folder: Path) -> None:
    import torch
    import transformers

    request = ScoreRequest(Prompt.chat("tea"), ("A", "B"))
    net = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        logits = net(torch.tensor([[6, 8, 9, 7, 8]])).logits[0, -1].double()
    expected = torch.softmax(logits, -1)
    if float(expected[2] + expected[3]) < 0.5:
        from equipoise.llm.failures import CannotScore

        with pytest.raises(CannotScore) as caught:
            ask_one(HFLocal(folder), request)
        probabilities: Any = caught.value.observed.probabilities
    else:
        found = ask_one(HFLocal(folder), request)
        assert found.unlisted == 0.0
        probabilities = found.probabilities
    assert probabilities["A"] == pytest.approx(float(expected[2]), abs=1e-12)
    assert probabilities["B"] == pytest.approx(float(expected[3]), abs=1e-12)


@needs_torch
@quiet
def test_a_whole_option_is_scored_by_the_chain_rule(folder: Path) -> None:
    import torch
    import transformers

    from equipoise.llm.failures import CannotScore

    net = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        logs = torch.log_softmax(net(torch.tensor([[9, 4, 9]])).logits[0].double(), -1)
    expected = math.exp(float(logs[0, 4] + logs[1, 9]))
    request = ScoreRequest(Prompt.bare("tea"), ("agree tea", "disagree"), match="continuation")
    try:
        found: Any = ask_one(HFLocal(folder), request)
    except CannotScore as error:
        found = error.observed
    assert found.probabilities["agree tea"] == pytest.approx(expected, rel=1e-9)


@needs_torch
@quiet
def test_draws_are_repeatable_and_differ(folder: Path) -> None:
    draws = [SampleRequest(Prompt.chat("tea"), draw=i, max_tokens=4) for i in range(8)]
    model = HFLocal(folder)
    first = ask(model, draws).complete()
    assert ask(model, draws[::-1]).complete()[::-1] == first
    assert len(set(map(repr, first))) > 1
    assert HFLocal(folder).identity == model.identity


@needs_torch
def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(BadInput, match="pickled; convert them to safetensors"):
        HFLocal(tmp_path)
    with pytest.raises(BadInput, match=r"give a folder with \*\.safetensors"):
        HFLocal(tmp_path / "none")
