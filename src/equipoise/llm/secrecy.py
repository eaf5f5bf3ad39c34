"""Keys kept out of other libraries' logs.

At the level DEBUG the HTTP library writes down the headers of replies, and a server may say a key
back in one.
"""

from __future__ import annotations

import logging
import os
from typing import final

__all__ = ["keep_out_of_logs"]

LOGGERS = ("httpx2", *(f"httpcore2.{part}" for part in ("http11", "http2", "connection", "proxy")))


@final
class _NoKey(logging.Filter):
    """Replaces a key's value by its name; holds the name alone."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without keys."""
        text = record.getMessage()
        for name in self.names:
            value = os.environ.get(name, "").strip()
            if value and value in text:
                text = text.replace(value, f"[{name}]")
                record.msg, record.args = text, ()
        return True


_filter = _NoKey()


def keep_out_of_logs(name: str) -> None:
    """Remove what an environment variable holds from the HTTP library's log records.

    Examples
    --------
    >>> keep_out_of_logs("SOME_API_KEY")
    """
    _filter.names.add(name)
    for logger in LOGGERS:
        logging.getLogger(logger).addFilter(_filter)
