"""A model with one LoRA adapter on top, as training needs it: letters' log-probabilities, state.

The model is frozen; only the adapter's two small matrices beside each chosen layer learn (`peft`).
On processors that multiply bfloat16 in hardware the frozen part is held and computed in bfloat16,
which is three to five times faster than float32; the adapter itself is kept in float32.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, MissingExtra
from equipoise.llm.requests import Prompt
from equipoise.realise.lora_shape import LoraShape
from equipoise.realise.prompt_tree import PromptTree, beginnings
from equipoise.realise.tree_attention import NAME, Layout, register

__all__ = ["LoraNet", "LoraShape", "need_training"]

Arrays = dict[str, NDArray[np.float32]]
Blocks = Sequence[Sequence[Sequence[int]]]

AT_ONCE = 6
"""Blocks computed together."""

TOLD_APART = 0.5
LONGEST = 3.0

LIBRARIES = ("torch", "transformers", "peft", "safetensors", "gguf")


def need_training() -> None:
    """Check that what training needs is installed.

    Raises
    ------
    MissingExtra
        The sentence with the pip command.
    """
    if not all(importlib.util.find_spec(name) for name in LIBRARIES):
        raise MissingExtra("training a group's model", "train")


@final
class LoraNet:
    """A frozen model and one adapter.

    Parameters
    ----------
    path : Path
        A GGUF file, or a folder with safetensors.
    shape : LoraShape
        Of the adapter.
    threads : int
        Threads that compute: sums are cut in as many pieces, so results repeat to the last bit
        only with the same number.
    precision : str
        "bfloat16", "float32", or "auto": bfloat16 where the processor has it.
    """

    def __init__(
        self, path: Path, shape: LoraShape, *, threads: int, precision: str = "auto"
    ) -> None:
        need_training()
        import peft
        import torch

        from equipoise.llm.hf_local import load_weights

        torch.set_num_threads(threads)
        self.tokenizer, model = load_weights(path)
        self.shape = shape
        self.precision = _precision() if precision == "auto" else precision
        # What the file was quantised with is of no interest to the adapter, and not serializable.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        layers = int(model.config.num_hidden_layers)
        if shape.first_layer >= layers:
            raise BadInput(f"lora: the model has {layers} layers; first_layer lies below")
        config = peft.LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            target_modules=list(shape.modules),
            layers_to_transform=list(range(shape.first_layer, layers)),
            task_type="CAUSAL_LM",
        )
        register()
        model.set_attn_implementation(NAME)
        self.model = peft.get_peft_model(model, config)
        self._inner = self.model.base_model.model
        self._below: dict[tuple[int, ...], Any] = {}
        self._weights = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        if self.precision == "bfloat16":
            # Only what is multiplied: what layers add up stays in float32, or their small
            # contributions would be rounded away.
            for module in self.model.modules():
                linear = isinstance(module, torch.nn.Linear) and module is not self._inner.lm_head
                if linear and not module.weight.requires_grad:
                    module.weight.data = module.weight.data.to(torch.bfloat16)

    @property
    def parameters(self) -> dict[str, Any]:
        """What learns, by name."""
        return self._weights

    def reset(self, seed: int, prompts: Blocks = ()) -> None:
        """Begin anew: the second matrices 0, the first drawn as `peft` draws them, from this seed.

        Parameters
        ----------
        seed : int
        prompts : sequence of blocks of prompts, optional
            One block a question. Half of the rows of every first matrix then read what differs
            between the questions where a prompt ends (`_differences`): by chance they would
            hardly see it, and take hundreds of steps to find it.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self._weights.items():
                if "lora_A" in name:
                    bound = 1.0 / parameter.shape[1] ** 0.5
                    parameter.uniform_(-bound, bound, generator=generator)
                else:
                    parameter.zero_()
            if len(prompts) > 2:
                for name, seen in self._inputs(prompts).items():
                    rows = _differences(seen, self.shape.rank // 2)
                    self._weights[name][: len(rows)] = torch.from_numpy(rows)

    def _inputs(self, prompts: Blocks) -> dict[str, NDArray[np.float64]]:
        """Return what each adapted layer is given where a prompt ends, mean of each block."""
        import torch

        heard: dict[str, list[Any]] = {}
        hooks = []

        def listen(name: str) -> Any:
            def hook(_: Any, given: tuple[Any, ...]) -> None:
                heard[name].append(given[0][0].float())

            return hook

        for name, module in self.model.named_modules():
            key = f"{name}.lora_A.default.weight"
            if key in self._weights:
                heard[key] = []
                hooks.append(module.register_forward_pre_hook(listen(key)))
        try:
            ends = []
            with torch.no_grad():
                for block in prompts:
                    self.logprobs([block], keep=False)
                    ends.append(torch.from_numpy(PromptTree.of([block]).ends))
        finally:
            for hook in hooks:
                hook.remove()
        return {
            key: np.stack([x[e].mean(0).double().numpy() for x, e in zip(seen, ends, strict=True)])
            for key, seen in heard.items()
        }

    def state(self) -> Arrays:
        """Return a copy of the adapter's matrices."""
        return {n: p.detach().numpy().copy() for n, p in self._weights.items()}

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Put matrices back.

        Raises
        ------
        BadInput
            They are of another adapter.
        """
        import torch

        shapes = {n: tuple(p.shape) for n, p in self._weights.items()}
        if shapes != {n: a.shape for n, a in state.items()}:
            raise BadInput("adapter: the saved matrices are of another model, rank or modules")
        with torch.no_grad():
            for name, parameter in self._weights.items():
                parameter.copy_(torch.from_numpy(np.array(state[name])))

    def letters(self, options: int) -> list[int]:
        """Return the tokens of the letters A, B, ...

        Raises
        ------
        BadInput
            A letter is not one token of this model.
        """
        found = []
        for i in range(options):
            tokens = self.tokenizer(chr(ord("A") + i), add_special_tokens=False)["input_ids"]
            if len(tokens) != 1:
                raise BadInput("model: its tokenizer has no single token for an option's letter")
            found.append(int(tokens[0]))
        return found

    def logprobs(self, blocks: Blocks, *, keep: bool = True) -> Any:
        """Return log-probabilities over the vocabulary after each prompt, (prompts, V) tensor.

        Parameters
        ----------
        blocks : sequence of blocks of prompts
            As `PromptTree.of` takes them.
        keep : bool
            Keep what the layers without adapter make of these prompts for the next time.
        """
        import torch
        from peft.helpers import disable_input_dtype_casting

        half = self.precision == "bfloat16"
        tree = PromptTree.of(blocks)
        layout = Layout(tree, torch.bfloat16 if half else torch.float32)
        with (
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=half),
            disable_input_dtype_casting(self.model, active=half),
        ):
            seen = self._lower(blocks, tree, layout, keep=keep)
            seen = self._through(seen, layout, self.shape.first_layer, None)
            seen = self._inner.model.norm(seen[0, layout.ends])
            logits = self._inner.lm_head(seen)
        return torch.log_softmax(logits.float(), dim=-1)

    def remember(self, blocks: Blocks) -> None:
        """Compute what the layers without adapter make of these prompts.

        Always in the same company: sums are rounded a little differently beside other prompts, and
        a run that goes on must have the numbers of one that was never stopped.
        """
        import torch

        self._below = {}
        with torch.no_grad():
            for i in range(0, len(blocks), AT_ONCE):
                self.logprobs(blocks[i : i + AT_ONCE])

    def _through(self, seen: Any, layout: Layout, first: int, last: int | None) -> Any:
        """Send hidden states (1, nodes, width) through some of the layers."""
        inner = self._inner.model
        turned = inner.rotary_emb(seen, layout.positions)
        for layer in inner.layers[first:last]:
            seen = layer(
                seen,
                attention_mask=None,
                position_ids=layout.positions,
                use_cache=False,
                position_embeddings=turned,
                prompt_tree=layout,
            )
        return seen

    def _lower(self, blocks: Blocks, tree: PromptTree, layout: Layout, *, keep: bool) -> Any:
        """Return what the layers without adapter make of the nodes, computed once a prompt."""
        import torch

        prompts = [tuple(prompt) for block in blocks for prompt in block]
        if any(prompt not in self._below for prompt in prompts):
            with torch.no_grad():
                seen = self._inner.model.embed_tokens(layout.tokens)
                seen = self._through(seen, layout, 0, self.shape.first_layer)
            if keep:
                for i, prompt in enumerate(prompts):
                    self._below[prompt] = seen[0, torch.from_numpy(tree.path(i))]
            return seen
        start = np.cumsum([0, *map(len, prompts)])[:-1]
        inside = start[tree.owners] + tree.depths
        rows = np.concatenate([np.arange(tree.prefix.size), inside.ravel()])
        every = torch.cat([self._below[prompt] for prompt in prompts])
        return every[torch.from_numpy(rows)][None]

    def letter_probabilities(self, blocks: Blocks, options: int) -> NDArray[np.float64]:
        """Return the probability of each letter after each prompt, (prompts, options).

        Parameters
        ----------
        blocks : sequence of blocks of prompts
            As `PromptTree.of` takes them.
        options : int
        """
        import torch

        letters = self.letters(options)
        parts = []
        with torch.no_grad():
            for i in range(0, len(blocks), AT_ONCE):
                found = self.logprobs(blocks[i : i + AT_ONCE])
                parts.append(found[:, letters].exp().double().numpy())
        return np.concatenate(parts)

    def perplexity(self, text: str) -> float:
        """Return exp of the mean negative log-probability of a text's tokens after the first."""
        import torch

        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) < 2:
            raise BadInput("perplexity: the text has fewer than two tokens")
        with torch.no_grad():
            logs = self.logprobs(beginnings(tokens, 1), keep=False)
        return float(torch.exp(-logs[range(len(tokens) - 1), tokens[1:]].double().mean()))

    def passage(self, before: Prompt | None, text: str) -> Blocks:
        """Return a text as a tree of its beginnings, after a conversation if there is one."""
        from equipoise.llm.hf_local import chat_tokens

        first = chat_tokens(self.tokenizer, before) if before is not None else []
        tokens = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return beginnings([*first, *tokens], max(1, len(first)))


def _differences(seen: NDArray[np.float64], rows: int) -> NDArray[np.float32]:
    """Return directions (rows, width) in which inputs (questions, width) differ.

    The principal directions of the differences, less what all inputs have in common, scaled so
    that questions are told apart by about `TOLD_APART`; no row is longer than `LONGEST`.
    """
    mean = seen.mean(axis=0)
    _, spread, directions = np.linalg.svd(seen - mean, full_matrices=False)
    directions = directions[: min(rows, len(seen) - 1)]
    directions = directions - np.outer(directions @ mean, mean) / (mean @ mean)
    spread = spread[: len(directions)] / len(seen) ** 0.5
    scale = np.minimum(TOLD_APART / np.maximum(spread, 1e-9), LONGEST)
    return np.asarray(directions * scale[:, None], dtype=np.float32)


def _precision() -> str:
    """Return the faster of the two precisions on this processor."""
    import torch

    cpu = getattr(torch, "cpu", None)
    fast = any(
        callable(found := getattr(cpu, name, None)) and found()
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )
    return "bfloat16" if fast else "float32"
