"""A headless Chromium and a dashboard beside it, for tests and the benchmark."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.game.catalog import game as catalogue
from equipoise.game.gamefile import save_game

NO_BROWSER = (
    "no Chromium: install it (`apt-get install chromium`, or `python -m playwright install "
    "chromium`) to test the dashboard in a browser"
)


def launched(play: Any) -> Any:
    """The system's Chromium, else Playwright's own; None where there is neither."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return play.chromium.launch(executable_path=found, args=["--no-sandbox"])
    try:
        return play.chromium.launch(args=["--no-sandbox"])
    except Exception:  # noqa: BLE001  # Playwright's own error class is private
        return None


@contextmanager
def dashboard(path: Path | None) -> Iterator[str]:
    """Serve a dashboard from a thread of this process; its address."""
    import uvicorn

    from equipoise.app.api import Api
    from equipoise.app.server import make_app

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    config = uvicorn.Config(make_app(Api(path)), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    ends = time.monotonic() + 20
    while not server.started and time.monotonic() < ends:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@contextmanager
def toy_dashboard(folder: Path) -> Iterator[str]:
    """Serve a dashboard of the toy of the catalogue; its address."""
    save_game(catalogue("toy"), folder / "toy.json")
    with dashboard(folder / "toy.json") as address:
        yield address
