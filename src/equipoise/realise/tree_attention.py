"""Attention over a `PromptTree` for models of `transformers`: block by block, not all to all.

With prefix P and B blocks of length L a plain mask costs (P + B L) squared; here it is P squared
and B L (P + L), a tenth on the prompts of a survey.
"""

from __future__ import annotations

from typing import Any

from equipoise.realise.prompt_tree import PromptTree

__all__ = ["NAME", "Layout", "register"]

NAME = "equipoise_prompt_tree"


class Layout:
    """A prompt tree as tensors: what attention needs beside queries, keys and values."""

    def __init__(self, tree: PromptTree, dtype: Any) -> None:
        import torch

        self.prefix, self.shape = tree.prefix.size, tree.tokens.shape
        blocks, length = self.shape
        hidden = torch.zeros((blocks, 1, length, self.prefix + length), dtype=dtype)
        inside = torch.from_numpy(~tree.sees)[:, None]
        hidden[..., self.prefix :].masked_fill_(inside, torch.finfo(dtype).min)
        self.hidden = hidden
        self.tokens = torch.from_numpy(tree.sequence)[None]
        self.positions = torch.from_numpy(tree.positions)[None]
        self.ends = torch.from_numpy(tree.ends)


def register() -> None:
    """Make the attention known to `transformers` under `NAME`."""
    import transformers

    transformers.AttentionInterface.register(NAME, _attention)


def _attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *, scaling: float,
    prompt_tree: Layout, **_: Any,
) -> tuple[Any, None]:  # fmt: skip
    """Attend (1, heads, P + B L, d); returns (1, P + B L, heads, d)."""
    import torch

    p, (blocks, length) = prompt_tree.prefix, prompt_tree.shape
    heads, width = query.shape[1], query.shape[3]
    repeat = heads // key.shape[1]
    if repeat > 1:
        key, value = (x.repeat_interleave(repeat, dim=1) for x in (key, value))

    def cut(x: Any) -> Any:
        """Blocks as a batch, (B, heads, L, d)."""
        return x[0, :, p:].reshape(heads, blocks, length, width).transpose(0, 1)

    parts = []
    if p:
        own = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, :p], key[:, :, :p], value[:, :, :p], is_causal=True, scale=scaling
        )
        parts.append(own[0].transpose(0, 1))
    every = [
        torch.cat([x[:, :, :p].expand(blocks, -1, -1, -1), cut(x)], dim=2) for x in (key, value)
    ]
    scores = cut(query) @ every[0].transpose(2, 3) * scaling + prompt_tree.hidden
    weights = torch.softmax(scores.float(), dim=-1).to(every[1].dtype)
    seen = weights @ every[1]
    parts.append(seen.permute(0, 2, 1, 3).reshape(blocks * length, heads, width))
    return torch.cat(parts)[None], None
