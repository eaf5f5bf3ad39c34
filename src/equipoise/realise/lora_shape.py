"""The form of an adapter: which layers get one, of which rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from equipoise.errors import BadInput

__all__ = ["MODULES", "LoraShape"]

MODULES = ("q_proj", "v_proj", "gate_proj", "up_proj", "down_proj")
"""Layers that get an adapter, by their names in `transformers`' Llama models."""


@final
@dataclass(frozen=True)
class LoraShape:
    """The form of an adapter: an update of rank `rank`, scaled by alpha / rank.

    Layers below `first_layer` get none: what they make of a prompt is the same at every step and
    is computed once.
    """

    rank: int = 16
    alpha: float = 32.0
    modules: tuple[str, ...] = MODULES
    first_layer: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= 256 or not self.alpha > 0.0 or self.first_layer < 0:
            raise BadInput("lora: rank lies between 1 and 256, alpha above 0, layers from 0")
        strange = set(self.modules) - {*MODULES, "k_proj", "o_proj"}
        if strange or not self.modules:
            raise BadInput(f"lora: modules are among {', '.join(MODULES)}, k_proj, o_proj")
