"""The dashboard over HTTP: one page, its files, and the questions of `api`; loopback by default."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import traceback
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from equipoise.app.api import Api
from equipoise.app.maps import Superseded
from equipoise.app.uploads import LARGEST
from equipoise.errors import BadInput, EquipoiseError, MissingExtra
from equipoise.webguard import LOOPBACK, WebGuard

__all__ = ["make_app", "serve"]

PORTS = range(8420, 8440)
"""Tried in order, so that links made yesterday still work today; then any free port."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PAGE = {
    "": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

LONGEST = 64 * 2**10
"""Bytes of a question; only an uploaded file may have more."""


def make_app(api: Api, *, hosts: Sequence[str] = ()) -> Any:
    """Return the ASGI application of a dashboard, guarded against other hosts and pages.

    Parameters
    ----------
    api : Api
        What is open.
    hosts : sequence of str
        Names of this server beside the loopback ones.

    Raises
    ------
    MissingExtra
        The extra "app" is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Route
    except ImportError:
        raise MissingExtra("the dashboard", "app") from None

    def answer(data: Any, status: int = 200) -> Response:
        body = json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
        return Response(body, status, media_type="application/json",
                        headers={"cache-control": "no-store"})  # fmt: skip

    async def respond(work: Callable[[], Any]) -> Response:
        status, data = await run_in_threadpool(partial(_answered, work))
        if isinstance(data, _File):
            headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(data.name)}",
                       "cache-control": "no-store"}  # fmt: skip
            return Response(data.content, media_type=data.kind, headers=headers)
        return answer(data, status)

    async def put(request: Request, work: Callable[[Mapping[str, Any]], Any]) -> Response:
        body = await request.body()
        if len(body) > LONGEST:
            return answer({"error": "the question is too long; send less"}, 413)
        try:
            given = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            return answer({"error": "the question is not JSON"}, 400)
        if not isinstance(given, dict):
            return answer({"error": "the question is not an object"}, 400)
        return await respond(partial(work, given))

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        found = _page_file(name)
        if found is None:
            return answer({"error": "there is no such page"}, 404)
        return Response(found, media_type=PAGE[Path(name).suffix],
                        headers={"cache-control": "no-cache"})  # fmt: skip

    async def ask(request: Request) -> Response:
        work = api.questions.get(request.path_params["what"])
        if work is None:
            return answer({"error": "there is no such question"}, 404)
        return await put(request, work)

    async def upload(request: Request) -> Response:
        name = unquote(request.headers.get("x-file-name", "file"))
        content = await request.body()
        return await respond(lambda: api.upload(name, content))

    async def export(request: Request) -> Response:
        from equipoise.app.exports import export as made

        return await put(request, lambda given: _File(*made(api, given)))

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/page/{name}", page),
            Route("/api/upload", upload, methods=["POST"]),
            Route("/api/export", export, methods=["POST"]),
            Route("/api/{what}", ask, methods=["POST"]),
        ]
    )
    return WebGuard(app, hosts=hosts, max_body=LARGEST,
                    headers={"content-security-policy": POLICY})  # fmt: skip


class _File:
    """A file to be saved by the browser."""

    def __init__(self, name: str, kind: str, content: bytes) -> None:
        self.name, self.kind, self.content = name, kind, content


def _answered(work: Callable[[], Any]) -> tuple[int, Any]:
    """Return the answer and its status; what went wrong is one sentence."""
    try:
        return 200, work()
    except Superseded:
        return 200, {"superseded": True}
    except BadInput as error:
        return 400, {"error": str(error)}
    except EquipoiseError as error:
        # That a goal is out of reach is an answer.
        return 200, {"refused": str(error)}
    except MemoryError:
        return 422, {"error": "not enough memory; open a smaller game"}
    except Exception:  # noqa: BLE001  # one broken question must not end the others
        logging.getLogger("equipoise.app").error("%s", traceback.format_exc())
        return 500, {"error": "something went wrong inside; the terminal says more"}


def _page_file(name: str) -> bytes | None:
    """Return a file of the page; only plain names of files that are shipped."""
    known = {one.name: one for one in resources.files("equipoise.app").joinpath("page").iterdir()}
    if name not in known or Path(name).suffix not in PAGE:
        return None
    return known[name].read_bytes()


def serve(
    path: Path | None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    ready: Callable[[str], None],
    browser: bool = True,
) -> None:
    """Serve the dashboard until interrupted.

    Parameters
    ----------
    path : Path or None
        A folder of a study, a study file or a game file; None: the example.
    host : str
        Address to listen on.
    port : int, optional
        Default: the first free one of a few, so that links keep working.
    ready : function of the page's address
        Called when it can be opened.
    browser : bool
        Open it in the browser.

    Raises
    ------
    BadInput
        What was to be opened cannot be, or the port is taken.
    MissingExtra
        The extra "app" is not installed.
    """
    listening = _listen(host, port)
    try:
        api = Api(path)
        try:
            import uvicorn
        except ImportError:
            raise MissingExtra("the dashboard", "app") from None
        hosts = [] if host in LOOPBACK else [host]
        app = make_app(api, hosts=hosts)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off",
                                server_header=False)  # fmt: skip
        if path is not None:
            # What cannot be opened is said before an address is.
            _ = api.shelf.first
        ready(address)
        if browser:
            # The socket already listens: a page that comes early waits in its queue.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        # Ctrl-C is how it ends; uvicorn has closed what was open when it says so.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()


def _listen(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [*PORTS, 0] if port is None else [port]
    for number in tried:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, number))
            found.listen(128)
        except OSError as error:
            found.close()
            if number == tried[-1]:
                raise BadInput(
                    f"--port: {host}:{number} cannot be used ({error.strerror}); choose another"
                ) from None
            continue
        return found
    raise AssertionError  # the last one is returned or refused
