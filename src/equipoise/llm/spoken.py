"""Writing requests in the dialects of OpenAI-compatible servers.

They agree on the core and differ in switches: how a reasoning model is told to think, and whether
earlier prompts may change a measurement (llama.cpp's prompt cache moves log-probabilities by up to
0.03: every request to it says `cache_prompt: false`).
"""

from __future__ import annotations

from typing import Any

from equipoise.errors import BadInput
from equipoise.llm.endpoint import Endpoint
from equipoise.llm.requests import Request, SampleRequest

__all__ = ["body_of"]

LARGEST_SEED = 2**31


def body_of(request: Request, endpoint: Endpoint, alternatives: int) -> dict[str, Any]:
    """Return the JSON body of a request.

    Parameters
    ----------
    request : Request
        What is asked.
    endpoint : Endpoint
        Where; its flavour decides the switches.
    alternatives : int
        How many log-probabilities to ask for; 0 for none.
    """
    chat = bool(request.prompt.messages)
    body: dict[str, Any] = {"model": endpoint.model, "temperature": 1.0, "top_p": 1.0}
    if chat:
        body["messages"] = [{"role": m.role, "content": m.text} for m in request.prompt.messages]
    else:
        body["prompt"] = request.prompt.text
    # OpenAI's own reasoning models refuse the older name.
    longest = "max_completion_tokens" if chat and endpoint.flavour == "openai" else "max_tokens"
    if isinstance(request, SampleRequest):
        body |= {"temperature": request.temperature, "top_p": request.top_p}
        body[longest] = request.max_tokens
        if request.seed is not None:
            body["seed"] = (request.seed + request.draw) % LARGEST_SEED
        if request.stop:
            body["stop"] = list(request.stop)
    else:
        # Temperature 1: some servers give probabilities after temperature.
        body[longest] = 1
        body |= (
            {"logprobs": True, "top_logprobs": alternatives} if chat else {"logprobs": alternatives}
        )
    if endpoint.flavour == "llama.cpp":
        body["cache_prompt"] = False
        if endpoint.lora:
            # The whole list: what is not named would keep the scale the server began with.
            body["lora"] = [{"id": i, "scale": scale} for i, scale in enumerate(endpoint.lora)]
    if request.reasoning != "default":
        body |= _thinking(request.reasoning, endpoint.flavour)
    return body


def _thinking(reasoning: str, flavour: str) -> dict[str, Any]:
    """Return the switches of a reasoning setting."""
    effort = {"off": "none", "on": "medium"}.get(reasoning, reasoning)
    switch = {"chat_template_kwargs": {"enable_thinking": reasoning != "off"}}
    match flavour:
        case "openai":
            return {"reasoning_effort": effort}
        case "ollama":
            return {"reasoning_effort": effort}
        case "vllm" | "llama.cpp":
            return switch if reasoning in ("off", "on") else switch | {"reasoning_effort": effort}
    raise BadInput(
        f'reasoning: how to set "{reasoning}" is not known for this kind of server; give '
        "--flavour, or leave reasoning out"
    )
