"""LoRA adapters for the small model, written byte by byte: no library of ours or of others."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALIGNED = 32
WIDTH, RANK, LAYERS = 576, 2, 30
STRING, FLOAT = 8, 6


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def write_adapter(
    path: Path, tensors: dict[str, NDArray[np.float32]], *, alpha: float, arch: str = "llama"
) -> Path:
    """Write GGUF version 3 with float32 tensors, as its specification lays it out."""
    pairs = {"general.type": "adapter", "general.architecture": arch, "adapter.type": "lora"}
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs) + 1)
    for key, value in pairs.items():
        out += _text(key) + struct.pack("<I", STRING) + _text(value)
    out += _text("adapter.lora.alpha") + struct.pack("<If", FLOAT, alpha)
    data = b""
    for name, array in tensors.items():
        data += bytes(-len(data) % ALIGNED)
        shape = array.shape[::-1]
        out += _text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        out += struct.pack("<IQ", 0, len(data))
        data += array.astype("<f4").tobytes()
    path.write_bytes(out + bytes(-len(out) % ALIGNED) + data + bytes(-len(data) % ALIGNED))
    return path


def random_adapter(path: Path, seed: int, *, size: float = 0.1, width: int = WIDTH) -> Path:
    """Write an adapter that turns the attention's queries somewhere."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for i in range(LAYERS):
        name = f"blk.{i}.attn_q.weight"
        tensors[f"{name}.lora_a"] = rng.normal(0, size, (RANK, width)).astype(np.float32)
        tensors[f"{name}.lora_b"] = rng.normal(0, size, (width, RANK)).astype(np.float32)
    return write_adapter(path, tensors, alpha=float(RANK))
