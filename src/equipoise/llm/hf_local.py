"""A model of the `transformers` library in this process: exact probabilities over all tokens.

From a folder on this machine, safetensors or GGUF only: no pickled weights, no code of the model's
own (`trust_remote_code` is never set), nothing fetched. Here whole options can be scored, not only
their first token.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from equipoise.errors import BadInput, MissingExtra
from equipoise.llm.answers import Answer, OptionScores, Sample, Usage
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.requests import (
    Prompt,
    Request,
    SampleRequest,
    ScoreRequest,
    canonical,
    fingerprint,
)

__all__ = ["HFLocal", "chat_tokens", "load_weights"]


@final
class HFLocal(Backend):
    """A model in this process, one request at a time.

    Parameters
    ----------
    path : Path
        A folder with `config.json`, a tokenizer and `*.safetensors`, or one GGUF file.

    Raises
    ------
    MissingExtra
        torch or transformers is not installed.
    BadInput
        No such model, or only weights that would have to be unpickled.
    """

    def __init__(self, path: Path) -> None:
        for library in ("torch", "transformers"):
            if importlib.util.find_spec(library) is None:
                raise MissingExtra("a model in this process", "train")
        self.path = Path(path)
        self._files = _weights(self.path)
        self._digest = ""
        self._guard = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._texts: list[str] = []

    @property
    def identity(self) -> dict[str, Any]:
        """The sha256 of the weights."""
        if not self._digest:
            digest = hashlib.sha256()
            for file in self._files:
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
            self._digest = digest.hexdigest()
        return {"kind": "transformers", "sha256": self._digest}

    @property
    def capabilities(self) -> Capabilities:
        """Everything; conversations if the model has a chat template."""
        every = 2**31
        return Capabilities(True, True, every, every, continuation=True, free=True)

    async def answer(self, request: Request) -> Answer:
        """Compute the answer in a thread."""
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: Request) -> Answer:
        with self._guard:
            self._load()
            tokens = self._tokens(request.prompt)
            if isinstance(request, SampleRequest):
                return self._sampled(request, tokens)
            usage = Usage(len(tokens), 1, counted=True)
            if request.match == "continuation":
                return OptionScores(self._whole(tokens, request.options), (), 0.0, usage)
            return OptionScores(self._first(tokens, request), (), 0.0, usage)

    def _load(self) -> None:
        if self._model is not None:
            return
        self._tokenizer, model = load_weights(self.path)
        self._model = model.eval()
        size = int(model.config.vocab_size)
        known = len(self._tokenizer)
        self._texts = [self._tokenizer.decode([i]) if i < known else "" for i in range(size)]

    def _tokens(self, prompt: Prompt) -> list[int]:
        if not prompt.messages:
            return list(self._tokenizer(prompt.text)["input_ids"])
        if not self._tokenizer.chat_template:
            raise BadInput(f"{self.path}: the model has no chat template; ask with a bare text")
        return chat_tokens(self._tokenizer, prompt)

    def _logprobs(self, tokens: Sequence[int]) -> Any:
        """Return log-probabilities (positions, vocabulary) after each token."""
        import torch

        with torch.inference_mode():
            logits = self._model(torch.tensor([list(tokens)])).logits[0].double()
            return torch.log_softmax(logits, dim=-1)

    def _first(self, tokens: Sequence[int], request: ScoreRequest) -> dict[str, float]:
        """Sum over every token of the vocabulary that names one option."""
        probabilities = self._logprobs(tokens)[-1].exp().tolist()
        found = dict.fromkeys(request.options, 0.0)
        for text, p in zip(self._texts, probabilities, strict=True):
            bare = text.strip()
            named = [o for o in request.options if bare and o.startswith(bare)]
            if len(named) == 1:
                found[named[0]] += p
        return found

    def _whole(self, tokens: Sequence[int], options: Sequence[str]) -> dict[str, float]:
        """Return the probability of each option's own tokens, one after another.

        Not guaranteed: another way of cutting an option into tokens is not counted.
        """
        found = {}
        for option in options:
            follows = self._tokenizer(option, add_special_tokens=False)["input_ids"]
            logprobs = self._logprobs([*tokens, *follows])
            steps = range(len(tokens) - 1, len(tokens) + len(follows) - 1)
            total = sum(float(logprobs[i, t]) for i, t in zip(steps, follows, strict=True))
            found[option] = math.exp(total)
        return found

    def _sampled(self, request: SampleRequest, tokens: Sequence[int]) -> Sample:
        import torch

        name = fingerprint(canonical([request.to_dict(), request.draw]))
        greedy = request.temperature == 0.0
        chance: dict[str, Any] = {"do_sample": not greedy}
        if not greedy:
            chance |= {"temperature": request.temperature, "top_p": request.top_p, "top_k": 0}
        if request.stop:
            chance |= {"stop_strings": list(request.stop), "tokenizer": self._tokenizer}
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            # Without a seed the draw still has one of its own: its name.
            torch.manual_seed(int.from_bytes(name[:7], "big"))
            given = torch.tensor([list(tokens)])
            out = self._model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=request.max_tokens,
                pad_token_id=self._tokenizer.eos_token_id,
                **chance,
            )[0, len(tokens) :]
        text = self._tokenizer.decode(out, skip_special_tokens=True)
        for stop in request.stop:
            text = text.split(stop)[0]
        finish = "length" if len(out) >= request.max_tokens else "stop"
        return Sample(text, finish, usage=Usage(len(tokens), len(out), counted=True))


def load_weights(path: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the model, in float32, of a folder or one GGUF file.

    A GGUF file is dequantised: its numbers differ from llama.cpp's, which rounds what it
    multiplies, by about 0.1 nat on one prompt.

    Raises
    ------
    BadInput
        It cannot be loaded.
    """
    import torch
    import transformers

    gguf = path.suffix == ".gguf"
    where = str(path.parent if gguf else path)
    settings: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if gguf:
        settings["gguf_file"] = path.name
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **settings)
        if not gguf:
            settings["use_safetensors"] = True
        model = transformers.AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, **settings
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: it cannot be loaded ({str(error)[:200]})") from None
    return tokenizer, model


def chat_tokens(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Return a conversation as tokens, up to where the model's answer begins."""
    turns = [{"role": m.role, "content": m.text} for m in prompt.messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _weights(path: Path) -> list[Path]:
    """Return the files of the weights, or refuse what would have to be unpickled."""
    if path.suffix == ".gguf" and path.is_file():
        return [path]
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if found:
        return found
    if path.is_dir() and (list(path.glob("*.bin")) or list(path.glob("*.pt*"))):
        raise BadInput(f"{path}: its weights are pickled; convert them to safetensors first")
    raise BadInput(f"{path}: give a folder with *.safetensors, or a GGUF file")
