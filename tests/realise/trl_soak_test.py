"""The data sets in TRL itself: loaded from their files and trained on for a few steps.

Witness: TRL's own trainers, which refuse rows of another format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.measure.answer_laws import AnswerLaws
from equipoise.measure.questionnaire import YOURSELF, Questionnaire
from equipoise.measure.questions import questions_of
from equipoise.panels import load_panel
from equipoise.realise.datasets import (
    MixtureReward,
    dpo_rows,
    kto_rows,
    mixture_law,
    sft_rows,
    write_rows,
)
from tests.llm.small_model import small_model

for library in ("torch", "transformers", "peft", "trl", "datasets"):
    pytest.importorskip(library, reason="needs the extra trl")

pytestmark = [
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore"),
]

STEPS = 2


@pytest.fixture(scope="module")
def asked() -> tuple[Questionnaire, AnswerLaws]:
    table = load_panel("gss2018", groups=3).answers.for_questions(("natspac", "natcrime"))
    return Questionnaire(questions_of(table), orders=3), AnswerLaws.from_table(table)


def parts() -> tuple[Any, Any, Any]:
    """A fresh model, its tokenizer, and the form of an adapter."""
    import peft

    from equipoise.llm.hf_local import load_weights

    tokenizer, model = load_weights(small_model())
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        if hasattr(model, name):
            setattr(model, name, None)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    return tokenizer, model, config


def settings(kind: Any, out: Path, **more: Any) -> Any:
    return kind(
        output_dir=str(out), max_steps=STEPS, per_device_train_batch_size=2, logging_steps=1,
        save_strategy="no", report_to=[], use_cpu=True, bf16=False, learning_rate=1e-3, **more,
    )  # fmt: skip


def loaded(path: Path) -> Any:
    import datasets

    return datasets.load_dataset("json", data_files=str(path), split="train",
                                 cache_dir=str(path.parent / "cache"))  # fmt: skip


def assert_trained(trainer: Any) -> None:
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}
    found = trainer.train()
    assert found.global_step == STEPS
    assert np.isfinite(found.training_loss)
    after = dict(trainer.model.named_parameters())
    assert any(not bool((after[n] == p).all()) for n, p in before.items())


def target(laws: AnswerLaws) -> np.ndarray[Any, np.dtype[np.float64]]:
    return mixture_law(laws.shares, [0.5, 0.3, 0.2])


def test_sft(tmp_path: Path, asked: tuple[Questionnaire, AnswerLaws]) -> None:
    import trl

    questions, laws = asked
    write_rows(tmp_path / "sft.jsonl", sft_rows(questions, target(laws), system=YOURSELF, copies=4))
    tokenizer, model, config = parts()
    assert_trained(
        trl.SFTTrainer(
            model, args=settings(trl.SFTConfig, tmp_path),
            train_dataset=loaded(tmp_path / "sft.jsonl"), processing_class=tokenizer,
            peft_config=config,
        )
    )  # fmt: skip


def test_dpo(tmp_path: Path, asked: tuple[Questionnaire, AnswerLaws]) -> None:
    import trl

    questions, laws = asked
    rows = dpo_rows(questions, target(laws), laws.shares[0], beta=1.0, system=YOURSELF, copies=4)
    write_rows(tmp_path / "dpo.jsonl", rows)
    tokenizer, model, config = parts()
    assert_trained(
        trl.DPOTrainer(
            model, args=settings(trl.DPOConfig, tmp_path, beta=1.0),
            train_dataset=loaded(tmp_path / "dpo.jsonl"), processing_class=tokenizer,
            peft_config=config,
        )
    )  # fmt: skip


def test_kto(tmp_path: Path, asked: tuple[Questionnaire, AnswerLaws]) -> None:
    import trl

    kind, config_kind = getattr(trl, "KTOTrainer", None), getattr(trl, "KTOConfig", None)
    if kind is None:
        from trl.experimental import kto

        kind, config_kind = kto.KTOTrainer, kto.KTOConfig
    questions, laws = asked
    rows = kto_rows(questions, target(laws), laws.shares[0], system=YOURSELF, copies=4)
    write_rows(tmp_path / "kto.jsonl", rows)
    tokenizer, model, config = parts()
    assert_trained(
        kind(
            model, args=settings(config_kind, tmp_path, beta=0.1),
            train_dataset=loaded(tmp_path / "kto.jsonl"), processing_class=tokenizer,
            peft_config=config,
        )
    )  # fmt: skip


def test_grpo(tmp_path: Path, asked: tuple[Questionnaire, AnswerLaws]) -> None:
    import datasets
    import trl

    questions, laws = asked
    reward = MixtureReward(questions, laws.shares, [0.5, 0.3, 0.2], system=YOURSELF)
    rows = datasets.Dataset.from_list([{"prompt": p} for p in reward.prompts()])
    tokenizer, model, config = parts()
    seen: list[float] = []

    def watched(prompts: Any, completions: Any, **more: Any) -> list[float]:
        seen.extend(found := reward(prompts, completions, **more))
        return found

    assert_trained(
        trl.GRPOTrainer(
            model, reward_funcs=watched,
            args=settings(trl.GRPOConfig, tmp_path, num_generations=2, max_completion_length=2),
            train_dataset=rows, processing_class=tokenizer, peft_config=config,
        )
    )  # fmt: skip
    assert len(seen) == 2 * STEPS
    assert max(seen) > 0.0
