"""What each key of a game file means, one sentence: for the JSON Schema and docs/game-file.md."""

from __future__ import annotations

from typing import Any

__all__ = ["KEYS", "described"]

KEYS = {
    "attractiveness.values": "How well content made for each group is received: one row over "
    "groups, or one per agent.",
    "attractiveness.weight": "α, 0 or above: one number, or one per agent.",
    "consistency.anchor": "The target: a mixture over groups, or one per agent.",
    "consistency.weight": "β, 0 or above: one number, or one per agent.",
    "consistency.form": 'How leaving the target is counted: "quadratic" (squared distance) or '
    '"kl" (KL divergence: no weight reaches 0 unless the target is 0 there).',
    "consistency.metric": "B, a symmetric positive definite matrix over groups; default: the "
    "identity.",
    "diversity.weight": "γ, any sign: one number, or one per agent; below 0 agents follow one "
    "another.",
    "diversity.kernel": "S, a symmetric positive semidefinite matrix: how alike content for two "
    "groups is; default: the identity.",
    "diversity.network": "Who meets whom: links [agent, agent, weight] by label or row number; "
    "default: everybody meets everybody.",
    "diversity.directed": "Whether a link goes one way: the first agent sees the second.",
    "variety.matrix": "R, a symmetric positive semidefinite matrix over groups; default: the "
    "identity.",
    "variety.weight": "ρ, 0 or above: one number, or one per agent.",
    "audience_share.weight": "θ, 0 or above: one number, or one per agent.",
    "subsidy.prices": "δ, any sign: what is paid per unit of weight on each group.",
    "draws": "A .npz file beside this file with the same arrays and a leading axis of joint "
    "bootstrap draws; verdicts use them.",
}
"""Key of a section -> what it means."""


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a game file with a text at every key."""
    for section, part in schema["properties"].items():
        if section in KEYS:
            part["description"] = KEYS[section]
        for one in part.get("anyOf", ()):
            if "$ref" not in one:
                continue
            model = schema["$defs"][one["$ref"].rsplit("/", 1)[1]]
            for key, inner in model["properties"].items():
                inner["description"] = KEYS[f"{section}.{key}"]
    return schema
