"""What a client says to the gateway and what the gateway says of itself, in OpenAI's shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from equipoise.display import shortened
from equipoise.errors import nearest

if TYPE_CHECKING:
    from equipoise.realise.draws import Served

__all__ = ["Asked", "Refused", "error_body", "error_event", "read_request", "refused_text"]

LONGEST_ID = 512
NAMED = 20
"""At most so many agents are named in an error."""


@final
class Refused(Exception):
    """A request that is answered with an error instead of being passed on.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        One sentence: what is wrong and what to send instead.
    code : str
        A word for programs.
    kind : str
        OpenAI's "type".
    wait : str
        A Retry-After to pass on, or "".
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        kind: str = "invalid_request_error",
        wait: str = "",
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.kind, self.wait = (
            status, message, code, kind, wait,
        )  # fmt: skip

    def body(self) -> bytes:
        """Return the JSON body."""
        return error_body(self.message, self.kind, self.code)


def error_body(message: str, kind: str, code: str) -> bytes:
    """Return an error as OpenAI writes it.

    Examples
    --------
    >>> error_body("no", "server_error", "x")
    b'{"error": {"message": "no", "type": "server_error", "param": null, "code": "x"}}'
    """
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def error_event(message: str, kind: str, code: str) -> bytes:
    """Return an error as an event of a stream whose status has been sent already."""
    return b"data: " + error_body(message, kind, code) + b"\n\n"


def refused_text(body: bytes, secrets: tuple[str, ...]) -> str:
    """Return what a server said of an error, short and without keys; "" where it said nothing."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = said.get("error", said) if isinstance(said, dict) else said
    text = error.get("message", "") if isinstance(error, dict) else error
    if not isinstance(text, str):
        return ""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    return shortened(text, 400)


@final
@dataclass(frozen=True)
class Asked:
    """A request that can be served.

    Parameters
    ----------
    data : dict
        The JSON object of the client.
    agent : str
        Its "model".
    topic : str
        What its header says, or "".
    conversation : bytes
        What its draw depends on.
    stream : bool
        Whether it asked for a stream.
    """

    data: dict[str, Any]
    agent: str
    topic: str
    conversation: bytes
    stream: bool


def read_request(body: bytes, headers: dict[bytes, bytes], served: Served, *, chat: bool) -> Asked:
    """Read a client's request.

    Parameters
    ----------
    body : bytes
        JSON.
    headers : dict
        Lower-case names; `x-conversation-id` and `x-equipoise-topic` are looked at.
    served : Served
        Which agents there are.
    chat : bool
        Whether messages or a prompt are expected.

    Raises
    ------
    Refused
        With the status and the sentence the client gets.
    """
    from pydantic_core import from_json

    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise Refused(400, "the body is not JSON; send one JSON object", "bad_json") from None
    if not isinstance(data, dict):
        raise Refused(400, "the body is not a JSON object; send one", "bad_json")
    agent = data.get("model")
    if not isinstance(agent, str) or not agent:
        raise Refused(400, 'model is not given; name an agent, e.g. {"model": "…"}', "no_model")
    if agent not in served.agents:
        agents = served.targets.agents
        named = [shortened(a) for a in agents[:NAMED]]
        more = f" (and {len(agents) - NAMED} more)" if len(agents) > NAMED else ""
        raise Refused(
            404,
            f'there is no agent "{shortened(agent)}"; {nearest(agent, named)}'
            f"; agents: {', '.join(named)}{more}",
            "model_not_found",
        )
    stream = data.get("stream", False)
    if not isinstance(stream, bool | None):
        raise Refused(400, "stream is neither true nor false; write one of them", "bad_stream")
    first = _first_message(data.get("messages")) if chat else _prompt(data.get("prompt"))
    return Asked(data, agent, _topic(headers), _conversation(headers, first), bool(stream))


def _first_message(messages: Any) -> Any:
    """Return the content of the first user message, or of the first message at all."""
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages is no list of messages; send at least one", "no_messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refused(400, 'every message is an object with a "role"; mend it', "bad_message")
    mine = [m for m in messages if m["role"] == "user"]
    return (mine or messages)[0].get("content")


def _prompt(prompt: Any) -> Any:
    if not isinstance(prompt, str) or not prompt:
        raise Refused(400, "prompt is no text; send one text", "no_prompt")
    return prompt


def _conversation(headers: dict[bytes, bytes], first: Any) -> bytes:
    given = headers.get(b"x-conversation-id")
    if given is None:
        if isinstance(first, str):
            return b"t" + first.encode("utf-8", "surrogatepass")
        return b"j" + json.dumps(first, sort_keys=True).encode()
    if not 0 < len(given) <= LONGEST_ID:
        raise Refused(
            400, f"X-Conversation-Id: write 1 to {LONGEST_ID} characters", "bad_conversation"
        )
    return b"i" + given


def _topic(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-equipoise-topic", b"")
    if len(given) > LONGEST_ID:
        raise Refused(400, f"X-Equipoise-Topic: at most {LONGEST_ID} characters", "bad_topic")
    from urllib.parse import unquote

    return unquote(given.decode("latin-1"))
