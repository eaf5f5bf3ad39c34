"""Addresses and keys: which may be used, and where a key may go."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import SplitResult, urlsplit

from equipoise.errors import BadInput

__all__ = ["checked_key_name", "checked_url", "host_of", "is_loopback", "secret"]

_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
SHORTEST_KEY = 8


def checked_key_name(name: str) -> str:
    """Return the name of a key's variable, or refuse it.

    Raises
    ------
    BadInput
        It does not end in _API_KEY: a file must not read any other variable.

    Examples
    --------
    >>> checked_key_name("MY_API_KEY")
    'MY_API_KEY'
    """
    if not _KEY_NAME.fullmatch(name):
        # A value given by mistake for a name must not be shown.
        raise BadInput(
            "key-env: write the name of an environment variable ending in _API_KEY, never the "
            "key itself"
        )
    return name


def secret(name: str) -> str:
    """Return the key in an environment variable; it is held nowhere.

    Raises
    ------
    BadInput
        The variable is not set, or cannot be a key.
    """
    value = os.environ.get(checked_key_name(name), "").strip()
    if not value:
        raise BadInput(f"key: the environment variable {name} is not set; export it first")
    if len(value) < SHORTEST_KEY or not (value.isascii() and value.isprintable()) or " " in value:
        raise BadInput(f"key: what {name} holds cannot be a key; check how it was set")
    return value


def checked_url(url: str, *, with_key: bool) -> SplitResult:
    """Return the parts of an address, or refuse it.

    Raises
    ------
    BadInput
        Not http(s), a user or password, a query; a key over plain HTTP to a far host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInput("url: it cannot be read; write http://HOST:PORT/v1") from None
    if parts.username is not None or parts.password is not None:
        raise BadInput("url: leave user and password out of it; keys come from the environment")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadInput("url: write http://HOST:PORT/v1 or https://HOST/v1")
    if parts.query or parts.fragment or url.endswith("/") or not url.isprintable() or " " in url:
        raise BadInput("url: write it up to /v1, without a query and without a slash at the end")
    if with_key and parts.scheme == "http" and not _near(parts.hostname):
        raise BadInput(f"url: a key does not go to {parts.hostname} unencrypted; write https://")
    return parts


def host_of(url: str) -> str:
    """Return the host (and port) an address leads to.

    Examples
    --------
    >>> host_of("https://models.example:8443/v1")
    'models.example:8443'
    """
    return urlsplit(url).netloc


def is_loopback(url: str) -> bool:
    """Whether an address is this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:80/v1"), is_loopback("https://models.example/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _near(host: str) -> bool:
    """Say whether a host is on this machine, or on a private network given by number."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
