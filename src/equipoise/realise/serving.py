"""Running a gateway: its servers behind it, its socket, its life.

`local` starts a llama.cpp server for every model the realisation names, with all adapters of that
model; an address is any OpenAI-compatible server that runs already.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equipoise.errors import BadInput, MissingExtra, nearest
from equipoise.llm.addresses import checked_url
from equipoise.llm.endpoint import FLAVOURS
from equipoise.llm.models import known_models, local_server
from equipoise.realise.realisation_file import GroupRoute, Routes
from equipoise.realise.upstream import Destination

__all__ = ["bound_socket", "local_destinations", "remote_destinations", "run_server"]

ENDING = 10
"""Seconds requests in flight get when the server is told to end."""


def remote_destinations(
    routes: Routes, address: str, *, key_env: str = "", flavour: str = "other"
) -> dict[str, Destination]:
    """Return where each group's requests go at one address.

    Parameters
    ----------
    routes : Routes
        By what each group is realised.
    address : str
        http(s)://HOST:PORT, with or without /v1.
    key_env : str
        Environment variable with that server's key, or "".
    flavour : str
        With "llama.cpp" an adapter is asked for by its number in the order of the file; with any
        other, a server is taken to hold the adapter as a model named like its PEFT folder (or
        its group), as vLLM does.

    Raises
    ------
    BadInput
        An address that cannot be used.
    """
    if flavour not in FLAVOURS:
        raise BadInput(f'flavour: there is no "{flavour}"; {nearest(flavour, FLAVOURS)}')
    url = address.rstrip("/")
    url = url if checked_url(url, with_key=bool(key_env)).path else f"{url}/v1"
    order = list(routes.adapters)
    models = known_models()

    def one(route: GroupRoute) -> Destination:
        known = models.get(route.model)
        model = (known.model if known else "") or route.model
        lora: tuple[float, ...] = ()
        if flavour == "llama.cpp":
            lora = tuple(float(label == route.group) for label in order)
        elif route.adapter is not None:
            model = Path(route.peft).name or route.group
        return Destination(url, model, lora, route.persona, key_env)

    return {group: one(route) for group, route in routes.routes.items()}


@contextlib.contextmanager
def local_destinations(
    routes: Routes, *, slots: int = 4, context: int = 2048, threads: int = 0
) -> Iterator[dict[str, Destination]]:
    """Serve the models of a realisation on this machine while the block runs.

    Parameters
    ----------
    routes : Routes
        By what each group is realised; models are names of `equipoise models list`.
    slots, context, threads : int
        As for `LocalServer`, for each model.

    Raises
    ------
    BadInput, MissingExtra, ServerFailed
        As for `LocalServer`; a model that is an address.
    """
    with contextlib.ExitStack() as stack:
        found: dict[str, Destination] = {}
        for model in routes.models:
            mine = {g: r for g, r in routes.routes.items() if r.model == model}
            adapters = {g: r.adapter for g, r in mine.items() if r.adapter is not None}
            server = stack.enter_context(local_server(
                model, adapters=adapters, slots=slots, context=context, threads=threads
            ))  # fmt: skip
            for group, route in mine.items():
                scales = server.scales(group if group in adapters else "")
                found[group] = Destination(f"{server.address}/v1", "local", scales, route.persona)
        yield {group: found[group] for group in routes.groups}


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    BadInput
        The address is in use, not ours, or needs more rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{host}:{port}: cannot listen there ({why}); choose another --port") from (
            None
        )


def run_server(app: Any, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight get some seconds to end."""
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtra("the gateway", "serve") from None
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=ENDING, timeout_keep_alive=75, ws="none",
        h11_max_incomplete_event_size=64 * 1024,
    )  # fmt: skip
    # It ends in good order first, and only then raises what ended it.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
