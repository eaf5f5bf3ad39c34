r"""An adapter as files: a PEFT folder for `transformers`, vLLM and TRL, and a GGUF for llama.cpp.

llama.cpp's Llama models rotate neighbouring pairs of a head's dimensions where `transformers`
rotates halves, so its converter permutes the rows of the query and key matrices head by head. The
update :math:`\Delta W = \tfrac{\alpha}{r} B A` has the rows of `B`, which must be permuted with
them; with the wrong rows the adapter loads, and says something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import BadInput, MissingExtra
from equipoise.measure.fit_game import write_whole
from equipoise.realise.lora_shape import LoraShape

__all__ = ["Heads", "folder_names", "gguf_tensors", "read_peft", "write_gguf", "write_peft"]

Arrays = Mapping[str, NDArray[np.float32]]

GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_PLACE = re.compile(r"layers\.(\d+)\.([a-z_]+\.[a-z_]+)\.lora_([AB])(?:\.default)?\.weight$")

BASES = {"smollm2-135m": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""What a model of ours is called where others keep it."""


@final
@dataclass(frozen=True)
class Heads:
    """Attention heads of the model: of queries, and of keys and values."""

    queries: int
    keys: int


def folder_names(groups: tuple[str, ...]) -> dict[str, str]:
    """Return a folder name for every group: plain letters, and no two the same.

    Examples
    --------
    >>> folder_names(("left", "far left | 18-30", "far left / 18-30"))
    {'left': 'left', 'far left | 18-30': 'far-left-18-30', 'far left / 18-30': 'far-left-18-30-2'}
    """
    out: dict[str, str] = {}
    for group in groups:
        plain = re.sub(r"[^a-z0-9]+", "-", group.casefold()).strip("-")[:40] or "group"
        taken, name, i = set(out.values()), plain, 1
        while name in taken or name == "state":
            i += 1
            name = f"{plain}-{i}"
        out[group] = name
    return out


def permuted(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows (heads · d, ...) as llama.cpp orders them: halves of a head interleaved.

    Examples
    --------
    >>> permuted(np.arange(8, dtype=np.float32)[:, None], 2).ravel().tolist()
    [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]
    """
    width = rows.shape[0] // heads
    halves = rows.reshape(heads, 2, width // 2, *rows.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))


def gguf_tensors(state: Arrays, heads: Heads) -> dict[str, NDArray[np.float32]]:
    """Return an adapter's matrices under llama.cpp's names, in its order of rows.

    Raises
    ------
    BadInput
        A matrix of a layer that is not known.
    """
    out = {}
    for name, array in state.items():
        place = _PLACE.search(name)
        if place is None or place[2] not in GGUF_NAMES:
            raise BadInput(f"adapter: {name} has no counterpart in llama.cpp's Llama models")
        layer, module, side = place.groups()
        if side == "B" and module.endswith(("q_proj", "k_proj")):
            array = permuted(array, heads.queries if module.endswith("q_proj") else heads.keys)
        out[f"blk.{layer}.{GGUF_NAMES[module]}.weight.lora_{side.lower()}"] = array
    return out


def write_gguf(path: Path, state: Arrays, shape: LoraShape, heads: Heads) -> None:
    """Write an adapter for llama.cpp.

    Parameters
    ----------
    path : Path
        The file, replaced in one step.
    state : mapping of name to array
        Matrices under `peft`'s names.
    shape : LoraShape
    heads : Heads
        Of the model it was trained on.

    Raises
    ------
    MissingExtra
        `gguf` is not installed.
    """
    try:
        import gguf
    except ModuleNotFoundError:
        raise MissingExtra("writing an adapter for llama.cpp", "train") from None
    part = path.with_name(f".{path.name}.whole")
    writer = gguf.GGUFWriter(part, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(shape.alpha))
    for name, array in gguf_tensors(state, heads).items():
        writer.add_tensor(name, np.ascontiguousarray(array, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def write_peft(folder: Path, state: Arrays, shape: LoraShape, model: str) -> None:
    """Write an ordinary PEFT folder: its configuration and its matrices as safetensors.

    Parameters
    ----------
    folder : Path
    state, shape
        As for `write_gguf`.
    model : str
        Name of the model it was trained on.
    """
    import peft
    from safetensors.numpy import save

    config = peft.LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        target_modules=sorted(shape.modules),
        task_type="CAUSAL_LM",
        inference_mode=True,
        base_model_name_or_path=BASES.get(model, model),
    )
    plain = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
    text = json.dumps(plain, indent=1, sort_keys=True, default=str) + "\n"
    write_whole(folder / "adapter_config.json", text.encode())
    named = {
        name.replace(".default.", "."): np.ascontiguousarray(array) for name, array in state.items()
    }
    write_whole(folder / "adapter_model.safetensors", save(named, metadata={"format": "pt"}))


def read_peft(folder: Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Return the matrices, under the names of a live adapter, and the configuration of a folder.

    Raises
    ------
    BadInput
        There is none, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        named = load((folder / "adapter_model.safetensors").read_bytes())
    except (OSError, ValueError, SafetensorError) as error:
        raise BadInput(f"{folder}: it is no PEFT folder ({type(error).__name__})") from None
    state = {
        re.sub(r"\.lora_([AB])\.weight$", r".lora_\1.default.weight", k): a
        for k, a in named.items()
    }
    return state, config
