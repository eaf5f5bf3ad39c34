"""Adapters as files. Witness: rotary attention computed both ways, from its definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from equipoise.errors import BadInput
from equipoise.realise.adapter_files import (
    Heads,
    folder_names,
    gguf_tensors,
    permuted,
    read_peft,
    write_gguf,
    write_peft,
)
from equipoise.realise.lora_shape import LoraShape

F32 = NDArray[np.float32]
HEADS, WIDTH, RANK = 3, 8, 2


def rotated(x: F32, place: int, *, halves: bool) -> F32:
    """Rotate a head's pairs (i, i + d/2), or (2i, 2i + 1), by angles place * 100^(-2i/d)."""
    d = x.size
    angle = place * 100.0 ** (-2.0 * np.arange(d // 2) / d)
    first, second = (x[: d // 2], x[d // 2 :]) if halves else (x[0::2], x[1::2])
    a = first * np.cos(angle) - second * np.sin(angle)
    b = first * np.sin(angle) + second * np.cos(angle)
    out = np.empty_like(x)
    if halves:
        out[: d // 2], out[d // 2 :] = a, b
    else:
        out[0::2], out[1::2] = a, b
    return out


def score(q: F32, k: F32, *, halves: bool) -> NDArray[np.float64]:
    """Attention scores of query at place 5 and key at place 2, per head."""
    return np.array([
        rotated(q[h * WIDTH : (h + 1) * WIDTH], 5, halves=halves)
        @ rotated(k[h * WIDTH : (h + 1) * WIDTH], 2, halves=halves)
        for h in range(HEADS)
    ])  # fmt: skip


def test_permuted_rows_give_llama_cpp_the_attention_of_transformers() -> None:
    rng = np.random.default_rng(1)
    wq, wk = rng.normal(size=(2, HEADS * WIDTH, 6)).astype(np.float32)
    x, y = rng.normal(size=(2, 6)).astype(np.float32)
    expected = score(wq @ x, wk @ y, halves=True)
    found = score(permuted(wq, HEADS) @ x, permuted(wk, HEADS) @ y, halves=False)
    assert np.allclose(found, expected, atol=1e-5)
    # Planted errors: no permutation, and one over the wrong number of heads.
    for wrong in (wq, permuted(wq, 1)):
        assert not np.allclose(score(wrong @ x, permuted(wk, HEADS) @ y, halves=False), expected)


def state() -> dict[str, F32]:
    rng = np.random.default_rng(2)
    out = {}
    for module, rows in (("self_attn.q_proj", 24), ("self_attn.v_proj", 8), ("mlp.up_proj", 12)):
        name = f"base_model.model.model.layers.0.{module}"
        out[f"{name}.lora_A.default.weight"] = rng.normal(size=(RANK, 6)).astype(np.float32)
        out[f"{name}.lora_B.default.weight"] = rng.normal(size=(rows, RANK)).astype(np.float32)
    return out


def test_only_queries_and_keys_are_permuted() -> None:
    given = state()
    found = gguf_tensors(given, Heads(HEADS, 1))
    assert set(found) == {
        f"blk.0.{n}.weight.lora_{s}" for n in ("attn_q", "attn_v", "ffn_up") for s in "ab"
    }
    where = "base_model.model.model.layers.0."
    for ours, theirs in (("mlp.up_proj", "ffn_up"), ("self_attn.v_proj", "attn_v")):
        for side in "AB":
            mine = given[f"{where}{ours}.lora_{side}.default.weight"]
            assert np.array_equal(found[f"blk.0.{theirs}.weight.lora_{side.lower()}"], mine)
    q = given[f"{where}self_attn.q_proj.lora_B.default.weight"]
    assert np.array_equal(found["blk.0.attn_q.weight.lora_b"], permuted(q, HEADS))
    with pytest.raises(BadInput, match="no counterpart"):
        gguf_tensors({"model.layers.0.norm.weight": q}, Heads(HEADS, 1))


def test_folder_names_are_plain_and_differ() -> None:
    names = folder_names(("Ä / ö", "|", "state", "a b", "a-b"))
    assert len(set(names.values())) == 5
    assert all(set(n) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for n in names.values())
    assert "state" not in names.values()


def test_a_peft_folder_is_read_back(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="needs the extra train")
    shape = LoraShape(RANK, 4.0, ("q_proj", "v_proj", "up_proj"))
    write_peft(tmp_path, state(), shape, "smollm2-135m")
    found, config = read_peft(tmp_path)
    assert {k: a.tolist() for k, a in found.items()} == {k: a.tolist() for k, a in state().items()}
    assert config["r"] == RANK
    assert config["lora_alpha"] == 4.0
    text = (tmp_path / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    (tmp_path / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="it is no PEFT folder"):
        read_peft(tmp_path)


def test_a_gguf_says_what_it_is(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="needs the extra train")
    path = tmp_path / "adapter.gguf"
    write_gguf(path, state(), LoraShape(RANK, 4.0), Heads(HEADS, 1))
    read = gguf.GGUFReader(path)
    assert bytes(read.fields["adapter.type"].parts[-1]).decode() == "lora"
    assert float(read.fields["adapter.lora.alpha"].parts[-1][0]) == 4.0
    expected = gguf_tensors(state(), Heads(HEADS, 1))
    found = {t.name: np.array(t.data) for t in read.tensors}
    assert all(np.array_equal(found[name], array) for name, array in expected.items())
    assert set(found) == set(expected)
