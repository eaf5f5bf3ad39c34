"""Any OpenAI-compatible address, chat and completions, over HTTP.

Nothing of a reply is trusted: its size, time, type and fields are limited and checked, redirects
are not followed, and a key (named by its environment variable, never held) is removed from
whatever the server says back.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, final

from equipoise.errors import MissingExtra
from equipoise.llm import replies
from equipoise.llm.addresses import is_loopback, secret
from equipoise.llm.answers import Answer, OptionScores, Sample, Usage
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.continuation import whole_options
from equipoise.llm.endpoint import Endpoint
from equipoise.llm.failures import CallFailed, CannotScore, FailureKind, NotScored, Unsupported
from equipoise.llm.requests import Prompt, Request, ScoreRequest, canonical, fingerprint
from equipoise.llm.secrecy import keep_out_of_logs
from equipoise.llm.spoken import body_of
from equipoise.llm.stems import Stems, written_out
from equipoise.llm.waits import asked_wait

if TYPE_CHECKING:
    import httpx2

__all__ = ["Endpoint", "OpenAIHTTP"]

CONNECTIONS = 256
"""More than any concurrency we allow: our limiter, not the pool, decides."""

ERROR_BYTES = 10_000
"""Enough for what a server says about an error."""

REMEMBERED = 4096
LONG_ID = 20
"""Reply ids shorter than this repeat by chance (Ollama counts to 999)."""


@final
class OpenAIHTTP(Backend):
    """An OpenAI-compatible address as a backend.

    Parameters
    ----------
    endpoint : Endpoint
        Where and how.
    capabilities : Capabilities, optional
        What it was found to do; default: chat and completions with 20 alternatives, checked at
        the first reply.
    identity : mapping, optional
        What is behind the address, where that is known better than by its name, e.g. the sha256
        of a local model file. Default: address and model.
    stems : Stems, optional
        What the one slot of a local server holds; see there.

    Examples
    --------
    >>> OpenAIHTTP(Endpoint("http://127.0.0.1:8080/v1", "m")).identity
    {'kind': 'http', 'url': 'http://127.0.0.1:8080/v1', 'model': 'm'}
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        capabilities: Capabilities | None = None,
        identity: dict[str, Any] | None = None,
        stems: Stems | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._stems = stems
        self._capabilities = capabilities or Capabilities(
            chat=True, completions=True, chat_scores=20, completion_scores=20
        )
        self._identity = identity or {"kind": "http", "url": endpoint.url, "model": endpoint.model}
        self._clients: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}
        self._scored = False
        self._seen: OrderedDict[str, bytes] = OrderedDict()

    @property
    def identity(self) -> dict[str, Any]:
        """Address and model, or what was given."""
        return dict(self._identity)

    @property
    def capabilities(self) -> Capabilities:
        """What was given, or the usual."""
        return self._capabilities

    async def answer(self, request: Request) -> Answer:
        """Ask the server once; the errors are those of `Backend.answer`."""
        self.capabilities.check(request)
        try:
            return await self._asked(request)
        except CallFailed as error:
            if self.endpoint.key_env:
                error.args = (self._scrubbed(str(error)),)
            raise

    async def _asked(self, request: Request) -> Answer:
        if isinstance(request, ScoreRequest) and request.match == "continuation":
            return await self._whole_options(request)
        able = self.capabilities
        chat = bool(request.prompt.messages)
        scoring = isinstance(request, ScoreRequest)
        most = able.chat_scores if chat else able.completion_scores
        path = "/chat/completions" if chat else "/completions"
        body = body_of(request, self.endpoint, most if scoring else 0)
        if self._stems is None:
            data = await self._posted(path, body)
        else:
            data = await self._stems.reply(self._posted, request, path, body)
        self._not_anothers(data, request)
        if isinstance(request, ScoreRequest):
            if replies.refused(data):
                raise CannotScore(NotScored(0.0, usage=replies.usage_of(data), refused=True))
            try:
                found = replies.alternatives(data)
            except Unsupported:
                if not self._scored:
                    raise
                # It gave them before: this reply is damaged, the endpoint is not incapable.
                replies.malformed("log-probabilities are absent from this reply")
            self._scored = True
            return replies.scores(found, request.options, replies.usage_of(data))
        return self._without_key(replies.read_sample(data, chat=chat))

    async def _whole_options(self, request: ScoreRequest) -> OptionScores:
        """Score options token by token after a bare text, or a conversation written out as one."""
        start = request.prompt.text or await written_out(self._posted, request.prompt.messages)

        async def following(text: str) -> tuple[list[replies.Alternative], Usage]:
            step = ScoreRequest(Prompt.bare(start + text), request.options)
            body = body_of(step, self.endpoint, self.capabilities.completion_scores)
            data = await self._posted("/completions", body)
            return replies.alternatives(data), replies.usage_of(data)

        async with contextlib.AsyncExitStack() as turn:
            if self._stems is not None:
                await turn.enter_async_context(self._stems.alone())
            return await whole_options(following, request.options)

    async def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path beside the endpoints, e.g. "/models"."""
        return replies.parsed(await self._body("GET", path, None))

    async def raw(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post one object as it is and return the reply: for probes."""
        return await self._posted(path, body)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _posted(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return replies.parsed(await self._body("POST", path, canonical(body).encode("ascii")))

    async def _body(self, method: str, path: str, content: bytes | None) -> bytes:
        """Return the body of a good reply; everything else raises `CallFailed`."""
        httpx2 = _library()
        failed: tuple[FailureKind, str]
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                stream = self._client().stream(
                    method, self.endpoint.url + path, content=content, headers=self._headers()
                )
                async with stream as response:
                    return await self._checked(response)
        except (TimeoutError, httpx2.TimeoutException):
            failed = (FailureKind.TIMEOUT, f"no whole reply in {self.endpoint.timeout:g} s")
        except httpx2.TransportError as error:
            # Where nothing was sent, nothing can have been done and charged.
            unsent = isinstance(error, httpx2.ConnectError | httpx2.ProxyError)
            kind = FailureKind.CONNECTION if unsent else FailureKind.CUT_SHORT
            failed = (kind, type(error).__name__)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            failed = (FailureKind.MALFORMED, type(error).__name__)
        # Outside the handler: the library's exception holds the request, and with it the key.
        raise CallFailed(failed[0], f"{self._where()}: {failed[0].value} ({failed[1]})")

    async def _checked(self, response: httpx2.Response) -> bytes:
        kind = replies.kind_of(response.status_code, response.headers)
        if kind is None:
            return await self._whole(response)
        # Of an error only the first words are read; of what is not JSON, nothing.
        body = b"" if kind is FailureKind.CONTENT_TYPE else await _first(response, ERROR_BYTES)
        if response.status_code == 400 and b"content_filter" in body:
            # A refusal in the clothes of an error: an observation, not a failure.
            return b'{"choices":[{"message":{"refusal":"content_filter"}}]}'
        raise CallFailed(
            kind,
            f"{self._where()}: {kind.value} (HTTP {response.status_code}){_said(body)}",
            wait=asked_wait(response.headers) if kind.again else 0.0,
        )

    async def _whole(self, response: httpx2.Response) -> bytes:
        limit = self.endpoint.body_limit
        announced = response.headers.get("content-length", "")
        body = b""
        if not (announced.isascii() and announced.isdigit() and int(announced) > limit):
            body = await _first(response, limit + 1)
            if len(body) <= limit:
                return body
        raise CallFailed(
            FailureKind.TOO_LARGE,
            f"{self._where()}: the reply is larger than {limit:,} bytes",
        )

    def _where(self) -> str:
        return f"{self.endpoint.model} at {self.endpoint.url}"

    def _headers(self) -> dict[str, str]:
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if self.endpoint.key_env:
            headers["authorization"] = f"Bearer {secret(self.endpoint.key_env)}"
        return headers

    def _scrubbed(self, text: str) -> str:
        if not self.endpoint.key_env:
            return text
        return text.replace(secret(self.endpoint.key_env), f"[{self.endpoint.key_env}]")

    def _without_key(self, sample: Sample) -> Sample:
        if not self.endpoint.key_env:
            return sample
        return dataclasses.replace(
            sample,
            text=self._scrubbed(sample.text),
            finish=self._scrubbed(sample.finish),
            reasoning=self._scrubbed(sample.reasoning),
        )

    def _not_anothers(self, data: dict[str, Any], request: Request) -> None:
        """Refuse a reply whose id was given to another question: a broken proxy repeats itself."""
        given = data.get("id")
        if not isinstance(given, str) or len(given) < LONG_ID:
            return
        ours = fingerprint(canonical([request.to_dict(), request.draw]))
        if self._seen.setdefault(given, ours) != ours:
            raise CallFailed(
                FailureKind.DUPLICATE, f"{self._where()}: {FailureKind.DUPLICATE.value}"
            )
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            httpx2 = _library()
            far = not is_loopback(self.endpoint.url)
            if self.endpoint.key_env:
                keep_out_of_logs(self.endpoint.key_env)
            self._clients = {k: c for k, c in self._clients.items() if not k.is_closed()}
            client = self._clients[loop] = httpx2.AsyncClient(
                limits=httpx2.Limits(
                    max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
                ),
                timeout=httpx2.Timeout(self.endpoint.timeout, connect=30.0),
                follow_redirects=False,
                # Certificates take longer to load than a small question to ask this machine.
                verify=far or self.endpoint.url.startswith("https:"),
                trust_env=far,
            )
        return client


def _library() -> Any:
    try:
        import httpx2
    except ModuleNotFoundError:
        raise MissingExtra("asking a model over HTTP", "llm") from None
    return httpx2


async def _first(response: httpx2.Response, most: int) -> bytes:
    """Return a body, or the first `most` bytes of one that goes on."""
    chunks, size = [], 0
    async for chunk in response.aiter_raw():
        chunks.append(chunk)
        size += len(chunk)
        if size >= most:
            break
    return b"".join(chunks)[:most]


def _said(body: bytes) -> str:
    try:
        said = replies.error_text(json.loads(body)) if body else ""
    except (ValueError, RecursionError):
        said = ""
    return f': the server says "{said}"' if said else ""
