"""A random Llama of few weights that speaks a handful of words: for tests that need torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


def tiny_model(path: Path, words: Sequence[str], **config: Any) -> Any:
    """Write a tokenizer of these words into a folder; return the model, which is not yet written.

    The first two words are [UNK] and </s>; `config` is of `transformers.LlamaConfig`.
    """
    import tokenizers
    import torch
    import transformers

    model = tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="</s>", chat_template=TEMPLATE
    )
    fast.save_pretrained(path)
    torch.manual_seed(3)
    shape = transformers.LlamaConfig(
        vocab_size=len(words), max_position_embeddings=64, bos_token_id=1, eos_token_id=1, **config
    )
    return transformers.LlamaForCausalLM(shape)
