"""What a gateway says of itself: agents, health, drift, and a new plan. FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import equipoise
from equipoise.errors import BadInput, MissingExtra
from equipoise.realise.gateway import PATHS, Gateway
from equipoise.realise.gateway_words import Refused
from equipoise.realise.targets import read_targets, targets_from
from equipoise.webguard import App, WebGuard

__all__ = ["PlanFile", "application"]

EVERY = 1.0
"""Seconds between two looks at the plan file."""

MOST_PLAN = 64 * 2**20


@final
@dataclass
class PlanFile:
    """A plan file that is looked at again and again; a broken one changes nothing.

    Parameters
    ----------
    path : Path
        The plan.
    note : callable
        Told what happened, one sentence.
    """

    path: Path
    note: Callable[[str], None]
    error: str = ""

    async def follow(self, gateway: Gateway, every: float = EVERY) -> None:
        """Serve what the file says whenever it changes, until cancelled."""
        known = self._stamp()
        while True:
            await asyncio.sleep(every)
            now = self._stamp()
            if now == known:
                continue
            known = now
            try:
                targets = await asyncio.to_thread(read_targets, self.path)
                if targets.digest == gateway.served.targets.digest:
                    continue
                revision = gateway.replace(targets)
                self.error = ""
                self.note(f"plan {revision} is served: {self.path}")
            except BadInput as error:
                self.error = str(error)
                self.note(f"the plan is kept as it was: {error}")

    def _stamp(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return (status.st_mtime_ns, status.st_size, status.st_ino)


def application(
    gateway: Gateway,
    *,
    plan: PlanFile | None = None,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
    on_end: Callable[[dict[str, Any]], None] | None = None,
) -> App:
    """Return the whole ASGI application of a gateway, guarded.

    Parameters
    ----------
    gateway : Gateway
        What it serves.
    plan : PlanFile, optional
        A file whose changes are followed.
    hosts, origins : tuples of str
        As for `WebGuard`.
    on_end : callable, optional
        Told the drift report when the server ends.

    Raises
    ------
    MissingExtra
        FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
    except ModuleNotFoundError:
        raise MissingExtra("the gateway", "serve") from None

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        following = None if plan is None else asyncio.create_task(plan.follow(gateway))
        yield
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        await gateway.upstream.close()
        if on_end is not None:
            on_end(gateway.tally.report())

    app = FastAPI(
        title="equipoise gateway", version=equipoise.__version__, lifespan=life,
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    pages = _Pages(gateway, plan)
    app.add_route("/health", pages.health, methods=["GET"])
    app.add_route("/v1/models", pages.models, methods=["GET"])
    app.add_route("/v1/models/{name:path}", pages.model, methods=["GET"])
    app.add_route("/drift", pages.drift, methods=["GET"])
    app.add_route("/plan", pages.plan, methods=["GET"])
    app.add_route("/plan", pages.new_plan, methods=["POST"])
    app.add_exception_handler(Refused, _refusal)
    app.add_exception_handler(404, _unknown)
    app.add_exception_handler(405, _unknown)
    limit = max(gateway.settings.max_body, MOST_PLAN if gateway.settings.key_env else 0)
    return WebGuard(gateway.app(app), hosts=hosts, origins=origins, max_body=limit)


@final
class _Pages:
    """The handlers; each gets a Starlette request."""

    def __init__(self, gateway: Gateway, file: PlanFile | None) -> None:
        self.gateway = gateway
        self.file = file

    def _check(self, request: Any) -> None:
        if not self.gateway.allowed(dict(request.scope["headers"])):
            raise Refused(401, "the key is missing or wrong; send Authorization: Bearer KEY",
                          "invalid_api_key")  # fmt: skip

    async def health(self, request: Any) -> Any:
        """Say that it runs, and under which plan."""
        served = self.gateway.served
        return _json({
            "status": "ok", "version": equipoise.__version__, "revision": served.revision,
            "plan": served.targets.digest[:12], "in_flight": self.gateway.in_flight,
            "plan_error": self.file.error if self.file else "",
        })  # fmt: skip

    async def models(self, request: Any) -> Any:
        """List the agents, as OpenAI lists models."""
        self._check(request)
        agents = self.gateway.served.targets.agents
        return _json({"object": "list", "data": [_model(agent) for agent in agents]})

    async def model(self, request: Any) -> Any:
        """Return one agent."""
        self._check(request)
        name = request.path_params["name"]
        if name not in self.gateway.served.targets.agents:
            raise Refused(404, "there is no such agent; see /v1/models", "model_not_found")
        return _json(_model(name))

    async def drift(self, request: Any) -> Any:
        """Return what was served beside what was meant."""
        self._check(request)
        return _json(self.gateway.tally.report())

    async def plan(self, request: Any) -> Any:
        """Return the mixtures that are served."""
        self._check(request)
        served = self.gateway.served
        targets = served.targets
        return _json({
            "revision": served.revision, "plan": targets.digest, "groups": list(targets.groups),
            "agents": list(targets.agents), "profile": targets.mixtures.tolist(),
            "topics": {name: rows.tolist() for name, rows in targets.topics.items()},
        })  # fmt: skip

    async def new_plan(self, request: Any) -> Any:
        """Serve the plan in the body from the next request on."""
        self._check(request)
        if not self.gateway.settings.key_env:
            raise Refused(403, "a plan is taken over HTTP only where a key is set (--key-env); "
                          "change the plan file instead", "no_key")  # fmt: skip
        try:
            targets = await asyncio.to_thread(targets_from, await request.body())
            revision = self.gateway.replace(targets)
        except BadInput as error:
            raise Refused(400, str(error), "bad_plan") from None
        return _json({"revision": revision, "plan": targets.digest})


def _model(agent: str) -> dict[str, Any]:
    return {"id": agent, "object": "model", "created": 0, "owned_by": "equipoise"}


def _json(data: dict[str, Any], status: int = 200) -> Any:
    from fastapi.responses import JSONResponse

    return JSONResponse(data, status, {"cache-control": "no-store"})


async def _refusal(_: Any, error: Any) -> Any:
    import json

    return _json(json.loads(error.body()), error.status)


async def _unknown(request: Any, error: Any) -> Any:
    known = ", ".join([*PATHS, "/v1/models", "/health", "/drift", "/plan"])
    # Completions are answered before FastAPI sees them: only another method comes here.
    status = 405 if request.url.path in PATHS else error.status_code
    refused = Refused(status, f"there is nothing here for {request.method}; "
                      f"known: {known}", "not_found")  # fmt: skip
    return await _refusal(request, refused)
