"""Where a model is asked, and in which dialect of OpenAI's interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from equipoise.errors import BadInput, nearest
from equipoise.llm.addresses import checked_key_name, checked_url

__all__ = ["FLAVOURS", "Endpoint"]

FLAVOURS = ("llama.cpp", "vllm", "ollama", "openai", "other")


@final
@dataclass(frozen=True)
class Endpoint:
    """Where and how to ask.

    Parameters
    ----------
    url : str
        Up to and including "/v1".
    model : str
        The server's name of the model.
    key_env : str
        Name of the environment variable that holds the key, ending in _API_KEY; "" for none.
    flavour : str
        "llama.cpp", "vllm", "ollama", "openai" or "other": which switches it understands.
    timeout : float
        Seconds for one whole call, slow drips included.
    body_limit : int
        Largest reply in bytes.
    lora : tuple of float
        Scales of the adapters a llama.cpp server holds, in its order; empty where it has none.

    Raises
    ------
    BadInput
        An address with a password, a query or no host; a key over plain HTTP to a far host.

    Examples
    --------
    >>> Endpoint("http://127.0.0.1:8080/v1", "m").url
    'http://127.0.0.1:8080/v1'
    """

    url: str
    model: str
    key_env: str = ""
    flavour: str = "other"
    timeout: float = 600.0
    body_limit: int = 8_000_000
    lora: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        checked_url(self.url, with_key=bool(self.key_env))
        if self.key_env:
            checked_key_name(self.key_env)
        if self.flavour not in FLAVOURS:
            raise BadInput(
                f'flavour: there is no "{self.flavour}"; {nearest(self.flavour, FLAVOURS)}'
            )
        if self.timeout <= 0 or self.body_limit < 1:
            raise BadInput("endpoint: timeout and body_limit must be above 0")
