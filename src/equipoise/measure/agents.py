"""Who is asked: a model by name or address, with its persona, system prompt and reasoning."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from equipoise.engine.local import usable_cores
from equipoise.errors import BadInput
from equipoise.llm.addresses import host_of
from equipoise.llm.answers import Answer
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.doctor import flavour_of
from equipoise.llm.failures import CallFailed, FailureKind
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import endpoint_of, local_server, model_named, open_model
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import REASONING, Request

__all__ = ["Absent", "AgentSpec", "Known", "known_about", "open_agent"]

ADAPTER = "adapter"
ANSWERS = ("auto", "scores", "counts")


@final
@dataclass(frozen=True)
class AgentSpec:
    """One agent of the population.

    Parameters
    ----------
    name : str
        Its label in the game.
    model : str
        A name of `models list`, or with `url` what the server calls the model.
    url : str
        An OpenAI-compatible address, up to /v1; "" for a model by name.
    persona : str
        Whom it plays by itself.
    system : str
        Its own system prompt.
    reasoning : str
        How much it is told to think.
    key_env : str
        Name of the variable with the key, ending in _API_KEY; only with `url`.
    adapter : str
        A LoRA adapter (GGUF) on top of a local model; "" for the model as it is.
    answers : str
        "scores", "counts", or "auto": what the endpoint can give.

    Raises
    ------
    BadInput
        Neither a model nor an address; a key without an address.
    """

    name: str
    model: str = ""
    url: str = ""
    persona: str = ""
    system: str = ""
    reasoning: str = "default"
    key_env: str = ""
    answers: str = "auto"
    adapter: str = ""

    def __post_init__(self) -> None:
        if not self.model and not self.url:
            raise BadInput(f'{self.name}: write model = "smollm2-135m", or url = "https://…/v1"')
        if self.key_env and not self.url:
            raise BadInput(
                f"{self.name}: key_env goes with url; of a model by name the key is in the list"
            )
        if self.adapter and self.url:
            raise BadInput(f"{self.name}: an adapter goes with a model on this machine, not a url")
        if self.reasoning not in REASONING or self.answers not in ANSWERS:
            raise BadInput(
                f"{self.name}: reasoning is one of {', '.join(REASONING)}, "
                f"answers one of {', '.join(ANSWERS)}"
            )
        if self.url:
            self.endpoint()

    @property
    def adapters(self) -> dict[str, Path]:
        """Its adapter under the label by which the local server knows it."""
        return {ADAPTER: Path(self.adapter)} if self.adapter else {}

    def endpoint(self) -> Endpoint:
        """Return where it is asked, if it has an address of its own."""
        return Endpoint(self.url.rstrip("/"), self.model or "default", self.key_env)


@final
@dataclass(frozen=True)
class Known:
    """What is known of an agent's model before anything is asked.

    Parameters
    ----------
    identity : dict
        Part of the name of every answer.
    capabilities : Capabilities
        What it is believed to do.
    host : str
        Where questions go; "" for this machine.
    key_env : str
        Which key goes there.
    calls_per_second : float
        As the doctor measured; 0 where it has not looked.
    """

    identity: dict[str, Any]
    capabilities: Capabilities
    host: str
    key_env: str
    calls_per_second: float


def known_about(spec: AgentSpec) -> Known:
    """Return what is known of an agent's model, without asking or starting anything.

    Raises
    ------
    BadInput
        No model of this name.
    """
    speed = 0.0
    if spec.url:
        endpoint, able = spec.endpoint(), None
    else:
        known = model_named(spec.model)
        speed = float(known.found.get("calls_per_second", 0.0))
        if not known.url:
            server = LocalServer(Path(known.gguf), digest=known.sha256, adapters=spec.adapters)
            identity = server.identity_with(ADAPTER if spec.adapter else "")
            return Known(identity, server.capabilities, "", "", speed)
        if spec.adapter:
            raise BadInput(f"{spec.name}: an adapter goes with a model file; {spec.model} is not")
        endpoint, able = endpoint_of(known), known.capabilities
    backend = OpenAIHTTP(endpoint, capabilities=able)
    host = host_of(endpoint.url)
    return Known(backend.identity, backend.capabilities, host, endpoint.key_env, speed)


@contextlib.contextmanager
def open_agent(spec: AgentSpec) -> Iterator[Backend]:
    """Open an agent's model; a local file is served while the block runs."""
    if spec.adapter:
        running = local_server(spec.model, adapters=spec.adapters, threads=idle_cores())
        with running as server:
            yield server.backend(ADAPTER)
        return
    if not spec.url:
        with open_model(spec.model, threads=idle_cores()) as backend:
            yield backend
        return
    backend = OpenAIHTTP(spec.endpoint())
    yield OpenAIHTTP(
        dataclasses.replace(spec.endpoint(), flavour=asyncio.run(_flavour(backend))),
        capabilities=backend.capabilities,
        identity=backend.identity,
    )


def idle_cores() -> int:
    """Return how many threads a local model should use: at least 1.

    Its threads wait for one another in turns of their own; on a machine that is busy with other
    work all cores are many times slower than one. What a model answers does not depend on it.
    """
    cores = usable_cores()
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return cores
    return max(1, min(cores, round(cores - load)))


async def _flavour(backend: OpenAIHTTP) -> str:
    try:
        return await flavour_of(backend)
    finally:
        await backend.close()


@final
class Absent(Backend):
    """A model that is not there: its answers are all in the store."""

    def __init__(self, known: Known) -> None:
        self._known = known

    @property
    def identity(self) -> dict[str, Any]:
        """That of the model."""
        return self._known.identity

    @property
    def capabilities(self) -> Capabilities:
        """Those of the model."""
        return self._known.capabilities

    async def answer(self, request: Request) -> Answer:
        """Refuse: nothing was to be asked."""
        raise CallFailed(FailureKind.CONNECTION, "the model was not started: all answers were kept")
