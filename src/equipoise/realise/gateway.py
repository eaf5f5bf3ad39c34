"""An OpenAI-compatible server that makes any client's model act its equilibrium mixture.

The request's `model` names an agent; its group is drawn from the agent's mixture, once for a
conversation (`draws`), and the request goes on to the model of that group. Replies are passed on
as they come, streams part by part. The two paths clients hammer are plain ASGI; the rest is
FastAPI (`gateway_pages`).
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from equipoise.errors import BadInput
from equipoise.llm.addresses import checked_key_name, secret
from equipoise.realise.draws import Served, conversation_key, uniform
from equipoise.realise.drift import Tally
from equipoise.realise.gateway_ends import (
    ClientGone,
    Started,
    disconnected,
    read_body,
    whole_events,
    whole_reply,
)
from equipoise.realise.gateway_words import Asked, Refused, read_request
from equipoise.realise.targets import Targets
from equipoise.realise.upstream import Upstream

if TYPE_CHECKING:
    from equipoise.webguard import App, Receive, Scope, Send

__all__ = ["PATHS", "Gateway", "GatewaySettings"]

PATHS = {"/v1/chat/completions": "/chat/completions", "/v1/completions": "/completions"}


@final
@dataclass(frozen=True)
class GatewaySettings:
    """How a gateway behaves.

    Parameters
    ----------
    seed : int
        Of all draws.
    key_env : str
        Environment variable with the key clients must send, or "" for none.
    max_body : int
        Bytes a request may have.
    at_once : int
        Requests in flight; more are told to come back.
    show_group : bool
        Whether the reply's headers say which group was drawn.
    sticky : bool
        One draw a conversation; else one a response, and "conversation" means a response in
        counts, traces and headers.
    """

    seed: int = 0
    key_env: str = ""
    max_body: int = 4 * 2**20
    at_once: int = 1000
    show_group: bool = True
    sticky: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63 or self.max_body < 1 or self.at_once < 1:
            raise BadInput("gateway: seed is 0 or more, max_body and at_once are at least 1")
        if self.key_env:
            secret(checked_key_name(self.key_env))


@final
@dataclass
class Gateway:
    """The state of a running gateway, and its ASGI application.

    Parameters
    ----------
    targets : Targets
        The plan to begin with.
    upstream : Upstream
        Where requests go; it has a destination for every group of the plan.
    settings : GatewaySettings
        How it behaves.
    trace : callable, optional
        Called with one JSON object a request.

    Raises
    ------
    BadInput
        A group of the plan has no destination.
    """

    targets: Targets
    upstream: Upstream
    settings: GatewaySettings = field(default_factory=GatewaySettings)
    trace: Callable[[dict[str, Any]], None] | None = None
    tally: Tally = field(default_factory=Tally)
    in_flight: int = 0

    def __post_init__(self) -> None:
        self.served = Served(self._fitting(self.targets))

    def replace(self, targets: Targets) -> int:
        """Serve another plan from the next request on; those in flight end under their own.

        Raises
        ------
        BadInput
            A group of the plan has no destination; the old plan is served on.
        """
        self.served = Served(self._fitting(targets), self.served.revision + 1)
        return self.served.revision

    def _fitting(self, targets: Targets) -> Targets:
        for group in targets.groups:
            if group not in self.upstream.destinations:
                raise BadInput(f'plan: nothing realises the group "{group}"; add it to the file')
        return targets

    def allowed(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a request brings the key, where one is needed."""
        if not self.settings.key_env:
            return True
        wanted = b"Bearer " + secret(self.settings.key_env).encode()
        return hmac.compare_digest(headers.get(b"authorization", b""), wanted)

    async def complete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one completion request."""
        started = Started(send)
        try:
            if self.in_flight >= self.settings.at_once:
                raise Refused(503, "too many requests at once; try again", "busy",
                              kind="server_error", wait="1")  # fmt: skip
            self.in_flight += 1
            try:
                await self._passed_on(scope, receive, started)
            finally:
                self.in_flight -= 1
        except Refused as error:
            self.tally.failure(error.code)
            await started.refuse(error)
        except ClientGone:
            self.tally.failure("client_gone")

    async def _passed_on(self, scope: Scope, receive: Receive, started: Started) -> None:
        headers = dict(scope["headers"])
        if not self.allowed(headers):
            raise Refused(401, "the key is missing or wrong; send Authorization: Bearer KEY",
                          "invalid_api_key")  # fmt: skip
        path = PATHS[scope["path"]]
        chat = path == "/chat/completions"
        if not chat and self.upstream.personas:
            raise Refused(400, "personas need messages; use /v1/chat/completions", "no_persona")
        body = await read_body(receive, self.settings.max_body)
        served = self.served
        asked = read_request(body, headers, served, chat=chat)
        topic = served.topic(asked.topic)
        unit = asked.conversation
        if not self.settings.sticky:
            # Each turn is a draw of its own; asked again, it is the same one.
            unit += b"#%d" % len(asked.data.get("messages", ()))
        key = conversation_key(asked.agent, unit)
        group = served.group(asked.agent, topic, uniform(self.settings.seed, key))
        self.tally.drew(served, asked.agent, topic, group, key)
        started.trace = self._headers(served, group, topic, key)
        begun, code = time.perf_counter(), "cancelled"
        try:
            await self._forwarded(asked, group, path, receive, started)
            self.tally.answered(served, asked.agent, topic, group, key)
            code = ""
        except Refused as error:
            code = error.code
            raise
        finally:
            if self.trace is not None:
                self.trace({
                    "agent": asked.agent, "topic": topic, "conversation": key.hex(),
                    "group": group, "plan": served.targets.digest[:12],
                    "revision": served.revision, "error": code,
                    "seconds": round(time.perf_counter() - begun, 6),
                })  # fmt: skip

    async def _forwarded(
        self, asked: Asked, group: str, path: str, receive: Receive, started: Started
    ) -> None:
        """Pass a reply on, and stop asking when the client has gone."""
        work = asyncio.ensure_future(self._reply(asked, group, path, started))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            work.result()
        finally:
            for task in (work, gone):
                if not task.done():
                    task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _reply(self, asked: Asked, group: str, path: str, started: Started) -> None:
        try:
            async with (
                asyncio.timeout(self.upstream.timeout) as limit,
                self.upstream.ask(group, path, asked.data) as response,
            ):
                kind = response.headers.get("content-type", "").lower()
                if kind.startswith("text/event-stream"):
                    # From here on each part has its own limit: a long stream is no failure.
                    limit.reschedule(None)
                    await started.begin(200, b"text/event-stream; charset=utf-8")
                    async for part in whole_events(response.aiter_raw()):
                        await started.more(part)
                    await started.end()
                    return
                if not kind.startswith("application/json"):
                    raise Refused(502, "the upstream's reply is not JSON", "upstream_reply",
                                  kind="upstream_error")  # fmt: skip
                body = await whole_reply(response.aiter_raw())
        except TimeoutError:
            raise self.upstream.late() from None
        await started.whole(200, body)

    def _headers(
        self, served: Served, group: str, topic: str, key: bytes
    ) -> list[tuple[bytes, bytes]]:
        out = [
            (b"x-equipoise-plan", f"{served.revision}-{served.targets.digest[:12]}".encode()),
            (b"x-equipoise-conversation", key.hex().encode()),
        ]
        if topic:
            out.append((b"x-equipoise-topic", quote(topic).encode()))
        if self.settings.show_group:
            out.append((b"x-equipoise-group", quote(group, safe=" ").encode()))
        return out

    def app(self, pages: App) -> App:
        """Return the application: completions here, everything else by `pages`."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            hot = scope["type"] == "http" and scope["path"] in PATHS and scope["method"] == "POST"
            await (self.complete if hot else pages)(scope, receive, send)

        return application
