"""A link that brings the page back: settings, and the game itself where it is small.

It stands behind the `#`, so a browser never sends it anywhere. It holds no answers and no draws:
opened where the survey is not, the game is shown without its people and without intervals.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from equipoise.app.settings import Settings
from equipoise.app.source import Shelf, Source, open_game_text
from equipoise.display import shortened
from equipoise.errors import BadInput
from equipoise.game.gamefile import game_to_dict
from equipoise.game.gamefile_text import to_json

__all__ = ["read_link", "write_link"]

LONGEST = 16_000
"""Letters; longer links are cut by programs on the way, so a large game stays out."""

LARGEST = 2_000_000
"""Bytes a link may unpack to."""

BROKEN = "link: it is not one of ours or was cut on the way; ask for it again"


def write_link(source: Source, settings: Settings, view: Any) -> str:
    """Return what stands behind the `#`.

    Parameters
    ----------
    source : Source
    settings : Settings
    view : dict
        What the page wants to find again (map axes, question); plain values.
    """
    data: dict[str, Any] = {
        "v": 1,
        "source": source.key,
        "set": settings.to_dict(),
        "view": view if _small(view) else {},
    }
    game = source.game
    if len(game.agents) * len(game.groups) > LONGEST:
        return _packed(data)
    title = shortened(source.title, 120)
    whole = _packed({**data, "title": title, "game": game_to_dict(game)})
    return whole if len(whole) <= LONGEST else _packed(data)


def _small(view: Any) -> bool:
    return isinstance(view, dict) and len(json.dumps(view)) <= 2_000


def _packed(data: dict[str, Any]) -> str:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def read_link(shelf: Shelf, text: Any) -> tuple[Source, Settings, dict[str, Any]]:
    """Return what a link stands for.

    Raises
    ------
    BadInput
        It is not a link of ours, or its game is neither open nor in it.
    """
    if not isinstance(text, str) or len(text) > 4 * LONGEST:
        raise BadInput(BROKEN)
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpack = zlib.decompressobj()
        data = json.loads(unpack.decompress(packed, LARGEST))
        if unpack.unconsumed_tail or data["v"] != 1:
            raise BadInput(BROKEN)
        key, given, view = data["source"], data["set"], data.get("view")
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(BROKEN) from None
    source = _source(shelf, key, data)
    settings = Settings.read(given, len(source.game.groups))
    return source, settings, view if _small(view) else {}


def _source(shelf: Shelf, key: Any, data: dict[str, Any]) -> Source:
    try:
        return shelf.get(key)
    except BadInput:
        if not isinstance(data.get("game"), dict):
            raise BadInput(
                "link: it was made for another game, which is not open here; open that file first"
            ) from None
    title = shortened(str(data.get("title", "a link")), 120)
    return shelf.put(open_game_text(to_json(data["game"]), ".json", title))
