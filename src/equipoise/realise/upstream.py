"""Where a drawn group's request goes: the address, and what is changed in the body.

Addresses come from the command line. A body is the client's, with the model's name, the adapter
and the persona put in; replies are passed on byte by byte and not read, but for what makes a
failure: redirects are not followed, a broken or packed reply is an error, keys never come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from equipoise.errors import BadInput, MissingExtra
from equipoise.llm.addresses import checked_key_name, checked_url, is_loopback, secret
from equipoise.llm.secrecy import keep_out_of_logs
from equipoise.realise.gateway_words import Refused, refused_text

if TYPE_CHECKING:
    import httpx2

__all__ = ["Destination", "Upstream"]

CONNECTIONS = 1024
CONNECT = 10.0
ERROR_BYTES = 20_000
REPLY_BYTES = 64 * 2**20


@final
@dataclass(frozen=True)
class Destination:
    """Where one group's requests go and what they say.

    Parameters
    ----------
    url : str
        Up to and including "/v1".
    model : str
        What the server there calls the model.
    lora : tuple of float
        llama.cpp's scale of every adapter, or ().
    persona : str
        System text put in front, or "".
    key_env : str
        Environment variable with the server's key, or "".

    Examples
    --------
    >>> there = Destination("http://127.0.0.1:1/v1", "m", persona="You are old.")
    >>> there.body({"model": "agent", "messages": [{"role": "user", "content": "Hi"}]})[:46]
    b'{"model":"m","messages":[{"role":"system","con'
    """

    url: str
    model: str
    lora: tuple[float, ...] = ()
    persona: str = ""
    key_env: str = ""

    def __post_init__(self) -> None:
        checked_url(self.url, with_key=bool(self.key_env))
        if self.key_env:
            checked_key_name(self.key_env)

    def body(self, data: Mapping[str, Any]) -> bytes:
        """Return a client's request as this server is asked it."""
        from pydantic_core import to_json

        changed = {**data, "model": self.model}
        changed.pop("lora", None)
        if self.lora:
            changed["lora"] = [{"id": i, "scale": s} for i, s in enumerate(self.lora)]
        if self.persona and "messages" in changed:
            changed["messages"] = _spoken_by(self.persona, changed["messages"])
        return to_json(changed)


def _spoken_by(persona: str, messages: list[Any]) -> list[Any]:
    """Put a persona first; a system text of the client follows it in the same message."""
    first = messages[0]
    if first.get("role") not in ("system", "developer"):
        return [{"role": "system", "content": persona}, *messages]
    content = first.get("content")
    if isinstance(content, list):
        joined: Any = [{"type": "text", "text": persona}, *content]
    else:
        joined = f"{persona}\n\n{content}" if isinstance(content, str) else persona
    return [{**first, "content": joined}, *messages[1:]]


@final
class Upstream:
    """The connections to the servers behind the gateway.

    Parameters
    ----------
    destinations : mapping of group label to Destination
        Where each group's requests go.
    timeout : float
        Seconds a server may take: for a whole reply, and between two parts of a stream.
    """

    def __init__(self, destinations: Mapping[str, Destination], *, timeout: float = 600.0) -> None:
        if not timeout > 0.0:
            raise BadInput(f"timeout: got {timeout:g}; write seconds above 0")
        self.destinations = dict(destinations)
        self.timeout = timeout
        self._client: httpx2.AsyncClient | None = None
        for one in self.destinations.values():
            if one.key_env:
                secret(one.key_env)
                keep_out_of_logs(one.key_env)

    @property
    def personas(self) -> bool:
        """Whether any group is a persona: then bare prompts cannot be served."""
        return any(one.persona for one in self.destinations.values())

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def ask(
        self, group: str, path: str, data: Mapping[str, Any]
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request and give its good reply, whose body is still to be read.

        Raises
        ------
        Refused
            With the error the client gets.
        """
        there = self.destinations[group]
        httpx2 = _library()
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if there.key_env:
            headers["authorization"] = f"Bearer {secret(there.key_env)}"
        failed: Refused
        try:
            async with self._connected().stream(
                "POST", there.url + path, content=there.body(data), headers=headers
            ) as response:
                if response.status_code != 200:
                    raise await self._error(response, there)
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _failure("the upstream sent a packed reply", "upstream_reply")
                yield response
                return
        except httpx2.ConnectError:
            failed = _failure("the upstream cannot be reached; try again", "upstream_unreachable")
        except (httpx2.TimeoutException, TimeoutError):
            failed = self.late()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            failed = _failure("the upstream broke the reply off; try again", "upstream_cut_short")
        # Outside the handler: the library's exception holds the request, and with it the key.
        raise failed

    def late(self) -> Refused:
        """Return the error of a server that takes too long."""
        return _failure(f"no reply of the upstream in {self.timeout:g} s", "upstream_timeout", 504)

    async def _error(self, response: httpx2.Response, there: Destination) -> Refused:
        status = response.status_code
        if 200 <= status < 400:
            kind = "a redirect, which is not followed" if status >= 300 else f"status {status}"
            return _failure(f"the upstream answered with {kind}", "upstream_reply")
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > ERROR_BYTES:
                break
        keys = (secret(there.key_env),) if there.key_env else ()
        said = refused_text(body[:ERROR_BYTES], keys)
        said = f": {said}" if said else ""
        if status in (401, 403, 407):
            # The client's own key is fine: it is ours that was refused.
            return _failure(f"the upstream does not let the gateway in{said}", "upstream_key")
        kind = "upstream_error" if status >= 500 else "invalid_request_error"
        wait = response.headers.get("retry-after", "")[:40]
        return Refused(
            status, f"the upstream answered {status}{said}", "upstream_status",
            kind=kind, wait=wait if wait.isascii() and wait.isprintable() else "",
        )  # fmt: skip

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            httpx2 = _library()
            urls = {one.url for one in self.destinations.values()}
            far = not all(is_loopback(url) for url in urls)
            self._client = httpx2.AsyncClient(
                limits=httpx2.Limits(
                    max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
                ),
                timeout=httpx2.Timeout(self.timeout, connect=min(CONNECT, self.timeout)),
                follow_redirects=False,
                verify=far or any(url.startswith("https:") for url in urls),
                trust_env=far,
            )
        return self._client


def _failure(message: str, code: str, status: int = 502) -> Refused:
    return Refused(status, message, code, kind="upstream_error")


def _library() -> Any:
    try:
        import httpx2
    except ModuleNotFoundError:
        raise MissingExtra("the gateway", "serve") from None
    return httpx2
